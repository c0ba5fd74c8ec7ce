/** How long each class of mail is tried: outward 2 days, to our own mail servers 7, a notice of ours 1 (all settable). */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { defaultConfig } from '../../src/config/schema.ts';
import { startServer } from './fake-server.ts';
import { type AddOptions, fakeResolver, type Stage, stage, testConfig, until } from './support.ts';

const DAY = 86_400_000;
const cleanups: Array<() => Promise<void>> = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Everybody says 450, or is away; the times to live are as shipped. */
async function begin(peer: 'busy' | 'away'): Promise<Stage> {
  const server = await startServer({ rcpt: () => '450 4.2.1 Later' });
  if (peer === 'away') await server.close();
  else cleanups.push(() => server.close());
  const { expireInboundMs, expireOutboundMs, expireBounceMs } = defaultConfig().delivery;
  const config = testConfig({
    domains: [{ name: 'office.example', servers: [{ host: 'localhost', port: server.port }] }],
    delivery: {
      expireInboundMs,
      expireOutboundMs,
      expireBounceMs,
      delayNoticeMs: 0,
      retryMs: [600_000],
      probeMs: 600_000,
    },
  });
  const resolver = fakeResolver({ 'far.example': { a: ['127.0.0.1'] } });
  const staged = stage(config, { resolver, tuning: { mxPort: server.port, sweepMs: 5 } });
  cleanups.push(() => staged.delivery.stop({ graceMs: 0 }));
  staged.delivery.start();
  return staged;
}

const CLASSES: Array<[what: string, mail: AddOptions, days: number]> = [
  ['mail outward', { listener: 'relay', to: ['a@far.example'] }, 2],
  ['mail to our own mail server', { listener: 'relay', to: ['bob@office.example'] }, 7],
  ['a notice outward', { listener: 'local', kind: 'dsn', from: '', to: ['a@far.example'] }, 1],
  ['a notice to the office', { listener: 'local', kind: 'dsn', from: '', to: ['bob@office.example'] }, 1],
];

function ended(staged: Stage, id: string): boolean {
  const entry = [...staged.spool.entries].find(([each]) => each === id)?.[1];
  return entry === undefined || entry.message.folder === 'held' || staged.spool.dsns.length > 0;
}

for (const [what, mail, days] of CLASSES) {
  test(`${what} is tried for ${days} d, and not a minute less`, async () => {
    const staged = await begin('busy');
    const id = staged.spool.add(mail);
    const tries = (): number => staged.seen.events.filter((event) => event.event === 'deferred').length;
    await until('first try', () => tries() === 1 && staged.delivery.status().waiting === 1);
    staged.clock.advance(days * DAY - 60_000);
    staged.delivery.retryNow({});
    await until('second try', () => tries() === 2 && staged.delivery.status().waiting === 1);
    assert.equal(ended(staged, id), false);
    staged.clock.advance(60_000);
    staged.delivery.retryNow({});
    await until('given up', () => ended(staged, id));
    // Its own way to end: mail with a DSN, a notice held as a double bounce.
    assert.equal(staged.spool.dsns.length, mail.kind === 'dsn' ? 0 : 1);
  });

  test(`${what} that waits for a server which is away is kept for ${days} d too`, async () => {
    const staged = await begin('away');
    const ids = Array.from({ length: 7 }, () => staged.spool.add(mail));
    await until('away', () => staged.delivery.status().hops[0]?.state === 'down');
    staged.clock.advance(days * DAY - 60_000);
    await new Promise((resolve) => setTimeout(resolve, 40));
    assert.ok(ids.every((id) => staged.spool.entries.get(id)?.message.folder === 'queue'));
    assert.equal(staged.spool.dsns.length, 0);
    staged.clock.advance(60_000);
    await until('given up', () => ids.every((id) => staged.spool.entries.get(id)?.message.folder !== 'queue'));
    assert.equal(staged.spool.dsns.length, mail.kind === 'dsn' ? 0 : 7);
  });
}
