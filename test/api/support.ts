/**
 * The real admin (in this process) before a gateway's control socket, and somebody who visits it by HTTPS: with cookies as a
 * browser keeps them, or with a token as a program does. The clock is the test's.
 */
import { readFile } from 'node:fs/promises';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import path from 'node:path';
import { type Admin, openAdmin } from '../../src/api/admin.ts';

export const PASSWORD = 'seven quiet herons';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  octets: Buffer;
  /** Undefined: it is no JSON. */
  json: Record<string, unknown>;
}

export interface Ask {
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  raw?: string | Buffer;
  headers?: Record<string, string>;
  /** Without Origin, as no browser does. */
  bare?: boolean;
}

export class Visitor {
  readonly port: number;
  readonly cookies = new Map<string, string>();
  token: string | undefined;
  /** One of 127.0.0.0/8: who it comes from. */
  from = '127.0.0.1';

  constructor(port: number) {
    this.port = port;
  }

  ask(method: string, where: string, { body, raw, headers = {}, bare = false }: Ask = {}): Promise<Answer> {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const host = `127.0.0.1:${this.port}`;
    const options: RequestOptions = {
      host: '127.0.0.1',
      port: this.port,
      localAddress: this.from,
      method,
      path: where,
      agent: false,
      rejectUnauthorized: false,
      headers: {
        host,
        ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
        ...(this.cookies.size === 0
          ? {}
          : { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') }),
        ...(bare ? {} : { origin: `https://${host}` }),
        ...(payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
        ...headers,
      },
    };
    return new Promise((resolve, reject) => {
      const request = httpsRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const octets = Buffer.concat(chunks);
          const text = octets.toString('utf8');
          for (const cookie of response.headers['set-cookie'] ?? []) this.#keep(cookie);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, octets, json: parse(text) });
        });
      });
      request.once('error', reject);
      request.end(payload);
    });
  }

  api(method: string, where: string, body?: unknown): Promise<Answer> {
    return this.ask(method, `/api/v1${where}`, body === undefined ? {} : { body });
  }

  #keep(cookie: string): void {
    const [pair = ''] = cookie.split(';');
    const at = pair.indexOf('=');
    if (/Max-Age=0/i.test(cookie)) this.cookies.delete(pair.slice(0, at));
    else this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

export interface TestAdmin {
  admin: Admin;
  data: string;
  /** Moves the clock of admin. */
  pass(ms: number): void;
  visitor(): Visitor;
  setupCode(): Promise<string>;
  /** The first admin, logged in and just confirmed. */
  claim(): Promise<Visitor>;
  /** A user of this role, made by the admin, with a password of its own, logged in. */
  user(by: Visitor, name: string, role: string, contentAllowed?: boolean): Promise<Visitor>;
  log: Array<{ level: string; message: string; facts: unknown }>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startAdmin(options: {
  data: string;
  gatewaySocket: string;
  pages?: string;
  /** PEM, of an ACME server's authority. */
  acmeCa?: string;
  plainPort?: number;
  /** The machine's host, which then has the setup code. */
  hostSocket?: string;
}): Promise<TestAdmin> {
  let offset = 0;
  const log: TestAdmin['log'] = [];
  const admin = await openAdmin({
    data: options.data,
    gatewaySocket: options.gatewaySocket,
    hostSocket: options.hostSocket,
    ownSetupCode: options.hostSocket === undefined,
    address: '127.0.0.1',
    port: 0,
    plainPort: options.plainPort ?? 0,
    pages: options.pages ?? path.join(options.data, 'no-pages'),
    names: [],
    ...(options.acmeCa === undefined ? {} : { acmeCa: options.acmeCa }),
    machineNames: ['box.test', '127.0.0.1'],
    now: () => Date.now() + offset,
    log: (level, message, facts) => log.push({ level, message, facts }),
  });
  const setupCode = async (): Promise<string> => (await readFile(path.join(options.data, 'setup-code'), 'utf8')).trim();
  const visitor = (): Visitor => new Visitor(admin.port);
  return {
    admin,
    data: options.data,
    pass: (ms) => (offset += ms),
    visitor,
    setupCode,
    claim: async () => {
      const first = visitor();
      const body = { code: await setupCode(), user: 'hanako', password: PASSWORD, language: 'ja' };
      const answer = await first.api('POST', '/setup/claim', body);
      if (answer.status !== 200) throw new Error(answer.text);
      return first;
    },
    user: async (by, name, role, contentAllowed = false) => {
      const made = await by.api('POST', '/users', { name, role, contentAllowed, password: `first of ${name} only` });
      if (made.status !== 200) throw new Error(made.text);
      const own = visitor();
      await own.api('POST', '/session', { user: name, password: `first of ${name} only` });
      const changed = await own.api('PUT', '/account/password', {
        current: `first of ${name} only`,
        password: `${PASSWORD} ${name}`,
      });
      if (changed.status !== 200) throw new Error(changed.text);
      return own;
    },
    log,
    [Symbol.asyncDispose]: () => admin.close(),
  };
}
