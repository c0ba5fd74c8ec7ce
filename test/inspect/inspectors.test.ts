import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Inspectors } from '../../src/inspect/api.ts';
import { EICAR } from '../../src/inspect/clamd.ts';
import type { Inspection } from '../../src/mail/finding.ts';
import { composeAuthenticationResults } from '../../src/mail/authentication-results.ts';
import { HANGING, withFakeClamd } from './fake-clamd.ts';
import { haveClamd, haveRspamd, startClamd, startRspamd } from './engines.ts';
import {
  newKey,
  of,
  PLAIN,
  recordingObserve,
  requestFor,
  settings,
  signed,
  stateOf,
  withInspectors,
} from './support.ts';

async function awaitState(inspectors: Inspectors, inspector: string, state: string): Promise<void> {
  for (let tries = 0; tries < 1_200 && stateOf(inspectors, inspector) !== state; tries += 1) await sleep(50);
  assert.equal(stateOf(inspectors, inspector), state);
}

const skip = haveClamd && haveRspamd ? false : 'clamd or rspamd is not installed';

test('all engines at once: a clean mail, a virus, and an engine that stops in mid-flight and comes back', {
  skip,
}, async () => {
  const rspamd = await startRspamd();
  let clamd = await startClamd();
  const key = newKey();
  const draft = settings((change) => {
    change.engines.clamd = { ...change.engines.clamd, enabled: true, socket: clamd.socket };
    change.engines.rspamd = { ...change.engines.rspamd, enabled: true, url: rspamd.socket };
  });
  const zone = {
    'example.com': { TXT: [['v=spf1 ip4:192.0.2.0/24 -all']] },
    'test._domainkey.example.com': { TXT: key.record },
    '_dmarc.example.com': { TXT: [['v=DMARC1; p=reject']] },
  };
  const observe = recordingObserve();
  try {
    await withInspectors({ settings: draft, zone, observe }, async (inspectors) => {
      for (const inspector of ['structure', 'antivirus', 'spam']) await awaitState(inspectors, inspector, 'up');
      const clean = await inspectors.inspect(requestFor(await signed(PLAIN, { key, domain: 'example.com' })));
      assert.deepEqual(clean.missing, []);
      assert.deepEqual(clean.findings.map(({ kind }) => kind).toSorted(), [
        'arc',
        'dkim',
        'dmarc',
        'from',
        'spam',
        'spf',
        'summary',
      ]);
      assert.equal(of(clean, 'summary')[0]?.subject, '会議');
      assert.equal(of(clean, 'dmarc')[0]?.result, 'pass');
      assert.deepEqual(Object.keys(clean.elapsed).toSorted(), ['antivirus', 'authentication', 'spam', 'structure']);

      const infected = await inspectors.inspect(requestFor(`${PLAIN}${EICAR}\r\n`));
      assert.deepEqual(of(infected, 'virus'), [{ kind: 'virus', engine: 'clamd', name: 'Eicar-Test.UNOFFICIAL' }]);
      assert.match(
        inspectors.health().find(({ engine }) => engine === 'clamd')?.version ?? '',
        /starter signatures only/,
      );

      await clamd.stop();
      const blind = await inspectors.inspect(requestFor(`${PLAIN}${EICAR}\r\n`));
      assert.deepEqual(
        blind.missing.map(({ inspector }) => inspector),
        ['antivirus'],
      );
      await awaitState(inspectors, 'antivirus', 'down');
      assert.deepEqual((await inspectors.inspect(requestFor(PLAIN))).missing[0]?.reason, 'down');
      assert.ok(observe.alarms.includes('raise engine-down clamd'));

      clamd = await startClamd();
      draft.engines.clamd.socket = clamd.socket; // as after a reload
      await awaitState(inspectors, 'antivirus', 'up');
      assert.deepEqual((await inspectors.inspect(requestFor(PLAIN))).missing, []);
      assert.ok(observe.alarms.includes('clear engine-down clamd'));
    });
  } finally {
    await clamd.stop();
    await rspamd.stop();
  }
});

test('an engine that is switched off is neither a finding nor missing', async () => {
  await withInspectors({}, async (inspectors) => {
    assert.equal(stateOf(inspectors, 'antivirus'), 'off');
    assert.equal(stateOf(inspectors, 'spam'), 'off');
    assert.deepEqual((await inspectors.inspect(requestFor(PLAIN))).missing, []);
  });
});

test('an engine that is not there yet is starting, and down when its time is over', async () => {
  const draft = settings((change) => {
    change.engines.clamd.enabled = true;
    change.engines.startingMs = 1_500;
  });
  const observe = recordingObserve();
  // the worker may be starting, too
  const antivirus = ({ missing }: Inspection): string[] =>
    missing.flatMap(({ inspector, reason }) => (inspector === 'antivirus' ? [reason] : []));
  await withInspectors({ settings: draft, observe, atOnce: true }, async (inspectors) => {
    const early = await inspectors.inspect(requestFor(PLAIN));
    assert.deepEqual(antivirus(early), ['starting']);
    await awaitState(inspectors, 'antivirus', 'down');
    assert.deepEqual(antivirus(await inspectors.inspect(requestFor(PLAIN))), ['down']);
    assert.ok(
      observe.alarms.includes('raise engine-starting clamd') && observe.alarms.includes('raise engine-down clamd'),
    );
  });
});

test('an engine that hangs: its share is missing by its own deadline, the others answer', async () => {
  await withFakeClamd(HANGING, async ({ socket }) => {
    const draft = settings((change) => {
      change.engines.clamd = { enabled: true, socket, timeoutMs: 400, concurrency: 2 };
    });
    await withInspectors({ settings: draft }, async (inspectors) => {
      await awaitState(inspectors, 'antivirus', 'up');
      await awaitState(inspectors, 'structure', 'up');
      const begin = performance.now();
      const inspection = await inspectors.inspect(requestFor(PLAIN));
      assert.ok(performance.now() - begin < 10_000);
      assert.deepEqual(
        inspection.missing.map(({ inspector, reason }) => [inspector, reason]),
        [['antivirus', 'timeout']],
      );
      assert.equal(of(inspection, 'summary').length, 1);
    });
  });
});

test('everything answers within the deadline of the message, whatever the engines are allowed', async () => {
  await withFakeClamd(HANGING, async ({ socket }) => {
    const draft = settings((change) => {
      change.engines.clamd = { enabled: true, socket, timeoutMs: 60_000, concurrency: 2 };
    });
    await withInspectors({ settings: draft }, async (inspectors) => {
      await awaitState(inspectors, 'antivirus', 'up');
      await awaitState(inspectors, 'structure', 'up');
      const begin = performance.now();
      const inspection = await inspectors.inspect(requestFor(PLAIN, { deadlineMs: 1_500 }));
      assert.ok(performance.now() - begin < 20_000, 'not the 60 s that clamd would be allowed');
      assert.ok(inspection.missing.some(({ inspector }) => inspector === 'antivirus'));
    });
  });
});

test('DNS that never answers costs authentication its certainty, not the structure its findings', async () => {
  const draft = settings((change) => {
    change.engines.inspect.timeoutMs = 6_000;
  });
  const never = {
    ...(await import('./support.ts')).fakeResolver({}),
    query: () => new Promise<never>(() => undefined),
  };
  await withInspectors({ settings: draft, resolver: never }, async (inspectors) => {
    await awaitState(inspectors, 'structure', 'up');
    const inspection = await inspectors.inspect(requestFor(PLAIN));
    assert.deepEqual(inspection.missing, []);
    assert.equal(of(inspection, 'spf')[0]?.result, 'temperror');
    assert.equal(of(inspection, 'dmarc')[0]?.result, 'temperror');
    assert.equal(of(inspection, 'summary').length, 1);
  });
});

test('a message beyond 2 MiB is inspected from a file and comes through unharmed: its signature verifies', async () => {
  const key = newKey();
  const body = 'x'.repeat(70) + '\r\n';
  const message = await signed(PLAIN + body.repeat(30_000), { key, domain: 'example.com' });
  await withInspectors({ zone: { 'test._domainkey.example.com': { TXT: key.record } } }, async (inspectors) => {
    const inspection = await inspectors.inspect(requestFor(message));
    assert.equal(of(inspection, 'dkim')[0]?.result, 'pass');
  });
});

test('a header beyond the limits is too complex and not authenticated', async () => {
  await withInspectors({}, async (inspectors) => {
    const fields = await inspectors.inspect(requestFor('X-A: 1\r\n'.repeat(1_200) + PLAIN));
    assert.equal(of(fields, 'structure')[0]?.problem, 'too-complex');
    // No result word is made up for what nobody looked at
    for (const kind of ['spf', 'dkim', 'dmarc', 'arc'] as const) assert.deepEqual(of(fields, kind), []);
    const results = { hostname: 'mx.office.example', findings: fields.findings, reversePath: 'taro@example.com' };
    assert.equal(composeAuthenticationResults(results), 'Authentication-Results: mx.office.example; none\r\n');
    const octets = await inspectors.inspect(requestFor(`X-A: ${'a'.repeat(300_000)}\r\n${PLAIN}`));
    assert.equal(of(octets, 'structure')[0]?.problem, 'too-complex');
    assert.deepEqual(of(octets, 'from'), [], 'the From lies beyond what was read: nobody says that there is none');
    assert.deepEqual(octets.missing, []);
  });
});

test('an empty message and other oddities are inspected without harm to the worker', async () => {
  await withInspectors({}, async (inspectors) => {
    for (const message of [
      '',
      '\r\n',
      '\r\n\r\n',
      'no header at all',
      '\0\0\0',
      'Content-Type: multipart/mixed\r\n\r\n--\r\n',
      'Content-Type: multipart/mixed; boundary=""\r\n\r\n----\r\n',
    ]) {
      const inspection = await inspectors.inspect(requestFor(message));
      assert.deepEqual(inspection.missing, [], JSON.stringify(message));
      assert.deepEqual(of(inspection, 'poison'), [], JSON.stringify(message));
    }
  });
});

test('forty messages at once through one worker all come back whole', async () => {
  await withInspectors({}, async (inspectors) => {
    const all = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        inspectors.inspect(requestFor(PLAIN.replace('<1@', `<${i}@`) + 'y'.repeat(i * 10_000))),
      ),
    );
    for (const [i, inspection] of all.entries()) {
      assert.deepEqual(inspection.missing, []);
      assert.equal(of(inspection, 'summary')[0]?.messageId, `<${i}@example.com>`);
    }
  });
});
