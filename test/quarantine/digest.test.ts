/** The digest on a real spool, and what a recipient may do by the link in it: once an hour, only news, each message once. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { it } from 'node:test';
import { SekishoError } from '../../src/base/errors.ts';
import { LANGUAGES } from '../../src/base/i18n.ts';
import { type Config, type ConfigInput, configSchema } from '../../src/config/schema.ts';
import { REASON_WORDS } from '../../src/decide/reasons.ts';
import type { ForwardPath } from '../../src/mail/address.ts';
import type { Reason } from '../../src/mail/decision.ts';
import { findHeaderEnd } from '../../src/mail/header.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { silentObserve } from '../../src/observe/events.ts';
import { type DigestParts, runDigestIfDue } from '../../src/quarantine/digest.ts';
import { createOwnQuarantine, type OwnQuarantine } from '../../src/quarantine/own.ts';
import { createQuarantine } from '../../src/quarantine/quarantine.ts';
import { readTicket, signTicket } from '../../src/quarantine/ticket.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { ALICE, BOB, BODY, transaction } from '../contracts/spool.ts';
import type { FakeClock } from '../support/fake-clock.ts';
import { diskRig, memoryRig } from '../support/spool-rigs.ts';

const KEY = Buffer.alloc(32, 7);
const DAY_MS = 86_400_000;

interface World {
  spool: SpoolStore;
  clock: FakeClock;
  digest: DigestParts;
  own: OwnQuarantine;
  alarms: string[];
  /** Minutes since midnight, day by day. */
  at: (day: string, hour: string) => void;
  settings: (change: ConfigInput) => void;
  put: (reason: Reason, to: readonly ForwardPath[], extra?: { subject?: string }) => Promise<QueueId>;
  mails: () => Promise<Array<{ to: string; text: string; html: string; header: string }>>;
}

async function inWorld(work: (world: World) => Promise<void>): Promise<void> {
  const rig = await diskRig();
  const scratch = await mkdtemp(path.join(tmpdir(), 'sekisho-digest-'));
  try {
    const spool = await rig.open();
    const queued: QueueId[] = [];
    spool.onQueued(({ id }) => queued.push(id));
    let config: Config;
    const settings = (change: ConfigInput): void => {
      config = configSchema.parse({
        hostname: 'mx.office.example',
        domains: [{ name: 'office.example', servers: [{ host: '192.0.2.25' }] }],
        quarantine: { digest: { enabled: true } },
        portal: { enabled: true, url: 'https://mail.office.example:8443' },
        ...change,
      });
    };
    settings({});
    let time = { day: '2026-11-22', minutes: 0 };
    const alarms: string[] = [];
    const observe = { ...silentObserve, raise: (alarm: string, key: string) => void alarms.push(`${alarm} ${key}`) };
    const clock = rig.clock;
    const quarantine = createQuarantine({ spool, observe, clock, config: () => config });
    const own = await createOwnQuarantine({
      quarantine,
      observe,
      clock,
      config: () => config,
      key: KEY,
      stateFile: path.join(scratch, 'asked.json'),
    });
    const digest: DigestParts = {
      spool,
      quarantine,
      observe,
      clock,
      config: () => config,
      key: KEY,
      reasons: Object.fromEntries(
        Object.entries(REASON_WORDS).map(([reason, { label }]) => [reason, label]),
      ) as DigestParts['reasons'],
      stateFile: path.join(scratch, 'digest.json'),
      localTime: (wall) =>
        wall === clock.wall()
          ? { ...time, text: `${time.day} 08:00` }
          : { day: '2026-11-21', minutes: 1_380, text: '2026-11-21 23:00' },
      token: () => 'token',
    };
    const put = async (
      reason: Reason,
      to: readonly ForwardPath[],
      extra: { subject?: string } = {},
    ): Promise<QueueId> => {
      const draft = await spool.begin(transaction(clock, to));
      await draft.write(BODY);
      await draft.seal();
      await draft.commit('quarantine', {
        decisions: to.map((recipient) => ({ recipient, action: 'quarantine', reason })),
        variants: [{ recipients: [...to], prefix: '', cuts: [] }],
        inspection: {
          findings: [{ kind: 'summary', subject: extra.subject ?? 'Offer', messageId: '', from: 'x@friend.example' }],
          missing: [],
        } as never,
      });
      return draft.id;
    };
    const mails: World['mails'] = async () => {
      const found = [];
      for (const id of queued.splice(0)) {
        const message = await spool.read(id);
        if (message === undefined || message.preamble.origin.listener !== 'local') continue;
        const octets = await buffer(spool.openBody(message));
        const parts = octets.toString().split(/--=_token(?:--)?\r\n/);
        const decode = (part = ''): string => Buffer.from(part.slice(part.indexOf('\r\n\r\n')), 'base64').toString();
        found.push({
          to: message.preamble.envelope.recipients.map(({ address }) => address).join(),
          header: octets.subarray(0, findHeaderEnd(octets)).toString(),
          text: decode(parts[1]),
          html: decode(parts[2]),
        });
      }
      return found;
    };
    await work({
      spool,
      clock,
      digest,
      own,
      alarms,
      settings,
      put,
      mails,
      at: (day, hour) => {
        time = { day, minutes: Number(hour.slice(0, 2)) * 60 + Number(hour.slice(3)) };
      },
    });
  } finally {
    await rig.dispose();
    await rm(scratch, { recursive: true, force: true });
  }
}

it('tells each recipient once, at the hours, only what is new, and of no virus', { timeout: 60_000 }, () =>
  inWorld(async ({ at, digest, put, mails }) => {
    at('2026-11-22', '08:00');
    assert.equal(await runDigestIfDue(digest), undefined, 'just switched on: the next hour is the first');
    await put('spam-quarantine', [ALICE, BOB]);
    await put('virus', [ALICE]);
    assert.equal(await runDigestIfDue(digest), undefined, 'not yet 08:30');
    at('2026-11-22', '08:31');
    assert.deepEqual(await runDigestIfDue(digest), { digests: 2, messages: 1 });
    assert.deepEqual((await mails()).map(({ to }) => to).toSorted(), [ALICE, BOB]);
    assert.equal(await runDigestIfDue(digest), undefined, 'this hour was served');
    at('2026-11-22', '16:30');
    assert.deepEqual(await runDigestIfDue(digest), { digests: 0, messages: 0 }, 'nothing is new');
    await put('dmarc-quarantine', [BOB]);
    at('2026-11-23', '08:30');
    assert.deepEqual(await runDigestIfDue(digest), { digests: 1, messages: 1 });
  }),
);

it('a mail that cannot be written keeps back no other and repeats none', { timeout: 60_000 }, () =>
  inWorld(async ({ at, digest, spool, put, mails }) => {
    let code: string | undefined = 'SPOOL_FULL';
    const failing: DigestParts = {
      ...digest,
      spool: {
        begin: (about, options) =>
          code !== undefined && about.envelope.recipients.some(({ address }) => address === ALICE)
            ? Promise.reject(new SekishoError(code, 'No room'))
            : spool.begin(about, options),
      },
    };
    const told = async (): Promise<string[]> => (await mails()).map(({ to }) => to).toSorted();
    at('2026-11-22', '08:00');
    await runDigestIfDue(failing);
    await put('spam-quarantine', [ALICE, BOB]);
    await put('spam-quarantine', [ALICE]);
    at('2026-11-22', '08:30');
    await assert.rejects(runDigestIfDue(failing), { code: 'SPOOL_FULL' });
    assert.deepEqual(await told(), [BOB]);
    await assert.rejects(runDigestIfDue(failing), { code: 'SPOOL_FULL' }, 'the hour stays open');
    assert.deepEqual(await told(), [], 'nobody hears it twice');
    code = 'ELSE';
    await assert.rejects(runDigestIfDue(failing), { code });
    assert.equal(await runDigestIfDue(failing), undefined, 'not an hour every minute');
    code = undefined;
    at('2026-11-22', '16:30');
    assert.deepEqual(await runDigestIfDue(failing), { digests: 1, messages: 2 });
    assert.deepEqual(await told(), [ALICE]);
    at('2026-11-23', '08:30');
    assert.deepEqual(await runDigestIfDue(failing), { digests: 0, messages: 0 });
  }),
);

it('a clock that was years ahead costs an hour, not years', { timeout: 60_000 }, () =>
  inWorld(async ({ at, digest, put }) => {
    at('2056-11-22', '08:31');
    await runDigestIfDue(digest);
    await put('spam-quarantine', [ALICE]);
    at('2026-11-22', '08:31');
    assert.equal(await runDigestIfDue(digest), undefined);
    at('2026-11-22', '16:31');
    assert.deepEqual(await runDigestIfDue(digest), { digests: 1, messages: 1 });
  }),
);

it(
  'is made up for after a stop, told again after a lost record, and waits for a clock that is right',
  { timeout: 60_000 },
  () =>
    inWorld(async ({ at, clock, digest, put }) => {
      at('2026-11-22', '08:31');
      await runDigestIfDue(digest);
      await put('spam-quarantine', [ALICE]);
      at('2026-11-24', '11:00');
      clock.isSynchronised = false;
      assert.equal(await runDigestIfDue(digest), undefined, 'nobody knows what hour it is');
      clock.isSynchronised = true;
      assert.deepEqual(await runDigestIfDue(digest), { digests: 1, messages: 1 }, 'the hour that was slept through');
      await writeFile(digest.stateFile, '{"slot":"2026-11-2');
      assert.equal(await runDigestIfDue(digest), undefined, 'a torn record is none');
      at('2026-11-24', '16:30');
      assert.deepEqual(await runDigestIfDue(digest), { digests: 1, messages: 1 }, 'told twice rather than never');
    }),
);

for (const language of LANGUAGES)
  it(`is a mail in seven bits with text and HTML, and no stranger's markup (${language})`, { timeout: 60_000 }, () =>
    inWorld(async ({ at, digest, put, mails, settings }) => {
      settings({ language });
      at('2026-11-22', '08:00');
      await runDigestIfDue(digest);
      await put('spam-quarantine', [ALICE], { subject: '<img src=x onerror=alert(1)> "会議"' });
      at('2026-11-22', '08:30');
      await runDigestIfDue(digest);
      const [mail] = await mails();
      assert.ok(mail);
      assert.doesNotMatch(mail.header, /[^\u0000-\u007f]/);
      assert.match(mail.header, /^Auto-Submitted: auto-generated\r$/m);
      assert.match(mail.html, /&#60;img src=x/);
      assert.doesNotMatch(mail.html, /<img|<script|onerror=alert\(1\)>/);
      assert.match(mail.text, language === 'ja' ? /隔離|届けずに/ : /not delivered/);
      assert.match(mail.text, /https:\/\/mail\.office\.example:8443\/t\/v1\./);
    }),
  );

it('without the portal it holds no link and says whom to ask', { timeout: 60_000 }, () =>
  inWorld(async ({ at, digest, put, mails, settings }) => {
    settings({ portal: { enabled: false }, language: 'en' });
    at('2026-11-22', '08:00');
    await runDigestIfDue(digest);
    await put('spam-quarantine', [ALICE]);
    at('2026-11-22', '08:30');
    await runDigestIfDue(digest);
    const [mail] = await mails();
    assert.doesNotMatch(mail?.text ?? '', /http/);
    assert.match(mail?.text ?? '', /tell your system administrator/);
  }),
);

it('a recipient sees and releases his own spam, once, and only asks for what is dangerous', { timeout: 60_000 }, () =>
  inWorld(async ({ own, clock, put, spool, alarms }) => {
    const spam = await put('spam-quarantine', [ALICE, BOB]);
    const phish = await put('dmarc-quarantine', [ALICE]);
    const virus = await put('virus', [ALICE]);
    const foreign = await put('spam-quarantine', [BOB]);
    const ticket = signTicket({ recipient: ALICE, expires: clock.wall() + DAY_MS }, KEY);
    const list = await own.list(ticket);
    assert.deepEqual(
      list.entries.map(({ entry, right }) => [entry.id, right]),
      [
        [phish, 'ask'],
        [spam, 'release'],
      ],
    );
    assert.deepEqual((await own.release(ticket, spam)).already, false);
    assert.deepEqual((await own.release(ticket, spam)).already, true, 'a second click delivers nothing');
    assert.equal(spool.folderOf(spam), undefined, 'the message was parted');
    assert.equal(spool.count('queue'), 1, "Alice's part goes out");
    assert.equal(spool.count('quarantine'), 4, "Bob's part stays");
    await assert.rejects(own.release(ticket, phish), { code: 'NOT_PERMITTED' });
    assert.deepEqual(await own.ask(ticket, phish), { already: false });
    assert.deepEqual(await own.ask(ticket, phish), { already: true });
    assert.deepEqual(own.askedFor(phish), [ALICE]);
    assert.deepEqual(alarms, [`release-requested ${phish}`]);
    for (const id of [virus, foreign]) {
      await assert.rejects(own.show(ticket, id), { code: 'NOT_FOUND' });
      await assert.rejects(own.release(ticket, id), { code: 'NOT_FOUND' });
      await assert.rejects(own.ask(ticket, id), { code: 'NOT_FOUND' });
    }
  }),
);

it('a link that is over, cut, foreign or altered opens nothing', { timeout: 60_000 }, () =>
  inWorld(async ({ own, clock, put }) => {
    const id = await put('spam-quarantine', [ALICE]);
    const good = signTicket({ recipient: ALICE, expires: clock.wall() + 1_000 }, KEY);
    const claims = Buffer.from(JSON.stringify([BOB, clock.wall() + DAY_MS])).toString('base64url');
    const bad = [
      '',
      'v1',
      good.slice(0, -1),
      `${good}x`,
      good.replace('v1.', 'v2.'),
      `${good}.x`,
      `v1.${claims}.${good.split('.')[2]}`,
      signTicket({ recipient: ALICE, expires: clock.wall() - 1 }, KEY),
      signTicket({ recipient: ALICE, expires: clock.wall() + DAY_MS }, Buffer.alloc(32, 8)),
    ];
    for (const ticket of bad)
      for (const call of [own.list(ticket), own.show(ticket, id), own.release(ticket, id), own.ask(ticket, id)])
        await assert.rejects(call, { code: 'TICKET_INVALID' }, ticket);
    assert.equal((await own.list(good)).entries.length, 1);
    assert.deepEqual(readTicket(good, KEY)?.recipient, ALICE);
  }),
);

it('what was asked for is known after a restart, as long as it is there', { timeout: 60_000 }, () =>
  inWorld(async ({ own, clock, put, digest, spool }) => {
    const id = await put('dmarc-quarantine', [ALICE]);
    const [released, deleted] = [await put('dmarc-quarantine', [ALICE]), await put('dmarc-quarantine', [ALICE])];
    await own.ask(signTicket({ recipient: ALICE, expires: clock.wall() + DAY_MS }, KEY), id);
    const file = path.join(path.dirname(digest.stateFile), 'asked.json');
    assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), [[id, [ALICE]]]);
    for (const gone of [released, deleted])
      await own.ask(signTicket({ recipient: ALICE, expires: clock.wall() + DAY_MS }, KEY), gone);
    await spool.move(released, 'queue');
    await spool.remove(deleted, 'deleted');
    const raised: string[] = [];
    const again = await createOwnQuarantine({
      quarantine: digest.quarantine as never,
      observe: { ...silentObserve, raise: (_alarm, key) => void raised.push(key) },
      clock,
      config: digest.config,
      key: KEY,
      stateFile: file,
    });
    assert.deepEqual([again.askedFor(id), raised], [[ALICE], [id]]);
    // a deletion may still be undone, and then he still wants it
    assert.deepEqual([again.askedFor(released), again.askedFor(deleted)], [[], [ALICE]]);
    await again.broughtBack(released);
    assert.deepEqual(raised, [id]);
    await again.broughtBack(deleted);
    assert.deepEqual(raised, [id, deleted]);
  }),
);

it('the alarm that somebody asked for a message ends when it is released or deleted', async () => {
  const over: string[] = [];
  const rig = await memoryRig({
    observe: { ...silentObserve, clear: (alarm, key) => void over.push(`${alarm} ${key}`) },
  });
  const spool = await rig.open();
  try {
    for (const leave of [(id: QueueId) => spool.move(id, 'queue'), (id: QueueId) => spool.remove(id, 'deleted')]) {
      const draft = await spool.begin(transaction(rig.clock, [ALICE]));
      await draft.write(BODY);
      await draft.seal();
      await draft.commit('quarantine', {
        decisions: [{ recipient: ALICE, action: 'quarantine', reason: 'dmarc-quarantine' }],
        variants: [{ recipients: [ALICE], prefix: '', cuts: [] }],
      });
      await leave(draft.id);
      assert.ok(over.includes(`release-requested ${draft.id}`));
    }
  } finally {
    await spool[Symbol.asyncDispose]();
  }
});
