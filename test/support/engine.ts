/** Start, stop, pause and resume of one foreground program that answers when it is ready. */
import { type Child, until } from './process.ts';

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

export async function startEngine<Extra extends object>(
  name: string,
  options: { start: () => Promise<Child>; ready: () => Promise<boolean>; extra: Extra },
): Promise<Engine & Extra> {
  let child: Child | undefined;
  const start = async (): Promise<void> => {
    if (child?.running() === true) return;
    const started = await options.start();
    child = started;
    await until(`${name} to be ready`, { ms: 90_000, every: 100 }, async () => {
      if (!started.running()) throw new Error(`${name} has ended: ${started.output().slice(-2_000)}`);
      return (await options.ready()) ? true : undefined;
    });
  };
  const stop = async (): Promise<void> => {
    child?.signalGroup('SIGCONT');
    await child?.stop();
  };
  await start();
  return {
    ...options.extra,
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
