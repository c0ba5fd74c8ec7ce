import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { bigMail, eicarMail, plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail, smtpConnect, stuffDots } from '../support/smtp-client.ts';
import { enginesUp, queueEmpty, startWorld, type World } from './world.ts';

let world: World;
before(async () => {
  world = await startWorld({ clamd: true });
  const engines = { ...world.config.engines, clamd: { ...world.config.engines?.clamd, timeoutMs: 1_500 } };
  await world.gateway.writeConfig({ ...world.config, engines, timeouts: { inspectionMs: 5_000 } });
  // engines are wired at the start, so this is a new life and not a reload
  await world.gateway.stop();
  await world.gateway.start();
  await enginesUp(world);
});
after(() => world?.[Symbol.asyncDispose]());
afterEach(async () => {
  clamd().resume();
  await clamd().start();
  await enginesUp(world);
  await queueEmpty(world);
});

const from = 'hanako@example.com';
const clamd = (): NonNullable<World['clamd']> => world.clamd ?? assert.fail('no clamd');

test('a clamd that hangs in mid-scan: mail is taken as incoming, nothing goes out uninspected, later all is judged', async () => {
  clamd().pause();
  const clean = await sendMail(world.gateway.mxPort, { from, to: 'late@office.example', bytes: plainMail() });
  assert.equal(clean.code, 250, clean.text);
  const virus = await sendMail(world.gateway.mxPort, { from, to: 'late-virus@office.example', bytes: eicarMail() });
  assert.ok(virus.code === 250 || virus.code === 451, virus.text);
  assert.equal(forRecipient('late@office.example').length, 0, 'delivered uninspected');
  const waiting = await world.gateway.call('queue.list', { state: 'incoming' });
  assert.ok(waiting.total >= 1, JSON.stringify(waiting));

  clamd().resume();
  await arrivedFor('late@office.example');
  await queueEmpty(world);
  assert.equal(forRecipient('late-virus@office.example').length, 0, 'a virus was delivered');
  if (virus.code === 250) {
    const { total } = await world.gateway.call('quarantine.list', { recipient: 'late-virus@office.example' });
    assert.equal(total, 1, 'what fails inspection after its 250 is quarantined, not bounced');
  }
});

test('a clamd that is down: 451 and an alarm, and mail again as soon as it is back', async () => {
  await clamd().stop();
  const codes: number[] = [];
  await until('a 451', { ms: 60_000, every: 200 }, async () => {
    const reply = await sendMail(world.gateway.mxPort, { from, to: 'down@office.example', bytes: plainMail() });
    codes.push(reply.code);
    return reply.code === 451 ? reply : undefined;
  });
  assert.ok(
    codes.every((code) => code === 250 || code === 451),
    codes.join(' '),
  );
  assert.equal(forRecipient('down@office.example').length, 0, 'delivered uninspected');
  assert.match(JSON.stringify(await world.gateway.call('alarms.list')), /engine-down/);

  await clamd().start();
  await until('a 250 again', { ms: 60_000, every: 200 }, async () => {
    const reply = await sendMail(world.gateway.mxPort, { from, to: 'up@office.example', bytes: plainMail() });
    return reply.code === 250 ? reply : undefined;
  });
  await arrivedFor('up@office.example');
  // what was taken meanwhile comes too
  const taken = codes.filter((code) => code === 250).length;
  await until('what was taken', { ms: 30_000 }, () => forRecipient('down@office.example').length >= taken || undefined);
  await until('the alarm to end', { ms: 30_000 }, async () =>
    JSON.stringify(await world.gateway.call('alarms.list')).includes('engine-down') ? undefined : true,
  );
});

test('a clamd killed in mid-scan: no 5xx, no uninspected delivery, no loss', async () => {
  clamd().pause();
  const client = await smtpConnect({ port: world.gateway.mxPort });
  const bytes = bigMail(3_000_000, { messageId: 'killed.1@example.com' });
  await client.command(`MAIL FROM:<${from}>`);
  await client.command('RCPT TO:<killed@office.example>');
  await client.command('DATA');
  client.write(stuffDots(bytes));
  const replied = client.reply();
  await clamd().child().kill();
  const reply = await replied;
  await client.quit();
  assert.ok(reply.code === 250 || reply.code === 451, `${reply.code} ${reply.text}`);
  assert.equal(forRecipient('killed@office.example').length, 0, 'delivered uninspected');
  await clamd().start();
  if (reply.code === 250) {
    const [arrived] = await arrivedFor('killed@office.example');
    assert.ok(arrived?.bytes.subarray(-bytes.length).equals(bytes));
  } else {
    await queueEmpty(world);
    assert.equal(forRecipient('killed@office.example').length, 0, 'refused and yet delivered');
  }
});

test('a DNS server that is silent: mail still passes, and nothing is called a failure that could not be asked', async () => {
  world.dns.pause();
  try {
    const reply = await sendMail(world.gateway.mxPort, { from, to: 'nodns@office.example', bytes: plainMail() });
    assert.ok(reply.code < 500, `${reply.code} ${reply.text}`);
    world.dns.resume();
    if (reply.code === 250) {
      const [arrived] = await arrivedFor('nodns@office.example');
      assert.ok(!/spf=fail|dkim=fail|dmarc=fail/.test(arrived?.bytes.toString() ?? ''));
    }
  } finally {
    world.dns.resume();
  }
});

function forRecipient(to: string): World['office']['messages'] {
  return world.office.messages.filter((message) => message.to.includes(to));
}

function arrivedFor(to: string): Promise<World['office']['messages']> {
  return until(`a message for ${to}`, { ms: 60_000 }, () => {
    const found = forRecipient(to);
    return found.length > 0 ? found : undefined;
  });
}
