/**
 * What an end-to-end test stands in: a folder, a DNS that knows our example names, real engines as asked for, a mail
 * server behind (the octet-keeping sink), a second sink as the way out, and the gateway. All of it ends with the test file.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import type { ConfigInput } from '../../src/config/schema.ts';
import { type Clamd, startClamd } from '../support/clamd.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { until } from '../support/process.ts';
import { type Rspamd, startRspamd } from '../support/rspamd.ts';
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts';
import { type DnsServer, startUnbound } from '../support/unbound.ts';

export const CORPUS = path.resolve(import.meta.dirname, '../corpus');
export const CORPUS_DNS = z.array(z.string()).parse(JSON.parse(readFileSync(path.join(CORPUS, 'dns.json'), 'utf8')));

/** example.com vouches for this machine; nospf.example says nothing; the office publishes that only others may send for it. */
const RECORDS = [
  'example.com. 300 IN TXT "v=spf1 ip4:127.0.0.1 -all"',
  'example.com. 300 IN MX 10 mx.example.com.',
  'mx.example.com. 300 IN A 127.0.0.1',
  'client.example.com. 300 IN A 127.0.0.1',
  'nospf.example. 300 IN MX 10 mx.example.com.',
  'office.example. 300 IN TXT "v=spf1 ip4:192.0.2.1 -all"',
  'office.example. 300 IN MX 10 gw.office.example.',
  '1.0.0.127.in-addr.arpa. 300 IN PTR client.example.com.',
  ...CORPUS_DNS,
];

export interface World {
  readonly dir: string;
  readonly dns: DnsServer;
  readonly clamd: Clamd | undefined;
  readonly rspamd: Rspamd | undefined;
  /** The mail server behind. */
  readonly office: SmtpSink;
  /** Where everything outward goes. */
  readonly outside: SmtpSink;
  readonly gateway: Gateway;
  readonly config: ConfigInput;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface WorldOptions {
  clamd?: boolean;
  rspamd?: boolean;
  /** Another mail server than the sink. */
  officePort?: (dir: string) => Promise<number>;
  /** Names the DNS knows besides ours. */
  records?: readonly string[];
  /** The gateway's program, if not `src/gateway.ts`. */
  program?: string;
  /** For the gateway's process. */
  env?: Readonly<Record<string, string>>;
  /** What differs from our usual settings; a function may start in the folder what the settings name. */
  config?: Partial<ConfigInput> | ((dir: string) => Promise<Partial<ConfigInput>>);
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const stack = new AsyncDisposableStack();
  try {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'sekisho-e2e-'));
    await chmod(dir, 0o755); // engines run as other users
    stack.defer(() => rm(dir, { recursive: true, force: true }));
    const records = [...RECORDS, ...(options.records ?? [])];
    const dns = stack.use(await startUnbound({ dir, records, broken: ['broken.example'] }));
    const maybeClamd = async (): Promise<Clamd | undefined> =>
      options.clamd === true ? stack.use(await startClamd({ dir })) : undefined;
    const maybeRspamd = async (): Promise<Rspamd | undefined> =>
      options.rspamd === true ? stack.use(await startRspamd({ dir, dns })) : undefined;
    const starting = [maybeClamd(), maybeRspamd()] as const;
    await Promise.allSettled(starting); // where one fails, the other is ended too
    const [clamd, rspamd] = await Promise.all(starting);
    const office = stack.use(await startSmtpSink());
    const outside = stack.use(await startSmtpSink());
    const officePort = (await options.officePort?.(dir)) ?? office.port;
    const more = typeof options.config === 'function' ? await options.config(dir) : options.config;
    const config = worldConfig({ dns, clamd, rspamd, officePort, outsidePort: outside.port }, more);
    const gateway = stack.use(
      await startGateway({
        dir,
        config,
        ...(options.env === undefined ? {} : { env: options.env }),
        ...(options.program === undefined ? {} : { program: options.program }),
      }),
    );
    await enginesUp({ gateway });
    const owned = stack.move();
    return {
      dir,
      dns,
      clamd,
      rspamd,
      office,
      outside,
      gateway,
      config,
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Mail that comes while an engine is still starting has its 250 before anybody looked at it. */
export async function enginesUp(world: Pick<World, 'gateway'>): Promise<void> {
  await until('all engines to be up', { ms: 60_000, every: 100 }, async () => {
    const { engines } = await world.gateway.call('engines.list');
    return engines.every(({ state }) => state === 'up' || state === 'off') ? true : undefined;
  });
}

/** Whatever would come has come, and is on record: a mail server has a message a moment before that. */
export async function queueEmpty(world: Pick<World, 'gateway'>): Promise<void> {
  await until('an empty queue', { ms: 60_000, every: 100 }, async () =>
    (await world.gateway.call('queue.list', { state: 'all' })).total === 0 ? true : undefined,
  );
}

/** The quarantine once it holds that many (of one recipient): on a busy machine a mail's inspection comes after its 250. */
export function inQuarantine(world: Pick<World, 'gateway'>, count: number, recipient?: string) {
  return until(`${count} in the quarantine`, { ms: 60_000 }, async () => {
    const wanted = recipient === undefined ? {} : { recipient };
    const { entries } = await world.gateway.call('quarantine.list', wanted);
    return entries.length >= count ? entries : undefined;
  });
}

/** Short pauses, so that a test sees in seconds what an owner sees in minutes; everything else as it ships. */
function worldConfig(
  peers: {
    dns: DnsServer;
    clamd: Clamd | undefined;
    rspamd: Rspamd | undefined;
    officePort: number;
    outsidePort: number;
  },
  more: Partial<ConfigInput> = {},
): ConfigInput {
  return {
    hostname: 'gw.office.example',
    language: 'en',
    domains: [
      {
        name: 'office.example',
        servers: [{ host: '127.0.0.1', port: peers.officePort }],
        recipients: { check: 'any' },
      },
    ],
    outbound: { smarthost: { host: '127.0.0.1', port: peers.outsidePort } },
    dns: { servers: [peers.dns.address], timeoutMs: 2_000 },
    engines: {
      clamd: peers.clamd === undefined ? { enabled: false } : { socket: peers.clamd.socket },
      rspamd: peers.rspamd === undefined ? { enabled: false } : { url: peers.rspamd.socket },
    },
    delivery: { retryMs: [500, 1_000], probeMs: 500 },
    spool: { floorOctets: 1_048_576, floorPercent: 1 },
    ...more,
  };
}
