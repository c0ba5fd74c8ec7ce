/**
 * Private engines for tests, put together by the very code and templates that `scripts/start` uses, in a folder of the test:
 * start, stop, pause and resume. They run as `nobody` and share nothing with the system's own.
 */
import { chownSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Engine as EngineRecipe, EngineOptions } from '../../scripts/engines/engines.ts';
import { type Layout, layoutOf, makeFolders } from '../../scripts/lib/layout.ts';
import { type Child, startChild, until } from './process.ts';

const NOBODY = 65_534;

export interface Engine {
  readonly child: () => Child;
  /** SIGTERM: the socket is gone, connections are refused. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP to it and its children: connections are taken and nothing is answered. */
  pause(): void;
  resume(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `dir` must be open to other users (mode 0755). `dns`: without one nobody answers the engine's questions. */
export async function startEngine(
  name: string,
  options: { dir: string; dns?: { port: number } },
  recipe: (options: EngineOptions) => EngineRecipe,
): Promise<Engine & { layout: Layout }> {
  const layout = layoutOf(path.join(options.dir, name));
  makeFolders(layout);
  const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], LANG: 'C.UTF-8' };
  const { spec, ready } = recipe({ layout, dnsPort: options.dns?.port ?? 9, offline: true, lab: false, env });
  giveAway(layout.data);
  let child: Child | undefined;
  const start = async (): Promise<void> => {
    if (child?.running() === true) return;
    const started = await startChild(spec.command, spec.args, {
      cwd: layout.data,
      uid: NOBODY,
      gid: NOBODY,
      ...(spec.env === undefined ? {} : { env: spec.env }),
    });
    child = started;
    await until(`${name} to be ready`, { ms: 240_000, every: 100 }, async () => {
      if (!started.running()) throw new Error(`${name} has ended: ${started.output().slice(-2_000)}`);
      return (await ready()) ? true : undefined;
    });
  };
  const stop = async (): Promise<void> => {
    child?.signalGroup('SIGCONT');
    await child?.stop();
  };
  await start().catch(async (error: unknown) => {
    await stop(); // one that is too slow must not outlive the test that gave it up
    throw error;
  });
  return {
    layout,
    child: () => {
      if (child === undefined) throw new Error(`${name} is not started`);
      return child;
    },
    start,
    stop,
    pause: () => child?.signalGroup('SIGSTOP'),
    resume: () => child?.signalGroup('SIGCONT'),
    [Symbol.asyncDispose]: stop,
  };
}

/** Everything below `folder` becomes the engine's own. */
function giveAway(folder: string): void {
  chownSync(folder, NOBODY, NOBODY);
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    chownSync(path.join(folder, name), NOBODY, NOBODY);
}
