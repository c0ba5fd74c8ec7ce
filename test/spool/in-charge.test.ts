/** Two hands on one message, or on one file: whoever was first is in charge, and what he did stands. */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { it } from 'node:test';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { silentObserve } from '../../src/observe/events.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { ALICE, BOB, put, queuedBy, transaction } from '../contracts/spool.ts';
import { type MemoryRig, memoryRig } from '../support/spool-rigs.ts';

const GONE = [{ address: ALICE, outcome: 'expired' as const, reply: '4.4.7 Too old' }];

function notice(rig: MemoryRig, attempt: number): Parameters<SpoolStore['bounce']>[2] {
  return {
    attempt,
    transaction: transaction(rig.clock, [BOB]),
    message: Buffer.from('Subject: late\r\n\r\nLate.\r\n'),
  };
}

it('a message given up in the middle of a slow write keeps its file open until that is over', async () => {
  const rig = await memoryRig();
  const spool = await rig.open();
  const create = rig.files.create.bind(rig.files);
  const disk = Promise.withResolvers<void>();
  const story: string[] = [];
  rig.files.create = async (path) => {
    const file = await create(path);
    if (!path.endsWith('.draft')) return file;
    const write: typeof file.write = async (buffers) => {
      story.push('write begins');
      await disk.promise;
      await file.write(buffers);
      story.push('write ends');
    };
    const close: typeof file.close = async () => {
      story.push('close');
      await file.close();
    };
    return { ...file, write, close };
  };
  const draft = await spool.begin(transaction(rig.clock, [ALICE]));
  const written = draft.write(Buffer.alloc(300 * 1024, 'x'));
  await new Promise(setImmediate);
  const given = draft.abort();
  await new Promise(setImmediate);
  assert.deepEqual(story, ['write begins']);
  disk.resolve();
  await Promise.allSettled([written, given]);
  assert.deepEqual(story, ['write begins', 'write ends', 'close']);
  assert.equal(spool.bodies().coming.used, 0);
  assert.ok(![...rig.files.tree().keys()].some((path) => path.endsWith('.draft')));
  await spool[Symbol.asyncDispose]();
});

const TAKEN: Array<[how: string, take: (spool: SpoolStore, id: QueueId) => Promise<unknown>]> = [
  ['was held', (spool, id) => spool.move(id, 'held', { why: 'operator' })],
  ['was deleted', (spool, id) => spool.remove(id, 'deleted')],
];

for (const [how, take] of TAKEN) {
  it(`what ${how} while it was about to be given up is neither bounced nor settled, and its file stays`, async () => {
    const rig = await memoryRig();
    const spool = await rig.open();
    const id = await put(spool, rig.clock);
    await take(spool, id);
    await assert.rejects(spool.bounce(id, GONE, notice(rig, 1)), { code: 'WRONG_STATE' });
    await assert.rejects(spool.settle(id, GONE), { code: 'WRONG_STATE' });
    await spool.flush();
    const message = await spool.read(id);
    assert.ok(message !== undefined);
    assert.deepEqual(
      message.progress.recipients.map(({ outcome }) => outcome),
      [undefined],
    );
    assert.ok((await buffer(spool.openBody(message))).length > 0);
    assert.equal(spool.count('queue'), 0);
    await spool[Symbol.asyncDispose]();
  });
}

it('two notices of one message counted at the same moment have two names, although the first is delivered already', async () => {
  const rig = await memoryRig();
  const spool = await rig.open();
  const id = await put(spool, rig.clock, { to: [ALICE, BOB] });
  const queued = queuedBy(spool);
  const first = await spool.bounce(id, GONE, notice(rig, 1));
  await spool.settle(first, [{ address: BOB, outcome: 'delivered' }]); // its file goes within a moment
  const second = await spool.bounce(id, [{ address: BOB, outcome: 'bounced' }], notice(rig, 1));
  assert.notEqual(second, first);
  await spool.flush();
  const message = await spool.read(second);
  assert.ok(message !== undefined);
  assert.match(String(await buffer(spool.openBody(message))), /Late/);
  assert.ok(queued.some((one) => one.id === second));
  await spool[Symbol.asyncDispose]();
});

it('a message that proved damaged while it was delivered can be deleted', async () => {
  const rig = await memoryRig();
  const before = await rig.open();
  const id = await put(before, rig.clock);
  await before[Symbol.asyncDispose]();
  const spool = await rig.open();
  await spool.recordAttempt(id, [ALICE], 'hop');
  const file = [...rig.files.tree().keys()].find((name) => name.endsWith(`${id}.msg`)) ?? '';
  rig.files.damage(file, (content) => content.fill(0, Math.floor(content.length / 2)));
  assert.equal(await spool.read(id), undefined);
  assert.equal(spool.folderOf(id), 'corrupt');
  await spool.remove(id, 'deleted');
  assert.equal(spool.count('corrupt'), 0);
  await spool[Symbol.asyncDispose]();
});

it('what is wrong with held and damaged mail is told again after a start, and when its deletion is undone', async () => {
  const told: string[] = [];
  const rig = await memoryRig({
    observe: { ...silentObserve, raise: (alarm, key) => void told.push(`${alarm} ${key}`) },
  });
  const before = await rig.open();
  const [back, held, damaged, queued] = [
    await put(before, rig.clock),
    await put(before, rig.clock),
    await put(before, rig.clock),
    await put(before, rig.clock),
  ];
  await before.move(back, 'held', { why: 'undeliverable' });
  await before.move(held, 'held', { why: 'operator' });
  await before[Symbol.asyncDispose]();
  const file = [...rig.files.tree().keys()].find((name) => name.endsWith(`${damaged}.msg`)) ?? '';
  rig.files.damage(file, (content) => content.fill(0, Math.floor(content.length / 2)));
  const between = await rig.open();
  assert.equal(await between.read(damaged), undefined);
  await between[Symbol.asyncDispose]();

  told.length = 0;
  const spool = await rig.open();
  assert.deepEqual(told.toSorted(), [`corrupt-message ${damaged}`, `undeliverable ${back}`]);
  told.length = 0;
  for (const id of [back, held, damaged, queued]) await spool.remove(id, 'deleted');
  for (const id of [back, held, damaged, queued]) await spool.undelete(id);
  assert.deepEqual(told.toSorted(), [`corrupt-message ${damaged}`, `undeliverable ${back}`]);
  for (const id of [back, held, damaged, queued]) await spool.remove(id, 'deleted');
  await spool[Symbol.asyncDispose]();
  told.length = 0;
  const after = await rig.open();
  assert.deepEqual(told, []);
  await after[Symbol.asyncDispose]();
});
