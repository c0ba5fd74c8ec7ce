/** What the tests of observe/ share: a clock that stands still, events with sensible values, a temporary folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import type { ForwardPath, ReversePath } from '../../src/mail/address.ts';
import type { Origin } from '../../src/mail/envelope.ts';
import { newQueueId, type QueueId } from '../../src/mail/queue-id.ts';
import type { MailEvent } from '../../src/observe/events.ts';

export type Event<Name extends MailEvent['event']> = Extract<MailEvent, { event: Name }>;

/** 2026-11-21T09:00:00Z */
export const NOON = 1_795_251_600_000;

export interface TestClock extends Clock {
  advance(ms: number): void;
  set(options: { synchronised: boolean }): void;
}

export function testClock(): TestClock {
  let now = 0;
  let right = true;
  return {
    wall: () => NOON + now,
    monotonic: () => 1_000 + now,
    bootId: 'test-boot',
    synchronised: () => right,
    advance: (ms) => {
      now += ms;
    },
    set: ({ synchronised }) => {
      right = synchronised;
    },
  };
}

export const origin: Origin = {
  direction: 'inbound',
  listener: 'mx',
  sessionId: 's1',
  clientAddress: '192.0.2.7',
  helo: 'mail.example.com',
  protocol: 'ESMTPS',
  tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
};

export function to(address: string): ForwardPath {
  return address as ForwardPath;
}

let sequence = 0;
export function queueId(): QueueId {
  sequence += 1;
  return newQueueId(sequence);
}

export function received(id: QueueId, changes: Partial<Event<'received'>> = {}): Event<'received'> {
  const recipients = changes.recipients ?? [to('hanako@office.example')];
  return {
    event: 'received',
    id,
    direction: 'inbound',
    origin,
    reversePath: 'taro@example.com' as ReversePath,
    recipients,
    size: 1_234,
    subject: 'Minutes of the meeting',
    messageId: '<m1@example.com>',
    from: 'Yamada Taro <taro@example.com>',
    findings: [{ kind: 'spf', result: 'pass', domain: 'example.com', helo: 'mail.example.com' }],
    decisions: recipients.map((recipient) => ({ recipient, action: 'deliver', reason: 'clean' })),
    state: 'queue',
    reply: '250 2.0.0 Queued',
    ...changes,
  };
}

export async function temporaryFolder(): Promise<{ folder: string; [Symbol.asyncDispose](): Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sekisho-observe-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Waits for something that happens by itself soon; fails after a minute. */
export async function eventually(what: string, check: () => boolean): Promise<void> {
  for (let tries = 0; tries < 6_000; tries += 1) {
    if (check()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`"${what}" did not happen`);
}
