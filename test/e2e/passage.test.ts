import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { plainMail } from '../support/mime-samples.ts';
import { hasPostfix, type Postfix, smtpSource, startPostfix } from '../support/peers.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { CORPUS, CORPUS_DNS, queueEmpty, startWorld, type World } from './world.ts';

const recipients = ['suzuki@office.example', 'tanaka@office.example', 'load@office.example'];
let world: World;
let office: Postfix;
let sender: Postfix;
before(async () => {
  assert.ok(hasPostfix(), 'scripts/test unpacks Postfix; run it first');
  world = await startWorld({
    clamd: true,
    officePort: async (dir) => {
      office = await startPostfix({ dir, name: 'office', recipients });
      return office.port;
    },
  });
  sender = await startPostfix({
    dir: world.dir,
    name: 'sender',
    hostname: 'client.example.com',
    relayTo: { port: world.gateway.mxPort },
  });
});
after(async () => {
  await sender?.stop();
  await office?.stop();
  await world?.[Symbol.asyncDispose]();
});

test('a mail goes from a Postfix through the gateway to a Postfix by STARTTLS, unchanged', async () => {
  const bytes = plainMail({ subject: 'Between two Postfixes', messageId: 'passage.1@example.com' });
  const reply = await sendMail(sender.port, { from: 'hanako@example.com', to: 'suzuki@office.example', bytes });
  assert.equal(reply.code, 250, reply.text);
  const [arrived] = await office.received(1, { recipient: 'suzuki@office.example' });
  assert.equal(arrived?.returnPath, 'hanako@example.com');
  const sent = Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
  assert.ok(arrived?.bytes.subarray(-sent.length).equals(sent), arrived?.bytes.toString());
  assert.match(
    arrived?.bytes.toString() ?? '',
    /Received: from client\.example\.com[^]*by gw\.office\.example[^]*with ESMTPS/,
  );
});

for (const name of ['dkim-signed-ja-iso-2022-jp', 'dkim-signed-8bit-simple']) {
  test(`the DKIM signature of ${name} still verifies in the Maildir behind`, async () => {
    const bytes = readFileSync(path.join(CORPUS, `${name}.eml`));
    const before = (await office.messages('tanaka@office.example')).length;
    const reply = await sendMail(world.gateway.mxPort, {
      from: 'hanako@example.com',
      to: 'tanaka@office.example',
      bytes,
    });
    assert.equal(reply.code, 250, reply.text);
    const arrived = (await office.received(before + 1, { recipient: 'tanaka@office.example' })).at(-1);
    const wire = Buffer.from((arrived?.bytes ?? Buffer.alloc(0)).toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
    const verdict = await dkimVerify(wire, { resolver: corpusResolver });
    assert.deepEqual(
      verdict.results.map((one) => one.status.result),
      ['pass'],
    );
    assert.match(wire.toString('latin1'), /Authentication-Results: gw\.office\.example;[^]*?dkim=pass/);
  });
}

test('two hundred mails of smtp-source through a Postfix all arrive, each once', async () => {
  const run = await smtpSource({
    port: sender.port,
    from: 'hanako@example.com',
    to: 'load@office.example',
    messages: 200,
    sessions: 10,
    octets: 10_000,
    ms: 300_000,
  });
  assert.equal(run.code, 0, run.output);
  const arrived = await office.received(200, { recipient: 'load@office.example', ms: 90_000 });
  const ids = arrived.map((one) => /^Message-Id: (.*)$/im.exec(one.bytes.toString('latin1'))?.[1]);
  assert.equal(new Set(ids).size, 200);
  assert.equal(arrived.length, 200);
});

test('the office sends outward by the relay listener, and not by the MX listener', async () => {
  const mail = {
    from: 'suzuki@office.example',
    to: 'friend@example.net',
    bytes: plainMail({ from: 'suzuki@office.example' }),
  };
  const refused = await sendMail(world.gateway.mxPort, mail);
  assert.ok(refused.code >= 500, refused.text);
  const taken = await sendMail(world.gateway.relayPort, mail);
  assert.equal(taken.code, 250, taken.text);
  const [out] = await world.outside.received(1);
  assert.deepEqual([out?.from, out?.to], ['suzuki@office.example', ['friend@example.net']]);
  assert.ok(out?.bytes.subarray(-mail.bytes.length).equals(mail.bytes));
});

test('while the office Postfix is stopped its mail is kept, and comes when it starts', async () => {
  await queueEmpty(world);
  const before = (await office.messages('suzuki@office.example')).length;
  await office.stop();
  for (let index = 0; index < 5; index += 1) {
    const bytes = plainMail({ messageId: `kept.${index}@example.com` });
    const reply = await sendMail(world.gateway.mxPort, {
      from: 'hanako@example.com',
      to: 'suzuki@office.example',
      bytes,
    });
    assert.equal(reply.code, 250, reply.text);
  }
  assert.equal((await world.gateway.call('queue.list', { state: 'all' })).total, 5);
  await office.start();
  const arrived = await office.received(before + 5, { recipient: 'suzuki@office.example' });
  assert.equal(arrived.length, before + 5);
});

test('what the office Postfix refuses comes back to a verified sender as a DSN with its words', async () => {
  const reply = await sendMail(world.gateway.mxPort, {
    from: 'hanako@example.com',
    to: 'unknown@office.example',
    bytes: plainMail({ messageId: 'unknown.1@example.com' }),
  });
  assert.equal(reply.code, 250, reply.text);
  const dsn = await until('a DSN', { ms: 20_000 }, () =>
    world.outside.messages.find((one) => one.from === '' && one.to.includes('hanako@example.com')),
  );
  assert.match(dsn.bytes.toString('latin1'), /User unknown in virtual mailbox table/);
});

test('a Postfix that hears 451 while an engine is down keeps its mail and brings it again', async () => {
  const before = (await office.messages('tanaka@office.example')).length;
  await world.clamd?.stop();
  await until('the gateway to say 451', { ms: 60_000, every: 200 }, async () => {
    const probe = { from: 'hanako@example.com', to: 'load@office.example', bytes: plainMail() };
    return (await sendMail(world.gateway.mxPort, probe)).code === 451 ? true : undefined;
  });
  const bytes = plainMail({ messageId: 'again.1@example.com' });
  const taken = await sendMail(sender.port, { from: 'hanako@example.com', to: 'tanaka@office.example', bytes });
  assert.equal(taken.code, 250, taken.text);
  await sender.logged(/to=<tanaka@office\.example>.*status=deferred \(host .* said: 451 /);
  await world.clamd?.start();
  const arrived = await office.received(before + 1, { recipient: 'tanaka@office.example', ms: 60_000 });
  assert.equal(arrived.length, before + 1);
});

/** Answers from the corpus's own zone. */
async function corpusResolver(name: string, type: string): Promise<string[][]> {
  const record = CORPUS_DNS.find((one) => one.startsWith(`${name}. `) && one.includes(` ${type} `));
  if (record === undefined) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
  return [[/"([^"]*)"/.exec(record)?.[1] ?? '']];
}
