/**
 * What the spool does by itself: deleted messages go after ten minutes, outcomes are forgotten after seven days, the
 * sequence file follows (at most a second behind), the ballast is kept. Chores run one after another; a failing one is
 * logged and tried again later. After a fault nothing is done any more.
 */
import { ageOf, type Clock, type Stamp } from '../base/clock.ts';
import { describeError, errorCode, type SekishoError } from '../base/errors.ts';
import { FILES_PER_FOLDER, type QueueId } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import { Ballast } from './ballast.ts';
import type { FileLayer } from './files.ts';
import type { Layout } from './layout.ts';
import type { ProgressStore } from './progress.ts';
import { writeSmallFile } from './small-file.ts';
import type { SpaceGuard } from './space.ts';

const UNDO_MS = 10 * 60_000;
const RETIRED_KEPT_MS = 7 * 24 * 3_600_000;
const CHORES_MS = 15_000;
const SWEEP_MS = 3_600_000;
const SEQUENCE_MS = 1_000;
const SPACE_MS = 2_000;

export interface UpkeepOptions {
  files: FileLayer;
  layout: Layout;
  progress: ProgressStore;
  space: SpaceGuard;
  clock: Clock;
  observe: Observe;
  ballastOctets: number;
  /** When each message was marked for deletion. */
  deleted: ReadonlyMap<QueueId, Stamp>;
  /** Ten minutes are over. */
  expire: (id: QueueId) => Promise<void>;
  nextSequence: () => number;
  isSound: () => boolean;
  fault: (what: string, error: unknown) => SekishoError;
}

export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #ballast: Ballast;
  readonly #timers: NodeJS.Timeout[];
  #work: Promise<void> = Promise.resolve();
  #savedSequence = '';
  #sweptAt = 0;
  #stopped = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    const { files, layout, space, ballastOctets } = options;
    this.#ballast = new Ballast({ files, layout, octets: ballastOctets });
    space.onFull = () => this.giveRoom();
    this.#timers = [
      setInterval(() => void this.#then(() => this.#chores()), CHORES_MS).unref(),
      setInterval(() => void this.#then(() => this.#saveSequence()), SEQUENCE_MS).unref(),
      setInterval(() => void this.#then(() => this.#watchSpace()), SPACE_MS).unref(),
    ];
  }

  /** The disk is full: the ballast goes. */
  giveRoom(): void {
    void this.#ballast.drop();
  }

  /** Does the chores now. */
  run(): Promise<void> {
    return this.#then(() => this.#chores());
  }

  /** No more chores; the one in progress ends. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#work;
  }

  #then(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(async () => {
      if (this.#stopped || !this.#options.isSound()) return;
      try {
        await work();
      } catch (error) {
        this.#options.observe.log('error', 'Spool chores failed', { error: describeError(error) });
      }
    });
    return this.#work;
  }

  async #chores(): Promise<void> {
    const { clock, progress, space, deleted, expire } = this.#options;
    await this.#ballast.keep(space.freeOctets - space.floorOctets);
    for (const [id, at] of deleted) if (ageOf(at, clock) >= UNDO_MS) await expire(id);
    if (clock.monotonic() - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = clock.monotonic();
    await progress.forgetRetired((retired) => ageOf(retired.at, clock) > RETIRED_KEPT_MS);
  }

  /** Also while no mail comes: the owner must hear of it, and the first mail after room returned must be taken. */
  async #watchSpace(): Promise<void> {
    const { space, observe } = this.#options;
    await space.refresh();
    const { freeOctets, floorOctets } = space;
    if (space.hasRoom(0)) observe.clear('disk-low', 'spool');
    else observe.raise('disk-low', 'spool', `${freeOctets} octets free, the floor is ${Math.round(floorOctets)}`);
  }

  async #saveSequence(): Promise<void> {
    const { files, layout, progress, nextSequence } = this.#options;
    const message = Math.ceil(nextSequence() / FILES_PER_FOLDER) * FILES_PER_FOLDER;
    const value = { database: progress.sequence, message };
    const text = JSON.stringify(value);
    if (text === this.#savedSequence) return;
    try {
      await writeSmallFile(files, layout, { name: 'sequence', value });
      this.#savedSequence = text;
    } catch (error) {
      // A full disk is no loss of trust: the old file stands, and it only says "at least".
      if (errorCode(error) !== 'ENOSPC') throw this.#options.fault('Sync of the sequence file', error);
    }
  }
}
