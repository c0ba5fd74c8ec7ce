/**
 * Makes the list of advisories from Debian's security tracker and npm's audit, for the parts of the given parts lists, tells what
 * they carry, and signs it (CMS, as updates are). What counts as serious: Debian has a mended version and neither calls the
 * matter minor (no DSA, unimportant, low); npm says high or critical; or the maker names it. What nobody looked up is not called well.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import {
  type Advisory,
  type AdvisoryList,
  compareDebian,
  type Part,
  readParts,
  weaknesses,
} from '../../src/host/advisories.ts';

const RELEASE = 'trixie';
const ROOT = path.resolve(import.meta.dirname, '../..');
const FETCH_MS = 300_000;

const tracker = z.record(
  z.string(),
  z.record(
    z.string(),
    z.object({
      description: z.string().optional(),
      releases: z.record(
        z.string(),
        z.object({
          status: z.string(),
          fixed_version: z.string().optional(),
          urgency: z.string().optional(),
          nodsa: z.string().optional(),
        }),
      ),
    }),
  ),
);
const audit = z.object({
  vulnerabilities: z.record(
    z.string(),
    z.object({
      severity: z.string(),
      nodes: z.array(z.string()).default([]),
      via: z.array(
        z.union([
          z.string(),
          z.object({ source: z.number(), title: z.string(), url: z.string(), severity: z.string() }),
        ]),
      ),
    }),
  ),
});

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      sbom: { ...text, multiple: true },
      debian: text,
      npm: text,
      serious: { ...text, multiple: true },
      out: text,
      keys: text,
      now: text,
    },
  });
  const { sbom: files = [], debian, out, keys } = values;
  if (files.length === 0 || debian === undefined || (out === undefined) !== (keys === undefined)) {
    process.stderr.write(
      'Usage: advisories --sbom FILE --debian FILE|URL [--npm FILE|none] [--serious ID] [--out FILE --keys FOLDER]\n',
    );
    return 64;
  }
  const lists = files.map((file) => readParts(readFileSync(file, 'utf8')));
  const parts = lists.flatMap((one) => one.parts);
  const named = new Set(values.serious ?? []);
  const ofNpm = npmAdvisories(values.npm, parts);
  const list: AdvisoryList = {
    format: 1,
    published: new Date(values.now ?? Date.now()).toISOString(),
    versions: [...new Set(lists.map(({ version }) => version))],
    looked: ofNpm === undefined ? ['debian'] : ['debian', 'npm'],
    advisories: [...(await debianAdvisories(debian, parts, named)), ...(ofNpm ?? [])].map((one) =>
      named.has(one.id) ? { ...one, serious: true } : one,
    ),
  };
  if (ofNpm === undefined) process.stderr.write('npm: not looked up\n');
  if (out !== undefined && keys !== undefined) sign(list, { out, keys });
  const found = lists.map((one) => ({ version: one.version, ...weaknesses(list, one.parts) }));
  for (const { version, serious, others } of found) {
    for (const one of serious)
      process.stdout.write(`${version}  ${one.id}  ${one.part} ${one.carried} → ${one.fixed ?? '-'}  ${one.text}\n`);
    process.stdout.write(`${version}: ${serious.length} serious, ${others.length} others\n`);
  }
  return found.some(({ serious }) => serious.length > 0) ? 1 : 0;
}

async function debianAdvisories(
  place: string,
  parts: readonly Part[],
  named: ReadonlySet<string>,
): Promise<Advisory[]> {
  const known = tracker.parse(JSON.parse(await readPlace(place)));
  const versions = Map.groupBy(
    parts.filter(({ kind }) => kind === 'debian'),
    ({ name }) => name,
  );
  return [...versions].flatMap(([part, carried]) =>
    Object.entries(known[part] ?? {}).flatMap(([id, { description = '', releases }]) => {
      const here = releases[RELEASE];
      // "0": this release never had it
      if (here === undefined || here.status === 'undetermined' || here.fixed_version === '0') return [];
      const fixed = here.status === 'resolved' ? here.fixed_version : undefined;
      // what every carried version is past need not be told for ever
      if (fixed !== undefined && carried.every(({ version }) => compareDebian(version, fixed) >= 0)) return [];
      const minor = here.nodsa !== undefined || ['unimportant', 'low', 'end-of-life'].includes(here.urgency ?? '');
      return {
        id,
        kind: 'debian' as const,
        part,
        ...(fixed === undefined ? {} : { fixed }),
        serious: (fixed !== undefined && !minor) || named.has(id),
        text: description.replaceAll(/\s+/g, ' ').slice(0, 300),
      };
    }),
  );
}

/** undefined: nobody answered. */
function npmAdvisories(file: string | undefined, parts: readonly Part[]): Advisory[] | undefined {
  if (file === 'none') return undefined;
  let said: string;
  if (file === undefined) {
    const asked = spawnSync('npm', ['audit', '--json', '--omit=dev'], {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: FETCH_MS,
    });
    said = asked.stdout ?? '';
  } else said = readFileSync(file, 'utf8');
  const parsed = audit.safeParse(jsonOf(said));
  if (!parsed.success) {
    if (file !== undefined) throw new Error(`"${file}" is not what npm audit --json says`);
    return undefined;
  }
  return Object.entries(parsed.data.vulnerabilities).flatMap(([part, { via }]) => {
    const versions = [
      ...new Set(parts.filter(({ kind, name }) => kind === 'npm' && name === part).map((one) => one.version)),
    ];
    if (versions.length === 0) return [];
    return via
      .filter((one) => typeof one !== 'string')
      .map((one) => ({
        id: one.url.split('/').at(-1) ?? String(one.source),
        kind: 'npm' as const,
        part,
        versions,
        serious: one.severity === 'high' || one.severity === 'critical',
        text: one.title.slice(0, 300),
      }));
  });
}

function jsonOf(said: string): unknown {
  try {
    return JSON.parse(said);
  } catch {
    return undefined;
  }
}

async function readPlace(place: string): Promise<string> {
  if (!/^https?:/.test(place)) return readFileSync(place, 'utf8');
  const response = await fetch(place, { signal: AbortSignal.timeout(FETCH_MS) });
  if (!response.ok) throw new Error(`${place} answers ${response.status}`);
  return response.text();
}

function sign(list: AdvisoryList, { out, keys }: { out: string; keys: string }): void {
  const work = mkdtempSync(path.join(tmpdir(), 'sekisho-advisories-'));
  try {
    const plain = path.join(work, 'list.json');
    writeFileSync(plain, JSON.stringify(list));
    const key = ['-signer', path.join(keys, 'signing.cert.pem'), '-inkey', path.join(keys, 'signing.key.pem')];
    const args = [
      'cms',
      '-sign',
      '-binary',
      '-nodetach',
      '-md',
      'sha256',
      '-in',
      plain,
      '-outform',
      'DER',
      '-out',
      out,
      ...key,
    ];
    const signed = spawnSync('openssl', args, { encoding: 'utf8' });
    if (signed.status !== 0) throw new Error(`openssl: ${signed.stderr}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 75;
  },
);
