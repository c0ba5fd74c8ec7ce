/**
 * What the machine is and how it is. systeminformation runs in an unprivileged child with a deadline (facts-child.ts); what
 * the child does not tell in time is read from the kernel directly, so that there is always an answer. Drives speak for
 * themselves: eMMC by the kernel's own files, disks by smartctl where it is installed. Kept for some seconds: pages poll.
 */
import { readdir, readFile } from 'node:fs/promises';
import { arch, cpus, freemem, release, totalmem, uptime } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import type { FactsAnswer } from '../control/host-shapes.ts';
import type { RunCommand } from './command.ts';

const DEADLINE_MS = 10_000;
const FRESH_MS = 5_000;
/** nobody, as every Debian has it. */
const NOBODY = { uid: 65_534, gid: 65_534 };

const amount = z.number().nullish();
const childSchema = z.object({
  model: z.string().nullish(),
  serial: z.string().nullish(),
  os: z.string(),
  kernel: z.string(),
  cpu: z.object({ model: z.string(), cores: z.number(), load: amount, heat: amount }),
  memory: z.object({ total: z.number(), available: z.number(), swaptotal: z.number(), swapused: z.number() }).nullish(),
  sizes: z.array(
    z.object({ fs: z.string(), type: z.string(), size: amount, used: amount, available: amount, mount: z.string() }),
  ),
  layout: z.array(z.object({ device: z.string(), type: z.string(), name: z.string(), size: amount })),
});
type ChildFacts = z.output<typeof childSchema>;

export function createFacts(options: {
  run: RunCommand;
  clock: Clock;
  sys: string;
  root: boolean;
}): () => Promise<FactsAnswer> {
  const { run, clock, sys } = options;
  let kept: { at: number; facts: FactsAnswer } | undefined;
  let asking: Promise<FactsAnswer> | undefined;

  async function ask(): Promise<FactsAnswer> {
    const child = path.join(import.meta.dirname, 'facts-child.ts');
    const result = await run(process.execPath, [child], {
      deadlineMs: DEADLINE_MS,
      ...(options.root ? { as: NOBODY } : {}),
    });
    const parsed = result.code === 0 ? childSchema.safeParse(parse(result.stdout)) : undefined;
    const told = parsed?.success === true ? parsed.data : undefined;
    const facts = toFacts(told, { clock, drives: await drives(told, { run, sys }) });
    kept = { at: clock.monotonic(), facts };
    return facts;
  }

  return () => {
    if (kept !== undefined && clock.monotonic() - kept.at < FRESH_MS) return Promise.resolve(kept.facts);
    return (asking ??= ask().finally(() => {
      asking = undefined;
    }));
  };
}

function toFacts(told: ChildFacts | undefined, known: { clock: Clock; drives: FactsAnswer['drives'] }): FactsAnswer {
  const [first] = cpus();
  const memory = told?.memory ?? { total: totalmem(), available: freemem(), swaptotal: 0, swapused: 0 };
  const { load, heat } = told?.cpu ?? {};
  return {
    at: new Date(known.clock.wall()).toISOString(),
    ...optional('model', told?.model),
    ...optional('serial', told?.serial),
    os: told?.os ?? 'Linux',
    kernel: told?.kernel ?? release(),
    architecture: arch(),
    uptimeMs: Math.round(uptime() * 1_000),
    cpu: {
      model: told?.cpu.model || (first?.model ?? ''),
      cores: told?.cpu.cores || cpus().length,
      ...(typeof load === 'number' ? { loadPercent: load } : {}),
      ...(typeof heat === 'number' ? { temperatureCelsius: heat } : {}),
    },
    memory: {
      total: whole(memory.total),
      available: whole(memory.available),
      swapTotal: whole(memory.swaptotal),
      swapUsed: whole(memory.swapused),
    },
    disks: (told?.sizes ?? []).map(({ fs, type, size, used, available, mount }) => ({
      mount,
      device: fs,
      type,
      total: whole(size),
      used: whole(used),
      free: whole(available),
    })),
    drives: known.drives,
  };
}

async function drives(
  told: ChildFacts | undefined,
  tools: { run: RunCommand; sys: string },
): Promise<FactsAnswer['drives']> {
  const names = await readdir(path.join(tools.sys, 'block')).catch(() => []);
  const real = names.filter((name) => /^(?:sd[a-z]+|nvme\d+n\d+|mmcblk\d+|vd[a-z]+)$/.test(name)).slice(0, 8);
  return Promise.all(
    real.map(async (name) => {
      const layout = told?.layout.find((one) => one.device === `/dev/${name}`);
      const size = layout?.size;
      const base = {
        device: name,
        model: layout?.name ?? '',
        kind: kindOf(name, layout?.type ?? ''),
        ...(typeof size === 'number' ? { octets: whole(size) } : {}),
      };
      if (base.kind === 'virtual') return base;
      return { ...base, ...(base.kind === 'emmc' ? await emmc(name, tools.sys) : await smart(name, tools.run)) };
    }),
  );
}

function kindOf(name: string, type: string): FactsAnswer['drives'][number]['kind'] {
  if (name.startsWith('vd')) return 'virtual';
  if (name.startsWith('mmcblk')) return 'emmc';
  if (name.startsWith('nvme')) return 'nvme';
  if (type === 'SSD') return 'ssd';
  return type === 'HD' ? 'hdd' : 'unknown';
}

/** JEDEC eMMC 5.0: EXT_CSD life time estimation in steps of 10 % (1 = 0–10 %), pre-EOL 1 normal, 2 warning, 3 urgent. */
async function emmc(name: string, sys: string): Promise<{ wornPercent?: number; healthy?: boolean }> {
  const folder = path.join(sys, 'block', name, 'device');
  const life = (await readFile(path.join(folder, 'life_time'), 'utf8').catch(() => '')).match(/0x[0-9a-f]+/gi) ?? [];
  const eol = Number((await readFile(path.join(folder, 'pre_eol_info'), 'utf8').catch(() => '')).trim() || Number.NaN);
  const steps = life.map(Number).filter((step) => step >= 1 && step <= 11);
  return {
    ...(steps.length === 0 ? {} : { wornPercent: Math.min(100, Math.max(...steps) * 10) }),
    ...(Number.isInteger(eol) && eol > 0 ? { healthy: eol === 1 } : {}),
  };
}

const smartSchema = z.object({
  smart_status: z.object({ passed: z.boolean() }).optional(),
  temperature: z.object({ current: z.number() }).optional(),
  power_on_time: z.object({ hours: z.number() }).optional(),
  nvme_smart_health_information_log: z.object({ percentage_used: z.number().optional() }).optional(),
});

async function smart(
  name: string,
  run: RunCommand,
): Promise<{
  healthy?: boolean;
  temperatureCelsius?: number;
  powerOnHours?: number;
  wornPercent?: number;
  detail?: string;
}> {
  const result = await run('smartctl', ['--json', '-H', '-A', `/dev/${name}`], { deadlineMs: 5_000 });
  if (result.missing) return { detail: 'smartctl is not installed' };
  const parsed = smartSchema.safeParse(parse(result.stdout));
  if (!parsed.success) return {};
  const worn = parsed.data.nvme_smart_health_information_log?.percentage_used;
  const { smart_status: status, temperature, power_on_time: time } = parsed.data;
  return {
    ...(status === undefined ? {} : { healthy: status.passed }),
    ...(temperature === undefined ? {} : { temperatureCelsius: temperature.current }),
    ...(time === undefined ? {} : { powerOnHours: whole(time.hours) }),
    ...(worn === undefined ? {} : { wornPercent: worn }),
  };
}

function optional<K extends string>(key: K, value: string | null | undefined): Partial<Record<K, string>> {
  return value === undefined || value === null || value === '' ? {} : ({ [key]: value } as Record<K, string>);
}

function whole(value: number | null | undefined): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.round(value) : 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
