import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTrialMailServer, type TrialMailServer } from '../../scripts/lab/mail-server.ts';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { startWorld, type World } from './world.ts';

const from = 'suzuki@office.example';
let world: World;
let lab: TrialMailServer;
before(async () => {
  world = await startWorld();
  lab = await startTrialMailServer({
    folder: world.dir,
    smtpPort: 0,
    pagePort: 0,
    language: 'en',
    everybody: true,
  });
});
after(async () => {
  await lab?.close();
  await world?.[Symbol.asyncDispose]();
});

test('a domain routed to the lab by hand: its failures stand in the queue, can be held, let go, and survive a restart', async () => {
  const { gateway } = world;
  const routed = await gateway.cli('queue', 'route', '--domain', 'lab.example', '--to', `127.0.0.1:${lab.smtpPort}`);
  assert.equal(routed.code, 0, routed.stderr + routed.stdout);
  const to = 'temperror@lab.example';
  const reply = await sendMail(gateway.relayPort, { from, to, bytes: plainMail() });
  assert.equal(reply.code, 250, reply.text);
  const listed = async (state: 'deferred' | 'held'): Promise<string[]> => {
    const { entries } = await gateway.call('queue.list', { state, domain: 'lab.example' });
    return entries.flatMap((entry) => entry.recipients.map((each) => each.lastReply ?? ''));
  };
  // asked once: a moment later it may be on its way again
  const [said] = await until('deferred', { ms: 20_000 }, async () => {
    const replies = await listed('deferred');
    return replies.length === 1 ? replies : undefined;
  });
  assert.match(said ?? '', /^451 4\.3\.0 Temporary trouble/);

  // One that is being delivered at that moment is left alone, and said: then it is asked again.
  await until('held', { ms: 20_000 }, async () => {
    const held = await gateway.cli('queue', 'hold', '--domain', 'lab.example');
    return held.code === 0 && (await listed('held')).length === 1 ? true : undefined;
  });
  await gateway.stop();
  await gateway.start();
  assert.equal((await listed('held')).length, 1);
  const free = await gateway.cli('queue', 'unhold', '--domain', 'lab.example');
  assert.equal(free.code, 0, free.stderr + free.stdout);

  // the route is in the configuration: the other mail server is still the lab after the restart
  const taken = await sendMail(gateway.relayPort, { from, to: 'bob@lab.example', bytes: plainMail() });
  assert.equal(taken.code, 250, taken.text);
  await until('taken by the lab', { ms: 20_000 }, () =>
    gateway.lines.find((line) => JSON.stringify(line).includes('Kept as')),
  );
  const off = await gateway.cli('queue', 'route', '--domain', 'lab.example', '--off');
  assert.equal(off.code, 0, off.stderr + off.stdout);
});
