import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { bigMail, plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail, smtpConnect } from '../support/smtp-client.ts';
import { queueEmpty, startWorld, type World } from './world.ts';

let world: World;
before(async () => {
  // one at a time, so that "oldest first" can be told from the order of arrival
  const delivery = { retryMs: [400, 800], probeMs: 300, concurrencyPerHop: 1 };
  world = await startWorld({ config: { delivery } });
});
after(() => world?.[Symbol.asyncDispose]());
afterEach(() => {
  world.office.script = {};
});

const from = 'hanako@example.com';

test('mail is kept while the mail server is stopped, and drained at once in order when it is back', async () => {
  await world.office.stop();
  const client = await smtpConnect({ port: world.gateway.mxPort });
  const ids = Array.from({ length: 20 }, (_, index) => `stopped.${index}@example.com`);
  for (const messageId of ids) {
    const reply = await client.send({ from, to: 'queue@office.example', bytes: plainMail({ messageId }) });
    assert.equal(reply.code, 250, reply.text);
  }
  await client.quit();
  const status = await world.gateway.call('queue.list', { state: 'all' });
  assert.equal(status.total, 20, JSON.stringify(status));
  assert.equal(world.office.messages.length, 0);

  const back = performance.now();
  await world.office.start();
  const arrived = await world.office.received(20);
  assert.ok((arrived[0]?.at ?? Infinity) - back < 15_000, 'the first mail waited although the server was back');
  assert.deepEqual(
    arrived.map((message) => messageIdOf(message.bytes)),
    ids,
  );
  await queueEmpty(world);
});

test('a line cut in DATA costs nothing: the mail arrives whole, once', async () => {
  let cuts = 0;
  world.office.script = {
    inData: {
      after: 200_000,
      answer: () => {
        cuts += 1;
        return cuts <= 2 ? 'cut' : undefined;
      },
    },
  };
  const bytes = bigMail(1_000_000, { messageId: 'cut.1@example.com' });
  const reply = await sendMail(world.gateway.mxPort, { from, to: 'cut@office.example', bytes });
  assert.equal(reply.code, 250, reply.text);
  const arrived = await arrivedFor('cut@office.example');
  assert.ok(cuts >= 2);
  assert.ok(arrived[0]?.bytes.subarray(-bytes.length).equals(bytes));
  await queueEmpty(world);
  assert.equal(forRecipient('cut@office.example').length, 1);
});

test('a line cut behind the final dot costs at most one more copy', async () => {
  let cuts = 0;
  let swallowed = 0;
  world.office.script = {
    dot: (message) => {
      if (!message.to.includes('dot@office.example') || cuts > 0) return undefined;
      cuts += 1;
      swallowed += 1; // a server that took the mail and died before it could say so
      return 'cut';
    },
  };
  const reply = await sendMail(world.gateway.mxPort, { from, to: 'dot@office.example', bytes: plainMail() });
  assert.equal(reply.code, 250, reply.text);
  await arrivedFor('dot@office.example');
  await queueEmpty(world);
  assert.equal(forRecipient('dot@office.example').length + swallowed, 2);
});

test('4xx at RCPT is tried again until it passes', async () => {
  let tries = 0;
  world.office.script = {
    rcpt: (to) => {
      if (to !== 'grey@office.example') return undefined;
      tries += 1;
      return tries <= 2 ? '450 4.2.0 Greylisted' : undefined;
    },
  };
  const reply = await sendMail(world.gateway.mxPort, { from, to: 'grey@office.example', bytes: plainMail() });
  assert.equal(reply.code, 250, reply.text);
  await arrivedFor('grey@office.example');
  assert.equal(tries, 3);
});

test('a recipient refused with 5xx brings a DSN to a verified sender, and the others their mail', async () => {
  world.office.script = {
    rcpt: (to) => (to === 'gone@office.example' ? '550 5.1.1 No such mailbox' : undefined),
  };
  const bytes = plainMail({ messageId: 'refused.1@example.com', subject: 'To one who left' });
  const to = ['gone@office.example', 'here@office.example'];
  const reply = await sendMail(world.gateway.mxPort, { from, to, bytes });
  assert.equal(reply.code, 250, reply.text);
  await arrivedFor('here@office.example');
  const dsn = await until('a DSN', { ms: 20_000 }, () => world.outside.messages.find((one) => one.to.includes(from)));
  assert.equal(dsn.from, '');
  const text = dsn.bytes.toString('latin1');
  assert.match(text, /^Content-Type: multipart\/report;[^]*report-type="?delivery-status/im);
  assert.match(text, /^Final-Recipient: rfc822; ?gone@office\.example/im);
  assert.match(text, /^Action: failed/im);
  assert.match(text, /^Status: 5\.1\.1/im);
  assert.match(text, /No such mailbox/);
  assert.ok(!/^Final-Recipient: rfc822; ?here@/im.test(text));
});

test('a recipient refused with 5xx brings nothing to an unverified sender: the mail is held and an alarm says so', async () => {
  world.office.script = { rcpt: () => '550 5.1.1 No such mailbox' };
  const stranger = 'stranger@nospf.example';
  const bytes = plainMail({ from: stranger, messageId: 'stranger.1@nospf.example' });
  const before = world.outside.messages.length;
  const reply = await sendMail(world.gateway.mxPort, { from: stranger, to: 'nobody@office.example', bytes });
  assert.equal(reply.code, 250, reply.text);
  await until('the mail to be held', { ms: 20_000 }, async () =>
    (await world.gateway.call('queue.list', { state: 'held' })).total > 0 ? true : undefined,
  );
  await until('the alarm', { ms: 20_000 }, async () =>
    JSON.stringify(await world.gateway.call('alarms.list')).includes('undeliverable') ? true : undefined,
  );
  assert.equal(world.outside.messages.length, before, 'backscatter');
});

function messageIdOf(bytes: Buffer): string {
  return /^Message-ID: <(.*)>\r$/m.exec(bytes.toString('latin1'))?.[1] ?? '';
}

function forRecipient(to: string): World['office']['messages'] {
  return world.office.messages.filter((message) => message.to.includes(to));
}

function arrivedFor(to: string): Promise<World['office']['messages']> {
  return until(`a message for ${to}`, { ms: 20_000 }, () => {
    const found = forRecipient(to);
    return found.length > 0 ? found : undefined;
  });
}
