/**
 * The senders outside: sessions that send message after message, slowly enough that many transactions are open at any
 * moment, and that try again what was not answered, as an MTA does. And the operator, who releases, parts, deletes, holds.
 * What went wrong with a line is no error here; a 5xx of the gateway is, and is written into the book.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gateway } from '../support/gateway.ts';
import { type SmtpClient, smtpConnect, stuffDots } from '../support/smtp-client.ts';
import type { Book, Sample, Samples } from './outside.ts';

/** Where in a session a sender stands: what a cut lands in. */
export const STAGES = ['connecting', 'between', 'envelope', 'data', 'dot'] as const;
export type Stage = (typeof STAGES)[number];

export interface Load {
  /** How many sessions stand where, now. */
  stages(): Record<Stage, number>;
  /** Everybody may send (again). */
  resume(): void;
  /** No new message is begun. */
  pause(): void;
  /** Transactions begun so far. */
  readonly begun: () => number;
  stop(): Promise<void>;
}

const PIECE = 64 * 1024;
const REPLY_MS = 30_000;

export function startLoad(options: {
  port: number;
  sessions: number;
  book: Book;
  samples: Samples;
  random: () => number;
  /** The longest pause within a transaction, ms. */
  pauseMs: number;
}): Load {
  const { book, samples, random } = options;
  const again: number[] = [];
  let next = 0;
  let begun = 0;
  let going = false;
  let stopped = false;
  const stages = new Map<number, Stage>();
  const take = (): Sample => samples.make(again.shift() ?? (next += 1));
  const pause = (): Promise<void> => sleep(random() * options.pauseMs);

  const transaction = async (client: SmtpClient, at: number, sample: Sample): Promise<boolean> => {
    const expect = async (reply: { code: number; text: string }, good: number): Promise<boolean> => {
      if (reply.code === good) return true;
      if (reply.code >= 500) book.refused.push(`${sample.number}: ${reply.code} ${reply.text}`);
      else again.push(sample.number);
      return false;
    };
    begun += 1;
    stages.set(at, 'envelope');
    if (!(await expect(await client.command(`MAIL FROM:<${sample.from}>`), 250))) return false;
    await pause();
    for (const to of sample.to) if (!(await expect(await client.command(`RCPT TO:<${to}>`), 250))) return false;
    if (!(await expect(await client.command('DATA'), 354))) return false;
    stages.set(at, 'data');
    const octets = stuffDots(sample.bytes);
    const half = Math.floor(octets.length / 2);
    for (let from = 0; from < half; from += PIECE) client.write(octets.subarray(from, Math.min(half, from + PIECE)));
    await pause();
    client.write(octets.subarray(half));
    stages.set(at, 'dot');
    const reply = await client.reply();
    stages.set(at, 'between');
    if (reply.code === 250) book.acknowledge(sample.number, reply.text);
    return expect(reply, 250);
  };

  const session = async (at: number): Promise<void> => {
    while (!stopped) {
      stages.set(at, 'connecting');
      if (!going) {
        await sleep(20);
        continue;
      }
      const client = await smtpConnect({ port: options.port, ms: REPLY_MS }).catch(() => undefined);
      if (client?.greeting.code !== 220) {
        client?.cut();
        await sleep(40);
        continue;
      }
      stages.set(at, 'between');
      let sending: Sample | undefined;
      try {
        while (going) {
          sending = take();
          book.sent(sending);
          const good = await transaction(client, at, sending);
          sending = undefined;
          if (!good) break; // a new session, as after any refusal
        }
      } catch {
        // The line went dead: it was never promised, or the promise did not arrive.
        if (sending !== undefined) again.push(sending.number);
      } finally {
        client.cut();
      }
    }
  };

  const sessions = Array.from({ length: options.sessions }, (_, at) => session(at));
  return {
    stages: () => {
      const counts = { connecting: 0, between: 0, envelope: 0, data: 0, dot: 0 };
      for (const stage of stages.values()) counts[stage] += 1;
      return counts;
    },
    resume: () => {
      going = true;
    },
    pause: () => {
      going = false;
    },
    begun: () => begun,
    stop: async () => {
      stopped = true;
      going = false;
      await Promise.all(sessions);
    },
  };
}

/** What the operator did, so that the figures show that it happened. */
export interface Deeds {
  released: number;
  parted: number;
  deleted: number;
  held: number;
  unheld: number;
}

/**
 * Releases, parts, deletes and holds for as long as the gateway answers; a cut in the middle is what this is for. The more is
 * in quarantine, the more at a time: it must not grow with the length of a run, for the whole of it is looked through.
 */
export async function operate(options: {
  gateway: Gateway;
  book: Book;
  random: () => number;
  deeds: Deeds;
  signal: AbortSignal;
}): Promise<void> {
  const { gateway, book, random, deeds, signal } = options;
  while (!signal.aborted) {
    try {
      const { entries } = await gateway.call('quarantine.list', { limit: 50 });
      const first = Math.floor(random() * entries.length);
      const chosen = entries.slice(first, first + 1 + Math.floor(entries.length / 10));
      await Promise.allSettled(chosen.map(decide));
      const queue = await gateway.call('queue.list', { state: random() < 0.5 ? 'held' : 'deferred', limit: 20 });
      const other = queue.entries[Math.floor(random() * queue.entries.length)];
      if (other?.state === 'held') {
        await gateway.call('queue.unhold', { id: other.id });
        deeds.unheld += 1;
      } else if (other !== undefined) {
        await gateway.call('queue.hold', { id: other.id });
        deeds.held += 1;
      }
    } catch {
      // being delivered right now, gone meanwhile, or the gateway was cut off: all are as they should be
    }
    await sleep(50);
  }

  async function decide(entry: { id: string; subject: string; recipients: string[] }): Promise<void> {
    const chance = random();
    const number = Number(/\d+/.exec(entry.subject)?.[0] ?? 0);
    if (chance < 0.15) {
      const page = book.pages.get(number);
      if (page !== undefined) page.maybeDeleted = true;
      await gateway.call('quarantine.delete', { id: entry.id });
      deeds.deleted += 1;
    } else if (chance < 0.5 && entry.recipients.length > 1) {
      await gateway.call('quarantine.release', { id: entry.id, recipients: entry.recipients.slice(0, 1) });
      deeds.parted += 1;
    } else {
      await gateway.call('quarantine.release', { id: entry.id });
      deeds.released += 1;
    }
  }
}
