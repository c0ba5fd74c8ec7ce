/**
 * Which queued messages an operator sends their own way (`sekisho queue route ID`). The spool's entry is the record; this is
 * its shadow in memory, one for all jobs of a message, so that no job can stand at a hop the others do not mean. Holds what
 * the spool told and what was said since; whoever is gone is forgotten at the next word.
 */
import type { QueueId } from '../mail/queue-id.ts';
import type { QueuedMessage, Spool, Via } from '../spool/api.ts';

export class Detours {
  readonly #via = new Map<QueueId, Via>();
  readonly #spool: Pick<Spool, 'folderOf'>;

  constructor(spool: Pick<Spool, 'folderOf'>) {
    this.#spool = spool;
  }

  of(id: QueueId): Via | undefined {
    return this.#via.get(id);
  }

  /** A message is queued (anew): what its entry says. */
  note({ id, via }: QueuedMessage): void {
    if (via !== undefined) this.set(id, via);
  }

  set(id: QueueId, via: Via | undefined): void {
    for (const known of this.#via.keys()) if (this.#spool.folderOf(known) === undefined) this.#via.delete(known);
    if (via === undefined) this.#via.delete(id);
    else this.#via.set(id, via);
  }
}
