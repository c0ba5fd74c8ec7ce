/**
 * Serves the verbs of the contract on one Unix socket, for one caller. Requests are checked before a handler sees them,
 * answers before they leave. A handler's SekishoError becomes a problem the caller can act on; anything else is a bug: 500
 * INTERNAL, with the cause in the log only. Nothing a caller does (size, slowness, numbers) stops the others or the mail.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { Milliseconds } from '../base/brand.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import { Limiter } from '../base/limiter.ts';
import { sourceStack } from '../base/source-stack.ts';
import { VERBS } from './contract.ts';
import { bindSocket } from './socket-file.ts';
import type { CallContext, HandlersOf, Problem, VerbDefinition, VerbTable } from './verb.ts';

export const MAX_BODY_OCTETS = 1024 * 1024;

export interface ControlServerOptions<T extends VerbTable = typeof VERBS> {
  socket: string;
  /** Whose socket this is: one of the table's callers. */
  caller: T[keyof T]['callers'][number];
  /** A verb without a handler is answered 501; the gateway gives all. */
  handlers: Partial<HandlersOf<T>>;
  observe?: ControlLog;
  /** Of the socket: 0600 (default) for the same user, 0660 for a group. */
  mode?: 0o600 | 0o660;
  /** Numeric group that may call, with mode 0660; needs the right to give files away. */
  group?: number;
  limits?: Partial<ControlLimits>;
}

/** The part of observe that control uses. */
export interface ControlLog {
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, facts?: Readonly<Record<string, unknown>>): void;
}

export interface ControlLimits {
  /** Handlers at work at once. */
  concurrent: number;
  /** Requests that may wait for their turn; beyond: 503 BUSY. */
  waiting: number;
  connections: number;
  bodyOctets: number;
  /** For a whole request to arrive. */
  receiveMs: Milliseconds;
  /** Instead of the verb's own deadline. */
  deadlineMs?: Milliseconds;
}

const LIMITS: ControlLimits = {
  concurrent: 16,
  waiting: 64,
  connections: 128,
  bodyOctets: MAX_BODY_OCTETS,
  receiveMs: 10_000,
};

export interface ControlServer {
  readonly socket: string;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Route {
  name: string;
  verb: VerbDefinition;
}

type AnyHandler = (input: unknown, context: CallContext) => unknown;

interface DeskOptions {
  caller: string;
  verbs: VerbTable;
  /** One table, one handler type per verb: the contract has already checked the pair. */
  handlers: Readonly<Record<string, AnyHandler | undefined>>;
  owner: string;
  observe: ControlLog | undefined;
}

/** Resolves once the socket stands in its place and answers. */
export async function createControlServer(options: ControlServerOptions): Promise<ControlServer> {
  return createServerOf(VERBS, { ...options, owner: 'gateway' });
}

/** The same for another process's table; `owner` names that process in words a caller reads. */
export async function createServerOf<T extends VerbTable>(
  verbs: T,
  options: ControlServerOptions<T> & { owner: 'gateway' | 'host' | 'admin' },
): Promise<ControlServer> {
  const limits = { ...LIMITS, ...options.limits };
  const { caller, owner, observe } = options;
  const handlers = options.handlers as DeskOptions['handlers'];
  const desk = new Desk({ caller, verbs, handlers, owner, observe }, limits);
  const server = createServer(
    {
      maxHeaderSize: 16_384,
      requestTimeout: limits.receiveMs,
      headersTimeout: limits.receiveMs,
      keepAliveTimeout: 5_000,
    },
    (request, response) => {
      desk.serve(request, response).catch((error: unknown) => {
        options.observe?.log('error', 'Control request failed', { error: describeError(error) });
        response.destroy();
      });
    },
  );
  server.maxConnections = limits.connections;
  const bound = await bindSocket(server, options.socket, {
    mode: options.mode ?? 0o600,
    ...(options.group === undefined ? {} : { group: options.group }),
  });
  server.on('error', (error) =>
    options.observe?.log('error', 'Control socket failed', { error: describeError(error) }),
  );
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= shut());
  async function shut(): Promise<void> {
    await bound.remove();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    // A request in flight gets its answer; after that nothing keeps a stopping gateway waiting.
    const timer = setTimeout(() => server.closeAllConnections(), 2_000);
    await closed;
    clearTimeout(timer);
  }
  return { socket: options.socket, close, [Symbol.asyncDispose]: close };
}

/** What goes wrong before or in a handler, with its HTTP status. */
class Refusal extends Error {
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    super(problem.message);
    this.status = status;
    this.problem = problem;
  }
}

class Desk {
  readonly #options: DeskOptions;
  readonly #limits: ControlLimits;
  readonly #turns: Limiter;
  readonly #routes: ReadonlyMap<string, Route>;

  constructor(options: DeskOptions, limits: ControlLimits) {
    this.#options = options;
    this.#routes = new Map(Object.entries(options.verbs).map(([name, verb]) => [verb.path, { name, verb }]));
    this.#limits = limits;
    this.#turns = new Limiter(limits.concurrent);
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { name, verb } = this.#route(request);
      const input = await this.#input(request, verb);
      const answer = await this.#call(name, verb, { input, request, response });
      send(response, 200, 'application/json', answer);
    } catch (error) {
      const refusal = error instanceof Refusal ? error : this.#refusalFor(error, request);
      // What is left of an oversized body is not worth reading.
      if (!request.complete) response.setHeader('connection', 'close');
      send(response, refusal.status, 'application/problem+json', refusal.problem);
      if (!request.complete) response.once('finish', () => request.destroy());
    }
  }

  #route(request: IncomingMessage): Route {
    const [path] = (request.url ?? '/').split('?');
    const route = this.#routes.get(path ?? '');
    if (route === undefined)
      throw new Refusal(404, {
        code: 'UNKNOWN_VERB',
        message: `There is no "${(path ?? '').slice(0, 100)}" on this control socket`,
        remedy: `Use a client of the same version as the ${this.#options.owner}`,
      });
    if (request.method !== route.verb.method)
      throw new Refusal(405, { code: 'WRONG_METHOD', message: `"${route.name}" is asked with ${route.verb.method}` });
    if (!route.verb.callers.includes(this.#options.caller))
      throw new Refusal(403, {
        code: 'NOT_PERMITTED',
        message: `"${route.name}" is not for callers of the ${this.#options.caller} socket`,
        remedy: `Allowed: ${route.verb.callers.join(', ')}`,
      });
    return route;
  }

  async #input(request: IncomingMessage, verb: VerbDefinition): Promise<unknown> {
    const raw = verb.method === 'GET' ? fromQuery(request.url ?? '') : await this.#body(request);
    const parsed = verb.request.safeParse(raw);
    if (parsed.success) return parsed.data;
    throw new Refusal(400, { code: 'INVALID_REQUEST', message: inOneLine(parsed.error) });
  }

  async #body(request: IncomingMessage): Promise<unknown> {
    const limit = this.#limits.bodyOctets;
    const tooLarge = new Refusal(413, {
      code: 'BODY_TOO_LARGE',
      message: `The request is larger than ${limit} octets`,
    });
    if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge;
    const chunks: Buffer[] = [];
    let size = 0;
    await withDeadline('Receiving the request', { ms: this.#limits.receiveMs }, async () => {
      // Not `for await`: leaving that loop would destroy the connection before the answer is out.
      await new Promise<void>((resolve, reject) => {
        request.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size <= limit) return void chunks.push(chunk);
          request.pause();
          reject(tooLarge);
        });
        request.once('end', resolve);
        const hungUp = (): void => reject(new SekishoError('ABORTED', 'The caller hung up'));
        request.once('error', hungUp); // of a request that comes in, it is always the other side's
        request.once('close', hungUp);
      });
    });
    const text = Buffer.concat(chunks).toString('utf8');
    if (text.trim() === '') return {};
    try {
      return JSON.parse(text);
    } catch {
      throw new Refusal(400, { code: 'INVALID_REQUEST', message: 'The body is not JSON' });
    }
  }

  async #call(
    name: string,
    verb: VerbDefinition,
    call: { input: unknown; request: IncomingMessage; response: ServerResponse },
  ): Promise<unknown> {
    const handler = this.#options.handlers[name];
    if (handler === undefined)
      throw new Refusal(501, { code: 'NOT_OFFERED', message: `This ${this.#options.owner} does not offer "${name}"` });
    if (this.#turns.waiting >= this.#limits.waiting)
      throw new Refusal(503, {
        code: 'BUSY',
        message: `The ${this.#options.owner} has too many control requests at work`,
        remedy: 'Try again in a moment',
      });
    const gone = new AbortController();
    call.response.once('close', () => gone.abort());
    const ms = this.#limits.deadlineMs ?? verb.deadlineMs;
    const answer = await withDeadline(`"${name}"`, { ms, signal: gone.signal }, (signal) =>
      this.#turns.run(async () => {
        if (signal.aborted) throw new SekishoError('ABORTED', 'The caller did not wait'); // its turn came too late
        // A handler that does not listen to its signal must not keep the turn of others.
        return withDeadline(`"${name}"`, { ms, signal }, async () =>
          handler(call.input, { caller: this.#options.caller, by: this.#by(call.request), signal }),
        );
      }),
    );
    const checked = verb.response.safeParse(answer);
    if (checked.success) return checked.data;
    throw new TypeError(`The handler of "${name}" breaks the contract: ${inOneLine(checked.error)}`);
  }

  /** Who is on record. The name is the caller's own word: only the socket proves anything. */
  #by(request: IncomingMessage): string {
    const name = request.headers['x-sekisho-by'];
    const clean = typeof name === 'string' ? name.replaceAll(/[^\w.@-]/g, '').slice(0, 64) : '';
    return clean === '' ? this.#options.caller : `${this.#options.caller} (${clean})`;
  }

  #refusalFor(error: unknown, request: IncomingMessage): Refusal {
    if (!(error instanceof SekishoError)) {
      this.#options.observe?.log('error', 'A control verb met a bug', {
        path: (request.url ?? '').split('?')[0],
        error: describeError(error),
        stack: error instanceof Error ? sourceStack(error) : undefined,
      });
      return new Refusal(500, {
        code: 'INTERNAL',
        message: `The ${this.#options.owner} met an error of its own`,
        remedy: 'Its log names the cause; please report it',
      });
    }
    const problem: Problem = { code: error.code, message: error.message };
    if (error.remedy !== undefined) problem.remedy = error.remedy;
    if (error.code === 'DEADLINE') problem.remedy ??= 'What was asked may still take effect; look before asking again';
    return new Refusal(statusOf(error), problem);
  }
}

function statusOf(error: SekishoError): number {
  switch (error.code) {
    case 'NOT_FOUND':
      return 404;
    case 'WRONG_STATE':
    case 'CONFIG_CHANGED_ON_DISK':
      return 409;
    case 'DEADLINE':
      return 504;
    case 'ABORTED':
      return 503;
    default:
      return error.retryable ? 503 : 422;
  }
}

function fromQuery(url: string): Record<string, string> {
  const at = url.indexOf('?');
  if (at < 0) return {};
  const query = new URLSearchParams(url.slice(at + 1));
  // fromEntries defines own properties, so that a parameter "__proto__" is only an unknown key
  return Object.fromEntries(query);
}

function inOneLine(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => (issue.path.length === 0 ? issue.message : `"${issue.path.join('.')}": ${issue.message}`))
    .join('; ');
}

function send(response: ServerResponse, status: number, type: string, body: unknown): void {
  if (response.headersSent || response.destroyed) return;
  const text = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, { 'content-type': type, 'content-length': text.length, 'cache-control': 'no-store' });
  response.end(text);
}
