/**
 * The login at a smarthost (RFC 4954): PLAIN (RFC 4616), else LOGIN, over TLS with a valid certificate only; the dialogue is the
 * library's. A refused login is trouble of ours, never of the mail: it waits, an alarm says what to do, and the provider is not
 * asked again at once (too many tries lock an account). The password is in nobody's words, not even the provider's.
 */
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Milliseconds } from '../base/brand.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError } from '../base/errors.ts';
import type { Observe } from '../observe/events.ts';
import { type HopReply, parseHopReply } from './classify.ts';
import type { Session } from './connect.ts';
import type { Reached } from './reach.ts';
import type { Login, RouteKey } from './route.ts';
import type { Sent } from './send.ts';

/** Between two tries of a login that was refused. */
export const LOGIN_PAUSE_MS = 300_000;

/** In the order we like them; who offers neither gets no password. */
const MECHANISMS = ['PLAIN', 'LOGIN'] as const;
const HIDDEN = '[hidden]';

export type LoginTrouble = { trouble: 'login' | 'greeting'; detail: string; reply?: HopReply };

/** Undefined: logged in. Throws only for a lost session or a missed deadline. */
export async function logIn(
  connection: SMTPConnection & { _supportedAuth: string[] },
  session: Pick<Session, 'secure' | 'lost'>,
  { user, password, ms, signal }: Login & { ms: Milliseconds; signal?: AbortSignal },
): Promise<LoginTrouble | undefined> {
  if (!session.secure) return { trouble: 'login', detail: 'the connection is not encrypted' };
  const method = MECHANISMS.find((each) => connection._supportedAuth.includes(each));
  if (method === undefined) return { trouble: 'login', detail: `it offers neither ${MECHANISMS.join(' nor ')}` };
  const error = await withDeadline('The login', signal === undefined ? { ms } : { ms, signal }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<Error | undefined>();
    session.lost.addEventListener('abort', () => reject(session.lost.reason as Error), { once: true });
    connection.login({ method, user, pass: password }, (failed) => resolve(failed ?? undefined));
    return promise;
  });
  if (error === undefined) return undefined;
  const { response } = error as { response?: unknown };
  const words = withoutPassword(typeof response === 'string' ? response : describeError(error), { user, password });
  const reply = typeof response === 'string' ? parseHopReply(words) : undefined;
  const detail = reply?.text ?? words;
  // RFC 4954 §4.7: 454 says the server cannot tell at the moment; that is no word about the login.
  const trouble = reply !== undefined && reply.code < 500 ? 'greeting' : 'login';
  return { trouble, detail, ...(reply === undefined ? {} : { reply }) };
}

/** A server may repeat what it was told; what it was told is in the log then. */
function withoutPassword(words: string, { user, password }: Login): string {
  const told = [password, ...[`\0${user}\0${password}`, password].map((text) => Buffer.from(text).toString('base64'))];
  return told.reduce((text, secret) => text.replaceAll(secret, HIDDEN), words);
}

/** RFC 4954 §6: a login is wanted first, is too weak, is wrong, wants TLS. */
const LOGIN_REPLY = /^(?:530|534|535|538)(?: |$)/;

/** Whose login is refused at the moment, by hop; raises and clears the alarm. */
export class LoginWatch {
  readonly #refused = new Set<RouteKey>();
  readonly #observe: Pick<Observe, 'raise' | 'clear'>;

  constructor(observe: Pick<Observe, 'raise' | 'clear'>) {
    this.#observe = observe;
  }

  refused(key: RouteKey): boolean {
    return this.#refused.has(key);
  }

  /** How a session was had, or was not. */
  reached(key: RouteKey, reached: Reached): void {
    if (key !== 'smarthost') return;
    if ('session' in reached) {
      if (reached.session.target.login !== undefined) this.forget(key);
    } else if (reached.failed === 'login') this.#refuse(key, reached.word.reply);
  }

  /** How a transaction went: a smarthost may take us in and want the login at MAIL. */
  sent(key: RouteKey, { results }: Pick<Sent, 'results'>): void {
    if (key !== 'smarthost') return;
    const wanted = results.find(({ verdict, reply }) => verdict === 'deferred' && LOGIN_REPLY.test(reply));
    if (wanted !== undefined) this.#refuse(key, wanted.reply);
    else if (results.some(({ verdict }) => verdict === 'delivered')) this.forget(key);
  }

  #refuse(key: RouteKey, detail: string): void {
    this.#refused.add(key);
    this.#observe.raise('smarthost-login', key, detail);
  }

  /** The login works, or nothing waits for it any more. */
  forget(key: RouteKey): void {
    if (this.#refused.delete(key)) this.#observe.clear('smarthost-login', key);
  }
}
