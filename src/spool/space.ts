/**
 * Is there room? The floor is max(percent of the disk, fixed octets); what open DATA has announced or received counts one
 * and a half times, inodes likewise have a floor. The figure is asked of the disk at most once a second and kept honest in
 * between by what we write. Below the floor new mail gets 452 long before a write could fail.
 */
import type { Clock } from '../base/clock.ts';
import { SekishoError } from '../base/errors.ts';
import type { FileLayer, Space } from './files.ts';

const REFRESH_MS = 1_000;
const INODE_FLOOR_PERCENT = 5;

export interface SpaceLimits {
  floorOctets: number;
  floorPercent: number;
}

export class SpaceGuard {
  readonly #files: FileLayer;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #limits: () => SpaceLimits;
  #space: Space = { freeOctets: 0, totalOctets: 0, freeInodes: 0, totalInodes: 0 };
  #askedAt = 0;
  #asking = false;
  /** Told when a write failed because the disk is full. */
  onFull: () => void = () => undefined;
  /** Octets announced or received in open transactions. */
  #open = 0;

  constructor(options: { files: FileLayer; directory: string; clock: Clock; limits: () => SpaceLimits }) {
    this.#files = options.files;
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#limits = options.limits;
  }

  get freeOctets(): number {
    return this.#space.freeOctets;
  }

  /** Of the file system; 0 where it has no fixed number. */
  get totalInodes(): number {
    return this.#space.totalInodes;
  }

  get floorOctets(): number {
    const limits = this.#limits();
    return Math.max(limits.floorOctets, (this.#space.totalOctets * limits.floorPercent) / 100);
  }

  async refresh(): Promise<void> {
    this.#askedAt = this.#clock.monotonic();
    this.#space = await this.#files.space(this.#directory);
  }

  hasRoom(octets: number): boolean {
    this.#refreshIfOld();
    const wanted = 1.5 * (this.#open + octets);
    const { totalInodes, freeInodes } = this.#space;
    // Some file systems have no fixed number of inodes and say 0.
    const inodes = totalInodes === 0 || freeInodes >= (totalInodes * INODE_FLOOR_PERCENT) / 100;
    return inodes && this.#space.freeOctets - wanted >= this.floorOctets;
  }

  /** A transaction opened, grew, or ended (negative). */
  hold(octets: number): void {
    this.#open += octets;
  }

  /** A write failed with ENOSPC: believe it until the disk says otherwise. */
  sawFull(): void {
    this.#space = { ...this.#space, freeOctets: 0 };
    this.#askedAt = this.#clock.monotonic();
    this.onFull();
  }

  #refreshIfOld(): void {
    if (this.#asking || this.#clock.monotonic() - this.#askedAt < REFRESH_MS) return;
    this.#asking = true;
    this.refresh().then(
      () => (this.#asking = false),
      () => (this.#asking = false), // the old figure stands; a real fault shows at the next write
    );
  }
}

export function noRoom(): SekishoError {
  return new SekishoError('SPOOL_FULL', 'Free space is below the floor', {
    retryable: true,
    remedy: 'Make room on the data disk, or lower spool.floorOctets',
  });
}
