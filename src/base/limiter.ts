/**
 * A counting semaphore: at most `limit` pieces of work at once, the rest wait in order, those with precedence before all
 * others. The limit may be a setting: it is read for each piece, so a higher one lets who waits in with the next step, a lower one holds as soon as enough have ended.
 */
export class Limiter {
  readonly #limit: () => number;
  #running = 0;
  readonly #preferred: Array<() => void> = [];
  readonly #waiting: Array<() => void> = [];

  constructor(limit: number | (() => number)) {
    this.#limit = typeof limit === 'number' ? () => limit : limit;
  }

  get limit(): number {
    return this.#limit();
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#preferred.length + this.#waiting.length;
  }

  async run<T>(work: () => Promise<T>, { precedence = false } = {}): Promise<T> {
    this.#admit();
    const line = precedence ? this.#preferred : this.#waiting;
    if (this.#running >= this.limit) await new Promise<void>((resolve) => line.push(resolve));
    else this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#admit();
    }
  }

  /** The place is taken for whoever is called, so nobody can slip in between. */
  #admit(): void {
    while (this.#running < this.limit) {
      const next = this.#preferred.shift() ?? this.#waiting.shift();
      if (next === undefined) return;
      this.#running += 1;
      next();
    }
  }
}
