/**
 * Alarms about something that happened and is no state: nobody can say that it is over. They end when it has not happened again
 * for half a day: long enough for whoever looks in the morning, and before the alerts tell the same once more. Nobody waits for
 * it, and what was cleared otherwise meanwhile is cleared once more, which says nothing.
 */
import type { Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { AlarmName } from './events.ts';

const ONCE: ReadonlySet<AlarmName> = new Set(['internal-error', 'spool-recovered']);
export const STUMBLE_MS = 12 * 3_600_000;
/** Keys; the oldest ends when there are more. */
const MOST = 1_000;

export class Stumbles {
  readonly #clock: Clock;
  readonly #over: (alarm: AlarmName, key: string) => void;
  /** When each happened last, monotonic; the newest last. */
  readonly #last = new Map<string, { alarm: AlarmName; key: string; at: number }>();
  #waiting = false;

  constructor(options: { clock: Clock; over: (alarm: AlarmName, key: string) => void }) {
    this.#clock = options.clock;
    this.#over = options.over;
  }

  raised(alarm: AlarmName, key: string): void {
    if (!ONCE.has(alarm)) return;
    const name = `${alarm} ${key}`;
    this.#last.delete(name);
    this.#last.set(name, { alarm, key, at: this.#clock.monotonic() });
    const oldest = this.#last.values().next().value;
    if (this.#last.size > MOST && oldest !== undefined) this.#end(oldest);
    if (!this.#waiting) this.#wait(STUMBLE_MS);
  }

  #wait(ms: Milliseconds): void {
    this.#waiting = true;
    setTimeout(() => this.#look(), ms).unref();
  }

  #look(): void {
    this.#waiting = false;
    const now = this.#clock.monotonic();
    for (const one of this.#last.values()) {
      const left = one.at + STUMBLE_MS - now;
      if (left > 0) return this.#wait(left);
      this.#end(one);
    }
  }

  #end({ alarm, key }: { alarm: AlarmName; key: string }): void {
    this.#last.delete(`${alarm} ${key}`);
    this.#over(alarm, key);
  }
}
