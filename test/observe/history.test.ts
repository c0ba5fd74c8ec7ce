import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import type { ReversePath } from '../../src/mail/address.ts';
import { childQueueId, dsnQueueId } from '../../src/mail/queue-id.ts';
import type { HistorySearch } from '../../src/observe/history-api.ts';
import { NOON, origin, queueId, received, to } from './support.ts';

import { bench } from './history-bench.ts';

describe('the history', () => {
  it('shows a message with all it was told of it', async () => {
    await using b = await bench();
    const id = queueId();
    b.history.record(received(id), NOON);
    assert.deepEqual(await b.history.search({}), {
      rows: [
        {
          id,
          arrived: NOON,
          direction: 'inbound',
          state: 'queued',
          reversePath: 'taro@example.com',
          from: 'Yamada Taro <taro@example.com>',
          subject: 'Minutes of the meeting',
          messageId: 'm1@example.com',
          size: 1_234,
          client: '192.0.2.7',
          recipientCount: 1,
          recipients: ['hanako@office.example'],
          reason: 'clean',
        },
      ],
    });
  });

  it('finds by time, sender, recipient, queue id, subject, Message-ID, client, state and direction', async () => {
    await using b = await bench();
    const ids = [queueId(), queueId(), queueId(), queueId()] as const;
    b.history.record(received(ids[0], { subject: '忘年会のお知らせ' }), NOON);
    b.history.record(
      received(ids[1], {
        subject: '会議 議事録',
        reversePath: 'bounce+1@lists.example.com' as ReversePath,
        from: '田中一郎 <Ichiro@example.net>',
        recipients: [to('info@xn--wgv71a119e.example'), to('soumu@office.example')],
        messageId: '<Unique.1@example.net>',
      }),
      NOON + 1_000,
    );
    b.history.record(
      received(ids[2], {
        direction: 'outbound',
        subject: 'Your invoice',
        reversePath: '' as ReversePath,
        state: 'rejected',
      }),
      NOON + 2_000,
    );
    b.history.record(
      received(ids[3], {
        subject: 'ｶｲｷﾞ室',
        origin: { ...origin, clientAddress: '198.51.100.9' },
        state: 'quarantine',
        decisions: [{ recipient: to('hanako@office.example'), action: 'quarantine', reason: 'spam-quarantine' }],
      }),
      NOON + 3_000,
    );
    const found = async (query: HistorySearch): Promise<number[]> =>
      (await b.history.search(query)).rows.map((row) => ids.indexOf(row.id ?? ids[0]));

    assert.deepEqual(await found({}), [3, 2, 1, 0]);
    assert.deepEqual(await found({ from: NOON + 1_000, to: NOON + 2_000 }), [2, 1]);
    assert.deepEqual(await found({ text: '年会' }), [0]);
    assert.deepEqual(await found({ text: '会議' }), [1]);
    assert.deepEqual(await found({ text: 'かいぎ' }), [3]);
    assert.deepEqual(await found({ text: 'voi' }), [2]);
    assert.deepEqual(await found({ text: '田中 議事' }), [1]);
    assert.deepEqual(await found({ text: ids[2].toLowerCase() }), [2]);
    assert.deepEqual(await found({ id: ids[1] }), [1]);
    assert.deepEqual(
      await found({ id: ids[1], sender: 'ichiro@example.net', recipient: 'soum', state: 'queued' }),
      [1],
    );
    assert.deepEqual(await found({ id: ids[1], recipient: 'hanako' }), []);
    assert.deepEqual(await found({ id: ids[1], direction: 'outbound' }), []);
    assert.deepEqual(await found({ id: 'no id' }), []);
    assert.deepEqual(await found({ sender: 'TARO@example.com' }), [3, 2, 0]);
    assert.deepEqual(await found({ sender: 'bounce+1@lists.example.com' }), [1]);
    assert.deepEqual(await found({ sender: 'ichiro@EXAMPLE.net' }), [1]);
    assert.deepEqual(await found({ sender: '@example.net' }), [1]);
    assert.deepEqual(await found({ sender: '<>' }), [2]);
    assert.deepEqual(await found({ sender: 'ro@example.n' }), [1]);
    assert.deepEqual(await found({ sender: '年会' }), []);
    assert.deepEqual(await found({ recipient: 'soumu@office.example' }), [1]);
    assert.deepEqual(await found({ recipient: '@office.example' }), [3, 2, 1, 0]);
    assert.deepEqual(await found({ recipient: 'soum' }), [1]);
    assert.deepEqual(await found({ recipient: '日本語.example' }), [1]);
    assert.deepEqual(await found({ recipient: '@日本語.example' }), [1]);
    assert.deepEqual(await found({ recipient: 'hanako', sender: '@example.com', text: '室' }), [3]);
    assert.deepEqual(await found({ messageId: '<unique.1@example.net>' }), [1]);
    assert.deepEqual(await found({ client: '198.51.100.9' }), [3]);
    assert.deepEqual(await found({ client: '198.51.100.9', sender: '@example.net' }), []);
    assert.deepEqual(await found({ state: 'quarantined' }), [3]);
    assert.deepEqual(await found({ state: 'rejected', direction: 'outbound' }), [2]);
    assert.deepEqual(await found({ direction: 'inbound', text: '会' }), [1, 0]);
    assert.deepEqual(await found({ text: '"; DROP TABLE messages; --' }), []);
  });

  it('counts by step of time: messages of one hour are one figure, whatever their minute', async () => {
    await using b = await bench();
    const hour = 3_600_000;
    for (const minute of [0, 1, 59, 60, 61, 119, 150])
      b.history.record(received(queueId()), NOON + minute * 60_000 + 7);
    const { groups } = await b.history.report({ from: NOON - hour, to: NOON + 4 * hour, step: hour });
    assert.deepEqual(
      groups.map(({ step, state, reason, messages, octets }) => [step, state, reason, messages, octets]),
      [
        [1, 'queued', 'clean', 3, 3 * 1_234],
        [2, 'queued', 'clean', 3, 3 * 1_234],
        [3, 'queued', 'clean', 1, 1_234],
      ],
    );
  });

  it('pages through everything once, newest first, whatever drives the search', async () => {
    await using b = await bench();
    const ids = Array.from({ length: 53 }, () => queueId());
    // Many in one millisecond, and the clock steps back
    for (const [at, id] of ids.entries()) b.history.record(received(id), NOON + (at % 5));
    for (const query of [{}, { text: 'minutes' }, { sender: 'taro@example.com' }, { state: 'queued' as const }]) {
      const seen: string[] = [];
      const times: number[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < 20; page += 1) {
        const { rows, next } = await b.history.search({
          ...query,
          limit: 10,
          ...(cursor === undefined ? {} : { cursor }),
        });
        seen.push(...rows.map((row) => row.id ?? ''));
        times.push(...rows.map((row) => row.arrived));
        cursor = next;
        if (cursor === undefined) break;
      }
      assert.equal(new Set(seen).size, 53);
      assert.equal(seen.length, 53);
      assert.deepEqual(
        times,
        times.toSorted((x, y) => y - x),
      );
    }
  });

  it('follows a message to its end, recipient by recipient', async () => {
    await using b = await bench();
    const id = queueId();
    const [one, two] = [to('one@office.example'), to('two@office.example')];
    const state = async (): Promise<unknown> => {
      const trail = await b.history.trail(id);
      return [trail?.message.state, ...(trail?.recipients ?? []).map((r) => `${r.address} ${r.state} ${r.reply}`)];
    };
    b.history.record(received(id, { recipients: [one, two] }), NOON);
    assert.deepEqual(await state(), ['queued', 'one@office.example queued ', 'two@office.example queued ']);
    b.history.record({ event: 'attempt', id, nextHop: 'mail.office.example', recipients: [one, two] }, NOON + 1);
    b.history.record(
      { event: 'delivered', id, recipients: [one], nextHop: 'mail.office.example', reply: '250 ok', delayMs: 5 },
      NOON + 2,
    );
    b.history.record(
      { event: 'deferred', id, recipients: [two], nextHop: 'mail.office.example', reply: '450 later', waitMs: 60_000 },
      NOON + 2,
    );
    assert.deepEqual(await state(), [
      'deferred',
      'one@office.example delivered 250 ok',
      'two@office.example deferred 450 later',
    ]);
    b.history.record({ event: 'attempt', id, nextHop: 'mail.office.example', recipients: [two] }, NOON + 3);
    b.history.record(
      {
        event: 'bounced',
        id,
        recipients: [two],
        nextHop: 'mail.office.example',
        reply: '550 no',
        dsn: dsnQueueId(id, 1),
      },
      NOON + 4,
    );
    assert.deepEqual(await state(), [
      'bounced',
      'one@office.example delivered 250 ok',
      'two@office.example bounced 550 no',
    ]);
    const trail = await b.history.trail(id);
    assert.deepEqual(
      trail?.events.map((entry) => entry.event.event),
      ['received', 'attempt', 'delivered', 'deferred', 'attempt', 'bounced'],
    );
    assert.equal(trail?.recipients[0]?.reason, 'clean');
    assert.equal(await b.history.trail(queueId()), undefined);
  });

  it('holds, releases, deletes and brings back', async () => {
    await using b = await bench();
    const id = queueId();
    const hanako = to('hanako@office.example');
    const state = async (): Promise<string | undefined> => (await b.history.trail(id))?.message.state;
    b.history.record(
      received(id, { state: 'quarantine', decisions: [{ recipient: hanako, action: 'quarantine', reason: 'virus' }] }),
      NOON,
    );
    assert.equal(await state(), 'quarantined');
    b.history.record({ event: 'deleted', id, by: 'admin', why: 'operator' }, NOON + 1);
    assert.equal(await state(), 'deleted');
    b.history.record({ event: 'undeleted', id, by: 'admin' }, NOON + 2);
    assert.equal(await state(), 'quarantined');
    b.history.record({ event: 'released', id, recipients: [hanako], by: 'admin' }, NOON + 3);
    assert.equal(await state(), 'queued');
    b.history.record({ event: 'held', id, by: 'admin', why: 'look at it' }, NOON + 4);
    assert.equal(await state(), 'held');
    b.history.record({ event: 'corrupt', id, detail: 'hash' }, NOON + 5);
    assert.equal(await state(), 'corrupt');
  });

  it('learns subject and decision of an incoming message later', async () => {
    await using b = await bench();
    const id = queueId();
    const hanako = to('hanako@office.example');
    b.history.record(received(id, { state: 'incoming', decisions: [], subject: '', from: '', messageId: '' }), NOON);
    assert.equal((await b.history.search({ state: 'incoming' })).rows.length, 1);
    b.history.record(
      {
        event: 'decided',
        id,
        findings: [],
        decisions: [{ recipient: hanako, action: 'deliver', reason: 'clean' }],
        state: 'queue',
        subject: '忘年会',
        messageId: '<m@example.com>',
        from: 'a@example.com',
      },
      NOON + 1,
    );
    const { rows } = await b.history.search({ text: '年会' });
    assert.deepEqual([rows[0]?.id, rows[0]?.state, rows[0]?.reason], [id, 'queued', 'clean']);
    assert.equal((await b.history.search({ state: 'incoming' })).rows.length, 0);
    assert.equal((await b.history.search({ messageId: 'm@example.com' })).rows.length, 1);
  });

  it('forgets the words of a subject that was replaced', async () => {
    await using b = await bench();
    const id = queueId();
    b.history.record(received(id, { state: 'incoming', decisions: [], subject: 'former' }), NOON);
    assert.equal((await b.history.search({ text: 'former' })).rows.length, 1);
    b.history.record(
      { event: 'decided', id, findings: [], decisions: [], state: 'queue', subject: 'latter', messageId: '', from: '' },
      NOON + 1,
    );
    assert.equal((await b.history.search({ text: 'latter' })).rows.length, 1);
    assert.equal((await b.history.search({ text: 'former' })).rows.length, 0);
  });

  it('shows the whole family from any member', async () => {
    await using b = await bench();
    const id = queueId();
    const [one, two] = [to('one@office.example'), to('two@office.example')];
    const part = childQueueId(id, 1);
    const dsn = dsnQueueId(id, 2);
    b.history.record(received(id, { recipients: [one, two] }), NOON);
    b.history.record({ event: 'derived', id: part, parent: id, why: 'split', recipients: [two] }, NOON + 1);
    b.history.record(
      { event: 'delivered', id: part, recipients: [two], nextHop: 'h', reply: '250 ok', delayMs: 1 },
      NOON + 2,
    );
    b.history.record({ event: 'bounced', id, recipients: [one], nextHop: 'h', reply: '550 no', dsn }, NOON + 3);
    b.history.record({ event: 'derived', id: dsn, parent: id, why: 'dsn' }, NOON + 3);
    b.history.record(
      {
        event: 'delivered',
        id: dsn,
        recipients: [to('taro@example.com')],
        nextHop: 'mx.example.com',
        reply: '250 thanks',
        delayMs: 1,
      },
      NOON + 4,
    );

    const whole = await b.history.trail(id);
    assert.deepEqual(
      whole?.recipients.map((r) => [r.id, r.address, r.state]),
      [
        [id, one, 'bounced'],
        [id, two, 'moved'],
        [part, two, 'delivered'],
      ],
    );
    assert.equal(whole?.message.state, 'bounced');
    assert.deepEqual(whole?.related, [
      { id: part, why: 'split', state: 'delivered' },
      { id: dsn, why: 'dsn', state: 'delivered' },
    ]);
    assert.deepEqual(
      whole?.events.map((e) => e.event.event),
      ['received', 'derived', 'delivered', 'bounced', 'derived', 'delivered'],
    );

    const fromPart = await b.history.trail(part);
    assert.equal(fromPart?.message.id, part);
    assert.equal(fromPart?.message.subject, 'Minutes of the meeting');
    assert.deepEqual(
      fromPart?.related.map((r) => r.id),
      [id, dsn],
    );
    const fromDsn = await b.history.trail(dsn);
    assert.deepEqual(
      fromDsn?.recipients.map((r) => [r.address, r.state]),
      [['taro@example.com', 'delivered']],
    );
    assert.equal(fromDsn?.message.reversePath, '');
    assert.deepEqual(
      (await b.history.search({ id: dsn })).rows.map((row) => row.id),
      [dsn, part, id],
    );
  });

  it('keeps an outcome that was told before the arrival', async () => {
    await using b = await bench();
    const id = queueId();
    const [one, two] = [to('one@office.example'), to('two@office.example')];
    const part = childQueueId(id, 2);
    b.history.record({ event: 'attempt', id: part, nextHop: 'h', recipients: [two] }, NOON);
    b.history.record(
      { event: 'delivered', id: part, recipients: [two], nextHop: 'h', reply: '250 ok', delayMs: 1 },
      NOON,
    );
    b.history.record({ event: 'delivered', id, recipients: [one], nextHop: 'h', reply: '250 ok', delayMs: 1 }, NOON);
    b.history.record(received(id, { recipients: [one, two] }), NOON + 1);
    const trail = await b.history.trail(id);
    assert.deepEqual(
      trail?.recipients.map((r) => [r.id, r.address, r.state]),
      [
        [part, two, 'delivered'],
        [id, one, 'delivered'],
        [id, two, 'moved'],
      ],
    );
    assert.equal(trail?.message.subject, 'Minutes of the meeting');
    assert.equal((await b.history.trail(part))?.message.subject, 'Minutes of the meeting');
    assert.deepEqual(
      (await b.history.search({ text: 'meeting', recipient: two })).rows.map((row) => row.id),
      [id, part],
    );
  });

  it('shows a share that was released as queued where it went, however deep the split', async () => {
    await using b = await bench();
    const id = queueId();
    const [one, two, three] = [to('one@office.example'), to('two@office.example'), to('three@office.example')];
    const part = childQueueId(id, 1);
    const deeper = childQueueId(part, 1);
    b.history.record(
      received(id, {
        recipients: [one, two, three],
        state: 'queue',
        decisions: [
          { recipient: one, action: 'deliver', reason: 'clean' },
          { recipient: two, action: 'quarantine', reason: 'encrypted-archive' },
          { recipient: three, action: 'quarantine', reason: 'encrypted-archive' },
        ],
      }),
      NOON,
    );
    // The part that lies in quarantine was never told of; of its two recipients one is released
    b.history.record({ event: 'derived', id: deeper, parent: part, why: 'release', recipients: [two] }, NOON + 1);
    b.history.record({ event: 'released', id: part, recipients: [two], by: 'admin' }, NOON + 1);
    const states = async (): Promise<string[]> =>
      ((await b.history.trail(id))?.recipients ?? [])
        .filter((r) => r.state !== 'moved')
        .map((r) => `${r.id} ${r.address} ${r.state}`)
        .toSorted();
    assert.equal((await b.history.trail(id))?.message.state, 'quarantined');
    assert.ok((await states()).includes(`${deeper} ${two} queued`));
    b.history.record(
      { event: 'delivered', id: deeper, recipients: [two], nextHop: 'h', reply: '250', delayMs: 1 },
      NOON + 2,
    );
    const later = await states();
    assert.ok(later.includes(`${deeper} ${two} delivered`));
    assert.ok(later.includes(`${id} ${three} quarantined`));
    assert.equal(later.filter((state) => state.includes(two)).length, 1, later.join('\n'));
  });

  it('makes a row for a message it never saw', async () => {
    await using b = await bench();
    const id = queueId();
    b.history.record(
      { event: 'delivered', id, recipients: [to('x@office.example')], nextHop: 'h', reply: '250 ok', delayMs: 1 },
      NOON,
    );
    const trail = await b.history.trail(id);
    assert.deepEqual([trail?.message.state, trail?.recipients[0]?.address], ['delivered', 'x@office.example']);
  });

  it('finds refused sessions by client, sender and recipient, and slows their flood', async () => {
    await using b = await bench();
    const refused = {
      event: 'refused',
      stage: 'rcpt',
      origin,
      reversePath: 'spam@example.org' as ReversePath,
      recipient: 'nobody@office.example',
      reply: '550 5.1.1 No such mailbox',
    } as const;
    for (let i = 0; i < 200; i += 1) b.history.record(refused, NOON + i);
    for (const query of [
      { client: '192.0.2.7' },
      { sender: 'spam@example.org' },
      { recipient: 'nobody' },
      { state: 'refused' as const },
    ]) {
      const { rows } = await b.history.search(query);
      assert.equal(rows.length, 60);
      assert.deepEqual(
        [rows[0]?.id, rows[0]?.state, rows[0]?.reason],
        [undefined, 'refused', 'rcpt: 550 5.1.1 No such mailbox'],
      );
    }
    assert.equal(b.history.status().skipped, 140);
    b.clock.advance(60_000);
    b.history.record(refused, NOON + 1_000);
    assert.equal((await b.history.search({ client: '192.0.2.7' })).rows.length, 61);
    assert.deepEqual((await b.history.search({ sender: '<>' })).rows, []);
  });

  it('keeps no subject when none is wanted, and follows a change at run time', async () => {
    await using b = await bench({ subjects: false });
    const id = queueId();
    b.history.record(
      received(id, {
        subject: 'Secret merger',
        findings: [{ kind: 'summary', subject: 'Secret merger', messageId: '', from: '' }],
      }),
      NOON,
    );
    assert.deepEqual((await b.history.search({ text: 'merger' })).rows, []);
    const trail = await b.history.trail(id);
    assert.equal(JSON.stringify(trail).includes('merger'), false);
    b.history.configure({ subjects: true });
    b.history.record(received(queueId(), { subject: 'Open merger' }), NOON + 1);
    assert.equal((await b.history.search({ text: 'merger' })).rows.length, 1);
  });

  it('forgets what is older than its days, but neither what is still here nor with a wrong clock', async () => {
    await using b = await bench({ days: 10 });
    const day = 86_400_000;
    const ids = Array.from({ length: 1_203 }, () => queueId());
    for (const id of ids) {
      b.history.record(received(id), NOON - 11 * day);
      b.history.record(
        { event: 'delivered', id, recipients: [to('hanako@office.example')], nextHop: 'h', reply: '250', delayMs: 1 },
        NOON - 11 * day,
      );
    }
    const [kept, open, stale] = [queueId(), queueId(), queueId()];
    b.history.record(received(kept, { subject: 'kept' }), NOON - 9 * day);
    b.history.record(received(open, { state: 'quarantine', decisions: [] }), NOON - 30 * day);
    b.history.record(received(stale), NOON - 50 * day);
    b.clock.set({ synchronised: false });
    assert.equal(await b.history.expire(), 0);
    b.clock.set({ synchronised: true });
    assert.equal(await b.history.expire(), 1_204);
    assert.deepEqual(
      (await b.history.search({})).rows.map((row) => row.id),
      [kept, open],
    );
    assert.deepEqual(
      (await b.history.search({ sender: 'taro@example.com' })).rows.map((row) => row.id),
      [kept, open],
    );
    assert.deepEqual(
      (await b.history.search({ text: 'meeting' })).rows.map((row) => row.id),
      [open],
    );
    assert.equal(b.history.status().messages, 2);
    await b.history[Symbol.asyncDispose]();
    const left = new DatabaseSync(b.file);
    for (const [table, rows] of [
      ['messages', 2],
      ['recipients', 2],
      ['events', 2],
    ] as const)
      assert.equal(left.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'], rows);
    assert.equal(left.prepare('SELECT count(DISTINCT n) AS n FROM keys').get()?.['n'], 2);
    assert.equal(left.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok');
    left.close();
  });
});
