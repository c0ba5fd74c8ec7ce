/**
 * Reads a mail in a thread of its own, with a deadline and a bound on memory; two at a time. Throws CONTENT_UNREADABLE when
 * the mail defeats it: its text can then be had by downloading it.
 */
import { Worker } from 'node:worker_threads';
import { withDeadline } from '../../base/deadline.ts';
import { SekishoError } from '../../base/errors.ts';
import { Limiter } from '../../base/limiter.ts';
import type { ControlClient } from '../../control/client.ts';
import { MOST_BODY_PART } from '../../control/page-verbs.ts';
import type { MailContent } from './read-mail.ts';

const DEADLINE_MS = 10_000;
const turns = new Limiter(2);

export async function readContent(octets: Buffer): Promise<MailContent> {
  return turns.run(async () => {
    const worker = new Worker(new URL('./content-worker.ts', import.meta.url), {
      workerData: new Uint8Array(octets),
      resourceLimits: { maxOldGenerationSizeMb: 128 },
      execArgv: [],
    });
    try {
      return await withDeadline('Reading the mail', { ms: DEADLINE_MS }, () => {
        return new Promise<MailContent>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
          worker.once('exit', () => reject(new Error('The thread ended without a word')));
        });
      });
    } catch (error) {
      throw new SekishoError('CONTENT_UNREADABLE', 'The mail cannot be shown', {
        cause: error,
        remedy: 'Download it and look at it with care',
      });
    } finally {
      await worker.terminate();
    }
  });
}

/** The first octets of a stored message, and how long it is in all. */
export async function headOf(gateway: ControlClient, id: string): Promise<{ octets: Buffer; size: number }> {
  const { base64, size } = await gateway.call('message.body', { id });
  return { octets: Buffer.from(base64, 'base64'), size };
}

/** The whole message, a part at a time. */
export async function* wholeOf(gateway: ControlClient, id: string): AsyncGenerator<Buffer> {
  let offset: number | undefined = 0;
  while (offset !== undefined) {
    const part: { base64: string; next?: number | undefined } = await gateway.call('message.body', {
      id,
      offset,
      limit: MOST_BODY_PART,
    });
    yield Buffer.from(part.base64, 'base64');
    offset = part.next;
  }
}
