/** A file that is replaced whole, with the mode that was asked for. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { writeFileAtomic } from '../../src/base/atomic-file.ts';

test('a mode that was asked for holds under a narrow umask, and without one nobody else may read', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sekisho-atomic-'));
  const before = process.umask(0o077);
  try {
    const file = path.join(folder, 'forward.conf');
    await writeFileAtomic(file, 'server:\n', { mode: 0o644 });
    assert.equal((await stat(file)).mode & 0o777, 0o644);
    assert.equal(await readFile(file, 'utf8'), 'server:\n');
    await writeFileAtomic(file, 'secret');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  } finally {
    process.umask(before);
    await rm(folder, { recursive: true, force: true });
  }
});
