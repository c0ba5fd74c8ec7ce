import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { MailServerPeer } from '../support/chroot.ts';
import { startDovecotLmtp } from '../support/dovecot.ts';
import { startExim } from '../support/exim.ts';
import { readMaildir, storedMessage } from '../support/maildir.ts';
import { startOpenSmtpd } from '../support/opensmtpd.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { assertUnchanged, peerSample, SHAPES } from './peer-samples.ts';
import { startWorld, type World } from './world.ts';

const from = 'hanako@example.com';

/** Each mail server has a domain of its own behind the one gateway. */
const SERVERS = [
  { name: 'Exim', domain: 'exim.example', start: startExim, server: {} },
  { name: 'OpenSMTPD', domain: 'opensmtpd.example', start: startOpenSmtpd, server: {} },
  { name: 'Dovecot', domain: 'dovecot.example', start: startDovecotLmtp, server: { protocol: 'lmtp' } },
] as const;

const peers = new Map<string, MailServerPeer>();
let world: World;
before(async () => {
  world = await startWorld({
    config: async (dir) => {
      const domains = [];
      for (const { name, domain, start, server } of SERVERS) {
        const full = `full@${domain}`;
        const recipients = [`suzuki@${domain}`, `tanaka@${domain}`, full];
        const peer = await start({ dir, name, recipients, full });
        peers.set(name, peer);
        const servers = [{ host: '127.0.0.1', port: peer.port, ...server }];
        domains.push({ name: domain, servers, recipients: { check: 'any' as const } });
      }
      return { domains };
    },
  });
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
  for (const peer of peers.values()) await peer[Symbol.asyncDispose]();
});

for (const { name, domain } of SERVERS) {
  for (const shape of SHAPES) {
    test(`${name} behind the gateway stores ${shape} as it was sent, octet for octet`, async () => {
      const to = `suzuki@${domain}`;
      const sample = peerSample(shape, { by: name, to });
      const reply = await sendMail(world.gateway.mxPort, { from, to, bytes: sample.bytes });
      assert.equal(reply.code, 250, reply.text);
      const stored = await storedMessage(peer(name).mailbox(to), { words: sample.id, trouble: () => peer(name).log() });
      assertUnchanged(stored.wire, sample.bytes);
    });
  }

  test(`of two recipients ${name} refuses one: the other has the mail, the verified sender a DSN with its words`, async () => {
    const to = [`tanaka@${domain}`, `gone@${domain}`];
    const sample = peerSample('plain', { by: `${name}-two`, to: to.join(', ') });
    const reply = await sendMail(world.gateway.mxPort, { from, to, bytes: sample.bytes });
    assert.equal(reply.code, 250, reply.text);
    const mailbox = peer(name).mailbox(`tanaka@${domain}`);
    await storedMessage(mailbox, { words: sample.id, trouble: () => peer(name).log() });
    const dsn = await until('a DSN', { ms: 20_000 }, () =>
      world.outside.messages.find((one) => one.from === '' && one.bytes.includes(`gone@${domain}`)),
    );
    const text = dsn.bytes.toString('latin1');
    assert.match(text, new RegExp(`^Final-Recipient: rfc822; ?gone@${domain.replaceAll('.', '\\.')}`, 'im'));
    assert.match(text, /^Action: failed/im);
    assert.match(text, /^Diagnostic-Code: smtp; ?550[ -]/im);
    assert.ok(!text.includes(`Final-Recipient: rfc822; tanaka@`));
    assert.equal((await readMaildir(mailbox)).length, 1);
  });
}

test('a full mailbox in Dovecot refuses after the data: one DSN for it, and the other has the mail once', async () => {
  const to = ['full@dovecot.example', 'suzuki@dovecot.example'];
  const sample = peerSample('plain', { by: 'Dovecot-full', to: to.join(', ') });
  const reply = await sendMail(world.gateway.mxPort, { from, to, bytes: sample.bytes });
  assert.equal(reply.code, 250, reply.text);
  const dsn = await until('a DSN', { ms: 20_000 }, () =>
    world.outside.messages.find((one) => one.from === '' && one.bytes.includes('full@dovecot.example')),
  );
  assert.match(dsn.bytes.toString('latin1'), /^Status: 5\.2\.2/im);
  assert.ok(!/^Final-Recipient: rfc822; ?suzuki@/im.test(dsn.bytes.toString('latin1')));
  const stored = await readMaildir(peer('Dovecot').mailbox('suzuki@dovecot.example'));
  assert.equal(stored.filter((one) => one.raw.includes(sample.id)).length, 1);
  assert.deepEqual(await readMaildir(peer('Dovecot').mailbox('full@dovecot.example')), []);
});

function peer(name: string): MailServerPeer {
  const found = peers.get(name);
  assert.ok(found !== undefined, `${name} is not started`);
  return found;
}
