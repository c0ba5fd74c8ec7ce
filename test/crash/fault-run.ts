/**
 * A scripted life of a spool in which one call fails once: small and large mail, many recipients with mixed results,
 * quarantine and release, incoming mail decided apart, bounce, hold, undo, a corrupt file, a rebuilt database, stop and
 * start. Repeated with every call failing in turn. After each: what was promised is owed exactly once, what was settled is
 * never owed again, nothing was synced twice after a failed sync, no altered octet came out, and mail flows again.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { buffer } from 'node:stream/consumers';
import { type SekishoError, errorCode } from '../../src/base/errors.ts';
import type { ForwardPath } from '../../src/mail/address.ts';
import { folderOf, type QueueId } from '../../src/mail/queue-id.ts';
import { silentObserve } from '../../src/observe/events.ts';
import { FOLDERS } from '../../src/spool/api.ts';
import type { Database } from '../../src/spool/database.ts';
import type { FileLayer } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { ALICE, BOB, CAROL, put, trailerFor, transaction } from '../contracts/spool.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { failure } from '../support/memory-files.ts';
import {
  FAULT_CALLS,
  type FaultCall,
  type FaultKind,
  Faults,
  faultyDatabase,
  faultyFiles,
  type Life,
} from './fault-files.ts';

/** What lies below: memory or the real disk. */
export interface Ground {
  root: string;
  files: FileLayer;
  openDatabase: (directory: string) => Promise<Database>;
  /** Flips octets in a message file. */
  damageFile: (path: string) => Promise<void>;
  /** The database is damaged beyond opening. */
  damageDatabase: () => Promise<void>;
  /** The process is gone: its hold on the database ends. */
  release: () => Promise<void>;
  /** The power goes, where that can be played. */
  cut?: () => void;
  dispose: () => Promise<void>;
}

/** owed: it was promised · settled: never again · doubt: the call that was to change it failed, either may hold. */
type Debt = 'owed' | 'settled' | 'doubt';

class Death extends Error {}

/** The gateway as far as the spool is concerned: dies of a fault, is started anew, goes on. */
class Gateway {
  readonly clock = new FakeClock();
  readonly debts = new Map<string, Map<ForwardPath, Debt>>();
  readonly errors: string[] = [];
  deaths = 0;
  /** Bodies whose first sending had a 4xx. */
  readonly resent = new Set<string>();
  /** A DSN's body → who is bounced again when the database was lost, and his DSN with it: the parent stands for both. */
  readonly standIns = new Map<string, { body: string; recipient: ForwardPath }>();
  /** Bodies whose file was damaged: kept in corrupt/, delivered to nobody. */
  readonly damaged = new Set<string>();
  readonly #ground: Ground;
  readonly #faults: Faults;
  #life: Life = { dead: false };
  #store: SpoolStore | undefined;
  #created = false;

  constructor(ground: Ground, faults: Faults) {
    this.#ground = ground;
    this.#faults = faults;
  }

  /** One thing the gateway does. A refusal is tried once more, as a sender or a job would; a fault ends the process. */
  async step(work: (spool: SpoolStore) => Promise<void>): Promise<void> {
    for (let again = 0; again < 2; again += 1) {
      const spool = await this.store();
      try {
        await work(spool);
        await turn();
        if (this.#life.dead) throw new Death();
        return;
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        this.errors.push(errorCode(error) ?? String(error));
        if (this.#life.dead) await this.die();
        this.clock.advance(2_000); // the free space is asked again after a second
      }
    }
  }

  /** The running one, or a new one: systemd starts it again and again. */
  async store(): Promise<SpoolStore> {
    for (let tries = 0; tries < 4 && this.#store === undefined; tries += 1) {
      const life = { dead: false };
      this.#life = life;
      this.#faults.restart();
      try {
        this.#store = await this.#open(life);
      } catch (error) {
        this.errors.push(`start: ${errorCode(error) ?? String(error)}`);
        life.dead = true;
        await this.#ground.release();
      }
    }
    if (this.#store === undefined) throw new Error(`Does not start any more: ${this.errors.join(', ')}`);
    const store = this.#store;
    store.hasRoom(0);
    await turn();
    return store;
  }

  async die(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    this.#life.dead = true;
    this.deaths += 1;
    await store?.[Symbol.asyncDispose]().catch(() => undefined); // ends the timers; every call it makes fails
    await this.#ground.release();
  }

  async stop(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    await store?.[Symbol.asyncDispose]();
    this.#life.dead = true;
    await this.#ground.release();
  }

  async #open(life: Life): Promise<SpoolStore> {
    const { root, files, openDatabase } = this.#ground;
    const faults = this.#faults;
    const store = await openSpool({
      root,
      files: faultyFiles(files, faults, life),
      openDatabase: async (directory) => {
        if (life.dead) throw failure('EDEAD', directory);
        return faultyDatabase(await openDatabase(directory), faults, life);
      },
      clock: this.clock,
      observe: silentObserve,
      limits: () => ({ floorOctets: 0, floorPercent: 0 }),
      create: !this.#created,
      onFault: () => {
        life.dead = true;
      },
    });
    this.#created = true;
    return store;
  }

  owe(body: Buffer, recipients: readonly ForwardPath[], debt: Debt = 'owed'): void {
    const by = this.debts.get(sha(body)) ?? new Map<ForwardPath, Debt>();
    for (const recipient of recipients) by.set(recipient, debt);
    this.debts.set(sha(body), by);
  }
}

/** Everything a gateway does with mail, each thing with a body of its own. */
async function live(gateway: Gateway, ground: Ground): Promise<void> {
  const { clock } = gateway;
  const take = async (
    body: Buffer,
    to: readonly ForwardPath[],
    folder: 'queue' | 'quarantine' | 'incoming' = 'queue',
  ): Promise<QueueId | undefined> => {
    let id: QueueId | undefined;
    await gateway.step(async (spool) => {
      // refused, and sent again: what was refused may reappear, as a duplicate
      if (gateway.debts.has(sha(body))) gateway.resent.add(sha(body));
      gateway.owe(body, to, 'doubt');
      id = undefined;
      id = await put(spool, clock, { body, to, folder });
      gateway.owe(body, to);
    });
    return id;
  };
  const settle = (id: QueueId | undefined, body: Buffer, recipient: ForwardPath): Promise<void> =>
    gateway.step(async (spool) => {
      if (id === undefined || spool.folderOf(id) !== 'queue') return;
      if (gateway.debts.get(sha(body))?.get(recipient) === 'settled') return;
      await spool.recordAttempt(id, [recipient], 'hop');
      gateway.owe(body, [recipient], 'doubt');
      await spool.settle(id, [{ address: recipient, outcome: 'delivered' }]);
      gateway.owe(body, [recipient], 'settled');
    });

  const small = Buffer.from('small\r\n');
  const large = Buffer.alloc(1_200_000, 'large ');
  const first = await take(small, [ALICE]);
  await take(large, [ALICE]);
  await settle(first, small, ALICE);
  await manyRecipients(gateway, take);
  await quarantined(gateway, { take, settle });
  await waiting(gateway, take);
  await bounced(gateway, take);
  await undone(gateway, take);
  await gateway.step((spool) => spool.flush());
  await stopAndStart(gateway);
  await settle((await take(Buffer.from('second day\r\n'), [BOB])) ?? undefined, Buffer.from('second day\r\n'), BOB);
  await corrupted(gateway, { take, ground });
  await rebuilt(gateway, ground);
  await settle((await take(Buffer.from('third day\r\n'), [CAROL])) ?? undefined, Buffer.from('third day\r\n'), CAROL);
  await gateway.step((spool) => spool.flush());
  await stopAndStart(gateway);
}

type Take = (
  body: Buffer,
  to: readonly ForwardPath[],
  folder?: 'queue' | 'quarantine' | 'incoming',
) => Promise<QueueId | undefined>;
type Settle = (id: QueueId | undefined, body: Buffer, recipient: ForwardPath) => Promise<void>;

async function manyRecipients(gateway: Gateway, take: Take): Promise<void> {
  const body = Buffer.from('many\r\n');
  const id = await take(body, [ALICE, BOB, CAROL]);
  if (id === undefined) return;
  await gateway.step(async (spool) => {
    if (spool.folderOf(id) !== 'queue') return;
    await spool.recordAttempt(id, [ALICE, BOB, CAROL], 'hop');
    gateway.owe(body, [BOB], 'doubt');
    await spool.settle(id, [{ address: BOB, outcome: 'delivered' }]);
    gateway.owe(body, [BOB], 'settled');
    await spool.defer(id, [
      { address: ALICE, reply: '450', wait: 60_000 },
      { address: CAROL, reply: '450', wait: 60_000 },
    ]);
  });
  let held: QueueId | undefined;
  await gateway.step(async (spool) => {
    if (spool.folderOf(id) === 'queue') held = await spool.move(id, 'held', { recipients: [ALICE], why: 'operator' });
  });
  await gateway.step(async (spool) => {
    if (held !== undefined && spool.folderOf(held) === 'held') await spool.move(held, 'queue');
  });
}

async function quarantined(gateway: Gateway, { take, settle }: { take: Take; settle: Settle }): Promise<void> {
  const body = Buffer.alloc(400_000, 'quarantined ');
  const id = await take(body, [ALICE, BOB], 'quarantine');
  let released: QueueId | undefined;
  await gateway.step(async (spool) => {
    if (id === undefined || spool.folderOf(id) !== 'quarantine') return;
    released = await spool.move(id, 'queue', { recipients: [ALICE] });
  });
  await settle(released, body, ALICE);
  const whole = Buffer.from('released whole\r\n');
  const other = await take(whole, [CAROL], 'quarantine');
  await gateway.step(async (spool) => {
    if (other !== undefined && spool.folderOf(other) === 'quarantine') await spool.move(other, 'queue');
  });
  await settle(other, whole, CAROL);
}

async function waiting(gateway: Gateway, take: Take): Promise<void> {
  for (const [text, parts] of [
    ['incoming, one way\r\n', 1],
    ['incoming, two ways\r\n', 2],
  ] as const) {
    const body = Buffer.from(text);
    const id = await take(body, [ALICE, BOB], 'incoming');
    await gateway.step(async (spool) => {
      if (id === undefined || spool.folderOf(id) !== 'incoming') return;
      await spool.countTry(id);
      if (parts === 1) await spool.forgetTries(id);
      await spool.decide(
        id,
        parts === 1
          ? [{ folder: 'queue', trailer: trailerFor([ALICE, BOB]) }]
          : [
              { folder: 'queue', trailer: trailerFor([ALICE]) },
              { folder: 'quarantine', trailer: trailerFor([BOB]) },
            ],
      );
    });
  }
}

async function bounced(gateway: Gateway, take: Take): Promise<void> {
  const body = Buffer.from('bounced\r\n');
  const report = Buffer.from('report\r\n');
  const id = await take(body, [ALICE, BOB]);
  await gateway.step(async (spool) => {
    if (id === undefined || spool.folderOf(id) !== 'queue') return;
    if (gateway.debts.get(sha(body))?.get(ALICE) !== 'owed') return;
    await spool.recordAttempt(id, [ALICE, BOB], 'hop');
    gateway.owe(body, [ALICE], 'doubt');
    gateway.owe(report, [CAROL], 'doubt');
    gateway.standIns.set(sha(report), { body: sha(body), recipient: ALICE });
    await spool.bounce(id, [{ address: ALICE, outcome: 'bounced', reply: '550 no' }], {
      attempt: 1,
      transaction: transaction(gateway.clock, [CAROL]),
      message: report,
    });
    gateway.owe(body, [ALICE], 'settled');
    gateway.owe(report, [CAROL]);
    gateway.owe(body, [BOB], 'doubt');
    await spool.settle(id, [{ address: BOB, outcome: 'delivered' }]);
    gateway.owe(body, [BOB], 'settled');
  });
}

async function undone(gateway: Gateway, take: Take): Promise<void> {
  const back = Buffer.from('deleted and brought back\r\n');
  const one = await take(back, [ALICE], 'quarantine');
  const gone = Buffer.from('deleted\r\n');
  const other = await take(gone, [BOB], 'quarantine');
  await gateway.step(async (spool) => {
    if (one === undefined || other === undefined) return;
    // marked messages are still there; only the ten minutes take them
    if (spool.folderOf(one) !== undefined) await spool.remove(one, 'deleted');
    if (spool.folderOf(one) !== undefined) await spool.undelete(one);
    gateway.owe(gone, [BOB], 'doubt');
    if (spool.folderOf(other) !== undefined) await spool.remove(other, 'deleted');
  });
  gateway.clock.advance(11 * 60_000);
}

async function stopAndStart(gateway: Gateway): Promise<void> {
  try {
    await gateway.stop();
  } catch {
    await gateway.die(); // a stop that fails is a stop without its marker
  }
  await gateway.store();
}

async function corrupted(gateway: Gateway, { take, ground }: { take: Take; ground: Ground }): Promise<void> {
  const body = Buffer.alloc(300_000, 'to be damaged ');
  const id = await take(body, [BOB], 'queue');
  if (id === undefined) return;
  await stopAndStart(gateway); // what is in memory until its first delivery is not read from the disk
  const store = await gateway.store();
  const message = await store.read(id);
  if (message === undefined) return;
  gateway.debts.delete(sha(body));
  gateway.damaged.add(id);
  await ground.damageFile(path.join(ground.root, 'queue', folderOf(id), `${id}.msg`));
  await gateway.step(async (spool) => {
    const again = await spool.read(id);
    if (again === undefined || again.folder === 'corrupt') return;
    const came = await buffer(spool.openBody(again)).catch(() => undefined);
    assert.ok(came === undefined, 'a damaged body came out whole'); // a diff of all its octets would take gigabytes
  });
}

async function rebuilt(gateway: Gateway, ground: Ground): Promise<void> {
  await gateway.die();
  await ground.damageDatabase();
  // what was served and whose file still stands may be served again: counted and shown
  for (const by of gateway.debts.values()) {
    for (const [recipient, debt] of by) if (debt === 'settled') by.set(recipient, 'doubt');
  }
  await gateway.store();
}

async function check(gateway: Gateway, what: string): Promise<void> {
  const spool = await gateway.store();
  const found = new Map<string, Map<ForwardPath, number>>();
  for (const folder of FOLDERS) {
    if (folder === 'corrupt') continue;
    for (const row of await spool.list(folder)) {
      const message = await spool.read(row.id);
      if (message === undefined) {
        assert.ok(gateway.damaged.has(row.id), `${what}: ${row.id} cannot be read`);
        continue;
      }
      const body = await buffer(spool.openBody(message)).catch(() => undefined);
      if (body === undefined) {
        assert.ok(gateway.damaged.has(row.id), `${what}: ${row.id} is corrupt`);
        continue;
      }
      const by = found.get(sha(body)) ?? new Map<ForwardPath, number>();
      found.set(sha(body), by);
      const recipients =
        folder === 'incoming'
          ? message.preamble.envelope.recipients.map(({ address }) => address)
          : message.progress.recipients.filter(({ outcome }) => outcome === undefined).map(({ address }) => address);
      for (const address of recipients) by.set(address, (by.get(address) ?? 0) + 1);
    }
  }
  for (const [body, by] of gateway.debts) {
    for (const [recipient, debt] of by) {
      const times = found.get(body)?.get(recipient) ?? 0;
      const standIn = gateway.standIns.get(body);
      if (debt === 'owed' && standIn !== undefined && (found.get(standIn.body)?.get(standIn.recipient) ?? 0) > 0)
        continue;
      const again = gateway.resent.has(body) ? 1 : 0;
      const right = debt === 'owed' ? times === 1 || times === 1 + again : debt === 'doubt' || times <= again;
      assert.ok(right, `${what}: ${recipient} of ${body.slice(0, 8)} is ${debt} and found ${times} times`);
    }
  }
  assert.equal(spool.count('corrupt'), gateway.damaged.size, `${what}: corrupt/ holds what was damaged`);
}

export interface FaultOutcome {
  counts: Record<FaultCall, number>;
  calls: number;
  hit: Faults['hit'];
  deaths: number;
  errors: readonly string[];
}

/** The whole life with call number `at` failing as `kind`; `after`: the power goes at the end, or nothing does. */
export async function runWithFault(
  ground: Ground,
  options: { at: number; kind: FaultKind; after: 'nothing' | 'power cut' },
): Promise<FaultOutcome> {
  const faults = new Faults(options.at, options.kind);
  const gateway = new Gateway(ground, faults);
  const what = (): string =>
    `${options.kind} at call ${options.at} (${faults.hit?.call} ${faults.hit?.path}), then ${options.after}`;
  let calls = 0;
  try {
    await live(gateway, ground);
    await gateway.die();
    if (options.after === 'power cut') ground.cut?.();
    await check(gateway, what());
    calls = faults.calls;
    faults.disarm();
    // and mail flows, without help
    const last = await put(await gateway.store(), gateway.clock, { body: Buffer.from('after all\r\n') });
    const spool = await gateway.store();
    await spool.recordAttempt(last, [ALICE], 'hop');
    await spool.settle(last, [{ address: ALICE, outcome: 'delivered' }]);
    assert.deepEqual(faults.syncedAgain, [], `${what()}: synced again after a failed sync`);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    throw new Error(`${what()}: ${(error as SekishoError).stack}; before: ${gateway.errors.join(', ')}`, {
      cause: error,
    });
  } finally {
    await gateway.die();
    await ground.dispose();
  }
  return {
    counts: faults.counts,
    calls,
    hit: faults.hit,
    deaths: gateway.deaths,
    errors: gateway.errors,
  };
}

export function sumOf(counts: Record<FaultCall, number>): string {
  return FAULT_CALLS.map((call) => `${call} ${counts[call]}`).join(', ');
}

function sha(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}
