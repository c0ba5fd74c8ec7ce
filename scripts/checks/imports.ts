/**
 * The import rules of the house (src/README.md tells them in words): what is not in these tables is forbidden, nobody
 * imports an entry, no file reaches itself through its imports, and each npm package has one home folder.
 */
import path from 'node:path';
import { readSources, type SourceFile, type Violation } from './source.ts';

/** `src/<folder>` → the folders it may import from, besides itself. `(types)`: by `import type` only. */
export const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  base: [],
  mail: ['base'],
  config: ['base', 'mail'],
  observe: ['base', 'mail'],
  spool: ['base', 'mail', 'observe'],
  inspect: ['base', 'mail', 'observe', 'config/schema.ts (types)'],
  decide: ['base', 'mail', 'config/schema.ts (types)'],
  // the closed lists of words, and how an id is read, are types that exist at run time
  control: ['base', 'mail (types)', 'mail/decision.ts', 'mail/envelope.ts', 'mail/finding.ts', 'mail/queue-id.ts'],
  host: ['base', 'observe', 'config', 'control'],
  console: ['base', 'control'],
  cli: ['base', 'control'],
  jobs: ['base'],
  portal: ['base', 'control'],
  accept: ['base', 'mail', 'observe', 'config', 'spool'],
  deliver: ['base', 'mail', 'observe', 'config', 'spool'],
  quarantine: ['base', 'mail', 'observe', 'config', 'spool'],
  outbound: ['base', 'mail', 'observe', 'config', 'spool'],
  api: ['base', 'control', 'mail'],
  // what the entry of the same name is put together of
  gateway: [
    'base',
    'mail',
    'config',
    'observe',
    'spool',
    'inspect',
    'decide',
    'control',
    'accept',
    'deliver',
    'quarantine',
    'outbound',
  ],
};

/** Folders that compose: only entries may import from them. */
const COMPOSITION = ['gateway'];

/** One a process. They and `src/pipeline*.ts` join everything; only entries may import the pipeline. */
export const ENTRIES = ['gateway', 'inspect', 'admin', 'portal', 'host', 'console', 'cli'] as const;
const isPipeline = (name: string): boolean => /^src\/pipeline(?:-[a-z-]+)?\.ts$/.test(name);

/** npm package (or built-in worth a home) → the folders of src that may import it. */
export const HOMES: Readonly<Record<string, readonly string[]>> = {
  'smtp-server': ['accept'],
  level: ['spool'],
  'classic-level': ['spool'],
  'abstract-level': ['spool'],
  nodemailer: ['deliver'],
  mailauth: ['inspect', 'outbound'],
  clamscan: ['inspect'],
  'file-type': ['inspect'],
  '@zip.js/zip.js': ['inspect'],
  pino: ['observe'],
  'prom-client': ['observe'],
  'node:sqlite': ['base', 'observe', 'api'], // base: the versions of a file, for the two that have one
  libmime: ['mail'],
  tldts: ['mail'],
  'ipaddr.js': ['base'],
  '@peculiar/x509': ['base'],
  'node-forge': ['api'],
  'reflect-metadata': ['base'],
  express: ['api'],
  helmet: ['api'],
  otpauth: ['api'],
  uqr: ['api'],
  'sanitize-html': ['api'],
  'postal-mime': ['api'],
  'zod-openapi': ['api'],
  'node-cron': ['jobs'],
  systeminformation: ['host'],
};
/** At home everywhere. */
const EVERYWHERE = ['zod'];

export function checkImports(root: string): Violation[] {
  const sources = readSources(root, 'src');
  const known = new Set(sources.map((source) => source.name));
  const pages = readSources(root, 'webui').filter(({ name }) => !/^webui\/(?:dist|vite\.config)/.test(name));
  return [
    ...sources.flatMap((source) => checkFile(source, known)),
    ...findCycles(sources),
    ...pages.flatMap((page) => checkPage(page)),
  ];
}

/** The pages know the API's contract, as types only: nothing of the server may come into a browser. */
function checkPage(page: SourceFile): Violation[] {
  return page.imports.flatMap(({ specifier, typeOnly, line }) => {
    if (!specifier.startsWith('.')) return [];
    const target = resolveImport(page.name, specifier);
    if (!target.startsWith('src/')) return [];
    if (typeOnly && target.startsWith('src/api/contract/')) return [];
    const problem = target.startsWith('src/api/contract/')
      ? `Imports "${target}" by value; pages take types of the contract only`
      : `Imports "${target}"; pages may import from src/api/contract/ only, and only types`;
    return [{ file: page.name, line, problem }];
  });
}

function checkFile(source: SourceFile, known: ReadonlySet<string>): Violation[] {
  const violations: Violation[] = [];
  const owner = folderOf(source.name);
  const at = (line: number, problem: string): number => violations.push({ file: source.name, line, problem });
  if (owner === undefined && !isPipeline(source.name) && !isEntry(source.name))
    at(1, 'Stands in src/ and is neither an entry nor the pipeline');
  if (owner !== undefined && ALLOWED[owner] === undefined) at(1, `No import rule names the folder "${owner}"`);
  for (const { specifier, typeOnly, line } of source.imports) {
    if (specifier.startsWith('.')) {
      const target = resolveImport(source.name, specifier);
      if (!known.has(target)) at(line, `Imports "${specifier}", which is no file of src/`);
      else if (isEntry(target)) at(line, `Imports the entry "${target}"`);
      else if (isPipeline(target) && !isPipeline(source.name) && !isEntry(source.name))
        at(line, 'Imports the pipeline, which only entries do');
      else if (COMPOSITION.includes(folderOf(target) ?? '') && owner !== folderOf(target) && !isEntry(source.name))
        at(line, `Imports "${target}", which only entries do`);
      else if (owner !== undefined && !mayImport(owner, target, typeOnly))
        at(line, `${owner}/ may not import "${target}"${typeOnly ? '' : ' by value'}`);
    } else {
      const problem = checkPackage(source.name, owner, specifier);
      if (problem !== undefined) at(line, problem);
    }
  }
  return violations;
}

function mayImport(owner: string, target: string, typeOnly: boolean): boolean {
  const folder = folderOf(target);
  if (folder === owner) return true;
  // a whole folder for whoever must open the spool of a stopped or dead box
  if (owner === 'cli' && folder === 'spool' && target === 'src/spool/api.ts') return true;
  return (ALLOWED[owner] ?? []).some((rule) => {
    const needsType = rule.endsWith(' (types)');
    const name = rule.replace(/ \(types\)$/, '');
    const matches = name.endsWith('.ts') ? target === `src/${name}` : folder === name;
    return matches && (typeOnly || !needsType);
  });
}

function checkPackage(file: string, owner: string | undefined, specifier: string): string | undefined {
  const name = packageOf(specifier);
  const homes = HOMES[name];
  if (homes !== undefined) {
    if (owner !== undefined && homes.includes(owner)) return undefined;
    return `Imports "${name}", which lives in ${homes.map((home) => `${home}/`).join(' and ')} only`;
  }
  if (name.startsWith('node:') || EVERYWHERE.includes(name)) return undefined;
  if (specifier === '(computed)') return `Imports something computed, which nobody can check (${file})`;
  return `Imports "${name}", which has no home in the table of scripts/checks/imports.ts`;
}

/** `@scope/name/deep` → `@scope/name`; built-ins keep their `node:`. */
function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** `src/mail/address.ts` → `mail`; undefined for what stands in src/ itself. */
function folderOf(name: string): string | undefined {
  const parts = name.split('/');
  return parts.length > 2 ? parts[1] : undefined;
}

function isEntry(name: string): boolean {
  return ENTRIES.some((entry) => name === `src/${entry}.ts`);
}

function resolveImport(from: string, specifier: string): string {
  return path.posix.normalize(path.posix.join(path.posix.dirname(from), specifier));
}

/**
 * Each cycle once, told from the file whose name comes first. Within one folder a type may be looked up in a circle: at run
 * time nothing of that is left. Between folders not even that.
 */
function findCycles(sources: readonly SourceFile[]): Violation[] {
  const targets = new Map(
    sources.map((source) => [
      source.name,
      source.imports
        .filter((one) => one.specifier.startsWith('.'))
        .map((one) => ({ target: resolveImport(source.name, one.specifier), typeOnly: one.typeOnly }))
        .filter((one) => !one.typeOnly || folderOf(one.target) !== folderOf(source.name))
        .map((one) => one.target),
    ]),
  );
  const violations: Violation[] = [];
  const finished = new Set<string>();
  const visit = (name: string, trail: string[]): void => {
    const seen = trail.indexOf(name);
    if (seen >= 0) {
      const circle = [...trail.slice(seen), name];
      violations.push({ file: name, line: 1, problem: `Imports itself: ${circle.join(' → ')}` });
      return;
    }
    if (finished.has(name)) return;
    for (const target of targets.get(name) ?? []) visit(target, [...trail, name]);
    finished.add(name);
  };
  for (const source of sources) visit(source.name, []);
  return violations;
}
