import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { MailServerPeer } from '../support/chroot.ts';
import { startExim } from '../support/exim.ts';
import { startOpenSmtpd } from '../support/opensmtpd.ts';
import { type Postfix, startPostfix } from '../support/peers.ts';
import { until } from '../support/process.ts';
import { curl, msmtp, type Sender, swaks } from '../support/senders.ts';
import { sendMail } from '../support/smtp-client.ts';
import type { SunkMessage } from '../support/smtp-sink.ts';
import { assertUnchanged, type PeerSample, peerSample, SHAPES } from './peer-samples.ts';
import { startWorld, type World } from './world.ts';

const from = 'hanako@example.com';
const to = 'suzuki@office.example';
let world: World;
let postfix: Postfix;
let exim: MailServerPeer;
let opensmtpd: MailServerPeer;
before(async () => {
  world = await startWorld();
  const relayTo = { port: world.gateway.mxPort };
  const { dir } = world;
  postfix = await startPostfix({ dir, name: 'postfix', hostname: 'client.example.com', relayTo });
  exim = await startExim({ dir, name: 'exim', relayTo });
  opensmtpd = await startOpenSmtpd({ dir, name: 'opensmtpd', relayTo });
});
after(async () => {
  await opensmtpd?.[Symbol.asyncDispose]();
  await exim?.[Symbol.asyncDispose]();
  await postfix?.stop();
  await world?.[Symbol.asyncDispose]();
});

const PROGRAMS: ReadonlyArray<[string, Sender]> = [
  ['swaks', swaks],
  ['msmtp', msmtp],
  ['curl', curl],
];

for (const [name, send] of PROGRAMS) {
  for (const startTls of [false, true]) {
    for (const shape of SHAPES) {
      const how = startTls ? 'by STARTTLS' : 'in clear text';
      test(`${name} sends ${shape} ${how}, octet for octet`, async () => {
        const sample = peerSample(shape, { by: `${name}-${startTls ? 'tls' : 'clear'}`, to });
        const file = path.join(world.dir, `${sample.id}.eml`);
        await writeFile(file, sample.bytes);
        const run = await send({ port: world.gateway.mxPort, from, to, file, startTls });
        assert.equal(run.code, 0, run.output);
        await assertArrived(sample, startTls ? 'ESMTPS' : 'ESMTP');
      });
    }
  }
}

const SERVERS: ReadonlyArray<[string, () => { port: number; log(): Promise<string> }]> = [
  ['Postfix', () => postfix],
  ['Exim', () => exim],
  ['OpenSMTPD', () => opensmtpd],
];

for (const [name, server] of SERVERS) {
  for (const shape of SHAPES) {
    test(`${name} hands on ${shape} by STARTTLS, octet for octet`, async () => {
      const sample = peerSample(shape, { by: name, to });
      const reply = await sendMail(server().port, { from, to, bytes: sample.bytes });
      assert.equal(reply.code, 250, reply.text);
      await assertArrived(sample, 'ESMTPS', () => server().log());
    });
  }
}

test('every one of them is told in words it shows its user that a recipient is not ours', async () => {
  const sample = peerSample('plain', { by: 'refused', to: 'friend@example.net' });
  const file = path.join(world.dir, 'refused.eml');
  await writeFile(file, sample.bytes);
  for (const [name, send] of PROGRAMS) {
    const run = await send({ port: world.gateway.mxPort, from, to: 'friend@example.net', file, startTls: true });
    assert.notEqual(run.code, 0, `${name} believes it was taken`);
    // curl shows the code alone
    assert.match(run.output, name === 'curl' ? /\b550\b/ : /550 5\.7\.1/, name);
  }
  assert.ok(!world.outside.messages.some((one) => one.bytes.includes(sample.id)));
});

test('what they sent came once each', () => {
  const ids = world.office.messages.map((one) => /^Message-ID: <(.*)>\r$/m.exec(one.bytes.toString('latin1'))?.[1]);
  assert.equal(new Set(ids).size, (PROGRAMS.length * 2 + SERVERS.length) * SHAPES.length);
  assert.equal(ids.length, new Set(ids).size);
});

async function assertArrived(
  sample: PeerSample,
  protocol: 'ESMTP' | 'ESMTPS',
  log: () => Promise<string> = () => Promise.resolve(''),
): Promise<void> {
  const arrived = await until<SunkMessage>(`"${sample.id}" to arrive`, { ms: 20_000, every: 20 }, () => {
    assert.ok(world.gateway.child().running(), world.gateway.noise.join('\n'));
    return world.office.messages.find((one) => one.bytes.includes(sample.id));
  }).catch(async (error: unknown) => {
    throw new Error(`It did not arrive; its server says:\n${(await log()).slice(-3_000)}`, { cause: error });
  });
  assert.deepEqual([arrived.from, arrived.to], [from, [to]]);
  assertUnchanged(arrived.bytes, sample.bytes);
  const ours = /by gw\.office\.example[^]*? with (\w+)/.exec(arrived.bytes.toString('latin1'));
  assert.equal(ours?.[1], protocol);
}
