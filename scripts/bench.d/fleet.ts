/**
 * Both systems, warm, behind one sink; for W4f with engines: one clamd for both, and an rspamd each with the same rules,
 * since Postfix talks the milter protocol to it and lets it ask clamd. Closing ends all by pid.
 */
import { appendFileSync, chmodSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type EngineOptions, rspamdEngine, type Engine as EngineRecipe } from '../engines/engines.ts';
import { startClamd } from '../../test/support/clamd.ts';
import { startEngine } from '../../test/support/engine.ts';
import { freePort, untilListening } from '../../test/support/net.ts';
import { startRspamd } from '../../test/support/rspamd.ts';
import { openSink, type Sink, startBenchPostfix, startGateway, type System, type SystemName } from './systems.ts';

export interface Fleet {
  readonly sink: Sink;
  readonly systems: Partial<Record<SystemName, System>>;
  /** Pids of the engines a system uses. */
  readonly engines: Readonly<Record<SystemName, readonly number[]>>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface FleetOptions {
  /** Made here; open to other users, since Postfix and the engines drop root. */
  dir: string;
  filters: boolean;
  /** The checkout whose gateway runs. */
  source: string;
  only?: SystemName;
  wrapper?: (name: SystemName) => readonly string[];
  nodeOptions?: readonly string[];
}

export async function openFleet(options: FleetOptions): Promise<Fleet> {
  const { dir, only } = options;
  await mkdir(dir, { recursive: true, mode: 0o755 });
  await using stack = new AsyncDisposableStack();
  const sink = await openSink(dir);
  await sink.start();
  stack.defer(() => sink.stop());
  const filters = options.filters ? await startFilters(dir, stack) : undefined;
  const systems: Partial<Record<SystemName, System>> = {};
  const start = async (name: SystemName): Promise<void> => {
    const wrapper = options.wrapper?.(name);
    const common = { dir, source: options.source, sinkPort: sink.port, ...(wrapper === undefined ? {} : { wrapper }) };
    const system =
      name === 'gateway'
        ? await startGateway({ ...common, engines: filters?.sockets, nodeOptions: options.nodeOptions ?? [] })
        : await startBenchPostfix({ ...common, milter: filters?.milter });
    systems[name] = system;
    stack.defer(() => system.stop());
  };
  if (only !== 'postfix') await start('gateway');
  if (only !== 'gateway') await start('postfix');
  const kept = stack.move();
  return {
    sink,
    systems,
    engines: filters?.pids ?? { gateway: [], postfix: [] },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

interface Filters {
  sockets: { clamd: string; rspamd: string };
  milter: string;
  pids: Record<SystemName, readonly number[]>;
}

async function startFilters(dir: string, stack: AsyncDisposableStack): Promise<Filters> {
  const clamd = stack.use(await startClamd({ dir }));
  const ours = stack.use(await startRspamd({ dir }));
  const port = await freePort();
  const recipe = (options: EngineOptions): EngineRecipe => milterRecipe(options, { port, clamd: clamd.socket });
  const theirs = stack.use(await startEngine('milter', { dir }, recipe));
  await untilListening('rspamd as milter', { port });
  return {
    sockets: { clamd: clamd.socket, rspamd: ours.socket },
    milter: `inet:127.0.0.1:${port}`,
    pids: {
      gateway: [clamd.child().pid, ours.child().pid],
      postfix: [clamd.child().pid, theirs.child().pid],
    },
  };
}

/** The very configuration the gateway's rspamd has, with the proxy worker that scans by itself, and its antivirus module. */
function milterRecipe(options: EngineOptions, { port, clamd }: { port: number; clamd: string }): EngineRecipe {
  const engine = rspamdEngine(options);
  const file = path.join(options.layout.engines, 'rspamd.conf');
  appendFileSync(
    file,
    `
worker "rspamd_proxy" {
  bind_socket = "127.0.0.1:${port}";
  milter = yes;
  timeout = 60s;
  count = 1;
  upstream "local" { default = yes; self_scan = yes; }
}
antivirus {
  clamav { type = "clamav"; symbol = "CLAM_VIRUS"; action = "reject"; servers = "${clamd}"; scan_mime_parts = false; log_clean = false; max_size = 52428800; timeout = 30; }
}
`,
  );
  chmodSync(file, 0o600);
  return engine;
}
