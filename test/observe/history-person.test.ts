import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { addressPattern } from '../../src/mail/address.ts';
import type { MailEvent } from '../../src/observe/events.ts';
import { type HistoryDatabase, openHistoryDatabase } from '../../src/observe/history-database.ts';
import { NOON, queueId, received, temporaryFolder, to } from './support.ts';

const settings = { days: 400, subjects: true, floorOctets: 0 };
const HER = 'hanako@office.example';
const PSEUDONYM = 'forgotten-1@office.example';

async function filled(work: (database: HistoryDatabase, ids: string[], file: string) => void): Promise<void> {
  await using temporary = await temporaryFolder();
  const file = path.join(temporary.folder, 'h.sqlite');
  const database = openHistoryDatabase(file, settings);
  const ids = Array.from({ length: 4 }, () => queueId());
  const [hers, both, open, other] = ids as [(typeof ids)[0], (typeof ids)[0], (typeof ids)[0], (typeof ids)[0]];
  const delivered = (id: typeof hers, address: string): MailEvent => ({
    event: 'delivered',
    id,
    recipients: [to(address)],
    nextHop: '192.0.2.1',
    reply: `250 2.1.5 <${address}> Ok`,
    delayMs: 5,
  });
  const events: MailEvent[] = [
    received(hers, { recipients: [to(HER)], subject: '人間ドックの結果' }),
    delivered(hers, HER),
    received(both, { recipients: [to('Hanako@office.example'), to('o-hanako@office.example')] }),
    delivered(both, 'Hanako@office.example'),
    delivered(both, 'o-hanako@office.example'),
    received(open, {
      recipients: [to(HER)],
      state: 'quarantine',
      decisions: [{ recipient: to(HER), action: 'quarantine', reason: 'executable' }],
    }),
    received(other, { recipients: [to('jiro@office.example')] }),
    delivered(other, 'jiro@office.example'),
  ];
  database.apply({
    run: 'r',
    number: 1,
    rows: events.map((event, at) => ({ at: NOON + at, json: JSON.stringify(event) })),
  });
  work(database, ids, file);
  database.close();
}

test('what is kept of a person is all of it, and nothing of others', async () => {
  await filled((database, [hers, both, open]) => {
    const { entries, next } = database.person('HANAKO@office.example', 0);
    assert.equal(next, undefined);
    assert.deepEqual(
      entries.map((entry) => ('message' in entry ? entry.message.id : 'refused')),
      [hers, both, open],
    );
  });
});

test('a forgotten person is found no more, in no column, word, key or event, and the figures stay true', async () => {
  await filled((database, [hers, both, open, other], file) => {
    const before = database.report({ from: NOON, to: NOON + 60_000, step: 60_000 }).groups;
    const told = database.forget(HER, { after: 0, pseudonym: PSEUDONYM });
    assert.deepEqual(told, { messages: 2, waiting: 1, ids: [hers, both] });
    const found = (query: object): unknown[] => database.search(query).rows.map(({ id }) => id);
    assert.deepEqual(found({ recipient: HER }), [open], 'what the box still has keeps its story');
    assert.deepEqual(found({ text: '人間ドック' }), []);
    assert.deepEqual(found({ recipient: PSEUDONYM }), [both, hers]);
    assert.deepEqual(found({ recipient: 'o-hanako@office.example' }), [both], 'a longer address is another person');
    assert.deepEqual(found({ sender: 'taro@example.com' }), [other, open, both, hers]);
    const trail = JSON.stringify(database.trail(hers as never));
    assert.doesNotMatch(trail, addressPattern(HER));
    assert.doesNotMatch(trail, /人間ドック/);
    assert.match(trail, /forgotten-1@office\.example> Ok/);
    assert.deepEqual(database.report({ from: NOON, to: NOON + 60_000, step: 60_000 }).groups, before);
    assert.deepEqual(database.forget(HER, { after: 0, pseudonym: PSEUDONYM }), { messages: 0, waiting: 1, ids: [] });
    database.close();
    assert.equal(readFileSync(file).includes('人間ドック'), false, 'nor is it left in a free page');
  });
});

test('addressPattern() finds an address where it stands alone', () => {
  const finds = (text: string): boolean => addressPattern('a.b@office.example').test(text);
  for (const text of [
    'a.b@office.example',
    '<A.B@Office.Example>',
    '"x" a.b@office.example, y',
    'to a.b@office.example.',
  ])
    assert.equal(finds(text), true, text);
  for (const text of ['xa.b@office.example', 'a.b@office.example.net', 'aXb@office.example', 'c+a.b@office.example'])
    assert.equal(finds(text), false, text);
});
