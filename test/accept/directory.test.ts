/** Who is known, by list, by call-ahead and by cache; and that nothing but a list or a server ever says no. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RecipientAnswer } from '../../src/accept/api.ts';
import { createRecipientDirectory, type RecipientDirectoryOptions } from '../../src/accept/directory.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { type ForwardPath, parseForwardPath } from '../../src/mail/address.ts';
import type { Observe } from '../../src/observe/events.ts';
import { handClock, until } from './harness.ts';

const HOUR = 3_600_000;
const DAY = 86_400_000;

function address(text: string): ForwardPath {
  const parsed = parseForwardPath(text);
  assert.ok(parsed);
  return parsed;
}

/** A mail server that knows `taro` and `hanako`, unless a test says otherwise. */
class FakeServer {
  readonly asked: string[] = [];
  mode: 'normal' | 'down' | 'takes-all' | 'throws' | 'hangs' = 'normal';
  readonly mailboxes = new Set(['taro', 'hanako']);

  callAhead = async (recipient: ForwardPath): Promise<RecipientAnswer> => {
    this.asked.push(recipient);
    if (this.mode === 'throws') throw new Error('Connection refused');
    if (this.mode === 'hangs') return new Promise(() => undefined);
    if (this.mode === 'down') return { known: 'unknown', detail: 'down' };
    const known = this.mode === 'takes-all' || this.mailboxes.has(recipient.split('@')[0] ?? '');
    return { known: known ? 'yes' : 'no', detail: 'said so' };
  };
}

async function setUp(
  t: TestContext,
  options: { recipients?: object; directory?: Partial<RecipientDirectoryOptions>; dir?: string } = {},
) {
  const dir = options.dir ?? (await mkdtemp(path.join(tmpdir(), 'sekisho-directory-')));
  if (options.dir === undefined) t.after(() => rm(dir, { recursive: true, force: true }));
  const server = new FakeServer();
  const clock = handClock();
  const alarms = new Map<string, string>();
  const log: string[] = [];
  const observe: Observe = {
    emit: () => undefined,
    inspected: () => undefined,
    raise: (alarm, key, detail) => void alarms.set(`${alarm} ${key}`, detail),
    clear: (alarm, key) => void alarms.delete(`${alarm} ${key}`),
    log: (_level, message) => void log.push(message),
  };
  const config = configSchema.parse({
    domains: [{ name: 'office.example', servers: [{ host: '192.0.2.1' }], recipients: options.recipients ?? {} }],
  });
  const directory = await createRecipientDirectory({
    config: () => config,
    callAhead: server.callAhead,
    clock,
    cacheFile: path.join(dir, 'state', 'recipients.json'),
    observe,
    baseDirectory: dir,
    ...options.directory,
  });
  const ask = async (text: string): Promise<string> => (await directory.check(address(text))).known;
  return { dir, server, clock, alarms, log, directory, ask, file: path.join(dir, 'state', 'recipients.json') };
}

test('any: everybody is known, nobody is asked', async (t) => {
  const { ask, server } = await setUp(t, { recipients: { check: 'any' } });
  assert.equal(await ask('whoever@office.example'), 'yes');
  assert.deepEqual(server.asked, []);
});

test('list: addresses, localparts, comments, any case, any line end', async (t) => {
  const { ask, dir } = await setUp(t, { recipients: { check: 'list', file: 'people.txt' } });
  const lines =
    '\ufeff# people\r\nTaro@Office.Example # the boss\nhanako\n\n  jiro  \n"a b"@office.example\nnot an address\n';
  await writeFile(path.join(dir, 'people.txt'), lines);
  for (const known of ['taro', 'TARO', 'hanako', 'jiro', '"a b"'])
    assert.equal(await ask(`${known}@office.example`), 'yes', known);
  assert.equal(await ask('saburo@office.example'), 'no');
});

test('list: @domain takes all of it', async (t) => {
  const { ask, dir } = await setUp(t, { recipients: { check: 'list', file: 'people.txt' } });
  await writeFile(path.join(dir, 'people.txt'), '@office.example\n');
  assert.equal(await ask('whoever@office.example'), 'yes');
});

test('list: a change is seen, also one within the same second and of the same size', async (t) => {
  const { ask, dir } = await setUp(t, { recipients: { check: 'list', file: 'people.txt' } });
  const file = path.join(dir, 'people.txt');
  await writeFile(file, 'taro\n');
  assert.equal(await ask('jiro@office.example'), 'no');
  const { atime, mtime } = await stat(file);
  await writeFile(file, 'jiro\n');
  await utimes(file, atime, new Date(mtime.getTime() + 1));
  assert.equal(await ask('jiro@office.example'), 'yes');
});

for (const [what, content] of [
  ['missing', undefined],
  ['empty', ''],
  ['without a usable line', '# nobody yet\n\ntwo words\n'],
] as const) {
  test(`list: a file that is ${what} answers unknown and raises an alarm until it is mended`, async (t) => {
    const { ask, dir, alarms } = await setUp(t, { recipients: { check: 'list', file: 'people.txt' } });
    const file = path.join(dir, 'people.txt');
    if (content !== undefined) await writeFile(file, content);
    assert.equal(await ask('taro@office.example'), 'unknown');
    assert.deepEqual([...alarms.keys()], [`config-refused ${file}`]);
    await writeFile(file, 'taro\n');
    assert.equal(await ask('taro@office.example'), 'yes');
    assert.equal(alarms.size, 0);
    await rm(file);
    assert.equal(await ask('taro@office.example'), 'unknown');
    assert.equal(alarms.size, 1);
  });
}

test('list: the alarm about a file ends when the domain has another, or is checked in another way', async (t) => {
  const recipients: { check: 'list' | 'any'; file: string } = { check: 'list', file: 'gone.txt' };
  const change = (to: Partial<typeof recipients>): Config =>
    configSchema.parse({
      domains: [
        { name: 'office.example', servers: [{ host: '192.0.2.1' }], recipients: Object.assign(recipients, to) },
        { name: 'branch.example', servers: [{ host: '192.0.2.1' }], recipients: { check: 'list', file: 'gone.txt' } },
      ],
    });
  let config = change({});
  const { ask, dir, alarms } = await setUp(t, { directory: { config: () => config } });
  await writeFile(path.join(dir, 'people.txt'), 'taro\n');
  assert.equal(await ask('taro@office.example'), 'unknown');
  assert.equal(await ask('taro@branch.example'), 'unknown');
  config = change({ file: 'people.txt' });
  assert.equal(await ask('taro@office.example'), 'yes');
  assert.equal(alarms.size, 1, 'the branch still has that file');
  config = change({ file: 'gone.txt' });
  await ask('taro@office.example');
  await writeFile(path.join(dir, 'gone.txt'), 'taro\n');
  await ask('taro@branch.example');
  await rm(path.join(dir, 'gone.txt'));
  await ask('taro@office.example');
  assert.equal(alarms.size, 1);
  config = change({ check: 'any' });
  await ask('taro@office.example');
  assert.equal(alarms.size, 0);
});

test('list: a domain without a file answers unknown', async (t) => {
  const { ask, alarms } = await setUp(t, { recipients: { check: 'list' } });
  assert.equal(await ask('taro@office.example'), 'unknown');
  assert.equal(alarms.size, 1);
});

test('call-ahead: an invented address is asked first, then the real one, once', async (t) => {
  const { ask, server } = await setUp(t, { directory: { invent: () => 'nobody-has-this' } });
  assert.equal(await ask('taro@office.example'), 'yes');
  assert.equal(await ask('TARO@office.example'), 'yes');
  assert.equal(await ask('jiro@office.example'), 'no');
  assert.equal(await ask('jiro@office.example'), 'no');
  assert.deepEqual(server.asked, ['nobody-has-this@office.example', 'taro@office.example', 'jiro@office.example']);
});

test('call-ahead: invented addresses differ', async (t) => {
  const one = await setUp(t);
  const two = await setUp(t);
  await one.ask('taro@office.example');
  await two.ask('taro@office.example');
  assert.notEqual(one.server.asked[0], two.server.asked[0]);
});

test('call-ahead: a server that takes all is believed for a day', async (t) => {
  const { ask, server, clock } = await setUp(t);
  server.mode = 'takes-all';
  assert.equal(await ask('taro@office.example'), 'yes');
  assert.equal(await ask('whoever@office.example'), 'yes');
  assert.equal(server.asked.length, 1);
  server.mode = 'normal';
  clock.advance(DAY);
  assert.equal(await ask('whoever@office.example'), 'no');
});

for (const mode of ['down', 'throws', 'hangs'] as const) {
  test(`call-ahead: a server that is ${mode} with a cold cache is unknown, with a warm one it is not`, async (t) => {
    const { ask, server, clock } = await setUp(t, { directory: { deadlineMs: 30 } });
    assert.equal(await ask('taro@office.example'), 'yes');
    assert.equal(await ask('jiro@office.example'), 'no');
    server.mode = mode;
    assert.equal(await ask('hanako@office.example'), 'unknown');
    clock.advance(2 * DAY);
    assert.equal(await ask('taro@office.example'), 'yes');
    assert.equal(await ask('jiro@office.example'), 'no');
    clock.advance(30 * DAY);
    assert.equal(await ask('taro@office.example'), 'unknown');
    assert.equal(await ask('jiro@office.example'), 'unknown');
  });
}

test('call-ahead: unknown is not remembered', async (t) => {
  const { ask, server } = await setUp(t);
  server.mode = 'down';
  assert.equal(await ask('taro@office.example'), 'unknown');
  server.mode = 'normal';
  assert.equal(await ask('taro@office.example'), 'yes');
});

test('call-ahead: a good answer is refreshed after 7 days while it goes on serving', async (t) => {
  const { ask, server, clock } = await setUp(t);
  await ask('taro@office.example');
  server.mailboxes.delete('taro');
  clock.advance(7 * DAY - 1);
  assert.equal(await ask('taro@office.example'), 'yes');
  assert.equal(server.asked.length, 2);
  clock.advance(1);
  assert.equal(await ask('taro@office.example'), 'yes');
  await until(() => server.asked.length === 4);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await ask('taro@office.example'), 'no');
});

test('call-ahead: a bad answer serves for 3 hours, then a new mailbox is found at once', async (t) => {
  const { ask, server, clock } = await setUp(t);
  assert.equal(await ask('jiro@office.example'), 'no');
  server.mailboxes.add('jiro');
  clock.advance(3 * HOUR - 1);
  assert.equal(await ask('jiro@office.example'), 'no');
  clock.advance(1);
  assert.equal(await ask('jiro@office.example'), 'yes');
});

test('call-ahead: a hundred who ask at once make one question', async (t) => {
  const { ask, server } = await setUp(t);
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask('taro@office.example')));
  assert.deepEqual([...new Set(answers)], ['yes']);
  assert.equal(server.asked.length, 2);
});

test('call-ahead: answers outlive a restart', async (t) => {
  const first = await setUp(t);
  await first.ask('taro@office.example');
  await first.ask('jiro@office.example');
  await first.directory[Symbol.asyncDispose]();
  assert.equal((await stat(first.file)).mode & 0o777, 0o600);
  const second = await setUp(t, { dir: first.dir });
  second.server.mode = 'down';
  assert.equal(second.directory.cached(), 2);
  assert.equal(await second.ask('taro@office.example'), 'yes');
  assert.equal(await second.ask('jiro@office.example'), 'no');
  second.clock.advance(31 * DAY);
  assert.equal(await second.ask('taro@office.example'), 'unknown');
});

test('call-ahead: a damaged cache file is a cold cache and a line in the log', async (t) => {
  const first = await setUp(t);
  await first.ask('taro@office.example');
  await first.directory[Symbol.asyncDispose]();
  const text = await readFile(first.file, 'utf8');
  for (const damaged of [text.slice(0, -5), text.replace('true', '"yes"'), '', 'null']) {
    await writeFile(first.file, damaged);
    const second = await setUp(t, { dir: first.dir });
    assert.equal(second.directory.cached(), 0);
    assert.equal(second.log.length, 1);
    assert.equal(await second.ask('taro@office.example'), 'yes');
  }
});

test('call-ahead: the cache is bounded, and guessed addresses cannot drive the good ones out', async (t) => {
  const { ask, server, directory } = await setUp(t, { directory: { cacheMax: 10 } });
  await ask('taro@office.example');
  for (let i = 0; i < 30; i += 1) await ask(`guess${i}@office.example`);
  assert.ok(directory.cached() <= 10);
  const before = server.asked.length;
  assert.equal(await ask('taro@office.example'), 'yes');
  assert.equal(server.asked.length, before);
  for (let i = 0; i < 30; i += 1) {
    server.mailboxes.add(`new${i}`);
    await ask(`new${i}@office.example`);
  }
  assert.equal(directory.cached(), 10);
});

test('an address of a domain that is not ours is unknown', async (t) => {
  const { ask } = await setUp(t);
  assert.equal(await ask('x@elsewhere.example'), 'unknown');
});
