/**
 * Messages just committed that never left memory (2 MiB at most), kept for their first delivery: most are gone again within
 * the second, and what was hashed on its way in need not be read back from the disk. Bounded; the oldest leave first; a message
 * that was deferred or moved is no longer fresh. Never the record: the file is.
 */
import type { QueueId } from '../mail/queue-id.ts';
import type { Preamble, Trailer } from './api.ts';

export interface FreshMessage {
  preamble: Preamble;
  trailer: Trailer;
  body: readonly Buffer[];
}

const BUDGET_OCTETS = 16 * 1024 * 1024;

export class Fresh {
  readonly #messages = new Map<QueueId, FreshMessage>();
  #octets = 0;

  put(id: QueueId, message: FreshMessage): void {
    this.#messages.set(id, message);
    this.#octets += message.trailer.size;
    for (const oldest of this.#messages.keys()) {
      if (this.#octets <= BUDGET_OCTETS) break;
      this.drop(oldest);
    }
  }

  get(id: QueueId): FreshMessage | undefined {
    return this.#messages.get(id);
  }

  drop(id: QueueId): void {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    this.#messages.delete(id);
    this.#octets -= message.trailer.size;
  }
}
