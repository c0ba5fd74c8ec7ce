/**
 * What was done with each message: one entry a message in the database, small and rewritten; the message file itself never
 * changes. Writes queue up and leave in one batch for all that wait; a batch with a synced write is durable when it
 * resolves, and carries a rising sequence number by which a database that silently rolled back is known at the next start.
 * A failed batch fails everybody in it and is told to `onFault`: nothing may be settled in this process any more. So is an entry that
 * is not what was written: its mail would wait for ever, and the next start makes the database anew from the files.
 */
import { errorCode, SekishoError } from '../base/errors.ts';
import { endOfTurn } from '../base/turn.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Database, DatabaseWrite } from './database.ts';
import type { Entry, Retired } from './entry.ts';

/** How long an entry waits that nobody waits for. */
const LATER_MS = 100;
const BATCH = 900; // ≤ 1,000 keys a batch, the sequence included
const CACHED = 5_000;
const PAGE = 1_000;
const ENTRY = 'm/';
const RETIRED = 'o/';
const SEQUENCE = 'meta/sequence';

/** Made into octets when its batch leaves: what was written again meanwhile costs nothing. */
interface Write {
  key: string;
  value: Entry | Retired | undefined;
}

interface Waiting {
  writes: Write[];
  sync: boolean;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class ProgressStore {
  readonly #database: Database;
  readonly #onFault: (error: unknown) => void;
  readonly #cache = new Map<QueueId, Entry>();
  /** Entries of new messages; most are written again, or gone, before their time comes. */
  readonly #later = new Map<QueueId, Entry>();
  #laterTimer: NodeJS.Timeout | undefined;
  #waiting: Waiting[] = [];
  #draining = false;
  #failed: unknown;
  /** Of the last synced batch. */
  sequence = 0;
  /** Synced batches made, for the figures. */
  syncs = 0;

  constructor(database: Database, onFault: (error: unknown) => void) {
    this.#database = database;
    this.#onFault = onFault;
  }

  /** Reads the sequence the database has reached. */
  async open(): Promise<void> {
    const value = await this.#database.get(SEQUENCE);
    this.sequence = value === undefined ? 0 : Number(value.toString());
  }

  async get(id: QueueId): Promise<Entry | undefined> {
    const cached = this.#cache.get(id) ?? this.#later.get(id);
    if (cached !== undefined) return cached;
    const value = await this.#read(ENTRY + id);
    if (value === undefined) return undefined;
    const entry = JSON.parse(value.toString()) as Entry;
    this.#remember(id, entry);
    return entry;
  }

  /**
   * The entry of a new message, written within a moment: lost with a kill before that, and then made anew from the file, which
   * is the promise. Nothing was done with that message yet, for every attempt is written first.
   */
  begin(id: QueueId, entry: Entry): void {
    this.#remember(id, entry);
    this.#later.set(id, entry);
    if (this.#later.size >= BATCH) this.#writeLater();
    else this.#laterTimer ??= setTimeout(() => this.#writeLater(), LATER_MS);
  }

  /** Not synced: survives a kill, not a power cut. */
  put(id: QueueId, entry: Entry): Promise<void> {
    return this.write([[id, entry]], { sync: false });
  }

  /** Several entries in one atomic batch; `undefined` removes. */
  write(
    entries: ReadonlyArray<readonly [QueueId, Entry | undefined]>,
    options: { sync: boolean; retired?: ReadonlyArray<readonly [QueueId, Retired]> },
  ): Promise<void> {
    const writes: Write[] = [];
    for (const [id, entry] of entries) {
      this.#later.delete(id);
      if (entry === undefined) this.#cache.delete(id);
      else this.#remember(id, entry);
      writes.push({ key: ENTRY + id, value: entry });
    }
    for (const [id, retired] of options.retired ?? []) writes.push({ key: RETIRED + id, value: retired });
    return new Promise((resolve, reject) => {
      if (this.#failed !== undefined) return reject(this.#refusal());
      this.#waiting.push({ writes, sync: options.sync, resolve, reject });
      if (!this.#draining) void this.#drain();
    });
  }

  async retired(id: QueueId): Promise<Retired | undefined> {
    const value = await this.#read(RETIRED + id);
    return value === undefined ? undefined : (JSON.parse(value.toString()) as Retired);
  }

  /** Before anybody relies on it, after a stop that was none. Throws DATABASE_DAMAGED. */
  prove(): Promise<void> {
    return this.#database.prove();
  }

  /** Every entry, in order of id. */
  async *entries(): AsyncGenerator<[QueueId, Entry]> {
    for await (const [key, value] of this.#pages(ENTRY)) {
      yield [key.slice(ENTRY.length) as QueueId, JSON.parse(value.toString()) as Entry];
    }
  }

  /** Drops retired rows, oldest first, until `old` says no: ids rise with time. Bounded batches. */
  async forgetRetired(old: (retired: Retired) => boolean): Promise<void> {
    let writes: DatabaseWrite[] = [];
    for await (const [key, value] of this.#pages(RETIRED)) {
      if (!old(JSON.parse(value.toString()) as Retired)) break;
      writes.push({ key });
      if (writes.length < BATCH) continue;
      await this.#database.batch(writes, { sync: false });
      writes = [];
    }
    if (writes.length > 0) await this.#database.batch(writes, { sync: false });
  }

  /** Waits for what is queued, syncs, closes. The sequence returned is the last one on disk. */
  async close(): Promise<number> {
    this.#writeLater();
    try {
      if (this.#failed === undefined) await this.write([], { sync: true });
    } finally {
      await this.#database.close(); // or nobody could open it again in this process
    }
    return this.sequence;
  }

  async *#pages(prefix: string): AsyncGenerator<[string, Buffer]> {
    let after: string | undefined;
    while (true) {
      const page = await this.#database.page(prefix, { ...(after === undefined ? {} : { after }), limit: PAGE });
      for (const { key, value } of page) yield [key, value];
      after = page.at(-1)?.key;
      if (page.length < PAGE || after === undefined) return;
    }
  }

  async #read(key: string): Promise<Buffer | undefined> {
    try {
      return await this.#database.get(key);
    } catch (error) {
      if (errorCode(error) === 'DATABASE_DAMAGED') this.#onFault(error);
      throw error;
    }
  }

  #writeLater(): void {
    clearTimeout(this.#laterTimer);
    this.#laterTimer = undefined;
    // what fails is told by `onFault`
    if (this.#later.size > 0) this.write([...this.#later], { sync: false }).catch(() => undefined);
  }

  /** Each batch takes all that came in this turn of the loop. */
  async #drain(): Promise<void> {
    this.#draining = true;
    while (this.#waiting.length > 0 && this.#failed === undefined) {
      await endOfTurn();
      const group: Waiting[] = [];
      let size = 0;
      while (this.#waiting.length > 0 && (size === 0 || size + (this.#waiting[0] as Waiting).writes.length <= BATCH)) {
        const next = this.#waiting.shift() as Waiting;
        group.push(next);
        size += next.writes.length;
      }
      const sync = group.some((waiting) => waiting.sync);
      const writes = batchOf(group);
      const sequence = this.sequence + 1;
      if (sync) writes.push({ key: SEQUENCE, value: Buffer.from(String(sequence)) });
      try {
        await this.#database.batch(writes, { sync });
        if (sync) {
          this.sequence = sequence;
          this.syncs += 1;
        }
        for (const waiting of group) waiting.resolve();
      } catch (error) {
        this.#failed = error;
        this.#onFault(error);
        for (const waiting of [...group, ...this.#waiting]) waiting.reject(this.#refusal());
        this.#waiting = [];
      }
    }
    this.#draining = false;
  }

  #refusal(): SekishoError {
    return new SekishoError('SPOOL_FAULT', 'Database write failed, nothing can be settled until a restart', {
      retryable: true,
      cause: this.#failed,
    });
  }

  #remember(id: QueueId, entry: Entry): void {
    this.#cache.delete(id);
    this.#cache.set(id, entry);
    if (this.#cache.size > CACHED) {
      const oldest = this.#cache.keys().next().value;
      if (oldest !== undefined) this.#cache.delete(oldest);
    }
  }
}

/** One write for each key, the last one: the batch is atomic, so nobody ever sees those before it. */
function batchOf(group: readonly Waiting[]): DatabaseWrite[] {
  const last = new Map<string, Write['value']>();
  for (const { writes } of group) for (const { key, value } of writes) last.set(key, value);
  return Array.from(last, ([key, value]) =>
    value === undefined ? { key } : { key, value: Buffer.from(JSON.stringify(value)) },
  );
}
