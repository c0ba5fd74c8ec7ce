/**
 * From one folder to another. A whole message is renamed: target folder synced, then the source, before anyone hears of it.
 * Where recipients part, one complete new file per group is written (settled recipients left out), all of them durable, then
 * one synced batch puts the parent down as replaced, then the parent is unlinked, durably: only then may a part be sent. A
 * cut in between is mended at the next start: a parent with all its parts goes, else the parts go.
 */
import type { Clock } from '../base/clock.ts';
import { stampOf } from '../base/clock.ts';
import { SekishoError } from '../base/errors.ts';
import type { ForwardPath } from '../mail/address.ts';
import { childQueueId, type QueueId } from '../mail/queue-id.ts';
import type { DecidedPart, Folder, Preamble, Trailer } from './api.ts';
import { readBody } from './body.ts';
import { isFull, type Workshop } from './draft.ts';
import { type Entry, newEntry } from './entry.ts';
import { encodePreamble, encodeTrailer, openMessageFile } from './message-file.ts';
import type { ProgressStore } from './progress.ts';
import { type Place, placeOf } from './sketch.ts';

export interface Mover extends Workshop {
  progress: ProgressStore;
  clock: Clock;
}

export interface Part {
  id: QueueId;
  place: Place;
  entry: Entry;
}

export async function moveMessage(
  mover: Mover,
  options: {
    id: QueueId;
    place: Place;
    entry: Entry;
    folder: Folder;
    recipients?: readonly ForwardPath[];
    /** Why it is where it goes, for whoever looks at it there. */
    why?: string;
  },
): Promise<Part[]> {
  const { id, place, entry, folder } = options;
  const why = options.why === undefined ? {} : { why: options.why };
  const open = entry.recipients.filter((recipient) => recipient.outcome === undefined).map(({ address }) => address);
  const wanted =
    options.recipients === undefined ? open : open.filter((address) => options.recipients?.includes(address));
  if (wanted.length === 0) throw new SekishoError('NOT_FOUND', `Message "${id}" has no such unsettled recipient`);
  const rest = open.filter((address) => !wanted.includes(address));
  if (place.folder === folder) throw new SekishoError('WRONG_STATE', `Message "${id}" is in "${folder}" already`);
  if (wanted.length === entry.recipients.length)
    return [await renameWhole(mover, { id, place, entry, folder, ...why })];
  const groups = [{ folder, recipients: wanted }];
  if (rest.length > 0) groups.push({ folder: place.folder, recipients: rest });
  return split(mover, { id, place, entry, groups, folder, ...why });
}

async function renameWhole(
  mover: Mover,
  options: { id: QueueId; place: Place; entry: Entry; folder: Folder; why?: string },
): Promise<Part> {
  const { layout } = mover;
  const { id, place, folder } = options;
  const target = placeOf({ folder, size: place.size });
  await layout.settle(layout.message(id, place), id, target);
  await syncBoth(mover, [layout.directory(folder, id), layout.directory(place.folder, id)]);
  const { why: _before, ...kept } = options.entry;
  const entry: Entry = {
    ...kept,
    recipients: kept.recipients.map((recipient) => ({ ...recipient, wait: 0 })),
    ...(options.why === undefined ? {} : { why: options.why }),
    ...(folder === 'queue' ? { letGo: stampOf(mover.clock) } : {}),
  };
  await mover.progress.put(id, entry);
  return { id, place: target, entry };
}

async function split(
  mover: Mover,
  options: {
    id: QueueId;
    place: Place;
    entry: Entry;
    groups: ReadonlyArray<{
      folder: Folder;
      recipients: readonly ForwardPath[];
      /** What the part's file says; default: the share of these recipients in what the parent's says. */
      trailer?: (old: Trailer) => Trailer;
    }>;
    folder: Folder;
    why?: string;
  },
): Promise<Part[]> {
  const { layout, progress } = mover;
  const { id, place, entry, groups, folder, why } = options;
  const parts: Part[] = [];
  try {
    for (const [index, group] of groups.entries()) {
      const child = childQueueId(id, index + 1);
      const written = await writeFrom(mover, {
        source: { id, place },
        target: { id: child, folder: group.folder },
        preamble: (preamble) => ({
          ...preamble,
          id: child,
          parent: { id, part: index + 1, of: groups.length },
          envelope: {
            ...preamble.envelope,
            recipients: preamble.envelope.recipients.filter(({ address }) => group.recipients.includes(address)),
          },
        }),
        trailer: group.trailer ?? ((trailer) => shareOf(trailer, group.recipients)),
      });
      const known = new Map(entry.recipients.map((recipient) => [recipient.address, recipient]));
      const childEntry = {
        ...written,
        recipients: written.recipients.map((recipient) => {
          const before = known.get(recipient.address);
          // Who stays where he was goes on waiting; who is moved is due when he comes out again.
          return { ...recipient, ...before, wait: group.folder === place.folder ? (before?.wait ?? 0) : 0 };
        }),
        ...(group.folder === folder && why !== undefined ? { why } : {}),
        ...(entry.via === undefined ? {} : { via: entry.via }),
        ...letGo(entry, { from: place.folder, into: group.folder, at: mover.clock }),
      };
      parts.push({ id: child, place: placeOf({ folder: group.folder, size: place.size }), entry: childEntry });
    }
  } catch (error) {
    // The parent still stands whole: what was written goes, and nothing has happened.
    for (const part of parts) await mover.files.unlink(layout.message(part.id, part.place)).catch(() => undefined);
    throw error;
  }
  const replaced: Entry = {
    ...entry,
    recipients: entry.recipients.map((recipient) => ({ outcome: 'replaced' as const, ...recipient })),
  };
  const at = stampOf(mover.clock);
  const retired = replaced.recipients.map(({ address, outcome }) => ({ address, outcome: outcome ?? 'replaced' }));
  await progress.write([[id, replaced], ...parts.map((part) => [part.id, part.entry] as const)], {
    sync: true,
    retired: [[id, { at, recipients: retired }]],
  });
  await unlinkParent(mover, { id, place });
  await progress.write([[id, undefined]], { sync: false });
  return parts;
}

/** Since when a part is tried: who stays in the queue goes on as before, who comes out of a folder begins now. */
function letGo(entry: Entry, { from, into, at }: { from: Folder; into: Folder; at: Clock }): Pick<Entry, 'letGo'> {
  if (into !== 'queue' || from === 'incoming') return {};
  if (from !== 'queue') return { letGo: stampOf(at) };
  return entry.letGo === undefined ? {} : { letGo: entry.letGo };
}

/** From here on the parts stand for it. If it cannot go, only a new start can tell which is which. */
async function unlinkParent(mover: Mover, { id, place }: { id: QueueId; place: Place }): Promise<void> {
  try {
    await mover.files.unlink(mover.layout.message(id, place));
  } catch (error) {
    throw mover.fault(`Removing the replaced file of "${id}"`, error);
  }
  await syncBoth(mover, [mover.layout.directory(place.folder, id)]);
}

/** An incoming message was decided, and recipients part: a new file for each folder, all of them or none. */
export function splitIncoming(
  mover: Mover,
  options: { id: QueueId; place: Place; entry: Entry; parts: readonly DecidedPart[] },
): Promise<Part[]> {
  const { id, place, entry, parts } = options;
  const groups = parts.map(({ folder, trailer }) => ({
    folder,
    recipients: trailer.variants.flatMap(({ recipients }) => recipients),
    trailer: (old: Trailer): Trailer => ({ ...trailer, size: old.size, sha256: old.sha256 }),
  }));
  const recipients = groups.flatMap((group) => group.recipients).map((address) => ({ address, attempts: 0, wait: 0 }));
  return split(mover, { id, place, entry: { ...entry, recipients }, groups, folder: place.folder });
}

/** An incoming message was decided: the decided file under the same id first, then the old one goes. */
export async function replaceIncoming(
  mover: Mover,
  options: { id: QueueId; place: Place } & DecidedPart,
): Promise<Entry> {
  const { progress } = mover;
  const { id, place, folder } = options;
  const entry = await writeFrom(mover, {
    source: { id, place },
    target: { id, folder },
    preamble: (preamble) => preamble,
    trailer: (old) => ({ ...options.trailer, size: old.size, sha256: old.sha256 }),
  });
  await unlinkParent(mover, { id, place });
  await progress.put(id, entry);
  return entry;
}

/** A complete new file with the body of another, its hash checked on the way. Durable when it resolves. */
async function writeFrom(
  mover: Mover,
  options: {
    source: { id: QueueId; place: Place };
    target: { id: QueueId; folder: Folder };
    preamble: (old: Preamble) => Preamble;
    trailer: (old: Trailer) => Trailer;
  },
): Promise<Entry> {
  const { files, layout } = mover;
  const { source, target } = options;
  const path = layout.message(source.id, source.place);
  const draft = layout.draft(target.id);
  const opened = await openMessageFile(files, path);
  const preamble = options.preamble(opened.layout.preamble);
  const trailer = options.trailer(opened.layout.trailer);
  try {
    const file = await files.create(draft);
    try {
      await file.write([encodePreamble(preamble)]);
      for await (const block of readBody(opened.file, opened.layout, { path })) await file.write([block]);
      await file.write([encodeTrailer(trailer)]);
      await file.sync();
    } finally {
      await file.close();
    }
    await layout.settle(draft, target.id, { folder: target.folder, tries: 0 });
  } catch (error) {
    await files.unlink(draft).catch(() => undefined);
    if (!isFull(error)) throw error;
    mover.space.sawFull();
    throw new SekishoError('SPOOL_FULL', `Disk is full while writing "${target.id}"`, {
      retryable: true,
      cause: error,
    });
  } finally {
    await opened.file.close();
  }
  await syncBoth(mover, [layout.directory(target.folder, target.id)]);
  return newEntry(preamble, trailer);
}

async function syncBoth(mover: Mover, directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    try {
      await mover.groups.sync(directory);
    } catch (error) {
      throw mover.fault(`Sync of "${directory}"`, error);
    }
  }
}

/** The decisions and variants of some recipients; a hold does not go with them. */
function shareOf(trailer: Trailer, recipients: readonly ForwardPath[]): Trailer {
  const { hold: _hold, ...rest } = trailer;
  return {
    ...rest,
    decisions: trailer.decisions.filter((decision) => recipients.includes(decision.recipient)),
    variants: trailer.variants
      .map((variant) => ({
        ...variant,
        recipients: variant.recipients.filter((address) => recipients.includes(address)),
      }))
      .filter((variant) => variant.recipients.length > 0),
  };
}
