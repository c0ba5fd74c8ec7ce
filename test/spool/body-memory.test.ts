/** How many octets of bodies the spool keeps in memory, and that memory used again never shows one mail in another. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { BLOCK, BodyMemory, MEMORY_BUDGET } from '../../src/spool/body-memory.ts';
import type { Draft } from '../../src/spool/api.ts';
import { FRESH_OCTETS } from '../../src/spool/fresh.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { memoryRig } from '../support/spool-rigs.ts';
import { ALICE, transaction, trailerFor } from '../contracts/spool.ts';

const KIB = 1024;
/** One more than this may be on its way when the budget is full: the piece that filled it. */
const PIECE = 64 * KIB;

/** Gives the same memory for every piece, as the socket does, and spoils it behind each. */
async function write(draft: Draft, octets: Buffer): Promise<void> {
  const lent = Buffer.alloc(PIECE);
  for (let at = 0; at < octets.length; at += PIECE) {
    const length = octets.copy(lent, 0, at, at + PIECE);
    const waiting = draft.write(lent.subarray(0, length));
    lent.fill(0xee);
    await waiting;
  }
}

async function all(octets: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of octets) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

test('two hundred mails on their way in at once keep no more than the budget in memory, and every octet is there', async () => {
  await using stack = new AsyncDisposableStack();
  const rig = await memoryRig();
  stack.defer(() => rig.dispose());
  const store = await rig.open();
  const { coming } = store.bodies();
  const sizes = [1, 90, 97, 200, 256, 257, 300, 700].map((size) => size * KIB + 13);
  const mails = Array.from({ length: 200 }, (_, at) => Buffer.alloc(sizes[at % sizes.length] ?? 0, `mail ${at} `));
  const drafts = await Promise.all(mails.map(() => store.begin(transaction(rig.clock, [ALICE]))));
  for (const [at, draft] of drafts.entries()) await write(draft, mails[at] ?? Buffer.alloc(0));
  assert.ok(coming.most > MEMORY_BUDGET / 2, `${coming.most} octets were in memory at most`);
  assert.ok(coming.most <= MEMORY_BUDGET + PIECE, `${coming.most} octets were in memory at most`);
  for (const [at, draft] of drafts.entries()) {
    const source = await draft.seal();
    assert.ok((await all(source.stream())).equals(mails[at] ?? Buffer.alloc(0)), `mail ${at} of ${mails[at]?.length}`);
    if (at % 2 === 0) await draft.abort();
    else await draft.commit('queue', trailerFor([ALICE]));
    assert.ok(store.bodies().fresh <= FRESH_OCTETS);
  }
  assert.equal(coming.used, 0);
});

test('a mail that is being inspected keeps its octets while others come into the memory it was gathered in', async () => {
  await using stack = new AsyncDisposableStack();
  const rig = await memoryRig();
  stack.defer(() => rig.dispose());
  const store = await rig.open();
  const mails = [110, 250, 96, 180].map((size, at) => Buffer.alloc(size * KIB + 7, `mail ${at} `));
  const sealed = [];
  for (const mail of mails) {
    const draft = await store.begin(transaction(rig.clock, [ALICE]));
    await write(draft, mail);
    sealed.push({ draft, mail, source: await draft.seal() });
  }
  for (const { draft, mail, source } of sealed) {
    assert.ok((await all(source.stream())).equals(mail));
    await draft.commit('queue', trailerFor([ALICE]));
    const message = await store.read(draft.id);
    assert.ok(message !== undefined);
    assert.ok((await all(store.openBody(message))).equals(mail));
  }
});

test('mails that go out one beside the other in lent memory are each its own', async () => {
  await using stack = new AsyncDisposableStack();
  const rig = await memoryRig();
  stack.defer(() => rig.dispose());
  const store = await rig.open();
  const mails = Array.from({ length: 12 }, (_, at) => randomBytes(300 * KIB + at * 100 * KIB));
  const ids: QueueId[] = [];
  for (const mail of mails) {
    const draft = await store.begin(transaction(rig.clock, [ALICE]));
    await write(draft, mail);
    await draft.seal();
    const cuts: Array<[number, number]> = [
      [10, 20],
      [256 * KIB - 5, 256 * KIB + 5],
    ];
    await draft.commit('queue', { decisions: [], variants: [{ recipients: [ALICE], prefix: 'X: y\r\n', cuts }] });
    ids.push(draft.id);
  }
  const { leaving } = store.bodies();
  const read = async (id: QueueId): Promise<Buffer> => {
    const message = await store.read(id);
    assert.ok(message !== undefined);
    const body = store.openVariant(message, 0);
    const pieces: Buffer[] = [];
    for await (const piece of body) {
      await new Promise(setImmediate);
      pieces.push(Buffer.from(piece));
      body.taken?.();
    }
    body.taken?.();
    return Buffer.concat(pieces);
  };
  for (let round = 0; round < 3; round += 1) {
    const out = await Promise.all(ids.map(read));
    for (const [at, mail] of mails.entries()) {
      const parts = [Buffer.from('X: y\r\n'), mail.subarray(0, 10), mail.subarray(20, 256 * KIB - 5)];
      assert.ok(out[at]?.equals(Buffer.concat([...parts, mail.subarray(256 * KIB + 5)])), `mail ${at}, round ${round}`);
    }
  }
  assert.equal(leaving.used, 0);
  assert.ok(leaving.most <= 2 * mails.length * BLOCK, `${leaving.most} octets at most`);
});

test('who leaves a mail in the middle, and who never says that he let go, costs no place', async () => {
  await using stack = new AsyncDisposableStack();
  const rig = await memoryRig();
  stack.defer(() => rig.dispose());
  const store = await rig.open();
  const draft = await store.begin(transaction(rig.clock, [ALICE]));
  await write(draft, randomBytes(1024 * KIB));
  await draft.seal();
  await draft.commit('queue', trailerFor([ALICE]));
  const message = await store.read(draft.id);
  assert.ok(message !== undefined);
  for (let at = 0; at < 40; at += 1) {
    let pieces = 0;
    for await (const _piece of store.openVariant(message, 0)) if ((pieces += 1) > at % 5) break;
  }
  assert.equal(store.bodies().leaving.used, 0);
});

test('beyond the budget there is no block, and a lost one is not lent again', () => {
  const memory = new BodyMemory();
  const blocks = Array.from({ length: MEMORY_BUDGET / BLOCK }, () => memory.take());
  assert.ok(blocks.every((block) => block?.length === BLOCK));
  assert.equal(memory.take(), undefined);
  memory.lose();
  const next = memory.take();
  assert.ok(next !== undefined && !blocks.includes(next));
  memory.give(next);
  assert.equal(memory.take(), next);
});
