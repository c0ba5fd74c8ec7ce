/** RFC 3461 at the door: what a client wants to hear is read strictly and kept with the envelope. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeRecipientDsn } from '../../src/accept/dsn-parameters.ts';
import { openBench } from './harness.ts';

const REFUSED = /^501 5\.5\.4 /;

for (const listener of ['mx', 'relay'] as const) {
  test(`the ${listener} listener offers DSN and keeps all four parameters, decoded`, async () => {
    await using bench = await openBench({ listener });
    const client = await bench.client();
    assert.match(await client.command('EHLO client.example', 250), /^250-DSN$/m);
    await client.command('MAIL FROM:<a@example.com> RET=hdrs ENVID=QQ+2B314+3D159+20x', 250);
    await client.command(
      'RCPT TO:<taro@office.example> NOTIFY=delay,Success,DELAY ORCPT=rfc822;Taro+2Btag@office.example',
      250,
    );
    await client.command('RCPT TO:<hanako@office.example> NOTIFY=never', 250);
    await client.command('RCPT TO:<jiro@office.example>', 250);
    await client.command('DATA', 354);
    client.write('A: b\r\n\r\n.\r\n');
    await client.expect(250);
    assert.deepEqual(bench.pipeline.last.transaction.envelope, {
      reversePath: 'a@example.com',
      recipients: [
        {
          address: 'taro@office.example',
          dsn: { notify: ['SUCCESS', 'DELAY'], orcpt: 'rfc822;Taro+tag@office.example' },
        },
        { address: 'hanako@office.example', dsn: { notify: ['NEVER'] } },
        { address: 'jiro@office.example' },
      ],
      smtpUtf8: false,
      eightBit: false,
      ret: 'HDRS',
      envid: 'QQ+314=159 x',
    });
  });
}

for (const [parameters, expected] of [
  ['RET=FULL', /^250 /],
  ['RET=BODY', REFUSED],
  ['RET', REFUSED],
  ['RET=FULL RET=HDRS', REFUSED],
  ['ENVID', REFUSED],
  ['ENVID=a+2', REFUSED],
  ['ENVID=a+2b', REFUSED], // RFC 3461 §4: hexadecimal digits are upper case
  ['ENVID=a+0D+0ARCPT', REFUSED],
  ['ENVID=a+00', REFUSED],
  ['ENVID=a+7F', REFUSED],
  ['ENVID=+C3+A9', REFUSED],
  [`ENVID=${'x'.repeat(500)}`, /^250 /],
  [`ENVID=${'x'.repeat(501)}`, REFUSED],
] as const) {
  test(`MAIL with ${parameters.slice(0, 40)} is answered ${expected.source}`, async () => {
    await using bench = await openBench();
    const client = await bench.hello();
    client.write(`MAIL FROM:<a@example.com> ${parameters}\r\n`);
    assert.match(await client.reply(), expected);
  });
}

for (const [parameters, expected] of [
  ['NOTIFY=NEVER,FAILURE', REFUSED],
  ['NOTIFY=NEVER,NEVER', REFUSED],
  ['NOTIFY=', REFUSED],
  ['NOTIFY', REFUSED],
  ['NOTIFY=FAILURE,', REFUSED],
  ['NOTIFY=ALWAYS', REFUSED],
  ['NOTIFY=FAILURE NOTIFY=DELAY', REFUSED],
  ['NOTIFY=FAILURE,DELAY,SUCCESS', /^250 /],
  ['ORCPT=taro@office.example', REFUSED],
  ['ORCPT=;taro@office.example', REFUSED],
  ['ORCPT=rfc822;', REFUSED],
  ['ORCPT=rfc 822;x', REFUSED],
  ['ORCPT=rfc822;a+0D+0AX:+20y', REFUSED],
  ['ORCPT=rfc822;a+00b', REFUSED],
  ['ORCPT=rfc822;a+zz', REFUSED],
  ['ORCPT=rfc+0D822;a', REFUSED],
  ['ORCPT=utf-8;\u592a@x.example', REFUSED], // without SMTPUTF8
  [`ORCPT=rfc822;${'x'.repeat(493)}`, /^250 /],
  [`ORCPT=rfc822;${'x'.repeat(494)}`, REFUSED],
] as const) {
  test(`RCPT with ${parameters.slice(0, 40)} is answered ${expected.source}`, async () => {
    await using bench = await openBench();
    const client = await bench.hello();
    await client.command('MAIL FROM:<a@example.com>', 250);
    client.write(`RCPT TO:<taro@office.example> ${parameters}\r\n`);
    assert.match(await client.reply(), expected);
    assert.equal(bench.directory.asked.length, expected === REFUSED ? 0 : 1);
  });
}

test('a UTF-8 original recipient is kept in a form that every next hop can be told', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.command('MAIL FROM:<a@example.com> SMTPUTF8', 250);
  await client.command('RCPT TO:<taro@office.example> ORCPT=utf-8;\u592a\u90ce+2B@office.example', 250);
  await client.command('DATA', 354);
  client.write('A: b\r\n\r\n.\r\n');
  await client.expect(250);
  const [recipient] = bench.pipeline.last.transaction.envelope.recipients;
  assert.equal(recipient?.dsn?.orcpt, 'utf-8;\\x{592A}\\x{90CE}+@office.example');
});

test('a recipient said twice gets one copy, and nobody who asked for a notice goes without', () => {
  const never = { notify: ['NEVER'] };
  const success = { notify: ['SUCCESS'], orcpt: 'rfc822;x@example.com' };
  assert.equal(mergeRecipientDsn(undefined, undefined), undefined);
  assert.deepEqual(mergeRecipientDsn(never, never), never);
  assert.deepEqual(mergeRecipientDsn(never, success), success);
  assert.deepEqual(mergeRecipientDsn(never, undefined), { notify: ['FAILURE', 'DELAY'] });
  assert.deepEqual(mergeRecipientDsn(success, { notify: ['DELAY'], orcpt: 'rfc822;y@example.com' }), {
    notify: ['SUCCESS', 'DELAY'],
    orcpt: 'rfc822;x@example.com',
  });
  assert.deepEqual(mergeRecipientDsn(undefined, { orcpt: 'rfc822;y@example.com' }), { orcpt: 'rfc822;y@example.com' });
});

test('the second RCPT of a mailbox adds its wish to the first', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.command('MAIL FROM:<a@example.com>', 250);
  await client.command('RCPT TO:<taro@office.example> NOTIFY=NEVER', 250);
  await client.command('RCPT TO:<TARO@office.example> NOTIFY=SUCCESS', 250);
  await client.command('DATA', 354);
  client.write('A: b\r\n\r\n.\r\n');
  await client.expect(250);
  assert.deepEqual(bench.pipeline.last.transaction.envelope.recipients, [
    { address: 'taro@office.example', dsn: { notify: ['SUCCESS'] } },
  ]);
});
