/**
 * The overload test behind `scripts/overload`: each item in turn with its figures and marks; a table at the end. An item that
 * fails outright counts as missed, and the others go on. Exit: 0 every mark is met · 1 one is missed · 2 wrong use.
 */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect, parseArgs } from 'node:util';
import { describeMachine } from '../bench.d/machine.ts';
import { ENGINES } from './engines.ts';
import { FLOODS } from './floods.ts';
import { GIANTS } from './giants.ts';
import type { Item, Mark } from './item.ts';
import { LARGE } from './large.ts';
import { QUEUES } from './queue.ts';
import { openSite, type Site, standing } from './site.ts';

/** What the floods and giants left behind: late deliveries count too. */
const AFTERWARDS: Item = {
  name: 'afterwards',
  what: 'the common gateway, when what it took has gone its way',
  run: async ({ site: open }) => {
    const { world } = await open();
    await sleep(options.short ? 2_000 : 20_000);
    return standing(world);
  },
};
const ITEMS: readonly Item[] = [...FLOODS, ...LARGE, ...GIANTS, AFTERWARDS, ...QUEUES, ...ENGINES];
/** An item that hangs is given up; the longest takes a quarter of this. */
const ITEM_MS = 40 * 60_000;
const MILLION_MS = 4 * 3_600_000;

const options = readOptions();
for (const name of ['SIGINT', 'SIGHUP'] as const) process.once(name, () => process.exit(130));
let site: Promise<Site> | undefined;
const results: Array<{ item: Item; marks: Mark[] }> = [];
const machine = describeMachine('/var/tmp');
const loads = (): string =>
  os
    .loadavg()
    .map((one) => one.toFixed(1))
    .join(' ');
console.log(
  `Sekisho overload test, ${commit()}, ${new Date().toISOString()}, ${options.short ? 'short' : 'full'} form`,
);
console.log(`${machine}; seed ${options.seed}`);
for (const item of options.items) {
  const begun = performance.now();
  console.log(`\n${item.name}: ${item.what}`);
  const marks = await runItem(item);
  for (const { what, figure, mark, met } of marks)
    console.log(`  ${met ? ' ' : '!'} ${what}: ${figure}${mark === '' ? '' : ` (${mark})`}`);
  console.log(`    ${((performance.now() - begun) / 1_000).toFixed(0)} s, load ${loads()}`);
  results.push({ item, marks });
  if (item === AFTERWARDS) await closeSite();
}
await closeSite();
const missed = results.filter(({ marks }) => marks.some(({ met }) => !met)).map(({ item }) => item.name);
console.log(missed.length === 0 ? '\nEvery mark is met' : `\nMissed: ${missed.join(', ')}`);
if (options.markdown !== undefined) await writeFile(options.markdown, markdown());
process.exit(missed.length === 0 ? 0 : 1); // exit handlers end what is left

/** The queue and the engines are measured without it beside them. */
async function closeSite(): Promise<void> {
  const open = await site?.catch(() => undefined);
  site = undefined;
  await open?.[Symbol.asyncDispose]();
}

async function runItem(item: Item): Promise<Mark[]> {
  const late = Promise.withResolvers<never>();
  const limit = options.million || options.count !== undefined ? MILLION_MS : ITEM_MS;
  const timer = setTimeout(() => late.reject(new Error('It did not come to an end')), limit);
  const open = (): Promise<Site> => (site ??= openSite(options));
  const tell = (text: string): void => console.log(`    … ${text}`);
  try {
    return await Promise.race([item.run({ ...options, tell, site: open }), late.promise]);
  } catch (error) {
    return [{ what: 'failed', figure: inspect(error), mark: 'runs to its end', met: false }];
  } finally {
    clearTimeout(timer);
  }
}

function markdown(): string {
  const rows = results.flatMap(({ item, marks }) =>
    marks.map(({ what, figure, mark, met }) =>
      [item.name, what, figure, mark === '' ? '–' : mark, mark === '' ? '' : met ? 'met' : '**missed**'].join(' | '),
    ),
  );
  const about = `${options.short ? 'Short' : 'Full'} form, ${new Date().toISOString().slice(0, 10)}, ${commit()}. ${machine}`;
  return `${about}; load after: ${loads()}\n\n| item | what | figure | mark | |\n|---|---|---|---|---|\n${rows.map((row) => `| ${row} |`).join('\n')}\n`;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        short: { type: 'boolean', default: false },
        only: { type: 'string' },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
        million: { type: 'boolean', default: false },
        count: { type: 'string' },
        markdown: { type: 'string' },
      },
    });
    const items = (values.only?.split(',') ?? ITEMS.map(({ name }) => name)).map((name) => {
      const item = ITEMS.find((one) => one.name === name);
      if (item === undefined) throw new Error(`--only names no item: "${name}"`);
      return item;
    });
    const seed = Number(values.seed);
    if (!Number.isInteger(seed) || seed < 0) throw new Error(`--seed takes a number: "${values.seed}"`);
    const count = values.count === undefined ? undefined : Number(values.count);
    if (count !== undefined && !(Number.isInteger(count) && count > 0))
      throw new Error(`--count takes a number: "${values.count}"`);
    const { short, million, markdown: file } = values;
    return { items, seed, short, million, markdown: file, ...(count === undefined ? {} : { count }) };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(2);
  }
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', timeout: 5_000 }).trim();
  } catch {
    return 'no commit';
  }
}
