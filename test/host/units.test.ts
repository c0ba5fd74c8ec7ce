/** What the box's units promise for years without care: what ends is started again, as often as it takes. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const UNITS = path.resolve(import.meta.dirname, '../../rootfs/usr/lib/systemd/system');
const text = (name: string): string => readFileSync(path.join(UNITS, name), 'utf8');

test('whatever runs for good is started again however often it ends', () => {
  const ending = new Set([
    // one connection each; the next connection starts the next
    'sekisho-inspect@.service',
    // started and stopped by the host, for one proof
    'sekisho-clamd-proof.service',
    // ends when the time is known
    'sekisho-clock-synced.service',
  ]);
  const services = readdirSync(UNITS).filter((name) => name.endsWith('.service') && !ending.has(name));
  const lasting = services.filter((name) => !/^Type=oneshot$/m.test(text(name)));
  assert.ok(lasting.length >= 10, lasting.join(' '));
  // Debian's own, and nobody else starts it again
  for (const name of [...lasting, 'chrony.service.d/sekisho.conf']) {
    assert.match(text(name), /^Restart=always$/m, name);
    assert.match(text(name), /^StartLimitIntervalSec=0$/m, name);
  }
});

test('a socket that is called too often is never shut', () => {
  for (const name of readdirSync(UNITS).filter((one) => one.endsWith('.socket')))
    assert.match(text(name), /^TriggerLimitIntervalSec=0$/m, name);
});

test('the data partition is checked and mended before it is mounted; what cannot be mended is not mounted', () => {
  // Requires: with a check that failed (errors left) there is no mount, and sekisho-no-data takes over
  assert.match(text('var.mount'), /^Requires=systemd-fsck@dev-sekisho-data\.service$/m);
  assert.match(text('var.mount'), /^After=systemd-fsck@dev-sekisho-data\.service /m);
  assert.match(text('var.mount'), /^Options=.*errors=remount-ro/m);
  assert.match(text('sekisho-no-data.service'), /^ConditionPathIsMountPoint=!\/var$/m);
  // mended into an empty file system, of a box with an owner: looked at after the check and before the mount; nothing waits in vain
  const judge = text('sekisho-data-judge.service');
  assert.match(judge, /^After=.*systemd-fsck@dev-sekisho-data\.service$/m);
  assert.match(judge, /^Before=var\.mount sekisho-no-data\.service$/m);
  assert.match(judge, /^WantedBy=local-fs\.target$/m);
  assert.match(text('var.mount'), /^After=.* sekisho-data-judge\.service$/m);
  assert.match(text('var.mount'), /^ConditionPathExists=!\/run\/sekisho-disk\/emptied$/m);
  assert.match(
    text('systemd-growfs@var.service.d/sekisho.conf'),
    /^ConditionPathExists=!\/run\/sekisho-disk\/no-data$/m,
  );
  assert.doesNotMatch(text('var.mount'), /^(?:Requires|BindsTo|Requisite)=.*judge/m);
  const image = (name: string): string =>
    readFileSync(path.resolve(import.meta.dirname, '../../scripts/image', name), 'utf8');
  // systemd-fsck(8): without it the check only preens, and stops at whatever needs an answer
  assert.match(image('grub.cfg'), / fsck\.repair=yes /);
  assert.match(image('packages'), /^e2fsprogs /m);
});
