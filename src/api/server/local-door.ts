/**
 * The door for whoever sits at the machine: some operations of the API on a Unix socket of this process, for the `sekisho`
 * command. Who may open the file is root or this process: nothing else is asked. What was given is held against the API's own
 * contract, the handler is the pages' own, and each change is on record like theirs.
 */
import { describeError, SekishoError } from '../../base/errors.ts';
import { ADMIN_VERBS } from '../../control/admin-contract.ts';
import { type ControlServer, createServerOf } from '../../control/server.ts';
import type { CallContext } from '../../control/verb.ts';
import { type OperationId, OPERATIONS } from '../contract/operations.ts';
import { hidden, targetOf } from './audit-detail.ts';
import type { Call, Handler, Handlers } from './call.ts';
import type { DispatchParts } from './dispatch.ts';
import { ApiProblem, invalid, problemOf } from './problems.ts';

type Verb = keyof typeof ADMIN_VERBS;

export async function openLocalDoor(
  socket: string,
  parts: Pick<DispatchParts, 'audit' | 'gateway' | 'host' | 'changed' | 'claimed' | 'log'>,
  handlers: Handlers,
): Promise<ControlServer> {
  const serve = (id: Verb) => (input: unknown, context: CallContext) => run({ id, input, context }, parts, handlers);
  const table = Object.fromEntries((Object.keys(ADMIN_VERBS) as Verb[]).map((id) => [id, serve(id)]));
  return createServerOf(ADMIN_VERBS, {
    socket,
    caller: 'cli',
    owner: 'admin',
    handlers: table as never, // the contract holds each answer against its verb
    observe: { log: (level, message, facts) => (level === 'debug' ? undefined : parts.log(level, message, facts)) },
  });
}

async function run(
  { id, input, context }: { id: Verb; input: unknown; context: CallContext },
  parts: Parameters<typeof openLocalDoor>[1],
  handlers: Handlers,
): Promise<unknown> {
  const operation = OPERATIONS[id];
  const { by, signal } = context;
  const told: { target: string; detail: Record<string, unknown> } = { target: '', detail: {} };
  let asked = false;
  const record = (outcome: 'ok' | 'refused' | 'failed', extra: Record<string, unknown> = {}): void => {
    if (!operation.change) return;
    const detail = { ...told.detail, ...extra };
    parts.audit.write({ actor: by, address: '', action: id, target: told.target, outcome, detail });
  };
  try {
    if (!parts.claimed()) throw new ApiProblem(403, 'NOT_CLAIMED');
    const given = inputOf(id, input);
    told.detail = hidden(given);
    told.target = targetOf(given);
    asked = true;
    const call = {
      ...given,
      // the owner of the machine: handlers here ask only under which name to keep what was done
      who: { actor: by },
      client: { address: '', bucket: '', userAgent: 'cli' },
      cookies: new Map(),
      setCookie: () => undefined,
      note: (target: string, detail: Record<string, unknown> = {}) => {
        told.target = target;
        told.detail = { ...told.detail, ...detail };
      },
      actsAs: () => undefined,
      gateway: parts.gateway(by),
      host: parts.host(by),
      signal,
    };
    const answer: unknown = await (handlers[id] as Handler<OperationId>)(call as unknown as Call);
    record('ok');
    if (operation.change) parts.changed();
    return answer;
  } catch (error) {
    // as of the pages: what was asked well and did not come about; not typing errors
    const refused = error instanceof ApiProblem || error instanceof SekishoError;
    if (asked) record(refused ? 'refused' : 'failed', refused ? { code: error.code } : { error: describeError(error) });
    throw error instanceof ApiProblem ? asSekisho(error) : error;
  }
}

/** `use` stands in the path of the API, everything else in the body. */
function inputOf(id: Verb, input: unknown): { params: unknown; query: unknown; body: unknown } {
  const { use, ...rest } = input as Record<string, unknown>;
  const { params: paramsSchema, body: bodySchema } = OPERATIONS[id];
  const params = paramsSchema.safeParse(use === undefined ? {} : { use });
  if (!params.success) throw invalid('params', params.error);
  if (bodySchema === undefined) return { params: params.data, query: {}, body: undefined };
  const body = bodySchema.safeParse(rest);
  if (!body.success) throw invalid('body', body.error);
  return { params: params.data, query: {}, body: body.data };
}

function asSekisho(error: ApiProblem): SekishoError {
  const problem = problemOf(error, '');
  const fields = (error.extras.fields ?? []).map(
    ({ path, message }) => `${path.replace(/^body\./, '')}: ${message.en}`,
  );
  const message = fields.length > 0 ? fields.join('; ') : problem.message.en;
  return new SekishoError(error.code, message, problem.remedy === undefined ? {} : { remedy: problem.remedy.en });
}
