/**
 * Engines in trouble: 1,000 mails (every third with a virus) with deadlines of two seconds, while the sockets of both engines
 * are spoiled at random and clamd is paused, reloaded and restarted in mid-scan. Then the engines are well: every mail with a
 * 250 must be accounted for, and nothing with a virus may have been delivered, then or later. `--count 10000` for a release.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startWorld, type World } from '../../test/e2e/world.ts';
import { randomFrom } from '../../test/crash/outside.ts';
import { layoutOf } from '../lib/layout.ts';
import { deliver, keepBusy } from './client.ts';
import { FAULTS, type FaultyProxy, openFaultyProxy } from './faulty-proxy.ts';
import { atMost, type Item, type ItemOptions, type Mark, reported } from './item.ts';
import { OFFICE, smallMail } from './mails.ts';
import { knownAddress } from './peers.ts';
import { standing } from './site.ts';

const FAULTY_SHARE = 0.25;
/** Most of them wait for engines that hang, or for their next try. */
const SESSIONS = { few: 10, many: 40, from: 5_000 } as const;
const TRIES = 30;
const RETRY_MS = 500;
const SETTLE_MS = { short: 45_000, full: 300_000 } as const;

export const ENGINES: readonly Item[] = [
  {
    name: 'engines',
    what: 'stopped, hanging, slow, cut, garbled, over limits, reloading, restarted in mid-scan; deadlines of 2 s',
    run: (options) => trouble(options, options.count ?? (options.short ? 60 : 1_000)),
  },
];

async function trouble({ seed, short, tell }: ItemOptions, mails: number): Promise<Mark[]> {
  await using stack = new AsyncDisposableStack();
  const random = randomFrom(seed);
  const proxies: FaultyProxy[] = [];
  const world = stack.use(
    await startWorld({ clamd: true, rspamd: true, config: (dir) => spoiled(dir, { random, proxies, stack }) }),
  );
  // the engines are up before the trouble begins
  const first = await deliver(letter(world, 0));
  if (first.code !== 250) throw new Error(`The first mail was not taken: ${first.text}`);
  for (const proxy of proxies) proxy.share = FAULTY_SHARE;
  const codes: Record<string, number> = {};
  const accepted = new Set<number>();
  const state = { sent: 0, over: false };
  const disturbing = disturb(world, () => state.over, short ? 4_000 : 15_000);
  const sessions = mails >= SESSIONS.from ? SESSIONS.many : SESSIONS.few;
  await keepBusy({ sessions, done: () => state.sent >= mails }, async () => {
    state.sent += 1;
    const turn = state.sent;
    if (turn % 1_000 === 0) tell(`${turn} mails`);
    for (let tries = 0; tries < TRIES; tries += 1) {
      const { code } = await deliver(letter(world, turn));
      codes[code] = (codes[code] ?? 0) + 1;
      if (code === 250) accepted.add(turn);
      if (code === 250 || code >= 500) return;
      await sleep(RETRY_MS);
    }
  });
  state.over = true;
  await disturbing;
  for (const proxy of proxies) proxy.share = 0;
  const waited = await settle(world, short ? SETTLE_MS.short : SETTLE_MS.full);
  tell(`${waited} ms until what waited was inspected`);
  const { counts } = (await world.gateway.call('status', {})).spool;
  const arrived = new Set(world.office.messages.map(({ bytes }) => numberOf(bytes)));
  const kept = counts.incoming + counts.held + counts.quarantine + counts.queue + counts.corrupt;
  const missing = [...accepted].filter((turn) => !arrived.has(turn)).length;
  const spoilt = FAULTS.map((fault) => `${fault} ${proxies.reduce((sum, { done }) => sum + done[fault], 0)}`);
  return [
    reported(
      `${mails} mails heard`,
      Object.entries(codes)
        .map(([code, count]) => `${count} × ${code}`)
        .join(', '),
    ),
    reported('spoiled connections', spoilt.join(', ')),
    reported('still waiting for inspection / in quarantine', `${counts.incoming} / ${counts.quarantine}`),
    // a copy may have arrived twice: who was told 4xx and was taken all the same
    atMost('lost: 250, not delivered and not kept', Math.max(0, missing - kept), { limit: 0 }),
    atMost('clean mails that lost their delivery to slow engines', cleanQuarantined(world), { limit: 0 }),
    ...standing(world),
  ];
}

function letter({ gateway }: World, turn: number) {
  const bytes = smallMail(turn, { dirty: turn % 3 === 1 });
  return { port: gateway.mxPort, address: knownAddress(turn), from: 'hanako@nospf.example', to: OFFICE, bytes };
}

function numberOf(bytes: Buffer): number {
  return Number(/^Message-ID: <overload-(\d+)@/im.exec(bytes.toString('latin1'))?.[1] ?? -1);
}

/** Decided as too complex or not inspected, though nothing was in them. */
function cleanQuarantined({ gateway }: World): number {
  return gateway.lines.filter((line) => JSON.stringify(line).includes('"reason":"too-complex"')).length;
}

async function spoiled(dir: string, to: { random: () => number; proxies: FaultyProxy[]; stack: AsyncDisposableStack }) {
  const sockets = { clamd: path.join(dir, 'c.sock'), rspamd: path.join(dir, 'r.sock') };
  const { random, proxies, stack } = to;
  const clamd = layoutOf(path.join(dir, 'clamd')).clamdSocket;
  const rspamd = layoutOf(path.join(dir, 'rspamd')).rspamdSocket;
  const tooBig = 'INSTREAM size limit exceeded. ERROR\0';
  const busy = 'HTTP/1.1 413 Too large\r\ncontent-length: 0\r\n\r\n';
  proxies.push(
    stack.use(await openFaultyProxy({ listen: sockets.clamd, upstream: clamd, overLimit: tooBig, random })),
    stack.use(await openFaultyProxy({ listen: sockets.rspamd, upstream: rspamd, overLimit: busy, random })),
  );
  return {
    listeners: { mx: { proxyPeers: ['127.0.0.1'] } },
    timeouts: { inspectionMs: 5_000 },
    engines: {
      clamd: { socket: sockets.clamd, timeoutMs: 2_000 },
      rspamd: { url: sockets.rspamd, timeoutMs: 2_000 },
    },
  };
}

/** Paused, reloaded, restarted: one after the other, whatever is being scanned. */
async function disturb({ clamd, rspamd }: World, over: () => boolean, everyMs: number): Promise<void> {
  if (clamd === undefined || rspamd === undefined) return;
  const deeds = [
    async () => {
      clamd.pause();
      await sleep(3_000);
      clamd.resume();
    },
    async () => clamd.child().signal('SIGUSR2'), // loads its signatures anew
    async () => {
      await clamd.stop();
      await sleep(1_000);
      await clamd.start();
    },
    async () => {
      rspamd.pause();
      await sleep(3_000);
      rspamd.resume();
    },
    async () => {
      await rspamd.stop();
      await rspamd.start();
    },
  ];
  for (let turn = 0; !over(); turn += 1) {
    const until = performance.now() + everyMs;
    while (performance.now() < until && !over()) await sleep(100);
    if (!over()) await deeds[turn % deeds.length]?.();
  }
}

/** Until nothing waits to be inspected or delivered. What was late often is tried again only after minutes: that may stay. */
async function settle({ gateway }: World, most: number): Promise<number> {
  const begun = performance.now();
  while (performance.now() - begun < most) {
    const { counts } = (await gateway.call('status', {})).spool;
    if (counts.incoming === 0 && counts.queue === 0) break;
    await sleep(500);
  }
  return Math.round(performance.now() - begun);
}
