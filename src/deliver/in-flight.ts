/**
 * Who is being served at this moment. A recipient is claimed by one job at a time, so that two jobs of one message never
 * send twice; and a step that splits the message's file waits until nobody is, and keeps new ones out meanwhile.
 */
import type { ForwardPath } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';

export class InFlight {
  readonly #claimed = new Map<QueueId, Set<ForwardPath>>();
  readonly #closed = new Set<QueueId>();
  readonly #steps = new Map<QueueId, Promise<void>>();
  readonly #waiting = new Map<QueueId, Array<() => void>>();

  /** The message's file is being split: come back in a moment. */
  isClosed(id: QueueId): boolean {
    return this.#closed.has(id);
  }

  isClaimed(id: QueueId, address: ForwardPath): boolean {
    return this.#claimed.get(id)?.has(address) ?? false;
  }

  claim(id: QueueId, addresses: readonly ForwardPath[]): void {
    const claimed = this.#claimed.get(id) ?? new Set();
    for (const address of addresses) claimed.add(address);
    this.#claimed.set(id, claimed);
  }

  release(id: QueueId, addresses: readonly ForwardPath[]): void {
    const claimed = this.#claimed.get(id);
    if (claimed === undefined) return;
    for (const address of addresses) claimed.delete(address);
    if (claimed.size > 0) return;
    this.#claimed.delete(id);
    for (const wake of this.#waiting.get(id) ?? []) wake();
    this.#waiting.delete(id);
  }

  /** One step at a time for one message. */
  async inTurn(id: QueueId, step: () => Promise<void>): Promise<void> {
    const before = this.#steps.get(id) ?? Promise.resolve();
    const mine = before.then(step);
    const quiet = mine.catch(() => undefined);
    this.#steps.set(id, quiet);
    try {
      await mine;
    } finally {
      if (this.#steps.get(id) === quiet) this.#steps.delete(id);
    }
  }

  /** Runs the step while nobody of this message is served. */
  async alone(id: QueueId, step: () => Promise<void>): Promise<void> {
    this.#closed.add(id);
    try {
      if (this.#claimed.has(id)) {
        await new Promise<void>((resolve) => {
          const waiting = this.#waiting.get(id) ?? [];
          waiting.push(resolve);
          this.#waiting.set(id, waiting);
        });
      }
      await step();
    } finally {
      this.#closed.delete(id);
    }
  }
}
