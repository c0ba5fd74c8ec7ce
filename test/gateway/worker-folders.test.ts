/** Folders that workers of a killed gateway left behind go at the next start; nothing else of the run folder does. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { sweepWorkerFolders } from '../../src/gateway/worker-folders.ts';

test('what killed workers left is taken away, sockets and other folders stay, a missing folder is none', async (context) => {
  const run = await mkdtemp(path.join(tmpdir(), 'sekisho-run-'));
  context.after(() => rm(run, { recursive: true, force: true }));
  // as the pool names them: mkdtemp(3)
  const left = await mkdtemp(path.join(run, 'worker-'));
  await mkdir(path.join(left, 'parts'));
  await writeFile(path.join(left, 'parts/1'), 'a part of a mail');
  await mkdir(path.join(run, 'worker-of-somebody'));
  await writeFile(path.join(run, 'control.sock'), '');
  await sweepWorkerFolders(run);
  assert.deepEqual((await readdir(run)).toSorted(), ['control.sock', 'worker-of-somebody']);
  await sweepWorkerFolders(path.join(run, 'none'));
});
