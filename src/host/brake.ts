/**
 * The boot-loop brake: five crashes of the gateway in ten minutes, or three watchdog resets in an hour, and the box stays up in
 * degraded mode (the gateway says 421, page and console live) instead of restarting for ever. The decision needs nobody alive:
 * each end of the gateway is one synced line, written by a shell in the unit's ExecStopPost (rootfs/usr/libexec/sekisho/gateway-ended);
 * the program after it decides at once, and where that is too late the host, which looks every ten seconds. After half an hour
 * the gateway is tried in full, then after an hour, two, … six: what heals by itself needs no visitor.
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { SekishoError } from '../base/errors.ts';

export const CRASHES = { count: 5, withinMs: 600_000 };
export const RESETS = { count: 3, withinMs: 3_600_000 };
const FIRST_TRY_MS = 1_800_000;
const MOST_TRY_MS = 21_600_000;

const endSchema = z.object({
  boot: z.string(),
  mono: z.number(),
  wall: z.number(),
  /** systemd's $SERVICE_RESULT: success, exit-code, signal, core-dump, watchdog, oom-kill, … */
  result: z.string(),
  status: z.string(),
});
export type GatewayEnd = z.output<typeof endSchema>;

const degradedSchema = z.object({
  since: z.number(),
  /** no-data: written at the start of a machine without its data partition (rootfs/usr/libexec/sekisho/no-data). */
  cause: z.enum(['crashes', 'watchdog-resets', 'operator', 'no-data']),
  detail: z.string(),
  /** How often it was tried in full since the first time. */
  tries: z.number().int().min(0),
});
export type DegradedRecord = z.output<typeof degradedSchema>;

/** How long the box stays degraded before the gateway is tried again. Undefined: mail would be taken into memory and lost. */
export function tryAfterMs(record: DegradedRecord): number | undefined {
  if (record.cause === 'no-data') return undefined;
  return Math.min(MOST_TRY_MS, FIRST_TRY_MS * 2 ** record.tries);
}

/** Of this boot and the last ten minutes, by the monotonic clock: a clock that is set counts for nothing. */
export function recentCrashes(ends: readonly GatewayEnd[], clock: Clock): number {
  const now = clock.monotonic();
  return ends.filter(
    (end) => end.result !== 'success' && end.boot === clock.bootId && now - end.mono <= CRASHES.withinMs,
  ).length;
}

export interface Brake {
  ends(): Promise<GatewayEnd[]>;
  degraded(): DegradedRecord | undefined;
  /** True when the last end of the gateway was one too many. */
  judge(): Promise<boolean>;
  engage(cause: DegradedRecord['cause'], detail: string): Promise<void>;
  /** `operator`: the past is forgiven. `try`: the gateway gets another chance, and the next pause is longer. */
  release(why: 'operator' | 'try'): Promise<void>;
  /** At each start of the host: what the gateway looks at lives in /run and is gone after a boot. */
  restore(): Promise<void>;
}

export function createBrake(options: { folder: string; runFile: string; clock: Clock }): Brake {
  const { folder, runFile, clock } = options;
  const endsFile = path.join(folder, 'gateway-ends.jsonl');
  const file = path.join(folder, 'degraded.json');
  const triesFile = path.join(folder, 'degraded-tries');

  async function ends(): Promise<GatewayEnd[]> {
    const text = await readFile(endsFile, 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => endSchema.safeParse(parse(line)))
      .flatMap((parsed) => (parsed.success ? [parsed.data] : [])); // a torn last line is no end
  }

  function degraded(): DegradedRecord | undefined {
    try {
      const parsed = degradedSchema.safeParse(parse(readFileSync(file, 'utf8')));
      return parsed.success
        ? parsed.data
        : { since: clock.wall(), cause: 'operator', detail: 'unreadable record', tries: 0 };
    } catch {
      return undefined;
    }
  }

  async function tries(): Promise<number> {
    const count = Number(await readFile(triesFile, 'utf8').catch(() => '0'));
    return Number.isInteger(count) && count >= 0 ? Math.min(count, 20) : 0;
  }

  async function tellGateway(record: DegradedRecord): Promise<void> {
    await mkdir(path.dirname(runFile), { recursive: true });
    await writeFileAtomic(runFile, JSON.stringify({ detail: record.detail, since: record.since }), { mode: 0o644 });
  }

  async function engage(cause: DegradedRecord['cause'], detail: string): Promise<void> {
    const record: DegradedRecord = { since: clock.wall(), cause, detail, tries: await tries() };
    await writeFileAtomic(file, JSON.stringify(record));
    await tellGateway(record);
  }

  return {
    ends,
    degraded,
    engage,
    judge: async () => {
      if (degraded() !== undefined) return false;
      const known = await ends();
      const crashes = recentCrashes(known, clock);
      if (crashes < CRASHES.count) return false;
      const { result = '', status = '' } = known.at(-1) ?? {};
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await engage('crashes', `The gateway ended ${crashes} times in 10 minutes, last: ${result} ${status}`.trim());
      return true;
    },
    release: async (why) => {
      if (degraded()?.cause === 'no-data')
        throw new SekishoError('WRONG_STATE', 'Without its data partition the box takes no mail: it would be lost', {
          remedy: 'Start it again; if that does not help, erase or replace the disk',
        });
      const next = why === 'try' ? (degraded()?.tries ?? 0) + 1 : 0;
      await writeFileAtomic(triesFile, String(next));
      await rm(endsFile, { force: true });
      await rm(file, { force: true });
      await rm(runFile, { force: true });
    },
    restore: async () => {
      const record = degraded();
      if (record !== undefined) await tellGateway(record);
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
