/**
 * Known weaknesses: versions ordered as the real dpkg orders them, the makers' tool on a tracker's JSON, its signed list fetched by
 * the box, verified by the real openssl and held against the parts; strangers' and old lists are not believed.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, test } from 'node:test';
import { hostAlarms } from '../../src/host/alarms.ts';
import { compareDebian, readParts } from '../../src/host/advisories.ts';
import { type AdvisoryWatch, advisoryTrouble, createAdvisoryWatch } from '../../src/host/advisory-watch.ts';
import { createCommandRunner } from '../../src/host/command.ts';
import { openRecord, type RecordFile } from '../../src/host/record.ts';
import { FakeClock } from '../support/fake-clock.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const PATHS = '/usr/bin:/bin';
const made: string[] = [];
const folder = (): string => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-known-'));
  made.push(dir);
  return dir;
};
let shared: { one: string; other: string } | undefined;
const remove = (): void => made.splice(0).forEach((dir) => rmSync(dir, { recursive: true, force: true }));
afterEach(() => {
  if (shared === undefined) remove();
});
after(remove);

function part(name: string, version: string, source: string): object {
  return {
    type: 'library',
    name,
    version,
    purl: `pkg:deb/debian/${name}@${version}?arch=amd64&distro=trixie`,
    properties: [{ name: 'debian:source', value: source }],
  };
}
const SBOM = JSON.stringify({
  metadata: { component: { version: '1.0.0' } },
  components: [
    part('libssl3t64', '3.5.4-1~deb13u1', 'openssl 3.5.4-1~deb13u1'),
    part('openssl', '3.5.4-1~deb13u1', 'openssl 3.5.4-1~deb13u1'),
    part('linux-image-6.12.117+deb13-amd64', '6.12.117-1', 'linux-signed-amd64 6.12.117+1'),
    part('zlib1g', '1:1.3.dfsg+really1.3.1-1+b1', 'zlib 1:1.3.dfsg+really1.3.1-1'),
    { type: 'library', name: 'nodemailer', version: '7.0.1', purl: 'pkg:npm/nodemailer@7.0.1' },
  ],
});
const release = (here: object): object => ({ releases: { trixie: here } });
const TRACKER = JSON.stringify({
  openssl: {
    'CVE-2026-0001': {
      description: 'Reads past\nits end',
      ...release({ status: 'resolved', fixed_version: '3.5.4-1~deb13u2', urgency: 'not yet assigned' }),
    },
    'CVE-2026-0002': release({ status: 'resolved', fixed_version: '3.5.4-1~deb13u1', urgency: 'high' }),
    'CVE-2026-0003': release({ status: 'resolved', fixed_version: '3.5.9-1', urgency: 'low' }),
    'CVE-2026-0004': release({ status: 'resolved', fixed_version: '0', urgency: 'not yet assigned' }),
    'CVE-2026-0005': { releases: { bookworm: { status: 'open' } } },
  },
  linux: {
    'CVE-2026-0006': release({ status: 'open', urgency: 'not yet assigned' }),
    'CVE-2026-0007': release({ status: 'resolved', fixed_version: '6.12.117-1', urgency: 'not yet assigned' }),
  },
  'not-carried': { 'CVE-2026-0008': release({ status: 'open', urgency: 'high' }) },
});
const AUDIT = JSON.stringify({
  vulnerabilities: {
    nodemailer: {
      severity: 'high',
      via: [
        {
          source: 1,
          title: 'Mail goes astray',
          url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc',
          severity: 'high',
          range: '<7.0.7',
        },
      ],
      nodes: ['node_modules/nodemailer'],
    },
    vite: { severity: 'high', via: ['esbuild'], nodes: [] },
  },
});

function openssl(...args: string[]): void {
  const result = spawnSync('openssl', args, { encoding: 'utf8' });
  assert.equal(result.status, 0, result.stderr);
}

/** A root, and a signer of its making, as build-image.sh makes them. */
function makeKeys(): string {
  const dir = folder();
  const at = (name: string): string => path.join(dir, name);
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-subj', '/CN=test'];
  openssl('req', '-x509', ...fresh, '-days', '30', '-keyout', at('root.key.pem'), '-out', at('roots.pem'));
  openssl('req', ...fresh, '-keyout', at('signing.key.pem'), '-out', at('signing.csr'));
  writeFileSync(
    at('extensions'),
    'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n',
  );
  openssl(
    'x509',
    '-req',
    '-in',
    at('signing.csr'),
    '-CA',
    at('roots.pem'),
    '-CAkey',
    at('root.key.pem'),
    '-set_serial',
    '2',
    '-days',
    '30',
    '-extfile',
    at('extensions'),
    '-out',
    at('signing.cert.pem'),
  );
  return dir;
}
const keys = (): { one: string; other: string } => (shared ??= { one: makeKeys(), other: makeKeys() });

/** The makers' tool. */
function tool(options: { keys?: string; now?: string; npm?: string; more?: string[] }): {
  code: number | null;
  said: string;
  out: string;
} {
  const dir = folder();
  const at = (name: string, text: string): string => {
    writeFileSync(path.join(dir, name), text);
    return path.join(dir, name);
  };
  const out = path.join(dir, 'advisories.cms');
  const args = ['--sbom', at('sbom.json', SBOM), '--debian', at('tracker.json', TRACKER)];
  const npm = options.npm ?? at('audit.json', AUDIT);
  const result = spawnSync(
    path.join(ROOT, 'scripts/advisories'),
    [
      ...args,
      '--npm',
      npm,
      '--now',
      options.now ?? '2026-11-20T00:00:00Z',
      '--out',
      out,
      '--keys',
      options.keys ?? keys().one,
      ...(options.more ?? []),
    ],
    { encoding: 'utf8' },
  );
  return { code: result.status, said: result.stdout + result.stderr, out };
}

interface Box {
  watch: AdvisoryWatch;
  record: RecordFile;
  clock: FakeClock;
  dir: string;
  /** What the source serves by path; asked: which were. */
  serve: Map<string, string>;
  asked: string[];
}

function box(options: { from?: Box; sbom?: string } = {}): Box {
  const dir = options.from?.dir ?? folder();
  const serve = options.from?.serve ?? new Map<string, string>();
  const asked: string[] = [];
  const clock = options.from?.clock ?? new FakeClock();
  const record = openRecord(path.join(dir, 'state'));
  writeFileSync(path.join(dir, 'sbom.json'), options.sbom ?? SBOM);
  const watch = createAdvisoryWatch({
    record,
    clock,
    run: createCommandRunner(PATHS),
    folder: path.join(dir, 'advisories'),
    sbom: path.join(dir, 'sbom.json'),
    roots: path.join(keys().one, 'roots.pem'),
    possible: true,
    log: () => undefined,
    fetch: async (input) => {
      const url = new URL(input instanceof Request ? input.url : input);
      asked.push(url.pathname);
      const file = serve.get(url.pathname);
      await Promise.resolve();
      if (file === undefined) return new Response('', { status: 404 });
      return new Response(file.startsWith('{') ? file : new Uint8Array(readBytes(file)));
    },
  });
  return { watch, record, clock, dir, serve, asked };
}

function readBytes(file: string): Buffer {
  return spawnSync('cat', [file]).stdout;
}

async function sourced(file: string): Promise<Box> {
  const one = box();
  await one.record.change((state) => ({
    ...state,
    update: { ...state.update, source: 'https://example.test/latest.json' },
  }));
  one.serve.set(
    '/latest.json',
    JSON.stringify({ version: '1.0.0', url: 'https://example.test/x', advisories: 'https://example.test/list' }),
  );
  one.serve.set('/list', file);
  return one;
}

test('versions are ordered as dpkg orders them', () => {
  const versions = [
    '1.0',
    '1.0-1',
    '1.0~rc1-1',
    '1:0.1-1',
    '1.0-1+deb13u2',
    '1.0-1+deb13u10',
    '1.0-1~deb13u1',
    '1.0a-1',
    '1.0.1-1',
    '1.0-0',
    '2.12-9+deb13u2',
    '6.12.117-1',
    '6.12.57-1',
    '1.0+dfsg-1',
    '0',
    '1.0-10',
  ];
  for (const a of versions)
    for (const b of versions.filter((one) => one > a)) {
      const real =
        ['lt', 'eq', 'gt'].findIndex((way) => spawnSync('dpkg', ['--compare-versions', a, way, b]).status === 0) - 1;
      assert.equal(Math.sign(compareDebian(a, b)), real, `${a} against ${b}`);
      assert.equal(Math.sign(compareDebian(b, a)), real === 0 ? 0 : -real, `${b} against ${a}`);
    }
});

test('the parts are named as advisories name them: sources, once, and what is signed by what it carries', () => {
  const { version, parts } = readParts(SBOM);
  assert.equal(version, '1.0.0');
  assert.deepEqual(
    parts.map(({ name, version: carried }) => `${name} ${carried}`),
    ['openssl 3.5.4-1~deb13u1', 'linux 6.12.117-1', 'zlib 1:1.3.dfsg+really1.3.1-1', 'nodemailer 7.0.1'],
  );
});

test("the makers' tool says what an image carries, what is serious, and what nobody looked up", () => {
  const full = tool({});
  assert.equal(full.code, 1, full.said);
  assert.match(
    full.said,
    /^1\.0\.0 {2}CVE-2026-0001 {2}openssl 3\.5\.4-1~deb13u1 → 3\.5\.4-1~deb13u2 {2}Reads past its end$/m,
  );
  assert.match(full.said, /GHSA-aaaa-bbbb-cccc/);
  assert.match(full.said, /^1\.0\.0: 2 serious, 2 others$/m, 'low urgency and not mended yet are told, not serious');
  const named = tool({ npm: 'none', more: ['--serious', 'CVE-2026-0006'] }).said;
  assert.match(named, /^npm: not looked up$/m);
  assert.match(named, /^1\.0\.0: 2 serious, 1 others$/m);
});

test('the box fetches the signed list, compares it with its parts, rings, and remembers it', async () => {
  const one = await sourced(tool({}).out);
  assert.equal(one.watch.show().state, 'never');
  await one.watch.check();
  assert.deepEqual(one.asked, ['/latest.json', '/list']);
  const shown = one.watch.show();
  assert.equal(shown.state, 'current');
  assert.deepEqual(
    shown.serious.map(({ id, fixed }) => [id, fixed]),
    [
      ['CVE-2026-0001', '3.5.4-1~deb13u2'],
      ['GHSA-aaaa-bbbb-cccc', undefined],
    ],
  );
  assert.deepEqual([shown.others, shown.parts, shown.looked], [2, 4, ['debian', 'npm']]);
  const alarms = (watch: AdvisoryWatch, supportedUntil: string): string[] =>
    hostAlarms({
      degraded: undefined,
      ups: { state: 'none', power: 'normal', events: [], settings: { mode: 'auto' } } as never,
      watchdog: { lastReset: { reason: 'clean', at: '' } } as never,
      damage: undefined,
      startedAt: '',
      more: advisoryTrouble({ advisories: watch, supportedUntil, clock: one.clock, synchronised: true }),
    }).map(({ name, detail }) => `${name}: ${detail}`);
  assert.deepEqual(alarms(one.watch, '2999-01-01'), [
    'advisory-serious: CVE-2026-0001 (openssl), GHSA-aaaa-bbbb-cccc (nodemailer)',
  ]);
  assert.equal(alarms(one.watch, '2001-01-01').at(-1), 'support-ended: 2001-01-01');

  // the box starts again with a newer system: other version, mended parts, the list from before
  const next = box({
    from: one,
    sbom: SBOM.replaceAll('3.5.4-1~deb13u1', '3.5.4-1~deb13u2').replace('"1.0.0"', '"1.1.0"'),
  });
  await next.watch.restore();
  assert.equal(next.watch.show().state, 'uncovered', 'the list was not made for it');
  assert.deepEqual(
    next.watch.show().serious.map(({ id }) => id),
    ['GHSA-aaaa-bbbb-cccc'],
  );
});

test('a stranger’s, a changed, an older and a missing list are not believed; the good one stays and the trouble is told', async () => {
  const one = await sourced(tool({}).out);
  await one.watch.check();
  const good = one.watch.show();
  const refused = async (file: string, why: RegExp): Promise<void> => {
    one.serve.set('/list', file);
    await assert.rejects(one.watch.check(), why);
    const shown = one.watch.show();
    assert.equal(shown.state, 'failed');
    assert.match(shown.detail ?? '', why);
    assert.deepEqual(shown.serious, good.serious);
  };
  await refused(tool({ keys: keys().other }).out, /not signed by whom we believe/);
  const bytes = readBytes(tool({}).out);
  const at = bytes.indexOf('CVE-2026-0001');
  bytes[at] = 0x44;
  mkdirSync(path.join(one.dir, 'bad'));
  writeFileSync(path.join(one.dir, 'bad/list'), bytes);
  await refused(path.join(one.dir, 'bad/list'), /not signed by whom we believe/);
  await refused(tool({ now: '2026-11-19T00:00:00Z' }).out, /older than ours/);
  one.serve.set('/latest.json', '{"version":"1.0.0"}');
  await assert.rejects(one.watch.check(), /names no list/);
  one.serve.delete('/latest.json');
  await assert.rejects(one.watch.check(), /answers 404/);
});

test('without a source nobody is asked, and nothing is called well', async () => {
  const one = box();
  await one.watch.check();
  assert.deepEqual(one.asked, []);
  assert.equal(one.watch.show().state, 'off');
});
