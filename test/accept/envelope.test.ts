/** MAIL and RCPT over a real socket: who may send what to whom, and what of it is kept. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REPLY_FULL } from '../../src/mail/reply.ts';
import { configSchema } from '../../src/config/schema.ts';
import { type Bench, BASE_CONFIG, type Client, openBench } from './harness.ts';

async function rcpt(client: Client, path: string): Promise<string> {
  client.write(`RCPT TO:<${path}>\r\n`);
  return client.reply();
}

async function mail(client: Client, rest: string): Promise<string> {
  client.write(`MAIL FROM:${rest}\r\n`);
  return client.reply();
}

async function taken(bench: Bench): Promise<string[]> {
  return bench.pipeline.last.transaction.envelope.recipients.map((recipient) => recipient.address);
}

test('EHLO offers what we keep, and nothing else', async () => {
  await using bench = await openBench();
  const client = await bench.client();
  const offer = await client.command('EHLO client.example', 250);
  assert.deepEqual(offer.split('\n'), [
    '250-mx.office.example',
    '250-PIPELINING',
    '250-8BITMIME',
    '250-SMTPUTF8',
    '250-ENHANCEDSTATUSCODES',
    '250-DSN',
    '250-STARTTLS',
    '250 SIZE 52428800',
  ]);
});

test('the greeting and the replies carry our name and enhanced codes', async () => {
  await using bench = await openBench();
  const client = await bench.client({ greeting: false });
  assert.equal(await client.expect(220), '220 mx.office.example ESMTP');
  assert.equal(await client.command('HELO client.example', 250), '250 mx.office.example');
  assert.equal(await client.command('MAIL FROM:<a@example.com>', 250), '250 2.1.0 Sender accepted');
  assert.equal(await client.command('RCPT TO:<taro@office.example>', 250), '250 2.1.5 Recipient accepted');
  assert.match(await client.command('FOO', 500), /^500 5\.5\.2 /);
  assert.match(await client.command('NOOP', 250), /^250 2\.0\.0 /);
  assert.match(await client.command('RSET', 250), /^250 2\.0\.0 /);
  assert.match(await client.command('VRFY taro', 252), /^252 2\.5\.0 /);
  assert.match(await client.command('EXPN all', 502), /^502 5\.5\.1 /);
  assert.match(await client.command('AUTH PLAIN AGEAYQ==', 500), /^500 5\.5\.2 /);
  assert.match(await client.command('QUIT', 221), /^221 2\.0\.0 /);
});

test('commands out of order are 503', async () => {
  await using bench = await openBench();
  const client = await bench.client();
  assert.match(await client.command('MAIL FROM:<a@example.com>', 503), /^503 5\.5\.1 /);
  await client.command('EHLO x', 250);
  assert.match(await client.command('RCPT TO:<taro@office.example>', 503), /^503 5\.5\.1 /);
  assert.match(await client.command('DATA', 503), /^503 5\.5\.1 /);
  await client.command('MAIL FROM:<a@example.com>', 250);
  assert.match(await client.command('MAIL FROM:<b@example.com>', 503), /^503 5\.5\.1 /);
  assert.match(await client.command('DATA', 503), /No valid recipients/);
});

test('a pipelined transaction is answered in order', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  client.write(
    'MAIL FROM:<a@example.com>\r\nRCPT TO:<nobody@office.example>\r\nRCPT TO:<taro@office.example>\r\nDATA\r\n',
  );
  for (const code of [250, 550, 250, 354]) await client.expect(code);
  client.write('A: b\r\n\r\n.\r\nMAIL FROM:<b@example.com>\r\nQUIT\r\n');
  for (const code of [250, 250, 221]) await client.expect(code);
  assert.deepEqual(await taken(bench), ['taro@office.example']);
});

test('the transaction says who, how and from where', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.command('MAIL FROM:<Alice@Example.COM> SIZE=1000 BODY=8BITMIME SMTPUTF8', 250);
  await client.command('RCPT TO:<taro@Office.Example>', 250);
  await client.command('DATA', 354);
  client.write('A: b\r\n\r\n.\r\n');
  await client.expect(250);
  const { origin, envelope, announcedSize } = bench.pipeline.last.transaction;
  assert.deepEqual(envelope, {
    reversePath: 'Alice@example.com',
    recipients: [{ address: 'taro@office.example' }],
    smtpUtf8: true,
    eightBit: true,
  });
  assert.equal(announcedSize, 1000);
  const { sessionId, ...rest } = origin;
  assert.match(sessionId, /^[0-9a-v]{16,}$/);
  assert.deepEqual(rest, {
    direction: 'inbound',
    listener: 'mx',
    clientAddress: '127.0.0.1',
    helo: 'client.example',
    protocol: 'UTF8SMTP',
  });
});

test('parameters of a refused MAIL are forgotten', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  bench.pipeline.admission = (_origin, size) => (size === 5 ? REPLY_FULL : undefined);
  assert.equal(
    await mail(client, '<a@example.com> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x'),
    '452 4.3.1 Insufficient system storage, please try again later',
  );
  await client.send('A: b\r\n\r\n');
  const { envelope, announcedSize } = bench.pipeline.last.transaction;
  assert.deepEqual(envelope, {
    reversePath: 'alice@example.com',
    recipients: [{ address: 'taro@office.example' }],
    smtpUtf8: false,
    eightBit: false,
  });
  assert.equal(announcedSize, undefined);
});

test('RSET and EHLO forget the transaction', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  for (const command of ['RSET', 'EHLO again.example', 'HELO again.example']) {
    await client.envelope();
    await client.command(command, 250);
    await client.command('RCPT TO:<taro@office.example>', 503);
  }
});

for (const [rest, expected] of [
  ['<a@example.com> FOO=BAR', /^555 5\.5\.4 /],
  ['<a@example.com> REQUIRETLS', /^555 5\.5\.4 /],
  ['<a@example.com> MT-PRIORITY=3', /^555 5\.5\.4 /],
  ['<a@example.com> BY=120;R', /^555 5\.5\.4 /],
  ['<a@example.com> HOLDFOR=60', /^555 5\.5\.4 /],
  ['<a@example.com> AUTH=x', /^555 5\.5\.4 /],
  ['<a@example.com> SIZE=x', /^501 5\.5\.4 /],
  ['<a@example.com> SIZE=1 SIZE=2', /^501 5\.5\.4 /],
  ['<a@example.com> SIZE', /^501 5\.5\.4 /],
  ['<a@example.com> SIZE=52428801', /^552 5\.3\.4 /],
  ['<a@example.com> BODY=BINARYMIME', /^501 5\.5\.4 /],
  ['<a@example.com> SMTPUTF8=yes', /^501 5\.5\.4 /],
  ['a@example.com', /^501 5\.5\.4 /],
  ['<a@example.com', /^501 5\.5\.4 /],
  ['<a@example.com>SIZE=5', /^501 5\.5\.4 /],
  ['<a b@example.com>', /^553 5\.1\.7 /],
  ['<@route.example:a@example.com>', /^553 5\.1\.7 /],
  ['<a@-bad-.example>', /^553 5\.1\.7 /],
  ['<alice>', /^553 5\.1\.7 /],
  ['<a\x01b@example.com>', /^501 5\.5\.2 /],
  ['<a\x00b@example.com>', /^501 5\.5\.2 /],
  ['<a\xe2\x80\x8bb@example.com> SMTPUTF8', /^501 5\.5\.2 /],
  ['<\xff@example.com> SMTPUTF8', /^501 5\.5\.2 /],
  ['<\xe5\xb1\xb1@example.com>', /^553 5\.6\.7 /],
  ['<a@\xe6\x97\xa5.example>', /^553 5\.6\.7 /],
  ['<\xe5\xb1\xb1@example.com> SMTPUTF8', /^250 2\.1\.0 /],
  ['<a@\xe6\x97\xa5.example> SMTPUTF8', /^250 2\.1\.0 /],
  ['<>', /^250 2\.1\.0 /],
  [' <a@example.com>', /^250 2\.1\.0 /],
  ['<a..b@docomo.example>', /^250 2\.1\.0 /],
  ['<.abc.@docomo.example> BODY=7BIT', /^250 2\.1\.0 /],
  ['<"a > b"@example.com>', /^250 2\.1\.0 /],
  ['<a@[192.0.2.1]>', /^250 2\.1\.0 /],
] as const) {
  test(`MAIL FROM:${JSON.stringify(rest)} is answered ${expected.source}`, async () => {
    await using bench = await openBench();
    const client = await bench.hello();
    client.write(Buffer.from(`MAIL FROM:${rest}\r\n`, 'latin1'));
    assert.match(await client.reply(), expected);
    assert.equal(bench.events.length, expected.source.startsWith('^250') ? 0 : 1);
  });
}

for (const [path, expected] of [
  // ours
  ['taro@office.example', /^250 2\.1\.5 /],
  ['taro@OFFICE.example.', /^250 2\.1\.5 /],
  ['a..b.@office.example', /^250 2\.1\.5 /],
  ['"taro yamada"@office.example', /^250 2\.1\.5 /],
  ['taro@xn--wgv71a119e.example', /^250 2\.1\.5 /],
  ['postmaster', /^250 2\.1\.5 /],
  ['PostMaster', /^250 2\.1\.5 /],
  ['abuse', /^250 2\.1\.5 /],
  // the directory's word
  ['nobody@office.example', /^550 5\.1\.1 /],
  ['unsure@office.example', /^450 4\.4\.3 /],
  ['unsure@soft.example', /^250 2\.1\.5 /],
  ['bug@office.example', /^451 4\.3\.0 /],
  // not ours, in every known spelling
  ['x@elsewhere.example', /^550 5\.7\.1 .*relay denied/],
  ['x%elsewhere.example@office.example', /^550 5\.7\.1 /],
  ['"x%elsewhere.example"@office.example', /^550 5\.7\.1 /],
  ['@office.example:x@elsewhere.example', /^550 5\.7\.1 /],
  ['@elsewhere.example:taro@office.example', /^550 5\.7\.1 /],
  ['@office.example,@other.example:x@elsewhere.example', /^550 5\.7\.1 /],
  ['x@elsewhere.example@office.example', /^550 5\.7\.1 /],
  ['"x@elsewhere.example"@office.example', /^550 5\.7\.1 /],
  ['"x"@elsewhere.example@office.example', /^550 5\.7\.1 /],
  ['elsewhere.example!x@office.example', /^550 5\.7\.1 /],
  ['office.example!x', /^553 5\.1\.3 /],
  ['x@[127.0.0.1]', /^550 5\.7\.1 /],
  ['x@office.example.elsewhere.example', /^550 5\.7\.1 /],
  ['x@elsewhere.example.', /^550 5\.7\.1 /],
  ['taro', /^553 5\.1\.3 /],
  ['', /^553 5\.1\.3 /],
  ['x@office.example ', /^553 5\.1\.3 /],
  ['x@office.example\x7f', /^501 5\.5\.2 /],
  ['x@@office.example', /^550 5\.7\.1 /],
] as const) {
  test(`RCPT TO:<${JSON.stringify(path).slice(1, -1)}> on the MX listener is answered ${expected.source}`, async () => {
    await using bench = await openBench();
    const client = await bench.hello();
    await client.command('MAIL FROM:<>', 250);
    assert.match(await rcpt(client, path), expected);
    const [event] = bench.events;
    if (expected.source.startsWith('^250')) assert.equal(event, undefined);
    else assert.equal(event?.event === 'refused' && event.stage, 'rcpt');
  });
}

test('our own domain as sender opens nothing', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.command('MAIL FROM:<taro@office.example>', 250);
  await client.command('RCPT TO:<x@elsewhere.example>', 550);
});

test('bare postmaster and abuse become addresses of the first relay domain, and nobody is asked', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.send('A: b\r\n\r\n', {
    to: ['postmaster', 'abuse', 'Postmaster@soft.example', 'abuse@xn--wgv71a119e.example'],
  });
  assert.deepEqual(await taken(bench), [
    'postmaster@office.example',
    'abuse@office.example',
    'Postmaster@soft.example',
    'abuse@xn--wgv71a119e.example',
  ]);
  assert.deepEqual(bench.directory.asked, []);
});

test('a recipient said twice is one recipient; elsewhere case may matter', async () => {
  await using bench = await openBench({ listener: 'relay' });
  const client = await bench.hello();
  await client.send('A: b\r\n\r\n', {
    to: ['taro@office.example', 'TARO@office.example', 'x@example.net', 'X@example.net', 'x@EXAMPLE.net'],
  });
  assert.deepEqual(await taken(bench), ['taro@office.example', 'x@example.net', 'X@example.net']);
});

test('recipients in U-labels need SMTPUTF8 and are kept as A-labels', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.command('MAIL FROM:<a@example.com>', 250);
  assert.match(await client.command('RCPT TO:<taro@日本語.example>', 553), /^553 5\.6\.7 /);
  await client.command('RSET', 250);
  await client.command('MAIL FROM:<a@example.com> SMTPUTF8', 250);
  await client.command('RCPT TO:<太郎@日本語.example>', 250);
  await client.command('DATA', 354);
  client.write('A: b\r\n\r\n.\r\n');
  await client.expect(250);
  assert.deepEqual(await taken(bench), ['太郎@xn--wgv71a119e.example']);
});

test('RCPT parameters that were not offered are 555', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.command('MAIL FROM:<a@example.com>', 250);
  assert.match(await client.command('RCPT TO:<taro@office.example> RRVS=2014-04-03T23:01:00Z', 555), /^555 5\.5\.4 /);
  assert.match(await client.command('RCPT TO:<taro@office.example> SIZE=5', 555), /^555 5\.5\.4 /);
});

test('the relay listener sends anywhere for its networks, always outbound', async () => {
  await using bench = await openBench({ listener: 'relay' });
  const client = await bench.hello();
  await client.send('A: b\r\n\r\n', { to: ['x@example.net', 'taro@office.example', 'a%b@example.net'] });
  assert.equal(bench.pipeline.last.transaction.origin.direction, 'outbound');
  assert.equal(bench.pipeline.last.transaction.origin.listener, 'relay');
  assert.deepEqual(await taken(bench), ['x@example.net', 'taro@office.example', 'a%b@example.net']);
});

test('the relay listener refuses strangers at connect', async () => {
  await using bench = await openBench({
    listener: 'relay',
    config: { listeners: { relay: { networks: ['10.0.0.0/8'] } } },
  });
  const client = await bench.client({ greeting: false });
  assert.match(await client.reply(), /^554 5\.7\.1 /);
  assert.ok(await client.hungUp());
  assert.equal(bench.events[0]?.event === 'refused' && bench.events[0].stage, 'connect');
});

test('a reload is seen by the next transaction of an open session', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.command('MAIL FROM:<a@example.com>', 250);
  bench.config = configSchema.parse({
    ...BASE_CONFIG,
    domains: [{ name: 'new.example', servers: [{ host: '192.0.2.1' }] }],
  });
  await client.command('RCPT TO:<taro@office.example>', 250); // one transaction sees one configuration
  await client.command('RSET', 250);
  await client.command('MAIL FROM:<a@example.com>', 250);
  await client.command('RCPT TO:<taro@office.example>', 550);
  await client.command('RCPT TO:<taro@new.example>', 250);
});

test('admits() that throws is 451', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  bench.pipeline.admission = () => {
    throw new TypeError('A bug');
  };
  assert.match(await client.command('MAIL FROM:<a@example.com>', 451), /^451 4\.3\.0 /);
});

test('a directory that hangs is 451 in time', async () => {
  await using bench = await openBench({ timing: { recipientMs: 50 } });
  const client = await bench.hello();
  bench.directory.check = () => new Promise(() => undefined);
  await client.command('MAIL FROM:<a@example.com>', 250);
  assert.match(await client.command('RCPT TO:<taro@office.example>', 451), /^451 4\.3\.0 /);
});
