import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { groupVariants, settleReply, shareOf } from '../../src/decide/summary.ts';
import { type ForwardPath, parseForwardPath } from '../../src/mail/address.ts';
import { type Action, ACTIONS, type Decision, type Reason, REASONS } from '../../src/mail/decision.ts';
import { newQueueId } from '../../src/mail/queue-id.ts';
import { replyText } from '../../src/mail/reply.ts';
import { dmarc, virus } from './findings.ts';

const id = newQueueId(7, (size) => new Uint8Array(size));

function path(text: string): ForwardPath {
  const parsed = parseForwardPath(text);
  assert.ok(parsed !== undefined);
  return parsed;
}

function decisions(...actions: Action[]): Decision[] {
  const reasons: Record<Action, Reason> = {
    deliver: 'clean',
    quarantine: 'executable',
    hold: 'operator',
    reject: 'spam-reject',
    defer: 'not-inspected',
    discard: 'operator',
  };
  return actions.map((action, index) => ({
    recipient: path(`r${index}@office.example`),
    action,
    reason: reasons[action],
  }));
}

describe('settleReply()', () => {
  const rows: Array<[actions: Action[], state: string, code: number]> = [
    [['deliver'], 'queue', 250],
    [['deliver', 'deliver'], 'queue', 250],
    [['quarantine', 'quarantine'], 'quarantine', 250],
    [['hold'], 'held', 250],
    [['discard'], 'discarded', 250],
    [['reject'], 'rejected', 550],
    [['reject', 'reject'], 'rejected', 550],
    [['defer'], 'deferred', 451],
    [['defer', 'defer'], 'deferred', 451],
    [['reject', 'defer'], 'deferred', 451],
    [['deliver', 'reject'], 'mixed', 250],
    [['defer', 'deliver'], 'mixed', 250],
    [['deliver', 'quarantine'], 'mixed', 250],
    [['discard', 'reject', 'defer'], 'mixed', 250],
  ];
  for (const [actions, state, code] of rows) {
    it(`answers ${code} and says "${state}" for ${actions.join(' + ')}`, () => {
      const settled = settleReply(decisions(...actions), id);
      assert.equal(settled.state, state);
      assert.equal(settled.reply.code, code);
      assert.ok(settled.reply.text.includes(id));
    });
  }

  it('tells a quarantined, held or discarded sender exactly what it tells a delivered one', () => {
    const texts = (['deliver', 'quarantine', 'hold', 'discard'] as const).map((action) =>
      replyText(settleReply(decisions(action), id).reply),
    );
    assert.deepEqual(new Set(texts), new Set([`2.0.0 Ok: queued as ${id}`]));
  });

  it('names the virus in 554, reduced to harmless ASCII', () => {
    const [decision] = decisions('reject');
    assert.ok(decision !== undefined);
    const because = virus('Eicar\r\n250 ok 会議');
    const { reply } = settleReply([{ ...decision, reason: 'virus', because }], id);
    assert.equal(reply.code, 554);
    assert.equal(replyText(reply), `5.7.1 Message refused: virus found (Eicar__250_ok___), id ${id}`);
  });

  it('names the domain whose DMARC policy refuses', () => {
    const [decision] = decisions('reject');
    assert.ok(decision !== undefined);
    const because = dmarc('fail', 'bank.example', 'reject');
    const { reply } = settleReply([{ ...decision, reason: 'dmarc-reject', because }], id);
    assert.equal(replyText(reply), `5.7.1 Message refused by the DMARC policy of bank.example, id ${id}`);
  });

  it('throws without a decision, because nobody may be answered by accident', () => {
    assert.throws(() => settleReply([], id), TypeError);
  });

  it('gives every reason a short line: RFC 5321 §4.5.3.1.5 allows 512 octets', () => {
    for (const reason of REASONS) {
      const because = reason === 'virus' ? { because: virus('x'.repeat(500)) } : {};
      const { reply } = settleReply([{ recipient: path('a@b.example'), action: 'reject', reason, ...because }], id);
      assert.ok(reply.code === 550 || reply.code === 554);
      assert.ok(replyText(reply).length < 200);
      assert.match(replyText(reply), /^5\.7\.1 [ -~]+$/);
    }
  });

  it('never answers 5xx unless all are rejected, never 250 unless one is accepted', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...ACTIONS), { minLength: 1, maxLength: 8 }), (actions) => {
        const { code } = settleReply(decisions(...actions), id).reply;
        assert.equal(
          code >= 500,
          actions.every((action) => action === 'reject'),
        );
        assert.equal(
          code === 250,
          actions.some((action) => action !== 'reject' && action !== 'defer'),
        );
      }),
    );
  });

  it('sends the rejected share of a mixed answer to quarantine and the deferred share to incoming', () => {
    assert.deepEqual(
      ACTIONS.map((action) => [action, shareOf(action)]),
      [
        ['deliver', 'queue'],
        ['quarantine', 'quarantine'],
        ['hold', 'held'],
        ['reject', 'quarantine'],
        ['defer', 'incoming'],
        ['discard', 'discarded'],
      ],
    );
  });
});

describe('groupVariants()', () => {
  it('makes one variant for all who get the same, in the order of the envelope', () => {
    const list = decisions('deliver', 'quarantine', 'deliver', 'deliver');
    const [, , , last] = list;
    assert.ok(last !== undefined);
    last.tag = '[SPAM]';
    const groups = groupVariants(list, (decision) => ({ prefix: `X: ${decision.tag ?? ''}\r\n`, cuts: [] }));
    assert.deepEqual(
      groups.map(({ action, variant }) => [action, variant.recipients, variant.prefix]),
      [
        ['deliver', ['r0@office.example', 'r2@office.example'], 'X: \r\n'],
        ['quarantine', ['r1@office.example'], 'X: \r\n'],
        ['deliver', ['r3@office.example'], 'X: [SPAM]\r\n'],
      ],
    );
  });

  it('keeps reasons apart, because the added header names the reason', () => {
    const [one, other] = decisions('quarantine', 'quarantine');
    assert.ok(one !== undefined && other !== undefined);
    const groups = groupVariants([one, { ...other, reason: 'virus' }], () => ({ prefix: '', cuts: [] }));
    assert.equal(groups.length, 2);
  });
});
