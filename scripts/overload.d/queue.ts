/**
 * A destination that is dead while 100,000 messages wait for it: what that costs the others, the memory, a start and a look
 * into the list. No engines: the queue is measured, not them. `--million`: 1,000,000 of them, and how fast they drain; these are
 * not sent but put into the spool of the stopped gateway by its own code, so the history does not know them.
 */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { plantMessages } from '../../test/crash/planted-spool.ts';
import { startWorld, type World } from '../../test/e2e/world.ts';
import { freePort } from '../../test/support/net.ts';
import { peerEnvironment, peersPrefix } from '../../test/support/peers.ts';
import { startChild, until } from '../../test/support/process.ts';
import { type SmtpSink, startSmtpSink } from '../../test/support/smtp-sink.ts';
import { sendMail } from '../../test/support/smtp-client.ts';
import { atMost, type Item, type ItemOptions, type Mark, percentile, reported } from './item.ts';
import { smallMail } from './mails.ts';
import { residentOf } from './peers.ts';

const DEAD = 'dead.example';
const FILL_MS = 3 * 3_600_000;
const MILLION_DRAIN_MS = 120_000;
/** A start with all of them is measured, and its mark judged; this is the guard against one that never ends. */
const START_MS = 600_000;

export const QUEUES: readonly Item[] = [
  {
    name: 'queue',
    what: '100,000 messages for one dead destination',
    run: async (options) => {
      if (options.million) return waitFor(options, { messages: options.count ?? 1_000_000, judged: false });
      return waitFor(options, { messages: options.count ?? (options.short ? 1_500 : 100_000), judged: true });
    },
  },
];

async function waitFor(
  options: ItemOptions,
  { messages, judged }: { messages: number; judged: boolean },
): Promise<Mark[]> {
  const { tell } = options;
  const deadPort = await freePort();
  await using office = await startSmtpSink();
  await using world = await startWorld({ config: async () => settings(deadPort, office.port) });
  const { gateway } = world;
  const begun = performance.now();
  const empty = residentOf(gateway.child().pid);
  if (judged) await fill(world, messages);
  else await plant(world, { messages, tell });
  const fillSeconds = (performance.now() - begun) / 1_000;
  const full = residentOf(gateway.child().pid);
  tell(`${messages} wait after ${fillSeconds.toFixed(0)} s`);

  const delays = await sendOthers(world, { office, others: options.short ? 40 : 200 });
  const later = residentOf(gateway.child().pid);
  const lists = await timeLists(world);
  const stopping = performance.now();
  await gateway.stop();
  const starting = performance.now();
  await gateway.start({ readyMs: START_MS });
  const startSeconds = (performance.now() - starting) / 1_000;
  const started = residentOf(gateway.child().pid);
  const { counts } = (await gateway.call('status', {})).spool;
  const drain = await drainTo(deadPort, {
    world,
    messages,
    most: options.short ? 5_000 : judged ? 60_000 : MILLION_DRAIN_MS,
  });

  if (!judged) await clear(world);

  const name = messages.toLocaleString('en');
  const mark = (made: Mark): Mark => (judged ? made : { ...made, mark: '', met: true });
  return [
    reported(
      `${name} ${judged ? 'accepted' : 'put into the spool, and a first start'}`,
      `${fillSeconds.toFixed(0)} s, ${(messages / fillSeconds).toFixed(0)}/s`,
    ),
    mark(atMost('delay of others, p95', percentile(delays, 0.95) / 1_000, { limit: 60, unit: ' s' })),
    reported('resident empty / full / full after a start', [empty, full, started].map(megabytes).join(' / ')),
    mark(atMost('octets of memory a waiting message', (started - empty) / messages, { limit: 4_096 })),
    mark(atMost('resident grows while others flow', (later - full) / 1e6, { limit: 64, unit: ' MB' })),
    mark(atMost('list and search, slowest', lists / 1_000, { limit: 1, unit: ' s' })),
    reported('clean stop', `${((starting - stopping) / 1_000).toFixed(1)} s`),
    mark(atMost('start with all of them', startSeconds, { limit: 10, unit: ' s' })),
    mark(atMost('lost over the stop', Math.max(0, messages - counts.queue - counts.held), { limit: 0 })),
    reported('drains when the destination is back', `${drain.toFixed(0)}/s`),
  ];
}

function settings(deadPort: number, officePort: number) {
  const recipients = { check: 'any' } as const;
  return {
    limits: { messagesPerSession: 2_000_000 },
    listeners: { relay: { maxSessions: 1_000 } },
    outbound: { smarthost: { host: '127.0.0.1', port: deadPort } },
    delivery: { retryMs: [60_000, 300_000], probeMs: 1_000 },
    domains: [
      { name: 'office.example', servers: [{ host: '127.0.0.1', port: officePort }], recipients },
      { name: DEAD, servers: [{ host: '127.0.0.1', port: deadPort }], recipients },
    ],
  };
}

async function fill(world: World, messages: number): Promise<void> {
  const args = [
    '-s',
    '20',
    '-m',
    String(messages),
    '-l',
    '1024',
    '-d',
    '-f',
    'sender@office.example',
    '-t',
    `x@${DEAD}`,
  ];
  const program = path.join(peersPrefix(), 'usr/sbin/smtp-source');
  const child = await startChild(program, [...args, `127.0.0.1:${world.gateway.relayPort}`], {
    env: peerEnvironment(),
  });
  const late = setTimeout(() => child.signal('SIGKILL'), FILL_MS);
  const { code } = await child.ended;
  clearTimeout(late);
  if (code !== 0) throw new Error(`smtp-source failed (${code}): ${child.output().slice(-500)}`);
}

async function plant({ gateway }: World, options: { messages: number; tell: (text: string) => void }): Promise<void> {
  await gateway.stop();
  const tell = (done: number): void => options.tell(`${done} are in the spool`);
  await plantMessages(path.join(gateway.dataFolder, 'spool'), { messages: options.messages, to: `x@${DEAD}`, tell });
  await gateway.start({ readyMs: START_MS });
}

/** A folder at a time: removing a tree at once asks for every file of it at the same moment. */
async function clear({ gateway }: World): Promise<void> {
  await gateway.stop();
  const queue = path.join(gateway.dataFolder, 'spool', 'queue');
  for (const folder of await readdir(queue)) await rm(path.join(queue, folder), { recursive: true });
}

/** Mails for a domain that lives: from the 250 to their arrival. */
async function sendOthers(
  { gateway }: World,
  { office, others }: { office: SmtpSink; others: number },
): Promise<number[]> {
  const before = office.messages.length;
  const taken = new Map<string, number>();
  for (let turn = 0; turn < others; turn += 1) {
    const bytes = smallMail(turn);
    const said = await sendMail(gateway.relayPort, { from: 'a@nospf.example', to: 'taro@office.example', bytes });
    if (said.code !== 250) throw new Error(`Another mail was not taken: ${said.text}`);
    taken.set(`<overload-${turn}@nospf.example>`, performance.now());
    await sleep(50);
  }
  await office.received(before + others, { ms: 180_000 });
  return office.messages.slice(before).map(({ bytes, at }) => {
    const id = /^Message-ID: (\S+)/im.exec(bytes.toString('latin1'))?.[1] ?? '';
    return Math.max(0, at - (taken.get(id) ?? 0));
  });
}

async function timeLists({ gateway }: World): Promise<number> {
  let worst = 0;
  for (const ask of [
    () => gateway.call('queue.list', {}),
    () => gateway.call('queue.list', { domain: DEAD }),
    () => gateway.call('queue.list', { state: 'deferred' }),
    () => gateway.call('queue.list', { domain: 'none.example' }),
    () => gateway.call('queue.list', { hop: `domain:${DEAD}` }),
    () => gateway.call('queue.summary', {}),
    () => gateway.call('history.search', { text: 'Figures' }),
    () => gateway.call('history.search', { recipient: `x@${DEAD}` }),
    () => gateway.call('status', {}),
  ]) {
    const begun = performance.now();
    await ask();
    worst = Math.max(worst, performance.now() - begun);
  }
  return worst;
}

/** Messages a second, measured until all are gone or `most` is over. */
async function drainTo(port: number, options: { world: World; messages: number; most: number }): Promise<number> {
  const { gateway } = options.world;
  await using sink = await startSmtpSink({ port });
  await gateway.call('queue.retry', { domain: DEAD });
  await until('the first delivery', { ms: 60_000 }, () => (sink.messages.length > 0 ? true : undefined));
  const begun = performance.now();
  let done = 0;
  while (done < options.messages && performance.now() - begun < options.most) {
    await sleep(500);
    done += sink.messages.splice(0).length;
  }
  return (done * 1_000) / (performance.now() - begun);
}

function megabytes(octets: number): string {
  return `${(octets / 1e6).toFixed(0)} MB`;
}
