/** A balancer and a filter as other people build them, played by swaks: whom they name is the client, for SPF and for the record. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../support/process.ts';
import { swaks } from '../support/senders.ts';
import type { SunkMessage } from '../support/smtp-sink.ts';
import { peerSample } from './peer-samples.ts';
import { startWorld, type World } from './world.ts';

const to = 'suzuki@office.example';
let world: World;
before(async () => {
  world = await startWorld({
    records: ['partner.example. 300 IN TXT "v=spf1 ip4:198.51.100.7 ip6:2001:db8::7 -all"'],
    // the balancer is 127.0.0.1; the filter behind it 192.0.2.44
    config: { listeners: { mx: { proxyPeers: ['127.0.0.1'], xclientPeers: ['192.0.2.44'] } } },
  });
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

const PROXY = ['--proxy-protocol', 'STREAM', '--proxy-source-port', '4711', '--proxy-dest-port', '25'];
const FOUR = ['--proxy-source', '198.51.100.7', '--proxy-dest', '192.0.2.1'];
const SIX = ['--proxy-source', '2001:db8::7', '--proxy-dest', '2001:db8::1'];
const FILTER = ['--proxy-source', '192.0.2.44', '--proxy-dest', '192.0.2.1'];

for (const [how, startTls, more, client] of [
  [
    'PROXY version 1',
    false,
    ['--proxy-version', '1', '--proxy-family', 'TCP4', ...PROXY.slice(2), ...FOUR],
    '198.51.100.7',
  ],
  [
    'PROXY version 1 and IPv6',
    false,
    ['--proxy-version', '1', '--proxy-family', 'TCP6', ...PROXY.slice(2), ...SIX],
    '2001:db8::7',
  ],
  ['PROXY version 2', false, ['--proxy-version', '2', '--proxy-family', 'AF_INET', ...PROXY, ...FOUR], '198.51.100.7'],
  [
    'PROXY version 2, IPv6 and STARTTLS',
    true,
    ['--proxy-version', '2', '--proxy-family', 'AF_INET6', ...PROXY, ...SIX],
    '2001:db8::7',
  ],
  [
    'XCLIENT of a filter behind the balancer',
    false,
    ['--proxy-version', '2', '--proxy-family', 'AF_INET', ...PROXY, ...FILTER, '--xclient-addr', '198.51.100.7'],
    '198.51.100.7',
  ],
] as const)
  test(`swaks names its client by ${how}: SPF passes for it, and Received shows it`, async () => {
    const sample = peerSample('plain', { by: how.replaceAll(/[^a-zA-Z0-9]/g, '-'), to });
    const run = await say({ id: sample.id, bytes: sample.bytes, startTls, more });
    assert.equal(run.code, 0, run.output);
    const arrived = await until<SunkMessage>('the mail', { ms: 60_000 }, () =>
      world.office.messages.find((one) => one.bytes.includes(sample.id)),
    );
    const text = arrived.bytes.toString('latin1');
    assert.match(text, new RegExp(`^Received: from client\\.example\\.com \\(.*\\[(?:IPv6:)?${client}\\]\\)`, 'm'));
    assert.match(text, /\bspf=pass\b/);
  });

test('a filter that nobody listed is told that there is no XCLIENT', async () => {
  const sample = peerSample('plain', { by: 'unlisted', to });
  const more = ['--proxy-version', '2', '--proxy-family', 'AF_INET', ...PROXY, ...FOUR, '--xclient-addr', '192.0.2.99'];
  const run = await say({ id: sample.id, bytes: sample.bytes, startTls: false, more });
  assert.notEqual(run.code, 0);
  assert.doesNotMatch(run.output, /^<.*XCLIENT/m);
});

async function say(mail: {
  id: string;
  bytes: Buffer;
  startTls: boolean;
  more: readonly string[];
}): Promise<{ code: number | null; output: string }> {
  const file = path.join(world.dir, `${mail.id}.eml`);
  await writeFile(file, mail.bytes);
  const { startTls, more } = mail;
  return await swaks({ port: world.gateway.mxPort, from: 'taro@partner.example', to, file, startTls, more });
}
