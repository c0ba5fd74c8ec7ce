/**
 * DNS through one configured server, never through the machine's own resolver file. A void answer is an empty list;
 * trouble (SERVFAIL, timeout) throws `DNS_TEMPORARY`, so that nobody takes "could not ask" for "does not exist".
 */
import { promises as dns } from 'node:dns';
import { isIPv6 } from 'node:net';
import type { Milliseconds } from './brand.ts';
import { errorCode, SekishoError } from './errors.ts';

export const RECORD_TYPES = ['A', 'AAAA', 'MX', 'TXT', 'PTR', 'CNAME', 'TLSA', 'NS', 'SOA'] as const;
export type RecordType = (typeof RECORD_TYPES)[number];

export interface MxRecord {
  exchange: string;
  priority: number;
}

export interface Resolver {
  /** `exists` tells NXDOMAIN (false) from a name without records of that type (true, empty). */
  query(name: string, type: RecordType): Promise<{ exists: boolean; records: unknown[] }>;
  a(name: string): Promise<string[]>;
  aaaa(name: string): Promise<string[]>;
  mx(name: string): Promise<{ exists: boolean; records: MxRecord[] }>;
  txt(name: string): Promise<string[][]>;
  /** Names of an address (v4 or v6), unverified. */
  ptr(address: string): Promise<string[]>;
}

/** `servers` as `address` or `address:port`, `[v6]:port`. A query ends within about timeoutMs × tries × servers. */
export function createResolver(options: {
  servers: readonly string[];
  timeoutMs: Milliseconds;
  tries?: number;
}): Resolver {
  const client = new dns.Resolver({ timeout: options.timeoutMs, tries: options.tries ?? 2 });
  client.setServers(options.servers.map((server) => (isIPv6(server) ? `[${server}]` : server)));

  async function ask<T>(name: string, work: () => Promise<T[]>): Promise<{ exists: boolean; records: T[] }> {
    try {
      return { exists: true, records: await work() };
    } catch (error) {
      const code = errorCode(error);
      if (code === 'ENOTFOUND') return { exists: false, records: [] };
      if (code === 'ENODATA') return { exists: true, records: [] };
      // RFC 1035 limits: a name that cannot be asked does not exist.
      if (code === 'EBADNAME' || code === 'EBADQUERY') return { exists: false, records: [] };
      throw new SekishoError('DNS_TEMPORARY', `DNS query for "${name}" failed with ${code ?? 'unknown error'}`, {
        retryable: true,
        cause: error,
      });
    }
  }

  return {
    query: (name, type) => {
      switch (type) {
        case 'MX':
          return ask(name, () => client.resolveMx(name));
        case 'TXT':
          return ask(name, () => client.resolveTxt(name));
        case 'A':
          return ask(name, () => client.resolve4(name));
        case 'AAAA':
          return ask(name, () => client.resolve6(name));
        case 'SOA':
          return ask(name, async () => [await client.resolveSoa(name)]);
        default:
          return ask<unknown>(name, () => client.resolve(name, type) as Promise<unknown[]>);
      }
    },
    a: async (name) => (await ask(name, () => client.resolve4(name))).records,
    aaaa: async (name) => (await ask(name, () => client.resolve6(name))).records,
    mx: (name) => ask(name, () => client.resolveMx(name)),
    txt: async (name) => (await ask(name, () => client.resolveTxt(name))).records,
    ptr: async (address) => (await ask(address, () => client.reverse(address))).records,
  };
}
