/** The parts of the pages' server that hold without a server: audit, second factor, passwords, tables, days of a zone. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Secret, TOTP } from 'otpauth';
import { createAudit } from '../../src/api/audit/audit.ts';
import { passwordTrouble } from '../../src/api/auth/password-rules.ts';
import { takeSecondFactor } from '../../src/api/auth/totp.ts';
import { createUsers } from '../../src/api/auth/users.ts';
import { cleanHtml } from '../../src/api/content/read-mail.ts';
import { spanOf } from '../../src/api/live/zone.ts';
import { csvHead, csvLine } from '../../src/api/routes/csv.ts';
import { forgetUploads } from '../../src/api/routes/system.ts';
import { disposition } from '../../src/api/server/send.ts';
import { openAdminDatabase } from '../../src/api/store/database.ts';

const RECORD = {
  actor: 'hanako',
  address: '192.0.2.1',
  action: 'config.set',
  target: 'x',
  outcome: 'ok' as const,
  detail: {},
};

test('an audit entry can be neither changed nor taken away, and where other hands did so all the same it shows', () => {
  const store = openAdminDatabase(':memory:');
  const audit = createAudit(store, () => 1_000);
  for (let count = 0; count < 5; count += 1) audit.write({ ...RECORD, target: `setting ${count}` });
  assert.deepEqual(audit.verify(), { ok: true, entries: 5, head: audit.list({}, { limit: 1 }).entries[0]?.hash });
  assert.throws(() => store.database.exec("UPDATE audit SET actor = 'nobody' WHERE n = 3"), /append-only/);
  assert.throws(() => store.database.exec('DELETE FROM audit WHERE n = 3'), /append-only/);
  store.database.exec("DROP TRIGGER audit_keeps; UPDATE audit SET actor = 'nobody' WHERE n = 3");
  assert.equal(audit.verify().firstBad, 3);
  store.database.exec("UPDATE audit SET actor = 'hanako' WHERE n = 3");
  assert.equal(audit.verify().ok, true);
  store.database.exec('DROP TRIGGER audit_stays; DELETE FROM audit WHERE n = 2');
  assert.equal(audit.verify().firstBad, 3);
  store.close();
});

test('a code of the second factor is taken once, early or late by one step, and a recovery code once', async () => {
  const store = openAdminDatabase(':memory:');
  const users = createUsers(store, () => 0);
  const made = {
    fullName: '',
    role: 'admin',
    contentAllowed: true,
    language: 'ja',
    mustChangePassword: false,
  } as const;
  const { id } = await users.create(
    { ...made, name: 'hanako', password: 'seven quiet herons' },
    { field: 'body.password' },
  );
  const secret = new Secret({ size: 20 });
  users.setTotp(id, { secret: secret.base32 });
  const [recovery = ''] = users.newRecoveryCodes(id);
  const at = (timestamp: number): string => new TOTP({ secret }).generate({ timestamp });
  const take = (code: string, now: number): boolean => takeSecondFactor(users, users.must(id), { code, now });
  const now = 1_800_000_000_000;
  assert.equal(take(at(now), now), true);
  assert.equal(take(at(now), now), false, 'the same code again');
  assert.equal(take(at(now - 30_000), now), false, 'an older one than the last');
  assert.equal(take(at(now + 30_000), now), true, 'the next, a step early');
  assert.equal(take(at(now + 300_000), now), false);
  assert.equal(take(recovery.toLowerCase().replace('-', ''), now), true);
  assert.equal(take(recovery, now), false);
  store.close();
});

test('a password is long and none of the common ones, whatever is put around or into them', () => {
  for (const bad of [
    'short',
    'password1234',
    'P@ssw0rd!!!!',
    'qwertyuiop',
    '1234567890',
    'aaaaaaaaaaaa',
    'passwordpassword',
    'sekisho2026',
    'hanakohanako1',
    'パスワード12345',
  ])
    assert.ok(passwordTrouble(bad, 'hanako'), bad);
  for (const good of ['seven quiet herons', '青い象が三頭、川を渡る', 'x9$kQ2v!mLpz'])
    assert.equal(passwordTrouble(good, 'hanako'), undefined, good);
});

test('a cell that a spreadsheet would run is text, and no file name adds a header', () => {
  assert.equal(
    csvLine(['=HYPERLINK("x")', '+1', '-1', '@a', 'a,b', 3]),
    `"'=HYPERLINK(""x"")",'+1,'-1,'@a,"a,b",3\r\n`,
  );
  assert.equal(csvLine(['＝1+1', '＋81', '－2', '＠x']), "'＝1+1,'＋81,'－2,'＠x\r\n");
  assert.equal(csvHead(['宛先', 'n']), '\ufeff宛先,n\r\n', 'or a Japanese Excel reads it as Shift_JIS');
  assert.equal(disposition('a\r\nSet-Cookie: x=y; ".eml'), 'attachment; filename="a__Set-Cookie__x_y___.eml"');
});

test('a day begins at midnight in the box’s zone, a week on Monday, also where clocks change', () => {
  const at = Date.parse('2026-11-22T16:30:00Z'); // Monday 01:30 in Tokyo
  assert.equal(new Date(spanOf('day', at, 'Asia/Tokyo').span.from).toISOString(), '2026-11-22T15:00:00.000Z');
  assert.equal(new Date(spanOf('week', at, 'Asia/Tokyo').span.from).toISOString(), '2026-11-22T15:00:00.000Z');
  assert.equal(new Date(spanOf('month', at, 'Asia/Tokyo').before.from).toISOString(), '2026-09-30T15:00:00.000Z');
  const autumn = spanOf('day', Date.parse('2026-10-25T12:00:00Z'), 'Europe/Berlin').span;
  assert.equal(autumn.to - autumn.from, 25 * 3_600_000);
});

test('nothing of a mail’s HTML runs, loads, covers the page or leads anywhere', () => {
  const clean = cleanHtml(
    '<p style="color:red;position:fixed;background:url(//e)">a</p><a href="https://e.example/?x">b</a><img src=x onerror=y><svg onload=z><math><mtext><style><img src=x onerror=alert(1)></style>',
  );
  assert.equal(clean, '<p style="color:red">a</p><a title="https://e.example/?x">b</a>');
});

test('uploads that were given up go after a day; what is being brought stays', async (context) => {
  const inbox = await mkdtemp(path.join(tmpdir(), 'sekisho-inbox-'));
  context.after(() => rm(inbox, { recursive: true, force: true }));
  const now = Date.parse('2026-11-22T12:00:00Z');
  for (const [name, hours] of [
    ['given-up.raucb', 25],
    ['main.cvd', 23],
    ['daily.cvd', 0],
  ] as const) {
    const file = path.join(inbox, name);
    await writeFile(file, 'x');
    await utimes(file, new Date(now - hours * 3_600_000), new Date(now - hours * 3_600_000));
  }
  await forgetUploads(inbox, now);
  assert.deepEqual((await readdir(inbox)).toSorted(), ['daily.cvd', 'main.cvd']);
});
