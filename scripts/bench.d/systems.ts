/**
 * The two systems of the benchmark and the sink behind both. Each lies in a folder of its own on a disk (never tmpfs: a sync
 * would cost nothing there), listens on a free loopback port, relays everything to the sink, and is ended by its pid.
 * Output goes to files: a pipe would cost the benchmark's own CPU. Nothing of it outlives the run.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createControlClient } from '../../src/control/client.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { MAIL_PROCESS_ENV, GATEWAY_FLAGS } from '../../src/base/runtime-flags.ts';
import { gatewayEntry } from './programs.ts';
import { freePort, untilListening } from '../../test/support/net.ts';
import { peerEnvironment, peersPrefix, startPostfix } from '../../test/support/peers.ts';
import { type Child, startChild, until } from '../../test/support/process.ts';

export const SYSTEMS = ['gateway', 'postfix'] as const;
export type SystemName = (typeof SYSTEMS)[number];

export interface System {
  readonly name: SystemName;
  /** Where it takes mail. */
  readonly port: number;
  /** Whose trees are its processes; without engines. */
  readonly roots: readonly number[];
  /** Tries all waiting mail again, now. */
  flush(): Promise<void>;
  /** The end of what it logged. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

export interface SystemOptions {
  dir: string;
  sinkPort: number;
  /** Sockets of private engines; without them nothing is filtered. */
  engines?: { clamd: string; rspamd: string } | undefined;
  /** Postfix's filter: `inet:127.0.0.1:port`. */
  milter?: string | undefined;
  /** A command it runs under (strace). */
  wrapper?: readonly string[];
  /** The checkout whose gateway runs. */
  source: string;
  /** Options of the runtime (--cpu-prof). */
  nodeOptions?: readonly string[];
}

const LOG_TAIL = 3_000;
export const RECIPIENT_DOMAIN = 'office.example';

/** Runs a program with its output in a file. The shell becomes the program, so the pid is the program's. */
export function startQuietly(
  command: readonly string[],
  options: { output: string; env?: NodeJS.ProcessEnv; cwd?: string },
): Promise<Child> {
  const { output, ...rest } = options;
  return startChild('/bin/sh', ['-c', 'exec "$@" >"$0" 2>&1', output, ...command], rest);
}

/**
 * Takes mail on the relay listener, as Postfix does from mynetworks; the MX listener greets 100 ms late by choice, which
 * would measure that choice. The inspect worker runs; engines only for W4f.
 */
export async function startGateway(options: SystemOptions): Promise<System> {
  const folder = path.join(options.dir, 'gateway');
  const data = path.join(folder, 'data');
  await mkdir(data, { recursive: true, mode: 0o755 });
  const [mxPort, port] = [await freePort(), await freePort()];
  const configFile = path.join(folder, 'config.json');
  await writeFile(configFile, JSON.stringify(gatewayConfig(options, { mxPort, port })));
  const output = path.join(folder, 'log');
  const node = [process.execPath, ...GATEWAY_FLAGS, ...(options.nodeOptions ?? [])];
  const command = [...(options.wrapper ?? []), ...node, gatewayEntry(options.source)];
  // As on the box, whose image carries the compiled code: run to the usage line once, and it is there.
  const cache = path.join(options.dir, 'node-cache');
  const runtime = { ...MAIL_PROCESS_ENV, UV_THREADPOOL_SIZE: '16', NODE_ENV: 'production', NODE_COMPILE_CACHE: cache };
  const env = { ...process.env, ...runtime };
  if (!existsSync(cache)) await (await startQuietly(command, { output, env, cwd: folder })).ended;
  const child = await startQuietly([...command, '--config', configFile, '--data', data], { output, env, cwd: folder });
  await until('the gateway to be ready', { ms: 60_000 }, () => {
    const said = existsSync(output) ? readFileSync(output, 'utf8') : '';
    if (!child.running()) throw new Error(`The gateway has ended: ${said.slice(-3_000)}`);
    return said.includes('Gateway is ready') ? true : undefined;
  });
  await untilListening('the relay listener', { port });
  const client = createControlClient({ socket: path.join(data, 'run/control.sock') });
  return {
    name: 'gateway',
    port,
    roots: [child.pid],
    flush: async () => {
      await client.call('queue.retry', { all: true });
    },
    log: async () => readFileSync(output, 'utf8').slice(-LOG_TAIL),
    // strace hands SIGTERM on to nobody: its child is ended with the group
    stop: () => stopGroup(child),
  };
}

function gatewayConfig(options: SystemOptions, ports: { mxPort: number; port: number }): ConfigInput {
  const { engines } = options;
  return {
    hostname: 'mx.office.example',
    language: 'en',
    listeners: {
      mx: { address: '127.0.0.1', port: ports.mxPort },
      relay: { port: ports.port, maxSessions: 1_000 },
    },
    domains: [
      {
        name: RECIPIENT_DOMAIN,
        servers: [{ host: '127.0.0.1', port: options.sinkPort }],
        recipients: { check: 'any' },
      },
    ],
    // as Postfix: as many messages a connection as the client likes
    limits: { messagesPerSession: 1_000_000 },
    engines: {
      clamd: engines === undefined ? { enabled: false } : { socket: engines.clamd },
      rspamd: engines === undefined ? { enabled: false } : { url: engines.rspamd },
    },
    // nobody answers there: neither system may ask a name server
    dns: { servers: ['127.0.0.1:9'], timeoutMs: 500 },
  };
}

/** Debian's defaults, but for what the issue of fairness names: no DNS, more processes, no pause for a fast sender. */
export async function startBenchPostfix(options: SystemOptions): Promise<System> {
  const postfix = await startPostfix({
    dir: options.dir,
    hostname: 'mx.office.example',
    relayTo: { port: options.sinkPort },
    ...(options.wrapper === undefined ? {} : { wrapper: options.wrapper }),
    settings: {
      ...POSTFIX_SETTINGS,
      ...(options.milter === undefined
        ? {}
        : { smtpd_milters: options.milter, milter_default_action: 'tempfail', milter_protocol: '6' }),
    },
  });
  const queueTool = [path.join(peersPrefix(), 'usr/sbin/postqueue'), '-c', path.join(postfix.folder, 'etc'), '-f'];
  return {
    name: 'postfix',
    port: postfix.port,
    roots: [postfix.pid()],
    flush: async () => {
      const [command = '', ...args] = queueTool;
      const child = await startChild(command, args, { env: peerEnvironment() });
      const { code } = await child.ended;
      if (code !== 0) throw new Error(`postqueue -f failed: ${child.output()}`);
    },
    log: async () => (await postfix.log()).slice(-LOG_TAIL),
    stop: () => postfix.stop(),
  };
}

/** What the tests change for their own sake goes back to Postfix's default; the rest is in Postfix's favour. */
const POSTFIX_SETTINGS = {
  disable_mime_input_processing: 'no',
  disable_mime_output_conversion: 'no',
  smtp_line_length_limit: '998',
  header_size_limit: '102400',
  minimal_backoff_time: '300s',
  maximal_backoff_time: '4000s',
  queue_run_delay: '300s',
  disable_dns_lookups: 'yes',
  smtpd_peername_lookup: 'no',
  in_flow_delay: '0',
  default_process_limit: '100',
} as const;

export interface Sink {
  readonly port: number;
  /** Messages since it was started. */
  count(): number;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** smtp-sink(1) of Postfix; its running counters go to a file. */
export async function openSink(dir: string): Promise<Sink> {
  const port = await freePort();
  let [child, output, starts]: [Child | undefined, string, number] = [undefined, '', 0];
  return {
    port,
    count: () => (existsSync(output) ? lastCount(output) : 0),
    start: async () => {
      starts += 1;
      output = path.join(dir, `sink-${starts}`);
      const program = path.join(peersPrefix(), 'usr/sbin/smtp-sink');
      const command = [program, '-c', '-u', 'nobody', `127.0.0.1:${port}`, '1000'];
      child = await startQuietly(command, { output, env: peerEnvironment() });
      await untilListening('the sink', { port });
    },
    stop: async () => {
      await child?.stop();
      child = undefined;
    },
  };
}

/** The last `mesg=N` of a file that only grows. */
function lastCount(file: string): number {
  const size = statSync(file).size;
  const tail = Buffer.alloc(Math.min(size, 256));
  const fd = openSync(file, 'r');
  try {
    readSync(fd, tail, 0, tail.length, size - tail.length);
  } finally {
    closeSync(fd);
  }
  return parseSinkCount(tail.toString('latin1'));
}

export function parseSinkCount(text: string): number {
  return Number([...text.matchAll(/mesg=(\d+)\b(?=\s)/g)].at(-1)?.[1] ?? 0);
}

async function stopGroup(child: Child): Promise<void> {
  child.signalGroup('SIGTERM');
  await child.stop(30_000);
}
