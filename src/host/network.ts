/**
 * The machine's network: shown, set, confirmed or taken back. A new setting works at once but is on record only as *pending*;
 * what is confirmed is what every start applies. So two minutes without an answer, a crash of the host and a power cut all end
 * the same way: with the network that worked before.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import { interfaceKey, MOST_INTERFACES, type NetworkAnswer, type NetworkSettings } from '../control/host-shapes.ts';
import { describeResult, type RunCommand } from './command.ts';
import type { Link } from './links.ts';
import { networkFiles } from './network-files.ts';
import type { HostRecord, RecordFile } from './record.ts';
import { UNITS } from './services.ts';

export const CONFIRM_MS = 120_000;
/** The old network that could not be had back: a full folder of /run, a file system that is read-only for a moment. */
export const AGAIN_MS = 10_000;

export interface Network {
  show(): Promise<NetworkAnswer>;
  set(settings: NetworkSettings): Promise<{ id: string; since: string; revertsAt: string }>;
  confirm(id: string): Promise<void>;
  revert(): Promise<void>;
  /** Who is inside, to a packet filter that was loaded anew. */
  filter(): Promise<void>;
  /** At the start of the host: what is confirmed, and nothing else. */
  restore(): Promise<void>;
  stop(): void;
}

export interface NetworkOptions {
  record: RecordFile;
  clock: Clock;
  run: RunCommand;
  /** networkd's folder in /run. */
  networkd: string;
  /** Folders whose `*.conf` unbound and whose `*.sources` chrony read besides their own. */
  unbound: string;
  chrony: string;
  log: (level: 'info' | 'warn' | 'error', message: string, facts?: Record<string, unknown>) => void;
  confirmMs?: number;
  links: () => Promise<Link[]>;
}

export function createNetwork(options: NetworkOptions): Network {
  const { record, clock, run, log } = options;
  const confirmMs = options.confirmMs ?? CONFIRM_MS;
  let timer: NodeJS.Timeout | undefined;

  /** Which change is to be carried out. */
  let wanted: string | undefined;
  let last: Promise<void> = Promise.resolve();
  /** One after the other: who changes his mind at once would get half of each. */
  function apply(settings: NetworkSettings | undefined): Promise<void> {
    const before = last;
    const done = (async () => {
      await before;
      await applyNow(settings);
    })();
    last = done.catch(() => undefined); // told to who asked
    return done;
  }

  async function applyNow(settings: NetworkSettings | undefined): Promise<void> {
    const files = settings === undefined ? undefined : networkFiles(settings);
    await mkdir(options.networkd, { recursive: true });
    for (const name of await readdir(options.networkd))
      if (/^[45]0-sekisho-/.test(name) && files?.networkd.has(name) !== true)
        await rm(path.join(options.networkd, name), { force: true });
    for (const [name, text] of files?.networkd ?? [])
      await writeFileAtomic(path.join(options.networkd, name), text, { mode: 0o644 });
    for (const folder of [options.unbound, options.chrony]) await mkdir(folder, { recursive: true });
    const [zones, sources] = [path.join(options.unbound, 'forward.conf'), path.join(options.chrony, 'own.sources')];
    await writeFileAtomic(zones, files?.unbound ?? '', { mode: 0o644 });
    await writeFileAtomic(sources, files?.chrony ?? '', { mode: 0o644 });
    if (settings !== undefined) await setHostName(settings.hostname);
    await attempt('networkctl', ['reload']);
    for (const name of new Set(settings?.interfaces.map((one) => one.name)))
      await attempt('networkctl', ['reconfigure', name]);
    if (files !== undefined) await attempt('nft', ['-f', '-'], files.inside);
    await attempt('systemctl', ['try-reload-or-restart', UNITS.unbound]);
    await attempt('chronyc', ['reload', 'sources']);
  }

  /** One that fails is told: the others must still hear of the change. */
  async function attempt(program: string, args: readonly string[], input?: string): Promise<void> {
    const result = await run(program, args, { deadlineMs: 10_000, ...(input === undefined ? {} : { input }) });
    if (result.code !== 0)
      log('warn', 'A network setting was not taken over', { program, why: describeResult(result) });
  }

  async function setHostName(name: string): Promise<void> {
    if (name === hostname()) return;
    await attempt('hostnamectl', ['--transient', 'hostname', name]);
  }

  /** Revoked at the start, on a disk that took no note of it. */
  let revoked: string | undefined;
  function pendingNow(): HostRecord['pending'] {
    const { pending } = record.current();
    return pending?.id === revoked ? undefined : pending;
  }

  function watch(id: string): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      log('warn', 'A change of the network was not confirmed and is taken back', { id });
      void back().catch(() => undefined);
    }, confirmMs).unref();
  }

  /** Where it fails it is tried again until it is done, whoever asked. */
  async function back(): Promise<void> {
    clearTimeout(timer);
    const id = record.current().pending?.id;
    if (id === undefined) return;
    // another change may come while this one is taken back: it has a pending of its own
    const isStill = (): boolean => record.current().pending?.id === id;
    wanted = undefined;
    try {
      await apply(record.current().network);
      await record.change(({ pending, ...state }) =>
        pending === undefined || isStill() ? state : { ...state, pending },
      );
    } catch (error) {
      log('error', 'The network could not be taken back', { error: describeError(error) });
      if (isStill()) timer = setTimeout(() => void back().catch(() => undefined), AGAIN_MS).unref();
      throw error;
    }
  }

  return {
    show: async () => {
      const state = record.current();
      const pending = pendingNow();
      const interfaces = await options.links();
      return {
        settings: withEachCard(pending?.settings ?? state.network ?? fresh(), interfaces),
        ...(pending === undefined ? {} : { pending: toAnswer(pending) }),
        interfaces,
        gateways: await gateways(),
        resolvers: (pending?.settings ?? state.network)?.dns ?? [],
      };
    },
    set: async (settings) => {
      const since = clock.wall();
      const pending = { id: randomUUID(), since, revertsAt: since + confirmMs, settings };
      await record.change((state) => ({ ...state, pending }));
      watch(pending.id);
      wanted = pending.id;
      // After the answer: who asked over the old address must hear the id it has to confirm.
      setTimeout(() => {
        if (wanted !== pending.id) return; // taken back already, or changed again
        apply(settings).catch((error: unknown) => {
          log('error', 'The network cannot be set as asked, it is taken back', { error: describeError(error) });
          void back().catch(() => undefined);
        });
      }, 100).unref();
      return toAnswer(pending);
    },
    confirm: async (id) => {
      const { pending } = record.current();
      // one that is being taken back cannot be had any more
      if (pending?.id !== id || wanted !== id)
        throw new SekishoError('NOT_FOUND', 'No change of the network with this id waits for confirmation', {
          remedy: 'It may have been taken back already: look at the network, then set it again',
        });
      await record.change(({ pending: _confirmed, ...state }) => ({ ...state, network: pending.settings }));
      clearTimeout(timer);
    },
    revert: back,
    filter: async () => {
      const settings = pendingNow()?.settings ?? record.current().network;
      if (settings !== undefined) await attempt('nft', ['-f', '-'], networkFiles(settings).inside);
    },
    restore: async () => {
      const { pending, network } = record.current();
      if (pending !== undefined) {
        log('warn', 'A change of the network was not confirmed before the restart', { id: pending.id });
        revoked = pending.id;
        await record
          .change(({ pending: _revoked, ...state }) => state)
          .catch((error: unknown) => log('error', 'That was not written down', { error: describeError(error) }));
      }
      await apply(network);
    },
    stop: () => clearTimeout(timer),
  };
}

function toAnswer(pending: { id: string; since: number; revertsAt: number }): {
  id: string;
  since: string;
  revertsAt: string;
} {
  const { id, since, revertsAt } = pending;
  return { id, since: new Date(since).toISOString(), revertsAt: new Date(revertsAt).toISOString() };
}

function fresh(): NetworkSettings {
  const name = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-');
  return { hostname: name || 'sekisho', interfaces: [], dns: [], ntp: [], inside: [] };
}

/** A card nobody set (a new one, one in the place of another) does what rootfs' own file says: that is its setting. */
function withEachCard(settings: NetworkSettings, links: readonly Link[]): NetworkSettings {
  const known = new Set(settings.interfaces.flatMap((one) => [one.name, interfaceKey(one)]));
  const others = links.map(({ name }) => name).filter((name) => !known.has(name) && !name.includes('.'));
  const names = settings.interfaces.length === 0 && others.length === 0 ? ['eth0'] : others;
  const added = names.map((name) => ({ name, ipv4: { method: 'dhcp' }, ipv6: { method: 'auto' } }) as const);
  return { ...settings, interfaces: [...settings.interfaces, ...added].slice(0, MOST_INTERFACES) };
}

/** Default routes by the kernel's own tables (proc(5)): no program is needed. */
export async function gateways(): Promise<string[]> {
  const table = await readFile('/proc/net/route', 'utf8').catch(() => '');
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .filter((fields) => fields[1] === '00000000' && fields[2] !== undefined && fields[2] !== '00000000')
    .map(
      (fields) =>
        (fields[2] ?? '')
          .match(/../g)
          ?.toReversed()
          .map((hex) => Number.parseInt(hex, 16))
          .join('.') ?? '',
    );
}
