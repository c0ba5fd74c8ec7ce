import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Clock, Stamp } from '../../src/base/clock.ts';
import { errorCode, SekishoError } from '../../src/base/errors.ts';
import { configSchema } from '../../src/config/schema.ts';
import { type ForwardPath, parseForwardPath, parseReversePath } from '../../src/mail/address.ts';
import type { Reason } from '../../src/mail/decision.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { newQueueId, type QueueId } from '../../src/mail/queue-id.ts';
import { type MailEvent, silentObserve } from '../../src/observe/events.ts';
import type { Quarantine } from '../../src/quarantine/api.ts';
import { createQuarantine } from '../../src/quarantine/quarantine.ts';
import type { StoredMessage } from '../../src/spool/api.ts';
import { createFakeSpool, type FakeSpool, settle } from './fake-spool.ts';

const DAY = 86_400_000;

function path(text: string): ForwardPath {
  const parsed = parseForwardPath(text);
  assert.ok(parsed !== undefined);
  return parsed;
}

const taro = path('taro@office.example');
const jiro = path('jiro@office.example');
const virus: Finding = { kind: 'virus', engine: 'clamd', name: 'Eicar-Test-Signature' };

function idOf(sequence: number): QueueId {
  return newQueueId(sequence, (size) => new Uint8Array(size));
}

interface Wish {
  sequence?: number;
  folder?: StoredMessage['folder'];
  arrival?: Partial<Stamp>;
  recipients?: ForwardPath[];
  reason?: Reason;
  findings?: Finding[];
  change?: (message: StoredMessage) => void;
}

function message(wish: Wish = {}): StoredMessage {
  const id = idOf(wish.sequence ?? 1);
  const recipients = wish.recipients ?? [taro, jiro];
  const reason = wish.reason ?? 'spam-quarantine';
  const reversePath = parseReversePath('hanako@example.com');
  assert.ok(reversePath !== undefined);
  const stored: StoredMessage = {
    id,
    folder: wish.folder ?? 'quarantine',
    preamble: {
      version: 1,
      id,
      kind: 'mail',
      envelope: {
        reversePath,
        recipients: recipients.map((address) => ({ address })),
        smtpUtf8: false,
        eightBit: false,
      },
      origin: {
        direction: 'inbound',
        listener: 'mx',
        sessionId: 's1',
        clientAddress: '192.0.2.1',
        helo: 'client.example',
        protocol: 'ESMTP',
      },
      arrival: { wall: 0, mono: 0, boot: 'boot', synchronised: true, ...wish.arrival },
    },
    trailer: {
      decisions: recipients.map((recipient) => ({ recipient, action: 'quarantine', reason })),
      inspection: {
        findings: [
          { kind: 'summary', subject: 'Win \u202egnp.exe', messageId: '<1@x>', from: 'Hanako <hanako@example.com>' },
          ...(wish.findings ?? []),
        ],
        missing: [],
        elapsed: {},
      },
      variants: [{ recipients, prefix: 'X-Sekisho-Result: x\r\n', cuts: [] }],
      size: 100,
      sha256: '00',
    },
    progress: { recipients: recipients.map((address) => ({ address, attempts: 0, wait: 0 })) },
  };
  wish.change?.(stored);
  return stored;
}

/** Days after the boot, on both clocks. */
class TestClock implements Clock {
  day = 0;
  bootId = 'boot';
  sure = true;
  wall(): number {
    return this.day * DAY;
  }
  monotonic(): number {
    return this.day * DAY;
  }
  synchronised(): boolean {
    return this.sure;
  }
}

let spool: FakeSpool;
let events: MailEvent[];
let clock: TestClock;
let quarantine: Quarantine;

beforeEach(() => {
  spool = createFakeSpool();
  events = [];
  clock = new TestClock();
  quarantine = makeQuarantine();
});

/** Also what a restart makes of it: no memory of what was done before. */
function makeQuarantine(): Quarantine {
  const observe = { ...silentObserve, emit: (event: MailEvent) => void events.push(event) };
  return createQuarantine({ spool, observe, clock, config: () => configSchema.parse({}) });
}

function rejectsWith(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SekishoError);
    assert.equal(error.code, code);
    return true;
  };
}

describe('list', () => {
  it('shows who, what and why, escaped', async () => {
    spool.put(message());
    const { entries, next } = await quarantine.list();
    assert.equal(next, undefined);
    assert.deepEqual(entries, [
      {
        id: idOf(1),
        folder: 'quarantine',
        arrival: { wall: 0, mono: 0, boot: 'boot', synchronised: true },
        size: 100,
        direction: 'inbound',
        reversePath: 'hanako@example.com',
        recipients: [taro, jiro],
        subject: 'Win \\u{202e}gnp.exe',
        from: 'Hanako <hanako@example.com>',
        reason: 'spam-quarantine',
        deleted: false,
        needsForce: false,
      },
    ]);
  });

  it('pages by a cursor until the end, each message once', async () => {
    for (let sequence = 1; sequence <= 7; sequence += 1) spool.put(message({ sequence }));
    const seen: QueueId[] = [];
    let after: QueueId | undefined;
    for (let page = 0; page < 10; page += 1) {
      const { entries, next } = await quarantine.list({ limit: 3, ...(after === undefined ? {} : { after }) });
      seen.push(...entries.map(({ id }) => id));
      if (next === undefined) break;
      after = next;
    }
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7].map(idOf));
  });

  it('leaves out what vanished or turned out damaged while the page was read', async () => {
    for (const sequence of [1, 2, 3]) spool.put(message({ sequence }));
    const read = spool.read;
    spool.read = async (id) => {
      if (id === idOf(1)) return undefined;
      if (id === idOf(2)) throw new SekishoError('CORRUPT', 'Bad CRC');
      return read(id);
    };
    const { entries } = await quarantine.list();
    assert.deepEqual(
      entries.map(({ id }) => id),
      [idOf(3)],
    );
  });

  it('does not hide that the spool is in trouble', async () => {
    spool.put(message());
    spool.read = async () => {
      throw new SekishoError('SPOOL_FAULT', 'Sync failed');
    };
    await assert.rejects(quarantine.list(), rejectsWith('SPOOL_FAULT'));
  });

  it('lists held mail with its reason', async () => {
    spool.put(message({ folder: 'held', change: ({ trailer }) => (trailer.hold = { reason: 'undeliverable' }) }));
    assert.deepEqual((await quarantine.list()).entries, []);
    const { entries } = await quarantine.list({ folder: 'held' });
    assert.equal(entries[0]?.hold, 'undeliverable');
  });
});

describe('show', () => {
  it('gives header fields, text, decisions and findings', async () => {
    spool.put(message({ findings: [virus] }), Buffer.from('Subject: =?UTF-8?B?5Lya6K2w?=\r\n\r\nHello\u001b[2J\r\n'));
    const detail = await quarantine.show(idOf(1));
    assert.deepEqual(detail.preview?.fields, [{ name: 'Subject', value: '会議' }]);
    assert.equal(detail.preview?.text, 'Hello\\u{1b}[2J');
    assert.equal(detail.decisions.length, 2);
    assert.ok(detail.inspection?.findings.some(({ kind }) => kind === 'virus'));
    assert.equal(detail.needsForce, true);
  });

  it('shows what is known when the body cannot be read', async () => {
    spool.put(message());
    spool.bodies.delete(idOf(1));
    const detail = await quarantine.show(idOf(1));
    assert.equal(detail.subject, 'Win \\u{202e}gnp.exe');
    assert.equal(detail.preview, undefined);
    assert.match(detail.previewProblem ?? '', /Bad hash/);
  });

  it('says NOT_FOUND with a remedy for an unknown id', async () => {
    await assert.rejects(quarantine.show(idOf(9)), (error) => {
      assert.ok(error instanceof SekishoError);
      assert.match(error.remedy ?? '', /sekisho trace/);
      return error.code === 'NOT_FOUND';
    });
  });
});

describe('release', () => {
  it('moves the message to the queue with its variants, and tells it once', async () => {
    spool.put(message());
    const result = await quarantine.release(idOf(1), { by: 'admin' });
    assert.deepEqual(result, { already: false, id: idOf(1), recipients: [taro, jiro] });
    const stored = spool.messages.get(idOf(1));
    assert.equal(stored?.folder, 'queue');
    assert.deepEqual(stored?.trailer.variants[0]?.recipients, [taro, jiro]);
    assert.deepEqual(events, [{ event: 'released', id: idOf(1), recipients: [taro, jiro], by: 'admin' }]);
  });

  it('once is once: the second answers already', async () => {
    spool.put(message());
    await quarantine.release(idOf(1), { by: 'admin' });
    const again = await quarantine.release(idOf(1), { by: 'admin' });
    assert.deepEqual(again, { already: true, id: idOf(1), recipients: [] });
    assert.deepEqual(spool.calls, [`move ${idOf(1)} queue`]);
    assert.equal(events.length, 1);
  });

  it('once is once: ten at the same moment make one', async () => {
    spool.put(message());
    spool.beforeMove = () => new Promise((resolve) => setImmediate(resolve));
    const results = await Promise.all(Array.from({ length: 10 }, () => quarantine.release(idOf(1), { by: 'admin' })));
    assert.equal(results.filter(({ already }) => !already).length, 1);
    assert.equal(spool.calls.length, 1);
    assert.equal(events.length, 1);
  });

  it('once is once: after delivery, when the file is gone', async () => {
    spool.put(message());
    await quarantine.release(idOf(1), { by: 'admin' });
    spool.messages.delete(idOf(1));
    assert.equal((await quarantine.release(idOf(1), { by: 'admin' })).already, true);
  });

  it('repeated after a power cut that hit between the move and the answer: already', async () => {
    spool.put(message());
    const move = spool.move;
    spool.move = async (id, folder, options) => {
      await move(id, folder, options);
      throw new SekishoError('SPOOL_FAULT', 'The power went');
    };
    await assert.rejects(quarantine.release(idOf(1), { by: 'admin' }), rejectsWith('SPOOL_FAULT'));
    spool.move = move;
    const again = await makeQuarantine().release(idOf(1), { by: 'admin' });
    assert.deepEqual(again, { already: true, id: idOf(1), recipients: [] });
    assert.equal(spool.calls.length, 1);
  });

  it('repeated after a power cut that hit before the move: released now', async () => {
    spool.put(message());
    spool.beforeMove = async () => {
      throw new SekishoError('SPOOL_FAULT', 'The power went');
    };
    await assert.rejects(quarantine.release(idOf(1), { by: 'admin' }), rejectsWith('SPOOL_FAULT'));
    assert.deepEqual(events, []);
    spool.beforeMove = async () => undefined;
    assert.equal((await makeQuarantine().release(idOf(1), { by: 'admin' })).already, false);
  });

  it('answers already when somebody else moved it between looking and moving', async () => {
    spool.put(message());
    spool.beforeMove = async (id) => {
      const stored = spool.messages.get(id);
      if (stored !== undefined) stored.folder = 'queue';
    };
    assert.equal((await quarantine.release(idOf(1), { by: 'admin' })).already, true);
    assert.deepEqual(events, []);
  });

  it('releases one of two; the other stays, and each only once', async () => {
    spool.put(message());
    const first = await quarantine.release(idOf(1), { by: 'admin', recipients: [taro] });
    assert.deepEqual(first.recipients, [taro]);
    assert.notEqual(first.id, idOf(1));
    assert.deepEqual(
      events.map(({ event }) => event),
      ['derived', 'released'],
    );
    const again = await quarantine.release(idOf(1), { by: 'admin', recipients: [taro] });
    assert.deepEqual(again, { already: true, id: first.id, recipients: [] });
    const rest = await quarantine.release(idOf(1), { by: 'admin' });
    assert.deepEqual(rest.recipients, [jiro]);
    assert.equal(spool.calls.length, 2);
  });

  it('does not say already for the rest of a split message whose file is gone', async () => {
    spool.put(message());
    await quarantine.release(idOf(1), { by: 'admin', recipients: [taro] });
    spool.messages.delete(idOf(1));
    await assert.rejects(quarantine.release(idOf(1), { by: 'admin' }), rejectsWith('NOT_FOUND'));
    await assert.rejects(quarantine.release(idOf(1), { by: 'admin', recipients: [jiro] }), rejectsWith('NOT_FOUND'));
    assert.equal((await quarantine.release(idOf(1), { by: 'admin', recipients: [taro] })).already, true);
  });

  it('releases nobody who is settled', async () => {
    spool.put(message({ change: (stored) => settle(stored, [taro], 'delivered') }));
    assert.deepEqual((await quarantine.release(idOf(1), { by: 'admin' })).recipients, [jiro]);
  });

  it('refuses a name that is no recipient', async () => {
    spool.put(message());
    const wrong = { by: 'admin', recipients: [path('eve@office.example')] };
    await assert.rejects(quarantine.release(idOf(1), wrong), rejectsWith('UNKNOWN_RECIPIENT'));
    assert.deepEqual(spool.calls, []);
  });

  it('lets a virus go by force only', async () => {
    spool.put(message({ findings: [virus], reason: 'virus' }));
    await assert.rejects(quarantine.release(idOf(1), { by: 'admin' }), (error) => {
      assert.match(String(error), /the virus "Eicar-Test-Signature" was found/);
      return errorCode(error) === 'RELEASE_NEEDS_FORCE';
    });
    assert.deepEqual(spool.calls, []);
    assert.equal((await quarantine.release(idOf(1), { by: 'admin', force: true })).already, false);
  });

  it('asks for force when nobody looked for a virus', async () => {
    const missing = [{ inspector: 'antivirus', reason: 'down', detail: '' }] as const;
    spool.put(message({ change: ({ trailer }) => trailer.inspection?.missing.push(...missing) }));
    spool.put(message({ sequence: 2, change: ({ trailer }) => delete trailer.inspection }));
    await assert.rejects(quarantine.release(idOf(1), { by: 'admin' }), rejectsWith('RELEASE_NEEDS_FORCE'));
    await assert.rejects(quarantine.release(idOf(2), { by: 'admin' }), rejectsWith('RELEASE_NEEDS_FORCE'));
  });

  it('asks for no force for a DSN of our own, which nobody inspects', async () => {
    const change = ({ preamble, trailer }: StoredMessage): void => {
      preamble.origin.listener = 'local';
      delete trailer.inspection;
    };
    spool.put(message({ folder: 'held', change }));
    assert.equal((await quarantine.unhold(idOf(1), { by: 'admin' })).already, false);
  });

  it('never releases mail that was never decided, not even by force', async () => {
    spool.put(message({ folder: 'held', change: ({ trailer }) => (trailer.variants = []) }));
    await assert.rejects(quarantine.unhold(idOf(1), { by: 'admin', force: true }), rejectsWith('RELEASE_INCOMPLETE'));
  });

  it('refuses what is in the wrong state', async () => {
    spool.put(message({ folder: 'held' }));
    spool.put(message({ sequence: 2, folder: 'corrupt' }));
    spool.put(message({ sequence: 3 }));
    await assert.rejects(quarantine.release(idOf(1), { by: 'admin' }), rejectsWith('WRONG_STATE'));
    await assert.rejects(quarantine.release(idOf(2), { by: 'admin' }), rejectsWith('WRONG_STATE'));
    await assert.rejects(quarantine.release(idOf(4), { by: 'admin' }), rejectsWith('NOT_FOUND'));
    await quarantine.delete(idOf(3), { by: 'admin' });
    await assert.rejects(quarantine.release(idOf(3), { by: 'admin' }), rejectsWith('WRONG_STATE'));
  });
});

describe('delete and undelete', () => {
  it('delete marks once, undelete brings back, release then works', async () => {
    spool.put(message());
    assert.deepEqual(await quarantine.delete(idOf(1), { by: 'admin' }), { already: false });
    assert.deepEqual(await quarantine.delete(idOf(1), { by: 'admin' }), { already: true });
    assert.equal((await quarantine.list()).entries[0]?.deleted, true);
    assert.deepEqual(await quarantine.undelete(idOf(1), { by: 'admin' }), { already: false });
    assert.deepEqual(await quarantine.undelete(idOf(1), { by: 'admin' }), { already: true });
    assert.equal((await quarantine.release(idOf(1), { by: 'admin' })).already, false);
    assert.deepEqual(
      events.map(({ event }) => event),
      ['deleted', 'undeleted', 'released'],
    );
  });

  it('release and delete at the same moment: one of them wins, never both', async () => {
    spool.put(message());
    spool.beforeMove = () => new Promise((resolve) => setImmediate(resolve));
    const [released, deleted] = await Promise.allSettled([
      quarantine.delete(idOf(1), { by: 'a' }),
      quarantine.release(idOf(1), { by: 'b' }),
    ]);
    assert.equal(released.status, 'fulfilled');
    assert.equal(deleted.status, 'rejected');
    assert.equal(spool.messages.get(idOf(1))?.folder, 'quarantine');
  });

  it('does not delete what is not inspected yet or corrupt', async () => {
    spool.put(message({ folder: 'incoming' }));
    spool.put(message({ sequence: 2, folder: 'corrupt' }));
    await assert.rejects(quarantine.delete(idOf(1), { by: 'admin' }), rejectsWith('WRONG_STATE'));
    await assert.rejects(quarantine.delete(idOf(2), { by: 'admin' }), rejectsWith('WRONG_STATE'));
  });
});

describe('hold and unhold', () => {
  it('stops queued mail and lets it go again', async () => {
    spool.put(message({ folder: 'queue' }));
    assert.deepEqual(await quarantine.hold(idOf(1), { by: 'admin', why: 'asked by phone' }), {
      already: false,
      id: idOf(1),
    });
    assert.equal((await quarantine.hold(idOf(1), { by: 'admin', why: 'again' })).already, true);
    assert.equal((await quarantine.unhold(idOf(1), { by: 'admin' })).already, false);
    assert.equal((await quarantine.unhold(idOf(1), { by: 'admin' })).already, true);
    assert.deepEqual(spool.calls, [`move ${idOf(1)} held`, `move ${idOf(1)} queue`]);
    assert.deepEqual(events[0], { event: 'held', id: idOf(1), why: 'asked by phone', by: 'admin' });
    assert.equal(events[1]?.event, 'released');
  });

  it('after hold, release, hold again a release is not "already"', async () => {
    spool.put(message());
    await quarantine.release(idOf(1), { by: 'admin' });
    await quarantine.hold(idOf(1), { by: 'admin', why: 'stop' });
    assert.equal((await quarantine.unhold(idOf(1), { by: 'admin' })).already, false);
  });

  it('does not hold quarantined mail', async () => {
    spool.put(message());
    await assert.rejects(quarantine.hold(idOf(1), { by: 'admin', why: 'x' }), rejectsWith('WRONG_STATE'));
  });
});

describe('expire', () => {
  it('lets go what is older than the configured 14 days, and nothing younger', async () => {
    spool.put(message({ sequence: 1 }));
    spool.put(message({ sequence: 2, arrival: { wall: DAY, mono: DAY } }));
    clock.day = 14;
    assert.deepEqual(await quarantine.expire(), { expired: 0, more: false, clockUnsure: false });
    clock.day = 14.5;
    assert.deepEqual(await quarantine.expire(), { expired: 1, more: false, clockUnsure: false });
    assert.deepEqual(spool.calls, [`remove ${idOf(1)} expired`]);
    assert.deepEqual(events, [{ event: 'deleted', id: idOf(1), by: 'sekisho', why: 'expired' }]);
  });

  it('does nothing while the clock is not known to be right', async () => {
    spool.put(message());
    clock.day = 1_000;
    clock.sure = false;
    assert.deepEqual(await quarantine.expire(), { expired: 0, more: false, clockUnsure: true });
    assert.deepEqual(spool.calls, []);
  });

  it('never touches held mail', async () => {
    spool.put(message({ folder: 'held' }));
    clock.day = 1_000;
    assert.equal((await quarantine.expire()).expired, 0);
  });

  it('does not count a message twice, nor one marked for deletion', async () => {
    spool.put(message({ sequence: 1 }));
    spool.put(message({ sequence: 2 }));
    await quarantine.delete(idOf(1), { by: 'admin' });
    clock.day = 20;
    assert.equal((await quarantine.expire()).expired, 1);
    assert.equal((await quarantine.expire()).expired, 0);
  });

  it('works in bounded batches over many pages', async () => {
    for (let sequence = 1; sequence <= 250; sequence += 1) spool.put(message({ sequence }));
    clock.day = 20;
    const results = [];
    for (let round = 0; round < 5; round += 1) results.push(await quarantine.expire({ batch: 120 }));
    assert.deepEqual(
      results.map(({ expired, more }) => [expired, more]),
      [
        [120, true],
        [120, true],
        [10, false],
        [0, false],
        [0, false],
      ],
    );
  });

  it('takes the age of a message with an unsure stamp of another boot from the next one behind it', async () => {
    // The wall clock stood at 1970 when it came, and the machine has been started anew since.
    const unsure = { wall: 0, mono: 5, boot: 'earlier', synchronised: false };
    spool.put(message({ sequence: 1, arrival: unsure }));
    spool.put(message({ sequence: 2, arrival: { wall: 3 * DAY, mono: 0, boot: 'earlier' } }));
    spool.put(message({ sequence: 3, arrival: unsure }));
    spool.put(message({ sequence: 4, arrival: { wall: 10 * DAY, mono: 0, boot: 'earlier' } }));
    clock.day = 16;
    assert.equal((await quarantine.expire()).expired, 0);
    clock.day = 18;
    assert.equal((await quarantine.expire()).expired, 2);
    assert.deepEqual(spool.calls, [`remove ${idOf(1)} expired`, `remove ${idOf(2)} expired`]);
  });

  it('leaves alone what is released at the same moment', async () => {
    spool.put(message());
    clock.day = 20;
    spool.beforeMove = () => new Promise((resolve) => setImmediate(resolve));
    const [released, expired] = await Promise.all([quarantine.release(idOf(1), { by: 'admin' }), quarantine.expire()]);
    assert.equal(released.already, false);
    assert.equal(expired.expired, 0);
    assert.deepEqual(spool.calls, [`move ${idOf(1)} queue`]);
  });
});
