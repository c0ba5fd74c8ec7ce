/** The clock was years ahead (an empty battery, a wrong server) and is right again: nobody is locked out, nobody stays in. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { bucketsOf, createLockout } from '../../src/api/auth/lockout.ts';
import { createSessions } from '../../src/api/auth/sessions.ts';
import { CODE_TRIES, createSetupCode } from '../../src/api/auth/setup-code.ts';
import { createUsers } from '../../src/api/auth/users.ts';
import { type AdminDatabase, openAdminDatabase } from '../../src/api/store/database.ts';

const YEAR_MS = 365 * 86_400_000;
const START = Date.UTC(2026, 10, 22);

async function inStore(
  work: (store: AdminDatabase, clock: { now: number }, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sekisho-clock-back-'));
  const store = openAdminDatabase(folder);
  try {
    await work(store, { now: START + 30 * YEAR_MS }, folder);
  } finally {
    store.database.close();
    await rm(folder, { recursive: true, force: true });
  }
}

test('a pause after wrong passwords does not last until the wrong year has come', async () => {
  await inStore((store, clock) => {
    const lockout = createLockout(store, () => clock.now);
    const buckets = bucketsOf('hanako', '192.0.2.7');
    for (let tries = 0; tries < 8; tries += 1) lockout.failed(buckets);
    assert.ok(lockout.waitMs(buckets) > 0);
    clock.now = START;
    assert.equal(lockout.waitMs(buckets), 0);
    lockout.failed(buckets);
    assert.ok(lockout.waitMs(buckets) > 0, 'guessing is slow all the same');
    return Promise.resolve();
  });
});

test('nor does the rest after wrong setup codes', async () => {
  await inStore(async (store, clock, directory) => {
    const code = createSetupCode({ directory, store, claimed: () => false, now: () => clock.now, host: undefined });
    await code.renew();
    for (let tries = 0; tries < CODE_TRIES; tries += 1) await code.check('AAAAA-AAAAA');
    assert.equal(code.state().state, 'locked');
    clock.now = START;
    assert.deepEqual([code.state().state, code.state().triesLeft], ['open', CODE_TRIES]);
  });
});

test('a session of the wrong year ends with it; one over which the clock was set by seconds does not', async () => {
  await inStore(async (store, clock) => {
    const users = createUsers(store, () => clock.now);
    const made = {
      name: 'hanako',
      fullName: '',
      password: 'correct horse battery staple',
      role: 'admin',
      contentAllowed: false,
      language: 'ja',
      mustChangePassword: false,
    } as const;
    const user = await users.create(made, { field: 'password' });
    const sessions = createSessions(store, users, () => clock.now);
    const from = { address: '192.0.2.7', userAgent: '' };
    const ahead = sessions.begin(user, from);
    clock.now -= 3_000;
    assert.notEqual(sessions.find(ahead.cookie, { touch: true }), undefined);
    clock.now = START;
    assert.equal(sessions.find(ahead.cookie, { touch: true }), undefined);
    assert.notEqual(sessions.find(sessions.begin(user, from).cookie, { touch: true }), undefined);
  });
});
