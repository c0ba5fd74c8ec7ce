/** The layers of the rig, by name, in the order they run: what each proves, and how to run it. */
import { clockLayer, clockLines } from './clock-layer.ts';
import { damageLayer, damageLines } from './damage-layer.ts';
import { diskLayer, diskLines } from './disk-layer.ts';
import { diskGround, faultLayer, faultLines, memoryGround, untouched } from './fault-layer.ts';
import { figuresLines, guestFigures } from './guest-figures-layer.ts';
import { guestLayer, guestLines } from './guest-layer.ts';
import { sizeLayer, sizeLines } from './size-layer.ts';
import { flashLayer, flashLines, MOST_PER_OCTET, perOctet } from './flash-layer.ts';
import { killReport, killRig, problemsOf } from './kill-rig.ts';

export interface LayerOptions {
  long: boolean;
  seed: number;
  tell: (text: string) => void;
  /** Instead of the layer's own number of cuts, flips or points. */
  count?: number;
  /** Begin nothing more after this moment (performance.now()); the number done is in the lines. */
  until?: number;
}

export interface Layer {
  name: string;
  proves: string;
  /** Not in the short form: takes long, or needs what a bare machine lacks. */
  longOnly?: boolean;
  run: (options: LayerOptions) => Promise<{ lines: string[]; problems: string[] }>;
}

/** While it is up, with everything running. */
const LEAST_PER_SECOND = 50;
/** After there is room again. */
const BACK_WITHIN_MS = 30_000;

export const LAYERS: readonly Layer[] = [
  {
    name: 'kill',
    proves: 'SIGKILL to the whole process tree at random moments under load loses, alters, doubles nothing',
    run: async ({ long, seed, count, tell, ...rest }) => {
      const report = await killRig({ cuts: count ?? (long ? 1_000 : 30), seed, tell, ...rest });
      const problems = problemsOf(report);
      if (report.perSecond < LEAST_PER_SECOND) problems.push(`Only ${report.perSecond.toFixed(0)} messages a second`);
      return { lines: killReport(report), problems };
    },
  },
  {
    name: 'faults',
    proves:
      'any one call of a whole run failing (EIO, ENOSPC, short write), with the power gone after it or not, is got over',
    run: async ({ until }) => {
      const report = await faultLayer({
        ground: memoryGround,
        afterwards: 'both',
        ...(until === undefined ? {} : { until }),
      });
      const problems = [...report.problems, ...untouched(report).map((call) => `No "${call}" was there to fail`)];
      if (report.points < 300) problems.push(`Only ${report.points} fault points`);
      return { lines: faultLines(report), problems };
    },
  },
  {
    name: 'faults-on-disk',
    proves: 'the same on the real disk with the real LevelDB',
    longOnly: true,
    run: async ({ until }) => {
      const report = await faultLayer({
        ground: diskGround,
        afterwards: 'nothing',
        ...(until === undefined ? {} : { until }),
      });
      return { lines: faultLines(report), problems: report.problems };
    },
  },
  {
    name: 'damage',
    proves:
      'flipped bits, cut and zeroed files, the known ways LevelDB breaks: nothing altered goes out, nothing is silently lost',
    run: async ({ long, seed, count, tell, until }) => {
      const options = { count: count ?? (long ? 1_000 : 100), seed, tell };
      const report = await damageLayer({ ...options, ...(until === undefined ? {} : { until }) });
      return { lines: damageLines(report), problems: report.problems };
    },
  },
  {
    name: 'clock',
    proves:
      'a clock that says 1970, is ten years ahead or goes back an hour under load expires nothing and stops nothing',
    run: async ({ seed }) => {
      const report = await clockLayer({ seed });
      return { lines: clockLines(report), problems: report.problems };
    },
  },
  {
    name: 'full-disk',
    proves: 'a disk full of octets or of inodes under load: only 4xx, nothing acknowledged is lost, back without help',
    run: async ({ long, seed, count }) => {
      const report = await diskLayer({ rounds: count ?? (long ? 60 : 6), seed });
      const problems = [...report.problems];
      const slowest = Math.max(...report.backMs);
      if (slowest > BACK_WITHIN_MS) problems.push(`Back only ${slowest.toFixed(0)} ms after there was room`);
      return { lines: diskLines(report), problems };
    },
  },
  {
    name: 'size',
    proves: 'a spool with 100,000 messages opens within 10 s, without its database within 60 s',
    run: async ({ count, tell }) => {
      const report = await sizeLayer({ messages: count ?? 100_000, tell });
      return { lines: sizeLines(report), problems: report.problems };
    },
  },
  {
    name: 'flash',
    proves: 'the spool writes at most four octets for each accepted one',
    run: async () => {
      const rows = await flashLayer();
      const over = rows.filter((row) => perOctet(row) > MOST_PER_OCTET);
      return { lines: flashLines(rows), problems: over.map(({ what }) => `${what}: more than ${MOST_PER_OCTET}`) };
    },
  },
  {
    name: 'guest',
    proves:
      'the power cut on a real kernel: the recorded writes of a guest (QEMU, ext4, LevelDB), replayed to 1,000 points',
    longOnly: true,
    run: async ({ count, tell, until }) => {
      const points = count ?? 1_000;
      const report = await guestLayer({ points, writeMs: 150_000, tell, ...(until === undefined ? {} : { until }) });
      const problems = [...report.problems];
      if (report.flushes < 100 || report.acked < 100) problems.push('The guest wrote too little to prove anything');
      return { lines: guestLines(report), problems };
    },
  },
  {
    name: 'guest-figures',
    proves:
      'in a guest with a journaled ext4: octets written for each accepted one, and a small mail beside three of 50 MB',
    longOnly: true,
    run: async ({ tell }) => {
      // told, not judged: the journal's blocks and an emulated processor are in them
      return { lines: figuresLines(await guestFigures({ tell })), problems: [] };
    },
  },
];
