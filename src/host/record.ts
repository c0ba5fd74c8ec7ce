/**
 * What the host must remember over power cuts: one small JSON file, replaced whole (atomic-file: durable when `change` returns,
 * old or new after a cut, never a mixture). What cannot be understood is kept aside and told, the rest of the file holds; what
 * follows from it is the safe side: the claim has a marker of its own, so that damage never turns an owned box into an open one.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { syncDirectory, writeFileAtomic } from '../base/atomic-file.ts';
import { describeError, errorCode } from '../base/errors.ts';
import { networkSettings, PORTAL_REACH, UPS_DRIVERS } from '../control/host-shapes.ts';
import { mapSettings } from '../control/map-shapes.ts';
import { signatureSettings } from '../control/signature-shapes.ts';

const listener = z.object({ name: z.string(), address: z.string(), port: z.number() });

const schema = z.object({
  version: z.literal(1).default(1),
  setupCode: z.object({ code: z.string(), madeAt: z.number() }).optional(),
  accessReset: z.object({ id: z.string(), at: z.number() }).optional(),
  network: networkSettings.optional(),
  /** The change that waits for its confirmation, and what it goes back to. */
  pending: z.object({ id: z.string(), since: z.number(), revertsAt: z.number(), settings: networkSettings }).optional(),
  listeners: z.array(listener).default([]),
  portal: z.enum(PORTAL_REACH).default('off'),
  timeZone: z.string().optional(),
  ups: z
    .object({
      mode: z.enum(['auto', 'network', 'off']),
      host: z.string().optional(),
      name: z.string().optional(),
      driver: z.enum(UPS_DRIVERS).optional(),
      user: z.string().optional(),
      password: z.string().optional(),
    })
    .default({ mode: 'auto' }),
  update: z
    .object({
      source: z.string(),
      automatic: z.boolean(),
      window: z.object({ from: z.number(), to: z.number() }),
      trialMs: z.number(),
    })
    .default({ source: '', automatic: false, window: { from: 2, to: 4 }, trialMs: 600_000 }),
  signatures: z
    .object({
      settings: signatureSettings.default({ source: 'internet', window: { from: 3, to: 5 }, mode: 'auto' }),
      /** The gateway asks the antivirus of this machine. */
      local: z.boolean().default(true),
      /** Proven, the last one. */
      good: z.number().optional(),
      provenAt: z.number().optional(),
      pending: z.object({ number: z.number(), since: z.number() }).optional(),
      lastFetch: z.object({ at: z.number(), ok: z.boolean(), detail: z.string() }).optional(),
      /** When it was last certain that there are none newer. */
      fetchedAt: z.number().optional(),
      refused: z
        .object({
          at: z.number(),
          number: z.number(),
          reason: z.string(),
          rolledBack: z.boolean(),
          files: z.string(),
        })
        .optional(),
    })
    .prefault({}),
  /** The owner's lists for the spam filter. */
  maps: z
    .object({
      settings: mapSettings.default({ source: '', maps: [] }),
      changedAt: z.number().optional(),
      lastFetch: z.object({ at: z.number(), ok: z.boolean(), detail: z.string() }).optional(),
    })
    .prefault({}),
  /** bootId: the start in which it was installed; a record of before has none. */
  trial: z
    .object({
      slot: z.string(),
      from: z.string(),
      since: z.number(),
      bootId: z.string().optional(),
      version: z.string().optional(),
      /** It is still being written: a start of the old slot says nothing against it. */
      installing: z.literal(true).optional(),
      /** Restarts out of it without the other slot chosen. */
      leaves: z.number().optional(),
    })
    .optional(),
  lastFallback: z
    .object({ at: z.number(), from: z.string(), reason: z.string(), version: z.string().optional() })
    .optional(),
  /** Newest last. */
  boots: z
    .array(z.object({ bootId: z.string(), at: z.number(), reason: z.string(), detail: z.string().optional() }))
    .default([]),
  cleanStop: z.object({ bootId: z.string(), update: z.boolean() }).optional(),
});
export type HostRecord = z.output<typeof schema>;
export type UpsSettings = HostRecord['ups'];

export interface RecordFile {
  current(): HostRecord;
  /** Serialised; durable when it resolves. */
  change(edit: (record: HostRecord) => HostRecord): Promise<void>;
  claimed(): boolean;
  setClaimed(): Promise<void>;
  /** What was wrong with the file, if it was set aside. */
  readonly damage: string | undefined;
}

export function openRecord(folder: string): RecordFile {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, 'state.json');
  const marker = path.join(folder, 'claimed');
  const { record: found, damage } = readRecord(file);
  let record = found;
  let last: Promise<void> = Promise.resolve();
  return {
    current: () => record,
    change: (edit) => {
      const before = last;
      const work = (async () => {
        await before;
        const next = schema.parse(edit(record));
        await writeFileAtomic(file, `${JSON.stringify(next, null, 2)}\n`);
        record = next;
      })();
      last = work.catch(() => undefined); // told to who asked; the next change goes on
      return work;
    },
    claimed: () => existsSync(marker),
    setClaimed: async () => {
      await writeFile(marker, 'claimed\n', { mode: 0o600, flush: true });
      await syncDirectory(folder);
    },
    damage,
  };
}

/**
 * What cannot be read is left out and kept aside, the rest holds: one word that this release does not know (an update that was
 * taken back left it) must not cost the box its network.
 */
function readRecord(file: string): { record: HostRecord; damage: string | undefined } {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return { record: schema.parse({}), damage: undefined };
    renameSync(file, `${file}.damaged`);
    return { record: schema.parse({}), damage: describeError(error).slice(0, 300) };
  }
  const whole = schema.safeParse(value);
  if (whole.success) return { record: whole.data, damage: undefined };
  copyFileSync(file, `${file}.damaged`);
  const keys = Object.entries(schema.shape) as Array<[string, z.ZodType]>;
  const readable = keys.flatMap(([key, shape]) => {
    const parsed = shape.safeParse((value as Record<string, unknown> | null)?.[key]);
    return parsed.success && parsed.data !== undefined ? [[key, parsed.data] as const] : [];
  });
  return { record: schema.parse(Object.fromEntries(readable)), damage: describeError(whole.error).slice(0, 300) };
}
