/** Users, their sessions, API tokens. */
import type { Answer } from '../contract/client.ts';
import type { Token } from '../auth/tokens.ts';
import { MOST_TOKEN_MS } from '../auth/tokens.ts';
import type { User } from '../auth/users.ts';
import type { Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import { iso, mustBe, type RouteParts } from './parts.ts';
import { sessionRow } from './session.ts';

type Ids =
  | `users.${'list' | 'create' | 'show' | 'update' | 'delete' | 'password' | 'totp-remove' | 'sessions' | 'sessions-end'}`
  | `tokens.${'list' | 'create' | 'delete'}`;

export function peopleHandlers(parts: RouteParts): Some<Ids> {
  const { users, sessions } = parts;
  const row = (user: User): Answer<'users.show'> => ({
    id: user.id,
    name: user.name,
    fullName: user.fullName,
    role: user.role,
    contentAllowed: user.contentAllowed,
    language: user.language,
    enabled: user.enabled,
    totp: user.totpSecret !== undefined,
    createdAt: iso(user.createdAt),
    ...(user.lastLoginAt === undefined ? {} : { lastLoginAt: iso(user.lastLoginAt) }),
    mustChangePassword: user.mustChangePassword,
    sessions: sessions.ofUser(user.id).length,
  });
  return {
    'users.list': () => ({ users: users.all().map(row) }),
    'users.create': async ({ body, note }) => {
      note(body.name);
      return row(await users.create({ ...body, mustChangePassword: true }, { field: 'body.password' }));
    },
    'users.show': ({ params }) => row(users.must(params.id)),
    'users.update': ({ params, body, note }) => {
      note(users.must(params.id).name);
      const user = users.update(params.id, body);
      if (!user.enabled) sessions.endAll(user.id);
      return row(user);
    },
    'users.delete': ({ params, note }) => {
      note(users.must(params.id).name);
      users.remove(params.id);
      return { ok: true };
    },
    'users.password': async ({ params, body, note, who }) => {
      note(users.must(params.id).name);
      await users.setPassword(params.id, body.password, {
        field: 'body.password',
        mustChange: params.id !== mustBe(who).user.id,
      });
      sessions.endAll(params.id, { except: who?.session?.id ?? '' });
      return { ok: true };
    },
    'users.totp-remove': ({ params, note }) => {
      note(users.must(params.id).name);
      users.setTotp(params.id, { secret: null, pending: null });
      return { ok: true };
    },
    'users.sessions': ({ params, who }) => {
      users.must(params.id);
      return { sessions: sessions.ofUser(params.id).map((one) => sessionRow(one, who?.session?.id ?? '')) };
    },
    'users.sessions-end': ({ params, note }) => {
      note(users.must(params.id).name);
      return { ended: sessions.endAll(params.id) };
    },
    ...tokenHandlers(parts),
  };
}

function tokenHandlers({ users, tokens, now }: RouteParts): Some<`tokens.${'list' | 'create' | 'delete'}`> {
  const row = (token: Token): Answer<'tokens.list'>['tokens'][number] => ({
    id: token.id,
    name: token.name,
    owner: users.byId(token.userId)?.name ?? '',
    scopes: token.scopes,
    createdAt: iso(token.createdAt),
    expiresAt: iso(token.expiresAt),
    ...(token.lastUsedAt === undefined ? {} : { lastUsedAt: iso(token.lastUsedAt) }),
    expired: token.expiresAt <= now(),
  });
  return {
    'tokens.list': ({ who }) => {
      const { user, permissions } = mustBe(who);
      return { tokens: tokens.list(permissions.has('users.manage') ? undefined : user.id).map(row) };
    },
    'tokens.create': ({ who, body, note }) => {
      const { user, permissions } = mustBe(who);
      note(body.name);
      if (!body.scopes.every((scope) => permissions.has(scope))) throw new ApiProblem(403, 'SCOPE_TOO_WIDE');
      const expiresAt = Date.parse(body.expiresAt);
      if (expiresAt <= now() || expiresAt > now() + MOST_TOKEN_MS)
        throw new ApiProblem(422, 'EXPIRY_WRONG', {
          fields: [
            {
              path: 'body.expiresAt',
              message: { ja: '1 年以内の日時にしてください', en: 'Give a time within a year' },
            },
          ],
        });
      const { token, secret } = tokens.create(user, { ...body, expiresAt });
      return { ...row(token), secret };
    },
    'tokens.delete': ({ who, params, note }) => {
      const { user, permissions } = mustBe(who);
      const token = tokens.byId(params.id);
      // somebody else's is as good as none
      if (token === undefined || (token.userId !== user.id && !permissions.has('users.manage')))
        throw new ApiProblem(404, 'NOT_FOUND');
      note(token.name);
      tokens.remove(token.id);
      return { ok: true };
    },
  };
}
