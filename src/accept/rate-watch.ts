/**
 * Is a client in DATA slower than it may be over any window? Fed by a clock tick; pure. Time in which we ourselves held the
 * client back does not count against it.
 */
export class RateWatch {
  readonly #octetsPerSecond: number;
  readonly #windowMs: number;
  #samples: Array<{ at: number; octets: number }> = [];

  constructor(options: { octetsPerSecond: number; windowMs: number }) {
    this.#octetsPerSecond = options.octetsPerSecond;
    this.#windowMs = options.windowMs;
  }

  tooSlow(now: number, octets: number, blocked: boolean): boolean {
    if (blocked) {
      this.#samples = [];
      return false;
    }
    this.#samples.push({ at: now, octets });
    // keep one sample that is at least a window old: the oldest that the next question needs
    while (this.#samples.length > 1 && now - (this.#samples[1]?.at ?? now) >= this.#windowMs) this.#samples.shift();
    const [oldest] = this.#samples;
    if (oldest === undefined || now - oldest.at < this.#windowMs) return false;
    return octets - oldest.octets < (this.#octetsPerSecond * (now - oldest.at)) / 1_000;
  }
}
