/**
 * What systemd says of the services, as the page shows it, and programs that do not end: on a box in Japan, and beside a child that
 * outlives the program.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCommandRunner } from '../../src/host/command.ts';
import { createServices } from '../../src/host/services.ts';

test('since when a service runs is known in every time zone', async () => {
  const services = createServices(
    async (_program, _args, options) => ({
      code: 0,
      // systemctl(1) names the zone as the clock of the machine does, unless it is told another
      stdout: `Id=sekisho-gateway.service\nLoadState=loaded\nActiveState=active\nStateChangeTimestamp=${
        options?.env?.['TZ'] === 'UTC' ? 'Sat 2026-11-21 14:11:08 UTC' : 'Sat 2026-11-21 23:11:08 JST'
      }\n`,
      stderr: '',
      missing: false,
      late: false,
    }),
    () => undefined,
  );
  const gateway = (await services.list()).find(({ name }) => name === 'gateway');
  assert.equal(gateway?.since, '2026-11-21T14:11:08.000Z');
  assert.equal(gateway?.state, 'running');
});

test('a program that does not end in time is over, whatever it left behind', { timeout: 60_000 }, async () => {
  const run = createCommandRunner('/usr/bin:/bin');
  // the child keeps both ends open for longer than this test may take
  const result = await run('sh', ['-c', 'sleep 90 & echo "$!"; exec sleep 90'], { deadlineMs: 500 });
  assert.equal(result.late, true);
  process.kill(Number(result.stdout), 'SIGKILL');
});
