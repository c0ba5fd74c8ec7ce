/**
 * The database port under the spool: what LevelDB must do for us, and no more. Values carry a CRC over key and value,
 * because LevelDB returns wrong octets without an error (measured); a bad one throws `DATABASE_DAMAGED`. A batch is atomic;
 * with `sync` it is durable when it resolves. After an error the database must be closed and opened anew (errors stick).
 */
import { crc32 } from 'node:zlib';
import { Level } from 'level';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';

export type DatabaseWrite = { key: string; value: Buffer } | { key: string; value?: undefined };

export interface Database {
  get(key: string): Promise<Buffer | undefined>;
  /** `value` undefined deletes. ≤ 1,000 writes. */
  batch(writes: readonly DatabaseWrite[], options: { sync: boolean }): Promise<void>;
  /** Entries whose key begins with `prefix` and is greater than `after`, in order. Short-lived iterator. */
  page(prefix: string, options: { after?: string; limit: number }): Promise<Array<{ key: string; value: Buffer }>>;
  /**
   * Every table is read and merged now: damage that would end the process in the middle of its work ends it here, where the
   * next start learns from it (LevelDB aborts on some damaged keys; measured).
   */
  prove(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Throws SekishoError `DATABASE_DAMAGED` (set it aside and rebuild), `DATABASE_TROUBLE` (disk full, no right to it: wait) or
 * `DATABASE_LOCKED` (another process has it: wait).
 */
export async function openLevelDatabase(directory: string): Promise<Database> {
  const level = new Level<string, Buffer>(directory, {
    valueEncoding: 'buffer',
    keyEncoding: 'utf8',
    writeBufferSize: 4 * 1024 * 1024, // 64 MiB idle memory otherwise (measured)
    cacheSize: 8 * 1024 * 1024,
  } as ConstructorParameters<typeof Level<string, Buffer>>[1]);
  try {
    await level.open();
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause;
    if (cause?.code === 'LEVEL_LOCKED') {
      throw new SekishoError('DATABASE_LOCKED', `Database "${directory}" is open in another process`, { cause: error });
    }
    throw trouble(`Database "${directory}" does not open`, error);
  }
  return {
    get: async (key) => {
      let sealed: Buffer | undefined;
      try {
        sealed = await level.get(key);
      } catch (error) {
        // anything else (closed already, a disk that does not answer) says nothing of what is stored
        if (errorCode(error) !== 'LEVEL_CORRUPTION') throw error;
        throw damaged(`Database "${directory}" cannot be read`, error);
      }
      return sealed === undefined ? undefined : unseal(key, sealed);
    },
    batch: async (writes, options) => {
      await level.batch(
        writes.map((write) =>
          write.value === undefined
            ? { type: 'del' as const, key: write.key }
            : { type: 'put' as const, key: write.key, value: seal(write.key, write.value) },
        ),
        options as { sync: boolean },
      );
    },
    page: async (prefix, options) => {
      const from = options.after === undefined ? { gte: prefix } : { gt: options.after };
      try {
        const entries = await level.iterator({ ...from, lt: `${prefix}\uffff`, limit: options.limit }).all();
        return entries.map(([key, sealed]) => ({ key, value: unseal(key, sealed) }));
      } catch (error) {
        throw error instanceof SekishoError ? error : trouble(`Database "${directory}" cannot be read`, error);
      }
    },
    prove: async () => {
      try {
        await (level as unknown as Merging).compactRange('', '\uffff');
      } catch (error) {
        throw trouble(`Database "${directory}" cannot be merged`, error);
      }
    },
    close: () => level.close(),
  };
}

/** What the real one has beyond the interface that all of its kind share. */
interface Merging {
  compactRange(start: string, end: string): Promise<void>;
}

function seal(key: string, value: Buffer): Buffer {
  const sealed = Buffer.allocUnsafe(value.length + 4);
  sealed.writeUInt32BE(crc32(value, crc32(key)), 0);
  value.copy(sealed, 4);
  return sealed;
}

function unseal(key: string, sealed: Buffer): Buffer {
  const value = sealed.subarray(4);
  if (sealed.length < 4 || sealed.readUInt32BE(0) !== crc32(value, crc32(key))) {
    throw damaged(`Value of "${key}" fails its checksum`, undefined);
  }
  return value;
}

/** The machine is short of something or may not: waiting mends that, setting the database aside would cost it. */
const SHORT_OF =
  /No space left|Disk quota|Read-only file system|Too many open files|Permission denied|not permitted|Cannot allocate/i;

function trouble(message: string, error: unknown): SekishoError {
  const detail = describeError(error);
  if (!SHORT_OF.test(detail)) return damaged(message, error);
  return new SekishoError('DATABASE_TROUBLE', message, {
    retryable: true,
    cause: error,
    remedy: 'Make room on the data disk, and see that its files belong to the gateway',
  });
}

function damaged(message: string, cause: unknown): SekishoError {
  return new SekishoError('DATABASE_DAMAGED', message, { cause });
}
