import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { freePort } from '../support/net.ts';
import { plainMail } from '../support/mime-samples.ts';
import { sendMail, smtpConnect } from '../support/smtp-client.ts';
import { startWorld, type World } from './world.ts';

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world?.[Symbol.asyncDispose]());

const from = 'hanako@example.com';

test('a new configuration is taken while a session goes on, and rules the next one', async () => {
  const client = await smtpConnect({ port: world.gateway.mxPort });
  await client.command(`MAIL FROM:<${from}>`);
  await client.command('RCPT TO:<during@office.example>');

  const limits = { messageOctets: 1_234_567 };
  const domains = [
    ...(world.config.domains ?? []),
    { name: 'second.example', servers: world.config.domains?.[0]?.servers ?? [] },
  ];
  const widened = domains.map((domain) => ({ ...domain, recipients: { check: 'any' as const } }));
  await world.gateway.writeConfig({ ...world.config, limits, domains: widened });
  const changed = await world.gateway.call('config.reload');
  assert.ok(changed.ok, JSON.stringify(changed));

  assert.equal((await client.command('DATA')).code, 354);
  client.write(Buffer.concat([plainMail(), Buffer.from('.\r\n')]));
  const reply = await client.reply();
  assert.equal(reply.code, 250, reply.text);
  await client.quit();
  const next = await smtpConnect({ port: world.gateway.mxPort });
  const hello = await next.command('EHLO client.example.com');
  assert.match(hello.text, /^SIZE 1234567$/m);
  await next.quit();
  const second = await sendMail(world.gateway.mxPort, { from, to: 'x@second.example', bytes: plainMail() });
  assert.equal(second.code, 250, second.text);
  await world.office.received(2);
});

const bad: ReadonlyArray<[what: string, text: string, told: RegExp]> = [
  ['broken JSON', '{ "hostname": ', /line|JSON/i],
  ['an unknown key', '{ "hostnam": "x.example" }', /hostnam/],
  ['a value out of range', '{ "quarantine": { "days": 0 } }', /quarantine\.days/],
  ['thresholds that do not rise', '{ "policy": { "spam": { "tag": 9, "quarantine": 8 } } }', /policy\.spam/],
];
for (const [what, text, told] of bad) {
  test(`a configuration with ${what} is refused with its key, and the running one goes on`, async () => {
    const { generation } = await world.gateway.call('config.show', {});
    await world.gateway.writeConfig(text);
    const refused = await world.gateway.call('config.reload').then(
      (answer) => {
        assert.equal(answer.ok, false);
        return JSON.stringify(answer);
      },
      (error: unknown) => String(error),
    );
    assert.match(refused, told);
    assert.equal((await world.gateway.call('config.show', {})).generation, generation);
    const to = `${what.replaceAll(/\W/g, '-')}@office.example`;
    const reply = await sendMail(world.gateway.mxPort, { from, to, bytes: plainMail() });
    assert.equal(reply.code, 250, reply.text);
  });
}

test('a gateway whose file was spoiled while it ran starts again with the last good configuration', async () => {
  await world.gateway.writeConfig('{ "hostnam": 1 }');
  await world.gateway.stop();
  await world.gateway.start();
  const reply = await sendMail(world.gateway.mxPort, { from, to: 'again@office.example', bytes: plainMail() });
  assert.equal(reply.code, 250, reply.text);
});

test('a clean stop ends with code 0 and leaves a spool that needs no walk', async () => {
  await world.gateway.writeConfig(world.config);
  const { code } = await world.gateway.stop();
  assert.equal(code, 0);
  await world.gateway.start();
  const status = await world.gateway.call('status');
  assert.match(JSON.stringify(status), /"cleanStop":true/);
});

test('metrics are moved, opened and closed by a setting, without a restart; a port that is taken is refused', async () => {
  const { gateway } = world;
  const set = (metrics: object) => gateway.call('config.set', { path: 'metrics', value: metrics });
  const readable = async (port: number): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(10_000) }).then(
      async (answer) => answer.ok && (await answer.text()).includes('# TYPE'),
      () => false,
    );
  const [first, second] = [await freePort(), await freePort()];
  assert.ok((await set({ port: first })).ok);
  assert.equal(await readable(first), true);
  assert.ok((await set({ port: second })).ok);
  assert.deepEqual([await readable(first), await readable(second)], [false, true]);
  const taken = await set({ port: world.office.port }).then(
    ({ ok }) => String(ok),
    (error: unknown) => String(error),
  );
  assert.match(taken, /cannot listen/);
  assert.equal(await readable(second), true, 'the old one stands');
  assert.ok((await set({})).ok);
  assert.equal(await readable(second), false);
});
