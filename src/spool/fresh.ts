/**
 * Messages just committed, kept for their first delivery: most are gone again within the second, and what was known of them on
 * their way in need not be read back from the disk; of one up to 256 KiB that is all of it, of a larger one all but the body.
 * Bounded; the oldest leave first; a message that was deferred or moved is no longer fresh. Never the record: the file is.
 */
import type { QueueId } from '../mail/queue-id.ts';
import type { Preamble, Trailer } from './api.ts';
import type { BodyPlace } from './body.ts';

export interface FreshMessage extends BodyPlace {
  preamble: Preamble;
  trailer: Trailer;
}

/** Of all together. */
export const FRESH_OCTETS = 16 * 1024 * 1024;
/** What is known of a message takes about this. */
const KNOWN_OCTETS = 4 * 1024;

export class Fresh {
  readonly #messages = new Map<QueueId, FreshMessage>();
  #octets = 0;

  put(id: QueueId, message: FreshMessage): void {
    this.#messages.set(id, message);
    this.#octets += weightOf(message);
    for (const oldest of this.#messages.keys()) {
      if (this.#octets <= FRESH_OCTETS) break;
      this.drop(oldest);
    }
  }

  /** What the messages in here take. */
  get octets(): number {
    return this.#octets;
  }

  get(id: QueueId): FreshMessage | undefined {
    return this.#messages.get(id);
  }

  drop(id: QueueId): void {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    this.#messages.delete(id);
    this.#octets -= weightOf(message);
  }
}

function weightOf({ body, trailer }: FreshMessage): number {
  return KNOWN_OCTETS + (body === undefined ? 0 : trailer.size);
}
