import assert from 'node:assert/strict';
import { it, mock } from 'node:test';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { createIncomingWork } from '../../src/pipeline-incoming.ts';
import { BOB, CAROL } from '../contracts/spool.ts';
import { MAIL, pipelineRig, type PipelineRig } from './rig.ts';

const LATE = [{ inspector: 'spam', reason: 'timeout', detail: '' }] as const;

/** A rig with one incoming message, and the work on it started; `turn` lets a second pass. */
async function withIncoming(): Promise<
  PipelineRig & { id: QueueId; turn: () => Promise<void>; stop: () => Promise<void> }
> {
  const made = await pipelineRig();
  made.inspectors.missing = [...LATE];
  assert.equal((await made.send()).code, 250);
  const [row] = await made.spool.list('incoming');
  mock.timers.enable({ apis: ['setInterval'] });
  const work = createIncomingWork(made.parts);
  work.start();
  const turn = async (): Promise<void> => {
    made.rig.clock.advance(31_000);
    mock.timers.tick(1_000);
    for (let i = 0; i < 200; i += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const stop = async (): Promise<void> => {
    await work.stop();
    mock.timers.reset();
  };
  return { ...made, id: row?.id as QueueId, turn, stop };
}

it('an incoming message is delivered once it was inspected and is clean', async () => {
  const made = await withIncoming();
  made.inspectors.missing = [];
  await made.turn();
  assert.equal((await made.spool.read(made.id))?.folder, 'queue');
  assert.equal(made.events.at(-1)?.event, 'decided');
  await made.stop();
});

it('what fails inspection after its 250 is quarantined, not bounced', async () => {
  const made = await withIncoming();
  made.inspectors.missing = [];
  made.inspectors.findings = [{ kind: 'virus', engine: 'clamd', name: 'Eicar-Test' }];
  await made.turn();
  assert.equal((await made.spool.read(made.id))?.folder, 'quarantine');
  assert.equal(made.spool.count('queue'), 0);
  await made.stop();
});

it('nothing is tried while an engine is down, and a try that could not look does not count', async () => {
  const made = await withIncoming();
  made.inspectors.state = 'down';
  const before = made.inspectors.seen.length;
  await made.turn();
  assert.equal(made.inspectors.seen.length, before);
  made.inspectors.state = 'up';
  for (let i = 0; i < 4; i += 1) await made.turn();
  assert.ok(made.inspectors.seen.length > before);
  assert.equal((await made.spool.read(made.id))?.folder, 'incoming');
  assert.equal(made.spool.tries(made.id), 0);
  await made.stop();
});

it('while an engine stays too slow, tries come ever more seldom, down to one in 15 minutes', async () => {
  const made = await withIncoming();
  made.inspectors.state = 'slow';
  const triesIn = async (turns: number): Promise<number> => {
    const before = made.inspectors.seen.length;
    for (let i = 0; i < turns; i += 1) await made.turn();
    return made.inspectors.seen.length - before;
  };
  const first = await triesIn(40); // 20 minutes
  assert.ok(first >= 5 && first <= 9, `${first} tries`);
  assert.equal(await triesIn(60), 2);
  made.inspectors.state = 'down';
  await made.turn();
  made.inspectors.state = 'up';
  assert.equal(await triesIn(1), 1, 'an engine that was away and came back is asked at once');
  assert.equal((await made.spool.read(made.id))?.folder, 'incoming');
  await made.stop();
});

it('an engine that was away and came back is a fresh start: the pauses begin small again', async () => {
  const made = await withIncoming();
  for (let i = 0; i < 20; i += 1) await made.turn(); // late again and again: the next try is far away
  made.inspectors.state = 'down';
  await made.turn();
  made.inspectors.state = 'up';
  await made.turn();
  const before = made.inspectors.seen.length;
  for (let i = 0; i < 2; i += 1) await made.turn(); // 31 s each: 10 s and 20 s have passed
  assert.equal(made.inspectors.seen.length - before, 2);
  await made.stop();
});

it('a message whose inspection was begun twice and never ended is quarantined as poison', async () => {
  const made = await withIncoming();
  await made.spool.countTry(made.id);
  await made.spool.countTry(made.id);
  const before = made.inspectors.seen.length;
  await made.turn();
  const message = await made.spool.read(made.id);
  assert.equal(message?.folder, 'quarantine');
  assert.equal(message?.trailer.decisions[0]?.reason, 'poison');
  assert.equal(made.inspectors.seen.length, before, 'it is not inspected a third time');
  assert.ok(made.alarms.includes('poison-message'));
  await made.stop();
});

it('after 24 hours without an inspection a message is held with an alarm, never delivered', async () => {
  const made = await withIncoming();
  made.rig.clock.advance(24 * 3_600_000);
  await made.turn();
  const message = await made.spool.read(made.id);
  assert.equal(message?.folder, 'held');
  assert.equal(message?.trailer.hold?.reason, 'not-inspected');
  assert.ok(made.alarms.includes('inspection-late'));
  await made.stop();
});

it('recipients who part by limits of their own: each share goes where his row says, none is refused', async () => {
  const made = await withIncoming();
  made.inspectors.missing = [];
  await made.turn();
  made.config.policy.spamFor = [{ recipients: ['carol@office.example'], quarantine: 6, reject: 7 }];
  made.inspectors.findings = [{ kind: 'spam', engine: 'rspamd', score: 7.5, symbols: [] }];
  assert.equal((await made.send(MAIL, [BOB, CAROL])).code, 250, 'what is taken for one is taken');
  await made.turn();
  const whoIn = async (folder: 'queue' | 'quarantine'): Promise<string[]> => {
    const rows = await made.spool.list(folder);
    const messages = await Promise.all(rows.map(({ id }) => made.spool.read(id)));
    return messages.flatMap((message) => message?.progress.recipients.map(({ address }) => String(address)) ?? []);
  };
  assert.deepEqual(await whoIn('queue'), ['alice@office.example', 'bob@office.example']);
  assert.deepEqual(await whoIn('quarantine'), ['carol@office.example']);
  await made.stop();
});
