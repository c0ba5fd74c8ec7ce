/**
 * What one recipient may see and do by the link from his digest: his own part of the quarantine. Spam he may have delivered to
 * himself; whatever else was kept back he may ask the administrator for. Releasing twice delivers once. A link that is over, or
 * was never ours, is `TICKET_INVALID` without saying which; a message of somebody else is `NOT_FOUND`.
 */
import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode, SekishoError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { addressKey, type ForwardPath } from '../mail/address.ts';
import type { Reason } from '../mail/decision.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import type { Quarantine, QuarantineDetail, QuarantineEntry } from './api.ts';
import { readTicket, signTicket } from './ticket.ts';

/** `release`: he may have it. `ask`: only the administrator may. `asked`: he did. */
export type OwnRight = 'release' | 'ask' | 'asked';

export interface OwnEntry {
  entry: QuarantineEntry;
  right: OwnRight;
}

export interface OwnQuarantine {
  list(ticket: string): Promise<{ recipient: ForwardPath; expires: number; entries: OwnEntry[]; more: boolean }>;
  show(ticket: string, id: QueueId): Promise<{ recipient: ForwardPath; detail: QuarantineDetail; right: OwnRight }>;
  release(ticket: string, id: QueueId): Promise<{ already: boolean }>;
  ask(ticket: string, id: QueueId): Promise<{ already: boolean }>;
  /** Who asked for a message; for the administrator's list. */
  askedFor(id: QueueId): ForwardPath[];
  /** Its deletion was undone: who asked for it still does. */
  broughtBack(id: QueueId): Promise<void>;
}

export interface OwnParts {
  quarantine: Pick<Quarantine, 'list' | 'show' | 'release'>;
  observe: Observe;
  clock: Clock;
  config: () => Config;
  key: Uint8Array;
  /** Remembers who asked for what. */
  stateFile: string;
}

const DAY_MS = 86_400_000;
const MOST_SHOWN = 200;
const PAGE = 200;
const MOST_ASKED = 10_000;
/** What a score alone kept back; all else needs somebody who knows. */
const BY_SCORE: ReadonlySet<Reason> = new Set(['spam-quarantine', 'spam-tag', 'spam-reject']);
const UNSEEN: ReadonlySet<Reason> = new Set(['virus', 'poison']);

/** The address of a recipient's own page, or undefined while there is no portal. */
export function linkTo(
  recipient: ForwardPath,
  options: { config: Config; clock: Clock; key: Uint8Array },
): string | undefined {
  const { portal } = options.config;
  if (!portal.enabled || portal.url === undefined) return undefined;
  const expires = options.clock.wall() + portal.linkDays * DAY_MS;
  return `${portal.url.replace(/\/+$/, '')}/t/${signTicket({ recipient, expires }, options.key)}`;
}

export async function createOwnQuarantine(parts: OwnParts): Promise<OwnQuarantine> {
  const { quarantine, observe, clock, config, key } = parts;
  const asked = await readAsked(parts.stateFile);
  await lookAgain();

  /** What was released or has run out while this was on record needs nobody any more; a deletion may still be undone. */
  async function lookAgain(): Promise<void> {
    for (const id of asked.keys()) {
      try {
        const { folder, deleted } = await quarantine.show(id);
        if (folder !== 'quarantine') asked.delete(id);
        else if (!deleted) raise(id);
      } catch (error) {
        if (errorCode(error) === 'NOT_FOUND') asked.delete(id);
        else raise(id);
      }
    }
  }

  function raise(id: QueueId): void {
    observe.raise('release-requested', id, `Asked for by ${(asked.get(id) ?? []).join(', ')}`);
  }

  function holder(ticket: string): { recipient: ForwardPath; expires: number } {
    const claims = readTicket(ticket, key);
    if (!config().portal.enabled || claims === undefined || claims.expires < clock.wall())
      throw new SekishoError('TICKET_INVALID', 'The link is over, or was never ours', {
        remedy: 'Open the link of the newest digest',
      });
    return claims;
  }

  function rightTo(entry: QuarantineEntry, recipient: ForwardPath): OwnRight {
    if (config().portal.selfRelease === 'spam' && BY_SCORE.has(entry.reason) && !entry.needsForce) return 'release';
    return asked.get(entry.id)?.some((one) => same(one, recipient)) === true ? 'asked' : 'ask';
  }

  async function mine(ticket: string, id: QueueId): Promise<{ recipient: ForwardPath; detail: QuarantineDetail }> {
    const { recipient } = holder(ticket);
    const detail = await quarantine.show(id);
    if (detail.folder !== 'quarantine' || !isFor(detail, recipient)) throw notHis(id);
    return { recipient, detail };
  }

  return {
    list: async (ticket) => {
      const { recipient, expires } = holder(ticket);
      const entries: OwnEntry[] = [];
      let after: QueueId | undefined;
      do {
        const page = await quarantine.list(after === undefined ? { limit: PAGE } : { after, limit: PAGE });
        for (const entry of page.entries)
          if (isFor(entry, recipient)) entries.push({ entry, right: rightTo(entry, recipient) });
        after = page.next;
      } while (after !== undefined);
      const newest = entries.toReversed();
      return { recipient, expires, entries: newest.slice(0, MOST_SHOWN), more: newest.length > MOST_SHOWN };
    },
    show: async (ticket, id) => {
      const { recipient, detail } = await mine(ticket, id);
      return { recipient, detail, right: rightTo(detail, recipient) };
    },
    release: async (ticket, id) => {
      const { recipient } = holder(ticket);
      const by = `user (${recipient})`;
      const detail = await quarantine.show(id).catch((error: unknown) => {
        if (errorCode(error) === 'NOT_FOUND') return undefined;
        throw error;
      });
      // A second click: it has left already. Only for a recipient of that message does release say more than "not found".
      if (detail === undefined) return quarantine.release(id, { by, recipients: [recipient] });
      if (!isFor(detail, recipient)) throw notHis(id);
      if (detail.folder === 'queue') return { already: true };
      if (detail.folder !== 'quarantine') throw notHis(id);
      if (rightTo(detail, recipient) !== 'release')
        throw new SekishoError('NOT_PERMITTED', `Message "${id}" may be released by the administrator only`, {
          remedy: 'Ask the administrator for it',
        });
      return quarantine.release(id, { by, recipients: detail.recipients.filter((one) => same(one, recipient)) });
    },
    ask: async (ticket, id) => {
      const { recipient } = await mine(ticket, id);
      const before = asked.get(id) ?? [];
      if (before.some((one) => same(one, recipient))) return { already: true };
      asked.set(id, [...before, recipient]);
      const [oldest] = asked.keys();
      if (asked.size > MOST_ASKED && oldest !== undefined) asked.delete(oldest);
      await writeFileAtomic(parts.stateFile, JSON.stringify([...asked]));
      raise(id);
      return { already: false };
    },
    askedFor: (id) => asked.get(id) ?? [],
    broughtBack: async (id) => {
      if (asked.has(id) && (await quarantine.show(id)).folder === 'quarantine') raise(id);
    },
  };
}

function notHis(id: QueueId): SekishoError {
  return new SekishoError('NOT_FOUND', `Message "${id}" is not kept for this recipient`);
}

function isFor(entry: QuarantineEntry, recipient: ForwardPath): boolean {
  return !entry.deleted && !UNSEEN.has(entry.reason) && entry.recipients.some((one) => same(one, recipient));
}

function same(one: ForwardPath, other: ForwardPath): boolean {
  return addressKey(one) === addressKey(other);
}

async function readAsked(file: string): Promise<Map<QueueId, ForwardPath[]>> {
  try {
    return new Map(JSON.parse(await readFile(file, 'utf8')) as Array<[QueueId, ForwardPath[]]>);
  } catch (error) {
    // A torn file costs the wish, not a mail: it can be made again.
    if (error instanceof SyntaxError || error instanceof TypeError || errorCode(error) === 'ENOENT') return new Map();
    throw error;
  }
}
