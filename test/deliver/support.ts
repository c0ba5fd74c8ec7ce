/** What the delivery tests stand on: a small spool in memory with real rules, a DNS of tables, an observer that remembers. */
import { Readable } from 'node:stream';
import { type Clock, type Stamp, stampOf } from '../../src/base/clock.ts';
import { SekishoError } from '../../src/base/errors.ts';
import type { MxRecord, Resolver } from '../../src/base/resolver.ts';
import { type Config, type ConfigInput, configSchema } from '../../src/config/schema.ts';
import { createDelivery } from '../../src/deliver/delivery.ts';
import type { Delivery, DeliveryOptions } from '../../src/deliver/api.ts';
import { type ForwardPath, parseForwardPath, parseReversePath, type ReversePath } from '../../src/mail/address.ts';
import type { Envelope, Origin, Recipient } from '../../src/mail/envelope.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { dsnQueueId, newQueueId, type QueueId } from '../../src/mail/queue-id.ts';
import type { MailEvent, Observe } from '../../src/observe/events.ts';
import type {
  DeferredRecipient,
  Folder,
  Outcome,
  Progress,
  QueuedMessage,
  SettledRecipient,
  Spool,
  StoredMessage,
  Variant,
  Via,
} from '../../src/spool/api.ts';

export function to(text: string): ForwardPath {
  const path = parseForwardPath(text);
  if (path === undefined) throw new Error(`"${text}" is no forward-path`);
  return path;
}

export function from(text: string): ReversePath {
  const path = parseReversePath(text);
  if (path === undefined) throw new Error(`"${text}" is no reverse-path`);
  return path;
}

export interface TestClock extends Clock {
  /** Adds to what the machine's clock says. */
  advance(ms: number): void;
  sync: boolean;
}

export function testClock(): TestClock {
  let offset = 0;
  return {
    sync: true,
    bootId: 'boot-one',
    wall: () => Date.now() + offset,
    monotonic: () => performance.now() + 10_000_000 + offset,
    synchronised() {
      return this.sync;
    },
    advance(ms) {
      offset += ms;
    },
  };
}

interface Entry {
  message: StoredMessage;
  body: Buffer;
}

export interface AddOptions {
  from?: string;
  to: Array<string | Recipient>;
  body?: Buffer | string;
  listener?: Origin['listener'];
  findings?: Finding[];
  variants?: Variant[];
  arrival?: Stamp;
  envelope?: Partial<Envelope>;
  kind?: 'mail' | 'dsn';
}

/** Only what delivery uses; settle is final, a message goes when everybody is settled. */
export class FakeSpool {
  readonly entries = new Map<QueueId, Entry>();
  readonly outcomes = new Map<string, Outcome>();
  readonly record: string[] = [];
  readonly dsns: Array<{ id: QueueId; parent: QueueId; attempt: number; text: string; to: string[] }> = [];
  /** Set to break the body of a message: after so many octets it errors with this code. */
  breakAfter: { octets: number; code: string } | undefined;
  settleError: Error | undefined;
  onSettle: (() => Promise<void>) | undefined;
  /** As the real one: a message with an attempt under way cannot be moved. */
  readonly #busy = new Map<QueueId, Set<string>>();
  readonly #clock: Clock;
  readonly #listeners: Array<(message: QueuedMessage) => void> = [];
  #sequence = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  asSpool(): Spool {
    return this as unknown as Spool;
  }

  add(options: AddOptions): QueueId {
    this.#sequence += 1;
    const id = newQueueId(this.#sequence);
    const recipients = options.to.map((each) => (typeof each === 'string' ? { address: to(each) } : each));
    const body = Buffer.from(options.body ?? 'Subject: hello\r\n\r\nHello.\r\n');
    const addresses = recipients.map((each) => each.address);
    const message: StoredMessage = {
      id,
      folder: 'queue',
      preamble: {
        version: 1,
        id,
        kind: options.kind ?? 'mail',
        envelope: {
          reversePath: from(options.from ?? 'alice@sender.example'),
          recipients,
          smtpUtf8: false,
          eightBit: false,
          ...options.envelope,
        },
        origin: {
          direction: 'inbound',
          listener: options.listener ?? 'mx',
          sessionId: 's1',
          clientAddress: '192.0.2.1',
          helo: 'mx.sender.example',
          protocol: 'ESMTP',
        },
        arrival: options.arrival ?? stampOf(this.#clock),
      },
      trailer: {
        decisions: [],
        inspection: { findings: options.findings ?? [], missing: [], elapsed: {} },
        variants: options.variants ?? [{ recipients: addresses, prefix: '', cuts: [] }],
        size: body.length,
        sha256: '',
      },
      progress: { recipients: addresses.map((address) => ({ address, attempts: 0, wait: 0 })) },
    };
    this.entries.set(id, { message, body });
    this.announce(id);
    return id;
  }

  announce(id: QueueId): void {
    const { message } = this.#entry(id);
    const recipients = message.progress.recipients
      .filter((each) => each.outcome === undefined)
      .map(({ address, attempts, wait, lastAttempt }) => ({
        address,
        attempts,
        wait,
        ...(lastAttempt === undefined ? {} : { lastAttempt }),
      }));
    const { kind, arrival: since } = message.preamble;
    const via = message.progress.via === undefined ? {} : { via: message.progress.via };
    for (const listener of this.#listeners) listener({ id, since, kind, recipients, ...via });
  }

  onQueued(listener: (message: QueuedMessage) => void): void {
    this.#listeners.push(listener);
    for (const id of this.entries.keys()) this.announce(id);
  }

  async read(id: QueueId): Promise<StoredMessage | undefined> {
    const entry = this.entries.get(id);
    return entry === undefined ? undefined : structuredClone(entry.message);
  }

  openVariant(message: StoredMessage, variant: number): Readable {
    const { body } = this.#entry(message.id);
    const { prefix, cuts } = message.trailer.variants[variant] as Variant;
    const parts: Buffer[] = [Buffer.from(prefix)];
    let at = 0;
    for (const [start, end] of cuts) {
      parts.push(body.subarray(at, start));
      at = end;
    }
    parts.push(body.subarray(at));
    return this.#stream(Buffer.concat(parts));
  }

  openBody(message: StoredMessage): Readable {
    return Readable.from([this.#entry(message.id).body], { objectMode: false });
  }

  #stream(octets: Buffer): Readable {
    const broken = this.breakAfter;
    async function* chunks(): AsyncGenerator<Buffer> {
      for (let at = 0; at < octets.length; at += 65_536) {
        if (broken !== undefined && at >= broken.octets) throw new SekishoError(broken.code, 'Broken on purpose');
        yield octets.subarray(at, at + 65_536);
      }
      if (broken !== undefined) throw new SekishoError(broken.code, 'Broken on purpose');
    }
    return Readable.from(chunks(), { objectMode: false });
  }

  async recordAttempt(id: QueueId, recipients: readonly ForwardPath[], nextHop: string): Promise<void> {
    this.record.push(`attempt ${id}`);
    this.#busy.set(id, (this.#busy.get(id) ?? new Set<string>()).union(new Set<string>(recipients)));
    for (const each of this.#progress(id, recipients)) {
      each.attempts += 1;
      each.lastAttempt = stampOf(this.#clock);
      each.nextHop = nextHop;
    }
  }

  async defer(id: QueueId, recipients: readonly DeferredRecipient[]): Promise<void> {
    this.record.push(`defer ${id}`);
    for (const each of recipients) this.#busy.get(id)?.delete(each.address);
    for (const { address, reply, wait } of recipients) {
      for (const each of this.#progress(id, [address])) Object.assign(each, { lastReply: reply, wait });
    }
  }

  async settle(id: QueueId, recipients: readonly SettledRecipient[]): Promise<void> {
    if (this.settleError !== undefined) throw this.settleError;
    await this.onSettle?.();
    this.record.push(`settle ${id}`);
    for (const each of recipients) this.#busy.get(id)?.delete(each.address);
    for (const { address, outcome, reply } of recipients) {
      for (const each of this.#progress(id, [address])) {
        if (each.outcome !== undefined) throw new SekishoError('WRONG_STATE', `"${address}" is settled already`);
        each.outcome = outcome;
        if (reply !== undefined) each.lastReply = reply;
        this.outcomes.set(`${id} ${address}`, outcome);
      }
    }
    if (this.#entry(id).message.progress.recipients.every((each) => each.outcome !== undefined))
      this.entries.delete(id);
  }

  async bounce(
    id: QueueId,
    recipients: readonly SettledRecipient[],
    dsn: {
      attempt: number;
      transaction: { envelope: Envelope; origin: Origin };
      message: Buffer;
      delayNotified?: readonly ForwardPath[];
    },
  ): Promise<QueueId> {
    const own = dsnQueueId(id, dsn.attempt);
    if (this.dsns.some((each) => each.id === own)) throw new SekishoError('WRONG_STATE', `DSN ${own} exists`);
    const { envelope } = dsn.transaction;
    this.dsns.push({
      id: own,
      parent: id,
      attempt: dsn.attempt,
      text: dsn.message.toString('utf8'),
      to: envelope.recipients.map((each) => each.address),
    });
    for (const each of this.#progress(id, dsn.delayNotified ?? [])) each.delayNotified = true;
    if (recipients.length > 0) await this.settle(id, recipients);
    return own;
  }

  async move(id: QueueId, folder: Folder, options: { recipients?: readonly ForwardPath[] } = {}): Promise<QueueId> {
    const entry = this.#entry(id);
    if (entry.message.folder !== 'queue') throw new SekishoError('WRONG_STATE', 'Not queued');
    if ((this.#busy.get(id)?.size ?? 0) > 0) throw new SekishoError('BUSY', 'Being delivered right now');
    const leaving = new Set(options.recipients ?? entry.message.progress.recipients.map((each) => each.address));
    const open = entry.message.progress.recipients.filter((each) => each.outcome === undefined);
    this.record.push(`move ${id} ${folder}`);
    if (open.every((each) => leaving.has(each.address))) {
      entry.message.folder = folder;
      return id;
    }
    const child = `${id}.1` as QueueId;
    const copy = structuredClone(entry.message);
    copy.id = child;
    copy.folder = folder;
    copy.progress.recipients = copy.progress.recipients.filter((each) => leaving.has(each.address));
    this.entries.set(child, { message: copy, body: entry.body });
    for (const each of open) if (leaving.has(each.address)) each.outcome = 'replaced';
    return child;
  }

  folderOf(id: QueueId): Folder | undefined {
    return this.entries.get(id)?.message.folder;
  }

  async reroute(id: QueueId, via: Via | undefined): Promise<void> {
    const { progress } = this.#entry(id).message;
    if (via === undefined) delete progress.via;
    else progress.via = via;
  }

  progressOf(id: QueueId): Progress {
    return this.#entry(id).message.progress;
  }

  outcome(id: QueueId, address: string): Outcome | undefined {
    return this.outcomes.get(`${id} ${address}`);
  }

  #progress(id: QueueId, addresses: readonly ForwardPath[]): Progress['recipients'] {
    return this.#entry(id).message.progress.recipients.filter((each) => addresses.includes(each.address));
  }

  #entry(id: QueueId): Entry {
    const entry = this.entries.get(id);
    if (entry === undefined) throw new SekishoError('NOT_FOUND', `No message ${id}`);
    return entry;
  }
}

export interface Zone {
  mx?: MxRecord[];
  a?: string[];
  aaaa?: string[];
  /** SERVFAIL or timeout. */
  broken?: boolean;
}

export function fakeResolver(zones: Record<string, Zone>): Resolver {
  const zone = (name: string): Zone | undefined => {
    const found = zones[name];
    if (found?.broken === true)
      throw new SekishoError('DNS_TEMPORARY', `DNS query for "${name}" failed`, { retryable: true });
    return found;
  };
  return {
    query: async (name) => ({ exists: zone(name) !== undefined, records: [] }),
    a: async (name) => zone(name)?.a ?? [],
    aaaa: async (name) => zone(name)?.aaaa ?? [],
    mx: async (name) => ({ exists: zone(name) !== undefined, records: zone(name)?.mx ?? [] }),
    txt: async () => [],
    ptr: async () => [],
  };
}

export interface Watched extends Observe {
  events: MailEvent[];
  alarms: Map<string, string>;
  /** All that were ever raised. */
  raised: string[];
  logs: string[];
}

export function watch(): Watched {
  const watched: Watched = {
    events: [],
    alarms: new Map(),
    raised: [],
    logs: [],
    emit: (event) => void watched.events.push(event),
    raise: (alarm, key, detail) => {
      watched.alarms.set(`${alarm} ${key}`, detail);
      watched.raised.push(`${alarm} ${key}`);
    },
    clear: (alarm, key) => void watched.alarms.delete(`${alarm} ${key}`),
    inspected: () => undefined,
    log: (level, message, facts) => void watched.logs.push(`${level} ${message} ${JSON.stringify(facts)}`),
  };
  return watched;
}

/** Pauses short enough for tests, and deadlines that end a hang; everything else as shipped. */
export function testConfig(input: ConfigInput = {}): Config {
  return configSchema.parse({
    hostname: 'mx.gateway.example',
    language: 'en',
    ...input,
    timeouts: {
      connectMs: 30_000,
      commandMs: 30_000,
      dataMs: 30_000,
      dataBlockMs: 30_000,
      finalDotMs: 30_000,
      ...input.timeouts,
    },
    delivery: { retryMs: [30, 60], probeMs: 20, ...input.delivery },
  });
}

/** office.example goes to the servers at these ports, best first. */
export function officeConfig(ports: number[], input: ConfigInput = {}): Config {
  const servers = ports.map((port, at) => ({ host: 'localhost', port, priority: 10 * (at + 1) }));
  return testConfig({ domains: [{ name: 'office.example', servers }], ...input });
}

export interface Stage {
  delivery: Delivery;
  spool: FakeSpool;
  seen: Watched;
  clock: TestClock;
}

export function stage(config: Config | (() => Config), options: Partial<DeliveryOptions> = {}): Stage {
  const clock = (options.clock as TestClock | undefined) ?? testClock();
  const spool = new FakeSpool(clock);
  const seen = watch();
  const delivery = createDelivery({
    config: typeof config === 'function' ? config : () => config,
    resolver: fakeResolver({}),
    random: () => 0.5,
    ...options,
    clock,
    spool: spool.asSpool(),
    observe: seen,
  });
  return { delivery, spool, seen, clock };
}

/** Waits for something to become true; fails loudly when it does not. */
export async function until(what: string, holds: () => boolean, ms = 60_000): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`Waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Undoes what RFC 5321 §4.5.2 did. */
export function undotted(raw: Buffer): Buffer {
  return Buffer.from(
    raw
      .toString('latin1')
      .replaceAll(/^\.\./gm, '.')
      .replaceAll(/(?<=\r\n)\.\./g, '.'),
    'latin1',
  );
}
