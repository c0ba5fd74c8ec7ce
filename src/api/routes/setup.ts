/** The claim, and where the wizard stands. The round trip has a file of its own. */
import type { NewUser, User } from '../auth/users.ts';
import type { HostStatus } from '../../control/host-shapes.ts';
import type { Answer } from '../contract/client.ts';
import type { Call, Some } from '../server/call.ts';
import { sessionCookie } from '../server/identify.ts';
import { ApiProblem } from '../server/problems.ts';
import { isClaimed, iso, type RouteParts } from './parts.ts';
import { meOf } from './session.ts';

type Wizard = Answer<'wizard.show'>;
const FIRST: Wizard = { step: 'language', done: [], skipped: [], finished: false, draft: {} };
const MOST_DRAFT = 50_000;

export function setupHandlers(parts: RouteParts): Some<'setup.show' | 'setup.claim' | 'wizard.show' | 'wizard.save'> {
  const { users, setupCode, certificates, store } = parts;
  let claiming = Promise.resolve();
  return {
    'setup.show': async () => {
      const host = await hostShown(parts);
      const { state, endsAt, triesLeft, retryAfterMs } = setupCode.state();
      return {
        claimed: isClaimed(users),
        ...parts.box(),
        version: parts.version,
        resetPending: host?.accessReset !== undefined,
        noData: host?.degraded?.cause === 'no-data',
        fingerprint: certificates.current().fingerprint,
        code: {
          state,
          triesLeft,
          ...(endsAt === undefined || state === 'used' ? {} : { endsAt: iso(endsAt) }),
          ...(retryAfterMs === 0 ? {} : { retryAfter: Math.ceil(retryAfterMs / 1_000) }),
        },
      };
    },
    'setup.claim': (call) => {
      // one after the other: two claims with the right code must not make two first admins
      const mine = claiming.then(() => claim(parts, call));
      claiming = mine.then(
        () => undefined,
        () => undefined,
      );
      return mine;
    },
    'wizard.show': () => (store.fact('wizard') as Wizard | undefined) ?? FIRST,
    'wizard.save': ({ body }) => {
      if (JSON.stringify(body.draft).length > MOST_DRAFT) throw new ApiProblem(413, 'TOO_LARGE');
      store.setFact('wizard', body);
      return body;
    },
  };
}

async function claim(parts: RouteParts, call: Call<'setup.claim'>): Promise<Answer<'setup.claim'>> {
  const { users, sessions, setupCode } = parts;
  const { body, client, note, actsAs, setCookie } = call;
  note(body.user);
  // somebody at the console asked for it: the new code on the screen makes its reader an admin again. Without its data partition the
  // box has an owner and no user: there, too, the code is good for once
  const reset = (await hostShown(parts))?.accessReset?.id;
  if (isClaimed(users) && reset === undefined) throw new ApiProblem(409, 'CLAIMED');
  const verdict = await setupCode.check(body.code, { again: reset !== undefined });
  if (!verdict.ok) {
    const { why, retryAfterMs } = verdict;
    if (why === 'locked') throw new ApiProblem(429, 'LOCKED', { retryAfterMs });
    throw new ApiProblem(403, why === 'expired' ? 'CODE_EXPIRED' : 'CODE_WRONG', {
      fields: [{ path: 'body.code', message: WRONG }],
    });
  }
  const user = await firstOrAgain(parts, {
    name: body.user,
    fullName: '',
    role: 'admin',
    contentAllowed: true,
    language: body.language,
    password: body.password,
    mustChangePassword: false,
  });
  actsAs(user.name);
  await setupCode.end();
  if (reset !== undefined) {
    note(user.name, { reset: true });
    await parts.host(user.name).call('access.reset-done', { id: reset });
  }
  // the host opens the mail ports; where there is none they are open already, and where it is silent it is told later (claim-told.ts)
  await parts
    .host(user.name)
    .call('claim.done', {})
    .catch(() => undefined);
  users.loggedIn(user.id);
  const begun = sessions.begin(user, client);
  setCookie(sessionCookie(begun.cookie));
  return meOf(users.must(user.id), begun.session);
}

/** Undefined where there is none, or it is silent. */
async function hostShown(parts: RouteParts): Promise<HostStatus | undefined> {
  return parts
    .host('admin')
    .call('host.status', {})
    .catch(() => undefined);
}

/** A user of that name keeps it, is an admin and enabled, and everything that opened it before is gone. */
async function firstOrAgain(parts: RouteParts, wanted: NewUser): Promise<User> {
  const { users, sessions } = parts;
  const known = users.byName(wanted.name);
  if (known === undefined) return users.create(wanted, { field: 'body.password' });
  await users.setPassword(known.id, wanted.password, { field: 'body.password', mustChange: false });
  users.setTotp(known.id, { secret: null, pending: null });
  sessions.endAll(known.id);
  return users.update(known.id, { role: 'admin', enabled: true });
}

const WRONG = { ja: 'コードを確かめてください', en: 'Check the code' };
