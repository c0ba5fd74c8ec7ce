/**
 * What a failing mains means for mail. On battery for more than a minute: people are told. Charge below 50 % or less than
 * ten minutes left: new mail hears 421 and what waits is flushed. Low battery or a forced shutdown (FSD): the machine goes
 * down in order; upsmon does that and cuts the UPS's power, we only make sure that somebody did. Mains back: all is as before.
 * No UPS is normal. Nothing that was answered with 250 depends on any of this.
 */
import type { Clock } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import type { PowerState, UpsAnswer } from '../control/host-shapes.ts';
import { readUps, type UpsReading } from './nut-client.ts';
import type { HostRecord } from './record.ts';

const POLL_MS = 5_000;
export const NOTICE_MS = 60_000;
export const DRAIN_PERCENT = 50;
export const DRAIN_RUNTIME_MS = 600_000;
/** upsmon acts within seconds; later than this we do it ourselves. */
const UPSMON_MS = 20_000;
/** Silent for so long and the box still runs: the power is there, and mail must not be turned away for ever. */
export const SILENT_MS = 600_000;
const KEPT_EVENTS = 50;
const NUT_PORT = 3_493;

type UpsState = UpsAnswer['state'];

/** Pure: what the values say, and for how long it has been on battery. */
export function judge(
  values: ReadonlyMap<string, string>,
  onBatteryMs: number,
): { state: UpsState; power: PowerState } {
  const words = new Set((values.get('ups.status') ?? '').split(' '));
  const charge = number(values, 'battery.charge');
  const runtime = number(values, 'battery.runtime');
  if (words.has('FSD')) return { state: 'shutting-down', power: 'shutdown' };
  if (!words.has('OB')) return { state: 'online', power: 'normal' };
  if (words.has('LB')) return { state: 'low-battery', power: 'shutdown' };
  const scarce =
    (charge !== undefined && charge < DRAIN_PERCENT) || (runtime !== undefined && runtime * 1_000 < DRAIN_RUNTIME_MS);
  if (scarce) return { state: 'on-battery', power: 'drain' };
  return { state: 'on-battery', power: onBatteryMs > NOTICE_MS ? 'on-battery' : 'normal' };
}

export interface Ups {
  show(): UpsAnswer;
  /** One look now; for tests and after a change of the settings. */
  look(): Promise<void>;
  start(): void;
  stop(): void;
}

export interface UpsOptions {
  settings: () => HostRecord['ups'];
  clock: Clock;
  /** Nobody else shut down in time. */
  powerOff: () => void;
  log: (level: 'info' | 'warn', message: string, facts: Record<string, unknown>) => void;
  /** NUT's port, unless said. */
  port?: number;
  everyMs?: number;
}

export function createUps(options: UpsOptions): Ups {
  const { clock, log } = options;
  const events: UpsAnswer['events'] = [];
  let reading: UpsReading | undefined;
  let state: UpsState = 'none';
  let power: PowerState = 'normal';
  let since: number | undefined;
  let detail: string | undefined;
  let batteryFrom: number | undefined;
  let shutdownFrom: number | undefined;
  let silentFrom: number | undefined;
  let poweredOff = false;
  let looking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  function become(next: { state: UpsState; power: PowerState }, why: string): void {
    if (next.state === state && next.power === power) return;
    const at = new Date(clock.wall()).toISOString();
    events.unshift({ at, event: next.power === power ? next.state : `${next.state}, ${next.power}`, detail: why });
    events.splice(KEPT_EVENTS);
    log(next.power === 'normal' ? 'info' : 'warn', 'The power has changed', { ...next, why });
    if (next.state !== state) since = clock.wall();
    ({ state, power } = next);
  }

  async function once(): Promise<void> {
    const { mode, host, name } = options.settings();
    if (mode === 'off') {
      reading = undefined;
      return become({ state: 'none', power: 'normal' }, 'switched off');
    }
    try {
      const server = mode === 'network' ? (host ?? '127.0.0.1') : '127.0.0.1';
      const next = await readUps({ host: server, port: options.port ?? NUT_PORT, name });
      if (next === undefined) return lost('The UPS server knows no UPS');
      if (!isTold(next)) return lost('The driver of the UPS has not told its state yet');
      detail = undefined;
      silentFrom = undefined;
      reading = next;
    } catch (error) {
      return lost(describeError(error));
    }
    const words = (reading.values.get('ups.status') ?? '').split(' ');
    if (!words.includes('OB')) batteryFrom = undefined;
    else batteryFrom ??= clock.monotonic();
    const onBatteryMs = batteryFrom === undefined ? 0 : clock.monotonic() - batteryFrom;
    become(judge(reading.values, onBatteryMs), words.join(' '));
    insist();
  }

  /** NUT: a UPS that falls silent on battery counts as low battery; upsmon acts on that. Without one there is nothing to say. */
  function lost(why: string): void {
    detail = why;
    if (reading === undefined) return;
    silentFrom ??= clock.monotonic();
    const over = power !== 'shutdown' && clock.monotonic() - silentFrom >= SILENT_MS;
    if (over) batteryFrom = undefined;
    become({ state: 'unreachable', power: over ? 'normal' : power }, why);
    // a server that went down with its own battery says nothing more
    insist();
  }

  function insist(): void {
    if (power !== 'shutdown') {
      shutdownFrom = undefined;
      poweredOff = false;
      return;
    }
    shutdownFrom ??= clock.monotonic();
    if (poweredOff || clock.monotonic() - shutdownFrom < UPSMON_MS) return;
    poweredOff = true;
    options.powerOff();
  }

  const look = (): Promise<void> =>
    (looking ??= once().finally(() => {
      looking = undefined;
    }));

  return {
    show: () => {
      const values = reading?.values ?? new Map<string, string>();
      const runtime = number(values, 'battery.runtime');
      const model = [values.get('ups.mfr'), values.get('ups.model')].filter(Boolean).join(' ');
      const status = values.get('ups.status');
      return {
        state,
        power,
        ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
        ...(reading === undefined ? {} : { name: reading.name }),
        ...(model === '' ? {} : { model }),
        ...(status === undefined ? {} : { status }),
        ...figure('chargePercent', number(values, 'battery.charge')),
        ...(runtime === undefined ? {} : { runtimeMs: Math.max(0, Math.round(runtime * 1_000)) }),
        ...figure('loadPercent', number(values, 'ups.load')),
        ...figure('inputVolts', number(values, 'input.voltage')),
        ...figure('batteryVolts', number(values, 'battery.voltage')),
        ...(detail === undefined || state === 'none' ? {} : { detail }),
        events: [...events],
      };
    },
    look,
    start: () => {
      timer = setInterval(() => void look(), options.everyMs ?? POLL_MS).unref();
      void look();
    },
    stop: () => clearInterval(timer),
  };
}

/**
 * A driver that has just started tells its values one by one: a list without the state (`WAIT` with some) is no mains. Charge and
 * model may follow later still: a low battery must not wait for them.
 */
function isTold({ values }: UpsReading): boolean {
  const status = values.get('ups.status') ?? '';
  return status.trim() !== '' && !status.split(' ').includes('WAIT');
}

function figure<K extends string>(key: K, value: number | undefined): Partial<Record<K, number>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, number>);
}

function number(values: ReadonlyMap<string, string>, key: string): number | undefined {
  const text = values.get(key);
  if (text === undefined || text.trim() === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
