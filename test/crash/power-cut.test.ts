/**
 * The power goes at every single call of a scripted run, in turn: each write, sync, rename, directory sync, unlink and
 * database batch is once the last one that happened. After it only what was synced is left. Whatever was promised before
 * the cut must be there, whole, and no recipient who was settled durably may be served again.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { it } from 'node:test';
import type { ForwardPath } from '../../src/mail/address.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { FOLDERS } from '../../src/spool/api.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { ALICE, BOB, CAROL, put, transaction } from '../contracts/spool.ts';
import { failure } from '../support/memory-files.ts';
import { type MemoryRig, memoryRig } from '../support/spool-rigs.ts';

/** What was promised to the outside so far: per message, the recipients still owed, and the SHA-256 of its body. */
interface Promised {
  owed: Map<string, { sha: string; recipients: Set<ForwardPath> }>;
  /** Settlements whose promise was kept: never again. */
  settled: Set<string>;
}

function sha(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

/** Bodies differ, so that each family is known by its hash. */
async function script(rig: MemoryRig, spool: SpoolStore, promised: Promised): Promise<void> {
  const owe = (body: Buffer, recipients: readonly ForwardPath[]): void => {
    promised.owed.set(sha(body), { sha: sha(body), recipients: new Set(recipients) });
  };
  const done = (body: Buffer, recipient: ForwardPath): void => {
    promised.owed.get(sha(body))?.recipients.delete(recipient);
    promised.settled.add(`${sha(body)} ${recipient}`);
  };
  const small = Buffer.from('one\r\n');
  const large = Buffer.alloc(3_400_000, 'large '); // above what stays in memory
  const many = Buffer.from('many\r\n');
  const kept = Buffer.from('quarantined\r\n');
  const late = Buffer.from('incoming\r\n');
  const bounced = Buffer.from('bounced\r\n');
  const dsn = Buffer.from('report\r\n');

  const first = await put(spool, rig.clock, { body: small });
  owe(small, [ALICE]);
  await put(spool, rig.clock, { body: large });
  owe(large, [ALICE]);
  await spool.recordAttempt(first, [ALICE], 'hop');
  await spool.settle(first, [{ address: ALICE, outcome: 'delivered' }]);
  done(small, ALICE);
  const shared = await put(spool, rig.clock, { body: many, to: [ALICE, BOB, CAROL] });
  owe(many, [ALICE, BOB, CAROL]);
  await spool.recordAttempt(shared, [ALICE, BOB, CAROL], 'hop');
  await spool.settle(shared, [{ address: BOB, outcome: 'delivered' }]);
  done(many, BOB);
  await spool.defer(shared, [
    { address: ALICE, reply: '450', wait: 60_000 },
    { address: CAROL, reply: '450', wait: 60_000 },
  ]);
  const held = await spool.move(shared, 'held', { recipients: [ALICE] });
  await spool.move(held, 'queue');
  const quarantined = await put(spool, rig.clock, { body: kept, folder: 'quarantine', to: [ALICE, BOB] });
  owe(kept, [ALICE, BOB]);
  const released = await spool.move(quarantined, 'queue', { recipients: [ALICE] });
  await spool.recordAttempt(released, [ALICE], 'hop');
  await spool.settle(released, [{ address: ALICE, outcome: 'delivered' }]);
  done(kept, ALICE);
  const waiting = await put(spool, rig.clock, { body: late, folder: 'incoming', to: [ALICE, BOB] });
  owe(late, []); // its recipients are known to the envelope only; the body must stay
  await spool.countTry(waiting);
  await spool.decide(waiting, [
    { folder: 'queue', trailer: { decisions: [], variants: [{ recipients: [ALICE], prefix: '', cuts: [] }] } },
    { folder: 'quarantine', trailer: { decisions: [], variants: [{ recipients: [BOB], prefix: '', cuts: [] }] } },
  ]);
  owe(late, [ALICE, BOB]);
  const dead = await put(spool, rig.clock, { body: bounced, to: [ALICE, BOB] });
  owe(bounced, [ALICE, BOB]);
  await spool.recordAttempt(dead, [ALICE, BOB], 'hop');
  await spool.bounce(dead, [{ address: ALICE, outcome: 'bounced' }], {
    attempt: 1,
    transaction: transaction(rig.clock, [CAROL]),
    message: dsn,
  });
  done(bounced, ALICE);
  owe(dsn, [CAROL]);
  await spool.settle(dead, [{ address: BOB, outcome: 'delivered' }]);
  done(bounced, BOB);
  const unwanted = await put(spool, rig.clock, { body: Buffer.from('deleted\r\n'), folder: 'quarantine' });
  await spool.remove(unwanted, 'deleted');
  rig.clock.advance(11 * 60_000);
  await spool.flush();
  await reuse(rig, spool, { owe, done });
  await spool[Symbol.asyncDispose]();
}

/** The file of a delivered message becomes the next message's, which is shorter: neither may be seen under the other's name. */
async function reuse(
  rig: MemoryRig,
  spool: SpoolStore,
  {
    owe,
    done,
  }: { owe: (body: Buffer, to: readonly ForwardPath[]) => void; done: (body: Buffer, to: ForwardPath) => void },
): Promise<void> {
  const wide = Buffer.from('wide '.repeat(200));
  const narrow = Buffer.from('narrow\r\n');
  const gone = await put(spool, rig.clock, { body: wide });
  owe(wide, [ALICE]);
  await spool.recordAttempt(gone, [ALICE], 'hop');
  await spool.settle(gone, [{ address: ALICE, outcome: 'delivered' }]);
  done(wide, ALICE);
  await spool.flush();
  const made = rig.files.calls.create;
  for (const body of [narrow, Buffer.from('two\r\n'), Buffer.from('three\r\n')]) {
    await put(spool, rig.clock, { body });
    owe(body, [ALICE]);
  }
  // settled before: small, released, dead, wide; each gave its file
  assert.equal(rig.files.calls.create, made, 'No file is made while there are spares');
}

/** Runs the script; from call `at` on every call fails and changes nothing. Returns how many calls were made. */
async function runUntil(at: number, rig: MemoryRig, promised: Promised): Promise<number> {
  const spool = await rig.open();
  let calls = 0;
  const count = (): void => {
    calls += 1;
    if (calls > at) throw failure('EPOWER', 'the power is gone');
  };
  rig.files.onCall = count;
  rig.database.onBatch = count;
  try {
    await script(rig, spool, promised);
  } catch {
    // The power went somewhere in here.
  }
  await spool[Symbol.asyncDispose]().catch(() => undefined); // ends the timers; writes nothing, for every call fails
  rig.files.onCall = () => undefined;
  rig.database.onBatch = () => undefined;
  return calls;
}

async function checkAfter(at: number, rig: MemoryRig, promised: Promised): Promise<void> {
  rig.cut();
  const spool = await rig.open();
  const found = new Map<string, Map<ForwardPath, number>>();
  for (const folder of FOLDERS) {
    for (const row of await spool.list(folder)) {
      const message = await spool.read(row.id);
      assert.ok(message, `cut ${at}: ${row.id} in ${folder} can be read`);
      const body = await buffer(spool.openBody(message));
      const by = found.get(sha(body)) ?? new Map<ForwardPath, number>();
      found.set(sha(body), by);
      for (const { address, outcome } of message.progress.recipients) {
        if (outcome === undefined) by.set(address, (by.get(address) ?? 0) + 1);
      }
    }
  }
  assert.equal(spool.count('corrupt'), 0, `cut ${at}: nothing is corrupt`);
  for (const { sha: body, recipients } of promised.owed.values()) {
    const by = found.get(body);
    if (recipients.size > 0) assert.ok(by, `cut ${at}: an acknowledged message is there`);
    for (const recipient of recipients) assert.equal(by?.get(recipient), 1, `cut ${at}: ${recipient} is owed once`);
  }
  for (const [body, by] of found) {
    for (const recipient of by.keys()) {
      assert.ok(!promised.settled.has(`${body} ${recipient}`), `cut ${at}: ${recipient} is not served again`);
    }
  }
  await spool[Symbol.asyncDispose]();
}

it('nothing promised is lost when the power goes at any call of a whole run', { timeout: 120_000 }, async () => {
  const whole = await memoryRig();
  const total = await runUntil(Number.POSITIVE_INFINITY, whole, { owed: new Map(), settled: new Set() });
  assert.ok(total > 150, `the script makes ${total} calls`);
  for (let at = 0; at <= total; at += 1) {
    const rig = await memoryRig();
    const promised: Promised = { owed: new Map(), settled: new Set() };
    await runUntil(at, rig, promised);
    await checkAfter(at, rig, promised);
  }
});

it('a message whose owner was told nothing may be gone, but never half there', { timeout: 60_000 }, async () => {
  const rig = await memoryRig();
  const spool = await rig.open();
  const draft = await spool.begin(transaction(rig.clock, [ALICE]));
  await draft.write(Buffer.alloc(900_000, 'z'));
  rig.cut();
  const again = await rig.open();
  assert.equal(again.status().recovery.files, 0);
  assert.equal(await again.read(draft.id as QueueId), undefined);
  await spool[Symbol.asyncDispose]().catch(() => undefined);
  await again[Symbol.asyncDispose]();
});

/** Verbs on messages that are on record since a former life: what the database says of them is older than what happens now. */
const VERBS: Record<string, { folder?: 'incoming' | 'quarantine'; left?: ForwardPath[]; run: Verb }> = {
  'decided whole': {
    folder: 'incoming',
    run: (spool, id) => spool.decide(id, [{ folder: 'queue', trailer: sharedBy([ALICE, BOB]) }]),
  },
  'decided and split': {
    folder: 'incoming',
    run: (spool, id) =>
      spool.decide(id, [
        { folder: 'queue', trailer: sharedBy([ALICE]) },
        { folder: 'quarantine', trailer: sharedBy([BOB]) },
      ]),
  },
  'counted as tried': { folder: 'incoming', left: [], run: (spool, id) => spool.countTry(id) },
  'held for one': { run: (spool, id) => spool.move(id, 'held', { recipients: [ALICE] }) },
  'held for all': { run: (spool, id) => spool.move(id, 'held') },
  'released for one': { folder: 'quarantine', run: (spool, id) => spool.move(id, 'queue', { recipients: [BOB] }) },
  'served in part, then held': {
    left: [BOB],
    run: async (spool, id) => {
      await spool.recordAttempt(id, [ALICE], 'hop');
      await spool.settle(id, [{ address: ALICE, outcome: 'delivered' }]);
      await spool.move(id, 'held');
    },
  },
};
type Verb = (spool: SpoolStore, id: QueueId) => Promise<unknown>;
const sharedBy = (recipients: ForwardPath[]) => ({
  decisions: [],
  variants: [{ recipients, prefix: '', cuts: [] as Array<[number, number]> }],
});

for (const end of ['the power', 'the process'] as const) {
  for (const [name, { folder, left = [ALICE, BOB], run }] of Object.entries(VERBS)) {
    it(`${end} goes at any call while a message on record is ${name}: nobody is forgotten, nothing is called lost`, async () => {
      for (let at = 0, done = false; !done; at += 1) {
        const rig = await memoryRig();
        const before = await rig.open();
        const id = await put(before, rig.clock, { to: [ALICE, BOB], ...(folder === undefined ? {} : { folder }) });
        if (folder === undefined) {
          await before.recordAttempt(id, [BOB], 'hop');
          await before.defer(id, [{ address: BOB, reply: '450', wait: 60_000 }]);
        }
        await before[Symbol.asyncDispose]();
        const spool = await rig.open();
        let calls = 0;
        rig.files.onCall = rig.database.onBatch = () => {
          calls += 1;
          if (calls > at) throw failure('EPOWER', 'the power is gone');
        };
        await run(spool, id).catch(() => undefined);
        done = calls <= at;
        await spool[Symbol.asyncDispose]().catch(() => undefined);
        rig.files.onCall = rig.database.onBatch = () => undefined;
        if (end === 'the power') rig.cut();
        const after = await rig.open();
        const { lost, corrupt } = after.status().recovery;
        assert.deepEqual({ lost, corrupt }, { lost: 0, corrupt: 0 }, `cut ${at}`);
        const open: string[] = [];
        let incoming = 0;
        for (const where of FOLDERS)
          for (const row of await after.list(where)) {
            if (where === 'incoming') incoming += 1;
            const found = await after.read(row.id);
            for (const { address, outcome, attempts } of found?.progress.recipients ?? []) {
              if (outcome !== undefined) continue;
              open.push(address);
              if (address === BOB && folder === undefined) assert.equal(attempts, 1, `cut ${at}: his attempt is known`);
            }
          }
        assert.ok(incoming <= 1);
        if (incoming === 0)
          for (const address of left)
            assert.equal(open.filter((one) => one === address).length, 1, `cut ${at}: ${address}`);
        await after[Symbol.asyncDispose]();
      }
    });
  }
}
