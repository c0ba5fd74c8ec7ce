/**
 * Known weaknesses of what the box carries. The source of updates names a list (`advisories`), made and signed by whom the box
 * believes its updates: a CMS file, verified by openssl against the same roots, so that neither the server nor the way there can
 * hide a hole or invent one. A list older than the one kept is not taken (an old one hides new holes); the kept one is signed
 * still and verified again at each start. Nothing about the box is told: it fetches two files, the comparison happens here.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import type { AdvisoriesAnswer } from '../control/advisory-shapes.ts';
import { type AdvisoryList, advisoryList, MAX_LIST, type Part, readParts, weaknesses } from './advisories.ts';
import { describeResult, type RunCommand } from './command.ts';
import { fetchBounded } from './fetch-bounded.ts';
import type { RecordFile } from './record.ts';

const FETCH_MS = 60_000;
/** Of the document that names the list. */
const MAX_SOURCE = 65_536;
/** Base64 and certificates beside the list itself. */
const MAX_SIGNED = 2 * MAX_LIST;
/** What a page shows; the count is told in full. */
const SHOWN = 200;

const sourceSchema = z.object({ advisories: z.url({ protocol: /^https$/ }).optional() });
const lookSchema = z.object({ at: z.number(), ok: z.boolean(), detail: z.string() });

export interface AdvisoryWatch {
  show(): AdvisoriesAnswer;
  /** Asks the source. Throws what went wrong, for the job's history. */
  check(signal?: AbortSignal): Promise<void>;
  /** At the start: the list that was kept. Never throws. */
  restore(): Promise<void>;
}

export function createAdvisoryWatch(options: {
  record: RecordFile;
  clock: Clock;
  run: RunCommand;
  /** For the kept list. */
  folder: string;
  /** The parts list of this system, and whose signatures are believed. */
  sbom: string;
  roots: string;
  possible: boolean;
  log: (level: 'info' | 'warn' | 'error', message: string, facts: Record<string, unknown>) => void;
  fetch?: typeof fetch;
}): AdvisoryWatch {
  const { record, clock, folder, log } = options;
  const get = options.fetch ?? fetch;
  const kept = path.join(folder, 'list.cms');
  const lookFile = path.join(folder, 'last-look.json');
  let own: { version: string; parts: Part[] } | undefined;
  let list: AdvisoryList | undefined;
  let look: z.output<typeof lookSchema> | undefined;

  function carried(): { version: string; parts: Part[] } {
    own ??= readParts(readFileSync(options.sbom, 'utf8'));
    return own;
  }

  const fetched = (url: string, most: number, signal: AbortSignal | undefined): Promise<Buffer> =>
    fetchBounded(url, { most, ms: FETCH_MS, code: 'ADVISORY_SOURCE', signal, get });

  /** `times`: for one that was verified by the clock before; at a start the clock may not be right yet. */
  async function verified(file: string, times: readonly string[] = []): Promise<AdvisoryList> {
    const roots = ['-CAfile', options.roots, '-no-CApath', '-no-CAstore'];
    const args = ['cms', '-verify', '-inform', 'DER', '-in', file, ...roots, ...times];
    const result = await options.run('openssl', args, { deadlineMs: 30_000, maxOctets: MAX_LIST });
    if (result.code !== 0)
      throw new SekishoError(
        'ADVISORY_SIGNATURE',
        `The list is not signed by whom we believe: ${describeResult(result)}`,
      );
    return advisoryList.parse(JSON.parse(result.stdout));
  }

  async function take(signal: AbortSignal | undefined): Promise<string> {
    const source = await fetched(record.current().update.source, MAX_SOURCE, signal);
    const { advisories } = sourceSchema.parse(JSON.parse(source.toString('utf8')));
    if (advisories === undefined) throw new SekishoError('ADVISORY_SOURCE', 'The source of updates names no list');
    const draft = path.join(folder, 'new.cms');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      await writeFile(draft, await fetched(advisories, MAX_SIGNED, signal), { mode: 0o600, flush: true });
      const next = await verified(draft);
      if (list !== undefined && Date.parse(next.published) < Date.parse(list.published))
        throw new SekishoError(
          'ADVISORY_TOO_OLD',
          `The list of ${next.published} is older than ours of ${list.published}`,
        );
      await rename(draft, kept);
      list = next;
      return `published ${next.published}`;
    } finally {
      await rm(draft, { force: true });
    }
  }

  async function remember(ok: boolean, detail: string): Promise<void> {
    look = { at: clock.wall(), ok, detail: detail.slice(0, 300) };
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFileAtomic(lookFile, JSON.stringify(look));
  }

  return {
    check: async (signal) => {
      if (!options.possible || record.current().update.source === '') return;
      try {
        await remember(true, await take(signal));
      } catch (error) {
        await remember(false, describeError(error)).catch(() => undefined); // a full disk: the first trouble is what counts
        throw error;
      }
    },
    restore: async () => {
      try {
        if (existsSync(lookFile)) look = lookSchema.parse(JSON.parse(readFileSync(lookFile, 'utf8')));
        if (existsSync(kept)) list = await verified(kept, ['-no_check_time']);
      } catch (error) {
        log('warn', 'The kept list of known weaknesses is not used', { error: describeError(error) });
      }
    },
    show: () => {
      const time = (ms: number): string => new Date(ms).toISOString();
      const looked = { looked: list?.looked ?? [], ...(list === undefined ? {} : { publishedAt: list.published }) };
      const checked =
        look === undefined ? {} : { checkedAt: time(look.at), ...(look.ok ? {} : { detail: look.detail }) };
      if (!options.possible || (record.current().update.source === '' && list === undefined))
        return { state: 'off', looked: [], parts: 0, serious: [], others: 0 };
      if (list === undefined)
        return {
          state: look === undefined ? 'never' : 'failed',
          ...checked,
          looked: [],
          parts: 0,
          serious: [],
          others: 0,
        };
      const { version, parts } = carried();
      const found = weaknesses(list, parts);
      const covered = list.versions.includes(version);
      return {
        state: look?.ok === false ? 'failed' : covered ? 'current' : 'uncovered',
        ...checked,
        ...looked,
        parts: parts.filter(({ kind }) => list?.looked.includes(kind)).length,
        serious: found.serious.slice(0, SHOWN),
        others: found.others.length + Math.max(0, found.serious.length - SHOWN),
      };
    },
  };
}

export interface AdvisoryTrouble {
  name: 'advisory-serious' | 'support-ended';
  detail: string;
  since: number;
}

/** For the machine's alarms: something that an update would mend, and an end of support that has passed. */
export function advisoryTrouble(parts: {
  advisories: Pick<AdvisoryWatch, 'show'>;
  supportedUntil: string | undefined;
  clock: Pick<Clock, 'wall'>;
  synchronised: boolean;
}): AdvisoryTrouble[] {
  const { clock, supportedUntil } = parts;
  const { serious, publishedAt } = parts.advisories.show();
  const end = supportedUntil === undefined ? Number.NaN : Date.parse(`${supportedUntil}T23:59:59Z`);
  return [
    ...(serious.length === 0
      ? []
      : [
          {
            name: 'advisory-serious' as const,
            detail: serious
              .slice(0, 5)
              .map(({ id, part }) => `${id} (${part})`)
              .join(', '),
            since: Date.parse(publishedAt ?? new Date(clock.wall()).toISOString()),
          },
        ]),
    // a clock nobody trusts yet ends no support
    ...(parts.synchronised && clock.wall() > end
      ? [{ name: 'support-ended' as const, detail: supportedUntil ?? '', since: end }]
      : []),
  ];
}
