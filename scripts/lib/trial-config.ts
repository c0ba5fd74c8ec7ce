/**
 * The settings of a trial: chosen once, at the first start, then kept. `trial.json` remembers the ports; `config.json` is
 * the gateway's own configuration and belongs to the owner from then on: it is never rewritten here.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeFileAtomic } from '../../src/base/atomic-file.ts';
import { errorCode, SekishoError } from '../../src/base/errors.ts';
import type { Language } from '../../src/base/i18n.ts';
import { type Config, type ConfigInput, configSchema } from '../../src/config/schema.ts';
import { OFFICE_DOMAIN } from '../lab/zones.ts';
import type { Layout } from './layout.ts';
import { freePort } from './ports.ts';

const trialSchema = z.object({
  mx: z.number().int(),
  relay: z.number().int(),
  mailServer: z.number().int(),
  page: z.number().int(),
  dns: z.number().int(),
  admin: z.number().int(),
  portal: z.number().int(),
});
export type TrialPorts = z.output<typeof trialSchema>;

export const PORT_NAMES = ['mx', 'relay', 'mailServer', 'page', 'dns', 'admin', 'portal'] as const;
export const WANTED: TrialPorts = {
  mx: 2525,
  relay: 2526,
  mailServer: 2527,
  page: 2580,
  dns: 2553,
  admin: 8443,
  portal: 8444,
};

/** The remembered ports, or new ones; `moved` lists those that differ from the usual. */
export async function trialPorts(layout: Layout): Promise<{ ports: TrialPorts; moved: Array<keyof TrialPorts> }> {
  const text = readText(layout.trialFile);
  const known: unknown = text === undefined ? {} : JSON.parse(text);
  const remembered = trialSchema.partial().parse(known);
  const ports = trialSchema.parse({ ...WANTED, ...remembered });
  const taken = new Set(PORT_NAMES.flatMap((name) => remembered[name] ?? []));
  const moved: Array<keyof TrialPorts> = [];
  // a trial of an earlier release remembers fewer
  const missing = PORT_NAMES.filter((name) => remembered[name] === undefined);
  if (missing.length === 0) return { ports, moved };
  for (const name of missing) {
    ports[name] = await freePort(WANTED[name], { taken, udp: name === 'dns' });
    taken.add(ports[name]);
    if (ports[name] !== WANTED[name]) moved.push(name);
  }
  await writeFileAtomic(layout.trialFile, `${JSON.stringify(ports, null, 2)}\n`);
  return { ports, moved };
}

/** The engines that a start runs, as the keys of the configuration that point at them. */
export function engineSettings(layout: Layout, ports: TrialPorts): Pick<ConfigInput, 'engines' | 'dns'> {
  return {
    engines: { clamd: { socket: layout.clamdSocket }, rspamd: { url: layout.rspamdSocket } },
    dns: { servers: [`127.0.0.1:${ports.dns}`] },
  };
}

export function trialConfig(layout: Layout, ports: TrialPorts, options: { language: Language }): ConfigInput {
  return {
    version: 1,
    language: options.language,
    hostname: `mx.${OFFICE_DOMAIN}`,
    // A working machine's disk is often fuller than a gateway's may be: a trial asks for a quarter of a gigabyte only.
    spool: { floorOctets: 268_435_456, floorPercent: 1 },
    listeners: {
      // A trial is open to this machine only; "0.0.0.0" opens it to the network.
      mx: { address: '127.0.0.1', port: ports.mx },
      // One address, not all of 127.0.0.0/8: the samples come from others of them and must count as the Internet.
      relay: { address: '127.0.0.1', port: ports.relay, networks: ['127.0.0.1'] },
    },
    domains: [
      {
        name: OFFICE_DOMAIN,
        servers: [{ host: '127.0.0.1', port: ports.mailServer, tls: 'off' }],
        recipients: { check: 'call-ahead' },
      },
    ],
    ...engineSettings(layout, ports),
  };
}

/** Writes `config.json` when there is none; true when it did. */
export async function ensureConfig(
  layout: Layout,
  ports: TrialPorts,
  options: { language: Language },
): Promise<boolean> {
  if (readText(layout.configFile) !== undefined) return false;
  const config = trialConfig(layout, ports, options);
  configSchema.parse(config);
  await writeFileAtomic(layout.configFile, `${JSON.stringify(config, null, 2)}\n`);
  return true;
}

/** The configuration as the gateway will read it, and as it was written. Throws CONFIG_BAD with the key and the trouble. */
export function readConfig(file: string): { config: Config; written: ConfigInput } {
  const text = readText(file);
  if (text === undefined) throw new SekishoError('CONFIG_BAD', `The configuration "${file}" does not exist`);
  let written: unknown;
  try {
    written = JSON.parse(text);
  } catch (error) {
    throw new SekishoError('CONFIG_BAD', `The configuration "${file}" is not JSON`, { cause: error });
  }
  const result = configSchema.safeParse(written);
  if (!result.success) {
    const troubles = result.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`);
    throw new SekishoError('CONFIG_BAD', `The configuration "${file}" has errors: ${troubles.join('; ')}`);
  }
  return { config: result.data, written: written as ConfigInput };
}

/** Which private engines the configuration points at; an engine it does not point at is the owner's and is not started. */
export function enginesWanted(
  config: Config,
  layout: Layout,
  ports: TrialPorts,
): { unbound: boolean; clamd: boolean; rspamd: boolean; mailServer: boolean } {
  return {
    unbound: config.dns.servers.includes(`127.0.0.1:${ports.dns}`),
    clamd: config.engines.clamd.enabled && config.engines.clamd.socket === layout.clamdSocket,
    rspamd: config.engines.rspamd.enabled && config.engines.rspamd.url === layout.rspamdSocket,
    mailServer: config.domains.some((domain) =>
      domain.servers.some((server) => server.host === '127.0.0.1' && server.port === ports.mailServer),
    ),
  };
}

/** The engine keys that a configuration of the owner's leaves out: with the defaults it would look for system services. */
export function missingEngineKeys(written: ConfigInput): string[] {
  const missing: string[] = [];
  if (written.engines?.clamd?.socket === undefined && written.engines?.clamd?.enabled !== false)
    missing.push('engines.clamd.socket');
  if (written.engines?.rspamd?.url === undefined && written.engines?.rspamd?.enabled !== false)
    missing.push('engines.rspamd.url');
  if (written.dns?.servers === undefined) missing.push('dns.servers');
  return missing;
}

export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
