/** A stopped or dead box's folder: looked into without changing it, its mail carried to another box, each message once. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { checkSpool } from '../../src/spool/offline/check.ts';
import { exportSpool } from '../../src/spool/offline/export.ts';
import { importSpool } from '../../src/spool/offline/import.ts';
import { rebuildSpool } from '../../src/spool/offline/rebuild.ts';
import { ALICE, BOB, BODY, put, queuedBy } from '../contracts/spool.ts';
import { diskRig } from '../support/spool-rigs.ts';

type DiskRig = Awaited<ReturnType<typeof diskRig>>;

function with_(title: string, work: (rig: DiskRig, scratch: string) => Promise<void>): void {
  it(title, { timeout: 60_000 }, async () => {
    const rig = await diskRig();
    const scratch = await mkdtemp(path.join(tmpdir(), 'sekisho-offline-'));
    try {
      await work(rig, scratch);
    } finally {
      await rig.dispose();
      await rm(scratch, { recursive: true, force: true });
    }
  });
}

async function fingerprint(root: string): Promise<string> {
  const names = (await readdir(root, { recursive: true })).toSorted();
  const hash = createHash('sha256');
  for (const name of names) {
    const octets = await readFile(path.join(root, name)).catch(() => Buffer.from('folder'));
    hash.update(`${name}\n`).update(octets);
  }
  return hash.digest('hex');
}

async function messageFile(root: string, id: string): Promise<string> {
  const found = (await readdir(root, { recursive: true })).find((name) => name.endsWith(`${id}.msg`));
  assert.ok(found, `${id} lies in the spool`);
  return path.join(root, found);
}

async function flipByte(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  const position = at < 0 ? (await handle.stat()).size + at : at;
  await handle.read(byte, 0, 1, position);
  byte[0] = (byte[0] ?? 0) ^ 0x20;
  await handle.write(byte, 0, 1, position);
  await handle.close();
}

describe('spool check', () => {
  with_('finds a clean spool whole and does not change an octet of it', async (rig) => {
    const spool = await rig.open();
    for (const folder of ['queue', 'held', 'quarantine', 'incoming'] as const) await put(spool, rig.clock, { folder });
    await spool[Symbol.asyncDispose]();
    const before = await fingerprint(rig.root);
    const found = await checkSpool(rig.root);
    assert.equal(found.ok, true);
    assert.equal(found.cleanStop, true);
    assert.equal(found.database.state, 'whole');
    assert.deepEqual(found.folders.queue, { files: 1, octets: BODY.length });
    assert.deepEqual(found.folders.incoming.files, 1);
    assert.equal(await fingerprint(rig.root), before);
  });

  with_('names the message whose body was altered by one bit', async (rig) => {
    const spool = await rig.open();
    const good = await put(spool, rig.clock);
    const bad = await put(spool, rig.clock);
    await spool[Symbol.asyncDispose]();
    const file = await messageFile(rig.root, bad);
    await flipByte(file, (await readFile(file)).indexOf('Hello'));
    const found = await checkSpool(rig.root);
    assert.deepEqual(found.damaged, [bad]);
    assert.equal(found.ok, false);
    assert.equal(found.folders.queue.files, 2, `${good} is still counted`);
  });

  with_('tells a database that lost its records and one that is gone', async (rig) => {
    const spool = await rig.open();
    await put(spool, rig.clock);
    await spool[Symbol.asyncDispose]();
    await writeFile(path.join(rig.root, 'sequence'), JSON.stringify({ database: 999_999, message: 1 }));
    assert.equal((await checkSpool(rig.root)).database.state, 'behind');
    await rm(path.join(rig.root, 'level'), { recursive: true });
    const found = await checkSpool(rig.root);
    assert.equal(found.database.state, 'missing');
    assert.equal(found.requeued, 1);
  });

  with_('refuses a spool that is open, and a folder that is none', async (rig, scratch) => {
    const spool = await rig.open();
    await put(spool, rig.clock);
    await assert.rejects(checkSpool(rig.root), { code: 'SPOOL_IN_USE' });
    await assert.rejects(rebuildSpool(rig.root), { code: 'SPOOL_IN_USE' });
    await assert.rejects(checkSpool(scratch), { code: 'SPOOL_MISSING' });
  });
});

describe('spool rebuild', () => {
  with_('makes the database anew, keeps the old one, and every message flows on', async (rig) => {
    const spool = await rig.open();
    const id = await put(spool, rig.clock, { to: [ALICE, BOB] });
    await spool.settle(id, [{ address: ALICE, outcome: 'delivered' }]);
    await spool[Symbol.asyncDispose]();
    const told = await rebuildSpool(rig.root);
    assert.equal(told.requeued, 1);
    assert.equal((await readdir(path.join(rig.root, 'inquiry'))).length, 1);
    const again = await rig.open();
    const queued = queuedBy(again);
    assert.deepEqual(
      queued.map((one) => one.recipients.map(({ address }) => address)),
      [[ALICE, BOB]],
      'the price: who was served may be served again',
    );
    assert.equal(again.status().recovery.databaseRebuilt, false, 'the next start finds it whole');
  });
});

describe('spool export and import', () => {
  with_('carries the mail of a dead box to another one, for those who still wait', async (dead, scratch) => {
    const spool = await dead.open();
    const both = await put(spool, dead.clock, { to: [ALICE, BOB] });
    await spool.settle(both, [{ address: ALICE, outcome: 'delivered' }]);
    const done = await put(spool, dead.clock);
    await spool.settle(done, [{ address: ALICE, outcome: 'delivered' }]);
    const waiting = await put(spool, dead.clock, { folder: 'incoming' });
    const jailed = await put(spool, dead.clock, { folder: 'quarantine' });
    await spool.flush();
    await dead.kill();
    // in this one process a killed spool goes on noting how far it came: its folder is looked at as it was now
    const root = path.join(scratch, 'dead');
    await cp(dead.root, root, { recursive: true, filter: (name) => path.basename(name) !== 'tmp' });
    await mkdir(path.join(root, 'tmp'));
    const to = path.join(scratch, 'exported');
    await mkdir(to);
    const before = await fingerprint(root);

    const told = await exportSpool(root, { to });
    assert.deepEqual([told.exported, told.damaged], [3, []]);
    assert.equal(await fingerprint(root), before, 'the dead box is as it was');
    assert.deepEqual(await readFile(path.join(to, `${both}.eml`)), BODY);

    const other = await diskRig();
    try {
      await (await other.open())[Symbol.asyncDispose]();
      assert.deepEqual(await importSpool(other.root, { from: to }), { imported: 3, already: 0, refused: [] });
      assert.deepEqual(await importSpool(other.root, { from: to }), { imported: 0, already: 3, refused: [] });
      const there = await other.open();
      assert.deepEqual(
        queuedBy(there).map((one) => [one.id, one.recipients.map(({ address }) => address)]),
        [[both, [BOB]]],
      );
      assert.equal(there.folderOf(waiting), 'incoming');
      assert.equal(there.folderOf(jailed), 'quarantine');
      const message = await there.read(both);
      assert.ok(message);
      assert.deepEqual(await buffer(there.openBody(message)), BODY);
    } finally {
      await other.dispose();
    }
  });

  with_('brings a bounce out beside the message it is about', async (dead, scratch) => {
    const spool = await dead.open();
    const id = await put(spool, dead.clock, { to: [ALICE, BOB] });
    await spool.bounce(id, [{ address: ALICE, outcome: 'bounced', reply: '550 no' }], {
      attempt: 1,
      transaction: {
        ...(await spool.read(id).then((message) => {
          assert.ok(message);
          const { origin, arrival } = message.preamble;
          return { origin, arrival };
        })),
        envelope: {
          reversePath: '' as never,
          recipients: [{ address: BOB }],
          smtpUtf8: false,
          eightBit: false,
        },
      },
      message: BODY,
    });
    await dead.kill();
    assert.equal((await exportSpool(dead.root, { to: scratch })).exported, 2);
    const other = await diskRig();
    try {
      await (await other.open())[Symbol.asyncDispose]();
      assert.equal((await importSpool(other.root, { from: scratch })).imported, 2);
      const queued = queuedBy(await other.open());
      assert.deepEqual(queued.map(({ kind }) => kind).toSorted(), ['dsn', 'mail']);
    } finally {
      await other.dispose();
    }
  });

  with_('copies what is damaged as it lies, and refuses to take in what was changed', async (dead, scratch) => {
    const spool = await dead.open();
    const good = await put(spool, dead.clock);
    const bad = await put(spool, dead.clock);
    await spool[Symbol.asyncDispose]();
    await flipByte(await messageFile(dead.root, bad), -1);
    const told = await exportSpool(dead.root, { to: scratch });
    assert.deepEqual([told.exported, told.damaged], [1, [bad]]);
    assert.ok((await readFile(path.join(scratch, `${bad}.damaged`))).includes('Hello'));

    await flipByte(path.join(scratch, `${good}.eml`), 0);
    const other = await diskRig();
    try {
      await (await other.open())[Symbol.asyncDispose]();
      assert.deepEqual(await importSpool(other.root, { from: scratch }), {
        imported: 0,
        already: 0,
        refused: [`${good}.json`],
      });
      await flipByte(path.join(scratch, `${good}.eml`), 0);
      const json = path.join(scratch, `${good}.json`);
      const forged = (await readFile(json, 'utf8')).replaceAll(ALICE, 'nobody at all');
      await writeFile(json, forged);
      assert.deepEqual((await importSpool(other.root, { from: scratch })).refused, [`${good}.json`]);
    } finally {
      await other.dispose();
    }
  });
});
