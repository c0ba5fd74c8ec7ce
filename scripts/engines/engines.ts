/**
 * The private engines of a trial: each with a configuration made from the template beside this file, its state and sockets
 * in the data folder, and a question that tells when it is ready. Nothing here touches the services of the distribution.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { promises as dns } from 'node:dns';
import path from 'node:path';
import { SekishoError } from '../../src/base/errors.ts';
import { unboundZones } from '../lab/zones.ts';
import type { Layout } from '../lib/layout.ts';
import type { ChildSpec } from '../lib/supervise.ts';
import { starterSignatures } from './starter-signatures.ts';

export interface Engine {
  spec: ChildSpec;
  /** Resolves to true when it answers as it should. Never throws, ends within about 2 s. */
  ready: () => Promise<boolean>;
}

export interface EngineOptions {
  layout: Layout;
  dnsPort: number;
  offline: boolean;
  /** Answer the names of the trial. */
  lab: boolean;
  env: NodeJS.ProcessEnv;
}

const STOP_MS = 8_000;
/** Where Debian keeps the DNS root's key. Ours is a copy, because unbound rewrites it as keys roll (RFC 5011). */
const ROOT_KEYS = ['/usr/share/dns/root.key', '/var/lib/unbound/root.key'];
/** Debian 12 ships the list inside rspamd, Debian 13 as a package of its own. */
const PUBLIC_SUFFIXES = [
  '/usr/share/rspamd/effective_tld_names.dat',
  '/usr/share/publicsuffix/effective_tld_names.dat',
  '/usr/share/publicsuffix/public_suffix_list.dat',
] as const;
const MIRROR = 'database.clamav.net';

export function unboundEngine(options: EngineOptions): Engine {
  const { layout, dnsPort, offline, lab } = options;
  const state = path.join(layout.engines, 'unbound');
  const file = fillTemplate(layout, 'unbound.conf', {
    STATE: state,
    MAPS: rspamdMaps(layout),
    DNS_PORT: String(dnsPort),
    // What is asked of the network can be read in the log: the proof that mail leads to no question one was not told of.
    LOG_QUERIES: 'yes',
    TRUST_ANCHOR: trustAnchor(state, offline),
    ZONES: unboundZones({ lab, offline }),
  });
  return {
    spec: childSpec('unbound', { options, args: ['-d', '-c', file] }),
    ready: () => dnsAnswers(dnsPort),
  };
}

export function clamdEngine(options: EngineOptions): Engine {
  const { layout } = options;
  if (!hasFullDatabase(layout))
    writeFileSync(path.join(layout.clamdDatabase, STARTER_FILE), starterSignatures(), { mode: 0o644 });
  const file = fillTemplate(layout, 'clamd.conf', {
    DATABASE: quoted(layout.clamdDatabase),
    STATE: quoted(path.join(layout.engines, 'clamd', 'temporary')),
    RUN: layout.run,
  });
  // What a scan left behind when it was cut off.
  const temporary = path.join(layout.engines, 'clamd', 'temporary');
  for (const name of readdirSync(temporary)) rmSync(path.join(temporary, name), { recursive: true, force: true });
  return {
    spec: childSpec('clamd', { options, args: ['-c', file] }),
    ready: async () => (await askClamd(layout, 'PING')) === 'PONG',
  };
}

/** freshclam needs no readiness: until it has fetched, the starter signatures stand. */
export function freshclamEngine(options: EngineOptions): Engine {
  const { layout } = options;
  const file = fillTemplate(layout, 'freshclam.conf', {
    DATABASE: quoted(layout.clamdDatabase),
    MIRROR,
    CLAMD_CONF: quoted(path.join(layout.engines, 'clamd.conf')),
  });
  return {
    spec: childSpec('freshclam', { options, args: ['-d', '--foreground', `--config-file=${file}`, '--stdout'] }),
    ready: async () => true,
  };
}

/** Where the owner's lists would lie; a trial machine has none. */
export function rspamdMaps(layout: Layout): string {
  return path.join(layout.engines, 'rspamd', 'state', 'maps');
}

export function rspamdEngine(options: EngineOptions): Engine {
  const { layout, dnsPort } = options;
  const state = path.join(layout.engines, 'rspamd', 'state');
  const file = fillTemplate(layout, 'rspamd.conf', {
    RUN: layout.run,
    STATE: state,
    MAPS: rspamdMaps(layout),
    DNS_PORT: String(dnsPort),
    WORKERS: '1',
    PUBLIC_SUFFIXES: PUBLIC_SUFFIXES.find((name) => existsSync(name)) ?? PUBLIC_SUFFIXES[0],
  });
  const args = ['-f', '-c', file];
  // The machine's own local.d and override.d belong to the machine's own rspamd.
  args.push(`--var=LOCAL_CONFDIR=${path.join(layout.engines, 'rspamd', 'local')}`);
  for (const name of ['DBDIR', 'LOGDIR']) args.push(`--var=${name}=${state}`);
  args.push(`--var=RUNDIR=${layout.run}`);
  return {
    spec: childSpec('rspamd', { options, args }),
    ready: () => rspamdAnswers(layout),
  };
}

const STARTER_FILE = 'sekisho-starter.ndb';

/** Are ClamAV's own signatures here? Both halves: the old ones (main) and the daily ones. */
export function hasFullDatabase(layout: Layout): boolean {
  const there = (name: string): boolean =>
    ['cvd', 'cld'].some((ending) => existsSync(path.join(layout.clamdDatabase, `${name}.${ending}`)));
  return there('main') && there('daily');
}

/** Once the full database stands the starter goes, and clamd reads anew. Returns what clamd now scans with. */
export async function settleSignatures(layout: Layout): Promise<'starter' | 'full'> {
  const starter = path.join(layout.clamdDatabase, STARTER_FILE);
  if (!hasFullDatabase(layout)) return 'starter';
  if (existsSync(starter)) {
    rmSync(starter, { force: true });
    await askClamd(layout, 'RELOAD');
  }
  return 'full';
}

/** One of clamd's one-line commands (clamd(8)); undefined when it does not answer. */
export function askClamd(layout: Layout, command: 'PING' | 'RELOAD' | 'VERSION'): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(layout.clamdSocket);
    let answer = '';
    socket.setTimeout(2_000, () => socket.destroy());
    socket.once('connect', () => socket.end(`n${command}\n`));
    socket.on('data', (chunk) => {
      answer += chunk.toString('utf8');
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(answer === '' ? undefined : answer.trim()));
  });
}

function rspamdAnswers(layout: Layout): Promise<boolean> {
  return new Promise((resolve) => {
    const question = request({ socketPath: layout.rspamdSocket, path: '/ping', timeout: 2_000 }, (response) => {
      response.resume();
      response.once('close', () => resolve(response.statusCode === 200));
    });
    question.once('timeout', () => question.destroy());
    question.once('error', () => resolve(false));
    question.end();
  });
}

async function dnsAnswers(port: number): Promise<boolean> {
  const resolver = new dns.Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  try {
    return (await resolver.resolve4('localhost')).includes('127.0.0.1'); // unbound's own default zone
  } catch {
    return false;
  }
}

function trustAnchor(state: string, offline: boolean): string {
  if (offline) return '  module-config: "iterator"';
  const source = ROOT_KEYS.find((file) => existsSync(file));
  if (source === undefined) return '  module-config: "iterator"  # no root key on this machine: DNSSEC is not checked';
  const own = path.join(state, 'root.key');
  if (!existsSync(own)) cpSync(source, own);
  return `  auto-trust-anchor-file: "${own}"`;
}

function childSpec(name: string, options: { options: EngineOptions; args: string[] }): ChildSpec {
  const { layout, env } = options.options;
  return {
    name,
    command: programOf(name, layout, env),
    args: options.args,
    logFile: path.join(layout.log, `${name}.log`),
    stopMs: STOP_MS,
    env: { ...env, LC_ALL: 'C.UTF-8' },
  };
}

/**
 * The engine's program. Debian confines some of them by AppArmor to the paths of the system's own service, by the name of
 * the file: ours works in the data folder, so it runs from a copy there.
 */
export function programOf(
  name: string,
  layout: Layout,
  env: NodeJS.ProcessEnv,
  confined: (file: string) => boolean = confinedByAppArmor,
): string {
  const folders = [
    ...(env['PATH'] ?? '').split(':'),
    '/usr/local/sbin',
    '/usr/sbin',
    '/sbin',
    '/usr/local/bin',
    '/usr/bin',
  ];
  const found = folders
    .map((folder) => path.join(folder, name))
    .find((file) => path.isAbsolute(file) && existsSync(file));
  if (found === undefined)
    throw new SekishoError('ENGINE_MISSING', `The program "${name}" is not installed`, {
      remedy: 'Run ./scripts/start, which installs it',
    });
  if (!confined(found)) return found;
  const folder = path.join(layout.engines, 'programs');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const copy = path.join(folder, name);
  rmSync(copy, { force: true });
  cpSync(found, copy, { dereference: true });
  return copy;
}

function confinedByAppArmor(file: string): boolean {
  try {
    if (readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').trim() !== 'Y') return false;
  } catch {
    return false;
  }
  // A profile file is named after the program it confines: usr.sbin.clamd
  return existsSync(path.join('/etc/apparmor.d', file.slice(1).replaceAll('/', '.')));
}

function fillTemplate(layout: Layout, name: string, values: Readonly<Record<string, string>>): string {
  const template = readFileSync(path.join(import.meta.dirname, name), 'utf8');
  const filled = template.replaceAll(/@([A-Z_]+)@/g, (mark, key: string) => values[key] ?? mark);
  const left = /^[^#\n]*@[A-Z_]+@/m.exec(filled);
  if (left !== null) throw new SekishoError('TEMPLATE', `The template "${name}" has an unfilled mark: "${left[0]}"`);
  const file = path.join(layout.engines, name);
  writeFileSync(file, filled, { mode: 0o600 });
  return file;
}

/** ClamAV's configuration takes a value with blanks in double quotes. */
function quoted(value: string): string {
  return value.includes(' ') ? `"${value}"` : value;
}
