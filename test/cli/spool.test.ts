/** `sekisho spool …` as a person types it: on a folder, with no gateway running. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { it } from 'node:test';
import { put } from '../contracts/spool.ts';
import { diskRig } from '../support/spool-rigs.ts';

const CLI = path.join(import.meta.dirname, '../../src/cli.ts');

async function sekisho(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, out, err };
}

it('sekisho spool checks, exports, imports and rebuilds a stopped spool, and says what it did', async () => {
  const rig = await diskRig();
  const scratch = await mkdtemp(path.join(tmpdir(), 'sekisho-cli-spool-'));
  try {
    const spool = await rig.open();
    const id = await put(spool, rig.clock);
    const busy = await sekisho('spool', 'check', '--spool', rig.root, '--json');
    assert.equal(JSON.parse(busy.err).code, 'SPOOL_IN_USE');
    assert.equal(busy.code, 5);
    await spool[Symbol.asyncDispose]();

    const checked = await sekisho('spool', 'check', '--spool', rig.root, '--lang', 'ja');
    assert.equal(checked.code, 0, checked.err);
    assert.match(checked.out, /データベース\s+正常/);
    const exported = await sekisho('spool', 'export', scratch, '--spool', rig.root, '--folder', 'queue', '--json');
    assert.equal(exported.code, 0, exported.err);
    assert.equal(JSON.parse(exported.out).exported, 1);
    const imported = await sekisho('spool', 'import', scratch, '--spool', rig.root, '--json');
    assert.deepEqual(JSON.parse(imported.out), { imported: 0, already: 1, refused: [] }, `${id} is there already`);
    assert.equal((await sekisho('spool', 'rebuild', '--spool', rig.root)).code, 2, 'the price is told first');
    const rebuilt = await sekisho('spool', 'rebuild', '--spool', rig.root, '--yes', '--json');
    assert.equal(JSON.parse(rebuilt.out).requeued, 1, rebuilt.err);
    assert.equal((await sekisho('spool', 'export', scratch, '--folder', 'corrupt')).code, 2);
  } finally {
    await rig.dispose();
    await rm(scratch, { recursive: true, force: true });
  }
});
