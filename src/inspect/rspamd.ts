/**
 * A small client for rspamd's `POST /checkv2`: streams the message, gives the envelope in headers, and takes nothing for an
 * answer but a complete JSON reply of the expected shape. Anything else throws: a spam score that is not there is not 0.
 * Connections are used again where rspamd keeps them (3.4 closes each). Works over TCP (`http://127.0.0.1:11333`) and over a Unix socket (a path).
 */
import { Agent, type ClientRequest, type IncomingMessage, request, type RequestOptions } from 'node:http';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { Bytes } from '../base/brand.ts';
import { errorCode, SekishoError } from '../base/errors.ts';
import type { Transaction } from '../mail/envelope.ts';
import type { Finding, SpamSymbol } from '../mail/finding.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { BROKE_OFF, DECLINED } from './engine.ts';

const MAX_REPLY: Bytes = 4 * 1024 * 1024;
const MAX_SYMBOLS = 200;
const MAX_RECIPIENT_HEADERS = 100;
/** rspamd's own wish to try later; recorded, never followed: retries are the policy's matter. */
const RECORDED_ACTIONS = new Set(['soft reject', 'greylist']);

const replySchema = z.object({
  score: z.number(),
  action: z.string(),
  is_skipped: z.boolean().optional(),
  error: z.string().optional(),
  symbols: z
    .record(
      z.string(),
      z.object({ name: z.string().optional(), score: z.number().optional(), description: z.string().optional() }),
    )
    .default({}),
});

export interface RspamdRequest {
  id: QueueId;
  transaction: Transaction;
  size: Bytes;
  hostname: string;
  stream: () => Readable;
  /** The same, when all of it is in memory. */
  pieces?: readonly Buffer[] | undefined;
}

/** What goes out: a stream, made when it is needed, or octets that are there. */
type Body = (() => Readable) | readonly Buffer[];

export class RspamdClient {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #concurrency: () => number;

  constructor(options: { concurrency: () => number }) {
    this.#concurrency = options.concurrency;
  }

  async check(url: string, message: RspamdRequest, signal: AbortSignal): Promise<Finding> {
    this.#agent.maxSockets = this.#concurrency();
    this.#agent.maxFreeSockets = this.#concurrency();
    const options: RequestOptions = {
      ...target(url),
      method: 'POST',
      path: '/checkv2',
      headers: requestHeaders(message),
      agent: this.#agent,
      signal,
    };
    const answer = await this.#exchange(options, message.pieces ?? message.stream);
    return spamFinding(parseReply(answer));
  }

  /**
   * Teaches rspamd's controller one message (`POST /learnspam`, `/learnham`). `already`: it had learned it before, or does not
   * need it. Throws like `check`; an engine without a Bayes store answers with an error, which is told.
   */
  async learn(
    url: string,
    lesson: { as: 'spam' | 'ham'; size: Bytes; stream: () => Readable },
    signal: AbortSignal,
  ): Promise<{ already: boolean }> {
    const options: RequestOptions = {
      ...target(url),
      method: 'POST',
      path: lesson.as === 'spam' ? '/learnspam' : '/learnham',
      headers: { 'Content-Type': 'application/octet-stream', 'Content-Length': String(lesson.size) },
      agent: false,
      signal,
    };
    // rspamd 3 says 404 of what it has learned already; other releases 204 or 208
    const { status, text } = await this.#exchange(options, lesson.stream, [200, 204, 208, 404]);
    if (status === 404 && !/already/.test(text))
      throw new SekishoError('ENGINE_FAILED', `rspamd answered 404 "${text.slice(0, 120)}"`, { retryable: true });
    return { already: status !== 200 };
  }

  /** Throws unless rspamd says pong, on a connection of its own: messages may hold all others. Returns `rspamd <version>`. */
  async probe(url: string, signal: AbortSignal): Promise<string> {
    const options: RequestOptions = { ...target(url), method: 'GET', path: '/ping', agent: false, signal };
    const { text, server } = await this.#exchange(options, undefined);
    if (text.trim() !== 'pong') {
      throw new SekishoError('ENGINE_GARBLED', `rspamd answered "${text.slice(0, 80)}" to a ping`, { retryable: true });
    }
    return server.replace('/', ' ');
  }

  async #exchange(
    options: RequestOptions,
    body: Body | undefined,
    good: readonly number[] = [200],
  ): Promise<{ status: number; text: string; server: string }> {
    try {
      return await exchange(options, body, good);
    } catch (error) {
      // A kept connection may have been closed by rspamd just as we took it: the request was never read, ask once more.
      const code = errorCode(error);
      if (options.signal?.aborted !== true && error instanceof StaleConnection)
        return await exchange(options, body, good);
      if (error instanceof SekishoError) throw error;
      if (code === 'ECONNRESET' || code === 'EPIPE')
        throw new SekishoError(BROKE_OFF, 'rspamd closed the connection without an answer', {
          retryable: true,
          cause: error,
        });
      throw new SekishoError('ENGINE_UNREACHABLE', `Cannot talk to rspamd (${code ?? 'unknown error'})`, {
        retryable: true,
        cause: error,
        remedy: 'Start rspamd, or correct engines.rspamd.url',
      });
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

class StaleConnection extends Error {}

async function exchange(
  options: RequestOptions,
  body: Body | undefined,
  good: readonly number[],
): Promise<{ status: number; text: string; server: string }> {
  const outgoing = request(options);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', (error) => {
      const stale = outgoing.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(errorCode(error) ?? '');
      reject(stale ? new StaleConnection('The kept connection was closed', { cause: error }) : error);
    });
  });
  answered.catch(() => undefined);
  let source: Readable | undefined;
  try {
    if (typeof body !== 'function') {
      // headers and all octets leave in one write
      for (const piece of body ?? []) outgoing.write(piece);
      outgoing.end();
    } else {
      source = body();
      const sending = pipeline(source, bodyOf(outgoing));
      sending.catch(() => undefined);
      // rspamd may answer (an error) before it has read everything: the answer counts, the rest need not go out
      const early = await Promise.race([sending.then(() => undefined, sendFailed(answered)), answered]);
      if (early !== undefined) return await readAnswer(early, good);
    }
    return await readAnswer(await answered, good);
  } finally {
    source?.destroy();
    if (!outgoing.writableFinished) outgoing.destroy();
  }
}

/**
 * The request's body, whose last octets leave together with its end. Node writes nothing once more at a later end; an engine
 * that answers at once has closed by then, the write fails (EPIPE), and the answer that lies there unread is lost with it.
 */
function bodyOf(outgoing: ClientRequest): Writable {
  let last: Buffer | undefined;
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const ready = last === undefined || outgoing.write(last);
      last = chunk;
      if (ready) done();
      else outgoing.once('drain', done);
    },
    final(done) {
      outgoing.end(last, () => done());
    },
  });
}

/** When sending breaks, what rspamd said (or the socket's own error) tells more than the broken pipe. */
function sendFailed(answered: Promise<IncomingMessage>): (error: unknown) => Promise<IncomingMessage> {
  return async (error) => {
    if (errorCode(error) === 'EPIPE' || errorCode(error) === 'ECONNRESET' || errorCode(error) === 'ABORT_ERR') {
      return await answered;
    }
    throw new SekishoError(DECLINED, 'Cannot read the message to check', { retryable: true, cause: error });
  };
}

async function readAnswer(
  answer: IncomingMessage,
  good: readonly number[],
): Promise<{ status: number; text: string; server: string }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_REPLY) throw new SekishoError(DECLINED, `The reply of rspamd is larger than ${MAX_REPLY} octets`);
    chunks.push(chunk);
  }
  const status = answer.statusCode ?? 0;
  const text = Buffer.concat(chunks).toString('utf8');
  const server = typeof answer.headers['server'] === 'string' ? answer.headers['server'] : 'rspamd';
  if (!good.includes(status)) {
    throw new SekishoError('ENGINE_FAILED', `rspamd answered ${status} "${text.slice(0, 120)}"`, { retryable: true });
  }
  return { status, text, server };
}

function target(url: string): RequestOptions {
  if (url.startsWith('/')) return { socketPath: url, host: 'localhost' };
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== 'http:')
    throw new SekishoError('CONFIG', `engines.rspamd.url is "${url}", which is neither http nor a path`);
  return { host: hostname.replaceAll(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) };
}

function requestHeaders(message: RspamdRequest): Record<string, string | string[]> {
  const { origin, envelope } = message.transaction;
  const headers: Record<string, string | string[]> = {
    'Content-Type': 'application/octet-stream',
    'Content-Length': String(message.size),
    From: clean(envelope.reversePath),
    Rcpt: envelope.recipients.slice(0, MAX_RECIPIENT_HEADERS).map((recipient) => clean(recipient.address)),
    'Queue-Id': clean(message.id),
    'MTA-Name': clean(message.hostname),
  };
  if (origin.clientAddress !== '') headers['IP'] = clean(origin.clientAddress);
  if (origin.helo !== '') headers['Helo'] = clean(origin.helo);
  if (origin.clientName !== undefined && origin.clientName !== '') headers['Hostname'] = clean(origin.clientName);
  return headers;
}

/** The peer's words go into a header: nothing that could end a line, nothing Node refuses, UTF-8 as octets (RFC 6531). */
function clean(text: string): string {
  return Buffer.from(text.slice(0, 1_000), 'utf8')
    .toString('latin1')
    .replaceAll(/[\u0000-\u001f\u007f]/g, '?');
}

function parseReply(answer: { text: string }): z.output<typeof replySchema> {
  let json: unknown;
  try {
    json = JSON.parse(answer.text);
  } catch (error) {
    throw new SekishoError('ENGINE_GARBLED', 'The reply of rspamd is not JSON', { retryable: true, cause: error });
  }
  const reply = replySchema.safeParse(json);
  if (!reply.success) {
    const where = reply.error.issues[0]?.path.join('.') ?? '';
    throw new SekishoError('ENGINE_GARBLED', `The reply of rspamd lacks a usable "${where}"`, { retryable: true });
  }
  if (reply.data.error !== undefined)
    throw new SekishoError(DECLINED, `rspamd reports "${reply.data.error.slice(0, 120)}"`);
  // rspamd also calls a scan skipped that a first look has decided (GTUBE): then it names what it saw.
  if (reply.data.is_skipped === true && Object.keys(reply.data.symbols).length === 0)
    throw new SekishoError(DECLINED, 'rspamd skipped the message');
  return reply.data;
}

function spamFinding(reply: z.output<typeof replySchema>): Finding {
  const symbols: SpamSymbol[] = Object.entries(reply.symbols).map(([key, symbol]) => ({
    name: (symbol.name ?? key).slice(0, 100),
    score: symbol.score ?? 0,
    ...(symbol.description === undefined ? {} : { description: symbol.description.slice(0, 200) }),
  }));
  symbols.sort((a, b) => Math.abs(b.score) - Math.abs(a.score) || (a.name < b.name ? -1 : 1));
  const kept = symbols.slice(0, MAX_SYMBOLS);
  if (RECORDED_ACTIONS.has(reply.action)) {
    kept.push({ name: 'RSPAMD_ACTION', score: 0, description: `rspamd would "${reply.action}"; recorded only` });
  }
  return { kind: 'spam', engine: 'rspamd', score: Math.round(reply.score * 1000) / 1000, symbols: kept };
}
