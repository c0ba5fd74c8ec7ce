/** The claim, and where the wizard stands. The round trip has a file of its own. */
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
    'setup.show': () => {
      const { state, endsAt, triesLeft, retryAfterMs } = setupCode.state();
      return {
        claimed: isClaimed(users),
        ...parts.box(),
        version: parts.version,
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
  const { body, client, note, setCookie } = call;
  note(body.user);
  if (isClaimed(users)) throw new ApiProblem(409, 'CLAIMED');
  const verdict = await setupCode.check(body.code);
  if (!verdict.ok) {
    const { why, retryAfterMs } = verdict;
    if (why === 'locked') throw new ApiProblem(429, 'LOCKED', { retryAfterMs });
    throw new ApiProblem(403, why === 'expired' ? 'CODE_EXPIRED' : 'CODE_WRONG', {
      fields: [{ path: 'body.code', message: WRONG }],
    });
  }
  const user = await users.create(
    {
      name: body.user,
      fullName: '',
      role: 'admin',
      contentAllowed: true,
      language: body.language,
      password: body.password,
      mustChangePassword: false,
    },
    { field: 'body.password' },
  );
  await setupCode.end();
  // the host opens the mail ports; where there is none they are open already, and where it is silent it asks us later
  await parts
    .host(user.name)
    .call('claim.done', {})
    .catch(() => undefined);
  users.loggedIn(user.id);
  const begun = sessions.begin(user, client);
  setCookie(sessionCookie(begun.cookie));
  return meOf(users.must(user.id), begun.session);
}

const WRONG = { ja: 'コードを確かめてください', en: 'Check the code' };
