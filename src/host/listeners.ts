/**
 * Socket units from the configuration: systemd holds the mail ports, so that no client is refused while the gateway restarts,
 * and the gateway needs no right to open them. Nothing listens before the claim. The units live in /run and are written at
 * each start of the host from its record: what stands there is never older than what was decided.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import path from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { normaliseAddress } from '../base/network.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import { describeResult, type RunCommand } from './command.ts';

export interface ListenerPlace {
  name: string;
  address: string;
  port: number;
}

export const GATEWAY_UNIT = 'sekisho-gateway.service';

export interface Listeners {
  /** True when the units changed: the gateway was restarted to take the new sockets. */
  apply(places: readonly ListenerPlace[], open: boolean): Promise<boolean>;
}

export function createListeners(options: {
  folder: string;
  run: RunCommand;
  log: (message: string, facts: Record<string, unknown>) => void;
}): Listeners {
  const { folder, run } = options;

  async function present(): Promise<Map<string, string>> {
    const units = new Map<string, string>();
    const names = await readdir(folder).catch(() => []);
    for (const name of names)
      if (/^sekisho-(?:mx|relay|submission|submissions)\.socket$/.test(name))
        units.set(name, await readFile(path.join(folder, name), 'utf8'));
    return units;
  }

  async function systemctl(...args: string[]): Promise<void> {
    const result = await run('systemctl', args, { deadlineMs: 60_000 });
    if (result.code !== 0)
      throw new SekishoError('SYSTEMD', `"systemctl ${args.join(' ')}" failed: ${describeResult(result)}`);
  }

  /** While the machine starts: the gateway waits for us, and will find its sockets. */
  async function atRest(): Promise<boolean> {
    const result = await run('systemctl', ['is-active', GATEWAY_UNIT]);
    return result.stdout.trim() === 'inactive';
  }

  /** Written is not opened: a start that failed, or a host that ended in between, leaves files and no sockets. */
  async function standing(names: readonly string[]): Promise<boolean> {
    if (names.length === 0) return true;
    const result = await run('systemctl', ['is-active', ...names]);
    return !/^(?:inactive|failed)$/m.test(result.stdout);
  }

  return {
    apply: async (places, open) => {
      const wanted = new Map(open ? places.map((place) => [`sekisho-${place.name}.socket`, unitOf(place)]) : []);
      const before = await present();
      const same = wanted.size === before.size && [...wanted].every(([name, text]) => before.get(name) === text);
      if (same && (await standing([...wanted.keys()]))) {
        // stopped by a host that ended before it could start it again; while the machine starts this waits for nothing
        if (await atRest()) await systemctl('start', '--no-block', GATEWAY_UNIT);
        return false;
      }
      await mkdir(folder, { recursive: true });
      // A socket cannot start while its service runs: the gateway stops first. Its clients are idle ones told 421, the
      // others get their replies; who connects in these seconds is refused and comes again.
      const rests = await atRest();
      if (!rests) await systemctl('stop', GATEWAY_UNIT);
      try {
        for (const name of before.keys()) await systemctl('stop', name);
        for (const name of before.keys()) if (!wanted.has(name)) await rm(path.join(folder, name), { force: true });
        for (const [name, text] of wanted) await writeFileAtomic(path.join(folder, name), text, { mode: 0o644 });
        await systemctl('daemon-reload');
        for (const name of wanted.keys())
          await systemctl('start', name).catch((error: unknown) =>
            options.log('A mail port cannot be opened', { unit: name, error: describeError(error) }),
          );
      } finally {
        await systemctl('start', ...(rests ? ['--no-block'] : []), GATEWAY_UNIT);
      }
      return true;
    },
  };
}

/** Only numbers and a closed list of names get into a unit file. */
export function unitOf(place: ListenerPlace): string {
  const address = normaliseAddress(place.address);
  if (address === undefined || !/^[a-z]+$/.test(place.name) || !Number.isInteger(place.port))
    throw new SekishoError('INVALID_REQUEST', `"${place.address}" port ${place.port} is no place to listen`);
  // [::] takes IPv4 too: an office that says "everywhere" means both
  const all = address === '0.0.0.0' || address === '::';
  const at = all ? `[::]:${place.port}` : `${isIPv6(address) ? `[${address}]` : address}:${place.port}`;
  return `# Written by the host from the configuration.
[Unit]
Description=Sekisho listens for mail (${place.name})

[Socket]
ListenStream=${at}
BindIPv6Only=${all ? 'both' : 'default'}
FileDescriptorName=${place.name}
Service=${GATEWAY_UNIT}
Backlog=4096
FreeBind=yes
NoDelay=yes
TriggerLimitIntervalSec=0
PollLimitIntervalSec=0
`;
}
