/** The box starts the processes mail goes through as everybody else does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { GATEWAY_FLAGS, MAIL_PROCESS_FLAGS } from '../../src/base/runtime-flags.ts';

const UNITS = path.join(import.meta.dirname, '../../rootfs/usr/lib/systemd/system');

for (const [unit, flags] of [
  ['sekisho-gateway.service', GATEWAY_FLAGS],
  ['sekisho-inspect@.service', MAIL_PROCESS_FLAGS],
] as const)
  test(`${unit} gives Node the flags of its process`, () => {
    const [, program = '', words = ''] =
      /^ExecStart=(\S+) (.*)$/m.exec(readFileSync(path.join(UNITS, unit), 'utf8')) ?? [];
    assert.ok(program.endsWith('/node'));
    for (const flag of flags) assert.ok(words.split(' ').includes(flag), flag);
  });
