import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { CORPUS, startWorld, type World } from './world.ts';

const names = readdirSync(CORPUS)
  .filter((name) => name.endsWith('.eml'))
  .map((name) => name.slice(0, -4));

let world: World;
before(async () => {
  // the subject tag would change what is compared here; everything else is as it ships
  const config = { policy: { spam: { tag: 900, quarantine: 900, reject: 900 } } };
  world = await startWorld({ clamd: true, rspamd: true, config });
});
after(() => world?.[Symbol.asyncDispose]());

test('the corpus holds at least thirty messages, all fit for the wire', () => {
  assert.ok(names.length >= 30);
  for (const name of names) {
    const text = read(name).toString('latin1');
    assert.ok(!/\0|(?<!\r)\n|\r(?!\n)/.test(text), `${name} has a NUL, a lone CR or a lone LF`);
  }
});

for (const name of names) {
  test(`${name} is taken, and what arrives at last is what was sent, octet for octet`, async () => {
    const bytes = read(name);
    const sent =
      bytes.length === 0 || bytes.subarray(-2).toString() === '\r\n'
        ? bytes
        : Buffer.concat([bytes, Buffer.from('\r\n')]);
    const to = `${name}@office.example`;
    const reply = await sendMail(world.gateway.mxPort, { from: 'hanako@example.com', to, bytes });
    assert.equal(reply.code, 250, reply.text);
    const arrived = await until(`${name} to arrive`, { ms: 30_000 }, async () => {
      const found = world.office.messages.find((message) => message.to.includes(to));
      if (found !== undefined) return found;
      const { entries } = await world.gateway.call('quarantine.list', { recipient: to });
      for (const { id } of entries) await world.gateway.call('quarantine.release', { id }).catch(() => undefined);
      return undefined;
    });
    const tail = arrived.bytes.subarray(Math.max(0, arrived.bytes.length - sent.length));
    assert.ok(tail.equals(sent), `${name} was altered: ${firstDifference(sent, tail)}`);
    const prefix = arrived.bytes.subarray(0, arrived.bytes.length - sent.length).toString('latin1');
    assert.match(prefix, /^Received: /);
    assert.match(prefix, /\r\n$/);
    assert.ok(world.gateway.child().running());
  });
}

test('the corpus made no worker crash and nothing was called poison', () => {
  const bad = world.gateway.lines.filter((line) => {
    const alarm = JSON.stringify(line['alarm'] ?? '');
    return line.level === 'error' || /poison|corrupt|internal/.test(alarm) || JSON.stringify(line).includes('"poison"');
  });
  assert.deepEqual(bad, []);
  assert.deepEqual(world.gateway.noise, []);
});

function read(name: string): Buffer {
  return readFileSync(path.join(CORPUS, `${name}.eml`));
}

function firstDifference(wanted: Buffer, got: Buffer): string {
  let at = 0;
  while (at < wanted.length && wanted[at] === got[at]) at += 1;
  const show = (bytes: Buffer): string =>
    JSON.stringify(bytes.subarray(Math.max(0, at - 20), at + 40).toString('latin1'));
  return `at ${at} of ${wanted.length}: sent ${show(wanted)}, got ${show(got)}`;
}
