/** Pages of the census: in order both ways, each message once, whatever the order in which they came. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { Census } from '../../src/spool/census.ts';
import type { Place } from '../../src/spool/layout.ts';

const MESSAGES = 2_003;

/** Every third is held; ids come in an order of their own, as after a start that read the folders. */
function filled(): { census: Census; queued: QueueId[] } {
  const places = new Map<QueueId, Place>();
  const queued: QueueId[] = [];
  for (let at = 0; at < MESSAGES; at += 1) {
    const id = ((at * 797) % MESSAGES).toString(32).padStart(7, '0') as QueueId;
    const folder = at % 3 === 0 ? 'held' : 'queue';
    places.set(id, { folder, tries: 0, size: 1 });
    if (folder === 'queue') queued.push(id);
  }
  return { census: new Census(places), queued: queued.sort() };
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
