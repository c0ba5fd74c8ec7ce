/**
 * The papers of an image: a parts list (CycloneDX 1.6 JSON) of Debian's and npm's packages, their licences in full, and where
 * the source of each Debian package is. Reads dpkg's status file, the copyright files and the npm packages; same input, same
 * output. Throws when a package has no licence text: then something was forgotten.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { uuidOf } from './uuid.ts';

interface DebianPackage {
  name: string;
  version: string;
  architecture: string;
  source: string;
  sourceVersion: string;
}

interface NpmPackage {
  name: string;
  version: string;
  license: string;
  folder: string;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string' },
      version: { type: 'string' },
      dpkg: { type: 'string' },
      doc: { type: 'string' },
      licence: { type: 'string' },
      modules: { type: 'string' },
      packages: { type: 'string', multiple: true, default: [] },
      time: { type: 'string' },
      sbom: { type: 'string' },
      notices: { type: 'string' },
      sources: { type: 'string' },
    },
  });
  const need = (name: Exclude<keyof typeof values, 'packages'>): string => {
    const value = values[name];
    if (value === undefined) throw new TypeError(`--${name} is missing`);
    return value;
  };
  const debian = readDpkg(readFileSync(need('dpkg'), 'utf8'));
  // what went into the programs or lies beside them, not what was only installed to make them
  const carried = new Set(values.packages.flatMap((file) => readFileSync(file, 'utf8').split('\n')));
  const modules = need('modules');
  const npm = readNpm(modules).filter(({ folder }) => carried.has(path.relative(modules, folder)));
  const product = { version: need('version'), arch: need('arch'), seconds: Number(need('time')) };
  writeFileSync(need('sbom'), `${JSON.stringify(partsList(product, { debian, npm }), null, 1)}\n`);
  writeFileSync(need('notices'), notices({ debian, npm }, { doc: need('doc'), licence: need('licence') }));
  writeFileSync(need('sources'), sources(debian));
}

/** dpkg's status file: stanzas of `Key: value` lines. */
function readDpkg(text: string): DebianPackage[] {
  return text
    .split('\n\n')
    .map((stanza) => new Map([...stanza.matchAll(/^([A-Za-z-]+): (.*)$/gm)].map((match) => [match[1], match[2] ?? ''])))
    .filter((fields) => fields.get('Status') === 'install ok installed')
    .map((fields) => {
      const name = fields.get('Package') ?? '';
      const version = fields.get('Version') ?? '';
      // "Source: name (version)" where they differ from the package's own
      const source = /^(\S+)(?: \((.+)\))?$/.exec(fields.get('Source') ?? name);
      return {
        name,
        version,
        architecture: fields.get('Architecture') ?? '',
        source: source?.[1] ?? name,
        sourceVersion: source?.[2] ?? version.replace(/\+b\d+$/, ''),
      };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function readNpm(folder: string): NpmPackage[] {
  const found: NpmPackage[] = [];
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!/(?:^|node_modules\/)(?:@[^/]+\/)?[^/]+\/package\.json$/.test(entry)) continue;
    const own = JSON.parse(readFileSync(path.join(folder, entry), 'utf8')) as Partial<NpmPackage>;
    if (own.name === undefined || own.version === undefined) continue;
    const license = typeof own.license === 'string' ? own.license : 'NOASSERTION';
    found.push({ name: own.name, version: own.version, license, folder: path.dirname(path.join(folder, entry)) });
  }
  return found.toSorted((a, b) => (`${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1));
}

function partsList(
  product: { version: string; arch: string; seconds: number },
  parts: { debian: DebianPackage[]; npm: NpmPackage[] },
): object {
  const purl = (one: DebianPackage): string =>
    `pkg:deb/debian/${encodeURIComponent(one.name)}@${encodeURIComponent(one.version)}?arch=${one.architecture}&distro=trixie`;
  const npmPurl = (one: NpmPackage): string =>
    `pkg:npm/${one.name.startsWith('@') ? `%40${one.name.slice(1)}` : one.name}@${one.version}`;
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([product, parts.debian, parts.npm.map(npmPurl)]))}`,
    version: 1,
    metadata: {
      timestamp: new Date(product.seconds * 1_000).toISOString(),
      component: {
        type: 'firmware',
        'bom-ref': 'sekisho',
        name: 'sekisho',
        version: product.version,
        properties: [{ name: 'sekisho:architecture', value: product.arch }],
      },
    },
    components: [
      ...parts.debian.map((one) => ({
        type: 'library',
        'bom-ref': purl(one),
        name: one.name,
        version: one.version,
        purl: purl(one),
        properties: [{ name: 'debian:source', value: `${one.source} ${one.sourceVersion}` }],
      })),
      ...parts.npm.map((one) => ({
        type: 'library',
        'bom-ref': `${npmPurl(one)}#${one.folder.split('/node_modules/').slice(1).join('/')}`,
        name: one.name,
        version: one.version,
        purl: npmPurl(one),
        licenses: [/\s/.test(one.license) ? { expression: one.license } : { license: { name: one.license } }],
      })),
    ],
  };
}

function notices(
  parts: { debian: DebianPackage[]; npm: NpmPackage[] },
  folders: { doc: string; licence: string },
): string {
  const blocks = [`Sekisho\n\n${readFileSync(folders.licence, 'utf8')}`];
  for (const one of parts.debian) {
    const file = path.join(folders.doc, one.name, 'copyright');
    if (!existsSync(file)) throw new Error(`Debian package "${one.name}" has no copyright file`);
    blocks.push(`Debian: ${one.name} ${one.version}\n\n${readFileSync(file, 'utf8')}`);
  }
  for (const one of parts.npm) {
    const names = readdirSync(one.folder).filter((name) => /^(?:licen[cs]e|copying|notice)/i.test(name));
    const texts = names.toSorted().map((name) => readFileSync(path.join(one.folder, name), 'utf8'));
    blocks.push(`npm: ${one.name} ${one.version} (${one.license})\n\n${texts.join('\n')}`);
  }
  const rule = `\n${'='.repeat(100)}\n`;
  return `${blocks.join(rule)}\n`;
}

function sources(debian: DebianPackage[]): string {
  const wanted = [...new Set(debian.map((one) => `${one.source}=${one.sourceVersion}`))].toSorted();
  return [
    'The source of every Debian package in this image is in the Debian archive, under exactly these names and versions, and stays in',
    "Debian's snapshot service when the archive moves on. On a machine with Debian 13's source lists:",
    '',
    ...wanted.map((one) => `  apt-get source ${one}`),
    '',
    'npm packages carry their source themselves; Sekisho is this repository.',
    '',
  ].join('\n');
}

main();
