/**
 * Who is asking: by the cookie of a session (`__Host-`, so that no other host or plain page can set it), or by a token in the
 * Authorization header. Both at once, or a token that is not good any more, is nobody.
 */
import type { IncomingMessage } from 'node:http';
import { type Access, type Permission, permissionsOf } from '../contract/access.ts';
import type { Sessions } from '../auth/sessions.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { Principal } from './call.ts';
import { ApiProblem } from './problems.ts';

export const SESSION_COOKIE = '__Host-sekisho';
/** The mark of an earlier login from this browser; opens nothing. */
export const KNOWN_COOKIE = '__Host-sekisho-known';
/** Sent by pages with what they ask by themselves: it does not keep a session alive. */
const BACKGROUND = 'x-sekisho-background';

export interface Identity {
  who: Principal | undefined;
  /** A cookie was shown that opens nothing (any more). */
  ended: boolean;
}

export function identify(
  request: IncomingMessage,
  cookies: ReadonlyMap<string, string>,
  { sessions, tokens }: { sessions: Sessions; tokens: Tokens },
): Identity {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const found = tokens.find(/^Bearer ([\w-]{1,200})$/i.exec(authorization)?.[1] ?? '');
    if (found === undefined) throw new ApiProblem(401, 'LOGIN_NEEDED');
    const { token, user, permissions } = found;
    return {
      who: {
        user,
        token,
        session: undefined,
        permissions: new Set<Permission>(permissions),
        actor: `token ${token.name} of ${user.name}`,
      },
      ended: false,
    };
  }
  const cookie = cookies.get(SESSION_COOKIE);
  if (cookie === undefined) return { who: undefined, ended: false };
  const found = sessions.find(cookie, { touch: request.headers[BACKGROUND] === undefined });
  if (found === undefined) return { who: undefined, ended: true };
  const { session, user } = found;
  return {
    who: {
      user,
      session,
      token: undefined,
      permissions: new Set(permissionsOf(user.role, user.contentAllowed)),
      actor: user.name,
    },
    ended: false,
  };
}

/** Throws the problem that keeps this person from this operation. */
export function authorise(
  identity: Identity,
  rule: { access: Access; confirm: boolean; ownPassword: boolean; now: number },
): void {
  const { who, ended } = identity;
  if (rule.access === 'public') return;
  if (who === undefined) throw new ApiProblem(401, ended ? 'SESSION_ENDED' : 'LOGIN_NEEDED');
  if (rule.access === 'login' && who.session === undefined) throw new ApiProblem(403, 'PERSON_NEEDED');
  // a password that somebody else knows opens nothing but its own change
  if (who.user.mustChangePassword && !rule.ownPassword) throw new ApiProblem(403, 'PASSWORD_CHANGE_NEEDED');
  if (rule.access !== 'login' && !who.permissions.has(rule.access)) throw new ApiProblem(403, 'NOT_ALLOWED');
  if (!rule.confirm) return;
  if (who.session === undefined) throw new ApiProblem(403, 'PERSON_NEEDED');
  if (who.session.confirmedUntil <= rule.now) throw new ApiProblem(403, 'CONFIRM_NEEDED');
}

export function sessionCookie(value: string): string {
  return `${SESSION_COOKIE}=${value}; Path=/; Secure; HttpOnly; SameSite=Strict`;
}

export function endedCookie(): string {
  return `${SESSION_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0`;
}

export function knownCookie(value: string): string {
  return `${KNOWN_COOKIE}=${value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=${180 * 86_400}`;
}
