/**
 * A small document from a server of the owner's or ours: no redirect is followed, no more than `most` octets are held, however
 * much the server sends, and all of it has one deadline.
 */
import type { Milliseconds } from '../base/brand.ts';
import { SekishoError } from '../base/errors.ts';

export interface FetchBounded {
  most: number;
  ms: Milliseconds;
  /** Of the error: whose trouble it is. */
  code: string;
  signal?: AbortSignal | undefined;
  get?: typeof fetch;
}

export async function fetchBounded(url: string, options: FetchBounded): Promise<Buffer> {
  const { most, ms, code, signal, get = fetch } = options;
  const late = AbortSignal.timeout(ms);
  const response = await get(url, {
    signal: signal === undefined ? late : AbortSignal.any([signal, late]),
    redirect: 'error',
  });
  if (!response.ok || response.body === null)
    throw new SekishoError(code, `${url} answers ${response.status}`, { retryable: true });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.length;
    if (size > most) throw new SekishoError(code, `${url} is larger than ${most} octets`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
