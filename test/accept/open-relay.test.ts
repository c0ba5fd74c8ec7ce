/** No open relay, in any form that some server somewhere reads as "pass it on": every form from every sender, both listeners. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBench } from './harness.ts';

/** The victim is at elsewhere.example, we are office.example. */
const FORMS = [
  // plain, and its disguises
  'victim@elsewhere.example',
  'victim@ELSEWHERE.EXAMPLE',
  'victim@elsewhere.example.',
  '"victim"@elsewhere.example',
  'victim@office.example.elsewhere.example',
  'victim@office.example@elsewhere.example',
  // percent hack
  'victim%elsewhere.example@office.example',
  'victim%elsewhere.example%office.example@office.example',
  'victim%elsewhere.example@[127.0.0.1]',
  'victim%elsewhere.example',
  'victim%[192.0.2.99]@office.example',
  // quoted
  '"victim@elsewhere.example"@office.example',
  '"victim%elsewhere.example"@office.example',
  '"victim@elsewhere.example"',
  '"elsewhere.example!victim"@office.example',
  '"victim\\@elsewhere.example"@office.example',
  // source routes
  '@office.example:victim@elsewhere.example',
  '@office.example,@mx.office.example:victim@elsewhere.example',
  '@elsewhere.example:taro@office.example',
  '@[127.0.0.1]:victim@elsewhere.example',
  // two and more @
  'victim@elsewhere.example@office.example',
  'victim@elsewhere.example@[127.0.0.1]',
  'victim@@office.example',
  '"x"@elsewhere.example@office.example',
  // UUCP
  'elsewhere.example!victim',
  'elsewhere.example!victim@office.example',
  'office.example!elsewhere.example!victim@office.example',
  'elsewhere.example!victim@[127.0.0.1]',
  'victim@elsewhere.example!office.example',
  // address literals
  'victim@[192.0.2.99]',
  'victim@[127.0.0.1]',
  'victim@[IPv6:2001:db8::1]',
  'victim@2130706433',
  'victim@192.0.2.99',
  // odd localparts with our domain behind a zero-width or encoded friend
  'victim@elsewhere.example,office.example',
  'victim@elsewhere.example;office.example',
  'victim@office.example:elsewhere.example',
  'victim@elsewhere.example#office.example',
];
const SENDERS = ['', 'spammer@elsewhere.example', 'taro@office.example', 'postmaster@office.example', 'x@[127.0.0.1]'];

test('there are more than thirty forms', () => {
  assert.ok(new Set(FORMS).size > 30);
});

for (const form of FORMS) {
  test(`RCPT TO:<${form}> is refused for good on the MX listener, whoever the sender says he is`, async () => {
    await using bench = await openBench({ config: { limits: { errorsPerSession: 50 } } });
    const client = await bench.hello();
    for (const sender of SENDERS) {
      await client.command(`MAIL FROM:<${sender}>`, 250);
      client.write(`RCPT TO:<${form}>\r\n`);
      assert.match(await client.reply(), /^5(?:50|53|01) 5\.\d/);
      await client.command('DATA', 503);
      await client.command('RSET', 250);
    }
    assert.deepEqual(bench.directory.asked, []); // nor does the office's server hear of it
    assert.equal(bench.pipeline.messages.length, 0);
  });
}

test('full-width and small forms of the marks are the marks: a server that folds names would unpack them', async () => {
  await using bench = await openBench({ config: { limits: { errorsPerSession: 50 } } });
  const client = await bench.hello();
  await client.command('MAIL FROM:<x@elsewhere.example> SMTPUTF8', 250);
  for (const mark of ['\uff05', '\ufe6a', '\uff20', '\ufe6b', '\uff01'])
    await client.command(`RCPT TO:<victim${mark}elsewhere.example@office.example>`, 550);
  assert.deepEqual(bench.directory.asked, []);
  await client.command('RCPT TO:<\u5c71\u7530\uff1f@office.example>', 250);
});

test('the relay listener takes none of the forms from a stranger, not even a word', async () => {
  await using bench = await openBench({
    listener: 'relay',
    config: { listeners: { relay: { networks: ['198.51.100.0/24'] } } },
  });
  for (const form of FORMS) {
    const client = await bench.client({ greeting: false });
    client.write(`EHLO x\r\nMAIL FROM:<taro@office.example>\r\nRCPT TO:<${form}>\r\nDATA\r\n`);
    assert.match(await client.reply(), /^554 5\.7\.1 /);
    assert.ok(await client.hungUp());
  }
  assert.equal(bench.pipeline.messages.length, 0);
});

test('from the office itself no form is unpacked: what is taken names one mailbox, as it was said', async () => {
  await using bench = await openBench({ listener: 'relay', config: { limits: { errorsPerSession: 99 } } });
  const client = await bench.hello();
  await client.command('MAIL FROM:<taro@office.example>', 250);
  const taken: string[] = [];
  for (const form of FORMS) {
    client.write(`RCPT TO:<${form}>\r\n`);
    const answer = await client.reply();
    if (answer.startsWith('250')) taken.push(form);
    else assert.match(answer, /^5(?:50|53|01) 5\.\d/);
  }
  assert.deepEqual(taken, [
    'victim@elsewhere.example',
    'victim@ELSEWHERE.EXAMPLE',
    'victim@elsewhere.example.',
    '"victim"@elsewhere.example',
    'victim@office.example.elsewhere.example',
    'victim%elsewhere.example@[127.0.0.1]',
    'elsewhere.example!victim@[127.0.0.1]',
    'victim@[192.0.2.99]',
    'victim@[127.0.0.1]',
    'victim@[IPv6:2001:db8::1]',
  ]);
});

test('an address without its brackets is no domain, from the office neither (RFC 5321 §4.1.3)', async () => {
  await using bench = await openBench({ listener: 'relay' });
  const client = await bench.hello();
  await client.command('MAIL FROM:<taro@office.example>', 250);
  for (const domain of ['192.0.2.99', '2130706433', 'mail.127'])
    await client.command(`RCPT TO:<victim@${domain}>`, 553);
  await client.command('RCPT TO:<victim@[192.0.2.99]>', 250);
  await client.command('RCPT TO:<victim@3com.example>', 250);
});
