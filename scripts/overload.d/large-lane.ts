/**
 * One thread of `large.ts`: small mails at a fixed pace, whether or not the earlier ones are done, or one large mail after
 * another until it hears a word. Posts once what became of each. The times are from connecting to the 250.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import { deliver, type Outcome } from './client.ts';
import { attached, DIRTY, OFFICE, smallMail } from './mails.ts';
import { knownAddress } from './peers.ts';

const PER_SECOND = 10;
const LARGE_MS = 150_000;
const FROM = 'hanako@nospf.example';

const laneSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('small'), port: z.number(), seconds: z.number(), first: z.number() }),
  z.object({ kind: z.literal('large'), port: z.number(), octets: z.number(), at: z.number() }),
]);
export type Lane = z.output<typeof laneSchema>;
export const outcomesSchema = z.array(z.object({ code: z.number(), ms: z.number() }));

if (!isMainThread && parentPort !== null) {
  const parsed = laneSchema.safeParse(workerData);
  if (parsed.success) {
    const outcomes = parsed.data.kind === 'small' ? await smallOnes(parsed.data) : await largeOnes(parsed.data);
    parentPort.postMessage(outcomes.map(({ code, ms }) => ({ code, ms })));
    parentPort.close();
  }
}

async function smallOnes({ port, seconds, first }: Extract<Lane, { kind: 'small' }>): Promise<Outcome[]> {
  const begun = performance.now();
  const asked: Array<Promise<Outcome>> = [];
  for (let turn = 0; turn < seconds * PER_SECOND; turn += 1) {
    await sleep(Math.max(0, begun + (turn * 1_000) / PER_SECOND - performance.now()));
    asked.push(deliver({ port, address: knownAddress(turn), from: FROM, to: OFFICE, bytes: smallMail(first + turn) }));
  }
  return Promise.all(asked);
}

/** Each of them other octets: a scanner remembers what it has seen. */
async function largeOnes({ port, octets, at }: Extract<Lane, { kind: 'large' }>): Promise<Outcome[]> {
  let over = false;
  parentPort?.on('message', () => {
    over = true;
  });
  const outcomes: Outcome[] = [];
  for (let turn = 0; !over; turn += 1) {
    const made = attached({ name: 'large.bin', octets: Buffer.alloc(octets, `large ${at} ${turn} `) });
    const mark = made.indexOf(`${DIRTY}\r\n`); // these may arrive
    const bytes = Buffer.concat([made.subarray(0, mark), made.subarray(mark + DIRTY.length + 2)]);
    outcomes.push(await deliver({ port, address: knownAddress(at), from: FROM, to: OFFICE, bytes, ms: LARGE_MS }));
  }
  return outcomes;
}
