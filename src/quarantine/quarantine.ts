/**
 * Quarantined and held mail in the hands of an operator: list, show, release, delete, hold, expire.
 *
 * Contract: src/quarantine/api.ts. Whatever changes a message runs one after another for one id, is durable when it
 * resolves (the spool's promise) and is told once as an event. Repeating a call after a crash or a lost answer is safe: what
 * is done already answers `already`. A virus, and mail nobody looked into for viruses, leaves only with `force`; mail without
 * variants (never decided) does not leave at all. Nothing expires while the clock is not known to be right, held mail never.
 */
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode, SekishoError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import type { StoredMessage } from '../spool/api.ts';
import type { Quarantine, QuarantineSpool, ReleaseResult } from './api.ts';
import { expireBatch } from './expire.ts';
import { listEntries, needsForce, openRecipients, showMessage } from './view.ts';

export interface QuarantineParts {
  spool: QuarantineSpool;
  observe: Observe;
  clock: Clock;
  /** Read at each use, so that a reload counts. */
  config: () => Config;
}

/** Releases of this process whose parent is gone from the spool: enough for a second click, the history knows the rest. */
const MOST_REMEMBERED = 10_000;

export function createQuarantine(parts: QuarantineParts): Quarantine {
  const { spool, observe, clock, config } = parts;
  const mutex = new KeyedMutex<QueueId>();
  const released = new Map<QueueId, ReleasedMessage>();

  async function release(id: QueueId, options: ReleaseOptions): Promise<ReleaseResult> {
    const message = await spool.read(id);
    if (message === undefined) return alreadyReleased(id, options.recipients);
    if (message.folder === 'queue') return { already: true, id, recipients: [] };
    mustBe(message, [options.from]);
    mustNotBeDeleted(message);
    const { recipients, earlier } = choose(message, { wanted: options.recipients, earlier: released.get(id) });
    if (recipients.length === 0) return { already: true, id: earlier ?? id, recipients: [] };
    mustBeReleasable(message, { recipients, force: options.force === true });
    const all = recipients.length === openRecipients(message).length;
    const queued = await spool.move(id, 'queue', all ? {} : { recipients });
    remember(id, { id: queued, complete: all, recipients: new Set(recipients) });
    if (queued !== id) observe.emit({ event: 'derived', id: queued, parent: id, why: 'release', recipients });
    observe.emit({ event: 'released', id, recipients, by: options.by });
    return { already: false, id: queued, recipients };
  }

  /** Not in the spool: either it was released here and has left, or it never was, was deleted, or left before our start. */
  function alreadyReleased(id: QueueId, wanted: readonly ForwardPath[] | undefined): ReleaseResult {
    const before = released.get(id);
    const known = wanted === undefined ? before?.complete : wanted.every((address) => before?.recipients.has(address));
    // A part released and the rest asked for: that lies in the spool under an id of its own.
    if (before === undefined || known !== true) throw notFound(id);
    return { already: true, id: before.id, recipients: [] };
  }

  function remember(id: QueueId, now: ReleasedMessage): void {
    const before = released.get(id)?.recipients ?? [];
    released.delete(id); // to the young end
    released.set(id, { ...now, recipients: new Set([...before, ...now.recipients]) });
    const [oldest] = released.keys();
    if (released.size > MOST_REMEMBERED && oldest !== undefined) released.delete(oldest);
  }

  /** Someone outside this object (expiry of the spool, another process) may have been faster: looked at once more. */
  async function releaseOnce(id: QueueId, options: ReleaseOptions): Promise<ReleaseResult> {
    return mutex.run(id, async () => {
      try {
        return await release(id, options);
      } catch (error) {
        if (errorCode(error) !== 'WRONG_STATE') throw error;
        const message = await spool.read(id);
        if (message?.folder !== 'queue') throw error;
        return { already: true, id, recipients: [] };
      }
    });
  }

  return {
    list: (options = {}) => listEntries({ spool, observe }, options),
    show: async (id) => showMessage(spool, await mustExist(spool, id)),
    release: (id, options) => releaseOnce(id, { ...options, from: 'quarantine' }),
    unhold: (id, options) => releaseOnce(id, { ...options, from: 'held' }),
    hold: (id, { by, why, recipients }) =>
      mutex.run(id, async () => {
        const message = await mustExist(spool, id);
        if (message.folder === 'held') return { already: true, id };
        mustBe(message, ['queue']);
        mustNotBeDeleted(message);
        const held = await spool.move(id, 'held', { why, ...(recipients === undefined ? {} : { recipients }) });
        if (held !== id) {
          const moved = recipients === undefined ? openRecipients(message) : [...recipients];
          observe.emit({ event: 'derived', id: held, parent: id, why: 'split', recipients: moved });
        }
        observe.emit({ event: 'held', id: held, why, by });
        return { already: false, id: held };
      }),
    delete: (id, { by }) =>
      mutex.run(id, async () => {
        const message = await mustExist(spool, id);
        mustBe(message, ['quarantine', 'held', 'queue']);
        if (message.progress.deleted !== undefined) return { already: true };
        await spool.remove(id, 'deleted');
        observe.emit({ event: 'deleted', id, by, why: 'operator' });
        return { already: false };
      }),
    undelete: (id, { by }) =>
      mutex.run(id, async () => {
        const message = await mustExist(spool, id);
        if (message.progress.deleted === undefined) return { already: true };
        await spool.undelete(id);
        observe.emit({ event: 'undeleted', id, by });
        return { already: false };
      }),
    expire: (options = {}) =>
      expireBatch(
        { spool, observe, clock, exclusively: (id, work) => mutex.run(id, work) },
        { days: options.days ?? config().quarantine.days, batch: options.batch ?? 500 },
      ),
  };
}

interface ReleaseOptions {
  by: string;
  from: 'quarantine' | 'held';
  recipients?: readonly ForwardPath[];
  force?: boolean;
}

interface ReleasedMessage {
  /** The file the last of them went into. */
  id: QueueId;
  /** Nobody was left behind. */
  complete: boolean;
  recipients: ReadonlySet<ForwardPath>;
}

/** Who of the wanted ones is still to be released. A name that was never a recipient is a mistake, not a no-op. */
function choose(
  message: StoredMessage,
  options: { wanted: readonly ForwardPath[] | undefined; earlier: ReleasedMessage | undefined },
): { recipients: ForwardPath[]; earlier?: QueueId } {
  const open = openRecipients(message);
  const { wanted, earlier } = options;
  if (wanted === undefined) return { recipients: open };
  const settled = new Set(
    message.progress.recipients.flatMap(({ address, outcome }) => (outcome === undefined ? [] : [address])),
  );
  for (const address of wanted) {
    if (open.includes(address) || settled.has(address) || earlier?.recipients.has(address) === true) continue;
    throw new SekishoError('UNKNOWN_RECIPIENT', `Message "${message.id}" has no recipient "${address}"`, {
      remedy: `Give one of its recipients: ${open.join(', ')}`,
    });
  }
  const recipients = open.filter((address) => wanted.includes(address));
  return earlier === undefined ? { recipients } : { recipients, earlier: earlier.id };
}

function mustBeReleasable(
  message: StoredMessage,
  options: { recipients: readonly ForwardPath[]; force: boolean },
): void {
  const covered = new Set(message.trailer.variants.flatMap((variant) => variant.recipients));
  const bare = options.recipients.filter((address) => !covered.has(address));
  if (bare.length > 0) {
    // Promise 3: nothing is delivered that was not inspected and decided.
    throw new SekishoError('RELEASE_INCOMPLETE', `Message "${message.id}" was never decided for "${bare.join(', ')}"`, {
      remedy: 'Start the engines and let it be inspected again, or delete it',
    });
  }
  const danger = options.force ? undefined : needsForce(message);
  if (danger !== undefined) {
    throw new SekishoError('RELEASE_NEEDS_FORCE', `Message "${message.id}" is dangerous: ${danger}`, {
      remedy: 'Leave it where it is, or give "--force" if you are sure',
    });
  }
}

function mustBe(message: StoredMessage, folders: ReadonlyArray<StoredMessage['folder']>): void {
  if (folders.includes(message.folder)) return;
  throw new SekishoError(
    'WRONG_STATE',
    `Message "${message.id}" is in "${message.folder}", not in "${folders.join('" or "')}"`,
  );
}

function mustNotBeDeleted(message: StoredMessage): void {
  if (message.progress.deleted === undefined) return;
  throw new SekishoError('WRONG_STATE', `Message "${message.id}" is marked for deletion`, {
    remedy: 'Undelete it first',
  });
}

async function mustExist(spool: QuarantineSpool, id: QueueId): Promise<StoredMessage> {
  const message = await spool.read(id);
  if (message === undefined) throw notFound(id);
  return message;
}

function notFound(id: QueueId): SekishoError {
  return new SekishoError('NOT_FOUND', `Message "${id}" is not in the spool`, {
    remedy: `It was delivered, deleted or never here: "sekisho trace ${id}" tells`,
  });
}
