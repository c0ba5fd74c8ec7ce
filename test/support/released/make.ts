/**
 * The data of a small box as today's program leaves it: `node test/support/released/make.ts VERSION` writes VERSION.tar.gz beside
 * itself. Made once for each release, and never again: test/gateway/released-data.test.ts opens all of them, for an update must read
 * what is there, and may be taken back. Passwords and codes in it are for tests.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KnownPeers } from '../../../src/accept/known-peers.ts';
import { createAudit } from '../../../src/api/audit/audit.ts';
import { createTokens } from '../../../src/api/auth/tokens.ts';
import { createUsers } from '../../../src/api/auth/users.ts';
import { openAdminDatabase } from '../../../src/api/store/database.ts';
import { openConfigStore } from '../../../src/config/store.ts';
import { openRecord } from '../../../src/host/record.ts';
import { parseForwardPath } from '../../../src/mail/address.ts';
import { silentObserve } from '../../../src/observe/events.ts';
import { createHistory } from '../../../src/observe/history.ts';
import { openLevelDatabase } from '../../../src/spool/database.ts';
import { diskFiles } from '../../../src/spool/files.ts';
import { openSpool } from '../../../src/spool/open.ts';
import { ALICE, BOB, put, transaction, CAROL } from '../../contracts/spool.ts';
import { received, to } from '../../observe/support.ts';
import { FakeClock } from '../fake-clock.ts';

/** What whoever opens it must find. */
export interface Expected {
  madeAt: number;
  config: { hostname: string; recipients: string };
  /** SHA-256 of the body → folder and open recipients. */
  spool: Record<string, { folder: string; open: string[] }>;
  admin: { user: string; password: string; recoveryCode: string; token: string; auditEntries: number };
  history: { id: string; subject: string; state: string };
  knownPeer: string;
  network: string;
}

export async function makeReleasedData(dir: string): Promise<Expected> {
  const clock = new FakeClock();
  const now = (): number => clock.wall();
  const config = await openConfigStore({
    file: path.join(dir, 'config.json'),
    clock,
    create: { version: 1, hostname: 'mx.office.example', language: 'ja' },
  });
  const domain = {
    name: 'office.example',
    servers: [{ host: '192.0.2.10', port: 25, priority: 10, tls: 'opportunistic' }],
    recipients: { check: 'call-ahead', whenUnknown: 'defer' },
  };
  await config.set('domains', [domain], { by: 'test' });
  await config.set('policy.spam.reject', 20, { by: 'test' });

  const spool = await makeSpool(path.join(dir, 'spool'), clock);
  const admin = await makeAdmin(path.join(dir, 'admin'), now);

  mkdirSync(path.join(dir, 'history'));
  const history = createHistory({
    file: path.join(dir, 'history', 'history.sqlite'),
    days: 400,
    subjects: true,
    clock,
    onFault: (detail) => {
      if (detail !== undefined) throw new Error(detail);
    },
  });
  const told = { id: spool.first, subject: '忘年会のお知らせ', state: 'delivered' };
  history.record(received(spool.first, { subject: told.subject }), now());
  history.record(
    {
      event: 'delivered',
      id: spool.first,
      recipients: [to('hanako@office.example')],
      nextHop: 'mail.office.example[192.0.2.10]:25',
      reply: '250 2.0.0 Ok',
      delayMs: 12,
    },
    now() + 1,
  );
  await history[Symbol.asyncDispose]();

  const peers = await KnownPeers.open({ clock, observe: silentObserve, file: path.join(dir, 'known-peers.json') });
  const knownPeer = '198.51.100.7';
  for (let at = 0; at < 5; at += 1) {
    peers.taken(knownPeer);
    clock.advance(3_600_000);
  }
  await peers[Symbol.asyncDispose]();

  const record = openRecord(path.join(dir, 'host'));
  const network = {
    hostname: 'mx.office.example',
    interfaces: [
      {
        name: 'eth0',
        ipv4: { method: 'static' as const, addresses: ['192.0.2.9/24'], gateway: '192.0.2.1' },
        ipv6: { method: 'auto' as const },
      },
    ],
    dns: ['192.0.2.53'],
    ntp: [],
    inside: ['192.0.2.0/24'],
  };
  await record.change((state) => ({ ...state, network, timeZone: 'Asia/Tokyo' }));
  await record.setClaimed();
  return {
    madeAt: now(),
    config: { hostname: 'mx.office.example', recipients: 'call-ahead' },
    spool: spool.expected,
    admin,
    history: told,
    knownPeer,
    network: network.hostname,
  };
}

async function makeSpool(
  root: string,
  clock: FakeClock,
): Promise<{ first: Awaited<ReturnType<typeof put>>; expected: Expected['spool'] }> {
  await using spool = await openSpool({
    root,
    files: diskFiles(),
    openDatabase: openLevelDatabase,
    clock,
    observe: silentObserve,
    limits: () => ({ floorOctets: 0, floorPercent: 0 }),
    create: true,
    onFault: (error) => {
      throw error;
    },
  });
  const expected: Expected['spool'] = {};
  const expect = (body: Buffer, folder: string, open: string[]): void => {
    expected[createHash('sha256').update(body).digest('hex')] = { folder, open };
  };
  const body = (text: string): Buffer => Buffer.from(`Subject: ${text}\r\n\r\n${text.repeat(40)}\r\n`);
  const queued = body('queued');
  const first = await put(spool, clock, { body: queued, to: [ALICE, BOB] });
  await spool.recordAttempt(first, [ALICE, BOB], 'mail.office.example[192.0.2.10]:25');
  await spool.settle(first, [{ address: ALICE, outcome: 'delivered', reply: '250 Ok' }]);
  await spool.defer(first, [{ address: BOB, reply: '450 4.2.0 Later', wait: 300_000 }]);
  expect(queued, 'queue', [BOB]);
  const split = body('one of two held');
  await spool.move(await put(spool, clock, { body: split, to: [BOB] }), 'held', { why: 'operator' });
  expect(split, 'held', [BOB]);
  for (const folder of ['quarantine', 'incoming'] as const) {
    await put(spool, clock, { body: body(folder), folder, to: [ALICE] });
    expect(body(folder), folder, folder === 'incoming' ? [] : [ALICE]);
  }
  const bounced = await put(spool, clock, { body: body('bounced'), to: [ALICE, BOB] });
  await spool.recordAttempt(bounced, [ALICE], 'mail.office.example[192.0.2.10]:25');
  const message = body('a notice');
  const sender = parseForwardPath('sender@friend.example') ?? CAROL;
  await spool.bounce(bounced, [{ address: ALICE, outcome: 'bounced', reply: '550 5.1.1 No' }], {
    attempt: 1,
    transaction: transaction(clock, [sender]),
    message,
  });
  expect(body('bounced'), 'queue', [BOB]);
  expect(message, 'queue', [sender]);
  return { first, expected };
}

async function makeAdmin(directory: string, now: () => number): Promise<Expected['admin']> {
  const store = openAdminDatabase(directory);
  const users = createUsers(store, now);
  const password = 'kangaroo-teacup-1868';
  const user = await users.create(
    {
      name: 'hanako',
      fullName: '山田花子',
      role: 'admin',
      contentAllowed: true,
      language: 'ja',
      password,
      mustChangePassword: false,
    },
    { field: 'body.password' },
  );
  const [recoveryCode = ''] = users.newRecoveryCodes(user.id);
  const token = createTokens(store, users, now).create(user, {
    name: 'monitoring',
    scopes: ['status.read'],
    expiresAt: now() + 300 * 86_400_000,
  });
  const audit = createAudit(store, now);
  for (const action of ['setup.claim', 'policy.update', 'quarantine.release'])
    audit.write({ actor: 'hanako', address: '192.0.2.77', action, target: 'x', outcome: 'ok', detail: { n: 1 } });
  store.setFact('wizard', { step: 'done', done: ['language'], skipped: [], finished: true, draft: {} });
  store.close();
  return { user: 'hanako', password, recoveryCode, token: token.secret, auditEntries: 3 };
}

if (import.meta.main) {
  const [, , version = ''] = process.argv;
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error('Usage: make.ts VERSION');
  const archive = path.join(import.meta.dirname, `${version}.tar.gz`);
  if (existsSync(archive)) throw new Error(`"${archive}" is there: what was released stays as it was`);
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-released-'));
  try {
    const expected = await makeReleasedData(dir);
    writeFileSync(path.join(dir, 'expected.json'), `${JSON.stringify(expected, null, 2)}\n`);
    execFileSync('tar', ['--owner=0', '--group=0', '-czf', archive, '-C', dir, '.']);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
