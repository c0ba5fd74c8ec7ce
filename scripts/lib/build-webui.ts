/**
 * Builds the pages: webui/ → webui/dist, which the admin process serves. The paths of the API go into the bundle from the one
 * contract, as a table of method and path, so that no schema library reaches the browser. No inline script or style is made:
 * the pages hold under a strict content policy. With --if-needed nothing is done while no source changed. Throws on errors.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build, type Plugin } from 'vite';

const ROOT = path.join(import.meta.dirname, '..', '..');
const DIST = path.join(ROOT, 'webui', 'dist');
const STAMP = path.join(DIST, '.sources');
/** Its export `OPERATIONS`: what there is, by name. */
const CONTRACT = path.join(ROOT, 'src', 'api', 'contract', 'operations.ts');

export async function buildPages(options: { onlyIfNeeded: boolean; quiet: boolean }): Promise<boolean> {
  const wanted = fingerprint();
  if (options.onlyIfNeeded && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return false;
  await build({
    root: path.join(ROOT, 'webui'),
    configFile: false,
    envDir: false,
    logLevel: options.quiet ? 'error' : 'info',
    // Whatever NODE_ENV says (the test runner says `test`): what is tested is what is shipped, without file names in it
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact', development: false } },
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [operationsTable()],
    build: {
      target: 'es2023',
      outDir: DIST,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: !options.quiet,
    },
  });
  writeFileSync(STAMP, wanted);
  return true;
}

/** Longer than this an operation says in the table, for the pages' own deadline. */
const LONG_MS = 120_000;

/** `virtual:operations`: operation → [method, path, deadline where it is a long one]. */
function operationsTable(): Plugin {
  const name = 'virtual:operations';
  return {
    name: 'sekisho-operations',
    resolveId: (id) => (id === name ? `\0${name}` : undefined),
    load: async (id) => {
      if (id !== `\0${name}`) return undefined;
      const { OPERATIONS } = (await import(CONTRACT)) as {
        OPERATIONS: Record<string, { method: string; path: string; deadlineMs: number }>;
      };
      const table = Object.fromEntries(
        Object.entries(OPERATIONS).map(([operation, { method, path: where, deadlineMs }]) => [
          operation,
          [method, where, ...(deadlineMs > LONG_MS ? [deadlineMs] : [])],
        ]),
      );
      return `export const operations = ${JSON.stringify(table)};`;
    },
  };
}

/** Of everything the pages are made of. */
function fingerprint(): string {
  const hash = createHash('sha256');
  const files = [
    ...globSync('webui/**/*', { cwd: ROOT, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name))),
    ...globSync(['docs/handbook/*/*.md', 'src/api/contract/*.ts', 'scripts/lib/build-webui.ts', 'package-lock.json'], {
      cwd: ROOT,
    }),
  ];
  for (const file of files.filter((name) => !name.startsWith('webui/dist')).toSorted())
    hash
      .update(`${file}\0`)
      .update(readFileSync(path.join(ROOT, file)))
      .update('\0');
  return hash.digest('hex');
}

if (import.meta.main)
  await buildPages({ onlyIfNeeded: process.argv.includes('--if-needed'), quiet: process.argv.includes('--quiet') });
