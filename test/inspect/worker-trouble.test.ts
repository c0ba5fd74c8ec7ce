import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Inspectors } from '../../src/inspect/api.ts';
import type { Inspection } from '../../src/mail/finding.ts';
import { of, PLAIN, recordingObserve, requestFor, settings, stateOf, withInspectors } from './support.ts';

const FULL = path.join(import.meta.dirname, 'fixtures/full-worker.ts');
const FRAGILE = path.join(import.meta.dirname, 'fixtures/fragile-worker.ts');
const LARGE = 'a line of text\r\n'.repeat(160_000);
/** Its worker wants all of it. */
const ATTACHED = `Content-Disposition: attachment\r\n${PLAIN}`;

async function awaitUp(inspectors: Inspectors): Promise<void> {
  for (let tries = 0; tries < 1_200 && stateOf(inspectors, 'structure') !== 'up'; tries += 1) await sleep(50);
  assert.equal(stateOf(inspectors, 'structure'), 'up');
}

/** With its process id in it. */
function worker(inspectors: Inspectors): string | undefined {
  return inspectors.health().find(({ inspector }) => inspector === 'structure')?.version;
}

function reasons({ missing }: Inspection): string[] {
  return missing.map(({ inspector, reason }) => `${inspector} ${reason}`).toSorted();
}

test('a message the worker has no room for is its own trouble: no poison, and nobody beside it runs again', async () => {
  const observe = recordingObserve();
  const warned: string[] = [];
  const watching = { ...observe, log: (_level: string, text: string) => void warned.push(text) };
  await withInspectors({ workerEntry: FULL, observe: watching }, async (inspectors) => {
    await awaitUp(inspectors);
    const before = worker(inspectors);
    const [full, ...others] = await Promise.all([
      inspectors.inspect(requestFor(`${ATTACHED}FULL-DISK\r\n${LARGE}`)),
      inspectors.inspect(requestFor(PLAIN)),
      inspectors.inspect(requestFor(`${ATTACHED}${LARGE}`)),
      inspectors.inspect(requestFor(PLAIN.replace('Good', 'Bad'))),
    ]);
    assert.deepEqual(reasons(full), ['authentication error', 'structure error']);
    assert.match(full.missing[0]?.detail ?? '', /ENOSPC/);
    assert.deepEqual(full.findings, []);
    for (const other of others) {
      assert.deepEqual(other.missing, []);
      assert.deepEqual(of(other, 'poison'), []);
    }
    assert.equal(stateOf(inspectors, 'structure'), 'up');
    assert.equal(worker(inspectors), before, 'the same process');
    assert.ok(!warned.some((text) => /runs again|is gone/.test(text)), warned.join());
  });
});

test('a full worker folder raises an alarm, which goes when a large message came through', async () => {
  const observe = recordingObserve();
  await withInspectors({ workerEntry: FULL, observe }, async (inspectors) => {
    await awaitUp(inspectors);
    await inspectors.inspect(requestFor(`${ATTACHED}FULL-DISK\r\n${LARGE}`));
    const alarms = (): string[] => observe.alarms.filter((line) => line.includes('inspection-late'));
    assert.deepEqual(alarms(), ['raise inspection-late inspect-worker']);
    await inspectors.inspect(requestFor(PLAIN));
    assert.equal(alarms().length, 1, 'a small one needs no folder and proves nothing');
    await inspectors.inspect(requestFor(`${ATTACHED}${LARGE}`));
    assert.deepEqual(alarms(), ['raise inspection-late inspect-worker', 'clear inspection-late inspect-worker']);
  });
});

test('a message that cannot be read back is its own trouble too', async () => {
  await withInspectors({ workerEntry: FULL }, async (inspectors) => {
    await awaitUp(inspectors);
    const before = worker(inspectors);
    assert.deepEqual(reasons(await inspectors.inspect(requestFor(`${ATTACHED}FULL-DISK\r\n`))), [
      'authentication error',
      'structure error',
    ]);
    assert.deepEqual((await inspectors.inspect(requestFor(PLAIN))).missing, []);
    assert.equal(worker(inspectors), before);
  });
});

test('a worker that dies while a large message is still being fed: that message runs alone, and is poison', async () => {
  const draft = settings((change) => {
    change.engines.inspect.timeoutMs = 50_000;
  });
  await withInspectors({ workerEntry: FRAGILE, settings: draft }, async (inspectors) => {
    await awaitUp(inspectors);
    const body = 'a line of text\r\n'.repeat(1_500_000);
    const inspection = await inspectors.inspect(requestFor(`${PLAIN}DIE-OF-THIS\r\n${body}`));
    assert.deepEqual(inspection.missing, []);
    assert.deepEqual(of(inspection, 'poison').length, 1);
    assert.deepEqual((await inspectors.inspect(requestFor(PLAIN))).missing, []);
  });
});
