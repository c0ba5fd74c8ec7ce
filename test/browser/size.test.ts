import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildPages } from '../../scripts/lib/build-webui.ts';

const DIST = path.resolve(import.meta.dirname, '../../webui/dist');
const MOST = 150_000;

before(async () => {
  await buildPages({ onlyIfNeeded: true, quiet: true });
});

test('all files of the pages together are at most 150 kB compressed', () => {
  const files = globSync('**/*.{html,js,css,svg}', { cwd: DIST });
  const octets = files.reduce((sum, file) => sum + gzipSync(readFileSync(path.join(DIST, file))).length, 0);
  assert.ok(files.length > 5, `${files.length} files`);
  assert.ok(octets <= MOST, `${octets} octets`);
});

test('nothing comes from another origin and nothing is inline', () => {
  const html = readFileSync(path.join(DIST, 'index.html'), 'utf8');
  assert.doesNotMatch(html, /<style|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=/i);
  for (const file of globSync('**/*.{html,js,css}', { cwd: DIST })) {
    const urls = readFileSync(path.join(DIST, file), 'utf8').match(
      /(?:src|href|url|import)\s*[=(]\s*["']?https?:\/\/[^"')\s]+/gi,
    );
    assert.deepEqual(urls ?? [], [], file);
  }
});
