import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { plainMail } from '../support/mime-samples.ts';
import { type Postfix, startPostfix } from '../support/peers.ts';
import { sendMail } from '../support/smtp-client.ts';
import { queueEmpty, startWorld, type World } from './world.ts';

const from = 'hanako@example.com';
const recipients = ['suzuki@office.example', 'tanaka@office.example', 'sato@office.example'];
let world: World;
let office: Postfix;
let policy: Server;
/** How often Postfix asked about each recipient, and what it is told (access(5) actions). */
let asked: Map<string, number>;
let say: (recipient: string, time: number) => string;
before(async () => {
  policy = await startPolicy();
  const address = policy.address();
  assert.ok(address !== null && typeof address === 'object');
  world = await startWorld({
    officePort: async (dir) => {
      const check = `check_policy_service inet:127.0.0.1:${address.port}`;
      const settings = { smtpd_recipient_restrictions: `${check}, permit_mynetworks, reject` };
      office = await startPostfix({ dir, name: 'office', recipients, settings });
      return office.port;
    },
  });
});
beforeEach(() => {
  asked = new Map();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
  await office?.stop();
  policy?.close();
});

test('a greylisting Postfix has the mail on the retry, once, and nobody hears of a bounce', async () => {
  say = (_, time) => (time <= 2 ? 'defer_if_permit 4.2.0 Greylisted, come again' : 'dunno');
  await send(['suzuki@office.example'], 'grey.1@example.com');
  assert.equal((await office.received(1, { recipient: 'suzuki@office.example' })).length, 1);
  await queueEmpty(world);
  assert.equal(asked.get('suzuki@office.example'), 3);
  assert.equal((await office.messages('suzuki@office.example')).length, 1);
  await office.logged(/NOQUEUE: reject: RCPT .* 450 4\.2\.0 .*Greylisted, come again/);
  assert.equal(world.outside.messages.length, 0);
});

test('of two recipients the known one has the mail at once, and is not sent it again with the greylisted one', async () => {
  say = (to, time) => (to.startsWith('tanaka') && time <= 2 ? 'defer_if_permit 4.2.0 Greylisted' : 'dunno');
  await send(['tanaka@office.example', 'sato@office.example'], 'grey.2@example.com');
  await office.received(1, { recipient: 'sato@office.example' });
  await office.received(1, { recipient: 'tanaka@office.example' });
  await queueEmpty(world);
  assert.equal(asked.get('sato@office.example'), 1);
  assert.equal(asked.get('tanaka@office.example'), 3);
  assert.equal((await office.messages('sato@office.example')).length, 1);
  assert.equal(world.outside.messages.length, 0);
});

test('a Postfix that says 421 and hangs up in the middle has the mail on the retry', async () => {
  const before = (await office.messages('suzuki@office.example')).length;
  say = (_, time) => (time === 1 ? '421 4.7.0 Too busy, come again' : 'dunno');
  await send(['suzuki@office.example'], 'grey.3@example.com');
  await office.received(before + 1, { recipient: 'suzuki@office.example' });
  await queueEmpty(world);
  assert.equal((await office.messages('suzuki@office.example')).length, before + 1);
  assert.equal(world.outside.messages.length, 0);
});

async function send(to: string[], messageId: string): Promise<void> {
  const reply = await sendMail(world.gateway.mxPort, { from, to, bytes: plainMail({ messageId }) });
  assert.equal(reply.code, 250, reply.text);
}

/** Postfix's policy protocol, as every greylisting daemon speaks it: `name=value` lines and an empty line, one answer. */
async function startPolicy(): Promise<Server> {
  const server = createServer((socket) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const recipient = /^recipient=(.*)$/m.exec(text.slice(0, end))?.[1] ?? '';
        text = text.slice(end + 2);
        const time = (asked.get(recipient) ?? 0) + 1;
        asked.set(recipient, time);
        socket.write(`action=${say(recipient, time)}\n\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
