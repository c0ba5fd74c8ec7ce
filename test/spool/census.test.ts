/** Pages of the census: in order both ways, each message once, whatever the order in which they came. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stampOf } from '../../src/base/clock.ts';
import type { ForwardPath } from '../../src/mail/address.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { Census } from '../../src/spool/census.ts';
import type { Entry } from '../../src/spool/entry.ts';
import { OrderedIds } from '../../src/spool/ordered-ids.ts';
import { Kinds, type Place, placeOf } from '../../src/spool/sketch.ts';
import { FakeClock } from '../support/fake-clock.ts';

const MESSAGES = 2_003;

/** Every third is held; ids come in an order of their own, as after a start that read the folders. */
function filled(): { census: Census; queued: QueueId[] } {
  const places = new Map<QueueId, Place>();
  const queued: QueueId[] = [];
  for (let at = 0; at < MESSAGES; at += 1) {
    const id = ((at * 797) % MESSAGES).toString(32).padStart(7, '0') as QueueId;
    const folder = at % 3 === 0 ? 'held' : 'queue';
    places.set(id, placeOf({ folder, size: 1 }));
    if (folder === 'queue') queued.push(id);
  }
  return { census: new Census(places, { clock: new FakeClock() }), queued: queued.sort() };
}

describe('pages of the census', () => {
  for (const newestFirst of [false, true]) {
    it(`${newestFirst ? 'newest first' : 'in order of arrival'}: every message of a folder once, in order`, () => {
      const { census, queued } = filled();
      const seen: QueueId[] = [];
      for (let after: QueueId | undefined; ; after = seen.at(-1)) {
        const page = census.page('queue', { limit: 7, newestFirst, ...(after === undefined ? {} : { after }) });
        assert.ok(page.length <= 7);
        if (page.length === 0) break;
        seen.push(...page);
      }
      assert.deepEqual(seen, newestFirst ? queued.reverse() : queued);
    });
  }

  it('holds fewer than a page, and none of an empty folder', () => {
    const { census, queued } = filled();
    assert.deepEqual(census.page('queue', { limit: MESSAGES * 2 }), queued);
    assert.deepEqual(census.page('corrupt', { limit: 10 }), []);
  });
});

describe('ids in order', () => {
  it('are the same as a sorted list, whatever comes and goes, and a page touches its own length', () => {
    const ids = new OrderedIds();
    const all = new Set<QueueId>();
    let seed = 7;
    const next = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let turn = 0; turn < 12_000; turn += 1) {
      const id = next(6_000).toString(32).padStart(7, '0') as QueueId;
      if (next(3) === 0) {
        ids.delete(id);
        all.delete(id);
      } else {
        ids.add(id);
        all.add(id);
      }
    }
    const sorted = [...all].sort();
    assert.deepEqual(ids.page({ limit: 10_000 }), sorted);
    assert.deepEqual(ids.page({ limit: 10_000, newestFirst: true }), sorted.toReversed());
    for (let turn = 0; turn < 200; turn += 1) {
      const after = next(6_500).toString(32).padStart(7, '0') as QueueId; // often one that is not there
      assert.deepEqual(ids.page({ after, limit: 5 }), sorted.filter((id) => id > after).slice(0, 5));
      const before = sorted.filter((id) => id < after).toReversed();
      assert.deepEqual(ids.page({ after, limit: 5, newestFirst: true }), before.slice(0, 5));
    }
  });
});

describe('kinds of waiting', () => {
  const clock = new FakeClock();
  const entry = (domain: string, more: Partial<Entry['recipients'][number]> = {}): Entry => ({
    v: 1,
    kind: 'mail',
    arrival: stampOf(clock),
    size: 1,
    sha256: '',
    recipients: [{ address: `x@${domain}` as ForwardPath, attempts: 0, wait: 0, ...more }],
  });

  it('are shared by all who wait alike, and forgotten with the last of them', () => {
    const kinds = new Kinds();
    const census = new Census(new Map(), { clock, kinds });
    const ids = Array.from({ length: 100 }, (_, at) => String(at).padStart(7, '0') as QueueId);
    for (const id of ids) {
      census.put(id, placeOf({ folder: 'queue', size: 1 }));
      census.describe(id, entry('far.example'));
    }
    assert.equal(kinds.size, 1);
    for (const [at, id] of ids.entries())
      census.describe(id, entry('far.example', { lastReply: `450 4.2.0 no. ${at}` }));
    assert.equal(kinds.size, 1, 'replies that mean the same are one kind');
    for (const id of ids.slice(0, 50)) census.put(id, placeOf({ folder: 'corrupt', size: 1 }));
    for (const id of ids.slice(50)) census.forget(id);
    assert.equal(kinds.size, 0);
  });
});
