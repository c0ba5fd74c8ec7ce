/**
 * RAUC through its own program: slots, installing, marking. RAUC checks signature, compatibility and every block; what it
 * says is taken apart strictly. Version numbers are compared here: an older system is never installed over a newer one.
 */
import { z } from 'zod';
import { SekishoError } from '../base/errors.ts';
import { describeResult, type RunCommand } from './command.ts';

const slotSchema = z.object({
  class: z.string(),
  bootname: z.string().nullish(),
  state: z.string(),
  boot_status: z.string().nullish(),
  slot_status: z
    .object({
      bundle: z.object({ version: z.string().optional() }).optional(),
      installed: z.object({ timestamp: z.string().optional() }).optional(),
    })
    .optional(),
});
const statusSchema = z.object({ booted: z.string().nullish(), slots: z.array(z.record(z.string(), slotSchema)) });
const infoSchema = z.object({ version: z.string(), compatible: z.string() });

export interface RaucSlot {
  name: string;
  booted: boolean;
  good: boolean;
  version: string | undefined;
  installedAt: string | undefined;
}

/** Empty: never installed into (the one that was flashed is good). */
export function slotState({ good, booted, version }: RaucSlot): 'good' | 'trial' | 'empty' | 'bad' {
  if (good) return 'good';
  if (booted) return 'trial';
  return version === undefined ? 'empty' : 'bad';
}

export interface Rauc {
  /**
   * Undefined where RAUC or its configuration is missing, or it does not answer in time. `patient`: for what is lost by that; a box
   * that has just written an update to its disk may need more than the seconds that somebody who looks on would wait.
   */
  slots(asked?: { patient: boolean }): Promise<RaucSlot[] | undefined>;
  info(file: string): Promise<{ version: string }>;
  install(file: string, onPercent: (percent: number) => void): Promise<void>;
  markGood(): Promise<void>;
  /** The other slot starts next. */
  activateOther(): Promise<void>;
}

const PATIENT_MS = 60_000;

export function createRauc(run: RunCommand): Rauc {
  async function must(what: string, args: readonly string[], deadlineMs = PATIENT_MS): Promise<string> {
    const result = await run('rauc', args, { deadlineMs });
    if (result.code !== 0) throw new SekishoError('UPDATE_FAILED', `${what}: ${describeResult(result)}`);
    return result.stdout;
  }
  return {
    slots: async ({ patient } = { patient: false }) => {
      const options = { deadlineMs: patient ? PATIENT_MS : 10_000 };
      const result = await run('rauc', ['status', '--detailed', '--output-format=json'], options);
      if (result.code !== 0) return undefined;
      const parsed = statusSchema.safeParse(JSON.parse(result.stdout));
      if (!parsed.success) return undefined;
      return parsed.data.slots
        .flatMap((one) => Object.values(one))
        .filter((slot) => typeof slot.bootname === 'string')
        .map((slot) => ({
          name: slot.bootname ?? '',
          booted: slot.state === 'booted',
          good: slot.boot_status === 'good',
          version: slot.slot_status?.bundle?.version,
          installedAt: slot.slot_status?.installed?.timestamp,
        }));
    },
    info: async (file) => {
      const text = await must('The update cannot be trusted', ['info', '--output-format=json', file]);
      return infoSchema.parse(JSON.parse(text));
    },
    install: async (file, onPercent) => {
      const onOutput = (text: string): void => {
        const percent = [...text.matchAll(/(?:^|\s)(\d{1,3})%/g)].at(-1)?.[1];
        if (percent !== undefined) onPercent(Math.min(100, Number(percent)));
      };
      const result = await run('rauc', ['install', '--progress', file], { deadlineMs: 1_800_000, onOutput });
      if (result.code !== 0)
        throw new SekishoError('UPDATE_FAILED', `The update was not installed: ${describeResult(result)}`);
    },
    markGood: async () => void (await must('The running system was not marked good', ['status', 'mark-good'])),
    activateOther: async () => void (await must('The other slot was not chosen', ['status', 'mark-active', 'other'])),
  };
}

/** Negative when `one` is older; the rules of semver.org §11 without build metadata. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [partsOf(one), partsOf(other)];
  for (let index = 0; index < Math.max(a.numbers.length, b.numbers.length); index += 1) {
    const difference = (a.numbers[index] ?? 0) - (b.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  // a release comes after all that led to it
  if (a.tail.length === 0 || b.tail.length === 0) return Math.sign(b.tail.length - a.tail.length);
  for (let index = 0; index < Math.max(a.tail.length, b.tail.length); index += 1) {
    const [left, right] = [a.tail[index], b.tail[index]];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const difference = compareIdentifiers(left, right);
    if (difference !== 0) return difference;
  }
  return 0;
}

function partsOf(text: string): { numbers: number[]; tail: string[] } {
  const [head = '', ...tail] = (text.split('+')[0] ?? '').split('-');
  return {
    numbers: head.split('.').map((part) => Number(part) || 0),
    tail: tail.length === 0 ? [] : tail.join('-').split('.'),
  };
}

/** Numbers by their value, and below words (semver.org §11.4). */
function compareIdentifiers(left: string, right: string): number {
  const [a, b] = [left, right].map((text) => (/^\d+$/.test(text) ? Number(text) : undefined));
  if (a !== undefined && b !== undefined) return a - b;
  if (a !== undefined || b !== undefined) return a === undefined ? 1 : -1;
  return left === right ? 0 : left < right ? -1 : 1;
}
