/** The box's mail to itself: by port 25, through real clamd and rspamd, out by delivery; and what it says when a part is missing. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { startWorld, type World } from './world.ts';

let world: World;
before(async () => {
  // an owner whose rules would let no stranger's mail through
  const policy = { spam: { tag: 0.1, quarantine: 0.2, reject: 0.3 } };
  world = await startWorld({ clamd: true, rspamd: true, config: { policy } });
});
after(() => world?.[Symbol.asyncDispose]());

async function figures(): Promise<{ groups: number; received: string | undefined }> {
  const now = Date.now();
  const range = { from: now - 3_600_000, to: now + 60_000, step: 3_600_000 };
  const { groups } = await callAsAdmin(range);
  const { text } = await world.gateway.call('metrics.text');
  return {
    groups: groups.reduce((sum, { messages }) => sum + messages, 0),
    received: /^sekisho_events_total\{event="received"\} (\d+)/m.exec(text)?.[1],
  };
}

async function callAsAdmin(range: {
  from: number;
  to: number;
  step: number;
}): Promise<{ groups: Array<{ messages: number }> }> {
  const { createControlClient } = await import('../../src/control/client.ts');
  return createControlClient({ socket: `${world.gateway.dataFolder}/run/admin.sock` }).call('history.report', range);
}

test('a probe enters by the MX port, is seen by both engines and leaves by delivery', async () => {
  const probe = await world.gateway.call('probe.run');
  assert.deepEqual(
    probe.steps.map(({ name, ok }) => [name, ok]),
    [
      ['entered', true],
      ['inspected', true],
      ['left', true],
    ],
    JSON.stringify(probe),
  );
  assert.equal(probe.ok, true);
  const trace = await until('the trail to end', { ms: 10_000 }, async () => {
    const found = await world.gateway.call('trace', { id: probe.id ?? '' });
    return JSON.stringify(found).includes('delivered') ? found : undefined;
  });
  assert.match(JSON.stringify(trace), /probe\.sekisho\.invalid/);
  assert.equal(world.office.messages.length, 0);
  assert.equal(world.outside.messages.length, 0);
});

test('a probe stands in the history and not in statistics', async () => {
  await until('the probe in the history', { ms: 10_000 }, async () => {
    const { entries } = await world.gateway.call('history.search', { text: 'Probe of the way' });
    return entries.length > 0 ? true : undefined;
  });
  assert.deepEqual(await figures(), { groups: 0, received: undefined });
});

test('nobody else gets mail into the domain of probes', async () => {
  const reply = await sendMail(world.gateway.mxPort, {
    from: 'hanako@example.com',
    to: `${'0'.repeat(32)}@probe.sekisho.invalid`,
    bytes: plainMail({ subject: 'Let me in', messageId: 'stranger.1@example.com' }),
  });
  assert.equal(reply.code, 550, reply.text);
});

test('with clamd stopped the probe fails and says so', async () => {
  await world.clamd?.stop();
  const probe = await world.gateway.call('probe.run');
  assert.equal(probe.ok, false, JSON.stringify(probe));
  assert.ok(probe.steps.length > 0 && probe.steps.some(({ ok }) => !ok));
});
