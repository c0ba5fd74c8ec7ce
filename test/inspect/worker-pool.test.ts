import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import type { Resolver } from '../../src/base/resolver.ts';
import type { Inspectors, InspectRequest } from '../../src/inspect/api.ts';
import { type PoolResult, WorkerPool } from '../../src/inspect/worker-pool.ts';
import { compiledProgram } from '../../src/inspect/worker-cache.ts';
import { silentObserve } from '../../src/observe/events.ts';
import {
  fakeResolver,
  of,
  PLAIN,
  requestFor,
  settings,
  stateOf,
  withInspectors,
  WORKER_ENTRY,
  type Zone,
} from './support.ts';

const FRAGILE = path.join(import.meta.dirname, 'fixtures/fragile-worker.ts');
const STILLBORN = path.join(import.meta.dirname, 'fixtures/stillborn-worker.ts');
/** A third of the time, ten seconds at most, is how long a worker may stand still; another is started after that, twice. */
const SMALL = settings((draft) => {
  draft.engines.inspect.timeoutMs = 110_000;
  draft.engines.inspect.memoryMiB = 96;
});

const ZONE: Zone = { 'example.com': { TXT: [['v=spf1 ip4:192.0.2.0/24 -all']] } };

async function awaitUp(inspectors: Inspectors): Promise<void> {
  for (let tries = 0; tries < 1_200 && stateOf(inspectors, 'structure') !== 'up'; tries += 1) await sleep(50);
  assert.equal(stateOf(inspectors, 'structure'), 'up');
}

for (const [word, manner] of [
  ['DIE-OF-THIS', 'crashes'],
  ['THROW-AT-THIS', 'throws'],
  ['STALL-ON-THIS', 'hangs'],
  ['EAT-MEMORY', 'runs out of memory'],
  ['TALK-NONSENSE', 'talks nonsense'],
]) {
  test(`a message on which the worker ${manner} twice is poison; the others come back unharmed`, async () => {
    await withInspectors({ workerEntry: FRAGILE, settings: SMALL, zone: ZONE }, async (inspectors) => {
      await awaitUp(inspectors);
      const [poison, ...others] = await Promise.all([
        inspectors.inspect(requestFor(`${PLAIN}${word}\r\n`, { deadlineMs: 120_000 })),
        inspectors.inspect(requestFor(PLAIN, { deadlineMs: 120_000 })),
        inspectors.inspect(requestFor(PLAIN.replace('Good', 'Bad'), { deadlineMs: 120_000 })),
      ]);
      assert.deepEqual(
        poison?.findings.map(({ kind }) => kind),
        ['poison'],
      );
      assert.deepEqual(poison?.missing, []);
      for (const other of others) {
        assert.deepEqual(other.missing, []);
        assert.equal(of(other, 'spf')[0]?.result, 'pass');
        assert.deepEqual(of(other, 'poison'), []);
      }
      // and the next message finds a worker
      assert.deepEqual((await inspectors.inspect(requestFor(PLAIN))).missing, []);
      assert.equal(stateOf(inspectors, 'structure'), 'up');
    });
  });
}

test('a worker that cannot start accuses no message: the inspection is missing and the engine goes down', async () => {
  const impatient = settings((draft) => {
    draft.engines.startingMs = 300;
  });
  await withInspectors({ workerEntry: STILLBORN, settings: impatient, atOnce: true }, async (inspectors) => {
    const inspection = await inspectors.inspect(requestFor(PLAIN, { deadlineMs: 5_000 }));
    assert.deepEqual(of(inspection, 'poison'), []);
    assert.deepEqual(inspection.missing.map(({ inspector }) => inspector).toSorted(), ['authentication', 'structure']);
    for (let tries = 0; tries < 1_200 && stateOf(inspectors, 'structure') !== 'down'; tries += 1) await sleep(50);
    assert.equal(stateOf(inspectors, 'structure'), 'down');
    const begin = performance.now();
    const refused = await inspectors.inspect(requestFor(PLAIN));
    assert.ok(performance.now() - begin < 20_000, 'down answers at once');
    assert.ok(refused.missing.every(({ reason }) => reason === 'down'));
    assert.match(refused.missing[0]?.detail ?? '', /no such library/);
  });
});

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map(String).toSorted();
}

/** A pool whose DNS waits until it is told to go on. */
async function withPool<T>(
  work: (pool: WorkerPool, dns: { go: () => void; asked: Promise<void> }) => Promise<T>,
  { size, ...options }: { compileCache?: string; size?: { workers: number; memoryMiB: number } } = {},
): Promise<T> {
  const runDir = mkdtempSync(path.join(tmpdir(), 'sekisho-test-pool-'));
  const gate = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const plain = fakeResolver(ZONE);
  const resolver: Resolver = {
    ...plain,
    query: async (name, type) => {
      asked.resolve();
      await gate.promise;
      return await plain.query(name, type);
    },
  };
  const pool = new WorkerPool({
    entry: WORKER_ENTRY,
    execPath: process.execPath,
    runDir,
    ...options,
    settings: () => ({ workers: 1, memoryMiB: 128, ...size, timeoutMs: 20_000 }),
    resolver,
    clock: systemClock(),
    observe: silentObserve,
  });
  try {
    return await work(pool, { go: gate.resolve, asked: asked.promise });
  } finally {
    gate.resolve();
    await pool[Symbol.asyncDispose]();
    assert.deepEqual(readdirSync(runDir), [], 'no private folder is left');
    rmSync(runDir, { recursive: true, force: true });
  }
}

function start(pool: WorkerPool, message: string, ms = 60_000): Promise<PoolResult> {
  return startWith(pool, requestFor(message), ms);
}

function startWith(pool: WorkerPool, request: InspectRequest, ms = 60_000): Promise<PoolResult> {
  const { origin, envelope } = request.transaction;
  const facts = {
    listener: origin.listener,
    clientAddress: origin.clientAddress,
    helo: origin.helo,
    reversePath: envelope.reversePath,
    hostname: 'mx.office.example',
    size: request.size,
    limits: settings().limits,
    budgetMs: ms,
  };
  return pool.run(facts, request, { signal: AbortSignal.timeout(ms) });
}

test('a message is told alike whether it comes whole from memory or as a stream, and keeps nothing of the one before', async () => {
  await withPool(async (pool, dns) => {
    dns.go();
    const long = requestFor(`${PLAIN}${'A line that the next message must not have.\r\n'.repeat(3_000)}`);
    const short = requestFor(PLAIN);
    const first = await startWith(pool, long);
    assert.deepEqual(await startWith(pool, { ...long, pieces: undefined }), first);
    const second = await startWith(pool, short);
    assert.deepEqual(await startWith(pool, { ...short, pieces: undefined }), second);
  });
});

test('a worker starts from a copy of its compiled code: the original stays, and another program gets another', async () => {
  const base = mkdtempSync(path.join(tmpdir(), 'sekisho-test-compiled-'));
  try {
    const program = { entry: WORKER_ENTRY, execPath: process.execPath };
    const original = await compiledProgram(base, program);
    assert.ok(original !== undefined);
    const before = filesIn(original);
    assert.ok(before.length > 50, 'its modules are in there');
    await withPool(
      async (pool) => {
        await pool.ping(AbortSignal.timeout(60_000));
        const [pid] = pool.pids();
        assert.match(
          readFileSync(`/proc/${pid}/environ`, 'latin1'),
          /NODE_COMPILE_CACHE=[^\0]*\/worker-[^\0]*\/compiled\0/,
        );
      },
      { compileCache: base },
    );
    assert.deepEqual(filesIn(original), before, 'the worker has written nothing there');
    assert.equal(await compiledProgram(base, program), original);
    assert.equal(await compiledProgram(base, { ...program, entry: STILLBORN }), undefined);
    assert.deepEqual(
      readdirSync(base).filter((name) => !name.includes('.')),
      [path.basename(original)],
    );
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});

test('more or less memory holds from the next message on: the worker that has one in hand finishes it, then goes', async () => {
  const size = { workers: 1, memoryMiB: 128 };
  await withPool(
    async (pool, dns) => {
      const running = start(pool, PLAIN, 120_000);
      await dns.asked;
      const [old] = pool.pids();
      size.memoryMiB = 256;
      await pool.ping(AbortSignal.timeout(60_000));
      const fresh = pool.pids().find((pid) => pid !== old);
      assert.match(readFileSync(`/proc/${fresh}/cmdline`, 'latin1'), /--max-old-space-size=256\0/);
      await sleep(700); // longer than an idle one is left
      assert.ok(pool.pids().some((pid) => pid === old));
      dns.go();
      assert.ok(!(await running).poison);
      for (let tries = 0; tries < 1_200 && pool.pids().length > 1; tries += 1) await sleep(50);
      assert.deepEqual(pool.pids(), [fresh]);
    },
    { size },
  );
});

test('fewer workers are fewer processes, without a restart', async () => {
  const size = { workers: 2, memoryMiB: 128 };
  await withPool(
    async (pool) => {
      await pool.ping(AbortSignal.timeout(60_000));
      assert.equal(pool.pids().length, 2);
      size.workers = 1;
      await pool.ping(AbortSignal.timeout(60_000));
      for (let tries = 0; tries < 1_200 && pool.pids().length > 1; tries += 1) await sleep(50);
      assert.equal(pool.pids().length, 1);
    },
    { size },
  );
});

test('a worker killed in the middle of a message is replaced, and the message is inspected all the same', async () => {
  await withPool(async (pool, dns) => {
    const running = start(pool, PLAIN);
    await dns.asked;
    const [victim] = pool.pids();
    assert.ok(victim !== undefined);
    process.kill(victim, 'SIGKILL');
    dns.go();
    const result = await running;
    assert.ok(!result.poison);
    assert.deepEqual(
      result.result.authentication?.findings.find(({ kind }) => kind === 'spf'),
      {
        kind: 'spf',
        result: 'pass',
        domain: 'example.com',
        helo: 'mail.example.com',
        explanation: 'domain of taro@example.com designates 192.0.2.10 as permitted sender',
      },
    );
    assert.ok(!pool.pids().includes(victim));
  });
});

test('what a worker told before the time was up is kept: structure, although DNS never answered', async () => {
  await withPool(async (pool, dns) => {
    await pool.ping(AbortSignal.timeout(60_000));
    const running = start(pool, PLAIN, 5_000);
    await dns.asked;
    const result = await running;
    assert.ok(!result.poison);
    assert.ok(result.result.structure?.findings.some(({ kind }) => kind === 'summary'));
  });
});

test('the worker has no network, no other folder and no environment', async () => {
  const nosy = path.join(import.meta.dirname, 'fixtures/nosy-worker.ts');
  await withInspectors({ workerEntry: nosy }, async (inspectors) => {
    await awaitUp(inspectors);
    const version = inspectors.health().find(({ inspector }) => inspector === 'structure')?.version;
    assert.equal(
      version,
      'net ERR_ACCESS_DENIED, file ERR_ACCESS_DENIED, spawn ERR_ACCESS_DENIED, env MALLOC_ARENA_MAX TMPDIR UV_THREADPOOL_SIZE',
    );
  });
});
