/**
 * Reading what the spool holds: one message, its octets, a page of a folder, what is known without reading. A message that is
 * moving is found where it goes; one that turns out damaged goes to corrupt/ and is told of. Changes nothing else.
 */
import { Readable } from 'node:stream';
import type { Stamp } from '../base/clock.ts';
import { describeError, errorCode } from '../base/errors.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { BodyOctets, Folder, Sketch, Spool, SpoolListEntry, StoredMessage } from './api.ts';
import { type BodyPlace, FileBody, memoryBody } from './body.ts';
import { SpoolCore } from './core.ts';
import { newEntry } from './entry.ts';
import { readMessageLayout } from './message-file.ts';

export abstract class SpoolReading extends SpoolCore {
  /** Where bodies are, the small ones in memory, for as long as whoever read the message needs it. */
  readonly #bodies = new WeakMap<StoredMessage, BodyPlace>();

  async read(id: QueueId): Promise<StoredMessage | undefined> {
    const place = this.census.get(id);
    if (place === undefined) return undefined;
    try {
      const known = place.folder === 'queue' ? this.fresh.get(id) : undefined;
      const { files, layout } = this.options;
      const read = known ?? (await readMessageLayout(files, layout.message(id, place)));
      const { preamble, trailer } = read;
      const entry = (await this.options.progress.get(id)) ?? newEntry(preamble, trailer);
      const progress = {
        recipients: entry.recipients,
        ...(entry.deleted === undefined ? {} : { deleted: entry.deleted.at }),
        ...(entry.why === undefined ? {} : { why: entry.why }),
        ...(entry.via === undefined ? {} : { via: entry.via }),
        ...(entry.letGo === undefined ? {} : { letGo: entry.letGo }),
      };
      const message = { id, folder: place.folder, preamble, trailer, progress };
      this.#bodies.set(message, read);
      return message;
    } catch (error) {
      if (this.census.get(id) !== place) return this.read(id); // it moved meanwhile
      if (errorCode(error) === 'ENOENT') {
        // it is moving right now: the name is gone already, where it goes is known when the move is durable
        await this.mutex.run(id, () => Promise.resolve());
        if (this.census.get(id) !== place) return this.read(id);
      }
      if (errorCode(error) === 'CORRUPT' && place.folder !== 'corrupt') {
        await this.setAside(id, describeError(error));
        return undefined;
      }
      if (errorCode(error) === 'CORRUPT') return undefined;
      throw error;
    }
  }

  async list(folder: Folder, options: Parameters<Spool['list']>[1] = {}): Promise<SpoolListEntry[]> {
    const page = this.census.page(folder, { ...options, limit: options.limit ?? 1_000 });
    const rows = await Promise.all(
      page.map(async (id): Promise<SpoolListEntry | undefined> => {
        const entry = await this.options.progress.get(id);
        const arrival = entry?.arrival ?? (folder === 'corrupt' ? undefined : (await this.read(id))?.preamble.arrival);
        const size = this.census.get(id)?.size ?? 0;
        return { id, folder, arrival: arrival ?? (await this.#fileTime(id)), size, deleted: this.deleted.has(id) };
      }),
    );
    return rows.filter((row) => row !== undefined);
  }

  page(folders: readonly Folder[], options: { after?: QueueId; limit: number }): QueueId[] {
    return this.census.pageOf(folders, options);
  }

  sketch(id: QueueId): Sketch | undefined {
    return this.census.get(id);
  }

  /** Nothing else is known of a damaged file: when it was written. */
  async #fileTime(id: QueueId): Promise<Stamp> {
    const place = this.census.get(id);
    const wall = place === undefined ? 0 : await this.options.files.modified(this.options.layout.message(id, place));
    return { wall, mono: 0, boot: '', synchronised: false };
  }

  count(folder: Folder): number {
    return folder === 'incoming' ? this.census.counts.incoming : this.countsSeen()[folder]; // asked for each message
  }

  folderOf(id: QueueId): Folder | undefined {
    return this.census.get(id)?.folder;
  }

  openVariant(message: StoredMessage, variant: number): BodyOctets {
    const shape = message.trailer.variants[variant];
    if (shape === undefined) throw new RangeError(`Message "${message.id}" has no variant ${variant}`);
    return this.#octets(message, shape);
  }

  openBody(message: StoredMessage): Readable {
    return Readable.from(this.#octets(message, { prefix: '', cuts: [] }), { objectMode: false });
  }

  #octets(message: StoredMessage, shape: { prefix: string; cuts: Array<[number, number]> }): BodyOctets {
    const place = this.census.where(message.id);
    const path = this.options.layout.message(message.id, place);
    const expectedSha256 = message.trailer.sha256;
    const onCorrupt = (): Promise<void> => this.setAside(message.id, 'Body hash does not match');
    const lies = this.#bodies.get(message);
    const shared = { shape, expectedSha256, path, onCorrupt };
    if (lies?.body !== undefined) return memoryBody(lies.body, shared);
    const { size } = message.trailer;
    return new FileBody(this.options.files, { ...shared, bodyOffset: lies?.bodyOffset, size, memory: this.leaving });
  }
}
