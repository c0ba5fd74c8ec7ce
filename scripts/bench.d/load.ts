/**
 * One round: smtp-source (or, when every mail is another one, our own feeder) against one system until everything has arrived at
 * the sink, with what it cost. Throws when not all arrives in time, which is worse than slow.
 */
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { peerEnvironment, peersPrefix } from '../../test/support/peers.ts';
import { type Child, startChild } from '../../test/support/process.ts';
import { usageOf } from './account.ts';
import { feed, wireForm } from './feeder.ts';
import { htmlMail } from './messages.ts';
import { RECIPIENT_DOMAIN, type Sink, type System } from './systems.ts';
import type { Workload } from './workloads.ts';

export interface Round {
  /** Messages a second until all had arrived; of W5: accepted. */
  rate: number;
  /** W5: delivered a second, from the moment the sink is there. */
  drain?: number;
  cpuPerThousand: number;
  /** Written to disk by the processes of the system, by octet accepted. */
  writtenPerOctet: number;
}

export interface LoadOptions {
  workload: Workload;
  system: System;
  sink: Sink;
  /** Engines it uses: their CPU is its CPU. */
  engines: readonly number[];
  dir: string;
  /** Differs from round to round, so that no two have the same mails. */
  seed: number;
  messages: number;
}

const ROUND_MS = 180_000;
/** What a system still does after the last message has arrived belongs to the round. */
const SETTLE_MS = 1_000;

export async function runRound(options: LoadOptions): Promise<Round> {
  try {
    return await measuredRound(options);
  } catch (error) {
    const { system, workload } = options;
    throw new Error(`${workload.name} with ${system.name}; it says:\n${await system.log()}`, { cause: error });
  }
}

async function measuredRound(options: LoadOptions): Promise<Round> {
  const { workload, system, sink, messages } = options;
  const mails = await prepareMails(options);
  const roots = [...system.roots, ...options.engines];
  if (workload.down) await sink.stop();
  const before = { ...usageOf(roots), arrived: workload.down ? 0 : sink.count(), at: performance.now() };
  const sent = sendAll(options, mails);
  const times: { done: number; drainMs?: number } = workload.down
    ? await acceptThenDrain(options, sent)
    : await arriveAll(options, { sent, count: before.arrived + messages });
  await sleep(SETTLE_MS);
  const after = usageOf(roots);
  if (mails.file !== undefined) await rm(mails.file, { force: true });
  return {
    rate: perSecond(messages, times.done - before.at),
    ...(times.drainMs === undefined ? {} : { drain: perSecond(messages, times.drainMs) }),
    cpuPerThousand: ((after.cpuSeconds - before.cpuSeconds) / messages) * 1_000,
    writtenPerOctet: (after.writtenBytes - before.writtenBytes) / (messages * mails.octets),
  };
}

async function arriveAll(
  { sink }: LoadOptions,
  { sent, count }: { sent: Promise<void>; count: number },
): Promise<{ done: number }> {
  const [done] = await Promise.all([arrival(sink, count), sent]);
  return { done };
}

async function acceptThenDrain(
  { system, sink, messages }: LoadOptions,
  sent: Promise<void>,
): Promise<{ done: number; drainMs: number }> {
  await sent;
  const done = performance.now();
  await sleep(SETTLE_MS);
  const started = performance.now();
  await sink.start();
  await system.flush();
  return { done, drainMs: (await arrival(sink, messages)) - started };
}

async function arrival(sink: Sink, count: number): Promise<number> {
  const end = performance.now() + ROUND_MS;
  for (;;) {
    const now = performance.now();
    if (sink.count() >= count) return now;
    if (now > end) throw new Error(`${sink.count()} of ${count} messages arrived in ${ROUND_MS} ms`);
    await sleep(4);
  }
}

function perSecond(messages: number, ms: number): number {
  return (messages / ms) * 1_000;
}

interface Mails {
  /** The one mail of all sessions. */
  file?: string;
  /** One for each message, as it goes over the line. */
  each?: readonly Buffer[];
  octets: number;
}

async function prepareMails({ workload, messages, dir, seed }: LoadOptions): Promise<Mails> {
  if (typeof workload.content === 'number') return { octets: workload.content };
  const octets = 65_536;
  const mail = (at: number): string => htmlMail(seed * 10_000 + at);
  if (workload.content === 'many mails')
    return { each: Array.from({ length: messages }, (_, at) => wireForm(mail(at))), octets };
  const file = path.join(dir, `mail-${seed}.eml`);
  await writeFile(file, mail(0));
  return { file, octets };
}

const ENVELOPE = { from: `sender@${RECIPIENT_DOMAIN}`, to: `taro@${RECIPIENT_DOMAIN}` };

async function sendAll(options: LoadOptions, mails: Mails): Promise<void> {
  const { workload, messages, system } = options;
  const { sessions } = workload;
  if (mails.each !== undefined)
    return feed({ port: system.port, sessions, ...ENVELOPE, mails: mails.each, ms: ROUND_MS });
  const content = mails.file === undefined ? ['-l', String(workload.content)] : ['-F', mails.file];
  await source(options, ['-s', String(sessions), '-m', String(messages), ...content]);
}

/** smtp-source(1); it ends when its messages are accepted. */
async function source({ workload, system }: LoadOptions, args: readonly string[]): Promise<void> {
  const reuse = workload.reuse ? ['-d'] : [];
  const envelope = ['-f', ENVELOPE.from, '-t', ENVELOPE.to];
  const command = [...reuse, ...args, ...envelope, `127.0.0.1:${system.port}`];
  const child: Child = await startChild(path.join(peersPrefix(), 'usr/sbin/smtp-source'), command, {
    env: peerEnvironment(),
  });
  const late = setTimeout(() => child.signal('SIGKILL'), ROUND_MS);
  const { code } = await child.ended;
  clearTimeout(late);
  if (code !== 0) throw new Error(`smtp-source towards ${system.name} failed (${code}): ${child.output().slice(-500)}`);
}
