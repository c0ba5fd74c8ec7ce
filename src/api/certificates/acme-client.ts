/**
 * ACME (RFC 8555), as much as a gateway needs: an account, an order for DNS names, the http-01 challenge, the chain. Own code
 * for six requests: the libraries for it bring an HTTP client with four packages of its own and set no deadline for the whole.
 * What a server says is bounded in size and time and never believed further than its words. Throws AcmeTrouble.
 */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { z } from 'zod';
import { pause } from '../../base/deadline.ts';
import { describeError } from '../../base/errors.ts';

export class AcmeTrouble extends Error {
  /** `badNonce`, `rateLimited`, …: RFC 8555 §6.7; `unreachable` and `no-answer` are ours. */
  readonly kind: string;

  constructor(kind: string, detail: string) {
    super(detail.slice(0, 500));
    this.kind = kind;
  }
}

export interface AcmeServer {
  /** https only. */
  directory: string;
  /** PEM of authorities to believe besides the usual, for one inside. */
  ca?: string | undefined;
}

export interface AcmeOrder {
  names: readonly string[];
  /** DER of the request (PKCS#10). */
  request: Buffer;
  /** A file at http://NAME/.well-known/acme-challenge/TOKEN has to hold it; called before the server is told to look. */
  show: (token: string, content: string) => void;
  hide: (token: string) => void;
}

const REQUEST_MS = 30_000;
const MOST_OCTETS = 256 * 1024;
const POLLS = 60;
const [POLL_MS, MOST_POLL_MS] = [1_000, 15_000];

const directorySchema = z.object({
  newNonce: z.url(),
  newAccount: z.url(),
  newOrder: z.url(),
  meta: z.object({ termsOfService: z.url().optional() }).optional(),
});
const problemSchema = z.object({ type: z.string().optional(), detail: z.string().optional() });
const orderSchema = z.object({
  status: z.string(),
  authorizations: z.array(z.url()).max(100),
  finalize: z.url(),
  certificate: z.url().optional(),
  error: problemSchema.optional(),
});
const authorizationSchema = z.object({
  status: z.string(),
  identifier: z.object({ value: z.string() }),
  challenges: z.array(
    z.object({
      type: z.string(),
      url: z.url(),
      token: z
        .string()
        .regex(/^[\w-]{1,200}$/)
        .optional(), // RFC 8555 §8.1: base64url
      error: problemSchema.optional(),
    }),
  ),
});

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** What the server's owners want to be agreed to, before anything is told to them. */
export async function termsOf(server: AcmeServer, signal: AbortSignal): Promise<string | undefined> {
  const answer = await ask(server, { url: server.directory, signal });
  return directoryOf(answer).meta?.termsOfService;
}

/** The chain as PEM. The account is made, or found again by its key. */
export async function orderCertificate(
  server: AcmeServer,
  options: { accountKey: string; email: string | undefined; order: AcmeOrder; signal: AbortSignal },
): Promise<string> {
  const { order, signal, email } = options;
  const session = new Session(server, options.accountKey, signal);
  await session.begin(email);
  const first = await session.post(session.directory.newOrder, {
    identifiers: order.names.map((value) => ({ type: 'dns', value })),
  });
  const at = locationOf(first);
  const opened = parsed(orderSchema, first);
  for (const url of opened.authorizations) await prove(session, { url, order });
  await session.post(opened.finalize, { csr: order.request.toString('base64url') });
  const done = await poll(session, at, (answer) => {
    const now = parsed(orderSchema, answer);
    if (now.status === 'invalid') throw troubleOf(now.error, 'The order was refused');
    return now.status === 'valid' ? now : undefined;
  });
  if (done.certificate === undefined) throw new AcmeTrouble('no-answer', 'The order is valid but names no certificate');
  return (await session.post(done.certificate, undefined)).text;
}

/** Every authorization is proved by the file on port 80 (RFC 8555 §8.3). */
async function prove(session: Session, { url, order }: { url: string; order: AcmeOrder }): Promise<void> {
  const authorization = parsed(authorizationSchema, await session.post(url, undefined));
  if (authorization.status === 'valid') return;
  const name = authorization.identifier.value;
  const challenge = authorization.challenges.find(({ type }) => type === 'http-01');
  if (challenge?.token === undefined)
    throw new AcmeTrouble('unsupported', `The server does not offer to look at port 80 for ${name}`);
  const { token } = challenge;
  order.show(token, `${token}.${session.thumbprint}`);
  try {
    await session.post(challenge.url, {});
    await poll(session, url, (answer) => {
      const now = parsed(authorizationSchema, answer);
      if (now.status === 'valid') return now;
      if (now.status === 'pending' || now.status === 'processing') return undefined;
      throw troubleOf(now.challenges.find(({ error }) => error !== undefined)?.error, `${name} could not be proved`);
    });
  } finally {
    order.hide(token);
  }
}

async function poll<T>(session: Session, url: string, read: (answer: Answer) => T | undefined): Promise<T> {
  for (let tries = 0; tries < POLLS; tries += 1) {
    const answer = await session.post(url, undefined);
    const found = read(answer);
    if (found !== undefined) return found;
    const wished = Number(answer.headers['retry-after']) * 1_000;
    await pause(Math.min(Math.max(wished || POLL_MS, POLL_MS), MOST_POLL_MS), session.signal);
    session.signal.throwIfAborted();
  }
  throw new AcmeTrouble('no-answer', 'The server did not come to an end');
}

/** Signed requests (RFC 8555 §6.2), ES256, each with a fresh nonce. */
class Session {
  readonly server: AcmeServer;
  readonly signal: AbortSignal;
  readonly thumbprint: string;
  readonly #key: string;
  readonly #jwk: Readonly<Record<string, string>>;
  #known: z.output<typeof directorySchema> | undefined;
  #account: string | undefined;
  #nonce: string | undefined;

  constructor(server: AcmeServer, accountKey: string, signal: AbortSignal) {
    this.server = server;
    this.signal = signal;
    this.#key = accountKey;
    const {
      crv = '',
      kty = '',
      x = '',
      y = '',
    } = createPublicKey(createPrivateKey(accountKey)).export({ format: 'jwk' });
    this.#jwk = { crv, kty, x, y }; // RFC 7638 §3.2: these, in this order
    this.thumbprint = createHash('sha256').update(JSON.stringify(this.#jwk)).digest('base64url');
  }

  get directory(): z.output<typeof directorySchema> {
    if (this.#known === undefined) throw new TypeError('The session has not begun');
    return this.#known;
  }

  async begin(email: string | undefined): Promise<void> {
    this.#known = directoryOf(await ask(this.server, { url: this.server.directory, signal: this.signal }));
    const contact = email === undefined ? {} : { contact: [`mailto:${email}`] };
    const answer = await this.post(this.#known.newAccount, { termsOfServiceAgreed: true, ...contact });
    this.#account = locationOf(answer);
  }

  /** `undefined`: POST-as-GET (RFC 8555 §6.3). A nonce that is not liked is replaced, twice. */
  async post(url: string, payload: unknown): Promise<Answer> {
    for (let tries = 0; ; tries += 1) {
      const nonce = this.#nonce ?? (await this.#freshNonce());
      this.#nonce = undefined;
      const answer = await ask(this.server, { url, body: this.#signed(url, { payload, nonce }), signal: this.signal });
      this.#nonce = one(answer.headers['replay-nonce']);
      if (answer.status < 300) return answer;
      const trouble = refusalOf(answer);
      if (trouble.kind !== 'badNonce' || tries >= 2) throw trouble;
    }
  }

  async #freshNonce(): Promise<string> {
    const { headers } = await ask(this.server, { url: this.directory.newNonce, method: 'HEAD', signal: this.signal });
    return one(headers['replay-nonce']) ?? '';
  }

  #signed(url: string, { payload, nonce }: { payload: unknown; nonce: string }): string {
    const who = this.#account === undefined ? { jwk: this.#jwk } : { kid: this.#account };
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const head = encode({ alg: 'ES256', ...who, nonce, url });
    const body = payload === undefined ? '' : encode(payload);
    const seal = sign('sha256', Buffer.from(`${head}.${body}`), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return JSON.stringify({ protected: head, payload: body, signature: seal.toString('base64url') });
  }
}

function directoryOf(answer: Answer): z.output<typeof directorySchema> {
  if (answer.status !== 200) throw refusalOf(answer);
  return parsed(directorySchema, answer);
}

function parsed<T extends z.ZodType>(schema: T, { text }: Answer): z.output<T> {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new AcmeTrouble('no-answer', 'The server does not speak ACME');
  }
}

function refusalOf({ status, text }: Answer): AcmeTrouble {
  try {
    return troubleOf(problemSchema.parse(JSON.parse(text)), `The server answered ${status}`);
  } catch {
    return new AcmeTrouble('no-answer', `The server answered ${status}`);
  }
}

function troubleOf(problem: z.output<typeof problemSchema> | undefined, otherwise: string): AcmeTrouble {
  const kind = problem?.type?.split(':').at(-1) ?? 'refused';
  return new AcmeTrouble(kind, problem?.detail ?? otherwise);
}

function locationOf({ headers }: Answer): string {
  const location = one(headers['location']);
  if (location === undefined) throw new AcmeTrouble('no-answer', 'The server names no place');
  return location;
}

const one = (header: string | string[] | undefined): string | undefined => (Array.isArray(header) ? header[0] : header);

function ask(
  server: AcmeServer,
  options: { url: string; method?: string; body?: string; signal: AbortSignal },
): Promise<Answer> {
  const { url, body, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  if (!url.startsWith('https://')) throw new AcmeTrouble('unsupported', `"${url.slice(0, 100)}" is not https`);
  const request = httpsRequest(url, {
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    agent: false,
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]),
    headers: {
      'user-agent': 'Sekisho', // RFC 8555 §6.1
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/jose+json', 'content-length': Buffer.byteLength(body) }),
    },
    ...(server.ca === undefined ? {} : { ca: server.ca }),
  });
  const fail = (error: unknown): void => reject(new AcmeTrouble('unreachable', describeError(error)));
  request.once('error', fail);
  request.once('response', (response) => {
    const chunks: Buffer[] = [];
    let octets = 0;
    response.on('data', (chunk: Buffer) => {
      octets += chunk.length;
      if (octets > MOST_OCTETS) return void response.destroy(new Error('The answer is too large'));
      chunks.push(chunk);
    });
    response.once('error', fail);
    response.once('end', () => {
      const { statusCode = 0, headers } = response;
      resolve({ status: statusCode, headers, text: Buffer.concat(chunks).toString('utf8') });
    });
  });
  request.end(body);
  return promise;
}
