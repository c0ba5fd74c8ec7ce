/**
 * Time is handed in. Ages and pauses come from `monotonic`, which no time step moves; `wall` is for people and headers.
 * A stamp remembers all of it, so that an age can be told after a restart, after a reboot, and after the clock was wrong.
 */
import { readFileSync } from 'node:fs';
import type { Milliseconds } from './brand.ts';

export interface Clock {
  /** Milliseconds since 1970, as the machine believes. */
  wall(): Milliseconds;
  /** Milliseconds since the machine's boot (CLOCK_MONOTONIC): the same scale in every process of one boot. */
  monotonic(): Milliseconds;
  /** Changes with each boot of the machine. */
  readonly bootId: string;
  /** Is the wall clock known to be right? Nothing expires while it is not. */
  synchronised(): boolean;
}

export interface Stamp {
  wall: Milliseconds;
  mono: Milliseconds;
  boot: string;
  synchronised: boolean;
}

export function stampOf(clock: Clock): Stamp {
  return { wall: clock.wall(), mono: clock.monotonic(), boot: clock.bootId, synchronised: clock.synchronised() };
}

/**
 * How long ago the stamp was taken, ≥ 0. Within one boot by the monotonic clock; across boots by the wall clock when both
 * ends were synchronised; otherwise 0: an age that cannot be known is never held against a message.
 */
export function ageOf(stamp: Stamp, clock: Clock): Milliseconds {
  if (stamp.boot === clock.bootId) return Math.max(0, clock.monotonic() - stamp.mono);
  if (stamp.synchronised && clock.synchronised()) return Math.max(0, clock.wall() - stamp.wall);
  return 0;
}

export function systemClock(options: { synchronised?: () => boolean } = {}): Clock {
  let bootId = 'unknown-boot';
  try {
    bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Not Linux: a stamp of another run is then compared by wall clock, as across boots.
    bootId = `pid-${process.pid}-${Date.now()}`;
  }
  return {
    wall: () => Date.now(),
    monotonic: () => Number(process.hrtime.bigint() / 1_000_000n),
    bootId,
    synchronised: options.synchronised ?? (() => true),
  };
}
