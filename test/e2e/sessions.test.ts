import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { smtpSource } from '../support/peers.ts';
import { type DebianSink, startDebianSink } from '../support/smtp-tools.ts';
import { queueEmpty, startWorld, type World } from './world.ts';

let world: World;
let sink: DebianSink;
before(async () => {
  world = await startWorld({
    officePort: async (dir) => {
      sink = await startDebianSink({ dir });
      return sink.port;
    },
  });
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
  await sink?.[Symbol.asyncDispose]();
});

test('of four hundred messages of smtp-source in two hundred sessions at once smtp-sink has each, once', async () => {
  const run = await smtpSource({
    port: world.gateway.mxPort,
    from: 'hanako@example.com',
    to: 'suzuki@office.example',
    messages: 400,
    sessions: 200,
    octets: 10_000,
    ms: 300_000,
  });
  assert.equal(run.code, 0, run.output);
  const arrived = await sink.received(400, { ms: 60_000 });
  await queueEmpty(world);
  assert.equal((await sink.messages()).length, 400, 'one came twice');
  const ids = arrived.map((text) => /^Message-Id: (.*)$/im.exec(text)?.[1]);
  assert.equal(new Set(ids).size, 400);
  for (const text of arrived) assert.ok(text.length > 10_000, 'one is cut short');
  assert.deepEqual(world.gateway.noise, []);
});
