/** A trial ends within its time also where RAUC, the checks or the disk do not answer, and the box does not restart for ever. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Rauc, RaucSlot } from '../../src/host/rauc.ts';
import { openRecord, type RecordFile } from '../../src/host/record.ts';
import { createUpdates, type TrialCheck, type Updates } from '../../src/host/update.ts';
import { FakeClock } from '../support/fake-clock.ts';

const BOUND_MS = 600_000 + 300_000;

interface Trial {
  clock: FakeClock;
  record: RecordFile;
  rauc: Rauc;
  calls: string[];
  checks: () => Promise<TrialCheck[]>;
  cmdline: string | undefined;
  updates: Updates;
  begin(): void;
}

/** Slot B, on trial, in its first start. */
async function onTrial(context: TestContext): Promise<Trial> {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-trial-end-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  const slot = (name: string): RaucSlot => ({
    name,
    booted: name === 'B',
    good: name === 'A',
    version: undefined,
    installedAt: undefined,
  });
  const record = openRecord(dir);
  const calls: string[] = [];
  const made: Omit<Trial, 'updates'> & { updates?: Updates } = {
    clock: new FakeClock(),
    record,
    calls,
    rauc: {
      slots: () => Promise.resolve([slot('A'), slot('B')]),
      info: () => Promise.resolve({ version: '1.1.0' }),
      install: () => Promise.resolve(),
      markGood: () => Promise.resolve(void calls.push('good')),
      activateOther: () => Promise.resolve(void calls.push('other')),
    },
    checks: () => Promise.resolve([{ name: 'gateway', ok: true, detail: 'running' }]),
    cmdline: 'B',
    begin: () => {
      made.clock.reboot();
      made.updates = createUpdates({
        rauc: made.rauc,
        record,
        clock: made.clock,
        version: '1.1.0',
        folder: path.join(dir, 'update'),
        inbox: path.join(dir, 'inbox'),
        usb: { list: () => Promise.resolve([]), use: () => Promise.reject(new Error('no stick')) },
        possible: true,
        bootedSlot: () => made.cmdline,
        checks: () => made.checks(),
        quiet: () => Promise.resolve(true),
        mayRestart: () => Promise.resolve(true),
        timeZone: () => 'Asia/Tokyo',
        reboot: () => void calls.push('reboot'),
        log: () => undefined,
      });
    },
  };
  await record.change((state) => ({
    ...state,
    trial: { slot: 'B', from: 'A', since: 0, bootId: made.clock.bootId, version: '1.1.0' },
  }));
  made.begin();
  return made as Trial;
}

/** As the host does, each minute instead of ten seconds. */
async function watch({ updates, clock }: Trial, ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 60_000) {
    await updates.watchTrial().catch(() => undefined);
    clock.advance(60_000);
  }
}

const silent = (): Promise<undefined> => Promise.resolve(undefined);
const broken = (): Promise<never> => Promise.reject(new Error('rauc: no answer'));

test('a system on trial in which RAUC does not answer is left within its time, and the reason is kept', async (context) => {
  const one = await onTrial(context);
  one.rauc.slots = silent;
  await watch(one, BOUND_MS);
  assert.deepEqual(one.calls, []);
  assert.equal((await one.updates.show()).phase, 'on-trial');
  await watch(one, 300_000);
  assert.deepEqual(one.calls, ['other', 'reboot']);
  assert.match(one.record.current().lastFallback?.reason ?? '', /RAUC/);
});

test('a RAUC that comes back in time costs nothing; one that is silent outside a trial neither', async (context) => {
  const one = await onTrial(context);
  let answers = false;
  const rauc = { ...one.rauc };
  one.rauc.slots = () => (answers ? rauc.slots() : broken());
  await watch(one, 240_000);
  answers = true;
  await watch(one, 720_000);
  assert.deepEqual(one.calls, ['good']);
  const other = await onTrial(context);
  other.rauc.slots = broken;
  other.cmdline = 'A';
  await watch(other, 2 * BOUND_MS);
  assert.deepEqual(other.calls, []);
});

test('where the other slot cannot be chosen the boot loader counts restarts, and the box stops them after the fourth', async (context) => {
  const one = await onTrial(context);
  one.rauc.slots = silent;
  one.rauc.activateOther = broken;
  for (let start = 1; start <= 6; start += 1) {
    await watch(one, BOUND_MS + 600_000);
    assert.equal(one.calls.length, Math.min(start, 4), `start ${start}`);
    assert.ok(one.record.current().trial !== undefined, 'unproven it stays');
    one.begin();
  }
});

test('a system that cannot be marked good, or cannot be checked, is no trial for ever', async (context) => {
  const one = await onTrial(context);
  one.rauc.markGood = broken;
  await watch(one, BOUND_MS + 120_000);
  assert.deepEqual(one.calls, ['other', 'reboot']);
  const other = await onTrial(context);
  other.checks = broken;
  await watch(other, BOUND_MS + 120_000);
  assert.deepEqual(other.calls, ['other', 'reboot']);
});

test('a disk that takes no note does not keep the box in a system that does not hold', async (context) => {
  const one = await onTrial(context);
  one.checks = () => Promise.resolve([{ name: 'clamd', ok: false, detail: 'absent', hopeless: true }]);
  one.record.change = () => Promise.reject(new Error('EROFS: read-only file system'));
  await watch(one, 180_000);
  assert.deepEqual(one.calls, ['other', 'reboot']);
});
