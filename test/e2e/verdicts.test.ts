import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eicarMail, gtubeMail, plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { inQuarantine, startWorld, type World } from './world.ts';

let world: World;
before(async () => {
  world = await startWorld({ clamd: true, rspamd: true });
});
after(() => world?.[Symbol.asyncDispose]());

const from = 'hanako@example.com';

test('a clean mail arrives octet for octet behind our trace fields', async () => {
  const bytes = plainMail({ messageId: 'clean.1@example.com' });
  const reply = await sendMail(world.gateway.mxPort, { from, to: 'clean@office.example', bytes });
  assert.equal(reply.code, 250, reply.text);
  const arrived = await arrivedFor('clean@office.example', 1);
  const got = arrived[0]?.bytes ?? Buffer.alloc(0);
  assert.ok(got.subarray(-bytes.length).equals(bytes), got.toString());
  const prefix = got.subarray(0, got.length - bytes.length).toString();
  assert.match(prefix, /^Received: from client\.example\.com/);
  assert.match(prefix, /^Authentication-Results: gw\.office\.example;[^]*spf=pass/m);
});

test('EICAR is refused in the session and reaches nobody', async () => {
  const reply = await sendMail(world.gateway.mxPort, { from, to: 'virus@office.example', bytes: eicarMail() });
  assert.ok(reply.code >= 550 && reply.code <= 554, `${reply.code} ${reply.text}`);
  assert.match(reply.text, /^5\.7\.\d /);
  assert.equal(forRecipient('virus@office.example').length, 0);
  assert.equal((await world.gateway.call('quarantine.list', { recipient: 'virus@office.example' })).total, 0);
});

test('GTUBE is refused in the session as spam', async () => {
  const reply = await sendMail(world.gateway.mxPort, { from, to: 'spam@office.example', bytes: gtubeMail() });
  assert.ok(reply.code >= 550 && reply.code <= 554, `${reply.code} ${reply.text}`);
  assert.match(reply.text, /^5\.7\.\d /);
  assert.equal(forRecipient('spam@office.example').length, 0);
});

test('a mail in the name of our own domain from outside is quarantined, and released by the CLI it arrives once', async () => {
  const bytes = plainMail({
    from: 'President <president@office.example>',
    subject: 'Urgent transfer',
    messageId: 'spoof.1@x',
  });
  const reply = await sendMail(world.gateway.mxPort, {
    from: 'boss@nospf.example',
    to: 'victim@office.example',
    bytes,
  });
  assert.equal(reply.code, 250, reply.text);
  const listed = await inQuarantine(world, 1, 'victim@office.example');
  assert.equal(listed.length, 1, JSON.stringify(listed));
  assert.equal(forRecipient('victim@office.example').length, 0);
  const id = listed[0]?.id ?? '';
  assert.match(JSON.stringify(listed[0]), /own-domain-from-outside/);

  const released = await world.gateway.cli('quarantine', 'release', id);
  assert.equal(released.code, 0, released.stderr + released.stdout);
  const arrived = await arrivedFor('victim@office.example', 1);
  assert.ok(arrived[0]?.bytes.subarray(-bytes.length).equals(bytes));

  await world.gateway.cli('quarantine', 'release', id); // says that it is done, and does nothing more
  const marker = await sendMail(world.gateway.mxPort, { from, to: 'after@office.example', bytes: plainMail() });
  assert.equal(marker.code, 250);
  await arrivedFor('after@office.example', 1);
  assert.equal(forRecipient('victim@office.example').length, 1, 'a second release delivered again');
});

test('an address of ours in the name of a stranger, proved as himself, never arrives unmarked', async () => {
  const name = Buffer.from('社長 <president@office.example>').toString('base64');
  const bytes = plainMail({
    from: `=?UTF-8?B?${name}?= <boss@example.com>`,
    to: 'bec@office.example',
    subject: 'Urgent transfer',
    messageId: 'bec.1@example.com',
  });
  const reply = await sendMail(world.gateway.mxPort, { from: 'boss@example.com', to: 'bec@office.example', bytes });
  assert.equal(reply.code, 250, reply.text);
  const stopped = async () =>
    (await world.gateway.call('quarantine.list', { recipient: 'bec@office.example' })).entries.length > 0;
  await until('the message, marked or kept back', { ms: 20_000 }, async () => {
    const [arrived] = forRecipient('bec@office.example');
    if (arrived === undefined) return (await stopped()) || undefined;
    const head = arrived.bytes.toString('latin1').split('\r\n\r\n', 1)[0] ?? '';
    assert.match(head, /^Subject: \[SPAM\] Urgent transfer$/m, head);
    return true;
  });
});

test('an unknown domain is not relayed, whatever the form of the address', async () => {
  for (const to of [
    'x@elsewhere.example',
    'x%elsewhere.example@other.example',
    '"x@elsewhere.example"@other.example',
  ]) {
    const reply = await sendMail(world.gateway.mxPort, { from, to, bytes: plainMail() });
    assert.ok(reply.code >= 500, `${to}: ${reply.code} ${reply.text}`);
  }
  assert.equal(world.outside.messages.length, 0);
});

test('the trace of a message tells where it went', async () => {
  const reply = await sendMail(world.gateway.mxPort, { from, to: 'trace@office.example', bytes: plainMail() });
  const id = /[0-9A-Z]{7}-[0-9A-Z]{13}/.exec(reply.text)?.[0] ?? '';
  assert.notEqual(id, '', `no queue id in "${reply.text}"`);
  await arrivedFor('trace@office.example', 1);
  const trace = await until('the trace to say delivered', { ms: 10_000 }, async () => {
    const text = JSON.stringify(await world.gateway.call('trace', { id }).catch(() => ''));
    return text.includes('delivered') ? text : undefined;
  });
  assert.match(trace, /trace@office\.example/);
});

function forRecipient(to: string): World['office']['messages'] {
  return world.office.messages.filter((message) => message.to.includes(to));
}

function arrivedFor(to: string, count: number): Promise<World['office']['messages']> {
  return until(`${count} messages for ${to}`, { ms: 20_000 }, () => {
    const found = forRecipient(to);
    return found.length >= count ? found : undefined;
  });
}
