import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { enterOwnNetwork, outsideAddress, outsideAddress6 } from '../support/own-network.ts';
import { type ArrivedMessage, type Postfix, startPostfix } from '../support/peers.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { type SmtpSink, type SunkMessage, startSmtpSink } from '../support/smtp-sink.ts';
import { assertUnchanged, peerSample, SHAPES } from './peer-samples.ts';
import { startWorld, type World } from './world.ts';

enterOwnNetwork();

const from = 'suzuki@office.example';
/** Mail servers of the world outside: port 25 of addresses of their own. */
const [reliable, busy, nobodyThere] = [outsideAddress(1), outsideAddress(2), outsideAddress(3)];
const RECORDS = [
  `mx.reliable.example. 300 IN A ${reliable}`,
  `mx.busy.example. 300 IN A ${busy}`,
  `mx.dead.example. 300 IN A ${nobodyThere}`,
  'single.example. 300 IN MX 10 mx.reliable.example.',
  'second.example. 300 IN MX 10 mx.busy.example.',
  'failover.example. 300 IN MX 10 mx.dead.example.',
  'failover.example. 300 IN MX 20 mx.reliable.example.',
  'crowded.example. 300 IN MX 10 mx.busy.example.',
  'crowded.example. 300 IN MX 20 mx.reliable.example.',
  `implicit.example. 300 IN A ${reliable}`,
  // IPv6: one that is there, one that no route leads to
  `mx.six.example. 300 IN AAAA ${outsideAddress6(6)}`,
  'six.example. 300 IN MX 10 mx.six.example.',
  'mx.both.example. 300 IN AAAA 2001:db8:dead::1',
  `mx.both.example. 300 IN A ${reliable}`,
  'both.example. 300 IN MX 10 mx.both.example.',
  'nullmx.example. 300 IN MX 0 .',
  `nullmx.example. 300 IN A ${reliable}`,
  'circle.example. 300 IN MX 10 gw.office.example.',
  'circle.example. 300 IN MX 20 mx.reliable.example.',
  // an MX of ours under another name
  'alias.example. 300 IN MX 10 mx.alias.example.',
  'mx.alias.example. 300 IN A 127.0.0.1',
];

let world: World;
let office: Postfix;
let outside: SmtpSink;
let crowded: SmtpSink;
let six: SmtpSink;
before(async () => {
  outside = await startSmtpSink({ address: reliable, port: 25 });
  crowded = await startSmtpSink({ address: busy, port: 25 });
  six = await startSmtpSink({ address: '::', port: 25 });
  world = await startWorld({
    records: RECORDS,
    config: { outbound: {} },
    officePort: async (dir) => {
      office = await startPostfix({ dir, name: 'office', recipients: [from] });
      return office.port;
    },
  });
  await office.stop();
  const relayhost = `[127.0.0.1]:${world.gateway.relayPort}`;
  await office.configure({ relayhost, smtp_tls_security_level: 'may' });
  await office.start();
});
after(async () => {
  await office?.stop();
  await world?.[Symbol.asyncDispose]();
  await crowded?.[Symbol.asyncDispose]();
  await six?.[Symbol.asyncDispose]();
  await outside?.[Symbol.asyncDispose]();
});

for (const shape of SHAPES) {
  test(`the office's Postfix sends ${shape} to the MX of a domain outside, octet for octet`, async () => {
    const arrived = await arrivedAt(outside, await submit(['friend@single.example'], shape));
    assert.deepEqual([arrived.from, arrived.to], [from, ['friend@single.example']]);
  });
}

test('one message to two domains goes to the mail server of each, with its own recipient only', async () => {
  const sent = await submit(['first@single.example', 'second@second.example']);
  assert.deepEqual((await arrivedAt(outside, sent)).to, ['first@single.example']);
  assert.deepEqual((await arrivedAt(crowded, sent)).to, ['second@second.example']);
});

test('old mobile addresses with two dots, or a dot before the @, go out through the office Postfix and come in to it', async () => {
  const old = ['a..b@single.example', 'abc.@single.example'];
  // Postfix would write the header's addresses anew, quoted
  const sent = await submit(old, 'plain', 'undisclosed@single.example');
  const arrived = await arrivedAt(outside, sent);
  assert.deepEqual(arrived.to.map((address) => address.replaceAll('"', '')).toSorted(), old);
  const answer = peerSample('plain', { by: 'old-mobile', to: from });
  const reply = await sendMail(world.gateway.mxPort, { from: 'a..b@example.com', to: from, bytes: answer.bytes });
  assert.equal(reply.code, 250, reply.text);
  const back = await until<ArrivedMessage>('the answer', { ms: 15_000 }, async () =>
    (await office.messages(from)).find((one) => one.bytes.includes(answer.id)),
  );
  assert.equal(back.returnPath.replaceAll('"', ''), 'a..b@example.com');
});

test('a domain without MX has its mail at its own address', async () => {
  await arrivedAt(outside, await submit(['friend@implicit.example']));
});

test('where nobody listens at the best MX the next one has the mail, at once', async () => {
  const sent = await submit(['friend@failover.example']);
  assert.deepEqual((await arrivedAt(outside, sent)).to, ['friend@failover.example']);
});

test('where the best MX greets with 421 the next one has the mail', async () => {
  const before = crowded.sessions();
  crowded.script = { greeting: () => '421 4.3.2 Too busy' };
  const sent = await submit(['friend@crowded.example']);
  await arrivedAt(outside, sent);
  crowded.script = {};
  assert.ok(crowded.sessions() > before, 'the best one was never asked');
});

test('a mail server that has IPv6 only has the mail by IPv6', async () => {
  const sent = await submit(['friend@six.example']);
  assert.deepEqual((await arrivedAt(six, sent)).to, ['friend@six.example']);
});

test('where IPv6 leads nowhere the same server has the mail by IPv4, at once', async () => {
  const sent = await submit(['friend@both.example']);
  assert.deepEqual((await arrivedAt(outside, sent)).to, ['friend@both.example']);
});

test('a domain that takes no mail (null MX) is never connected to, and the sender reads so', async () => {
  await submit(['friend@nullmx.example']);
  const text = await noticeAbout('friend@nullmx.example');
  assert.match(text, /^Action: failed/im);
  assert.match(text, /^Status: 5\.1\.10/im);
  assert.ok(!outside.messages.some((one) => one.to.includes('friend@nullmx.example')));
});

test('a domain that does not exist comes back to the sender', async () => {
  await submit(['friend@nowhere.example']);
  assert.match(await noticeAbout('friend@nowhere.example'), /^Status: 5\.1\.2/im);
});

for (const [domain, how] of [
  ['circle.example', 'by its name'],
  ['alias.example', 'by its address'],
] as const) {
  test(`mail for a domain whose best MX is the gateway itself, ${how}, comes back and does not circle`, async () => {
    await submit([`friend@${domain}`]);
    assert.match(await noticeAbout(`friend@${domain}`), /^Status: 5\.4\.6/im);
  });
}

test('what a mail server outside refuses comes back with its words, and a DSN never goes out', async () => {
  outside.script = { rcpt: (to) => (to.startsWith('gone@') ? '550 5.1.1 He left us in spring' : undefined) };
  await submit(['gone@single.example']);
  assert.match(await noticeAbout('gone@single.example'), /He left us in spring/);
  outside.script = {};
  assert.ok(![...outside.messages, ...crowded.messages].some((one) => one.from === ''));
});

test('a domain whose DNS is broken waits: nothing comes back, nothing is lost', async () => {
  await submit(['friend@broken.example']);
  const entry = await until('an attempt', { ms: 20_000 }, async () => {
    const { entries } = await world.gateway.call('queue.list', { state: 'all' });
    return entries.find(
      (one) => JSON.stringify(one).includes('friend@broken.example') && /4\.4\.3/.test(JSON.stringify(one)),
    );
  });
  assert.ok(entry !== undefined);
  const notices = (await office.messages(from)).filter((one) => one.bytes.includes('friend@broken.example'));
  assert.equal(notices.length, 0);
});

let sentSoFar = 0;

/** As a colleague does it: the office's own server takes it and relays it to the gateway. */
async function submit(
  to: string[],
  shape: (typeof SHAPES)[number] = 'plain',
  headerTo = to.join(', '),
): Promise<{ id: string; bytes: Buffer }> {
  sentSoFar += 1;
  const sample = peerSample(shape, { by: `outward-${sentSoFar}`, to: headerTo });
  const reply = await sendMail(office.port, { from, to, bytes: sample.bytes });
  assert.equal(reply.code, 250, reply.text);
  return sample;
}

async function arrivedAt(sink: SmtpSink, sent: { id: string; bytes: Buffer }): Promise<SunkMessage> {
  const arrived = await until(`"${sent.id}" outside`, { ms: 15_000 }, () =>
    sink.messages.find((one) => one.bytes.includes(sent.id)),
  ).catch(async (error: unknown) => {
    const queue = JSON.stringify(await world.gateway.call('queue.list', { state: 'all' }));
    const notices = (await office.messages(from)).map((one) => one.bytes.toString('latin1'));
    throw new Error(`It is not outside; queue: ${queue}\n${notices.at(-1) ?? ''}`, { cause: error });
  });
  assertUnchanged(arrived.bytes, sent.bytes);
  return arrived;
}

/** The DSN in the sender's own mailbox. */
async function noticeAbout(recipient: string): Promise<string> {
  const notice = await until<ArrivedMessage>(`a DSN about ${recipient}`, { ms: 20_000 }, async () =>
    (await office.messages(from)).find((one) => one.bytes.includes(`rfc822; ${recipient}`)),
  );
  assert.equal(notice.returnPath, '');
  return notice.bytes.toString('latin1');
}
