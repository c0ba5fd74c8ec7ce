/**
 * The power-cut rig behind `scripts/crash-test`: every layer in turn, what it did and what came of it; times and rates are
 * judged here (the test command judges counts alone). Exit: 0 every promise was kept · 1 one was not · 2 wrong use.
 */
import { execFileSync } from 'node:child_process';
import { inspect, parseArgs } from 'node:util';
import { type Layer, LAYERS } from './layers.ts';

interface Options {
  layers: readonly Layer[];
  long: boolean;
  seed: number;
  count: number | undefined;
  minutes: number | undefined;
}

const options = readOptions();
const failed: string[] = [];
console.log(`Sekisho crash test, ${commit()}, ${new Date().toISOString()}, ${options.long ? 'long' : 'short'} form`);
for (const layer of options.layers) {
  const begun = performance.now();
  console.log(`\n${layer.name}: ${layer.proves}`);
  try {
    const { lines, problems } = await layer.run({
      long: options.long,
      seed: options.seed,
      tell: (text) => console.log(`  … ${text}`),
      ...(options.count === undefined ? {} : { count: options.count }),
      ...(options.minutes === undefined ? {} : { until: begun + options.minutes * 60_000 }),
    });
    for (const line of lines) console.log(`  ${line}`);
    for (const problem of problems) console.log(`  BROKEN: ${problem}`);
    if (problems.length > 0) failed.push(layer.name);
  } catch (error) {
    console.log(`  FAILED: ${inspect(error)}`);
    failed.push(layer.name);
  }
  console.log(`  ${((performance.now() - begun) / 1_000).toFixed(0)} s`);
}
console.log(failed.length === 0 ? '\nEvery promise was kept' : `\nNot kept: ${failed.join(', ')}`);
process.exit(failed.length === 0 ? 0 : 1); // exit handlers end what is left

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        long: { type: 'boolean', default: false },
        only: { type: 'string' },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
        count: { type: 'string' },
        minutes: { type: 'string' },
      },
    });
    const names =
      values.only?.split(',') ?? LAYERS.filter((layer) => values.long || !layer.longOnly).map(({ name }) => name);
    const layers = names.map((name) => {
      const layer = LAYERS.find((one) => one.name === name);
      if (layer === undefined) throw new Error(`--only names no layer: "${name}"`);
      return layer;
    });
    return {
      layers,
      long: values.long,
      seed: numberOf(values.seed),
      count: values.count === undefined ? undefined : numberOf(values.count),
      minutes: values.minutes === undefined ? undefined : numberOf(values.minutes),
    };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(2);
  }
}

function numberOf(text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number) || number < 0) throw new Error(`"${text}" is no number`);
  return number;
}

function commit(): string {
  try {
    return `commit ${execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()}`;
  } catch {
    return 'no git checkout';
  }
}
