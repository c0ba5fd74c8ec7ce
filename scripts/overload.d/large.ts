/**
 * A small mail beside large ones: how long its 250 takes alone, and while three mails of 50 MB arrive at a time, with both
 * engines. Reported, not judged: the marks for known-good peers under weight are the giants' own.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { deliver } from './client.ts';
import { atMost, type Item, type ItemOptions, type Mark, percentile, reported } from './item.ts';
import { attached, DIRTY, OFFICE, smallMail } from './mails.ts';
import { knownAddress } from './peers.ts';
import { type Site, standing } from './site.ts';

const PER_SECOND = 10;
const LARGE_AT_ONCE = 3;

export const LARGE: readonly Item[] = [
  {
    name: 'small-beside-large',
    what: 'the 250 of a small mail, alone and while three mails of 50 MB arrive at a time',
    run: besideLarge,
  },
];

async function besideLarge({ site: open, short }: ItemOptions & { site: () => Promise<Site> }): Promise<Mark[]> {
  const site = await open();
  const port = site.world.gateway.mxPort;
  const seconds = short ? 3 : 20;
  const alone = await smallOnes(port, { seconds, from: 500_000 });
  // base64 makes four octets of three; the limit for a message stands at 50 MiB
  const made = attached({ name: 'large.bin', octets: Buffer.alloc(short ? 3_000_000 : 37_000_000, 'large ') });
  const mark = made.indexOf(`${DIRTY}\r\n`); // these may arrive
  const large = Buffer.concat([made.subarray(0, mark), made.subarray(mark + DIRTY.length + 2)]);
  const codes: number[] = [];
  const state = { over: false };
  const lanes = Array.from({ length: LARGE_AT_ONCE }, async (_, at) => {
    while (!state.over) {
      const said = await deliver({
        port,
        address: knownAddress(at),
        from: 'hanako@nospf.example',
        to: OFFICE,
        bytes: large,
        ms: 150_000,
      });
      codes.push(said.code);
    }
  });
  const beside = await smallOnes(port, { seconds, from: 600_000 });
  state.over = true;
  await Promise.all(lanes);
  return [
    reported('alone: 250 after, p50 / p95 / p99', figures(alone)),
    reported('beside: 250 after, p50 / p95 / p99', figures(beside)),
    reported('large ones', `${codes.length} of ${(large.length / 1e6).toFixed(0)} MB, heard ${codes.join(', ')}`),
    atMost('small ones not taken', [...alone, ...beside].filter((ms) => Number.isNaN(ms)).length, { limit: 0 }),
    ...standing(site.world),
  ];
}

/** At a fixed pace, whether or not the earlier ones are done. A mail that was not taken counts as NaN. */
async function smallOnes(port: number, { seconds, from: first }: { seconds: number; from: number }): Promise<number[]> {
  const begun = performance.now();
  const asked: Array<Promise<number>> = [];
  for (let turn = 0; turn < seconds * PER_SECOND; turn += 1) {
    await sleep(Math.max(0, begun + (turn * 1_000) / PER_SECOND - performance.now()));
    const bytes = smallMail(first + turn);
    const letter = { port, address: knownAddress(turn), from: 'hanako@nospf.example', to: OFFICE, bytes };
    asked.push(deliver(letter).then(({ code, ms }) => (code === 250 ? ms : Number.NaN)));
  }
  return Promise.all(asked);
}

function figures(times: readonly number[]): string {
  const good = times.filter((ms) => !Number.isNaN(ms));
  return `${[0.5, 0.95, 0.99].map((share) => percentile(good, share).toFixed(0)).join(' / ')} ms of ${times.length}`;
}
