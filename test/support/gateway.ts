/**
 * The real gateway process on a data folder of the test: started, asked over its control socket and by the real CLI,
 * stopped, killed, started again on the same folder. Its JSON log lines are kept for the test to read.
 */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import type { ConfigInput } from '../../src/config/schema.ts';
import { VERBS, type VerbAnswer, type VerbInput, type VerbName } from '../../src/control/contract.ts';
import { GATEWAY_FLAGS } from '../../src/base/runtime-flags.ts';
import { freePort, untilListening } from './net.ts';
import { type Child, startChild, until } from './process.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

export interface LogLine {
  level: string;
  msg: string;
  [fact: string]: unknown;
}

export interface Gateway {
  readonly mxPort: number;
  readonly relayPort: number;
  readonly configFile: string;
  readonly dataFolder: string;
  /** Every line it logged, over all its lives. */
  readonly lines: LogLine[];
  /** What it said that was no JSON: a stack trace, mostly. */
  readonly noise: string[];
  child(): Child;
  call<V extends VerbName>(verb: V, input?: VerbInput<V>): Promise<VerbAnswer<V>>;
  cli(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Writes the whole configuration file; the running gateway hears of it by `config.reload`. */
  writeConfig(config: ConfigInput | string): Promise<void>;
  /** `readyMs`: how long that may take; a minute by default. */
  start(options?: { readyMs?: number }): Promise<void>;
  stop(): Promise<{ code: number | null }>;
  /** SIGKILL to it and its workers. */
  kill(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface GatewayOptions {
  /** A folder of the test; the gateway lives in `gateway/` below it. */
  dir: string;
  /** Everything but the listeners' ports. */
  config: ConfigInput;
  /** The gateway's program; as it ships `src/gateway.ts`. */
  program?: string;
  /** Besides our own environment. */
  env?: Readonly<Record<string, string>>;
}

const READY_MS = 60_000;

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const folder = path.join(options.dir, 'gateway');
  const dataFolder = path.join(folder, 'data');
  const configFile = path.join(folder, 'config.json');
  await mkdir(dataFolder, { recursive: true, mode: 0o755 });
  const [mxPort, relayPort] = [await freePort(), await freePort()];
  const lines: LogLine[] = [];
  const noise: string[] = [];
  let child: Child | undefined;

  const writeConfig = async (config: ConfigInput | string): Promise<void> => {
    await writeFile(
      configFile,
      typeof config === 'string' ? config : JSON.stringify(withPorts(config, { mxPort, relayPort }), null, 2),
    );
  };
  const start = async ({ readyMs = READY_MS }: { readyMs?: number } = {}): Promise<void> => {
    const args = [
      ...GATEWAY_FLAGS,
      options.program ?? path.join(ROOT, 'src/gateway.ts'),
      '--config',
      configFile,
      '--data',
      dataFolder,
    ];
    const env = { ...process.env, UV_THREADPOOL_SIZE: '16', NODE_ENV: 'production', ...options.env };
    const started = await startChild(process.execPath, args, { cwd: folder, env });
    child = started;
    let ready = false;
    started.onLine((text) => {
      const line = parseLine(text);
      if (line === undefined) noise.push(text);
      else lines.push(line);
      if (line?.msg === 'Gateway is ready') ready = true;
    });
    await until('the gateway to be ready', { ms: readyMs }, () => {
      if (!started.running()) throw new Error(`The gateway has ended: ${started.output().slice(-4_000)}`);
      return ready ? true : undefined;
    }).catch((error: unknown) => {
      throw new Error(`The gateway did not become ready: ${started.output().slice(-4_000)}`, { cause: error });
    });
    await untilListening('the MX listener', { port: mxPort });
  };
  const stop = async (): Promise<{ code: number | null }> => {
    const running = child;
    if (running === undefined) return { code: null };
    await running.stop(30_000);
    return { code: (await running.ended).code };
  };
  await writeConfig(options.config);
  await start();
  const socket = path.join(dataFolder, 'run/control.sock');
  return {
    mxPort,
    relayPort,
    configFile,
    dataFolder,
    lines,
    noise,
    child: () => {
      if (child === undefined) throw new Error('The gateway is not started');
      return child;
    },
    call: (verb, input) => callVerb(socket, verb, input),
    cli: (...args) => runCli(['--data', dataFolder, ...args]),
    writeConfig,
    start,
    stop,
    kill: async () => {
      await child?.kill();
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}

function withPorts(config: ConfigInput, ports: { mxPort: number; relayPort: number }): ConfigInput {
  return {
    ...config,
    listeners: {
      mx: {
        address: '127.0.0.1',
        maxSessionsPerAddress: 1_000,
        maxSessionsPerNetwork: 1_000,
        ...config.listeners?.mx,
        port: ports.mxPort,
      },
      relay: { ...config.listeners?.relay, port: ports.relayPort },
    },
  };
}

function parseLine(text: string): LogLine | undefined {
  const json = text.replace(/^<\d>/, '');
  if (!json.startsWith('{')) return undefined;
  try {
    return JSON.parse(json) as LogLine; // a log line; the tests only compare it
  } catch {
    return undefined;
  }
}

/** One verb over the control socket, without the product's own client. Throws its problem document on an error. */
export function callVerb<V extends VerbName>(
  socketPath: string,
  verb: V,
  input?: VerbInput<V>,
): Promise<VerbAnswer<V>> {
  const { method, path: verbPath, response } = VERBS[verb];
  const query = new URLSearchParams();
  if (method === 'GET') for (const [key, value] of Object.entries(input ?? {})) query.set(key, String(value));
  const body = method === 'POST' ? JSON.stringify(input ?? {}) : '';
  const target = method === 'GET' && query.size > 0 ? `${verbPath}?${query.toString()}` : verbPath;
  const headers =
    method === 'POST' ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } : {};
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path: target, headers, timeout: 60_000 }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      answer.once('end', () => {
        if (answer.statusCode !== 200) return reject(new Error(`${verb}: ${answer.statusCode} ${text}`));
        // the verb's own schema is what its answer type is made of
        resolve(response.parse(JSON.parse(text)) as VerbAnswer<V>);
      });
    });
    asked.once('error', reject);
    asked.once('timeout', () => asked.destroy(new Error(`${verb} did not answer`)));
    asked.end(body);
  });
}

function runCli(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(ROOT, 'src/cli.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const guard = setTimeout(() => child.kill('SIGKILL'), 60_000);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(guard);
      resolve({ code, stdout, stderr });
    });
  });
}
