import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { StoredMessage } from '../../src/spool/api.ts';
import { put } from '../contracts/spool.ts';
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
