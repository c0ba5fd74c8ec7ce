import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { it } from 'node:test';
import type { Finding } from '../../src/mail/finding.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import type { Folder } from '../../src/spool/api.ts';
import { ALICE, BOB } from '../contracts/spool.ts';
import { failure } from '../support/memory-files.ts';
import { MAIL, pipelineRig, type PipelineRig } from './rig.ts';

const VIRUS = { kind: 'virus', engine: 'clamd', name: 'Eicar-Test' } as const;

function spam(score: number): Finding {
  return { kind: 'spam', engine: 'rspamd', score, symbols: [] };
}

function counts(made: PipelineRig): Record<Folder, number> {
  return made.spool.status().counts;
}

const EMPTY = { incoming: 0, queue: 0, held: 0, quarantine: 0, corrupt: 0 };

it('clean mail is queued with trace and results in front and forged results cut out', async () => {
  const made = await pipelineRig();
  const reply = await made.send();
  assert.equal(reply.code, 250);
  const [row] = await made.spool.list('queue');
  const message = await made.spool.read(row?.id as QueueId);
  assert.ok(message);
  const text = (await buffer(made.spool.openVariant(message, 0))).toString();
  assert.match(text, /^Received: from friend\.example/);
  assert.match(text, /for <alice@office\.example>/);
  assert.doesNotMatch(text, /Authentication-Results: mx\.office\.example; spf=pass/);
  assert.ok(text.endsWith('Subject: hi\r\n\r\nHello\r\n'));
  assert.deepEqual(await buffer(made.spool.openBody(message)), MAIL);
  assert.equal(made.events[0]?.event, 'received');
});

it('a virus is refused inside the session and leaves no file', async () => {
  const made = await pipelineRig();
  made.inspectors.findings = [VIRUS];
  const reply = await made.send();
  assert.equal(reply.code, 554);
  assert.deepEqual(counts(made), EMPTY);
  const left = [...made.rig.files.tree().keys()].filter((path) => path.endsWith('.msg') || path.includes('/tmp/'));
  assert.deepEqual(left, []);
});

it('the spam thresholds of the configuration decide: tag, quarantine, refuse', async () => {
  const made = await pipelineRig();
  for (const [score, code, folder] of [
    [4.9, 250, 'queue'],
    [8, 250, 'quarantine'],
    [15, 550, undefined],
  ] as const) {
    made.inspectors.findings = [spam(score)];
    const before = counts(made);
    assert.equal((await made.send()).code, code);
    if (folder !== undefined) assert.equal(counts(made)[folder], before[folder] + 1);
    else assert.deepEqual(counts(made), before);
  }
});

it('one message to recipients with marks of their own goes out in a variant for each mark', async () => {
  const made = await pipelineRig();
  made.config.policy.spamFor = [{ recipients: ['alice@office.example'], subjectTag: '【注意】' }];
  made.inspectors.findings = [spam(5.5)];
  assert.equal((await made.send(MAIL, [ALICE, BOB])).code, 250);
  const [row] = await made.spool.list('queue');
  const message = await made.spool.read(row?.id as QueueId);
  assert.ok(message);
  const subjects: string[] = [];
  for (const [at, { recipients }] of message.trailer.variants.entries()) {
    const text = (await buffer(made.spool.openVariant(message, at))).toString();
    const subject = /^Subject: (.*)$/m.exec(text)?.[1] ?? '';
    subjects.push(`${recipients.join()} ${/=\?UTF-8\?/i.test(subject) ? 'own' : subject.slice(0, 6)}`);
  }
  assert.deepEqual(subjects, ['alice@office.example own', 'bob@office.example [SPAM]']);
});

it('a sender learns nothing from the reply when the message is quarantined', async () => {
  const made = await pipelineRig();
  const clean = await made.send();
  made.inspectors.findings = [spam(9)];
  const caught = await made.send();
  assert.equal(clean.text.replace(/\S+$/, ''), caught.text.replace(/\S+$/, ''));
});

it('an engine that is down means 451, at MAIL and at the final dot, and no file', async () => {
  const made = await pipelineRig();
  made.inspectors.missing = [{ inspector: 'antivirus', reason: 'down', detail: 'gone' }];
  assert.equal((await made.send()).code, 451);
  made.inspectors.state = 'down';
  assert.equal((await made.send()).code, 451);
  assert.deepEqual(counts(made), EMPTY);
});

for (const reason of ['starting', 'timeout', 'error'] as const) {
  it(`an engine that could not look (${reason}) means 250 and incoming, never the queue`, async () => {
    const made = await pipelineRig();
    made.inspectors.missing = [{ inspector: 'spam', reason, detail: '' }];
    assert.equal((await made.send()).code, 250);
    assert.deepEqual(counts(made), { ...EMPTY, incoming: 1 });
  });
}

it('a virus is refused even when another engine could not look', async () => {
  const made = await pipelineRig();
  made.inspectors.findings = [VIRUS];
  made.inspectors.missing = [{ inspector: 'spam', reason: 'timeout', detail: '' }];
  assert.equal((await made.send()).code, 554);
});

it('too many incoming messages mean 451', async () => {
  const made = await pipelineRig();
  made.config.spool.maxIncoming = 2;
  made.inspectors.missing = [{ inspector: 'spam', reason: 'timeout', detail: '' }];
  assert.deepEqual([(await made.send()).code, (await made.send()).code, (await made.send()).code], [250, 250, 451]);
});

it('a full disk means 452, before and while writing, and the spool goes on afterwards', async () => {
  const made = await pipelineRig();
  made.rig.files.onCall = (call, path) => {
    if (call === 'write') throw failure('ENOSPC', path);
  };
  assert.equal((await made.send()).code, 452);
  made.rig.files.onCall = () => undefined;
  made.rig.clock.advance(5_000);
  await made.send(); // the figure is asked of the disk again
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await made.send()).code, 250);
  assert.equal(made.rig.faults.length, 0);
});

it('a failed sync means 4xx, an alarm, and nothing more is promised in this process', async () => {
  const made = await pipelineRig();
  made.rig.files.onCall = (call, path) => {
    if (call === 'sync') throw failure('EIO', path);
  };
  assert.equal((await made.send()).code, 421);
  made.rig.files.onCall = () => undefined;
  assert.equal((await made.send()).code, 421);
  assert.equal(made.rig.faults.length, 1);
  assert.ok(made.alarms.includes('spool-fault'));
});

it('a bug in an inspector is our trouble: 451 and an alarm', async () => {
  const made = await pipelineRig();
  made.inspectors.throws = new TypeError('undefined is not a function');
  const reply = await made.send();
  assert.equal(reply.code, 451);
  assert.ok(!reply.text.includes('undefined'));
  assert.ok(made.alarms.includes('internal-error'));
  assert.deepEqual(counts(made), EMPTY);
});

it('poison found inside the session is quarantined with a 250', async () => {
  const made = await pipelineRig();
  made.inspectors.findings = [{ kind: 'poison', detail: 'died twice' }];
  assert.equal((await made.send(MAIL, [ALICE, BOB])).code, 250);
  assert.deepEqual(counts(made), { ...EMPTY, quarantine: 1 });
});
