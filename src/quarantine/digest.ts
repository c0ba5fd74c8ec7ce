/**
 * The digest: each recipient hears by mail what was quarantined for him since the last one, at the owner's hours, only when
 * something is new. Run every minute; which hour it is for, and which messages were told, is on record, so a stop, a reload or
 * a power cut at worst tells something twice, never nothing. Nothing is sent while the clock is not known to be right. A digest
 * is a mail like any other: durable in the spool before it is on record as told.
 */
import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { Text } from '../base/i18n.ts';
import type { Config } from '../config/schema.ts';
import { addressKey, domainOf, type ForwardPath, parseReversePath } from '../mail/address.ts';
import type { Reason } from '../mail/decision.ts';
import { composeDigest, type DigestItem } from '../mail/digest.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import type { Spool } from '../spool/api.ts';
import { putOwnMail } from '../spool/own-mail.ts';
import type { Quarantine, QuarantineEntry } from './api.ts';
import { linkTo } from './own.ts';

export interface DigestParts {
  spool: Pick<Spool, 'begin'>;
  quarantine: Pick<Quarantine, 'list'>;
  observe: Observe;
  clock: Clock;
  config: () => Config;
  /** Signs the links. */
  key: Uint8Array;
  reasons: Readonly<Record<Reason, Text>>;
  /** What was told, and for which hour. */
  stateFile: string;
  /** Wall time in the zone of the box. */
  localTime: (wall: number) => { day: string; minutes: number; text: string };
  /** Unguessable text for boundary and Message-ID. */
  token: () => string;
}

export interface DigestRun {
  /** Mails written. */
  digests: number;
  /** Messages told of, each once. */
  messages: number;
}

interface State {
  /** `2026-11-22T08:30`: the last hour that was served. */
  slot: string;
  told: QueueId[];
  /** `<id> <recipient>` of messages that not all their recipients were told of: writing to one of them failed. */
  served: string[];
}

const MOST_ITEMS = 50;
const AHEAD_MS = 2 * 86_400_000;
const PAGE = 200;
/** Nobody gets a virus by himself, so nobody is told of one. */
const UNTOLD: ReadonlySet<Reason> = new Set(['virus', 'poison']);

/** Once for each of the owner's hours; undefined: not due, switched off, or the clock is unsure. */
export async function runDigestIfDue(parts: DigestParts, signal?: AbortSignal): Promise<DigestRun | undefined> {
  const { digest } = parts.config().quarantine;
  if (!digest.enabled || !parts.clock.synchronised()) return undefined;
  const slot = lastSlot(parts, digest.at);
  const state = await readState(parts.stateFile);
  // Just switched on: the next hour is the first.
  if (state === undefined) {
    await writeState(parts.stateFile, { slot, told: [], served: [] });
    return undefined;
  }
  if (slot <= state.slot) {
    // A clock that was far ahead is right again: nobody waits until its hour comes. (A zone's change is no such clock.)
    if (Date.parse(state.slot.slice(0, 10)) - Date.parse(slot.slice(0, 10)) > AHEAD_MS)
      await writeState(parts.stateFile, { ...state, slot });
    return undefined;
  }
  return run(parts, { slot, state, signal });
}

async function run(
  parts: DigestParts,
  options: { slot: string; state: State; signal: AbortSignal | undefined },
): Promise<DigestRun> {
  const { slot, state, signal } = options;
  const told = new Set(state.told);
  const served = new Set(state.served);
  const present: QueueId[] = [];
  const fresh = new Map<string, { recipient: ForwardPath; entries: QuarantineEntry[] }>();
  for await (const entry of entriesOf(parts.quarantine)) {
    if (entry.deleted || entry.direction !== 'inbound' || UNTOLD.has(entry.reason)) continue;
    present.push(entry.id);
    if (told.has(entry.id)) continue;
    for (const recipient of entry.recipients) {
      const key = addressKey(recipient);
      if (served.has(`${entry.id} ${key}`)) continue;
      const known = fresh.get(key) ?? { recipient, entries: [] };
      known.entries.push(entry);
      fresh.set(key, known);
    }
  }
  const messages = new Set<QueueId>();
  const open = new Set<QueueId>();
  let digests = 0;
  let failure: unknown;
  for (const [key, { recipient, entries }] of fresh) {
    try {
      signal?.throwIfAborted();
      await send(parts, { recipient, entries });
      digests += 1;
      for (const { id } of entries) served.add(`${id} ${key}`);
      for (const { id } of entries) messages.add(id);
    } catch (error) {
      // one mail that cannot be written keeps back no other
      failure ??= error;
      for (const { id } of entries) open.add(id);
    }
  }
  // A stop and a full disk pass: the hour stays open, for who was left out. Another trouble waits for the next hour, or it would be
  // an hour every minute. What has left the quarantine is forgotten with it.
  const passing = signal?.aborted === true || errorCode(failure) === 'SPOOL_FULL';
  await writeState(parts.stateFile, {
    slot: passing ? state.slot : slot,
    told: present.filter((id) => !open.has(id)),
    served: [...served].filter((pair) => open.has(pair.slice(0, pair.indexOf(' ')) as QueueId)),
  });
  if (failure !== undefined && signal?.aborted !== true) throw failure;
  return { digests, messages: messages.size };
}

async function send(
  parts: DigestParts,
  { recipient, entries }: { recipient: ForwardPath; entries: readonly QuarantineEntry[] },
): Promise<void> {
  const { clock, key } = parts;
  const config = parts.config();
  const newest = entries.toReversed();
  const link = linkTo(recipient, { config, clock, key });
  const author = parseReversePath(`postmaster@${domainOf(recipient) ?? config.hostname}`);
  if (author === undefined) return;
  const message = composeDigest({
    language: config.language,
    hostname: config.hostname,
    author,
    recipient,
    now: new Date(clock.wall()),
    items: newest.slice(0, MOST_ITEMS).map((entry) => itemOf(entry, { parts, link })),
    more: Math.max(0, newest.length - MOST_ITEMS),
    ...(link === undefined ? {} : { link }),
    days: config.quarantine.days,
    token: parts.token(),
  });
  await putOwnMail(parts, {
    author,
    recipients: [recipient],
    message,
    subject: config.language === 'ja' ? '隔離されたメールのお知らせ' : 'Mail kept back for you',
    direction: 'inbound',
    hostname: config.hostname,
  });
}

function itemOf(entry: QuarantineEntry, { parts, link }: { parts: DigestParts; link: string | undefined }): DigestItem {
  return {
    received: parts.localTime(entry.arrival.wall).text,
    from: entry.from || entry.reversePath,
    subject: entry.subject,
    reason: parts.reasons[entry.reason],
    ...(link === undefined ? {} : { link: `${link}/m/${entry.id}` }),
  };
}

/** The latest of the owner's hours that has begun. */
function lastSlot(parts: DigestParts, hours: readonly string[]): string {
  const now = parts.localTime(parts.clock.wall());
  const sorted = hours.toSorted();
  const begun = sorted.findLast((hour) => minutesOf(hour) <= now.minutes);
  if (begun !== undefined) return `${now.day}T${begun}`;
  const yesterday = parts.localTime(parts.clock.wall() - (now.minutes + 60) * 60_000);
  return `${yesterday.day}T${sorted.at(-1) ?? '00:00'}`;
}

function minutesOf(hour: string): number {
  return Number(hour.slice(0, 2)) * 60 + Number(hour.slice(3, 5));
}

async function* entriesOf(quarantine: Pick<Quarantine, 'list'>): AsyncGenerator<QuarantineEntry> {
  let after: QueueId | undefined;
  do {
    const page = await quarantine.list(after === undefined ? { limit: PAGE } : { after, limit: PAGE });
    yield* page.entries;
    after = page.next;
  } while (after !== undefined);
}

/** A file that is torn or not ours is none: something is told twice. */
async function readState(file: string): Promise<State | undefined> {
  try {
    const value = JSON.parse(await readFile(file, 'utf8')) as Partial<State>;
    return typeof value.slot === 'string' && Array.isArray(value.told)
      ? { slot: value.slot, told: value.told, served: Array.isArray(value.served) ? value.served : [] }
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function writeState(file: string, state: State): Promise<void> {
  return writeFileAtomic(file, JSON.stringify(state));
}
