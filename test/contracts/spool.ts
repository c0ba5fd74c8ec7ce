/**
 * The spool's contract, run on the real one (disk and LevelDB) and on memory layers. Each case gets a rig of its own; `cut`
 * is present where the rig can lose what was not synced.
 */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { stampOf } from '../../src/base/clock.ts';
import { type ForwardPath, parseForwardPath, parseReversePath, type ReversePath } from '../../src/mail/address.ts';
import type { Transaction } from '../../src/mail/envelope.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import type { QueuedMessage, Trailer } from '../../src/spool/api.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import type { FakeClock } from '../support/fake-clock.ts';

export interface Rig {
  clock: FakeClock;
  /** Opens the spool, or opens it again after `stop` or `kill`. */
  open(): Promise<SpoolStore>;
  /** The process ends without a word; the disk keeps everything written. */
  kill(): Promise<void>;
  /** The power goes: only what was synced stays. */
  cut?: () => void;
  dispose(): Promise<void>;
}

export const ALICE = parseForwardPath('alice@office.example') as ForwardPath;
export const BOB = parseForwardPath('bob@office.example') as ForwardPath;
export const CAROL = parseForwardPath('carol@office.example') as ForwardPath;
const SENDER = parseReversePath('sender@friend.example') as ReversePath;

export function transaction(clock: FakeClock, recipients: readonly ForwardPath[]): Transaction {
  return {
    origin: {
      direction: 'inbound',
      listener: 'mx',
      sessionId: 's1',
      clientAddress: '192.0.2.1',
      helo: 'friend.example',
      protocol: 'ESMTP',
    },
    envelope: {
      reversePath: SENDER,
      recipients: recipients.map((address) => ({ address })),
      smtpUtf8: false,
      eightBit: false,
    },
    arrival: stampOf(clock),
  };
}

export function trailerFor(recipients: readonly ForwardPath[]): Omit<Trailer, 'size' | 'sha256'> {
  return {
    decisions: recipients.map((recipient) => ({ recipient, action: 'deliver', reason: 'clean' })),
    variants: [{ recipients: [...recipients], prefix: 'Received: by test\r\n', cuts: [] }],
  };
}

export const BODY = Buffer.from('Subject: test\r\n\r\nHello\r\n');

export async function put(
  spool: SpoolStore,
  clock: FakeClock,
  options: { to?: readonly ForwardPath[]; folder?: 'queue' | 'held' | 'quarantine' | 'incoming'; body?: Buffer } = {},
): Promise<QueueId> {
  const to = options.to ?? [ALICE];
  const draft = await spool.begin(transaction(clock, to));
  const body = options.body ?? BODY;
  for (let at = 0; at < body.length; at += 60_000) await draft.write(body.subarray(at, at + 60_000));
  await draft.seal();
  const folder = options.folder ?? 'queue';
  await draft.commit(folder, folder === 'incoming' ? { decisions: [], variants: [] } : trailerFor(to));
  return draft.id;
}

async function out(spool: SpoolStore, id: QueueId): Promise<Buffer> {
  const message = await spool.read(id);
  assert.ok(message, `message ${id} is there`);
  return buffer(spool.openVariant(message, 0));
}

export function queuedBy(spool: SpoolStore): QueuedMessage[] {
  const queued: QueuedMessage[] = [];
  spool.onQueued((message) => queued.push(message));
  return queued;
}

export function spoolContract(name: string, makeRig: () => Promise<Rig>): void {
  const with_ = (title: string, work: (rig: Rig, spool: SpoolStore) => Promise<void>): void => {
    it(title, { timeout: 60_000 }, async () => {
      const rig = await makeRig();
      try {
        await work(rig, await rig.open());
      } finally {
        await rig.dispose();
      }
    });
  };

  describe(`spool contract: ${name}`, () => {
    with_('a committed message is read back to the octet, prefix first', async (rig, spool) => {
      const id = await put(spool, rig.clock);
      assert.equal((await out(spool, id)).toString(), `Received: by test\r\n${BODY.toString()}`);
      const message = await spool.read(id);
      assert.ok(message);
      assert.equal(message.folder, 'queue');
      assert.equal(message.trailer.size, BODY.length);
      assert.deepEqual(await buffer(spool.openBody(message)), BODY);
    });

    with_('a large message goes through a file and keeps every octet', async (rig, spool) => {
      const body = Buffer.alloc(3_300_000);
      for (let i = 0; i < body.length; i += 1) body[i] = (i * 31 + (i >> 8)) & 0xff;
      const id = await put(spool, rig.clock, { body });
      assert.ok((await out(spool, id)).subarray('Received: by test\r\n'.length).equals(body));
    });

    with_(
      'a message in the file of a delivered one is whole, shorter or longer, also after a kill',
      async (rig, spool) => {
        for (const octets of [9_000, 100, 400_000]) {
          const before = await put(spool, rig.clock, { body: Buffer.alloc(3_000, 'before ') });
          await spool.settle(before, [{ address: ALICE, outcome: 'delivered' }]);
          await spool.flush();
          await put(spool, rig.clock, { body: Buffer.alloc(octets, `${octets} `) });
        }
        await rig.kill();
        const again = await rig.open();
        const bodies = await Promise.all((await again.list('queue')).map(({ id }) => out(again, id)));
        const expected = [9_000, 100, 400_000].map(
          (octets) => `Received: by test\r\n${Buffer.alloc(octets, `${octets} `).toString()}`,
        );
        assert.deepEqual(bodies.map(String), expected);
        assert.equal(again.count('corrupt'), 0);
      },
    );

    with_('cuts leave out just their octets, also across read blocks', async (rig, spool) => {
      const body = Buffer.alloc(600_000, 'abcdefghij');
      const draft = await spool.begin(transaction(rig.clock, [ALICE]));
      await draft.write(body);
      await draft.seal();
      const cuts: Array<[number, number]> = [
        [0, 5],
        [262_140, 262_150],
        [599_990, 600_000],
      ];
      await draft.commit('queue', { decisions: [], variants: [{ recipients: [ALICE], prefix: '', cuts }] });
      const expected = Buffer.concat([body.subarray(5, 262_140), body.subarray(262_150, 599_990)]);
      assert.ok((await out(spool, draft.id)).equals(expected));
    });

    with_('an aborted draft leaves nothing', async (rig, spool) => {
      const draft = await spool.begin(transaction(rig.clock, [ALICE]));
      await draft.write(Buffer.alloc(700_000, 'x'));
      await draft.abort();
      assert.equal(await spool.read(draft.id), undefined);
      assert.deepEqual(spool.status().counts, { incoming: 0, queue: 0, held: 0, quarantine: 0, corrupt: 0 });
    });

    with_('queued messages are announced, again after a restart, oldest first', async (rig, spool) => {
      const queued = queuedBy(spool);
      const ids = [await put(spool, rig.clock), await put(spool, rig.clock), await put(spool, rig.clock)];
      assert.deepEqual(
        queued.map(({ id }) => id),
        ids,
      );
      await rig.kill();
      const again = await rig.open();
      assert.deepEqual(
        queuedBy(again).map(({ id }) => id),
        ids,
      );
      assert.equal(again.status().recovery.cleanStop, false);
    });

    with_('a settled message is gone, its outcome stays settled after a restart', async (rig, spool) => {
      const id = await put(spool, rig.clock, { to: [ALICE, BOB] });
      await spool.recordAttempt(id, [ALICE, BOB], 'mail.office.example');
      await spool.settle(id, [{ address: ALICE, outcome: 'delivered', reply: '250 ok' }]);
      await spool.defer(id, [{ address: BOB, reply: '450 later', wait: 60_000 }]);
      await rig.kill();
      const again = await rig.open();
      const [queued] = queuedBy(again);
      assert.deepEqual(
        queued?.recipients.map(({ address }) => address),
        [BOB],
      );
      assert.equal(queued?.recipients[0]?.attempts, 1);
      assert.equal(queued?.recipients[0]?.wait, 60_000);
      await again.recordAttempt(id, [BOB], 'mail.office.example');
      await again.settle(id, [{ address: BOB, outcome: 'delivered', reply: '250 ok' }]);
      assert.equal(await again.read(id), undefined);
      await again.flush();
      assert.equal(again.count('queue'), 0);
      await rig.kill();
      assert.deepEqual(queuedBy(await rig.open()), []);
    });

    with_('release from quarantine is once, and keeps the variants', async (rig, spool) => {
      const id = await put(spool, rig.clock, { folder: 'quarantine' });
      const queued = queuedBy(spool);
      assert.equal(queued.length, 0);
      assert.equal(await spool.move(id, 'queue'), id);
      assert.deepEqual(
        queued.map((message) => message.id),
        [id],
      );
      await assert.rejects(spool.move(id, 'queue'), { code: 'WRONG_STATE' });
      assert.equal((await spool.read(id))?.folder, 'queue');
    });

    with_('release of one of many parts the message; nobody is lost or doubled', async (rig, spool) => {
      const id = await put(spool, rig.clock, { folder: 'quarantine', to: [ALICE, BOB, CAROL] });
      const queued = queuedBy(spool);
      const part = await spool.move(id, 'queue', { recipients: [BOB] });
      assert.equal(part as string, `${id}.1`);
      assert.deepEqual(
        queued.map((message) => message.recipients.map(({ address }) => address)),
        [[BOB]],
      );
      assert.equal(await spool.read(id), undefined);
      const rest = await spool.read(`${id}.2` as QueueId);
      assert.equal(rest?.folder, 'quarantine');
      assert.deepEqual(
        rest?.progress.recipients.map(({ address }) => address),
        [ALICE, CAROL],
      );
      assert.ok((await out(spool, part as QueueId)).subarray(-BODY.length).equals(BODY));
    });

    with_('a half-delivered message that is held leaves the settled ones out', async (rig, spool) => {
      const id = await put(spool, rig.clock, { to: [ALICE, BOB] });
      await spool.recordAttempt(id, [ALICE, BOB], 'hop');
      await assert.rejects(spool.move(id, 'held'), { code: 'BUSY' });
      await spool.settle(id, [{ address: ALICE, outcome: 'delivered' }]);
      await spool.defer(id, [{ address: BOB, reply: '450', wait: 1 }]);
      const held = await spool.move(id, 'held');
      assert.deepEqual(
        (await spool.read(held))?.progress.recipients.map(({ address }) => address),
        [BOB],
      );
      assert.equal(spool.count('held'), 1);
      assert.equal(spool.count('queue'), 0);
    });

    with_(
      'the way an operator says for one message outlives a kill, a hold and a split, until he takes it back',
      async (rig, spool) => {
        const id = await put(spool, rig.clock, { to: [ALICE, BOB] });
        const via = { host: '192.0.2.9', port: 24, protocol: 'lmtp' as const };
        await spool.reroute(id, via);
        await rig.kill();
        const again = await rig.open();
        const told: QueuedMessage[] = [];
        again.onQueued((message) => told.push(message));
        assert.deepEqual((await again.read(id))?.progress.via, via);
        assert.deepEqual(told[0]?.via, via);
        const held = await again.move(id, 'held', { recipients: [BOB] });
        assert.deepEqual((await again.read(held))?.progress.via, via);
        const stayed = told.at(-1)?.id as QueueId;
        assert.deepEqual([stayed === id, told.at(-1)?.via], [false, via]);
        await again.reroute(held, undefined);
        assert.equal((await again.read(held))?.progress.via, undefined);
        assert.deepEqual((await again.read(stayed))?.progress.via, via);
        await again.remove(held, 'deleted');
        await assert.rejects(again.reroute(held, via), { code: 'WRONG_STATE' });
      },
    );

    with_('a deleted message comes back on undo, and goes after ten minutes', async (rig, spool) => {
      const id = await put(spool, rig.clock);
      await put(spool, rig.clock);
      await spool.remove(id, 'deleted');
      assert.deepEqual([spool.count('queue'), spool.status().counts.queue], [1, 1], 'it counts for nobody');
      await assert.rejects(spool.recordAttempt(id, [ALICE], 'hop'), { code: 'WRONG_STATE' });
      await spool.undelete(id);
      assert.equal(spool.count('queue'), 2);
      assert.equal((await spool.read(id))?.progress.deleted, undefined);
      await spool.remove(id, 'deleted');
      rig.clock.advance(9 * 60_000);
      await spool.flush();
      assert.ok(await spool.read(id));
      rig.clock.advance(2 * 60_000);
      await spool.flush();
      assert.equal(await spool.read(id), undefined);
      assert.equal(spool.count('queue'), 1);
    });

    with_(
      'an incoming message is announced, its tries are counted in its name, and it is decided once',
      async (rig, spool) => {
        const waiting: QueueId[] = [];
        spool.onIncoming((id) => waiting.push(id));
        const queued = queuedBy(spool);
        const id = await put(spool, rig.clock, { folder: 'incoming' });
        assert.deepEqual(waiting, [id]);
        assert.equal(await spool.countTry(id), 1);
        await rig.kill();
        const again = await rig.open();
        again.onIncoming((found) => waiting.push(found));
        assert.deepEqual(waiting, [id, id]);
        assert.equal(await again.countTry(id), 2);
        const queuedAgain = queuedBy(again);
        await again.decide(id, [{ folder: 'queue', trailer: trailerFor([ALICE]) }]);
        assert.deepEqual(
          [...queued, ...queuedAgain].map((message) => message.id),
          [id],
        );
        assert.ok((await out(again, id)).subarray(-BODY.length).equals(BODY));
        await assert.rejects(again.decide(id, [{ folder: 'queue', trailer: trailerFor([ALICE]) }]), {
          code: 'WRONG_STATE',
        });
        assert.equal(again.count('incoming'), 0);
      },
    );

    with_('an incoming message whose recipients part becomes one whole file for each part', async (rig, spool) => {
      const queued = queuedBy(spool);
      const id = await put(spool, rig.clock, { folder: 'incoming', to: [ALICE, BOB] });
      const ids = await spool.decide(id, [
        { folder: 'quarantine', trailer: trailerFor([BOB]) },
        { folder: 'queue', trailer: trailerFor([ALICE]) },
      ]);
      assert.deepEqual(ids, [`${id}.1`, `${id}.2`]);
      assert.equal(await spool.read(id), undefined);
      assert.deepEqual(
        queued.map((message) => [message.id, message.recipients.map(({ address }) => address)]),
        [[`${id}.2`, [ALICE]]],
      );
      assert.equal((await spool.read(ids[0] as QueueId))?.folder, 'quarantine');
      assert.ok((await out(spool, ids[1] as QueueId)).subarray(-BODY.length).equals(BODY));
    });

    with_('a bounce settles its recipients and queues the DSN, both or neither', async (rig, spool) => {
      const queued = queuedBy(spool);
      const id = await put(spool, rig.clock, { to: [ALICE, BOB] });
      await spool.recordAttempt(id, [ALICE, BOB], 'hop');
      await spool.settle(id, [{ address: BOB, outcome: 'delivered' }]);
      const dsn = await spool.bounce(id, [{ address: ALICE, outcome: 'bounced', reply: '550 no' }], {
        attempt: 2,
        transaction: transaction(rig.clock, ['sender@friend.example' as ForwardPath]),
        message: BODY,
      });
      assert.equal(dsn, `${id}.d2`);
      assert.deepEqual(
        queued.map((message) => [message.id, message.kind]),
        [
          [id, 'mail'],
          [dsn, 'dsn'],
        ],
      );
      await rig.kill();
      const again = await rig.open();
      assert.deepEqual(
        queuedBy(again).map((message) => message.id),
        [dsn],
      );
    });

    with_('a deleted message stays deleted over a kill', async (rig, spool) => {
      const id = await put(spool, rig.clock);
      await spool.remove(id, 'deleted');
      await rig.kill();
      const again = await rig.open();
      assert.deepEqual(queuedBy(again), []);
      rig.clock.advance(11 * 60_000);
      await again.flush();
      assert.equal(again.folderOf(id), undefined);
    });

    with_('a clean stop says so at the next start', async (rig, spool) => {
      const id = await put(spool, rig.clock);
      await spool[Symbol.asyncDispose]();
      const again = await rig.open();
      assert.equal(again.status().recovery.cleanStop, true);
      assert.deepEqual(
        queuedBy(again).map((message) => message.id),
        [id],
      );
    });

    with_('lists are paged in order of arrival', async (rig, spool) => {
      const ids: QueueId[] = [];
      for (let i = 0; i < 5; i += 1) ids.push(await put(spool, rig.clock, { folder: 'quarantine' }));
      const first = await spool.list('quarantine', { limit: 3 });
      assert.deepEqual(
        first.map(({ id }) => id),
        ids.slice(0, 3),
      );
      const second = await spool.list('quarantine', { after: ids[2] as QueueId, limit: 3 });
      assert.deepEqual(
        second.map(({ id }) => id),
        ids.slice(3),
      );
    });

    with_('what is known without reading follows every step, and a restart', async (rig, spool) => {
      const far = parseForwardPath('x@far.example') as ForwardPath;
      const id = await put(spool, rig.clock, { to: [ALICE, far] });
      const known = (store: SpoolStore, of = id): unknown => {
        const { folder, kind, due } = store.sketch(of) ?? {};
        const wait = due === 0 || due === undefined ? 0 : Math.round(due - rig.clock.monotonic() / 1_000);
        return [folder, kind?.domains, kind?.hops, kind?.reason, wait];
      };
      assert.deepEqual(known(spool), ['queue', ['far.example', 'office.example'], [], '', 0]);
      await spool.recordAttempt(id, [ALICE, far], 'hop');
      await spool.settle(id, [{ address: ALICE, outcome: 'delivered' }]);
      await spool.defer(id, [{ address: far, reply: '450 4.2.1 Later, 17', wait: 60_000, nextHop: 'mx.far.example' }]);
      const waiting = ['queue', ['far.example'], ['mx.far.example'], '450 4.2.1', 60];
      assert.deepEqual(known(spool), waiting);
      await spool.reroute(id, { host: '192.0.2.9', port: 25 });
      assert.deepEqual(spool.sketch(id)?.kind?.via, { host: '192.0.2.9', port: 25 });
      await rig.kill();
      const again = await rig.open();
      assert.deepEqual(known(again), waiting);
      assert.deepEqual(again.sketch(id)?.kind?.via, { host: '192.0.2.9', port: 25 });
      rig.clock.advance(61_000);
      const held = await again.move(id, 'held');
      assert.deepEqual(known(again, held), ['held', ['far.example'], ['mx.far.example'], '450 4.2.1', 0]);
      const incoming = await put(again, rig.clock, { folder: 'incoming' });
      assert.deepEqual(known(again, incoming), ['incoming', ['office.example'], [], '', 0]);
      assert.deepEqual(again.page(['incoming', 'queue', 'held'], { limit: 9 }), [held, incoming]);
    });

    with_('an unknown id is NOT_FOUND everywhere', async (_rig, spool) => {
      const id = '0000000-0000000000000' as QueueId;
      assert.equal(await spool.read(id), undefined);
      await assert.rejects(spool.move(id, 'queue'), { code: 'NOT_FOUND' });
      await assert.rejects(spool.settle(id, []), { code: 'NOT_FOUND' });
      await assert.rejects(spool.remove(id, 'deleted'), { code: 'NOT_FOUND' });
    });
  });
}
