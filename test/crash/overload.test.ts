/**
 * The short form of `scripts/overload`: the real gateway with real engines under some of its attacks. Counts and invariants
 * hold as in the full form (nothing dirty passes, nothing is lost, nobody dies); times may be five times as long here, since
 * the machine may be busy. One file, one after the other: two such loads at once would measure each other.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ENGINES } from '../../scripts/overload.d/engines.ts';
import { FLOODS } from '../../scripts/overload.d/floods.ts';
import { GIANTS } from '../../scripts/overload.d/giants.ts';
import type { Mark } from '../../scripts/overload.d/item.ts';
import { LARGE } from '../../scripts/overload.d/large.ts';
import { QUEUES } from '../../scripts/overload.d/queue.ts';
import { openSite, type Site } from '../../scripts/overload.d/site.ts';

const SLACK = 5;
const options = { short: true, seed: 20_261_122, million: false, tell: () => undefined };
let site: Promise<Site> | undefined;
const open = (): Promise<Site> => (site ??= openSite(options));

after(async () => (await site?.catch(() => undefined))?.[Symbol.asyncDispose]());

function isBroken({ what, met, mark, strain }: Mark): boolean {
  if (met) return false;
  // Memory divided by the 2,000 messages of the short form is a figure like a time: a heap that was just collected or not.
  const figure = / m?s$| %$/.test(mark) || what.startsWith('octets of memory');
  return !figure || strain === undefined || !(strain <= SLACK);
}

async function keepsItsMarks(name: string): Promise<void> {
  const item = [...FLOODS, ...LARGE, ...GIANTS, ...QUEUES, ...ENGINES].find((one) => one.name === name);
  const marks = (await item?.run({ ...options, site: open })) ?? [];
  assert.ok(marks.length > 3);
  assert.deepEqual(marks.filter(isBroken), []);
}

test('the judge of these tests sees a missed count, a late time only beyond its slack', () => {
  const time = { what: 'start', figure: '', mark: '≤ 10 s', met: false };
  const cases: ReadonlyArray<[Mark, boolean]> = [
    [{ ...time, strain: 4 }, false],
    [{ ...time, strain: 6 }, true],
    [{ ...time, what: 'octets of memory a waiting message', mark: '≤ 4096', strain: 1.1 }, false],
    [{ ...time, strain: Number.NaN }, true],
    [{ what: 'passed unscanned', figure: '1', mark: '≤ 0', met: false, strain: Number.POSITIVE_INFINITY }, true],
    [{ what: 'gateway', figure: 'died', mark: 'lives', met: false }, true],
  ];
  for (const [mark, broken] of cases) assert.equal(isBroken(mark), broken, mark.what);
});

for (const [sentence, name] of [
  ['idle connections from many networks take nothing from known-good peers', 'idle'],
  ['a mail bomb with viruses from one network: peers are served, no virus passes', 'bomb-network'],
  ['100,000 parts thrown again and again tie up nobody', 'parts'],
  ['a small mail beside three large ones has its 250 soon', 'small-beside-large'],
  ['archives that burst are answered in time and never clean', 'archives'],
  ['a message on which the inspection workers die is kept back, and mail flows on', 'poison'],
  ['a queue for a dead destination delays nobody and is there after a start', 'queue'],
  ['engines in every kind of trouble let no virus through and lose no mail', 'engines'],
] as const)
  test(sentence, { timeout: 300_000 }, () => keepsItsMarks(name));
