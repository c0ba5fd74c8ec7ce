import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bigMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { smtpConnect } from '../support/smtp-client.ts';
import { startWorld, type World } from '../e2e/world.ts';

const SESSIONS = 6;
const CONCURRENCY = 5;
let world: World;
before(async () => {
  world = await startWorld({
    config: { delivery: { retryMs: [300, 600], probeMs: 300, concurrencyPerHop: CONCURRENCY } },
  });
});
after(() => world?.[Symbol.asyncDispose]());

test('three kills under load lose nothing that had its 250, and alter nothing', async () => {
  /** What was acknowledged: Message-ID → hash. */
  const acked = new Map<string, string>();
  let sent = 0;
  let kills = 0;
  let unanswered = 0;
  for (let round = 0; round < 3; round += 1) {
    const stop = new AbortController();
    const sessions = Array.from({ length: SESSIONS }, async () => {
      while (!stop.signal.aborted) {
        const client = await smtpConnect({ port: world.gateway.mxPort, ms: 20_000 }).catch(() => undefined);
        if (client === undefined) return;
        try {
          while (!stop.signal.aborted) {
            sent += 1;
            const messageId = `load.${sent}@example.com`;
            const bytes = bigMail(sent % 7 === 0 ? 400_000 : 6_000, { messageId });
            const reply = await client.send({ from: 'hanako@example.com', to: 'load@office.example', bytes });
            if (reply.code === 250) acked.set(messageId, hashOf(bytes));
          }
        } catch {
          unanswered += 1; // the line went dead: this one was never promised
          return;
        } finally {
          client.cut();
        }
      }
    });
    // under load, and not at the same moment of it each time
    await until('enough to be accepted', { ms: 30_000, every: 20 }, () => acked.size >= (round + 1) * 25 || undefined);
    await sleep(round * 70);
    await world.gateway.kill();
    kills += 1;
    stop.abort();
    await Promise.all(sessions);
    await world.gateway.start();
  }
  assert.ok(acked.size > 50, `only ${acked.size} messages were accepted, which proves little`);

  await until('an empty queue', { ms: 60_000, every: 200 }, async () => {
    const { counts } = { counts: (await world.gateway.call('queue.list', { state: 'all' })).total };
    return counts === 0 ? true : undefined;
  });
  const copies = new Map<string, number>();
  for (const message of world.office.messages) {
    const id = /^Message-ID: <(.*)>\r$/m.exec(message.bytes.toString('latin1'))?.[1] ?? '';
    copies.set(id, (copies.get(id) ?? 0) + 1);
    const wanted = acked.get(id);
    if (wanted === undefined) continue;
    const start = message.bytes.indexOf('From: Hanako');
    assert.equal(hashOf(message.bytes.subarray(start)), wanted, `${id} was altered`);
  }
  const lost = [...acked.keys()].filter((id) => !copies.has(id));
  assert.deepEqual(lost, [], `${lost.length} of ${acked.size} acknowledged messages were lost`);
  const extra = [...copies.values()].reduce((sum, count) => sum + count - 1, 0);
  const allowed = kills * CONCURRENCY + unanswered;
  assert.ok(extra <= allowed, `${extra} extra copies after ${kills} kills, allowed are ${allowed}`);
});

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
