/**
 * What every released version left on a box is read by this one (test/support/released), and what this one makes of it could be
 * read by that version again: an update on trial may be taken back.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { KnownPeers } from '../../src/accept/known-peers.ts';
import { createAudit } from '../../src/api/audit/audit.ts';
import { passwordFits } from '../../src/api/auth/secrets.ts';
import { createTokens } from '../../src/api/auth/tokens.ts';
import { createUsers } from '../../src/api/auth/users.ts';
import { openAdminDatabase } from '../../src/api/store/database.ts';
import { openConfigStore } from '../../src/config/store.ts';
import { openRecord } from '../../src/host/record.ts';
import { parseQueueId, type QueueId } from '../../src/mail/queue-id.ts';
import { silentObserve } from '../../src/observe/events.ts';
import { createHistory } from '../../src/observe/history.ts';
import { FOLDERS } from '../../src/spool/api.ts';
import { openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import { FakeClock } from '../support/fake-clock.ts';
import type { Expected } from '../support/released/make.ts';

const RELEASED = path.join(import.meta.dirname, '../support/released');
const VERSIONS = readdirSync(RELEASED).flatMap((name) => (name.endsWith('.tar.gz') ? [name.slice(0, -7)] : []));

function unpack(context: TestContext, version: string): { dir: string; expected: Expected; clock: FakeClock } {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-released-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  execFileSync('tar', ['-xzf', path.join(RELEASED, `${version}.tar.gz`), '-C', dir, '--no-same-owner']);
  const expected = JSON.parse(readFileSync(path.join(dir, 'expected.json'), 'utf8')) as Expected;
  const clock = new FakeClock();
  clock.advance(expected.madeAt - clock.wall() + 60_000);
  return { dir, expected, clock };
}

/** Today's program has opened it: could the one that made it? */
function stillReadable(file: string, versionBefore: number): void {
  using database = new DatabaseSync(file, { readOnly: true });
  const row = database.prepare('SELECT readable_from FROM compatibility').get();
  const from = Number(row?.['readable_from']);
  assert.ok(from <= versionBefore, `${path.basename(file)}: readable from version ${from}, it was ${versionBefore}`);
}

function versionOf(file: string): number {
  using database = new DatabaseSync(file, { readOnly: true });
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}

assert.ok(VERSIONS.length > 0);
for (const version of VERSIONS) {
  test(`the configuration of ${version} is taken as it stands`, async (context) => {
    const { dir, expected, clock } = unpack(context, version);
    const store = await openConfigStore({
      file: path.join(dir, 'config.json'),
      clock,
      fallBack: true,
      onRefused: (problems) => assert.fail(JSON.stringify(problems)),
    });
    assert.equal(store.current().hostname, expected.config.hostname);
    assert.equal(store.current().domains[0]?.recipients.check, expected.config.recipients);
    assert.ok((await store.generations()).length >= 3);
  });

  test(`the spool of ${version} is opened with every message, whole, and what was done with it`, async (context) => {
    const { dir, expected, clock } = unpack(context, version);
    await using spool = await openSpool({
      root: path.join(dir, 'spool'),
      files: diskFiles(),
      openDatabase: openLevelDatabase,
      clock,
      observe: silentObserve,
      limits: () => ({ floorOctets: 0, floorPercent: 0 }),
      create: false,
      onFault: (error) => assert.fail(error),
    });
    const found: Expected['spool'] = {};
    for (const folder of FOLDERS) {
      for (const { id } of await spool.list(folder)) {
        const message = await spool.read(id);
        assert.ok(message, id);
        const body = await buffer(spool.openBody(message));
        const open = message.progress.recipients.filter(({ outcome }) => outcome === undefined);
        found[createHash('sha256').update(body).digest('hex')] = { folder, open: open.map(({ address }) => address) };
      }
    }
    assert.deepEqual(found, expected.spool);
    const { lost, corrupt, databaseRebuilt } = spool.status().recovery;
    assert.deepEqual({ lost, corrupt, databaseRebuilt }, { lost: 0, corrupt: 0, databaseRebuilt: false });
  });

  test(`the users, tokens and audit of ${version} hold`, async (context) => {
    const { dir, expected, clock } = unpack(context, version);
    const file = path.join(dir, 'admin', 'admin.sqlite');
    const before = versionOf(file);
    const store = openAdminDatabase(path.join(dir, 'admin'));
    const now = (): number => clock.wall();
    const users = createUsers(store, now);
    const user = users.byName(expected.admin.user);
    assert.ok(await passwordFits(expected.admin.password, user?.password));
    assert.ok(users.useRecoveryCode(user?.id ?? '', expected.admin.recoveryCode));
    assert.equal(createTokens(store, users, now).find(expected.admin.token)?.user.name, expected.admin.user);
    const audit = createAudit(store, now);
    audit.write({ actor: 'hanako', address: '', action: 'x', target: '', outcome: 'ok', detail: {} });
    const { ok, entries } = audit.verify();
    assert.deepEqual({ ok, entries }, { ok: true, entries: expected.admin.auditEntries + 1 });
    store.close();
    stillReadable(file, before);
  });

  test(`the history of ${version} is searched`, async (context) => {
    const { dir, expected, clock } = unpack(context, version);
    const file = path.join(dir, 'history', 'history.sqlite');
    const before = versionOf(file);
    const history = createHistory({
      file,
      days: 400,
      subjects: true,
      clock,
      askMs: 60_000,
      onFault: (detail) => assert.equal(detail, undefined),
    });
    const { id, subject, state } = expected.history;
    const { rows } = await history.search({ text: subject });
    assert.deepEqual(
      rows.map((row) => [row.id, row.subject, row.state]),
      [[id, subject, state]],
    );
    assert.ok(await history.trail(parseQueueId(id) as QueueId));
    await history[Symbol.asyncDispose]();
    stillReadable(file, before);
  });

  test(`the known peers and the machine's record of ${version} are read`, async (context) => {
    const { dir, expected, clock } = unpack(context, version);
    clock.advance(24 * 3_600_000);
    await using peers = await KnownPeers.open({
      clock,
      observe: silentObserve,
      file: path.join(dir, 'known-peers.json'),
    });
    assert.ok(peers.size === 1 && peers.knows(expected.knownPeer));
    const record = openRecord(path.join(dir, 'host'));
    assert.deepEqual([record.damage, record.claimed()], [undefined, true]);
    assert.equal(record.current().network?.hostname, expected.network);
  });
}
