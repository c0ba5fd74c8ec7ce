/**
 * Updates: found at the source, fetched or brought by USB or upload, installed into the other slot in the background, and put on
 * trial at the next start. Only after the trial's checks have held for its whole time is the slot marked good; until then any
 * restart leads back to the old one (the boot loader counts), and when the checks do not hold we go back ourselves and say why.
 * A slot that was proven before is marked good again soon after each start, so that quick power cuts do not use it up.
 */
import { existsSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import type { HostVerbInput } from '../control/host-contract.ts';
import type { UpdateAnswer } from '../control/host-shapes.ts';
import { type BundleParts, createBringer } from './bundle-bring.ts';
import { fetchBounded } from './fetch-bounded.ts';
import { compareVersions, type Rauc, type RaucSlot, slotState } from './rauc.ts';
import type { HostRecord, RecordFile } from './record.ts';
import { inWindow } from './update-window.ts';
import type { UsbSticks } from './usb.ts';

export interface TrialCheck {
  name: string;
  ok: boolean;
  detail: string;
  /** It will not come by waiting: a program is missing, or falls down each time it is started. */
  hopeless?: boolean;
}

export interface Updates {
  show(): Promise<UpdateAnswer>;
  check(): Promise<void>;
  /** Resolves once it has begun; throws when it may not begin. */
  install(request: HostVerbInput<'update.install'>): Promise<void>;
  chooseOther(): Promise<void>;
  /** At each start, and then every few seconds while a slot is unproven. */
  watchTrial(): Promise<void>;
  /** Looks at the source and, when the owner wants that, installs what is newer. Once a day, by its job. */
  daily(): Promise<void>;
  /** Restarts into what was installed: in the owner's hours, at the first quiet moment, or when none comes. Every few seconds. */
  watchWindow(): Promise<void>;
}

const sourceSchema = z.object({
  version: z.string().regex(/^\d+\.\d+\.\d+[\w.+-]{0,40}$/),
  url: z.url({ protocol: /^https$/ }),
  octets: z.number().int().min(1).optional(),
  notes: z.object({ ja: z.string().max(10_000), en: z.string().max(10_000) }).optional(),
});
const CHECK_MS = 30_000;
const MAX_SOURCE = 65_536;
/** On trial the checks may fail for this long at first: engines load their databases. */
const GRACE_MS = 300_000;
/** What is hopeless for this long is not waited for: mail stays uninspected meanwhile. */
const HOPELESS_MS = 60_000;
/** So often the boot loader is left to count where RAUC cannot choose the other slot: it takes that after the third start. */
const COUNTED_LEAVES = 4;
/** A machine that is still up then did not go down. */
const GOES_DOWN_MS = 1_800_000;
/** So long into the owner's hours a moment without any session is waited for: whoever holds one open must not keep holes open, too. */
export const UNQUIET_MS = 2_700_000;

export function createUpdates(options: {
  rauc: Rauc;
  record: RecordFile;
  clock: Clock;
  version: string;
  /** Room for one bundle, on the data partition. */
  folder: string;
  /** Where admin lays what was uploaded. */
  inbox: string;
  usb: UsbSticks;
  possible: boolean;
  /** The slot that runs, as the kernel was told; undefined where it was not. */
  bootedSlot: () => string | undefined;
  /** `onTrial`: with a probe mail, which proves the whole way of a message. */
  checks: (onTrial: boolean) => Promise<TrialCheck[]>;
  /** Nothing is under way that a restart would cut. */
  quiet: () => Promise<boolean>;
  /** The box would come back by itself. */
  mayRestart: () => Promise<boolean>;
  /** IANA name; the hours of the window are its. */
  timeZone: () => string;
  reboot: () => void;
  log: (level: 'info' | 'warn' | 'error', message: string, facts: Record<string, unknown>) => void;
  fetch?: typeof fetch;
  room?: BundleParts['room'];
}): Updates {
  const { rauc, record, clock, log, folder } = options;
  let phase: UpdateAnswer['phase'] = 'idle';
  let progress: number | undefined;
  let detail: string | undefined;
  let found: (z.output<typeof sourceSchema> & { foundAt: number; source: string }) | undefined;
  let checkedAt: number | undefined;
  let checks: TrialCheck[] = [];
  let heldFrom: number | undefined;
  let hopelessFrom: number | undefined;
  let silentFrom: number | undefined;
  let unmarkedFrom: number | undefined;
  let leftAt = Number.NEGATIVE_INFINITY;
  let goesAt = Number.NEGATIVE_INFINITY;
  let proven = false;
  let unquietFrom: number | undefined;
  let told: RaucSlot[] = [];
  let installing: Promise<void> = Promise.resolve();
  const bundle = path.join(folder, 'update.raucb');
  const get = options.fetch ?? fetch;
  const bringer = createBringer({
    bundle,
    get,
    usb: options.usb,
    ...(options.room === undefined ? {} : { room: options.room }),
    progress: (percent) => {
      progress = percent;
    },
  });

  let swept: Promise<void> | undefined;
  /** What a download left that was cut would take its room for ever. */
  const sweep = (): Promise<void> => (swept ??= rm(bundle, { force: true }).catch(() => undefined));

  /** What another source said, before it was changed or taken away, is nothing. */
  function available(): typeof found {
    return found?.source === record.current().update.source ? found : undefined;
  }

  function newest(): NonNullable<typeof found> {
    const next = available();
    if (next === undefined) throw new SekishoError('WRONG_STATE', 'This system is the newest');
    return next;
  }

  async function check(): Promise<void> {
    const { source } = record.current().update;
    if (source === '')
      throw new SekishoError('WRONG_STATE', 'No source of updates is set', {
        remedy: 'Name one, or bring the update by USB',
      });
    const answer = await fetchBounded(source, { most: MAX_SOURCE, ms: CHECK_MS, code: 'UPDATE_SOURCE', get });
    const told = sourceSchema.parse(JSON.parse(answer.toString('utf8')));
    checkedAt = clock.wall();
    found = compareVersions(told.version, options.version) > 0 ? { ...told, foundAt: clock.wall(), source } : undefined;
  }

  async function bring(request: HostVerbInput<'update.install'>): Promise<void> {
    await bringer.begin();
    switch (request.from) {
      case 'source':
        if (available() === undefined) await check();
        return bringer.fromUrl(newest().url);
      case 'url':
        return bringer.fromUrl(request.url);
      case 'usb':
        return bringer.fromStick(request.device, request.file);
      case 'upload':
        return bringer.fromUpload(path.join(options.inbox, request.file));
    }
  }

  async function installNow(request: HostVerbInput<'update.install'>): Promise<void> {
    try {
      await sweep();
      await bring(request);
      phase = 'installing';
      progress = 0;
      if ((await stat(bundle)).size === 0) throw new SekishoError('UPDATE_FAILED', 'The update is empty');
      const { version } = await rauc.info(bundle);
      // RAUC checks who signed it, not how old it is: an old signed system has old holes.
      if (compareVersions(version, options.version) < 0)
        throw new SekishoError('UPDATE_TOO_OLD', `Version "${version}" is older than the running "${options.version}"`);
      const slots = await rauc.slots({ patient: true });
      const [from, to] = [slots?.find((one) => one.booted)?.name, slots?.find((one) => !one.booted)?.name];
      if (from === undefined || to === undefined)
        throw new SekishoError('UPDATE_FAILED', 'RAUC does not say which slot is running');
      // before the slot can start: after a power cut behind the last octet it is on trial like any other
      const trial = { slot: to, from, since: clock.wall(), bootId: clock.bootId, version };
      await record.change((state) => ({ ...state, trial: { ...trial, installing: true as const } }));
      await rauc.install(bundle, (percent) => {
        progress = percent;
      });
      await record.change((state) => ({ ...state, trial }));
      phase = 'waiting-for-reboot';
      detail = version;
    } catch (error) {
      phase = 'failed';
      detail = describeError(error);
      log('error', 'An update was not installed', { error: detail });
      // a note that stays says "was being written" at the next start, which is true enough
      if (record.current().trial?.installing === true)
        await record.change(({ trial: _none, ...state }) => state).catch(() => undefined);
    } finally {
      progress = undefined;
      await rm(bundle, { force: true });
    }
  }

  async function goBack(reason: string, trial: NonNullable<HostRecord['trial']>): Promise<void> {
    try {
      // chosen first: a power cut before the record is written still leads to the old one, which then says "restarted"
      await rauc.activateOther();
    } catch (error) {
      return leaveUncertain(describeError(error), trial);
    }
    leftAt = clock.monotonic();
    log('error', 'The new system does not hold, the box goes back to the old one', { reason });
    // a disk that takes no note must not keep the box here
    await noteFallback(reason, trial).catch((error: unknown) =>
      log('error', 'Why the box goes back was not written down', { error: describeError(error) }),
    );
    options.reboot();
  }

  /** It stays on trial, and the boot loader counts. Counted here, too: never a restart for ever. */
  async function leaveUncertain(error: string, trial: NonNullable<HostRecord['trial']>): Promise<void> {
    leftAt = clock.monotonic();
    const leaves = (trial.leaves ?? 0) + 1;
    log('error', 'The new system does not hold, and the other one cannot be chosen', { error, leaves });
    if (leaves > COUNTED_LEAVES) return;
    await record.change((state) => ({ ...state, trial: { ...trial, leaves } }));
    options.reboot();
  }

  /** Without RAUC nothing can be called good: a system on trial is left within its time all the same. */
  async function withoutRauc(): Promise<void> {
    const { trial, update } = record.current();
    if (trial === undefined || trial.bootId === clock.bootId || trial.slot !== options.bootedSlot()) return;
    const now = clock.monotonic();
    silentFrom ??= now;
    heldFrom = undefined;
    if (phase === 'idle') phase = 'on-trial';
    checks = [{ name: 'rauc', ok: false, detail: 'RAUC does not answer' }];
    if (now - silentFrom < GRACE_MS || now <= update.trialMs + GRACE_MS) return;
    return goBack('rauc: RAUC does not answer', trial);
  }

  const noteFallback = (reason: string, { slot: from, version }: NonNullable<HostRecord['trial']>): Promise<void> =>
    record.change(({ trial: _ended, ...state }) => ({
      ...state,
      lastFallback: { at: clock.wall(), from, reason, version },
    }));

  let watching: Promise<void> | undefined;
  const watchTrial = (): Promise<void> =>
    (watching ??= watchOnce().finally(() => {
      watching = undefined;
    }));

  async function watchOnce(): Promise<void> {
    if (!options.possible || proven || clock.monotonic() - leftAt < GOES_DOWN_MS) return;
    const booted = (await rauc.slots().catch(() => undefined))?.find((one) => one.booted);
    // of this start: it may still be read
    if (record.current().trial?.bootId !== clock.bootId) await sweep();
    if (booted === undefined) return withoutRauc();
    silentFrom = undefined;
    const { trial, update } = record.current();
    if (trial?.bootId === clock.bootId) {
      // installed, and this is still the start before it: only the host was restarted
      if (phase === 'idle' && trial.installing === undefined) [phase, detail] = ['waiting-for-reboot', trial.version];
      return;
    }
    const onTrial = trial?.slot === booted.name;
    if (trial?.installing === true && !onTrial) {
      log('warn', 'An update was being written when the machine went down', { version: trial.version });
      await record.change(({ trial: _cut, ...state }) => state);
    } else if (trial !== undefined && !onTrial)
      await noteFallback('The new system did not start, or was restarted before it was proven', trial);
    checks = await options
      .checks(onTrial)
      .catch((error: unknown) => [{ name: 'checks', ok: false, detail: describeError(error) }]);
    const failed = checks.filter(({ ok }) => !ok);
    if (onTrial && phase === 'idle') phase = 'on-trial';
    if (!failed.some(({ hopeless }) => hopeless === true)) hopelessFrom = undefined;
    if (failed.length > 0) {
      heldFrom = undefined;
      if (trial === undefined || !onTrial) return;
      const now = clock.monotonic();
      if (failed.some(({ hopeless }) => hopeless === true)) hopelessFrom ??= now;
      const hopeless = hopelessFrom !== undefined && now - hopelessFrom >= HOPELESS_MS;
      if (!hopeless && now <= update.trialMs + GRACE_MS) return;
      return goBack(failed.map(({ name, detail: why }) => `${name}: ${why}`).join('; '), trial);
    }
    heldFrom ??= clock.monotonic();
    if (onTrial && clock.monotonic() - heldFrom < update.trialMs) return;
    try {
      await rauc.markGood();
    } catch (error) {
      unmarkedFrom ??= clock.monotonic();
      if (trial === undefined || !onTrial || clock.monotonic() - unmarkedFrom < GRACE_MS) throw error;
      return goBack(`rauc: ${describeError(error)}`, trial);
    }
    proven = true;
    if (onTrial) await record.change(({ trial: _passed, lastFallback: _old, ...state }) => state);
    if (phase === 'on-trial') phase = 'idle';
    log('info', 'The running system is marked good', { slot: booted.name, trial: onTrial });
  }

  async function install(request: HostVerbInput<'update.install'>): Promise<void> {
    if (!options.possible) throw new SekishoError('NOT_OFFERED', 'This machine is not updated this way');
    if (phase === 'downloading' || phase === 'installing')
      throw new SekishoError('WRONG_STATE', 'An update is under way already');
    if (phase === 'on-trial')
      throw new SekishoError('WRONG_STATE', 'The running system is on trial; the other slot is the way back', {
        remedy: 'Wait until it is proven',
      });
    if (request.from === 'upload' && !existsSync(path.join(options.inbox, request.file)))
      throw new SekishoError('NOT_FOUND', `There is no uploaded file "${request.file}"`);
    phase = 'downloading';
    detail = undefined;
    installing = installNow(request);
    await Promise.resolve();
  }

  /** Where RAUC does not say what is there it is tried all the same: this is somebody's way out. */
  async function chooseOther(): Promise<void> {
    if (phase === 'installing')
      throw new SekishoError('WRONG_STATE', 'An update is being written into the other slot', {
        remedy: 'Wait until it is done',
      });
    const other = (await rauc.slots().catch(() => undefined))?.find((one) => !one.booted);
    if (other !== undefined && slotState(other) === 'empty')
      throw new SekishoError('WRONG_STATE', 'There is no system in the other slot: the first update goes there');
    await rauc.activateOther();
  }

  async function daily(): Promise<void> {
    const { source, automatic } = record.current().update;
    if (!options.possible || source === '') return;
    await check();
    const next = available();
    if (!automatic || next === undefined || (phase !== 'idle' && phase !== 'failed')) return;
    // it did not hold here: trying it again each night is the owner's to decide
    if (record.current().lastFallback?.version === next.version) return;
    await install({ from: 'source' });
    await installing;
    if (detail !== undefined && (phase as UpdateAnswer['phase']) === 'failed')
      throw new SekishoError('UPDATE_FAILED', detail);
  }

  async function watchWindow(): Promise<void> {
    // once; a machine that did not go down is asked again
    if (phase !== 'waiting-for-reboot' || clock.monotonic() - goesAt < GOES_DOWN_MS) return;
    const { window } = record.current().update;
    if (!inWindow(clock.wall(), { window, timeZone: options.timeZone() })) return void (unquietFrom = undefined);
    // what is cut then is tried again by its sender, what was taken is on the disk
    unquietFrom ??= clock.monotonic();
    if (clock.monotonic() - unquietFrom < UNQUIET_MS && !(await options.quiet())) return;
    if (!(await options.mayRestart())) return;
    goesAt = clock.monotonic();
    log('warn', 'The box restarts into its update', { version: detail ?? '' });
    options.reboot();
  }

  return {
    check,
    watchTrial,
    daily,
    watchWindow,
    chooseOther,
    install,
    show: async () => {
      const slots = options.possible ? (told = (await rauc.slots()) ?? told) : [];
      const { update, trial, lastFallback } = record.current();
      const iso = (ms: number): string => new Date(ms).toISOString();
      const next = available();
      const endsAt =
        (heldFrom === undefined ? clock.wall() : clock.wall() - (clock.monotonic() - heldFrom)) + update.trialMs;
      return {
        possible: options.possible && slots.length > 0,
        phase,
        ...(progress === undefined ? {} : { progressPercent: progress }),
        ...(detail === undefined ? {} : { detail }),
        version: options.version,
        slots: slots.map((slot) => ({
          name: slot.name,
          booted: slot.booted,
          state: slotState(slot),
          ...(slot.version === undefined ? {} : { version: slot.version }),
          ...(slot.installedAt === undefined ? {} : { installedAt: slot.installedAt }),
        })),
        ...(next === undefined
          ? {}
          : { available: { version: next.version, foundAt: iso(next.foundAt), ...pick(next) } }),
        ...(checkedAt === undefined ? {} : { checkedAt: iso(checkedAt) }),
        ...(phase === 'on-trial' && trial !== undefined
          ? { trial: { since: iso(trial.since), endsAt: iso(endsAt), checks } }
          : {}),
        ...(lastFallback === undefined ? {} : { lastFallback: { ...lastFallback, at: iso(lastFallback.at) } }),
        settings: update,
      };
    },
  };
}

function pick(found: z.output<typeof sourceSchema>): Pick<NonNullable<UpdateAnswer['available']>, 'notes' | 'octets'> {
  return {
    ...(found.notes === undefined ? {} : { notes: found.notes }),
    ...(found.octets === undefined ? {} : { octets: found.octets }),
  };
}
