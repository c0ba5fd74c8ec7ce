import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { checkConfig, checkConfigText } from '../../src/config/check.ts';
import { HIDDEN } from '../../src/config/redact.ts';
import { type ConfigStore, openConfigStore } from '../../src/config/store.ts';

const SECRET = 'hunter2-hunter2';
const SMARTHOST = { host: 'smtp.provider.example', port: 587, tls: 'required', user: 'office', password: SECRET };

async function open(context: TestContext, content: unknown): Promise<{ store: ConfigStore; file: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sekisho-secrets-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'config.json');
  await writeFile(file, JSON.stringify(content));
  return { store: await openConfigStore({ file }), file };
}

function passwordOf(store: ConfigStore): string | undefined {
  return store.current().outbound.smarthost?.password;
}

test('the password of the smarthost runs, but is shown nowhere: settings, differences, generations, problems', async (context) => {
  const { store } = await open(context, { version: 1 });
  await store.set('outbound.smarthost', SMARTHOST, { by: 'test' });
  await store.set('outbound.smarthost.password', `${SECRET}-2`, { by: 'test' });
  assert.equal(passwordOf(store), `${SECRET}-2`);
  const refused = await store.set('outbound.smarthost', { ...SMARTHOST, port: 'x', lid: SECRET }, { by: 'test' });
  assert.equal(refused.ok, false);
  const wrongKind = checkConfig({ outbound: { smarthost: [SMARTHOST] } });
  assert.equal(wrongKind.ok, false);
  const shown = JSON.stringify([
    store.show(),
    store.show('outbound'),
    store.show('outbound.smarthost.password'),
    await store.diff(1, 2),
    await store.diff(2, 3),
    await store.generations(),
    wrongKind.problems,
  ]);
  assert.ok(!shown.includes(SECRET), shown);
  assert.equal(store.show('outbound.smarthost.password'), HIDDEN);
  const [change] = await store.diff(2, 3);
  assert.deepEqual(change, { path: 'outbound.smarthost.password', before: HIDDEN, after: HIDDEN });
});

test('what is shown as hidden and set again keeps the password; where there is none it is refused', async (context) => {
  const { store } = await open(context, { version: 1, outbound: { smarthost: SMARTHOST } });
  const shown = store.show('outbound') as { smarthost: object };
  const result = await store.set('outbound', { ...shown, dane: false }, { by: 'test' });
  assert.ok(result.ok);
  assert.deepEqual(result.changed, ['outbound.dane']);
  assert.equal(passwordOf(store), SECRET);
  await store.unset('outbound.smarthost', { by: 'test' });
  const again = await store.set('outbound', shown, { by: 'test' });
  assert.equal(again.ok, false);
  assert.deepEqual(
    again.problems.map(({ path: at }) => at),
    ['outbound.smarthost.password'],
  );
  const rolled = await store.rollback(1, { by: 'test' });
  assert.ok(rolled.ok);
  assert.equal(passwordOf(store), SECRET);
});

test('a kept password goes to no other server than the one it was given for', async (context) => {
  const { store } = await open(context, { version: 1, outbound: { smarthost: SMARTHOST } });
  const shown = store.show('outbound.smarthost') as object;
  for (const [path, value] of [
    ['outbound.smarthost', { ...shown, host: 'smtp.evil.example' }],
    ['outbound', { smarthost: { ...shown, host: 'smtp.evil.example' } }],
  ] as const) {
    const result = await store.set(path, value, { by: 'test' });
    assert.deepEqual([result.ok, result.problems.map((one) => one.path)], [false, ['outbound.smarthost.password']]);
  }
  assert.ok((await store.set('outbound.smarthost', { ...shown, port: 465 }, { by: 'test' })).ok);
  const moved = { ...shown, host: 'smtp.other.example', password: 'a new one' };
  assert.ok((await store.set('outbound.smarthost', moved, { by: 'test' })).ok);
  assert.equal(passwordOf(store), 'a new one');
});

test('a file with a password is for its owner alone, and so are its generations, however the file stood before', async (context) => {
  const { store, file } = await open(context, { version: 1 });
  await chmod(file, 0o644);
  await store.set('hostname', 'mx.office.example', { by: 'test' });
  assert.equal((await stat(file)).mode & 0o777, 0o644);
  await store.set('outbound.smarthost', SMARTHOST, { by: 'test' });
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const generations = path.join(path.dirname(file), 'generations');
  assert.equal((await stat(generations)).mode & 0o777, 0o700);
  for (const name of await readdir(generations))
    assert.equal((await stat(path.join(generations, name))).mode & 0o777, 0o600, name);
  assert.ok((await readFile(file, 'utf8')).includes(SECRET));
});

test('a login wants user and password, TLS, and SMTP; each mistake names its key', () => {
  const at = (smarthost: object): string[] =>
    checkConfig({ outbound: { smarthost: { host: 'smtp.provider.example', port: 587, ...smarthost } } }).problems.map(
      (problem) => problem.path,
    );
  assert.deepEqual(at({ user: 'a', password: 'b' }), []);
  assert.deepEqual(at({ user: 'a' }), ['outbound.smarthost.password']);
  assert.deepEqual(at({ password: 'b' }), ['outbound.smarthost.user']);
  assert.deepEqual(at({ user: 'a', password: 'b', tls: 'off' }), ['outbound.smarthost.tls']);
  assert.deepEqual(at({ port: 465, tls: 'off' }), ['outbound.smarthost.tls']);
  assert.deepEqual(at({ user: 'a', password: 'b', protocol: 'lmtp' }), ['outbound.smarthost.protocol']);
  assert.deepEqual(at({ user: 'a', password: HIDDEN }), ['outbound.smarthost.password']);
  assert.deepEqual(at({ user: 'a\u0000b', password: 'b' }), ['outbound.smarthost.user']);
});

test('a slip of the pen beside the password does not print it', () => {
  for (const text of [
    `{"outbound": {"smarthost": {"host": "a.example", "user": "u", "password": "${SECRET}" "port": 587}}}`,
    `{"outbound": {"smarthost": {"password": "${SECRET}\n"}}}`,
    `{"outbound": {"smarthost": {"password": ${SECRET}}}}`,
    `{"outbound": {"smarthost": {"password": "${SECRET}}}}`,
  ]) {
    const checked = checkConfigText(text);
    assert.equal(checked.ok, false);
    assert.ok(!JSON.stringify(checked.problems).includes(SECRET), JSON.stringify(checked.problems));
  }
});
