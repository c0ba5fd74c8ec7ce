/**
 * The watch of a worker that is a unit of its own: a thread that sees the main loop turn, and kills the process when it has not
 * turned for `stalledMs`. The gateway has closed the connection by then; a loop that stands still cannot notice that.
 */
import { Worker } from 'node:worker_threads';

/** Waits on the counter; woken by each turn, or by its own patience. */
const WATCH = `
const { workerData } = require('node:worker_threads');
const turns = new Int32Array(workerData.turns);
for (;;) {
  const seen = Atomics.load(turns, 0);
  if (Atomics.wait(turns, 0, seen, workerData.stalledMs) === 'timed-out') process.kill(workerData.pid, 'SIGKILL');
}`;

export function watchOwnLoop(options: { stalledMs: number; pid: number }): void {
  const turns = new SharedArrayBuffer(4);
  const counter = new Int32Array(turns);
  const watch = new Worker(WATCH, { eval: true, workerData: { ...options, turns }, execArgv: [] });
  watch.unref();
  setInterval(
    () => {
      Atomics.add(counter, 0, 1);
      Atomics.notify(counter, 0);
    },
    Math.min(1_000, options.stalledMs / 4),
  ).unref();
}
