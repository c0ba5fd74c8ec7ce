/**
 * Which slot GRUB starts: the part of its configuration that chooses, run by a shell (the two languages differ in `set` there), over
 * many starts that nobody calls good.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';

const FILE = path.resolve(import.meta.dirname, '../../scripts/image/grub.cfg');

/** The slots of so many starts in a row. `env`: grubenv, as RAUC left it; empty after a power cut while it was written. */
function starts(context: TestContext, env: string, count: number): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-grub-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  const whole = readFileSync(FILE, 'utf8');
  const choice = whole
    .slice(0, whole.indexOf('function start {'))
    .replaceAll(/\bset (\w+)=/g, '$1=')
    .replaceAll('($root)', 'disk');
  assert.match(choice, /save_env --file/);
  const script = `root=hd0,gpt2
load_env() { if [ -s env ]; then . ./env; fi; }
save_env() { shift 2; for name; do eval "echo \\"$name='\\$$name'\\""; done > env; }
regexp() { :; }
serial() { false; }
${choice}
printf %s "$pick"
`;
  writeFileSync(path.join(dir, 'grub.sh'), script);
  writeFileSync(path.join(dir, 'env'), env);
  const start = (): string => execFileSync('/bin/sh', ['-eu', 'grub.sh'], { cwd: dir, encoding: 'utf8' });
  return Array.from({ length: count }, start).join('');
}

const environment = (state: Record<string, string>): string =>
  Object.entries(state)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join('');

test('an update that never starts is left after three tries, and both slots have their turn when neither does', (context) => {
  const updated = environment({ ORDER: 'B A', A_OK: '1', A_TRY: '0', B_OK: '1', B_TRY: '0' });
  assert.equal(starts(context, updated, 6), 'BBBAAA');
  assert.match(starts(context, updated, 16), /^BBBAAAB+A+B+A/);
  const first = environment({ ORDER: 'A B', A_OK: '1', A_TRY: '0', B_OK: '0', B_TRY: '0' });
  assert.equal(starts(context, first, 4), 'AAAA', 'an empty slot is not tried before the other was in vain');
});

test('a lost environment and a broken slot A: slot B is tried, too', (context) => {
  assert.match(starts(context, '', 12), /^AAA+B/);
});
