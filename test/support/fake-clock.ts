/** A clock that moves only when told. */
import type { Clock } from '../../src/base/clock.ts';

export class FakeClock implements Clock {
  bootId = 'boot-1';
  #wall = Date.UTC(2026, 10, 21);
  #mono = 1_000_000;
  isSynchronised = true;

  wall(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#mono;
  }

  synchronised(): boolean {
    return this.isSynchronised;
  }

  advance(ms: number): void {
    this.#wall += ms;
    this.#mono += ms;
  }

  /** A time step: the wall jumps, the monotonic clock does not. */
  step(ms: number): void {
    this.#wall += ms;
  }

  /** The machine restarts: a new boot, the monotonic clock begins again. */
  reboot(): void {
    this.bootId = `${this.bootId}+`;
    this.#mono = 0;
  }
}
