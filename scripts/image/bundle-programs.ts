/**
 * Each program of the box as one JavaScript file: the modules of an entry and of the npm packages it uses, joined and without
 * types, so that a small CPU opens a dozen files instead of a thousand. Names, order and messages stay as written (nothing is
 * minified); a source map beside each file gives stack traces the names of the sources. The files are ASCII.
 *
 *   node scripts/image/bundle-programs.ts --out DIR [--lists DIR]
 *     writes DIR/<entry>.js and .js.map, each where its entry stands below src/; and the folders of the npm packages that went
 *     in (file `bundled`) and of those that have to lie beside it (file `external`)
 *
 * A module that asks where it lies (`import.meta`) is told where it lay in src/, seen from the file it is now in. Throws when an
 * entry does not become one file.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';

const ROOT = path.join(import.meta.dirname, '../..');
const SOURCES = path.join(ROOT, 'src');

/** What is started by its file's name: the processes, and the threads and children they start. */
export const ENTRIES = [
  'gateway',
  'inspect',
  'admin',
  'portal',
  'host',
  'console',
  'cli',
  'observe/history-worker',
  'api/content/content-worker',
  'host/facts-child',
] as const;

/** Has native parts, which are found beside the package at run time; what it needs comes along. */
const NATIVE = 'classic-level';

const ENTRY_NAME = new RegExp(
  `(['"])((?:\\./)?(?:${ENTRIES.map((one) => path.basename(one)).join('|')}))\\.ts\\1`,
  'g',
);

/** A package's folder below node_modules; one may lie in another's. */
const PACKAGE = /^node_modules\/((?:@[^/]+\/)?[^/]+(?:\/node_modules\/(?:@[^/]+\/)?[^/]+)*)\//;

export async function bundlePrograms(out: string): Promise<{ bundled: string[]; external: string[] }> {
  const used = new Set<string>();
  for (const entry of ENTRIES) await bundle(entry, { out, used });
  return { bundled: [...used].toSorted(), external: [...withDependencies(NATIVE, new Set())].toSorted() };
}

async function bundle(entry: string, options: { out: string; used: Set<string> }): Promise<void> {
  const input = path.join(SOURCES, `${entry}.ts`);
  const build = await rolldown({
    input,
    cwd: ROOT,
    platform: 'node',
    external: [NATIVE],
    logLevel: 'warn',
    plugins: [
      {
        name: 'where-it-lay',
        transform: (code, id) => {
          const folder = PACKAGE.exec(path.relative(ROOT, id))?.[1];
          if (folder !== undefined) options.used.add(folder);
          if (!id.startsWith(SOURCES)) return null;
          return { code: placed(code, { module: id, entry: input }), map: null };
        },
      },
    ],
  });
  const { output } = await build.write({
    file: path.join(options.out, `${entry}.js`),
    format: 'esm',
    codeSplitting: false,
    sourcemap: true,
    sourcemapExcludeSources: true,
    sourcemapPathTransform: (source, map) => path.relative(ROOT, path.resolve(path.dirname(map), source)),
    minify: false,
  });
  await build.close();
  const chunks = output.filter(({ type }) => type === 'chunk');
  if (chunks.length !== 1) throw new Error(`"${entry}" became ${chunks.length} files`);
  const made = path.join(options.out, `${entry}.js`);
  writeFileSync(made, asciiOf(readFileSync(made, 'utf8')));
}

/**
 * The same program in ASCII: one Japanese letter makes V8 keep all of a source as UTF-16, 6.2 MB instead of 3.5 for the gateway,
 * 7.7 instead of 4.2 for the worker. In strings, templates, regular expressions and names an escape means the letter; behind a
 * backslash it would not, and beyond the first plane it does only in regular expressions with the flag u. Lines stay lines.
 */
export function asciiOf(code: string): string {
  const misread = /\\[^\u0000-\u007f]|String\.raw`[^`]*[^\u0000-\u007f]/.exec(code);
  if (misread !== null)
    throw new Error(`No escape would mean the same: ${code.slice(misread.index, misread.index + 80)}`);
  return code.replaceAll(/[^\u0000-\u007f]/gu, (letter) => {
    const point = letter.codePointAt(0) ?? 0;
    const hex = point.toString(16);
    return point > 0xffff ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
  });
}

/** Where a module is, seen from the file it goes into; and programs by the names they get. Line by line: the map stays true. */
function placed(code: string, options: { module: string; entry: string }): string {
  const folder = path.relative(path.dirname(options.entry), path.dirname(options.module)) || '.';
  const file = path.join(folder, path.basename(options.module));
  return code
    .replaceAll('import.meta.dirname', `(import.meta.dirname + ${JSON.stringify(`/${folder}`)})`)
    .replaceAll('import.meta.url', `new URL(${JSON.stringify(file)}, import.meta.url).href`)
    .replaceAll(ENTRY_NAME, '$1$2.js$1');
}

function withDependencies(name: string, known: Set<string>): Set<string> {
  if (known.has(name)) return known;
  known.add(name);
  const file = path.join(ROOT, 'node_modules', name, 'package.json');
  const { dependencies = {} } = JSON.parse(readFileSync(file, 'utf8')) as { dependencies?: Record<string, string> };
  for (const needed of Object.keys(dependencies)) withDependencies(needed, known);
  return known;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { out: { type: 'string' }, lists: { type: 'string' } } });
  if (values.out === undefined) throw new TypeError('--out is missing');
  const lists = await bundlePrograms(path.resolve(values.out));
  if (values.lists === undefined) return;
  for (const [name, packages] of Object.entries(lists))
    writeFileSync(path.join(values.lists, name), `${packages.join('\n')}\n`);
}

if (import.meta.main) await main();
