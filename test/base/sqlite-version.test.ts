import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { bringToVersion, type Steps } from '../../src/base/sqlite-version.ts';

const FIRST: Steps = {
  steps: ['CREATE TABLE mail (n INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;'],
  readableFrom: 1,
};
const ADDS: Steps = { steps: [...FIRST.steps, 'ALTER TABLE mail ADD COLUMN colour TEXT;'], readableFrom: 1 };
const TAKES: Steps = { steps: [...ADDS.steps, 'ALTER TABLE mail DROP COLUMN text;'], readableFrom: 2 };

it('what a later release only added to, the one before it goes on using after a fallback', () => {
  const database = new DatabaseSync(':memory:');
  assert.equal(bringToVersion(database, FIRST), undefined);
  database.exec("INSERT INTO mail (text) VALUES ('old')");
  assert.equal(bringToVersion(database, ADDS), undefined);
  database.exec("INSERT INTO mail (text, colour) VALUES ('new', 'red')");
  assert.equal(bringToVersion(database, FIRST), undefined, 'back in the old slot');
  database.exec("INSERT INTO mail (text) VALUES ('old again')");
  assert.equal(bringToVersion(database, ADDS), undefined, 'and the update once more');
  assert.deepEqual(
    database
      .prepare('SELECT text, colour FROM mail')
      .all()
      .map((row) => [row['text'], row['colour']]),
    [
      ['old', null],
      ['new', 'red'],
      ['old again', null],
    ],
  );
});

it('a release that needs what a later one took away says so, and touches nothing', () => {
  const database = new DatabaseSync(':memory:');
  bringToVersion(database, TAKES);
  assert.equal(bringToVersion(database, FIRST), 3);
  assert.equal(bringToVersion(database, ADDS), undefined);
  assert.deepEqual({ ...database.prepare('PRAGMA user_version').get() }, { user_version: 3 });
});

it('a newer file that does not say from which version on it can be read is left alone', () => {
  const database = new DatabaseSync(':memory:');
  database.exec('PRAGMA user_version = 7');
  assert.equal(bringToVersion(database, FIRST), 7);
});
