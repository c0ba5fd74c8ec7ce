/**
 * The machine's services, its journal, its power and its clock, through systemd's own programs. The list of services is
 * closed; an answer is bounded; a program that fails is told with what it said. Reboot and power-off are answered before
 * they happen, so that who asked hears it.
 */
import { hostname } from 'node:os';
import { SekishoError } from '../base/errors.ts';
import type { HostVerbAnswer } from '../control/host-contract.ts';
import { SERVICES, type ServiceAnswer, type ServiceName } from '../control/host-shapes.ts';
import { describeResult, type RunCommand } from './command.ts';

/** The unit behind each name; the first that exists counts. */
export const UNITS: Readonly<Record<ServiceName, string>> = {
  gateway: 'sekisho-gateway.service',
  admin: 'sekisho-admin.service',
  portal: 'sekisho-portal.service',
  host: 'sekisho-host.service',
  clamd: 'sekisho-clamd.service',
  freshclam: 'sekisho-freshclam.service',
  rspamd: 'sekisho-rspamd.service',
  unbound: 'sekisho-unbound.service',
  chrony: 'chrony.service',
  nut: 'sekisho-upsd.service',
  nftables: 'nftables.service',
};
const PROPERTIES = 'Id,LoadState,ActiveState,SubState,NRestarts,MemoryCurrent,StateChangeTimestamp,Result';
const POWER_DELAY_MS = 1_000;

export interface Services {
  list(): Promise<ServiceAnswer[]>;
  restart(name: ServiceName): Promise<void>;
  /** It reads its files anew and goes on meanwhile. */
  reloadSpamFilter(): Promise<void>;
  logs(request: {
    service?: ServiceName | undefined;
    priority?: number | undefined;
    lines: number;
    cursor?: string | undefined;
  }): Promise<HostVerbAnswer<'logs.read'>>;
  /** Both after a moment. */
  reboot(): void;
  powerOff(): void;
}

export function createServices(
  run: RunCommand,
  log: (message: string, facts: Record<string, unknown>) => void,
): Services {
  function later(verb: 'reboot' | 'poweroff'): void {
    log('The machine goes down', { verb, host: hostname() });
    setTimeout(() => {
      void run('systemctl', [verb], { deadlineMs: 30_000 }).then((result) => {
        if (result.code !== 0) log('The machine does not go down', { verb, why: describeResult(result) });
      });
    }, POWER_DELAY_MS).unref();
  }
  return {
    list: async () => {
      const names = SERVICES.map((name) => UNITS[name]);
      // its times bear the name of the zone, and few names of zones can be read: JST cannot
      const env = { TZ: 'UTC' };
      const result = await run('systemctl', ['show', `--property=${PROPERTIES}`, ...names], { env });
      if (result.code !== 0)
        return SERVICES.map((name) => ({ name, state: 'unknown', detail: describeResult(result) }));
      const blocks = result.stdout.split(/\n\n+/).map(readProperties);
      return SERVICES.map((name) =>
        toService(
          name,
          blocks.find((block) => block.get('Id') === UNITS[name]),
        ),
      );
    },
    reloadSpamFilter: async () => {
      const result = await run('systemctl', ['reload', UNITS.rspamd], { deadlineMs: 30_000 });
      if (result.code !== 0)
        throw new SekishoError('SYSTEMD', `The spam filter could not be told: ${describeResult(result)}`, {
          retryable: true,
        });
    },
    restart: async (name) => {
      if (name === 'host') {
        setTimeout(() => void run('systemctl', ['restart', UNITS.host]), POWER_DELAY_MS).unref();
        return;
      }
      const result = await run('systemctl', ['restart', UNITS[name]], { deadlineMs: 110_000 });
      if (result.code !== 0)
        throw new SekishoError('SYSTEMD', `"${name}" could not be restarted: ${describeResult(result)}`, {
          remedy: 'Look at its log',
        });
    },
    logs: async ({ service, priority, lines, cursor }) => {
      const result = await run('journalctl', [
        '--output=json',
        '--no-pager',
        `--lines=${lines}`,
        '--output-fields=MESSAGE,PRIORITY,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER',
        ...(service === undefined ? [] : [`--unit=${UNITS[service]}`]),
        ...(priority === undefined ? [] : [`--priority=${priority}`]),
        ...(cursor === undefined ? [] : [`--after-cursor=${cursor}`]),
      ]);
      if (result.code !== 0)
        throw new SekishoError('NO_JOURNAL', `The machine's log cannot be read: ${describeResult(result)}`);
      return readJournal(result.stdout);
    },
    reboot: () => later('reboot'),
    powerOff: () => later('poweroff'),
  };
}

export function readProperties(block: string): Map<string, string> {
  return new Map(
    block.split('\n').map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, Math.max(0, at)), line.slice(at + 1)] as const;
    }),
  );
}

function toService(name: ServiceName, block: Map<string, string> | undefined): ServiceAnswer {
  if (block === undefined) return { name, state: 'unknown' };
  const [load, active] = [block.get('LoadState'), block.get('ActiveState')];
  const memory = Number(block.get('MemoryCurrent'));
  const since = Date.parse((block.get('StateChangeTimestamp') ?? '').replace(/^\w{3} /, ''));
  return {
    name,
    state: load === 'not-found' || load === 'masked' ? 'absent' : stateOf(active),
    ...(Number.isFinite(since) ? { since: new Date(since).toISOString() } : {}),
    ...(Number.isSafeInteger(memory) && memory > 0 ? { memoryOctets: memory } : {}),
    restarts: Number(block.get('NRestarts')) || 0,
    detail:
      `${block.get('SubState') ?? ''} ${block.get('Result') === 'success' ? '' : (block.get('Result') ?? '')}`.trim(),
  };
}

function stateOf(active: string | undefined): ServiceAnswer['state'] {
  switch (active) {
    case 'active':
    case 'reloading':
      return 'running';
    case 'activating':
      return 'starting';
    case 'failed':
      return 'failed';
    case 'inactive':
    case 'deactivating':
      return 'stopped';
    default:
      return 'unknown';
  }
}

function readJournal(text: string): HostVerbAnswer<'logs.read'> {
  const lines: HostVerbAnswer<'logs.read'>['lines'] = [];
  let cursor: string | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    let entry: Record<string, unknown>;
    try {
      entry = JSON.parse(line) as Record<string, unknown>;
    } catch {
      continue; // cut off at the limit
    }
    const micros = Number(entry['__REALTIME_TIMESTAMP']);
    lines.push({
      at: new Date(Number.isFinite(micros) ? micros / 1_000 : 0).toISOString(),
      unit: wordOf(entry['_SYSTEMD_UNIT']) || wordOf(entry['SYSLOG_IDENTIFIER']) || 'kernel',
      priority: Math.min(7, Math.max(0, Number(entry['PRIORITY'] ?? 6) || 0)),
      message: messageOf(entry['MESSAGE']).slice(0, 4_000),
    });
    if (typeof entry['__CURSOR'] === 'string') cursor = entry['__CURSOR'];
  }
  return { lines, ...(cursor === undefined ? {} : { cursor }) };
}

/** journald gives octets where a message has control characters or is no UTF-8, and a list where a field came twice. */
function messageOf(said: unknown): string {
  if (!Array.isArray(said)) return wordOf(said);
  if (said.every((one) => typeof one === 'number')) return Buffer.from(said).toString('utf8');
  return said.map(messageOf).join(' ');
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
