import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { parseAst } from 'rolldown/parseAst';
import type { Pattern } from './pattern-attacks.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** For one pattern with all its attacks; only a hang takes so long. */
const GUARD_MS = 120_000;

/** Patterns whose input is short whoever writes it: how many characters at most, and why. */
const SHORT: Readonly<Record<string, { most: number; why: string }>> = {
  'src/quarantine/own.ts \\/+$': { most: 200, why: 'portal.url, cut by the schema' },
  'src/observe/history-record.ts <([^<>\\s]+@[^<>\\s]+)>\\s*$|^\\s*([^<>\\s]+@[^<>\\s]+)\\s*$': {
    most: 1_000,
    why: 'the end of a From field, cut where it is used',
  },
  'webui/i18n/language.ts \\{(\\w+)\\|([^|}]*)\\|([^}]*)\\}': { most: 500, why: 'a sentence of our own' },
  'webui/app/router.ts (?<=.)\\/+$': { most: 1_000, why: 'the path in the address bar of the one who reads it' },
};

/** Every regular expression literal of the programs and of the pages, with its place. */
function patternsInSources(): Array<Pattern & { place: string }> {
  const files = [...globSync('src/**/*.ts', { cwd: ROOT }), ...globSync('webui/**/*.{ts,tsx}', { cwd: ROOT })];
  const found = new Map<string, Pattern & { place: string }>();
  for (const file of files.filter((name) => !/(?:^|\/)(?:dist|node_modules)\/|\.d\.ts$/.test(name)).toSorted()) {
    const text = readFileSync(path.join(ROOT, file), 'utf8');
    const see = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return;
      const { type, regex, start } = node as {
        type?: string;
        start?: number;
        regex?: { pattern: string; flags: string };
      };
      if (type === 'Literal' && regex !== undefined && regex !== null) {
        const { pattern: source, flags } = regex;
        const short = SHORT[`${file} ${source}`];
        const place = `${file}:${text.slice(0, start).split('\n').length}`;
        const key = `${source}/${flags}/${short?.most ?? ''}`;
        if (!found.has(key))
          found.set(key, { source, flags, place, ...(short === undefined ? {} : { most: short.most }) });
      }
      for (const inner of Object.values(node)) see(inner);
    };
    see(parseAst(text, { lang: file.endsWith('x') ? 'tsx' : 'ts' }, file));
  }
  return [...found.values()];
}

/** What is wrong with each, by its place in the list; a hang is ended and named. */
async function weaknesses(patterns: readonly Pattern[]): Promise<Map<number, string>> {
  const weak = new Map<number, string>();
  for (let from = 0; from < patterns.length; ) {
    const base = from;
    const worker = new Worker(path.join(import.meta.dirname, 'pattern-attacks.ts'), {
      workerData: { patterns: patterns.slice(base) },
    });
    let current = base;
    let guard: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      worker.on('message', ({ index, begun, weakness }: { index: number; begun?: boolean; weakness?: string }) => {
        if (begun === true) {
          current = base + index;
          clearTimeout(guard);
          guard = setTimeout(() => {
            weak.set(current, `no end within ${GUARD_MS} ms`);
            void worker.terminate();
          }, GUARD_MS);
        } else if (weakness !== undefined) weak.set(base + index, weakness);
      });
      worker.once('error', reject);
      worker.once('exit', () => resolve());
    });
    clearTimeout(guard);
    from = current + 1;
  }
  return weak;
}

test('the attacks find what is known to be weak, and leave alone what is not', async () => {
  const weak = [
    '(?:a+)+b',
    '^(\\w+\\s?)*$',
    '\\s+$',
    '^(\\w+):[ \\t]*(.*?)[ \\t]*$',
    '<([^<>\\s]+@[^<>\\s]+)>',
    '\\r*\\n',
  ];
  const sound = ['^[a-z]+$', '(?<!\\s)\\s+$', '^"[^"]*"', 'a{1,20}b', '(?<!\\r)\\r*\\n'];
  const patterns = [...weak, ...sound].map((source) => ({ source, flags: '' }));
  // exponential and cubic ones would take for ever: short inputs show them
  for (const [index, most] of [20, 20, 0, 400].entries()) if (most > 0) Object.assign(patterns[index] ?? {}, { most });
  const found = await weaknesses(patterns);
  assert.deepEqual(
    [...found.keys()].toSorted((a, b) => a - b),
    weak.map((_, index) => index),
    JSON.stringify([...found]),
  );
});

test('no pattern we run takes more than linear work for hostile text: every literal of the sources, attacked', async () => {
  const patterns = patternsInSources();
  assert.ok(patterns.length > 250, `${patterns.length} found`);
  const short = patterns.filter(({ most }) => most !== undefined);
  assert.equal(short.length, Object.keys(SHORT).length, 'a pattern that is excused is there no more');
  const found = await weaknesses(patterns);
  assert.deepEqual(
    [...found].map(([index, weakness]) => `${patterns[index]?.place} /${patterns[index]?.source}/: ${weakness}`),
    [],
  );
});

test('a pattern is never made of text at run time, but for one of our own table and one of an address that is escaped', () => {
  const made = [...globSync('src/**/*.ts', { cwd: ROOT }), ...globSync('webui/**/*.{ts,tsx}', { cwd: ROOT })]
    .filter((file) => !/(?:^|\/)(?:dist|node_modules)\//.test(file))
    .filter((file) => /\bRegExp\(/.test(readFileSync(path.join(ROOT, file), 'utf8')));
  assert.deepEqual(made.toSorted(), ['src/mail/address.ts', 'src/observe/fold.ts']);
});
