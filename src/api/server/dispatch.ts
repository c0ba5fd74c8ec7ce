/**
 * From a request to an answer, the same way for every operation of the contract: guards, who is asking, may they, is what they
 * gave valid, the handler under its deadline, its answer held against the contract, the audit, the answer. What shows the
 * content of mail is on record before it leaves; a change after it was made, and when that fails no other is begun.
 */
import { randomBytes } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { withDeadline } from '../../base/deadline.ts';
import { describeError, SekishoError } from '../../base/errors.ts';
import { sourceStack } from '../../base/source-stack.ts';
import type { ControlClient } from '../../control/client.ts';
import type { HostClient } from '../../control/host-client.ts';
import type { Audit, AuditOutcome } from '../audit/audit.ts';
import type { Sessions } from '../auth/sessions.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { OperationDefinition } from '../contract/operation.ts';
import type { OperationId } from '../contract/operations.ts';
import { hidden, targetOf } from './audit-detail.ts';
import type { Call, Content, EventFeed, Handler } from './call.ts';
import { checkHost, checkOrigin, clientOf, cookiesOf } from './guards.ts';
import { authorise, type Identity, identify } from './identify.ts';
import { readJson } from './json-body.ts';
import { ApiProblem, invalid, problemOf, sendProblem, statusOf } from './problems.ts';
import { sendAnswer } from './send.ts';

export interface DispatchParts {
  sessions: Sessions;
  tokens: Tokens;
  audit: Audit;
  /** The names the pages answer to. */
  names: () => ReadonlySet<string>;
  claimed: () => boolean;
  gateway: (by: string) => ControlClient;
  host: (by: string) => HostClient;
  /** Told after each change that was made. */
  changed: () => void;
  now: () => number;
  log: (level: 'info' | 'warn' | 'error', message: string, facts?: Readonly<Record<string, unknown>>) => void;
}

/** Answered before the box is claimed. */
const BEFORE_CLAIM: ReadonlySet<string> = new Set(['setup.show', 'setup.claim', 'session.show']);
/** Open to somebody who must change a password first. */
const OWN_PASSWORD: ReadonlySet<string> = new Set(['account.password', 'session.logout', 'session.confirm']);

type Answer = Content | EventFeed | Record<string, unknown>;

export function dispatcher(parts: DispatchParts) {
  let unrecorded = false;

  /** A record that could not be written blocks what would need the next one. */
  function auditMustWork(): void {
    if (!unrecorded) return;
    parts.audit.write({
      actor: 'admin',
      address: '',
      action: 'audit.resumed',
      target: '',
      outcome: 'ok',
      detail: { note: 'Entries before this one may be missing: the audit could not be written' },
    });
    unrecorded = false;
  }

  return function serve(
    id: OperationId,
    operation: OperationDefinition,
    handler: Handler<OperationId>,
  ): RequestHandler {
    async function work(request: Request, response: Response, told: Told): Promise<Answer> {
      checkHost(request, parts.names());
      const cookies = cookiesOf(request);
      const change = operation.method !== 'GET';
      checkOrigin(request, { change, cookie: request.headers.authorization === undefined });
      const identity = identify(request, cookies, parts);
      told.identity = identity;
      if (!parts.claimed() && !BEFORE_CLAIM.has(id)) throw new ApiProblem(403, 'NOT_CLAIMED');
      authorise(identity, { ...operation, ownPassword: OWN_PASSWORD.has(id), now: parts.now() });
      const input = await inputOf(request, operation);
      told.detail = hidden(input);
      told.target = targetOf(input);
      told.asked = true;
      if (operation.change || operation.content) auditMustWork();
      const by = identity.who?.actor ?? 'anonymous';
      const answer = await withDeadline(`"${id}"`, { ms: operation.deadlineMs, signal: told.gone }, async (signal) => {
        const call = {
          ...input,
          who: identity.who,
          client: clientOf(request),
          cookies,
          setCookie: (cookie: string) => void response.append('set-cookie', cookie),
          note: (target: string, detail: Record<string, unknown> = {}) => {
            told.target = target;
            told.detail = { ...told.detail, ...detail };
          },
          actsAs: (name: string) => {
            told.claims = name;
          },
          gateway: parts.gateway(by),
          host: parts.host(by),
          signal,
        };
        return (await handler(call as unknown as Call)) as Answer;
      });
      return answer;
    }

    function record(told: Told, request: Request, outcome: AuditOutcome, extra: Record<string, unknown> = {}): void {
      if (!(operation.change || operation.content)) return;
      try {
        parts.audit.write({
          actor: told.identity?.who?.actor ?? told.claims ?? 'anonymous',
          address: clientOf(request).address,
          action: id,
          target: told.target,
          outcome,
          detail: { ...told.detail, ...extra },
        });
      } catch (error) {
        unrecorded = true;
        parts.log('error', 'The audit could not be written', { operation: id, error: describeError(error) });
        throw error;
      }
    }

    return async (request, response) => {
      const requestId = randomBytes(8).toString('hex');
      response.setHeader('x-request-id', requestId);
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      const told: Told = { identity: undefined, target: '', detail: {}, asked: false, gone: gone.signal };
      try {
        const answer = await work(request, response, told);
        record(told, request, 'ok');
        if (operation.change) parts.changed();
        await sendAnswer(response, { answer, operation, id, gone: gone.signal });
      } catch (error) {
        const trouble = error instanceof SekishoError && error.code === 'AUDIT_UNAVAILABLE' ? error : undefined;
        if (trouble === undefined && worthRecording(error, told)) {
          try {
            record(told, request, statusIn(error) >= 500 ? 'failed' : 'refused', { code: codeIn(error) });
          } catch {
            // told in the log, and nothing was done
          }
        }
        const problem = problemOf(error, requestId);
        if (problem.status >= 500 && !(error instanceof ApiProblem) && !problem.code.endsWith('_NOT_RUNNING'))
          parts.log('error', 'An operation of the API failed', {
            operation: id,
            requestId,
            error: describeError(error),
            ...(error instanceof SekishoError || !(error instanceof Error) ? {} : { stack: sourceStack(error) }),
          });
        // the rest of a body nobody will read must not keep the connection
        if (!request.complete) response.setHeader('connection', 'close');
        sendProblem(response, problem);
      }
    };
  };
}

interface Told {
  identity: Identity | undefined;
  /** Without an identity: as whom somebody tries to come in. The outcome says whether it was them. */
  claims?: string;
  target: string;
  detail: Record<string, unknown>;
  /** The request was valid and allowed. */
  asked: boolean;
  gone: AbortSignal;
}

/** What was tried without the right to, and what was asked well and failed; not typing errors, not a locked door. */
function worthRecording(error: unknown, told: Told): boolean {
  const code = codeIn(error);
  return (told.asked && code !== 'LOCKED') || (code === 'NOT_ALLOWED' && told.identity?.who !== undefined);
}

function codeIn(error: unknown): string {
  return error instanceof ApiProblem || error instanceof SekishoError ? error.code : 'INTERNAL';
}

function statusIn(error: unknown): number {
  if (error instanceof ApiProblem) return error.status;
  return error instanceof SekishoError ? statusOf(error) : 500;
}

async function inputOf(
  request: Request,
  operation: OperationDefinition,
): Promise<{ params: unknown; query: unknown; body: unknown }> {
  const params = operation.params.safeParse(request.params);
  if (!params.success) throw invalid('params', params.error);
  const query = operation.query.safeParse(request.query);
  if (!query.success) throw invalid('query', query.error);
  if (operation.body === undefined) {
    if (Number(request.headers['content-length'] ?? 0) > 0 || request.headers['transfer-encoding'] !== undefined)
      throw new ApiProblem(400, 'INVALID_REQUEST', {
        fields: [{ path: 'body', message: { ja: '本文は要りません', en: 'Nothing is expected in the body' } }],
      });
    return { params: params.data, query: query.data, body: undefined };
  }
  const body = operation.body.safeParse(await readJson(request, operation.bodyOctets));
  if (!body.success) throw invalid('body', body.error);
  return { params: params.data, query: query.data, body: body.data };
}
