/**
 * A DNS server that knows only what the test gives it: every other name does not exist, nothing is ever asked of the
 * outside. Runs as `nobody` on a port of its own. `broken` names answer SERVFAIL, as a dead zone does.
 */
import { spawnSync } from 'node:child_process';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { freePort } from './net.ts';
import { type Child, startChild, until } from './process.ts';
import { createResolver } from '../../src/base/resolver.ts';

const NOBODY = 65_534;

export interface DnsServer {
  /** As `dns.servers` of the configuration wants it: `127.0.0.1:5353`. */
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
  /** Answers nothing until `resume` (SIGSTOP): queries time out. */
  pause(): void;
  resume(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface SignedZone {
  name: string;
  /** The file's path, readable by `nobody`. */
  file: string;
  /** DS or DNSKEY; without one the zone is as good as unsigned. */
  anchor?: string;
}

/** `records`: zone file lines like `example.com. 300 IN MX 10 mx.example.com.`; TXT of any length as one quoted string. */
export async function startUnbound(options: {
  dir: string;
  records: readonly string[];
  broken?: readonly string[];
  /** Zones that unbound serves and validates as if it had asked for them: a trust anchor makes their answers authentic. */
  signed?: readonly SignedZone[];
  /** In a network of the test's own; else a free one. */
  port?: number;
}): Promise<DnsServer> {
  const folder = path.join(options.dir, 'unbound');
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await chown(folder, NOBODY, NOBODY);
  for (let tries = 0; ; tries += 1) {
    const port = options.port ?? (await freePort());
    const file = path.join(folder, `unbound-${port}.conf`);
    await writeFile(file, configuration(port, options), { mode: 0o644 });
    const check = spawnSync('/usr/sbin/unbound-checkconf', [file], { encoding: 'utf8' });
    if (check.status !== 0) throw new Error(`The DNS records do not load: ${check.stderr}${check.stdout}`);
    const child = await startChild('/usr/sbin/unbound', ['-d', '-p', '-c', file], {
      cwd: folder,
      uid: NOBODY,
      gid: NOBODY,
    });
    try {
      await untilAnswering(port, child);
      return server(port, child);
    } catch (error) {
      await child.kill();
      if (tries >= 2) throw new Error(`unbound did not come up: ${child.output()}`, { cause: error });
    }
  }
}

function server(port: number, child: Child): DnsServer {
  const stop = async (): Promise<void> => {
    child.signal('SIGCONT');
    await child.stop();
  };
  return {
    address: `127.0.0.1:${port}`,
    port,
    stop,
    pause: () => child.signal('SIGSTOP'),
    resume: () => child.signal('SIGCONT'),
    [Symbol.asyncDispose]: stop,
  };
}

async function untilAnswering(port: number, child: Child): Promise<void> {
  const resolver = createResolver({ servers: [`127.0.0.1:${port}`], timeoutMs: 300, tries: 1 });
  await until('unbound to answer', { ms: 10_000 }, async () => {
    if (!child.running()) throw new Error('unbound has ended');
    try {
      return (await resolver.query('nothing.invalid', 'A')) && true;
    } catch {
      return undefined;
    }
  });
}

function configuration(
  port: number,
  options: { records: readonly string[]; broken?: readonly string[]; signed?: readonly SignedZone[] },
): string {
  const signed = options.signed ?? [];
  const lines = [
    'server:',
    '  interface: 127.0.0.1',
    `  port: ${port}`,
    '  access-control: 127.0.0.0/8 allow',
    '  username: ""',
    '  chroot: ""',
    '  pidfile: ""',
    '  use-syslog: no',
    '  verbosity: 0',
    '  num-threads: 1',
    '  do-ip6: no',
    `  module-config: "${signed.length > 0 ? 'validator iterator' : 'iterator'}"`,
    '  do-not-query-localhost: no',
    '  edns-buffer-size: 4096',
    '  local-zone: "." static',
    // reverse zones that unbound answers by itself otherwise
    '  unblock-lan-zones: yes',
    '  insecure-lan-zones: yes',
  ];
  for (const name of options.broken ?? []) lines.push(`  local-zone: "${name}." transparent`);
  for (const zone of signed) {
    lines.push(`  local-zone: "${zone.name}." transparent`);
    if (zone.anchor !== undefined) lines.push(`  trust-anchor: "${zone.anchor}"`);
  }
  for (const record of options.records) lines.push(`  local-data: '${splitText(record)}'`);
  lines.push('remote-control:', '  control-enable: no');
  for (const zone of signed)
    lines.push(
      'auth-zone:',
      `  name: "${zone.name}."`,
      `  zonefile: "${zone.file}"`,
      '  for-downstream: no',
      '  for-upstream: yes',
      '  fallback-enabled: no',
    );
  // port 1 of loopback: refused at once, so that the name's answer is SERVFAIL
  for (const name of options.broken ?? [])
    lines.push('forward-zone:', `  name: "${name}."`, '  forward-addr: 127.0.0.1@1');
  return `${lines.join('\n')}\n`;
}

/** RFC 1035 §3.3: a character-string holds 255 octets, so a long TXT becomes several. */
function splitText(record: string): string {
  const match = /^(.*\sTXT\s+)"([^"]*)"$/.exec(record);
  if (match === null) return record;
  const pieces = (match[2] ?? '').match(/.{1,250}/g) ?? [''];
  return `${match[1]}${pieces.map((piece) => `"${piece}"`).join(' ')}`;
}
