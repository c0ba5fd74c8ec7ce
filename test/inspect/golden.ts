/**
 * Reads the golden cases of test/corpus/auth: a folder is one behaviour, `message.eml` what came, `dns.json` what DNS says,
 * `expected.json` who delivered it and what must be found. The form of the files is told in test/corpus/auth/README.md.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { SekishoError } from '../../src/base/errors.ts';
import { RECORD_TYPES, type Resolver } from '../../src/base/resolver.ts';
import { ARC_RESULTS, DKIM_RESULTS, DMARC_POLICIES, DMARC_RESULTS, SPF_RESULTS } from '../../src/mail/finding.ts';
import { fakeResolver } from './support.ts';

const FOLDER = path.resolve(import.meta.dirname, '../corpus/auth');

const records = z.union([z.literal('SERVFAIL'), z.array(z.unknown())]);
const zoneSchema = z.record(
  z.string(),
  z.union([z.literal('SERVFAIL'), z.literal('NODATA'), z.partialRecord(z.enum(RECORD_TYPES), records)]),
);
type ZoneFile = z.output<typeof zoneSchema>;

const sessionSchema = z.strictObject({
  ip: z.string().optional(),
  helo: z.string().optional(),
  reversePath: z.string().optional(),
  /** A header limit of the test, so that the message need not be huge. */
  headerFields: z.number().optional(),
});

const expectSchema = z.strictObject({
  spf: z.enum(SPF_RESULTS).optional(),
  spfDomain: z.string().optional(),
  /** One word a signature, from the top; empty: not signed. */
  dkim: z.array(z.enum(DKIM_RESULTS)).optional(),
  dmarc: z.enum(DMARC_RESULTS).optional(),
  /** The author domain DMARC looked at, and what it asks for. */
  author: z.string().optional(),
  policy: z.enum(DMARC_POLICIES).optional(),
  arc: z.enum(ARC_RESULTS).optional(),
  chain: z.number().optional(),
  sealer: z.string().optional(),
  /** Is the header From suspicious? */
  suspicious: z.boolean().optional(),
});

const checkSchema = z.strictObject({
  say: z.string(),
  session: sessionSchema.optional(),
  /** Records of this check, instead of those of dns.json under the same name. */
  dns: zoneSchema.optional(),
  expect: expectSchema,
  /** The whole Authentication-Results field, a line each. */
  header: z.array(z.string()).optional(),
  /** These questions are asked, in this order among others; and these are not. */
  asked: z.array(z.string()).optional(),
  notAsked: z.array(z.string()).optional(),
});

const expectedSchema = z.strictObject({
  about: z.string(),
  session: sessionSchema.optional(),
  checks: z.array(checkSchema).min(1),
});

export type Check = z.output<typeof checkSchema>;
export interface GoldenCase {
  name: string;
  about: string;
  message: Buffer;
  zone: ZoneFile;
  session: z.output<typeof sessionSchema>;
  checks: Check[];
}

export function goldenCases(): GoldenCase[] {
  const names = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names
    .map(({ name }) => name)
    .toSorted()
    .map(readCase);
}

function readCase(name: string): GoldenCase {
  const read = (file: string): Buffer => readFileSync(path.join(FOLDER, name, file));
  const expected = expectedSchema.parse(JSON.parse(read('expected.json').toString('utf8')));
  const zone = zoneSchema.parse(JSON.parse(read('dns.json').toString('utf8')));
  const { about, session, checks } = expected;
  return { name, about, message: read('message.eml'), zone, session: session ?? {}, checks };
}

/** A name that is missing does not exist, unless names below it do (RFC 8020); `NODATA` exists and holds nothing. */
export function goldenResolver(zone: ZoneFile): Resolver & { asked: string[] } {
  const base = fakeResolver({});
  const query: Resolver['query'] = (asked, type) => {
    const name = asked.toLowerCase().replace(/\.$/, '');
    base.asked.push(`${type} ${name}`);
    const entry = zone[name];
    if (entry === undefined) {
      const exists = Object.keys(zone).some((known) => known.endsWith(`.${name}`));
      return Promise.resolve({ exists, records: [] });
    }
    if (entry === 'NODATA') return Promise.resolve({ exists: true, records: [] });
    const found = entry === 'SERVFAIL' ? 'SERVFAIL' : (entry[type] ?? []);
    if (found === 'SERVFAIL') return Promise.reject(new SekishoError('DNS_TEMPORARY', 'SERVFAIL', { retryable: true }));
    // a TXT record is a list of strings (RFC 1035 §3.3.14); one string alone is written as such
    return Promise.resolve({ exists: true, records: type === 'TXT' ? found.map((text) => [text].flat()) : found });
  };
  return { ...base, query };
}
