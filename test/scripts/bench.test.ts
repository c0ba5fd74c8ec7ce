/** The pure parts of the benchmark: what is summed, how it is judged, what is told. The runs themselves are no test. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseStat, pssOf, threadsOf, treeOf, usageOf } from '../../scripts/bench.d/account.ts';
import { type Measured, median, missedOf, rowsOf, tableOf } from '../../scripts/bench.d/figures.ts';
import type { Round } from '../../scripts/bench.d/load.ts';
import { fileSystemOf } from '../../scripts/bench.d/machine.ts';
import { htmlMail } from '../../scripts/bench.d/messages.ts';
import { profilePage } from '../../scripts/bench.d/profile.ts';
import { countCalls } from '../../scripts/bench.d/syncs.ts';
import { parseSinkCount } from '../../scripts/bench.d/systems.ts';
import { chooseWorkloads, type Workload, WORKLOADS } from '../../scripts/bench.d/workloads.ts';

function workload(name: string): Workload {
  const found = WORKLOADS.find((one) => one.name === name);
  assert.ok(found, name);
  return found;
}

function rounds(rates: readonly number[], cpuPerThousand: number, drain?: number): Round[] {
  const rest = drain === undefined ? {} : { drain };
  return rates.map((rate) => ({ rate, cpuPerThousand, writtenPerOctet: 2, ...rest }));
}

function measured(name: string, change: Partial<Measured> = {}): Measured {
  return { workload: workload(name), gateway: rounds([200], 1), postfix: rounds([100], 2), ...change };
}

const FITS = { idle: 200e6, peak: 390e6 };

describe('process accounting', () => {
  test('a process name with blanks and parentheses does not shift the fields', () => {
    const text = '42 (tlsproxy) (a) S 7 42 42 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 99 1000 5';
    assert.deepEqual(parseStat(text), { pid: 42, parent: 7, ticks: 100 });
  });

  test('a process that ended while it was read counts as nothing', () => {
    assert.equal(parseStat(''), undefined);
  });

  test('a tree holds its roots and all generations below, whatever the order of the list, and nobody else', () => {
    const stats = [
      { pid: 30, parent: 20, ticks: 3 },
      { pid: 20, parent: 10, ticks: 2 },
      { pid: 10, parent: 1, ticks: 1 },
      { pid: 40, parent: 1, ticks: 4 },
    ];
    assert.deepEqual(
      treeOf([10], stats).map(({ pid }) => pid),
      [30, 20, 10],
    );
    assert.deepEqual(treeOf([99], stats), []);
  });

  test('this process has used CPU, has memory and has threads with names', () => {
    assert.ok(usageOf([process.pid]).cpuSeconds > 0);
    assert.ok(pssOf([process.pid]) > 1e6);
    assert.ok(threadsOf([process.pid]).some(({ pid, name }) => pid === process.pid && name !== ''));
  });
});

describe('counters of other programs', () => {
  test('the last complete message counter of smtp-sink counts', () => {
    assert.equal(parseSinkCount('sess=1 quit=0 mesg=9\rsess=2 quit=1 mesg=10\r'), 10);
    assert.equal(parseSinkCount('sess=1 quit=0 mesg=9\rsess=2 quit=1 mesg=1'), 9);
    assert.equal(parseSinkCount(''), 0);
  });

  test('a sync that strace tells in two halves counts once', () => {
    const log = [
      '12 fdatasync(20 <unfinished ...>',
      '13 fsync(21)                = 0',
      '12 <... fdatasync resumed>)  = 0',
      '14 +++ exited with 0 +++',
      'msync(0x7f, 4096, MS_SYNC)  = 0',
    ].join('\n');
    assert.equal(countCalls(log), 3);
  });

  test('the file system is that of the longest mount point above the folder', () => {
    const mounts = '/dev/a / ext4 rw 0 0\ntmpfs /var/tmp tmpfs rw 0 0\n/dev/b /var/tmpx xfs rw 0 0\n';
    assert.equal(fileSystemOf('/var/tmp/sekisho-bench-1', mounts), 'tmpfs');
    assert.equal(fileSystemOf('/home', mounts), 'ext4');
  });
});

describe('choosing workloads', () => {
  test('without --only every workload of the issue is there, in order', () => {
    assert.deepEqual(
      chooseWorkloads(undefined)?.map(({ name }) => name),
      ['W1-20', 'W1-200', 'W2', 'W3', 'W4', 'W4f', 'W5'],
    );
  });

  test('W1 names both session counts, W4 does not name W4f, case does not matter', () => {
    assert.deepEqual(
      chooseWorkloads('w1, W4')?.map(({ name }) => name),
      ['W1-20', 'W1-200', 'W4'],
    );
    assert.deepEqual(
      chooseWorkloads('W1-200')?.map(({ name }) => name),
      ['W1-200'],
    );
  });

  test('a name that is none is refused, also beside good ones', () => {
    assert.equal(chooseWorkloads('W1,W9'), undefined);
    assert.equal(chooseWorkloads(''), undefined);
  });
});

describe('judging the figures', () => {
  test('the median is the middle one, of an even count the mean of the two in the middle', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.ok(Number.isNaN(median([])));
  });

  test('a ratio is that of the medians, and one lucky round does not lift it', () => {
    const [row] = rowsOf(measured('W2', { gateway: rounds([100, 100, 900], 1), postfix: rounds([100, 100, 100], 2) }));
    assert.equal(row?.ratio, 1);
    assert.equal(row?.met, false);
  });

  test('a rate exactly at its floor is enough, anything below is not', () => {
    const at = rowsOf(measured('W1-20', { gateway: rounds([130], 1) }));
    assert.deepEqual(missedOf(at, FITS), []);
    const below = rowsOf(measured('W1-20', { gateway: rounds([129], 1) }));
    assert.deepEqual(missedOf(below, FITS), ['W1-20: 1.29× of Postfix, the floor is 1.3×']);
  });

  test('as much CPU as Postfix is too much, but for W3, where it may be the same', () => {
    const same = { gateway: rounds([200], 2) };
    assert.deepEqual(missedOf(rowsOf(measured('W4', same)), FITS), [
      'W4: 1.00× the CPU of Postfix, it must not be more',
    ]);
    assert.deepEqual(missedOf(rowsOf(measured('W3', same)), FITS), []);
  });

  test('W5 is judged twice: by what is accepted and by what is drained', () => {
    const rows = rowsOf(measured('W5', { gateway: rounds([300], 1, 150), postfix: rounds([100], 2, 100) }));
    assert.deepEqual(
      rows.map(({ name }) => name),
      ['W5 accept', 'W5 drain'],
    );
    assert.deepEqual(missedOf(rows, FITS), ['W5 drain: 1.50× of Postfix, the floor is 2×']);
  });

  test('too much memory is missed, and so is memory that was never measured', () => {
    const rows = rowsOf(measured('W1-20'));
    assert.deepEqual(missedOf(rows, { idle: 221e6, peak: 400e6 }), ['Memory, idle: 221 MB PSS, at most 220 MB']);
    assert.deepEqual(missedOf(rows, { idle: 100e6, peak: 0 }), ['Memory, peak: 0 MB PSS, at most 400 MB']);
  });

  test('figures that are no numbers never reach a floor', () => {
    assert.equal(missedOf(rowsOf(measured('W1-20', { gateway: [] })), FITS).length, 2);
  });

  test('the table marks what is missed and is a Markdown table with lines of one width', () => {
    const lines = tableOf(rowsOf(measured('W1-20', { gateway: rounds([50], 9) }))).split('\n');
    assert.equal(lines.length, 3);
    assert.equal(new Set(lines.map((line) => line.length)).size, 1);
    assert.match(lines[2] ?? '', /^\| W1-20 +\| +50\.0 \| +100 \| 0\.50× ! \|.*\| 4\.50× ! \|/);
  });
});

describe('the mails of W4', () => {
  test('a number gives the same mail every time, another number another mail of the same size', () => {
    assert.equal(htmlMail(7), htmlMail(7));
    assert.notEqual(htmlMail(7), htmlMail(8));
    for (const seed of [0, 7, 10_000, 990_199]) assert.ok(Math.abs(htmlMail(seed).length - 65_536) < 100);
  });

  test('it is a multipart of HTML and a base64 attachment with no line over 998 octets', () => {
    const mail = htmlMail(1);
    const boundary = /boundary="([^"]+)"/.exec(mail)?.[1] ?? '';
    assert.equal(mail.split(`\n--${boundary}`).length, 4);
    assert.ok(mail.endsWith(`\n--${boundary}--\n`));
    assert.ok(mail.split('\n').every((line) => line.length <= 998));
    const coded = /filename="[^"]*"\n\n([A-Za-z0-9+/=\n]+)\n--/.exec(mail)?.[1] ?? '';
    assert.ok(Buffer.from(coded, 'base64').length > 35_000);
  });
});

describe('the page of a CPU profile', () => {
  const frame = (functionName: string, url: string): { functionName: string; url: string; lineNumber: number } => ({
    functionName,
    url,
    lineNumber: 9,
  });
  const page = profilePage(
    {
      nodes: [
        { id: 1, callFrame: frame('(root)', ''), children: [2, 4] },
        { id: 2, callFrame: frame('commit', 'file:///box/src/spool/draft.ts'), children: [3] },
        { id: 3, callFrame: frame('fsync', '') },
        { id: 4, callFrame: frame('(idle)', '') },
      ],
      samples: [3, 3, 3, 2, 4, 4],
      timeDeltas: [1_000, 1_000, 1_000, 1_000, 1_000, 1_000],
    },
    { root: '/box', lines: 5 },
  );

  test('native time is told with the code of ours that asked for it, idle time is no work', () => {
    assert.match(page, /busy 0\.00 s of 0\.01 s/);
    assert.match(page, / 75\.0 % {2}fsync {2}\(runtime\):10 {2}← {2}commit {2}src\/spool\/draft\.ts:10/);
    assert.doesNotMatch(page, /idle\)/);
  });

  test('a function of ours has the time of all it calls', () => {
    assert.match(page, /in all they call\n 100\.0 % {2}commit {2}src\/spool\/draft\.ts:10/);
  });
});
