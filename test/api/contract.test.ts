/**
 * The contract, asked of the running server: the OpenAPI document names every operation, and each is tried without a login,
 * with a role that may not, with what is not valid, with nothing, with too much, and as it should be. The gateway is real.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { permissionsOf, type Permission, ROLES } from '../../src/api/contract/access.ts';
import { startWorld, type World } from '../e2e/world.ts';
import { PASSWORD, startAdmin, type TestAdmin, type Visitor } from './support.ts';

interface Described {
  id: string;
  method: string;
  /** Filled with examples. */
  path: string;
  access: string;
  confirm: boolean;
  hasBody: boolean;
  hasQuery: boolean;
}

let world: World;
let box: TestAdmin;
let admin: Visitor;
const people = new Map<string, Visitor>();
let operations: Described[] = [];

/** Values for `{name}` in paths that name nothing that exists. */
const NAMED: Readonly<Record<string, string>> = {
  id: '0000000-0000000000000',
  list: 'allow',
  use: 'page',
  name: 'nobody.example',
};

/** A body that is right, by operation; what it is asked of may still say that something is not there. */
const BODIES: Readonly<Record<string, unknown>> = {
  'wizard.save': { step: 'time', done: ['language'], skipped: [], finished: false, draft: {} },
  'account.update': { language: 'en' },
  'queue.retry': { all: true },
  'queue.hold': { ids: ['0000000-0000000000000'] },
  'queue.delete': { ids: ['0000000-0000000000000'] },
  'quarantine.release': { ids: ['0000000-0000000000000'] },
  'policy.level': { level: 'strict' },
  'policy.update': { virus: 'quarantine' },
  'domains.create': { name: 'second.example', servers: [{ host: '192.0.2.1' }] },
  'outgoing.networks': { networks: ['127.0.0.1', '192.0.2.0/24'] },
  'config.set': { path: 'language', value: 'ja' },
  'config.check': { candidate: { version: 1 } },
  'config.reload': {},
  'privacy.update': { historyDays: 200 },
  'log.level': {},
  'certificates.request': { names: ['mail.office.example'] },
  'acme.update': {
    directory: 'https://127.0.0.1:1/dir',
    names: ['mail.office.example'],
    uses: ['mail'],
    agree: true,
  },
};
const GOOD_READS = new Set([
  'setup.show',
  'wizard.show',
  'session.show',
  'session.list',
  'users.list',
  'tokens.list',
  'overview.show',
  'status.show',
  'engines.list',
  'alarms.list',
  'messages.search',
  'queue.list',
  'queue.summary',
  'quarantine.list',
  'policy.show',
  'domains.list',
  'outgoing.show',
  'config.show',
  'config.generations',
  'config.reference',
  'reports.show',
  'reports.csv',
  'certificates.list',
  'certificates.requested',
  'authority.show',
  'acme.show',
  'outward.list',
  'privacy.show',
  'metrics.text',
  'audit.list',
  'audit.verify',
  'audit.export',
]);

before(async () => {
  world = await startWorld();
  box = await startAdmin({
    data: path.join(world.dir, 'admin'),
    gatewaySocket: path.join(world.gateway.dataFolder, 'run/admin.sock'),
  });
  admin = await box.claim();
  for (const role of ROLES.slice(1)) people.set(role, await box.user(admin, role, role));
  people.set('admin', await box.user(admin, 'second', 'admin'));
  operations = await readOperations();
});

after(async () => {
  await box[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

async function readOperations(): Promise<Described[]> {
  const { json } = await box.visitor().ask('GET', '/api/openapi.json');
  assert.equal(json['openapi'], '3.1.0');
  type Entry = { operationId: string; requestBody?: unknown; parameters?: Array<{ in: string }> } & Record<
    string,
    unknown
  >;
  return Object.entries(json['paths'] as Record<string, Record<string, Entry>>).flatMap(([where, methods]) =>
    Object.entries(methods).map(([method, entry]) => ({
      id: entry.operationId,
      method: method.toUpperCase(),
      path: where.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
        name === 'id' && /users|tokens|sessions|round-trip|lists|bundle/.test(where)
          ? '0123456789abcdef'
          : (NAMED[name] ?? name),
      ),
      access: String(entry['x-sekisho-access']),
      confirm: entry['x-sekisho-confirm'] === true,
      hasBody: entry.requestBody !== undefined,
      hasQuery: entry.parameters?.some((one) => one.in === 'query') ?? false,
    })),
  );
}

/** Every problem tells a code, words in both languages, and a number to quote. */
function assertProblem(
  answer: { status: number; headers: Record<string, unknown>; json: Record<string, unknown> },
  what: string,
): void {
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json/, what);
  assert.equal(answer.json['status'], answer.status, what);
  assert.match(String(answer.json['code']), /^[A-Z][A-Z_]+$/, what);
  const { ja, en } = answer.json['message'] as { ja: string; en: string };
  assert.ok(ja.length > 0 && en.length > 0, what);
  assert.equal(typeof answer.json['requestId'], 'string', what);
}

const ENDS_MYSELF = new Set([
  'session.logout',
  'session.login',
  'account.password',
  'session.revoke-others',
  'setup.claim',
]);

describe('every operation of the contract', () => {
  test('is there, and is asked as the document says', () => {
    assert.ok(operations.length >= 100, String(operations.length));
    assert.equal(new Set(operations.map(({ id }) => id)).size, operations.length);
  });

  test('can be read about on a page without scripts', async () => {
    const page = await box.visitor().ask('GET', '/api/docs');
    assert.equal(page.status, 200);
    for (const { id } of operations) assert.ok(page.text.includes(id), id);
    assert.match(String(page.headers['content-security-policy']), /^default-src 'none'; style-src 'sha256-/);
    assert.doesNotMatch(page.text, /<script/);
  });

  test('is refused without a login unless it is public', async () => {
    for (const { id, method, path: where, access, hasBody } of operations) {
      if (access === 'public') continue;
      const answer = await box.visitor().ask(method, where, hasBody ? { body: BODIES[id] ?? {} } : {});
      assert.deepEqual([id, answer.status, answer.json['code']], [id, 401, 'LOGIN_NEEDED']);
      assertProblem(answer, id);
    }
  });

  test('is refused to a role without its permission, before anything is looked at', async () => {
    for (const role of ROLES) {
      const may = new Set<string>(permissionsOf(role, false));
      const visitor = people.get(role);
      assert.ok(visitor);
      for (const { id, method, path: where, access, hasBody } of operations) {
        if (access === 'public' || access === 'login' || may.has(access as Permission)) continue;
        const answer = await visitor.ask(method, where, hasBody ? { raw: 'not even JSON' } : {});
        assert.deepEqual([role, id, answer.status, answer.json['code']], [role, id, 403, 'NOT_ALLOWED']);
      }
    }
  });

  test('refuses what it does not know, naming the field', async () => {
    await admin.api('POST', '/session/confirm', { password: PASSWORD });
    for (const { id, method, path: where, hasBody } of operations) {
      const query = await admin.ask(method, `${where}?nonsense=1`, hasBody ? { body: BODIES[id] ?? {} } : {});
      assert.equal(query.status, 400, `${id}: ${query.text.slice(0, 200)}`);
      assertProblem(query, id);
      if (!hasBody) continue;
      const body = await admin.ask(method, where, { body: { ...(BODIES[id] as object), nonsense: 1 } });
      assert.equal(body.status, 400, `${id}: ${body.text.slice(0, 200)}`);
      const fields = body.json['fields'] as Array<{ path: string }>;
      assert.ok(
        fields.some((field) => field.path.startsWith('body')),
        id,
      );
    }
  });

  test('refuses a body that is missing, of another type, no JSON, nested too deeply or too large', async () => {
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    // it holds for five minutes, and the tests before may have taken them on a slow machine
    await admin.api('POST', '/session/confirm', { password: PASSWORD });
    for (const { id, method, path: where, hasBody } of operations) {
      if (!hasBody) continue;
      const ask = async (status: number, code: string, options: Parameters<Visitor['ask']>[2]): Promise<void> => {
        const answer = await admin.ask(method, where, options);
        assert.deepEqual([id, answer.status, answer.json['code']], [id, status, code]);
        assertProblem(answer, id);
      };
      await ask(415, 'WRONG_TYPE', {});
      await ask(415, 'WRONG_TYPE', { raw: '{}', headers: { 'content-type': 'text/plain' } });
      await ask(415, 'WRONG_TYPE', { raw: '{}', headers: { 'content-encoding': 'gzip' } });
      await ask(400, 'BAD_JSON', { raw: '{"a":' });
      await ask(400, 'TOO_DEEP', { raw: deep });
      await ask(413, 'TOO_LARGE', { raw: '', headers: { 'content-length': '99000000' } });
    }
  });

  test('answers what is asked rightly with what the document promises, and never with a bug', async () => {
    for (const { id, method, path: where, confirm, hasBody } of operations) {
      if (ENDS_MYSELF.has(id) || id === 'events.stream') continue;
      if (confirm) await admin.api('POST', '/session/confirm', { password: PASSWORD });
      const answer = await admin.ask(method, where, hasBody ? { body: BODIES[id] ?? {} } : {});
      const what = `${id}: ${answer.status} ${answer.text.slice(0, 300)}`;
      assert.notEqual(answer.status, 500, what);
      if (GOOD_READS.has(id) || (BODIES[id] !== undefined && !id.startsWith('account')))
        assert.equal(answer.status, 200, what);
      if (answer.status !== 200) assertProblem(answer, what);
      assert.equal(answer.headers['cache-control'], 'no-store', what);
    }
    const bugs = box.log.filter(({ facts }) => typeof facts === 'object' && facts !== null && 'stack' in facts);
    assert.deepEqual(bugs, []);
  });
});
