/** What the host writes for ClamAV's programs: freshclam's configuration, and which of the two prepared ones clamd runs with. Pure. */
import type { SignatureSettings } from '../control/signature-shapes.ts';

const GIB = 1024 ** 3;
/** ClamAV's own documentation: more than 1.2 GiB hold the official set; a reload beside it takes as much again. */
export const FULL_OCTETS = Math.round(1.3 * GIB);
/** Beside the antivirus: gateway, spam filter, pages, system. Machines sold as 6 and 3 GB show a little less. */
const TWO_FROM = 5.5 * GIB;
const ONE_FROM = 2.7 * GIB;

/** two: a second instance proves new signatures beside the first. one: there is room for one. small: not even for that. */
export type MemoryMode = 'two' | 'one' | 'small';

export function memoryMode(totalOctets: number, wanted: SignatureSettings['mode']): MemoryMode {
  if (wanted !== 'auto') return wanted;
  if (totalOctets >= TWO_FROM) return 'two';
  return totalOctets >= ONE_FROM ? 'one' : 'small';
}

/** At the worst moment of an update. */
export function peakOctets(mode: MemoryMode): number {
  return mode === 'two' ? 2 * FULL_OCTETS : FULL_OCTETS;
}

export function freshclamConfiguration(
  settings: SignatureSettings & { proxy?: { password?: string | undefined } | undefined },
  options: { folder: string; mode: MemoryMode },
): string {
  const { source, mirror, proxy } = settings;
  const lines = [
    '# Made by the host from the owner’s settings.',
    'Foreground yes',
    `DatabaseDirectory ${options.folder}`,
    'ConnectTimeout 30',
    'ReceiveTimeout 300',
    'MaxAttempts 3',
    'Bytecode yes',
    // where a second instance loads them anyway, once is enough
    `TestDatabases ${options.mode === 'two' ? 'no' : 'yes'}`,
  ];
  if (source === 'mirror' && mirror !== undefined) lines.push(`PrivateMirror ${mirror}`);
  else lines.push('DatabaseMirror database.clamav.net', 'DNSDatabaseInfo current.cvd.clamav.net');
  if (proxy !== undefined) {
    lines.push(`HTTPProxyServer ${proxy.host}`, `HTTPProxyPort ${proxy.port}`);
    if (proxy.user !== undefined && proxy.password !== undefined)
      lines.push(`HTTPProxyUsername ${proxy.user}`, `HTTPProxyPassword ${proxy.password}`);
  }
  return `${lines.join('\n')}\n`;
}

/** For the unit's EnvironmentFile. */
export function clamdEnvironment(mode: MemoryMode): string {
  return `CLAMD_CONF=${mode === 'two' ? 'clamd-concurrent.conf' : 'clamd.conf'}\n`;
}
