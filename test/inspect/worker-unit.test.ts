/** Workers as a unit of their own: a stand-in for systemd's Accept=yes hands each connection on as descriptor 3. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { until } from '../support/process.ts';
import { of, PLAIN, requestFor, settings, stateOf, withInspectors, WORKER_ENTRY, type Zone } from './support.ts';

const FRAGILE = path.join(import.meta.dirname, 'fixtures/fragile-worker.ts');
const ZONE: Zone = { 'example.com': { TXT: [['v=spf1 ip4:192.0.2.0/24 -all']] } };

async function withUnit(
  entry: string,
  work: (unit: { socket: string; born: ChildProcess[] }) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sekisho-test-unit-'));
  const socket = path.join(folder, 'inspect.sock');
  const born: ChildProcess[] = [];
  const server = createServer({ pauseOnConnect: true }, (connection) => {
    const child = spawn(
      process.execPath,
      ['--permission', '--allow-worker', '--allow-fs-read=*', `--allow-fs-write=${folder}`, entry],
      {
        env: { LISTEN_FDS: '1', TMPDIR: folder },
        stdio: ['ignore', 'ignore', 'inherit', connection],
      },
    );
    born.push(child);
    child.once('spawn', () => connection.destroy());
  });
  server.listen(socket);
  await once(server, 'listening');
  try {
    await work({ socket, born });
  } finally {
    for (const child of born) child.kill('SIGKILL');
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

test('a worker behind a socket looks at mail as a child does, and ends when the gateway closes', async () => {
  await withUnit(WORKER_ENTRY, async ({ socket, born }) => {
    await withInspectors({ workerSocket: socket, zone: ZONE }, async (inspectors) => {
      await until('the worker', { ms: 20_000 }, () => stateOf(inspectors, 'structure') === 'up' || undefined);
      const found = await inspectors.inspect(requestFor(PLAIN));
      assert.deepEqual(found.missing, []);
      assert.equal(of(found, 'spf')[0]?.result, 'pass');
    });
    await until(
      'the worker to end by itself',
      { ms: 20_000 },
      () => born.every((one) => one.exitCode !== null) || undefined,
    );
  });
});

test('a worker behind a socket that dies of a message twice makes it poison, and the next mail is looked at', async () => {
  const quick = settings((draft) => {
    draft.engines.inspect.timeoutMs = 50_000;
  });
  await withUnit(FRAGILE, async ({ socket }) => {
    await withInspectors({ workerSocket: socket, zone: ZONE, settings: quick }, async (inspectors) => {
      await until('the worker', { ms: 20_000 }, () => stateOf(inspectors, 'structure') === 'up' || undefined);
      const poison = await inspectors.inspect(requestFor(`${PLAIN}DIE-OF-THIS\r\n`));
      assert.deepEqual(
        poison.findings.map(({ kind }) => kind),
        ['poison'],
      );
      assert.deepEqual((await inspectors.inspect(requestFor(PLAIN))).missing, []);
    });
  });
});

test('a worker whose loop stands still is killed by its own watch', async () => {
  const watch = path.resolve(import.meta.dirname, '../../src/inspect/worker-watch.ts');
  const script = `import { watchOwnLoop } from ${JSON.stringify(watch)};
    watchOwnLoop({ stalledMs: 2_500, pid: process.pid });
    setTimeout(() => { process.stdout.write('turned'); for (;;); }, 5_000);`;
  const child = spawn(
    process.execPath,
    ['--permission', '--allow-worker', '--allow-fs-read=*', '--input-type=module', '-e', script],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  assert.equal(said, 'turned', 'It was killed though its loop turned');
  assert.equal(signal, 'SIGKILL');
});
