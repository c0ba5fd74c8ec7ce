/**
 * The owner's lists for the spam filter, fetched from a real HTTP server and used by the real rspamd: off until set, in effect within
 * seconds and without a restart, an error page, half a list and lists that rspamd does not take change nothing.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { rspamdMaps } from '../../scripts/engines/engines.ts';
import { ownSources } from '../../src/host/network-files.ts';
import { openRecord, type RecordFile } from '../../src/host/record.ts';
import { askRspamd } from '../../src/host/rspamd-ask.ts';
import { createSpamMaps, entriesOf, type SpamMaps } from '../../src/host/spam-maps.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type Rspamd, startRspamd } from '../support/rspamd.ts';

interface World {
  dir: string;
  rspamd: Rspamd;
  server: Server;
  source: string;
  files: Map<string, string>;
  asked: string[];
  record: RecordFile;
  clock: FakeClock;
  maps: SpamMaps;
  folder: string;
}
let world: World;

before(async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-maps-'));
  chmodSync(dir, 0o755);
  const folder = path.join(dir, 'maps');
  mkdirSync(folder, { mode: 0o755 });
  const rspamd = await startRspamd({ dir });
  // where its configuration looks
  symlinkSync(path.join(folder, 'current'), rspamdMaps(rspamd.layout));
  const files = new Map<string, string>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const text = files.get(request.url ?? '');
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const source = `http://127.0.0.1:${(server.address() as AddressInfo).port}/lists`;
  const record = openRecord(path.join(dir, 'state'));
  const clock = new FakeClock();
  const reload = (): Promise<void> => Promise.resolve(void process.kill(rspamd.child().pid, 'SIGHUP'));
  const make = (proofMs: number, socket: string): SpamMaps =>
    createSpamMaps({ record, clock, folder, socket, reload, proofMs, log: () => undefined });
  world = { dir, rspamd, server, source, files, asked, record, clock, folder, maps: make(120_000, rspamd.socket) };
});
after(async () => {
  world.server.close();
  await world.rspamd[Symbol.asyncDispose]();
  rmSync(world.dir, { recursive: true, force: true });
});

const hits = async (sender: string, link: string): Promise<string[]> =>
  [...(await askRspamd(world.rspamd.socket, { sender, link }, 60_000))]
    .filter((name) => name.startsWith('OWNER_'))
    .toSorted();

test('without a source nobody is asked and nothing hits', async () => {
  await world.maps.update();
  assert.deepEqual(world.asked, []);
  assert.deepEqual(world.maps.show(), { settings: { source: '', maps: [] }, current: [] });
  assert.deepEqual(await hits('a@bad-one.jp', 'worse-one.com'), []);
});

test('what the owner’s server has is in effect when the job ends, what it had no more, and off empties it', async () => {
  const { maps, files, source } = world;
  await maps.set({ source: `${source}/`, maps: ['link-domains', 'sender-domains'] });
  files.set('/lists/link-domains', '# ours\r\nWorse-One.com # since Monday\r\n\r\nevil-one.co.jp\r\n');
  files.set('/lists/sender-domains', 'bad-one.jp\n');
  await maps.update();
  assert.deepEqual(maps.show().current, [
    { name: 'link-domains', entries: 2 },
    { name: 'sender-domains', entries: 1 },
  ]);
  assert.equal(maps.show().lastFetch?.ok, true);
  assert.deepEqual(await hits('a@mail.bad-one.jp', 'www.evil-one.co.jp/x?y'), [
    'OWNER_LINK_DOMAIN',
    'OWNER_SENDER_DOMAIN',
  ]);
  assert.deepEqual(await hits('a@good-one.jp', 'good-one.co.jp'), []);
  const set = readdirSync(world.folder).filter((name) => name.startsWith('set-'));
  world.clock.advance(3_600_000);
  await maps.update();
  assert.deepEqual(
    readdirSync(world.folder).filter((name) => name.startsWith('set-')),
    set,
    'the same again writes nothing',
  );

  // one list ends: the one before must go out of rspamd's memory, too
  await maps.set({ source, maps: ['sender-domains'] });
  world.clock.advance(3_600_000);
  await maps.update();
  assert.deepEqual(await hits('a@bad-one.jp', 'evil-one.co.jp'), ['OWNER_SENDER_DOMAIN']);
});

test('an error page, half a list, a missing one, and lists that rspamd does not take change nothing', async () => {
  const { maps, files, record, folder, clock } = world;
  await maps.set({ source: world.source, maps: ['link-domains', 'sender-domains'] });
  // beside the mark, which each set has of its own
  const inUse = (): string[] => readFileSync(path.join(folder, 'current/sender-domains'), 'utf8').split('\n').slice(1);
  const good = inUse();
  const refused = async (why: RegExp, of: SpamMaps = maps): Promise<void> => {
    clock.advance(3_600_000);
    await assert.rejects(of.update(), why);
    assert.equal(of.show().lastFetch?.ok, false);
    assert.match(of.show().lastFetch?.detail ?? '', why);
    assert.deepEqual(inUse(), good);
  };
  files.set('/lists/sender-domains', '<html><body>Sorry</body></html>');
  await refused(/"sender-domains" line 1 is no domain/);
  files.set('/lists/sender-domains', '');
  await refused(/"sender-domains" is empty/);
  files.set('/lists/sender-domains', 'new-one.jp\n');
  files.delete('/lists/link-domains');
  await refused(/link-domains answers 404/);
  files.set('/lists/link-domains', 'x'.repeat(5 * 1024 * 1024));
  await refused(/larger than/);
  files.set('/lists/link-domains', '# none at the moment\n');
  const deaf = createSpamMaps({
    record,
    clock,
    folder,
    socket: path.join(world.dir, 'nobody.sock'),
    reload: () => Promise.resolve(),
    proofMs: 1_000,
    log: () => undefined,
  });
  await refused(/does not use them as it should/, deaf);
  assert.deepEqual(deaf.show().current, [{ name: 'sender-domains', entries: 1 }], 'the last good ones');
});

test('a line is a domain or the list is refused; the port of an own source is opened, and only that one', () => {
  assert.deepEqual(entriesOf('a.example\nA.example\n#x\n', 'x'), ['a.example']);
  for (const bad of [
    'example',
    'a b.example',
    'http://a.example/',
    '.example',
    'a..example',
    '1.2.3.4/8',
    'a.example\0',
  ])
    assert.throws(() => entriesOf(`${bad}\n`, 'x'), { code: 'MAPS_BAD' }, bad);
  const signatures = { source: 'internet', window: { from: 3, to: 5 }, mode: 'auto' } as const;
  const flush = 'flush set inet sekisho own_sources\n';
  const sets = (wanted: object, source = ''): string =>
    ownSources({ signatures: { ...signatures, ...wanted }, maps: { source } });
  assert.equal(sets({}), flush);
  const proxy = { host: 'p.example', port: 3128 };
  assert.equal(
    sets({ source: 'mirror', mirror: 'http://m.example:8080/x', proxy }, 'https://l.example:8443/'),
    `${flush}add element inet sekisho own_sources { "clamav" . 8080, "clamav" . 3128, 0 . 8443 }\n`,
  );
  assert.equal(sets({ source: 'offline', mirror: 'http://m.example:8080/x', proxy }), flush);
  assert.equal(sets({}, 'http://l.example/'), `${flush}add element inet sekisho own_sources { 0 . 80 }\n`);
});
