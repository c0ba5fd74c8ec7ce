/** The same deed on several messages: each has its own outcome, one that fails stops none of the others. */
import type { Answer } from '../contract/client.ts';
import { briefOf } from '../server/problems.ts';

type Result = Answer<'queue.hold'>['results'][number];

/** One after the other: the gateway syncs each to disk, and its operators' socket is for others too. */
export async function eachOf(
  ids: readonly string[],
  signal: AbortSignal,
  work: (id: string) => Promise<Omit<Result, 'id' | 'ok'>>,
): Promise<Answer<'queue.hold'>> {
  const results: Result[] = [];
  for (const id of new Set(ids)) {
    signal.throwIfAborted();
    try {
      results.push({ id, ok: true, ...(await work(id)) });
    } catch (error) {
      const { code, message } = briefOf(error);
      results.push({ id, ok: false, code, message });
    }
  }
  const done = results.filter(({ ok }) => ok).length;
  return { done, failed: results.length - done, results };
}
