/**
 * The owner's lists for the spam filter. rspamd fetches nothing itself: the host asks the owner's own server, holds every line
 * against what a domain is (an error page or half a file is no list), lays a complete set beside the one in use and turns a link;
 * rspamd is told to read anew (SIGHUP: mail goes on meanwhile). Then it is asked: a domain that only this set has must hit in each list, a mail of
 * nobody's must hit nothing. What does not prove itself is taken back; the last good set is never touched by a failed run, nor by a power cut.
 */
import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, open, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { syncDirectory } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import { type MapSettings, SPAM_MAPS, type SpamMap, type SpamMapsAnswer } from '../control/map-shapes.ts';
import { fetchBounded } from './fetch-bounded.ts';
import type { RecordFile } from './record.ts';
import { askRspamd } from './rspamd-ask.ts';

const FETCH_MS = 60_000;
const MAX_OCTETS = 4 * 1024 * 1024;
const MAX_ENTRIES = 200_000;
/** rspamd builds everything anew: seconds on a small box. */
const PROOF_MS = 90_000;
const ASK_MS = 15_000;
const EVERY_MS = 1_000;
/** In each list of a set, and in no other set: names that DNS never has (RFC 7686), below an ending rspamd knows. */
const MARK = /^sekisho-proof-\d+\.onion$/;
const DOMAIN = /^(?=.{4,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}$/;
const STRANGER = 'sekisho-stranger.onion';
const SYMBOLS: Readonly<Record<SpamMap, string>> = {
  'link-domains': 'OWNER_LINK_DOMAIN',
  'sender-domains': 'OWNER_SENDER_DOMAIN',
};

type Lists = ReadonlyMap<SpamMap, readonly string[]>;

export interface SpamMaps {
  show(): SpamMapsAnswer;
  set(settings: MapSettings): Promise<void>;
  /** Throws what went wrong, for the job's history. */
  update(signal?: AbortSignal): Promise<void>;
}

export function createSpamMaps(options: {
  record: RecordFile;
  clock: Clock;
  folder: string;
  /** rspamd's. */
  socket: string;
  /** Makes rspamd read its files anew; without a controller it never looks at their times. */
  reload: () => Promise<void>;
  log: (level: 'info' | 'warn' | 'error', message: string, facts: Record<string, unknown>) => void;
  proofMs?: number;
}): SpamMaps {
  const { record, clock, folder, log } = options;
  const link = path.join(folder, 'current');

  function inUse(): Lists {
    return new Map(SPAM_MAPS.map((name) => [name, readList(path.join(link, name))]));
  }

  /** A whole set, durable, before the link is turned to it; the one before stays until the next. */
  async function lay(lists: Lists): Promise<string> {
    const before = await readlink(link).catch(() => undefined);
    const number = randomInt(2 ** 47);
    const [name, mark] = [`set-${number}`, `sekisho-proof-${number}.onion`];
    await mkdir(path.join(folder, name), { recursive: true, mode: 0o755 });
    for (const map of SPAM_MAPS) {
      const file = await open(path.join(folder, name, map), 'w', 0o644);
      try {
        await file.writeFile(`${[mark, ...(lists.get(map) ?? [])].join('\n')}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
    }
    await syncDirectory(path.join(folder, name));
    await rm(`${link}.new`, { force: true });
    await symlink(name, `${link}.new`);
    await rename(`${link}.new`, link);
    await syncDirectory(folder);
    for (const old of await readdir(folder))
      if (old.startsWith('set-') && old !== name && old !== before)
        await rm(path.join(folder, old), { recursive: true, force: true });
    return mark;
  }

  async function prove(mark: string, signal: AbortSignal | undefined): Promise<void> {
    const ask = (domain: string): Promise<ReadonlySet<string>> =>
      askRspamd(options.socket, { sender: `probe@${domain}`, link: domain }, ASK_MS);
    let why = '';
    for (let left = Math.ceil((options.proofMs ?? PROOF_MS) / EVERY_MS); ; left -= 1) {
      signal?.throwIfAborted();
      try {
        const [marked, stranger] = [await ask(mark), await ask(STRANGER)];
        const missing = SPAM_MAPS.filter((map) => !marked.has(SYMBOLS[map]));
        const wrong = SPAM_MAPS.filter((map) => stranger.has(SYMBOLS[map]));
        if (missing.length === 0 && wrong.length === 0) return;
        why = [...missing.map((map) => `${map} not in effect`), ...wrong.map((map) => `${map} hits everybody`)].join(
          ', ',
        );
      } catch (error) {
        why = describeError(error);
      }
      if (left <= 0) throw new SekishoError('MAPS_UNPROVEN', `The spam filter does not use them as it should: ${why}`);
      await pause(EVERY_MS);
    }
  }

  async function change(lists: Lists, signal: AbortSignal | undefined): Promise<string> {
    const before = inUse();
    if (same(before, lists)) return 'nothing new';
    const mark = await lay(lists);
    try {
      await options.reload();
      await prove(mark, signal);
    } catch (error) {
      await lay(before);
      await options.reload().catch(() => undefined); // it is told with the trouble that led here
      log('warn', 'New lists for the spam filter were taken back', { error: describeError(error) });
      throw error;
    }
    await record.change((state) => ({ ...state, maps: { ...state.maps, changedAt: clock.wall() } }));
    return [...lists].map(([name, entries]) => `${name}: ${entries.length}`).join(', ');
  }

  async function fetched({ source, maps }: MapSettings, signal: AbortSignal | undefined): Promise<Lists> {
    const lists = new Map<SpamMap, readonly string[]>();
    for (const name of maps) {
      const url = `${source.endsWith('/') ? source : `${source}/`}${name}`;
      const text = await fetchBounded(url, { most: MAX_OCTETS, ms: FETCH_MS, code: 'MAPS_SOURCE', signal });
      lists.set(name, entriesOf(text.toString('utf8'), name));
    }
    return lists;
  }

  return {
    update: async (signal) => {
      const { settings } = record.current().maps;
      const off = settings.source === '';
      if (off && !existsSync(link)) return;
      const told = async (ok: boolean, detail: string): Promise<void> =>
        record.change((state) => ({
          ...state,
          maps: { ...state.maps, lastFetch: { at: clock.wall(), ok, detail: detail.slice(0, 300) } },
        }));
      try {
        await told(true, await change(off ? new Map() : await fetched(settings, signal), signal));
      } catch (error) {
        await told(false, describeError(error)).catch(() => undefined); // a full disk: the first trouble is what counts
        throw error;
      }
    },
    set: (settings) => record.change((state) => ({ ...state, maps: { ...state.maps, settings } })),
    show: () => {
      const { settings, changedAt, lastFetch } = record.current().maps;
      const time = (ms: number): string => new Date(ms).toISOString();
      return {
        settings,
        current: [...inUse()]
          .filter(([, list]) => list.length > 0)
          .map(([name, list]) => ({ name, entries: list.length })),
        ...(changedAt === undefined ? {} : { changedAt: time(changedAt) }),
        ...(lastFetch === undefined ? {} : { lastFetch: { ...lastFetch, at: time(lastFetch.at) } }),
      };
    },
  };
}

/** One domain a line, `#` begins a remark. One bad line and all of it is refused: then it is not what the owner means. */
export function entriesOf(text: string, name: string): string[] {
  if (text === '')
    throw new SekishoError('MAPS_BAD', `"${name}" is empty`, { remedy: 'An empty list is a file with a remark' });
  const entries = new Set<string>();
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = (raw.split('#', 1)[0] ?? '').trim().toLowerCase();
    if (line === '') continue;
    if (!DOMAIN.test(line))
      throw new SekishoError('MAPS_BAD', `"${name}" line ${index + 1} is no domain: "${line.slice(0, 60)}"`);
    entries.add(line);
  }
  if (entries.size > MAX_ENTRIES) throw new SekishoError('MAPS_BAD', `"${name}" has more than ${MAX_ENTRIES} entries`);
  return [...entries];
}

function readList(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !MARK.test(line));
  } catch {
    return [];
  }
}

function same(a: Lists, b: Lists): boolean {
  return SPAM_MAPS.every((name) => (a.get(name) ?? []).join('\n') === (b.get(name) ?? []).join('\n'));
}
