import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Inspectors, InspectRequest } from '../../src/inspect/api.ts';
import type { Inspection } from '../../src/mail/finding.ts';
import { HANGING, withFakeClamd } from './fake-clamd.ts';
import { of, PLAIN, recordingObserve, requestFor, settings, stateOf, withInspectors } from './support.ts';

async function awaitState(inspectors: Inspectors, state: string): Promise<void> {
  for (let tries = 0; tries < 1_200 && stateOf(inspectors, 'antivirus') !== state; tries += 1) await sleep(50);
  assert.equal(stateOf(inspectors, 'antivirus'), state);
  // a busy machine takes its time to start the worker, and what starts is missing
  for (let tries = 0; tries < 1_200 && stateOf(inspectors, 'structure') !== 'up'; tries += 1) await sleep(50);
}

function withClamd(socket: string, options: { timeoutMs?: number; concurrency?: number } = {}) {
  return settings((change) => {
    change.engines.clamd = { enabled: true, socket, timeoutMs: 400, concurrency: 2, ...options };
  });
}

function manyParts(count: number): string {
  const type = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b';
  const parts = '--b\r\nContent-Type: text/plain\r\n\r\nx\r\n'.repeat(count);
  return `From: a@friend.example\r\nSubject: parts\r\n${type}\r\n\r\n${parts}--b--\r\n`;
}

for (const [sentence, message] of [
  ['100,000 tiny parts (3.6 MB)', manyParts(100_000)],
  ['2,100 parts', manyParts(2_100)],
  ['2,000 header fields', `${'X-A: b\r\n'.repeat(2_000)}${PLAIN}`],
] as const) {
  test(`${sentence}: too complex, so that no engine is asked and nothing is missing`, async () => {
    await withFakeClamd(HANGING, async (clamd) => {
      await withInspectors({ settings: withClamd(clamd.socket) }, async (inspectors) => {
        await awaitState(inspectors, 'up');
        const inspection = await inspectors.inspect(requestFor(message));
        assert.deepEqual(inspection.missing, []);
        assert.deepEqual(
          of(inspection, 'structure').map(({ problem }) => problem),
          ['too-complex'],
        );
        assert.equal(inspection.elapsed.antivirus, undefined);
        assert.equal(clamd.scans, 0);
        assert.equal(stateOf(inspectors, 'antivirus'), 'up');
      });
    });
  });
}

test('a large message that is not too complex goes to the structure first and then to the engines', async () => {
  await withFakeClamd(
    () => 'stream: OK\0',
    async (clamd) => {
      await withInspectors({ settings: withClamd(clamd.socket, { timeoutMs: 20_000 }) }, async (inspectors) => {
        await awaitState(inspectors, 'up');
        // more lines with two dashes than parts are allowed, in one part
        const inspection = await inspectors.inspect(requestFor(PLAIN + '-- \r\n'.repeat(5_000)));
        assert.deepEqual(inspection.missing, []);
        assert.deepEqual(of(inspection, 'structure'), []);
        assert.equal(clamd.scans, 1);
        await inspectors.inspect(requestFor(PLAIN + 'a long line of text\r\n'.repeat(100_000)));
        assert.equal(clamd.scans, 2);
      });
    },
  );
});

test('twelve messages that an engine does not finish, though it passes a probe, turn away nobody else', async () => {
  const verdict = (stream: string) => (stream.includes('BURN') ? undefined : 'stream: OK\0');
  await withFakeClamd(verdict, async (clamd) => {
    const observe = recordingObserve();
    const draft = withClamd(clamd.socket);
    await withInspectors({ settings: draft, observe }, async (inspectors) => {
      await awaitState(inspectors, 'up');
      for (let i = 0; i < 4; i += 1) {
        const burning = Array.from({ length: 3 }, () => inspectors.inspect(requestFor(`${PLAIN}BURN\r\n`)));
        for (const { missing } of await Promise.all(burning)) {
          assert.deepEqual(
            missing.map(({ inspector, reason }) => [inspector, reason]),
            [['antivirus', 'timeout']],
          );
        }
        await awaitState(inspectors, 'slow');
      }
      draft.engines.clamd.timeoutMs = 60_000; // from here on only a hang is late
      // The last word of a probe may come behind the first good mail
      for (let i = 0; i < 20 && (i === 0 || stateOf(inspectors, 'antivirus') !== 'up'); i += 1) {
        assert.deepEqual((await inspectors.inspect(requestFor(PLAIN))).missing, []);
      }
      assert.equal(stateOf(inspectors, 'antivirus'), 'up');
      assert.ok(!observe.alarms.includes('raise engine-down clamd'), observe.alarms.join());
    });
  });
});

test('a message that is late while the engine answers no probe either is the engine’s fault: down', async () => {
  await withFakeClamd(HANGING, async (clamd) => {
    await withInspectors({ settings: withClamd(clamd.socket, { timeoutMs: 2_000 }) }, async (inspectors) => {
      await awaitState(inspectors, 'up');
      const inspecting = inspectors.inspect(requestFor(PLAIN));
      for (let tries = 0; tries < 400 && clamd.scans === 0; tries += 1) await sleep(5);
      clamd.works = false;
      assert.equal((await inspecting).missing[0]?.reason, 'timeout');
      await awaitState(inspectors, 'down');
      clamd.works = true;
      await awaitState(inspectors, 'up');
    });
  });
});

test('heavy messages hold at most half of the places: a small one beside eight of them is answered at once', async () => {
  let hangs = true;
  const verdict = (stream: string) => (hangs && stream.includes('BURN') ? undefined : 'stream: OK\0');
  await withFakeClamd(verdict, async (clamd) => {
    const draft = withClamd(clamd.socket, { timeoutMs: 120_000, concurrency: 4 });
    await withInspectors({ settings: draft }, async (inspectors) => {
      await awaitState(inspectors, 'up');
      const large = `${PLAIN}BURN\r\n${'a line of text\r\n'.repeat(80_000)}`;
      const slow = { deadlineMs: 120_000 };
      const heavy = Array.from({ length: 8 }, () => inspectors.inspect(requestFor(large, slow)));
      for (let tries = 0; tries < 3_000 && clamd.scans < 2; tries += 1) await sleep(20);
      await sleep(200);
      assert.equal(clamd.scans, 2);
      assert.deepEqual((await inspectors.inspect(requestFor(PLAIN))).missing, []);
      assert.equal(clamd.scans, 3, 'and the heavy ones still wait');
      hangs = false;
      clamd.letGo('stream: OK\0');
      for (const { missing } of await Promise.all(heavy)) assert.deepEqual(missing, []);
      assert.equal(clamd.scans, 9, 'each had its turn');
    });
  });
});

test('the third time a message is too much for an engine that serves others it is too complex, not our trouble', async () => {
  const verdict = (stream: string) => (stream.includes('BURN') ? undefined : 'stream: OK\0');
  await withFakeClamd(verdict, async (clamd) => {
    await withInspectors({ settings: withClamd(clamd.socket) }, async (inspectors) => {
      await awaitState(inspectors, 'up');
      const request: InspectRequest = requestFor(`${PLAIN}BURN\r\n`);
      const tryOnce = async (one: InspectRequest) => {
        const scans = clamd.scans;
        const trying = inspectors.inspect(one);
        for (let tries = 0; tries < 200 && clamd.scans === scans; tries += 1) await sleep(5);
        await sleep(5);
        await inspectors.inspect(requestFor(PLAIN));
        return await trying;
      };
      // a try counts when other mail was done meanwhile: on a machine that stood still it was not, and is made again
      let tries = 0;
      let last: Inspection;
      do {
        tries += 1;
        last = await tryOnce(request);
        if (last.missing.length > 0) assert.equal(last.missing[0]?.reason, 'timeout');
        await sleep(50); // the probe speaks
      } while (last.missing.length > 0 && tries < 40);
      assert.ok(tries >= 3, `after ${tries} tries`);
      assert.deepEqual(last.missing, []);
      assert.equal(of(last, 'structure')[0]?.problem, 'too-complex');
      assert.match(of(last, 'structure')[0]?.detail ?? '', /antivirus.*3 tries/);
      // another message has its own count
      assert.equal((await tryOnce({ ...request, id: requestFor(PLAIN).id })).missing.length, 1);
    });
  });
});

test('a message over which an engine breaks off three times, and serves others in between, is poison', async () => {
  const verdict = (stream: string) => (stream.includes('KILL') ? '' : 'stream: OK\0');
  await withFakeClamd(verdict, async (clamd) => {
    await withInspectors({ settings: withClamd(clamd.socket, { timeoutMs: 60_000 }) }, async (inspectors) => {
      await awaitState(inspectors, 'up');
      const killer = requestFor(`${PLAIN}KILL\r\n`);
      for (let i = 0; i < 2; i += 1) {
        const { missing } = await inspectors.inspect(killer);
        assert.deepEqual(
          missing.map(({ inspector, reason }) => [inspector, reason]),
          [['antivirus', 'error']],
        );
        assert.deepEqual((await inspectors.inspect(requestFor(PLAIN))).missing, []);
      }
      const last = await inspectors.inspect(killer);
      assert.deepEqual(last.missing, []);
      assert.match(of(last, 'poison')[0]?.detail ?? '', /antivirus.*3 tries/);
    });
  });
});

test('an engine that is too slow for everybody, though it passes probes, costs no message its delivery', async () => {
  await withFakeClamd(HANGING, async (clamd) => {
    await withInspectors({ settings: withClamd(clamd.socket) }, async (inspectors) => {
      await awaitState(inspectors, 'up');
      const requests = [requestFor(PLAIN), requestFor(PLAIN)];
      for (let i = 0; i < 5; i += 1) {
        for (const { missing, findings } of await Promise.all(requests.map((one) => inspectors.inspect(one)))) {
          assert.equal(missing.find(({ inspector }) => inspector === 'antivirus')?.reason, 'timeout');
          assert.deepEqual(
            findings.filter((finding) => finding.kind === 'structure'),
            [],
          );
        }
        await awaitState(inspectors, 'slow');
        await sleep(50);
      }
    });
  });
});

test('how many messages clamd gets at once is a setting that holds from the next message on, without a restart', async () => {
  let hangs = true;
  const verdict = () => (hangs ? undefined : 'stream: OK\0');
  await withFakeClamd(verdict, async (clamd) => {
    const draft = withClamd(clamd.socket, { timeoutMs: 60_000, concurrency: 1 });
    await withInspectors({ settings: draft }, async (inspectors) => {
      await awaitState(inspectors, 'up');
      const scans = async (count: number): Promise<void> => {
        for (let tries = 0; tries < 4_000 && clamd.scans < count; tries += 1) await sleep(10);
        await sleep(50); // and no more
        assert.equal(clamd.scans, count);
      };
      const looking = [1, 2, 3].map(() => inspectors.inspect(requestFor(PLAIN)));
      await scans(1);
      draft.engines.clamd.concurrency = 3;
      looking.push(inspectors.inspect(requestFor(PLAIN)));
      await scans(3);
      hangs = false;
      clamd.letGo('stream: OK\0');
      await Promise.all(looking);
    });
  });
});
