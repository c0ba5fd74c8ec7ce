/**
 * Programs of the machine: what systemd says of the services, on a box in Japan; one that does not end, beside a child that
 * outlives it; one that the box has under another name.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCommandRunner } from '../../src/host/command.ts';
import { createDiagnostics } from '../../src/host/diagnostics.ts';
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

test('where there is no ping but that of busybox, as on the box, it is that one', async () => {
  const asked: string[] = [];
  const run: Parameters<typeof createServices>[0] = async (program, args) => {
    asked.push([program, ...args].join(' '));
    const missing = program === 'ping';
    return { code: missing ? null : 0, stdout: missing ? '' : '3 packets received', stderr: '', missing, late: false };
  };
  const diagnostics = createDiagnostics({
    run,
    services: createServices(run, () => undefined),
    dataFolder: '/',
    clock: async () => ({ synchronised: true, timeZone: 'Asia/Tokyo' }),
    resolver: '127.0.0.1',
  });
  const answer = await diagnostics.run({ test: 'ping', target: '192.0.2.1' });
  assert.equal(answer.ok, true);
  assert.deepEqual(answer.lines, ['3 packets received']);
  assert.equal(asked.at(-1), 'busybox ping -c 3 -W 3 192.0.2.1');
});
