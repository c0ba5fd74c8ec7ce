/** An update whose host does not run has nobody who judges it: a shell leads back, once, and leaves every other case alone. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { openRecord } from '../../src/host/record.ts';

const STEP = path.resolve(import.meta.dirname, '../../rootfs/usr/libexec/sekisho/trial-guard');

test('a system on trial whose host does not stay up is left for the other one; no other is', async (context) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-guard-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  const at = (name: string): string => path.join(dir, name);
  const record = openRecord(at('host'));
  await record.change((state) => ({
    ...state,
    lastFallback: { at: 0, from: 'A', reason: 'before' },
    trial: { slot: 'B', from: 'A', since: 0, bootId: 'x', version: '1.1.0' },
    boots: [{ bootId: 'y', at: 0, reason: 'update' }],
  }));
  mkdirSync(at('bin'));
  for (const [name, script] of [
    // answers NRestarts one after the other, then the state
    [
      'systemctl',
      `case "$*" in *NRestarts*) sed -n 1p "${at('restarts')}"; sed -i 1d "${at('restarts')}" ;; *ActiveState*) cat "${at('state')}" ;; *) echo "$*" >> "${at('calls')}" ;; esac`,
    ],
    ['rauc', `echo "rauc $*" >> "${at('calls')}"; exit 1`],
  ] as const) {
    writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${script}\n`);
    chmodSync(at(`bin/${name}`), 0o755);
  }
  const seen = (slot: string, [before, after, state]: [number, number, string]): string[] => {
    writeFileSync(at('cmdline'), `root=/dev/mapper/root rauc.slot=${slot} quiet\n`);
    writeFileSync(at('restarts'), `${before}\n${after}\n`);
    writeFileSync(at('state'), `${state}\n`);
    rmSync(at('calls'), { force: true });
    execFileSync('/bin/sh', [STEP], {
      env: {
        PATH: `${at('bin')}:/usr/bin:/bin`,
        SEKISHO_STATE: at('host/state.json'),
        SEKISHO_CMDLINE: at('cmdline'),
        SEKISHO_LOOK: '0',
      },
    });
    return existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8').trim().split('\n') : [];
  };
  const back = ['rauc status mark-active other', 'reboot'];
  assert.deepEqual(seen('B', [7, 8, 'activating']), back, 'it falls down each time');
  assert.deepEqual(seen('B', [300, 310, 'active']), back, 'up for a moment');
  assert.deepEqual(seen('B', [2, 2, 'activating']), back, 'it never gets ready');
  assert.deepEqual(seen('B', [0, 0, 'failed']), back);
  assert.deepEqual(seen('B', [0, 0, 'active']), []);
  assert.deepEqual(seen('B', [3, 3, 'active']), [], 'it fell down some time and stays up now');
  assert.deepEqual(seen('B', [0, 0, 'activating']), [], 'a factory reset is under way');
  assert.deepEqual(seen('A', [7, 8, 'activating']), [], 'the old system is not on trial: no second restart');
  await record.change(({ trial: _proven, ...state }) => state);
  assert.deepEqual(seen('B', [7, 8, 'activating']), [], 'proven: there is no way back any more');
  rmSync(at('host'), { recursive: true });
  assert.deepEqual(seen('B', [7, 8, 'activating']), []);
});
