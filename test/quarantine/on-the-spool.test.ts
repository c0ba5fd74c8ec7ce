/** Quarantine on the real spool over memory layers that lose what was not synced: what the small fake only pretends. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { SekishoError } from '../../src/base/errors.ts';
import { defaultConfig } from '../../src/config/schema.ts';
import { decide } from '../../src/decide/decide.ts';
import { groupVariants } from '../../src/decide/summary.ts';
import { parseHeader } from '../../src/mail/header.ts';
import { spamHeaders } from '../../src/mail/tag.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { type MailEvent, silentObserve } from '../../src/observe/events.ts';
import type { Quarantine } from '../../src/quarantine/api.ts';
import { createQuarantine } from '../../src/quarantine/quarantine.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { ALICE, BOB, BODY, queuedBy, transaction } from '../contracts/spool.ts';
import { inspection, spam } from '../decide/findings.ts';
import { memoryRig, type MemoryRig } from '../support/spool-rigs.ts';

interface Bench {
  rig: MemoryRig;
  spool: SpoolStore;
  quarantine: Quarantine;
  events: MailEvent[];
}

function attach(rig: MemoryRig, spool: SpoolStore): Bench {
  const events: MailEvent[] = [];
  const observe = { ...silentObserve, emit: (event: MailEvent) => void events.push(event) };
  const quarantine = createQuarantine({ spool, observe, clock: rig.clock, config: defaultConfig });
  return { rig, spool, quarantine, events };
}

async function start(): Promise<Bench> {
  const rig = await memoryRig();
  return attach(rig, await rig.open());
}

async function powerCut({ rig }: Bench): Promise<Bench> {
  rig.cut();
  return attach(rig, await rig.open());
}

/** Spam at 9, taken and decided as the pipeline does it. */
async function quarantineOne({ rig, spool }: Bench): Promise<QueueId> {
  const { envelope, origin, arrival } = transaction(rig.clock, [ALICE, BOB]);
  const found = inspection([spam(9)]);
  const { policy } = defaultConfig();
  const decisions = decide({ envelope, origin, inspection: found, policy, domains: [], relayClient: false });
  const draft = await spool.begin({ envelope, origin, arrival });
  await draft.write(BODY);
  await draft.seal();
  const groups = groupVariants(decisions, (decision) => ({ prefix: spamHeaders(found.findings, decision), cuts: [] }));
  assert.deepEqual(
    groups.map(({ action }) => action),
    ['quarantine'],
  );
  const variants = groups.map(({ variant }) => variant);
  await draft.commit('quarantine', { decisions, inspection: found, variants });
  return draft.id;
}

describe('quarantine on the spool', () => {
  it('releases a message with the header made for it, once, and it survives a power cut', async () => {
    let bench = await start();
    const id = await quarantineOne(bench);
    const queued = queuedBy(bench.spool);
    const [one, other] = await Promise.all([
      bench.quarantine.release(id, { by: 'admin' }),
      bench.quarantine.release(id, { by: 'admin' }),
    ]);
    assert.deepEqual([one.already, other.already], [false, true]);
    assert.deepEqual(
      queued.map((message) => message.id),
      [id],
    );
    bench = await powerCut(bench);
    const message = await bench.spool.read(id);
    assert.equal(message?.folder, 'queue');
    assert.ok(message !== undefined);
    const bytes = await buffer(bench.spool.openVariant(message, 0));
    assert.ok(bytes.subarray(bytes.length - BODY.length).equals(BODY));
    assert.ok(parseHeader(bytes).fields.some(({ key }) => key === 'x-sekisho-result'));
    assert.equal((await bench.quarantine.release(id, { by: 'admin' })).already, true);
  });

  it('releases one of two: the rest stays in quarantine under its own id', async () => {
    const bench = await start();
    const id = await quarantineOne(bench);
    const first = await bench.quarantine.release(id, { by: 'admin', recipients: [ALICE] });
    assert.equal((await bench.spool.read(first.id))?.folder, 'queue');
    assert.deepEqual(
      bench.events.map(({ event }) => event),
      ['derived', 'released'],
    );
    const { entries } = await bench.quarantine.list();
    assert.deepEqual(
      entries.map(({ recipients }) => recipients),
      [[BOB]],
    );
    assert.equal((await bench.quarantine.release(id, { by: 'admin', recipients: [ALICE] })).already, true);
    const rest = entries[0]?.id;
    assert.ok(rest !== undefined && rest !== id);
    assert.deepEqual((await bench.quarantine.release(rest, { by: 'admin' })).recipients, [BOB]);
    assert.deepEqual((await bench.quarantine.list()).entries, []);
  });

  it('shows the text, deletes, brings back, and refuses to release what is marked', async () => {
    const bench = await start();
    const id = await quarantineOne(bench);
    assert.equal((await bench.quarantine.show(id)).preview?.text, 'Hello');
    await bench.quarantine.delete(id, { by: 'admin' });
    await assert.rejects(
      bench.quarantine.release(id, { by: 'admin' }),
      (error) => error instanceof SekishoError && error.code === 'WRONG_STATE',
    );
    await bench.quarantine.undelete(id, { by: 'admin' });
    assert.equal((await bench.quarantine.release(id, { by: 'admin' })).already, false);
  });

  it('lists by pages, oldest first or newest first, each message once', async () => {
    const bench = await start();
    const ids: QueueId[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      ids.push(await quarantineOne(bench));
      bench.rig.clock.advance(1_000);
    }
    for (const newestFirst of [false, true]) {
      const seen: QueueId[] = [];
      let after: QueueId | undefined;
      for (let page = 0; page < 3; page += 1) {
        const found = await bench.quarantine.list({
          limit: 2,
          newestFirst,
          ...(after === undefined ? {} : { after }),
        });
        seen.push(...found.entries.map(({ id }) => id));
        after = found.next;
      }
      assert.equal(after, undefined);
      assert.deepEqual(seen, newestFirst ? ids.toReversed() : ids);
    }
  });

  it('holds queued mail and lets it go', async () => {
    const bench = await start();
    const id = await quarantineOne(bench);
    await bench.quarantine.release(id, { by: 'admin' });
    await bench.quarantine.hold(id, { by: 'admin', why: 'asked' });
    assert.equal((await bench.spool.read(id))?.folder, 'held');
    assert.equal((await bench.quarantine.unhold(id, { by: 'admin' })).already, false);
    assert.equal((await bench.spool.read(id))?.folder, 'queue');
  });

  it('expires after 14 days, not before, and not while the clock is unsure', async () => {
    const bench = await start();
    const id = await quarantineOne(bench);
    bench.rig.clock.advance(14 * 86_400_000);
    assert.equal((await bench.quarantine.expire()).expired, 0);
    bench.rig.clock.advance(1_000);
    bench.rig.clock.isSynchronised = false;
    assert.equal((await bench.quarantine.expire()).clockUnsure, true);
    bench.rig.clock.isSynchronised = true;
    assert.equal((await bench.quarantine.expire()).expired, 1);
    assert.equal((await bench.quarantine.expire()).expired, 0);
    assert.ok((await bench.spool.read(id))?.progress.deleted !== undefined);
  });
});
