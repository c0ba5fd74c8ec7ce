/**
 * Fetches the policy file of a domain (RFC 8461 §3.3) from `https://mta-sts.<domain>/.well-known/mta-sts.txt`: the address by
 * the resolver handed in, a certificate that is valid for that very name, no redirects, text/plain, at most 64 KiB. Nothing
 * is said before the certificate is proven, so a domain cannot point this at a neighbour of ours. Throws what went wrong.
 */
import https from 'node:https';
import type { IncomingMessage } from 'node:http';
import { SekishoError } from '../base/errors.ts';
import type { Resolver } from '../base/resolver.ts';

const MAX_OCTETS = 65_536;
const PATH = '/.well-known/mta-sts.txt';

export interface StsFetchOptions {
  resolver: Pick<Resolver, 'a' | 'aaaa'>;
  /** 443; another one only in a laboratory. */
  port?: number;
  /** Trusted instead of the runtime's list; only in a laboratory. */
  ca?: string;
}

export function createStsFetch(options: StsFetchOptions): (domain: string, signal: AbortSignal) => Promise<string> {
  return async (domain, signal) => {
    const host = `mta-sts.${domain}`;
    const [address] = [...(await options.resolver.a(host)), ...(await options.resolver.aaaa(host))];
    if (address === undefined) throw failed(`"${host}" has no address`);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = https.get(
      {
        host: address,
        port: options.port ?? 443,
        path: PATH,
        servername: host,
        headers: { host, accept: 'text/plain' },
        rejectUnauthorized: true,
        ...(options.ca === undefined ? {} : { ca: options.ca }),
        agent: false, // no connection outlives its question
        signal,
      },
      resolve,
    );
    request.on('error', reject);
    try {
      return await readPolicy(await promise);
    } finally {
      request.destroy();
    }
  };
}

async function readPolicy(response: IncomingMessage): Promise<string> {
  const kind = (response.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  // RFC 8461 §3.3: only 200 counts, and redirects are not followed.
  if (response.statusCode !== 200) throw failed(`The policy host answered ${response.statusCode ?? 'nothing'}`);
  if (kind !== 'text/plain') throw failed(`The policy is "${kind ?? ''}", not text/plain`);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_OCTETS) throw failed(`The policy is larger than ${MAX_OCTETS} octets`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function failed(detail: string): SekishoError {
  return new SekishoError('STS_FETCH', detail, { retryable: true });
}
