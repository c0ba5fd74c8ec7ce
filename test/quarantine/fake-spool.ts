/**
 * A small spool in memory for the tests of quarantine: folders, progress, moves, splits, deletion. Not the contract suite's
 * fake (that one is the spool's own). `beforeMove` lets a test step in between.
 */
import { Readable } from 'node:stream';
import type { Stamp } from '../../src/base/clock.ts';
import { SekishoError } from '../../src/base/errors.ts';
import type { ForwardPath } from '../../src/mail/address.ts';
import { childQueueId, type QueueId } from '../../src/mail/queue-id.ts';
import type { QuarantineSpool } from '../../src/quarantine/api.ts';
import type { Outcome, StoredMessage } from '../../src/spool/api.ts';

export interface FakeSpool extends QuarantineSpool {
  messages: Map<QueueId, StoredMessage>;
  bodies: Map<QueueId, Buffer>;
  /** Every call that changed something: `move 0000… queue`. */
  calls: string[];
  beforeMove?: (id: QueueId) => Promise<void>;
  put(message: StoredMessage, body?: Buffer): void;
}

export function createFakeSpool(): FakeSpool {
  const messages = new Map<QueueId, StoredMessage>();
  const bodies = new Map<QueueId, Buffer>();
  const calls: string[] = [];
  function get(id: QueueId): StoredMessage {
    const message = messages.get(id);
    if (message === undefined) throw new SekishoError('NOT_FOUND', `No message "${id}"`);
    return message;
  }

  const stamp: Stamp = { wall: 0, mono: 0, boot: 'boot', synchronised: true };

  const fake: FakeSpool = {
    messages,
    bodies,
    calls,
    put: (message, body = Buffer.from('Subject: x\r\n\r\nHello\r\n')) => {
      messages.set(message.id, message);
      bodies.set(message.id, body);
    },
    read: async (id) => {
      const message = messages.get(id);
      return message === undefined ? undefined : structuredClone(message);
    },
    list: async (folder, options = {}) =>
      [...messages.values()]
        .filter((message) => message.folder === folder && (options.after === undefined || message.id > options.after))
        .toSorted((one, other) => (one.id < other.id ? -1 : 1))
        .slice(0, options.limit ?? 100)
        .map(({ id, preamble, trailer, progress }) => ({
          id,
          folder,
          arrival: preamble.arrival,
          size: trailer.size,
          deleted: progress.deleted !== undefined,
        })),
    openBody: (message) => {
      const body = bodies.get(message.id);
      return body === undefined ? unreadable() : Readable.from([body]);
    },
    move: async (id, folder, options = {}) => {
      await fake.beforeMove?.(id);
      const message = get(id);
      if (message.folder === folder) throw new SekishoError('WRONG_STATE', `"${id}" is in "${folder}" already`);
      calls.push(`move ${id} ${folder}`);
      const { recipients } = options;
      if (recipients === undefined) {
        message.folder = folder;
        return id;
      }
      const child = childQueueId(id, 1);
      messages.set(child, { ...structuredClone(message), id: child, folder, progress: only(message, recipients) });
      bodies.set(child, bodies.get(id) ?? Buffer.alloc(0));
      settle(message, recipients, 'replaced');
      return child;
    },
    remove: async (id, outcome) => {
      const message = get(id);
      if (message.progress.deleted !== undefined) throw new SekishoError('WRONG_STATE', `"${id}" is deleted already`);
      calls.push(`remove ${id} ${outcome}`);
      message.progress.deleted = stamp;
    },
    undelete: async (id) => {
      calls.push(`undelete ${id}`);
      delete get(id).progress.deleted;
    },
  };
  return fake;
}

function unreadable(): Readable {
  return new Readable({
    read() {
      this.destroy(new SekishoError('CORRUPT', 'Bad hash'));
    },
  });
}

function only(message: StoredMessage, recipients: readonly ForwardPath[]): StoredMessage['progress'] {
  return { recipients: message.progress.recipients.filter(({ address }) => recipients.includes(address)) };
}

export function settle(message: StoredMessage, recipients: readonly ForwardPath[], outcome: Outcome): void {
  message.progress.recipients = message.progress.recipients.map((row) =>
    recipients.includes(row.address) ? { ...row, outcome } : row,
  );
}
