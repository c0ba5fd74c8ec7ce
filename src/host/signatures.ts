/**
 * Virus signatures: fetched each hour, proven before mail depends on them, taken back when they are unfit.
 *
 *   fetched → a set of its own on the disk → proven (`two`: by a second instance, while the first works on) → `current`
 *   → the antivirus reads it → proven again on the antivirus itself → the last good one is kept beside it
 *
 * With memory for one instance only, freshclam's own test stands before; the change waits for the quiet hours (not when no
 * real signatures are in use yet), and mail waits as *incoming* from before the reading until the proof. What is unfit is
 * remembered, told, and not tried again until the next one comes. A power cut in between starts with the last good set.
 */
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import type { SignaturesAnswer } from '../control/signature-shapes.ts';
import { tellReload } from './clamd-ask.ts';
import { describeResult, type RunCommand } from './command.ts';
import type { RecordFile } from './record.ts';
import {
  clamdEnvironment,
  freshclamConfiguration,
  FULL_OCTETS,
  type MemoryMode,
  memoryMode,
  peakOctets,
} from './signature-files.ts';
import { type Proof, proveSignatures } from './signature-proof.ts';
import { fingerprint, layUploaded, openSignatureSets, type SignatureSet } from './signature-sets.ts';
import { inWindow } from './update-window.ts';

export const CLAMD_UNIT = 'sekisho-clamd.service';
const FETCH_UNIT = 'sekisho-freshclam.service';
const PROOF_UNIT = 'sekisho-clamd-proof.service';
const FETCH_MS = 1_800_000;
/** A second instance may load beside work. */
const PROOF_LOAD_MS = 600_000;
/** On the antivirus itself: with the way back this is at most five minutes without fit signatures. */
const LIVE_LOAD_MS = 240_000;
const RELOAD_MS = 30_000;
const UNIT_MS = 60_000;
/** Mail waits this long for each time the proof says that it is still under way. */
const HOLD_MS = 60_000;

export interface SignaturePlaces {
  /** fetch/, sets/, current, candidate. */
  root: string;
  /** freshclam.conf, mode, elsewhere: of the running system. */
  run: string;
  ham: string;
  starter: string;
  clamd: string;
  proof: string;
  inbox: string;
}

export interface Signatures {
  /** Before the antivirus starts: a set is there for it, and what it is started with. */
  prepare(): Promise<void>;
  /** The job: fetches, and uses what is new. Throws what the owner should read in the job's history. */
  update(signal: AbortSignal): Promise<void>;
  /** Every few seconds: have the quiet hours begun for what waits? */
  look(): Promise<void>;
  apply(): Promise<void>;
  install(files: readonly string[]): Promise<void>;
  show(): Promise<SignaturesAnswer>;
}

export interface SignatureOptions {
  record: RecordFile;
  clock: Clock;
  run: RunCommand;
  places: SignaturePlaces;
  totalOctets: number;
  timeZone: () => string;
  usedOctets: () => Promise<number | undefined>;
  /** New mail waits as *incoming* for so long; 0 ends it. */
  hold: (ms: Milliseconds) => Promise<void>;
  clamav: { uid: number; gid: number } | undefined;
  log: (level: 'info' | 'warn' | 'error', message: string, facts?: Record<string, unknown>) => void;
}

export function createSignatures(options: SignatureOptions): Signatures {
  const { record, clock, run, places, log } = options;
  const sets = openSignatureSets({ root: places.root, starterFile: places.starter });
  let phase: SignaturesAnswer['phase'] = 'idle';
  let busy = false;
  const state = () => record.current().signatures;
  const mode = (): MemoryMode => memoryMode(options.totalOctets, state().settings.mode);
  const change = (edit: Partial<ReturnType<typeof state>>): Promise<void> =>
    record.change((whole) => ({ ...whole, signatures: { ...whole.signatures, ...edit } }));
  const iso = (at: number): string => new Date(at).toISOString();

  /** One at a time; who comes second is told. */
  async function alone(work: () => Promise<void>): Promise<void> {
    if (busy) throw new SekishoError('BUSY', 'Signatures are being changed right now');
    busy = true;
    try {
      await work();
    } finally {
      busy = false;
      phase = state().pending === undefined ? 'idle' : 'waiting';
    }
  }

  async function files(): Promise<void> {
    const { settings, local } = state();
    const configuration = freshclamConfiguration(settings, { folder: sets.fetch, mode: mode() });
    await mkdir(places.run, { recursive: true, mode: 0o755 });
    // a proxy's password stands in it
    const file = path.join(places.run, 'freshclam.conf');
    await writeFileAtomic(file, configuration, { mode: 0o640 });
    if (options.clamav !== undefined) await chown(file, 0, options.clamav.gid);
    await writeFile(path.join(places.run, 'mode'), clamdEnvironment(mode()), { mode: 0o644 });
    const elsewhere = path.join(places.run, 'elsewhere');
    if (local) await rm(elsewhere, { force: true });
    else await writeFile(elsewhere, '', { mode: 0o644 });
  }

  async function prepare(): Promise<void> {
    await files();
    let current = await sets.current();
    const { good } = state();
    if (current !== undefined && current.full && good !== undefined && good !== current.number) {
      const proven = await sets.read(good);
      // cut off between the change and its proof
      if (proven !== undefined) {
        log('warn', 'Signatures were not proven yet: the last good ones are used', { unproven: current.number, good });
        await sets.point('current', good);
        await change({ pending: { number: current.number, since: clock.wall() } });
        current = proven;
        // where only the host was away it runs with the others
        await run('systemctl', ['try-restart', CLAMD_UNIT], { deadlineMs: UNIT_MS });
      }
    }
    if (current === undefined || (current.full && mode() === 'small')) {
      current = await sets.starter();
      await sets.point('current', current.number);
    }
    await sets.keep(wanted(current.number));
  }

  function wanted(current: number): number[] {
    const { good, pending } = state();
    return [current, good, pending?.number].filter((number) => number !== undefined);
  }

  async function fetch(): Promise<void> {
    phase = 'fetching';
    const result = await run('systemctl', ['start', FETCH_UNIT], { deadlineMs: FETCH_MS });
    const ok = result.code === 0;
    let detail = '';
    if (!ok) {
      const said = await run('journalctl', ['--unit', FETCH_UNIT, '--output=cat', '--no-pager', '--lines=20']);
      const errors = said.stdout.split('\n').filter((line) => /^(?:ERROR|WARNING|\^|!)/.test(line));
      detail = (errors.at(-1) ?? describeResult(result)).slice(0, 300);
      // told as this job's trouble; a failed unit would say the machine is unwell
      await run('systemctl', ['reset-failed', FETCH_UNIT]);
    }
    await change({ lastFetch: { at: clock.wall(), ok, detail }, ...(ok ? { fetchedAt: clock.wall() } : {}) });
    if (!ok) throw new SekishoError('NO_SIGNATURES', `No signatures could be fetched: ${detail}`);
  }

  /** What is new in freshclam's folder goes on its way. */
  async function take(signal: AbortSignal): Promise<void> {
    const { pending, refused } = state();
    const waits = pending === undefined ? undefined : await sets.read(pending.number);
    const current = await sets.current();
    const known = [current, waits].flatMap((set) => (set === undefined ? [] : [fingerprint(set.files)]));
    const candidate = await sets.adopt(refused === undefined ? known : [...known, refused.files]);
    if (candidate === undefined) {
      if (waits !== undefined && due()) await use(waits, signal);
      return;
    }
    log('info', 'New signatures were fetched', { set: candidate.number, full: candidate.full });
    if (mode() === 'two') {
      const proof = await proveBeside(candidate, signal);
      if (!proof.ok) return refuse(candidate, proof.reason, { rolledBack: false });
    }
    await change({ pending: { number: candidate.number, since: clock.wall() } });
    await sets.keep(wanted(current?.number ?? 0));
    // beside a second instance nothing stands still; and without real ones no hour is too early
    if (mode() === 'two' || current?.full !== true || due()) await use(candidate, signal);
    else log('info', 'The new signatures wait for the quiet hours', { set: candidate.number });
  }

  function due(): boolean {
    return inWindow(clock.wall(), { window: state().settings.window, timeZone: options.timeZone() });
  }

  async function proveBeside(candidate: SignatureSet, signal: AbortSignal): Promise<Proof> {
    phase = 'proving';
    await sets.point('candidate', candidate.number);
    const begun = await run('systemctl', ['start', PROOF_UNIT], { deadlineMs: UNIT_MS });
    try {
      if (begun.code !== 0) return { ok: false, reason: `No second instance: ${describeResult(begun)}` };
      return await prove(places.proof, candidate.number, { loadMs: PROOF_LOAD_MS, signal });
    } finally {
      await run('systemctl', ['stop', PROOF_UNIT], { deadlineMs: UNIT_MS });
      await run('systemctl', ['reset-failed', PROOF_UNIT]);
    }
  }

  function prove(
    socket: string,
    number: number,
    rest: { loadMs: Milliseconds; signal: AbortSignal; waiting?: () => Promise<void>; running?: boolean },
  ): Promise<Proof> {
    return proveSignatures({ socket, number, ham: places.ham, clock, ...rest });
  }

  /** The antivirus reads it; unfit after all, it reads the last good one again. */
  async function use(set: SignatureSet, signal: AbortSignal): Promise<void> {
    phase = 'changing';
    const before = await sets.current();
    const waiting = mode() === 'two' ? async () => undefined : () => hold(HOLD_MS);
    await waiting();
    try {
      await sets.point('current', set.number);
      const running = await reload();
      const proof = await prove(places.clamd, set.number, { loadMs: LIVE_LOAD_MS, signal, waiting, running });
      if (proof.ok) {
        await change({ pending: undefined, good: set.number, provenAt: clock.wall() });
        await sets.keep([set.number, ...(before === undefined ? [] : [before.number])]);
        log('info', 'New signatures are in use', { set: set.number });
        return;
      }
      phase = 'rolling-back';
      await takeBack(before, signal, waiting);
      await refuse(set, proof.reason, { rolledBack: true });
    } finally {
      // stopped in between: mail waits until the hold runs out, and the next start begins with the last good set
      if (!signal.aborted) await hold(0);
    }
  }

  async function takeBack(
    before: SignatureSet | undefined,
    signal: AbortSignal,
    waiting: () => Promise<void>,
  ): Promise<void> {
    const { good } = state();
    const back = (good === undefined ? undefined : await sets.read(good)) ?? before ?? (await sets.starter());
    await sets.point('current', back.number);
    // one that choked on its database does not hear a reload
    const result = await run('systemctl', ['restart', CLAMD_UNIT], { deadlineMs: UNIT_MS });
    if (result.code !== 0) log('error', 'The antivirus was not restarted', { why: describeResult(result) });
    if (!back.full) return;
    const proof = await prove(places.clamd, back.number, { loadMs: LIVE_LOAD_MS, signal, waiting });
    if (!proof.ok) log('error', 'The last good signatures fail too', { set: back.number, why: proof.reason });
  }

  async function refuse(set: SignatureSet, reason: string, how: { rolledBack: boolean }): Promise<void> {
    log('error', 'New signatures are unfit and are not used', { set: set.number, reason, ...how });
    const refused = { at: clock.wall(), number: set.number, reason, files: fingerprint(set.files), ...how };
    await change({ pending: undefined, refused });
    await sets.keep(wanted((await sets.current())?.number ?? 0));
    throw new SekishoError('UNFIT_SIGNATURES', `The new signatures are unfit: ${reason}`, {
      remedy: 'Nothing is to be done: the last good ones are in use, and the next ones are tried by themselves',
    });
  }

  /** A gateway that is away takes no mail either. */
  async function hold(ms: Milliseconds): Promise<void> {
    await options.hold(ms).catch(() => undefined);
  }

  /** True: it was told. False: it starts anew. */
  async function reload(): Promise<boolean> {
    try {
      await tellReload(places.clamd, RELOAD_MS);
      return true;
    } catch (error) {
      // it is loading, or down: it reads `current` as it starts
      log('warn', 'The antivirus was not told to read its signatures again', { error: describeError(error) });
      await run('systemctl', ['restart', CLAMD_UNIT], { deadlineMs: UNIT_MS });
      return false;
    }
  }

  return {
    prepare,
    update: (signal) =>
      alone(async () => {
        if (!state().local || mode() === 'small') return;
        if (state().settings.source !== 'offline') await fetch();
        await take(signal);
      }),
    look: async () => {
      const { pending, local } = state();
      if (busy || pending === undefined || !local || mode() === 'small' || !due()) return;
      await alone(async () => {
        const set = await sets.read(pending.number);
        if (set === undefined) await change({ pending: undefined });
        else await use(set, new AbortController().signal);
      });
    },
    apply: async () => {
      // under way it reads the settings as it goes
      if (busy) await files();
      else await prepare();
      const { local } = state();
      await run('systemctl', [local ? 'start' : 'stop', CLAMD_UNIT], { deadlineMs: UNIT_MS });
    },
    install: (names) =>
      alone(async () => {
        for (const name of names)
          await layUploaded(path.join(places.inbox, path.basename(name)), {
            folder: sets.fetch,
            owner: options.clamav,
          });
        for (const name of names) await rm(path.join(places.inbox, path.basename(name)), { force: true });
        await take(new AbortController().signal);
      }),
    show: async () => {
      const { settings, local, pending, provenAt, lastFetch, refused } = state();
      const { proxy, ...rest } = settings;
      const current = await sets.current();
      const waiting = pending === undefined ? undefined : await sets.read(pending.number);
      const used = await options.usedOctets();
      return {
        local,
        socket: places.clamd,
        phase: busy || pending === undefined ? phase : 'waiting',
        mode: mode(),
        memory: {
          totalOctets: options.totalOctets,
          fullOctets: FULL_OCTETS,
          peakOctets: peakOctets(mode()),
          ...(used === undefined ? {} : { usedOctets: used }),
        },
        ...(current === undefined ? {} : { current: shown(current) }),
        ...(waiting === undefined ? {} : { waiting: shown(waiting) }),
        ...(provenAt === undefined ? {} : { provenAt: iso(provenAt) }),
        ...(lastFetch === undefined ? {} : { lastFetch: { ...lastFetch, at: iso(lastFetch.at) } }),
        ...(refused === undefined
          ? {}
          : {
              lastRefused: {
                at: iso(refused.at),
                number: refused.number,
                reason: refused.reason,
                rolledBack: refused.rolledBack,
              },
            }),
        settings: { ...rest, ...(proxy === undefined ? {} : { proxy: withoutPassword(proxy) }) },
      };
    },
  };
}

function withoutPassword<T extends { password?: string }>({ password: _kept, ...open }: T): Omit<T, 'password'> {
  return open;
}

function shown(set: SignatureSet): NonNullable<SignaturesAnswer['current']> {
  return {
    ...set,
    files: set.files.map(({ builtAt, sha256: _own, ...file }) => ({
      ...file,
      ...(builtAt === undefined ? {} : { builtAt: new Date(builtAt).toISOString() }),
    })),
  };
}
