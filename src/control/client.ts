/**
 * Calls the gateway's verbs over its control socket, typed by the contract. One connection a call; every call ends by its
 * deadline. Throws SekishoError: `GATEWAY_NOT_RUNNING`, `GATEWAY_NOT_PERMITTED`, `GATEWAY_SILENT`, `GATEWAY_MISMATCH`, or
 * with the code the gateway gave (`NOT_FOUND`, …).
 */
import { request as httpRequest } from 'node:http';
import type { Milliseconds } from '../base/brand.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import type { z } from 'zod';
import { VERBS } from './contract.ts';
import { problemSchema, type VerbDefinition, type VerbTable } from './verb.ts';

export interface ClientOf<T extends VerbTable> {
  readonly socket: string;
  call<V extends keyof T & string>(verb: V, input: z.input<T[V]['request']>): Promise<z.output<T[V]['response']>>;
}

/** Of the gateway. */
export type ControlClient = ClientOf<typeof VERBS>;

export interface ControlClientOptions {
  socket: string;
  /** Who is on record for changes; a name, no proof. */
  by?: string;
  /** Instead of the verb's own deadline. */
  deadlineMs?: Milliseconds;
}

const MAX_REQUEST_OCTETS = 1024 * 1024;
const MAX_ANSWER_OCTETS = 64 * 1024 * 1024;
/** The gateway's own deadline ends first, and with a better message. */
const GRACE_MS = 5_000;

export function createControlClient(options: ControlClientOptions): ControlClient {
  return createClientOf(VERBS, { ...options, owner: 'gateway' });
}

/** Who is called, as codes and sentences name it. */
type Owner = 'gateway' | 'host' | 'admin';

export function createClientOf<T extends VerbTable>(
  verbs: T,
  options: ControlClientOptions & { owner: Owner },
): ClientOf<T> {
  const { owner } = options;
  async function call<V extends keyof T & string>(
    name: V,
    input: z.input<T[V]['request']>,
  ): Promise<z.output<T[V]['response']>> {
    const verb: VerbDefinition | undefined = verbs[name];
    if (verb === undefined) throw mismatch(owner, `there is no "${name}"`);
    const ms = options.deadlineMs ?? verb.deadlineMs + GRACE_MS;
    let answer: Answer;
    try {
      answer = await withDeadline(`"${name}"`, { ms }, (signal) => exchange(options, verb, { input, signal }));
    } catch (error) {
      throw unreachable(options, error);
    }
    const body = parse(owner, answer.body);
    if (answer.status !== 200) throw refused(owner, answer.status, body);
    const checked = verb.response.safeParse(body);
    if (!checked.success) throw mismatch(owner, `its answer to "${name}" is not as agreed`);
    // As it came: a newer server may say more than this client knows.
    return body as z.output<T[V]['response']>;
  }
  return { socket: options.socket, call };
}

interface Answer {
  status: number;
  body: string;
}

async function exchange(
  options: ControlClientOptions & { owner: Owner },
  verb: VerbDefinition,
  call: { input: unknown; signal: AbortSignal },
): Promise<Answer> {
  const body = verb.method === 'POST' ? Buffer.from(JSON.stringify(call.input)) : undefined;
  if (body !== undefined && body.length > MAX_REQUEST_OCTETS)
    throw new SekishoError('BODY_TOO_LARGE', `The request is larger than ${MAX_REQUEST_OCTETS} octets`);
  const headers: Record<string, string | number> = { host: 'sekisho', connection: 'close' };
  if (options.by !== undefined) headers['x-sekisho-by'] = options.by.replaceAll(/[^\w.@-]/g, '').slice(0, 64);
  if (body !== undefined) {
    headers['content-type'] = 'application/json';
    headers['content-length'] = body.length;
  }
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        socketPath: options.socket,
        method: verb.method,
        path: body === undefined ? verb.path + toQuery(call.input) : verb.path,
        headers,
        agent: false,
        signal: call.signal,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size <= MAX_ANSWER_OCTETS) chunks.push(chunk);
          else response.destroy(mismatch(options.owner, `its answer is larger than ${MAX_ANSWER_OCTETS} octets`));
        });
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        );
        response.once('error', reject);
      },
    );
    request.once('error', reject);
    request.end(body);
  });
}

function toQuery(input: unknown): string {
  const entries = Object.entries(input ?? {}).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(entries.map(([key, value]) => [key, String(value)])).toString();
  return query === '' ? '' : `?${query}`;
}

function parse(owner: Owner, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw mismatch(owner, 'its answer is not JSON');
  }
}

function refused(owner: Owner, status: number, body: unknown): SekishoError {
  const problem = problemSchema.safeParse(body);
  if (!problem.success) return mismatch(owner, `it answered ${status} without saying why`);
  const { code, message, remedy } = problem.data;
  return new SekishoError(code, message, { retryable: status === 503, ...(remedy === undefined ? {} : { remedy }) });
}

function mismatch(owner: Owner, why: string): SekishoError {
  return new SekishoError(codeOf(owner, 'MISMATCH'), `The ${owner} cannot be understood: ${why}`, {
    remedy: `Use the command of the same version as the ${owner}`,
  });
}

/** `GATEWAY_SILENT`, `HOST_SILENT` */
function codeOf(owner: Owner, what: string): string {
  return `${owner.toUpperCase()}_${what}`;
}

const START_REMEDY: Readonly<Record<Owner, string>> = {
  gateway:
    'On the box it starts by itself within seconds; on a trial machine start it with ./scripts/start; if it runs elsewhere, name its data folder with --data or its socket with --socket',
  host: 'On the box it starts by itself within seconds; on a trial machine start it with ./scripts/start',
  admin:
    'It is the process of the pages: on the box it starts by itself within seconds; on a trial machine start it with ./scripts/start; name its socket with --admin-socket',
};

function unreachable({ socket, owner }: { socket: string; owner: Owner }, error: unknown): SekishoError {
  if (error instanceof SekishoError && error.code !== 'DEADLINE') return error;
  switch (errorCode(error)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTDIR':
      return new SekishoError(
        codeOf(owner, 'NOT_RUNNING'),
        `The ${owner} is not running: nobody answers at "${socket}"`,
        { cause: error, remedy: START_REMEDY[owner] },
      );
    case 'EACCES':
    case 'EPERM':
      return new SekishoError(codeOf(owner, 'NOT_PERMITTED'), `You may not use the control socket "${socket}"`, {
        cause: error,
        remedy: `Only the user the ${owner} runs as, its group and root may; try again with sudo`,
      });
    case 'DEADLINE':
      return new SekishoError(codeOf(owner, 'SILENT'), `The ${owner} does not answer at "${socket}"`, {
        retryable: true,
        cause: error,
        remedy: 'It may be busy; try again, then look at its log. What was asked may still take effect',
      });
    default:
      return new SekishoError(
        codeOf(owner, 'SILENT'),
        `The ${owner} broke off at "${socket}": ${describeError(error)}`,
        {
          retryable: true,
          cause: error,
          remedy: 'It may be stopping; try again in a moment',
        },
      );
  }
}
