/**
 * Calls the gateway's verbs over its control socket, typed by the contract. One connection a call; every call ends by its
 * deadline. Throws SekishoError: `GATEWAY_NOT_RUNNING`, `GATEWAY_NOT_PERMITTED`, `GATEWAY_SILENT`, `GATEWAY_MISMATCH`, or
 * with the code the gateway gave (`NOT_FOUND`, …).
 */
import { request as httpRequest } from 'node:http';
import type { Milliseconds } from '../base/brand.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import {
  problemSchema,
  type VerbAnswer,
  type VerbDefinition,
  type VerbInput,
  type VerbName,
  VERBS,
} from './contract.ts';

export interface ControlClient {
  readonly socket: string;
  call<V extends VerbName>(verb: V, input: VerbInput<V>): Promise<VerbAnswer<V>>;
}

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
  async function call<V extends VerbName>(name: V, input: VerbInput<V>): Promise<VerbAnswer<V>> {
    const verb: VerbDefinition = VERBS[name];
    const ms = options.deadlineMs ?? verb.deadlineMs + GRACE_MS;
    let answer: Answer;
    try {
      answer = await withDeadline(`"${name}"`, { ms }, (signal) => exchange(options, verb, { input, signal }));
    } catch (error) {
      throw unreachable(options.socket, error);
    }
    const body = parse(answer.body);
    if (answer.status !== 200) throw refused(answer.status, body);
    const checked = verb.response.safeParse(body);
    if (!checked.success) throw mismatch(`its answer to "${name}" is not as agreed`);
    // As it came: a newer gateway may say more than this client knows.
    return body as VerbAnswer<V>;
  }
  return { socket: options.socket, call };
}

interface Answer {
  status: number;
  body: string;
}

async function exchange(
  options: ControlClientOptions,
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
          else response.destroy(mismatch(`its answer is larger than ${MAX_ANSWER_OCTETS} octets`));
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

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw mismatch('its answer is not JSON');
  }
}

function refused(status: number, body: unknown): SekishoError {
  const problem = problemSchema.safeParse(body);
  if (!problem.success) return mismatch(`it answered ${status} without saying why`);
  const { code, message, remedy } = problem.data;
  return new SekishoError(code, message, { retryable: status === 503, ...(remedy === undefined ? {} : { remedy }) });
}

function mismatch(why: string): SekishoError {
  return new SekishoError('GATEWAY_MISMATCH', `The gateway cannot be understood: ${why}`, {
    remedy: 'Use the command of the same version as the gateway',
  });
}

function unreachable(socket: string, error: unknown): SekishoError {
  if (error instanceof SekishoError && error.code !== 'DEADLINE') return error;
  switch (errorCode(error)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTDIR':
      return new SekishoError('GATEWAY_NOT_RUNNING', `The gateway is not running: nobody answers at "${socket}"`, {
        cause: error,
        remedy:
          'Start it with ./scripts/start; if it runs elsewhere, name its data folder with --data or its socket with --socket',
      });
    case 'EACCES':
    case 'EPERM':
      return new SekishoError('GATEWAY_NOT_PERMITTED', `You may not use the control socket "${socket}"`, {
        cause: error,
        remedy: 'Only the user the gateway runs as, its group and root may; try again with sudo',
      });
    case 'DEADLINE':
      return new SekishoError('GATEWAY_SILENT', `The gateway does not answer at "${socket}"`, {
        retryable: true,
        cause: error,
        remedy: 'It may be busy; try again, then look at its log. What was asked may still take effect',
      });
    default:
      return new SekishoError('GATEWAY_SILENT', `The gateway broke off at "${socket}": ${describeError(error)}`, {
        retryable: true,
        cause: error,
        remedy: 'It may be stopping; try again in a moment',
      });
  }
}
