/** A box that nobody tells the time says so: never told since its start, or by sources that went away a day ago. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostAlarms } from '../../src/host/alarms.ts';
import type { CommandResult } from '../../src/host/command.ts';
import { createMachineTime, UNTOLD_MS } from '../../src/host/time.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('an alarm rings when for a day no time server told the time, and ends when one does', async () => {
  const clock = new FakeClock();
  let said = '';
  const run = (): Promise<CommandResult> =>
    Promise.resolve({ code: said === '' ? 1 : 0, stdout: said, stderr: '', missing: false, late: false });
  // as chronyc -c tracking of chrony 4.6 says it
  const tracking = (at: number, leap: string): string =>
    `7F7F0101,192.0.2.7,2,${at / 1_000}.25,0.000012,-0.00003,0.00004,-12.5,0.001,0.2,0.01,0.02,1024.1,${leap}\n`;
  const record = { current: () => ({}) } as never;
  const time = createMachineTime({ record, run, clock, folder: '/nowhere' });
  const names = async (): Promise<string[]> => {
    await time.show();
    const alarms = hostAlarms({
      degraded: undefined,
      ups: { power: 'normal', state: 'none' } as never,
      watchdog: { lastReset: { reason: 'clean', at: '' } } as never,
      damage: undefined,
      startedAt: '',
      more: time.trouble(),
    });
    return alarms.map(({ name }) => name);
  };
  // chrony has no source, or does not run
  for (const words of [tracking(0, 'Not synchronised'), '']) {
    said = words;
    assert.deepEqual(await names(), []);
    clock.advance(UNTOLD_MS / 2);
  }
  assert.deepEqual(await names(), ['clock-untold']);
  said = tracking(clock.wall(), 'Normal');
  assert.deepEqual(await names(), []);
  // the sources are gone: it goes on by what it knew, and calls that normal
  clock.advance(UNTOLD_MS - 1);
  assert.deepEqual(await names(), []);
  clock.advance(UNTOLD_MS);
  assert.deepEqual(await names(), ['clock-untold']);
  // a clock set back by a year does not make old news new
  clock.step(-365 * UNTOLD_MS);
  assert.deepEqual(await names(), ['clock-untold']);
});
