/**
 * The parts of the test command: what each proves, how long it may take, where its tests lie. A test folder that no part
 * names belongs to `unit`, so that none is ever left out.
 */
import { globSync } from 'node:fs';

export interface Part {
  name: string;
  proves: string;
  /** What the part is expected to take at most, in minutes; it is ended at half as much again. */
  minutes: number;
  /** Left out by --fast. */
  slow: boolean;
  /** Folders of test/ with node:test files; `*` = all that no other part names. */
  folders: readonly string[];
  /** Test files run at the same time. */
  concurrency: number;
}

export interface Tally {
  passed: number;
  failed: number;
}

export const PARTS: readonly Part[] = [
  {
    name: 'checks',
    proves: 'types, lint, format, import rules, style, test names, licences, shell scripts',
    minutes: 2,
    slow: false,
    folders: [],
    concurrency: 1,
  },
  {
    name: 'unit',
    proves: 'each folder of src on its own, and the contract suites on the real thing and on the fake',
    minutes: 3,
    slow: false,
    folders: ['*'],
    concurrency: 2,
  },
  {
    name: 'engines',
    proves: 'inspection by the real clamd and rspamd, SMTP dialogues, the whole gateway between real Postfixes',
    minutes: 8,
    slow: true,
    folders: ['inspect', 'dialogues', 'e2e'],
    concurrency: 2,
  },
  {
    name: 'crash',
    proves: 'no accepted message is lost to a kill, a damaged file or broken input',
    minutes: 14,
    slow: true,
    folders: ['crash', 'fuzz'],
    concurrency: 2,
  },
  {
    name: 'pages',
    proves:
      'the pages in Chromium against the real processes and engines: daily work, accessibility, widths, attacks by mail',
    minutes: 8,
    slow: true,
    folders: ['browser'],
    concurrency: 1,
  },
  {
    name: 'scripts',
    proves: 'the start command and the sample mails, as a newcomer would use them',
    minutes: 5,
    slow: true,
    folders: ['scripts'],
    concurrency: 1,
  },
  {
    name: 'image',
    proves:
      'the image of the box in a virtual machine: claim, mail, units, doors, console, power cuts, clocks, watchdogs, UPS, UEFI, updates',
    minutes: 25,
    slow: true,
    folders: ['image'],
    concurrency: 1,
  },
];

export function testFiles(part: Part, root: string): string[] {
  const named = new Set(PARTS.flatMap((one) => one.folders));
  return globSync('test/**/*.test.ts', { cwd: root })
    .filter((file) => {
      const folder = file.split('/')[1] ?? '';
      return part.folders.includes(named.has(folder) ? folder : '*');
    })
    .toSorted();
}
