/** Login, logout, and a user's own affairs. */
import { IDLE_MS, type Session, TOTAL_MS } from '../auth/sessions.ts';
import { bucketsOf } from '../auth/lockout.ts';
import { digest, makeSecret, passwordFits } from '../auth/secrets.ts';
import { newTotp, takeSecondFactor, totpCounter } from '../auth/totp.ts';
import type { User } from '../auth/users.ts';
import { permissionsOf } from '../contract/access.ts';
import type { Answer } from '../contract/client.ts';
import type { Call, Principal, Some } from '../server/call.ts';
import { endedCookie, KNOWN_COOKIE, knownCookie, sessionCookie } from '../server/identify.ts';
import { ApiProblem } from '../server/problems.ts';
import { isClaimed, iso, mustBe, type RouteParts } from './parts.ts';

type Ids =
  | `session.${'show' | 'login' | 'logout' | 'confirm' | 'list' | 'revoke' | 'revoke-others'}`
  | `account.${'update' | 'password' | 'totp-begin' | 'totp-finish' | 'totp-remove' | 'recovery-codes'}`;

export function sessionHandlers(parts: RouteParts): Some<Ids> {
  const { users, sessions } = parts;
  return {
    'session.show': ({ who }) => ({
      claimed: isClaimed(users),
      ...parts.box(),
      version: parts.version,
      zone: parts.zone(),
      now: iso(parts.now()),
      ...(who?.session === undefined ? {} : { me: meOf(users.must(who.user.id), who.session) }),
    }),
    'session.login': (call) => login(parts, call),
    'session.logout': ({ who, setCookie }) => {
      const { user, session } = withSession(who);
      sessions.end(user.id, session.id);
      setCookie(endedCookie());
      return { ok: true };
    },
    'session.confirm': async ({ who, body, client, note, cookies }) => {
      const { user, session } = withSession(who);
      note(user.name);
      await proveSelf(parts, user, { ...body, bucket: client.bucket, known: knownMark(user, cookies) });
      return meOf(user, sessions.confirm(session.id) ?? session);
    },
    'session.list': ({ who }) => {
      const { user, session } = withSession(who);
      return { sessions: sessions.ofUser(user.id).map((one) => sessionRow(one, session.id)) };
    },
    'session.revoke': ({ who, params }) => {
      const { user } = withSession(who);
      if (!sessions.end(user.id, params.id)) throw new ApiProblem(404, 'NOT_FOUND');
      return { ok: true };
    },
    'session.revoke-others': ({ who }) => {
      const { user, session } = withSession(who);
      return { ended: sessions.endAll(user.id, { except: session.id }) };
    },
    'account.update': ({ who, body }) => {
      const { user, session } = withSession(who);
      return meOf(users.update(user.id, body), session);
    },
    'account.password': async ({ who, body, client, note, setCookie, cookies }) => {
      const { user } = withSession(who);
      note(user.name);
      await provePassword(parts, user, {
        password: body.current,
        bucket: client.bucket,
        known: knownMark(user, cookies),
      });
      if (body.current === body.password)
        throw new ApiProblem(422, 'PASSWORD_WEAK', {
          fields: [
            {
              path: 'body.password',
              message: { ja: '今と違うものにしてください', en: 'Choose another than the present one' },
            },
          ],
        });
      await users.setPassword(user.id, body.password, { field: 'body.password', mustChange: false });
      // whoever knew the old one is out, and this browser gets a session nobody knew before
      sessions.endAll(user.id);
      const begun = sessions.begin(user, client);
      setCookie(sessionCookie(begun.cookie));
      return meOf(users.must(user.id), begun.session);
    },
    ...secondFactorHandlers(parts),
  };
}

function secondFactorHandlers(
  parts: RouteParts,
): Some<`account.${'totp-begin' | 'totp-finish' | 'totp-remove' | 'recovery-codes'}`> {
  const { users } = parts;
  return {
    'account.totp-begin': ({ who }) => {
      const { user } = withSession(who);
      const made = newTotp(user.name, parts.box().hostname);
      users.setTotp(user.id, { pending: made.secret });
      return made;
    },
    'account.totp-finish': ({ who, body, note }) => {
      const user = users.must(withSession(who).user.id);
      note(user.name);
      if (user.totpPending === undefined) throw new ApiProblem(409, 'TOTP_NOT_BEGUN');
      const counter = totpCounter(user.totpPending, body.code, { now: parts.now(), last: 0 });
      if (counter === undefined)
        throw new ApiProblem(422, 'CODE_REJECTED', { fields: [{ path: 'body.code', message: WRONG_CODE }] });
      users.setTotp(user.id, { secret: user.totpPending, pending: null, counter });
      return { recoveryCodes: users.newRecoveryCodes(user.id) };
    },
    'account.totp-remove': ({ who, note }) => {
      const { user } = withSession(who);
      note(user.name);
      users.setTotp(user.id, { secret: null, pending: null });
      return { ok: true };
    },
    'account.recovery-codes': ({ who, note }) => {
      const user = users.must(withSession(who).user.id);
      note(user.name);
      if (user.totpSecret === undefined) throw new ApiProblem(409, 'TOTP_NOT_BEGUN');
      return { recoveryCodes: users.newRecoveryCodes(user.id) };
    },
  };
}

const WRONG_CODE = { ja: 'コードが違います', en: 'The code is wrong' };

async function login(parts: RouteParts, call: Call<'session.login'>): Promise<Answer<'session.login'>> {
  const { users, sessions } = parts;
  const { body, client, cookies, note, actsAs, setCookie } = call;
  if (!isClaimed(users)) throw new ApiProblem(403, 'NOT_CLAIMED');
  note(body.user);
  const user = users.byName(body.user);
  const usable = user?.enabled === true ? user : undefined;
  // a name nobody has may be a password typed into the wrong field: it is no actor
  if (user !== undefined) actsAs(user.name);
  await proveSelf(parts, usable, {
    ...body,
    name: body.user,
    bucket: client.bucket,
    known: user === undefined ? undefined : knownMark(user, cookies),
  });
  if (usable === undefined) throw new ApiProblem(401, 'LOGIN_FAILED');
  users.loggedIn(usable.id);
  const begun = sessions.begin(usable, client);
  setCookie(sessionCookie(begun.cookie));
  setCookie(knownCookie(newMark(usable)));
  return meOf(users.must(usable.id), begun.session);
}

interface Proof {
  password: string;
  code?: string;
  bucket: string;
  known: string | undefined;
  /** As typed, when there may be no such user. */
  name?: string;
}

/** Password and, where it is on, second factor. Throws LOCKED, LOGIN_FAILED, CODE_NEEDED, CODE_REJECTED. */
async function proveSelf(parts: RouteParts, user: User | undefined, proof: Proof): Promise<void> {
  await provePassword(parts, user, proof);
  if (user?.totpSecret === undefined) return;
  if (proof.code === undefined) throw new ApiProblem(401, 'CODE_NEEDED');
  const buckets = bucketsOf(user.name, proof.bucket, proof.known);
  if (takeSecondFactor(parts.users, parts.users.must(user.id), { code: proof.code, now: parts.now() }))
    return parts.lockout.succeeded(buckets);
  parts.lockout.failed(buckets);
  throw new ApiProblem(401, 'CODE_REJECTED', { fields: [{ path: 'body.code', message: WRONG_CODE }] });
}

async function provePassword(parts: RouteParts, user: User | undefined, proof: Proof): Promise<void> {
  const buckets = bucketsOf(user?.name ?? proof.name ?? '', proof.bucket, proof.known);
  const wait = parts.lockout.waitMs(buckets);
  if (wait > 0) throw new ApiProblem(429, 'LOCKED', { retryAfterMs: wait });
  // counted before the slow part: a hundred tries at once are a hundred tries
  parts.lockout.failed(buckets);
  if (!(await passwordFits(proof.password, user?.password))) throw new ApiProblem(401, 'LOGIN_FAILED');
  parts.lockout.forgive(buckets);
  // half of the proof must not wipe out failures of the other half: codes would be free to guess
  if (user?.totpSecret === undefined) parts.lockout.succeeded(buckets);
}

/** Hex of a browser's mark, when it is one of this user's: bound to the user by a hash with the password's own hash. */
function knownMark(user: User, cookies: ReadonlyMap<string, string>): string | undefined {
  const [nonce = '', seal] = (cookies.get(KNOWN_COOKIE) ?? '').split('.');
  return nonce !== '' && seal === sealOf(user, nonce) ? digest(nonce).slice(0, 16) : undefined;
}

function newMark(user: User): string {
  const nonce = makeSecret();
  return `${nonce}.${sealOf(user, nonce)}`;
}

/** The password's hash is secret and changes with it: a new password forgets all marks. */
function sealOf(user: User, nonce: string): string {
  return digest(`${user.id} ${nonce} ${user.password}`);
}

export function meOf(user: User, session: Session): Answer<'session.login'> {
  return {
    user: {
      id: user.id,
      name: user.name,
      role: user.role,
      language: user.language,
      totp: user.totpSecret !== undefined,
    },
    permissions: permissionsOf(user.role, user.contentAllowed),
    idleEndsAt: iso(Math.min(session.seenAt + IDLE_MS, session.createdAt + TOTAL_MS)),
    endsAt: iso(session.createdAt + TOTAL_MS),
    confirmedUntil: iso(session.confirmedUntil),
    mustChangePassword: user.mustChangePassword,
  };
}

export function sessionRow(session: Session, current: string): Answer<'session.list'>['sessions'][number] {
  return {
    id: session.id,
    current: session.id === current,
    since: iso(session.createdAt),
    lastSeenAt: iso(session.seenAt),
    address: session.address,
    userAgent: session.userAgent,
  };
}

function withSession(who: Principal | undefined): { user: User; session: Session } {
  const { user, session } = mustBe(who);
  if (session === undefined) throw new ApiProblem(403, 'PERSON_NEEDED');
  return { user, session };
}
