/** The watchdog's food: a probe that answers anything is alive, a silent one withholds the ping. Real sockets, real writes. */
import assert from 'node:assert/strict';
import { link, mkdtemp, rm, stat, utimes } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { type Life, watchLife } from '../../src/gateway/life.ts';
import { until } from '../support/process.ts';

const cleanups: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const FAST = { pingMs: 20, bannerEveryMs: 20, bannerSilenceMs: 400, writeEveryMs: 20, writeSilenceMs: 400 };

async function begin(options: {
  session: (socket: Socket) => void;
  write?: (file: string) => Promise<void>;
}): Promise<{ life: Life; pings: () => number; told: string[]; folder: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sekisho-life-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  let pings = 0;
  const told: string[] = [];
  const life = await watchLife({
    clock: systemClock(),
    folder,
    session: () => options.session,
    ping: () => {
      pings += 1;
    },
    tell: (message, facts) => told.push(`${message} ${JSON.stringify(facts)}`),
    timing: FAST,
    ...(options.write === undefined ? {} : { write: options.write }),
  });
  cleanups.push(() => life.stop());
  return { life, pings: () => pings, told, folder };
}

/** Pings beyond the time of silence. A machine that stood still itself may look silent for a moment after. */
async function fed({ life, pings }: { life: Life; pings: () => number }): Promise<void> {
  await until('pings, and nobody silent', { ms: 10_000, every: 5 }, () =>
    pings() > 40 && life.silent().length === 0 ? true : undefined,
  );
}

const says = (line: string) => (socket: Socket) => {
  socket.on('error', () => undefined);
  socket.write(line);
};

for (const line of ['220 box.example ESMTP\r\n', '421 4.3.2 Too many sessions\r\n', '452 4.3.1 Full\r\n']) {
  test(`a banner that says ${line.slice(0, 3)} feeds the watchdog`, async () => {
    const { life, pings } = await begin({ session: says(line) });
    await fed({ life, pings });
  });
}

test('a disk that says it is full feeds the watchdog', async () => {
  let writes = 0;
  const full = (): Promise<void> => {
    writes += 1;
    return Promise.resolve(); // what the real write answers to ENOSPC
  };
  const { life, pings } = await begin({ session: says('220 hi\r\n'), write: full });
  await fed({ life, pings });
  assert.ok(writes > 3);
});

test('a listener that never says a word withholds the ping, and the log names it once', async () => {
  const { life, pings, told } = await begin({ session: () => undefined });
  await until('silence to be noticed', { ms: 10_000 }, () => life.silent().includes('banner') || undefined);
  await until('it to be told', { ms: 5_000 }, () => told.some((line) => line.includes('"banner"')) || undefined);
  const before = pings();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(pings(), before);
  assert.equal(told.filter((line) => line.includes('"banner"')).length, 1);
});

test('a write that never comes back withholds the ping', async () => {
  const { life } = await begin({ session: says('220 hi\r\n'), write: () => new Promise<void>(() => undefined) });
  await until('silence to be noticed', { ms: 10_000 }, () => life.silent().includes('write') || undefined);
});

test('the write is to the same octets of the same file each time: a new one each minute would wear the flash', async () => {
  const { folder } = await begin({ session: says('220 hi\r\n') });
  const file = path.join(folder, 'probe.write');
  const known = path.join(folder, 'known');
  const written = (name: string): Promise<true> =>
    until('the write', { ms: 2_000, every: 5 }, async () => {
      const found = await stat(name).catch(() => undefined);
      return found !== undefined && found.size === 6 && found.mtimeMs > 1_000 ? true : undefined;
    });
  await written(file);
  await link(file, known); // a file made anew would not be this one, whatever number it gets
  await utimes(known, 1, 1);
  await written(known);
});
