/** Reads Maildirs in which other people's mail servers put what they took, in the order of arrival. */
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { until } from './process.ts';

export interface StoredMessage {
  file: string;
  /** As it lies there, with the fields the mail server put in front; LF or CRLF as it keeps them. */
  raw: Buffer;
  /** The same with CRLF line ends, as it was on the wire. */
  wire: Buffer;
}

export async function readMaildir(folder: string): Promise<StoredMessage[]> {
  const found: Array<StoredMessage & { at: number }> = [];
  for (const name of await readdir(path.join(folder, 'new')).catch(() => [])) {
    const file = path.join(folder, 'new', name);
    const raw = await readFile(file);
    const wire = Buffer.from(raw.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
    found.push({ file, raw, wire, at: (await stat(file)).mtimeMs });
  }
  return found.toSorted((one, other) => one.at - other.at);
}

/** Waits for the message that holds these words; `trouble` is asked for what to say when it does not come. */
export async function storedMessage(
  folder: string,
  options: { words: string; ms?: number; trouble: () => string | Promise<string> },
): Promise<StoredMessage> {
  return await until(`a message with "${options.words}"`, { ms: options.ms ?? 20_000 }, async () =>
    (await readMaildir(folder)).find((one) => one.raw.includes(options.words)),
  ).catch(async (error: unknown) => {
    throw new Error(`"${options.words}" did not arrive:\n${(await options.trouble()).slice(-3_000)}`, { cause: error });
  });
}
