import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LANGUAGES } from '../../src/base/i18n.ts';
import { jsonForTerminal } from '../../src/base/terminal.ts';
import { childQueueId, dsnQueueId, type QueueId } from '../../src/mail/queue-id.ts';
import type { MailEvent } from '../../src/observe/events.ts';
import type { Trail } from '../../src/observe/history-api.ts';
import { describeEvent, describeSteps, traceJson } from '../../src/observe/trace.ts';
import { NOON, origin, queueId, received, to } from './support.ts';

const [one, two] = [to('one@office.example'), to('two@office.example')];

function trailOf(id: QueueId, changes: { subject?: string; reply?: string; from?: string } = {}): Trail {
  const part = childQueueId(id, 1);
  const subject = changes.subject ?? '忘年会のお知らせ';
  const from = changes.from ?? '山田 <taro@example.com>';
  const first = received(id, {
    recipients: [one, two],
    subject,
    from,
    findings: [
      { kind: 'spf', result: 'pass', domain: 'example.com', helo: 'mail.example.com' },
      { kind: 'spam', engine: 'rspamd', score: 6.2, symbols: [{ name: 'BAD_WORD', score: 6.2 }] },
      { kind: 'summary', subject, messageId: '', from },
    ],
    decisions: [
      { recipient: one, action: 'deliver', reason: 'spam-tag' },
      { recipient: two, action: 'quarantine', reason: 'spam-quarantine' },
    ],
  });
  return {
    message: {
      id,
      arrived: NOON,
      direction: 'inbound',
      state: 'quarantined',
      reversePath: first.reversePath,
      from,
      subject,
      messageId: 'm1@example.com',
      size: 1_234,
      client: origin.clientAddress,
      recipientCount: 2,
      recipients: [one, two],
      reason: 'spam-quarantine',
    },
    recipients: [
      {
        id,
        address: one,
        state: 'delivered',
        reason: 'spam-tag',
        reply: changes.reply ?? '250 2.0.0 Ok',
        nextHop: 'mail.office.example:25',
        updated: NOON + 2_000,
      },
      { id, address: two, state: 'moved', reason: '', reply: '', nextHop: '', updated: NOON + 1_000 },
      {
        id: part,
        address: two,
        state: 'quarantined',
        reason: 'spam-quarantine',
        reply: '',
        nextHop: '',
        updated: NOON + 1_000,
      },
    ],
    events: [
      { id, at: NOON, event: first },
      {
        id: part,
        at: NOON + 1_000,
        event: { event: 'derived', id: part, parent: id, why: 'split', recipients: [two] },
      },
      {
        id,
        at: NOON + 2_000,
        event: {
          event: 'delivered',
          id,
          recipients: [one],
          nextHop: 'mail.office.example:25',
          reply: changes.reply ?? '250 2.0.0 Ok',
          delayMs: 2_000,
        },
      },
    ],
    related: [{ id: part, why: 'split', state: 'quarantined' }],
  };
}

describe('describeSteps()', () => {
  it('tells in both languages what happened, with the time in UTC', () => {
    const id = queueId();
    assert.deepEqual(
      describeSteps(trailOf(id), 'ja').map(({ at, text }) => [at, text]),
      [
        ['2026-11-21T09:00:00.000Z', '192.0.2.7（mail.example.com、ESMTPS）から受信し、「250 2.0.0 Queued」と返答'],
        ['2026-11-21T09:00:01.000Z', `${id} から作成（宛先ごとの分割）`],
        ['2026-11-21T09:00:02.000Z', 'mail.office.example:25 が one@office.example 宛を受け取りました: 250 2.0.0 Ok'],
      ],
    );
    assert.deepEqual(describeSteps(trailOf(id), 'en').at(-1), {
      at: '2026-11-21T09:00:02.000Z',
      id,
      event: 'delivered',
      text: 'mail.office.example:25 took it for one@office.example: 250 2.0.0 Ok',
    });
  });

  it('lets nothing from outside steer the terminal', () => {
    const evil = '\u001b[2J\u009b31m\r\n250 fake\u202egnp.exe\u2066x\u0007\u2028y\ud800{id}$1';
    const trail = trailOf(queueId(), { subject: evil, reply: evil, from: evil });
    for (const language of LANGUAGES) {
      const steps = describeSteps(trail, language).map((step) => step.text);
      for (const line of [...steps, jsonForTerminal(traceJson(trail))])
        assert.doesNotMatch(line.replaceAll('\n', '|'), /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u);
      for (const step of steps) assert.ok(!step.includes('\n'));
      assert.ok(steps.join('\n').includes('\\u{202e}gnp.exe'));
    }
    assert.equal((JSON.parse(jsonForTerminal(traceJson(trail))) as { subject: string }).subject, evil);
  });

  it('has a sentence for every event in both languages, with no mark left standing', () => {
    const id = queueId();
    const dsn = dsnQueueId(id, 1);
    const recipients = Array.from({ length: 14 }, (_, at) => to(`r${at}@office.example`));
    const events: MailEvent[] = [
      { event: 'refused', stage: 'rcpt', origin, reply: '550 no' },
      received(id),
      received(id, { origin: { ...origin, listener: 'local', clientAddress: '' } }),
      {
        event: 'decided',
        id,
        findings: [],
        decisions: [{ recipient: one, action: 'deliver', reason: 'clean' }],
        state: 'queue',
        subject: '',
        messageId: '',
        from: '',
      },
      { event: 'attempt', id, nextHop: 'h', recipients },
      { event: 'delivered', id, recipients, nextHop: 'h', reply: 'r', delayMs: 1 },
      { event: 'deferred', id, recipients, nextHop: 'h', reply: 'r', waitMs: 600_000 },
      { event: 'bounced', id, recipients, nextHop: 'h', reply: 'r', dsn },
      { event: 'expired', id, recipients, reply: 'r', dsn },
      { event: 'held', id, why: 'w', by: 'b' },
      ...(['split', 'release', 'dsn', 'undeliverable'] as const).map(
        (why) => ({ event: 'derived', id, parent: id, why }) as const,
      ),
      { event: 'released', id, recipients, by: 'b' },
      ...(['operator', 'expired', 'discarded'] as const).map(
        (why) => ({ event: 'deleted', id, by: 'b', why }) as const,
      ),
      { event: 'undeleted', id, by: 'b' },
      { event: 'corrupt', id, detail: 'd' },
    ];
    for (const language of LANGUAGES)
      for (const event of events) {
        const text = describeEvent(event, { language });
        assert.ok(text.length > 3, event.event);
        assert.doesNotMatch(text, /\{\w+\}|undefined/, event.event);
      }
    assert.match(
      describeEvent({ event: 'attempt', id, nextHop: 'h', recipients }, { language: 'en' }),
      /r9@office\.example \(\+4\)$/,
    );
    assert.match(
      describeEvent(
        { event: 'deferred', id, recipients: [one], nextHop: 'h', reply: 'r', waitMs: 600_000 },
        { language: 'en' },
      ),
      /about 10 min/,
    );
  });
});

describe('traceJson()', () => {
  it('has the shape that programs rely on', () => {
    const id = queueId();
    const json = traceJson(trailOf(id));
    assert.deepEqual(Object.keys(json), [
      'id',
      'arrivedAt',
      'state',
      'direction',
      'reversePath',
      'from',
      'subject',
      'messageId',
      'size',
      'client',
      'reply',
      'recipients',
      'findings',
      'decisions',
      'events',
      'related',
    ]);
    assert.equal(json.arrivedAt, '2026-11-21T09:00:00.000Z');
    assert.equal(json.reply, '250 2.0.0 Queued');
    assert.deepEqual(json.recipients[0], {
      id,
      address: one,
      state: 'delivered',
      reason: 'spam-tag',
      reply: '250 2.0.0 Ok',
      nextHop: 'mail.office.example:25',
      updatedAt: '2026-11-21T09:00:02.000Z',
    });
    assert.deepEqual(
      json.decisions.map((decision) => decision.reason),
      ['spam-tag', 'spam-quarantine'],
    );
    assert.equal(json.findings.length, 3);
    assert.deepEqual(
      json.events.map((event) => [event.at, event.event, event['id']]),
      [
        ['2026-11-21T09:00:00.000Z', 'received', id],
        ['2026-11-21T09:00:01.000Z', 'derived', `${id}.1`],
        ['2026-11-21T09:00:02.000Z', 'delivered', id],
      ],
    );
    assert.deepEqual(json.related, [{ id: `${id}.1`, relation: 'split', state: 'quarantined' }]);
  });

  it('shows the later decision of a message that was taken uninspected', () => {
    const id = queueId();
    const trail = trailOf(id);
    trail.events.push({
      id,
      at: NOON + 9,
      event: {
        event: 'decided',
        id,
        findings: [{ kind: 'virus', engine: 'clamd', name: 'Eicar' }],
        decisions: [{ recipient: one, action: 'quarantine', reason: 'virus' }],
        state: 'quarantine',
        subject: '',
        messageId: '',
        from: '',
      },
    });
    assert.deepEqual(traceJson(trail).decisions, [{ recipient: one, action: 'quarantine', reason: 'virus' }]);
    assert.equal(traceJson(trail).findings[0]?.kind, 'virus');
  });
});
