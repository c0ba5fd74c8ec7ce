import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { it } from 'node:test';
import type { StoredMessage } from '../../src/spool/api.ts';
import { ALICE, put, queuedBy, trailerFor } from '../contracts/spool.ts';
import { memoryRig } from '../support/spool-rigs.ts';

it('a message that is read while it moves is found where it goes', async () => {
  const rig = await memoryRig();
  const spool = await rig.open();
  const id = await put(spool, rig.clock);
  await spool.recordAttempt(id, [], 'hop');
  await spool.defer(id, []); // not fresh any more: read from its file
  const read: Array<Promise<StoredMessage | undefined>> = [];
  // renamed, and not yet synced: nobody knows of the new place
  rig.files.onCall = (call, path) => {
    if (call === 'syncDirectory' && /held\/\d+$/.test(path)) read.push(spool.read(id));
  };
  await spool.move(id, 'held');
  assert.ok(read.length > 0);
  assert.equal((await read[0])?.folder, 'held');
  await spool[Symbol.asyncDispose]();
});

for (const leaves of ['is held', 'proves damaged'] as const) {
  it(`the last message of an old sub-folder ${leaves} while the janitor takes the sub-folder away`, async () => {
    const rig = await memoryRig();
    const before = await rig.open();
    const id = await put(before, rig.clock);
    const settled = await put(before, rig.clock);
    await before[Symbol.asyncDispose]();
    const spool = await rig.open(); // new mail comes into another sub-folder now
    await spool.recordAttempt(settled, [ALICE], 'hop');
    await spool.settle(settled, [{ address: ALICE, outcome: 'delivered' }]);
    const sync = rig.files.syncDirectory.bind(rig.files);
    const gone: string[] = [];
    const remove = rig.files.removeDirectory.bind(rig.files);
    rig.files.removeDirectory = async (directory) => {
      await remove(directory);
      gone.push(directory);
    };
    // it has been renamed, and where it came from is not yet synced
    rig.files.syncDirectory = async (directory) => {
      await sync(directory);
      if (/(?:held|corrupt)\/\d+$/.test(directory)) await spool.flush();
    };
    if (leaves === 'is held') await spool.move(id, 'held');
    else {
      const file = [...rig.files.tree().keys()].find((name) => name.endsWith(`${id}.msg`)) ?? '';
      rig.files.damage(file, (content) => content.fill(0, Math.floor(content.length / 2)));
      const message = await spool.read(id);
      if (message !== undefined) await buffer(spool.openBody(message)).catch(() => undefined);
    }
    assert.equal(gone.length, 1);
    assert.equal(spool.folderOf(id), leaves === 'is held' ? 'held' : 'corrupt');
    assert.equal(spool.status().fault, undefined);
    rig.cut?.();
    const after = await rig.open();
    assert.equal(after.folderOf(id), leaves === 'is held' ? 'held' : 'corrupt');
    assert.equal(after.folderOf(settled), undefined);
    await after[Symbol.asyncDispose]();
  });
}

for (const folder of ['queue', 'quarantine', 'held'] as const) {
  it(`a message that waited for inspection and was decided into ${folder} has its recipients there after a power cut`, async () => {
    const rig = await memoryRig();
    const before = await rig.open();
    const id = await put(before, rig.clock, { folder: 'incoming' });
    await before[Symbol.asyncDispose](); // that it is there, undecided, is on record now
    const spool = await rig.open();
    await spool.decide(id, [{ folder, trailer: trailerFor([ALICE]) }]);
    rig.cut(); // the file has moved, durably; what was decided is in the file, and nowhere else
    const after = await rig.open();
    assert.equal(after.folderOf(id), folder);
    const message = await after.read(id);
    assert.deepEqual(
      message?.progress.recipients.map(({ address, outcome }) => [address, outcome]),
      [[ALICE, undefined]],
    );
    if (folder !== 'queue') await after.move(id, 'queue');
    assert.deepEqual(
      queuedBy(after).map((queued) => [queued.id, queued.recipients.map(({ address }) => address)]),
      [[id, [ALICE]]],
    );
  });
}
