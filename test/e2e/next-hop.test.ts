/** What a real next hop can, and cannot, be told: UTF-8 addresses and headers, wishes for notices, and nothing but one message. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { MailServerPeer } from '../support/chroot.ts';
import { readMaildir } from '../support/maildir.ts';
import { startOpenSmtpd } from '../support/opensmtpd.ts';
import { type ArrivedMessage, type Postfix, startPostfix } from '../support/peers.ts';
import { until } from '../support/process.ts';
import { smtpConnect } from '../support/smtp-client.ts';
import type { SunkMessage } from '../support/smtp-sink.ts';
import { header } from '../support/mime-samples.ts';
import { startWorld, type World } from './world.ts';

const ms = 60_000;
const from = 'hanako@example.com';
const A_LABEL = 'xn--wgv71a119e.example';
let world: World;
/** Postfix with SMTPUTF8, and one whose owner has switched it off; OpenSMTPD has never had it. */
let modern: Postfix;
let old: Postfix;
let opensmtpd: MailServerPeer;
before(async () => {
  world = await startWorld({
    config: async (dir) => {
      const boxes = (domain: string): string[] => ['山田', 'suzuki', 'taro', 'evil'].map((each) => `${each}@${domain}`);
      modern = await startPostfix({
        dir,
        name: 'modern',
        recipients: [...boxes('modern.example'), ...boxes('日本語.example'), ...boxes(A_LABEL)],
        // as the servers that fell to SMTP smuggling were set: whatever resembles an end of data would be one
        settings: { smtpd_forbid_bare_newline: 'no' },
      });
      old = await startPostfix({
        dir,
        name: 'old',
        recipients: [...boxes('old.example'), ...boxes('xn--1lqs71d.example')],
        settings: { smtputf8_enable: 'no' },
      });
      opensmtpd = await startOpenSmtpd({ dir, name: 'opensmtpd', recipients: ['suzuki@opensmtpd.example'] });
      const served = (name: string, port: number): object => ({
        name,
        servers: [{ host: '127.0.0.1', port }],
        recipients: { check: 'any' },
      });
      return {
        domains: [
          served('modern.example', modern.port),
          served('日本語.example', modern.port),
          served('old.example', old.port),
          served('東京.example', old.port),
          served('opensmtpd.example', opensmtpd.port),
        ],
      } as never;
    },
  });
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
  await modern?.stop();
  await old?.stop();
  await opensmtpd?.[Symbol.asyncDispose]();
});

const AT: Record<string, { domain: string; has: (localpart: string, words: string) => Promise<number> }> = {
  'Postfix without SMTPUTF8': { domain: 'old.example', has: (who, words) => count(old, `${who}@old.example`, words) },
  OpenSMTPD: {
    domain: 'opensmtpd.example',
    has: async (who, words) => {
      const stored = await readMaildir(opensmtpd.mailbox(`${who}@opensmtpd.example`));
      return stored.filter((one) => one.raw.includes(words)).length;
    },
  },
};

for (const [name, { domain, has }] of Object.entries(AT)) {
  test(`${name} cannot take a UTF-8 address: 5.6.7 to the sender, and the other recipient has the mail`, async () => {
    const id = `<address@${domain}>`;
    await send([`山田@${domain}`, `suzuki@${domain}`], { id });
    await until('the mail of the other', { ms }, async () => ((await has('suzuki', id)) === 1 ? true : undefined));
    const text = await noticeAbout(id);
    assert.match(text, /^Status: 5\.6\.7/m);
    assert.match(text, /^Action: failed/m);
    // RFC 6533 §3, in quoted-printable
    assert.match(text, /^Final-Recipient: utf-8; ?=E5=B1=B1=E7=94=B0@/m);
    assert.doesNotMatch(text, /Final-Recipient: [^;]*; ?suzuki@/);
  });

  test(`${name} cannot take a UTF-8 header from who came with SMTPUTF8: 5.6.7, though all addresses are ASCII`, async () => {
    const id = `<header@${domain}>`;
    await send([`suzuki@${domain}`], { id, subject: '見積もり' });
    assert.match(await noticeAbout(id), /^Status: 5\.6\.7/m);
    assert.equal(await has('suzuki', id), 0);
  });
}

test('UTF-8 address, IDN and header arrive at a Postfix that can take them', async () => {
  const id = '<utf8@modern.example>';
  await send(['山田@modern.example', 'taro@日本語.example'], { id, subject: '見積もり' });
  for (const to of ['山田@modern.example', `taro@${A_LABEL}`]) {
    const arrived = await arrivedAt(modern, to, id);
    assert.ok(arrived.bytes.includes('Subject: 見積もり'), to);
  }
});

test('an IDN alone needs nothing of the next hop: it goes as its A-label', async () => {
  const id = '<idn@old.example>';
  await send(['taro@東京.example'], { id });
  await arrivedAt(old, 'taro@xn--1lqs71d.example', id);
});

test('the wishes of RFC 3461 reach a Postfix as they were said: its own notice of success speaks of them', async () => {
  await modern.stop();
  await modern.configure({ relayhost: `[127.0.0.1]:${world.gateway.relayPort}` });
  await modern.start();
  const client = await smtpConnect({ port: world.gateway.mxPort });
  const said = async (line: string, code: number): Promise<void> => {
    const reply = await client.command(line);
    assert.equal(reply.code, code, `${line}: ${reply.text}`);
  };
  await said(`MAIL FROM:<${from}> RET=HDRS ENVID=QQ+2B314`, 250);
  await said('RCPT TO:<suzuki@modern.example> NOTIFY=SUCCESS ORCPT=rfc822;taro+2Btag@example.net', 250);
  await said('RCPT TO:<taro@modern.example> NOTIFY=NEVER', 250);
  await said('DATA', 354);
  client.write(`${head('<dsn@modern.example>', 'suzuki@modern.example', 'Hello')}\r\nHello\r\n.\r\n`);
  assert.equal((await client.reply()).code, 250);
  await client.quit();
  const text = await noticeAbout('<dsn@modern.example>');
  assert.match(text, /^Reporting-MTA: dns; ?mail\.office\.example/m);
  assert.match(text, /^Original-Envelope-Id: QQ\+314/m);
  assert.match(text, /^Original-Recipient: rfc822; ?taro\+tag@example\.net/m);
  assert.match(text, /^Action: delivered/m);
  assert.doesNotMatch(text, /taro@modern\.example/);
});

test('no form of an end of data gets a second message out to a Postfix that would fall for it', async () => {
  const smuggled =
    'MAIL FROM:<evil@example.com>\r\nRCPT TO:<evil@modern.example>\r\nDATA\r\nSubject: evil\r\n\r\nevil\r\n';
  const endings = [
    '\n.\n',
    '\n.\r\n',
    '\r\n.\n',
    '\r.\r',
    '\r.\r\n',
    '\r\n.\r',
    '\r\r\n.\r\r\n',
    '\r\n.\0\r\n',
    '\n..\r\n',
  ];
  let taken = 0;
  for (const [port, sender] of [
    [world.gateway.mxPort, from],
    [world.gateway.relayPort, 'suzuki@office.example'],
  ] as const) {
    for (const ending of endings) {
      const client = await smtpConnect({ port });
      for (const line of [`MAIL FROM:<${sender}>`, 'RCPT TO:<suzuki@modern.example>', 'DATA'])
        await client.command(line);
      client.write(
        `${head('<smuggle@example.com>', 'suzuki@modern.example', 'x')}\r\nbody${ending}${smuggled}\r\n.\r\n`,
      );
      const reply = await client.reply();
      if (reply.code === 250) taken += 1;
      else assert.equal(reply.code, 554);
      await client.quit();
    }
  }
  assert.ok(taken > 0, 'the office has some of them mended');
  await until('what was taken', { ms }, async () =>
    (await count(modern, 'suzuki@modern.example', '<smuggle@example.com>')) >= taken ? true : undefined,
  );
  assert.equal(await count(modern, 'suzuki@modern.example', '<smuggle@example.com>'), taken);
  assert.deepEqual(await modern.messages('evil@modern.example'), []);
});

function head(id: string, to: string, subject: string): string {
  return header({ to, messageId: id.slice(1, -1), subject }, []);
}

/** By the MX port, with SMTPUTF8. */
async function send(to: readonly string[], mail: { id: string; subject?: string }): Promise<void> {
  const client = await smtpConnect({ port: world.gateway.mxPort });
  const bytes = Buffer.from(`${head(mail.id, 'suzuki@example.net', mail.subject ?? 'Hello')}\r\nHello\r\n`);
  const reply = await client.send({ from, to, bytes, mailArgs: 'SMTPUTF8' });
  assert.equal(reply.code, 250, reply.text);
  await client.quit();
}

async function count(postfix: Postfix, to: string, words: string): Promise<number> {
  return (await postfix.messages(to)).filter((one) => one.bytes.includes(words)).length;
}

async function arrivedAt(postfix: Postfix, to: string, words: string): Promise<ArrivedMessage> {
  return await until<ArrivedMessage>(`mail for ${to}`, { ms }, async () =>
    (await postfix.messages()).find((one) => one.bytes.includes(words) && utf8(one.deliveredTo) === to),
  ).catch(async (error: unknown) => {
    throw new Error(`No mail for ${to}:\n${(await postfix.log()).slice(-3_000)}`, { cause: error });
  });
}

/** A field that was read octet by octet. */
function utf8(field: string): string {
  return Buffer.from(field, 'latin1').toString('utf8');
}

/** The notice that came back to the sender outside, with the message's id in the header it returns. */
async function noticeAbout(id: string): Promise<string> {
  const found = await until<SunkMessage>(`a notice about ${id}`, { ms }, () =>
    world.outside.messages.find((one) => one.from === '' && one.to.includes(from) && one.bytes.includes(id)),
  );
  return found.bytes.toString('utf8');
}
