/**
 * Every package of the lockfile has a licence that an MIT product may ship with, and every version is pinned. Reads
 * package.json, package-lock.json and, for what is installed, each package's own package.json. Changes nothing.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Violation } from './source.ts';

export const PERMISSIVE: readonly string[] = [
  'MIT',
  'MIT-0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'BlueOak-1.0.0',
  'Python-2.0',
  'Unlicense',
  'CC0-1.0',
];

/** MPL-2.0 for tools and data that are used as they are. Name → why that is fine. */
const MPL_ALLOWED: Readonly<Record<string, string>> = {
  tldts: 'the code is MIT; the public suffix list it carries is MPL-2.0 data, unchanged',
  'tldts-core': 'as tldts',
  'axe-core': 'a test tool, used as it is: it never reaches the box',
  lightningcss: 'a build tool of the pages, used as it is: it never reaches the box',
};

/** Builds of one package for single platforms carry the licence of the package. */
const platformBuild = /-(?:android|darwin|freebsd|linux|win32)-[\w-]+$/;

/** Packages that state no licence in their package.json. Name → what was found instead, and where. */
const UNSTATED: Readonly<Record<string, string>> = {};

const dependencies = z.record(z.string(), z.string()).optional();
const manifestSchema = z.object({ dependencies, optionalDependencies: dependencies, devDependencies: dependencies });
const licenceField = z.union([z.string(), z.object({ type: z.string() })]).optional();
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      license: licenceField,
      dev: z.boolean().optional(),
      integrity: z.string().optional(),
      resolved: z.string().optional(),
      optional: z.boolean().optional(),
      os: z.union([z.string(), z.array(z.string())]).optional(),
    }),
  ),
});
const installedSchema = z.object({
  license: licenceField,
  licenses: z.union([licenceField, z.array(z.object({ type: z.string() }))]),
});

export function checkLicences(root: string): Violation[] {
  const manifest = manifestSchema.parse(readJson(path.join(root, 'package.json')));
  const lock = lockSchema.parse(readJson(path.join(root, 'package-lock.json')));
  const violations: Violation[] = [];
  const at = (file: string, problem: string): number => violations.push({ file, line: 1, problem });
  const groups = [manifest.dependencies, manifest.optionalDependencies, manifest.devDependencies];
  for (const [name, range] of groups.flatMap((group) => Object.entries(group ?? {}))) {
    if (!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(range)) at('package.json', `"${name}" is not pinned: "${range}"`);
    if (lock.packages[`node_modules/${name}`]?.version !== range)
      at('package-lock.json', `Holds no "${name}" ${range}: package.json and the lockfile disagree`);
  }
  for (const [place, entry] of Object.entries(lock.packages)) {
    if (place === '') continue;
    const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
    // another platform's build, which this registry may not even hold: named, never installed here
    const foreign = entry.optional === true && entry.os !== undefined && !existsSync(path.join(root, place));
    if (entry.integrity === undefined && !foreign) at('package-lock.json', `"${place}" has no integrity hash`);
    if (entry.resolved !== undefined) at('package-lock.json', `"${place}" names a registry: "${entry.resolved}"`);
    const problem = judge(name, textOf(entry.license) ?? installedLicence(path.join(root, place)));
    if (problem !== undefined) at('package-lock.json', problem);
  }
  return violations;
}

function judge(name: string, licence: string | undefined): string | undefined {
  if (licence === undefined || licence === '')
    return UNSTATED[name] === undefined ? `"${name}" states no licence` : undefined;
  if (isAcceptable(licence)) return undefined;
  if (MPL_ALLOWED[name.replace(platformBuild, '')] !== undefined && licence.includes('MPL-2.0')) return undefined;
  return `"${name}" has the licence "${licence}", which is not on the list`;
}

/** SPDX expressions: one good side of OR is enough, all sides of AND must be good. */
export function isAcceptable(expression: string): boolean {
  const bare = expression.trim().replace(/^\((.*)\)$/, '$1');
  if (/\sOR\s/.test(bare)) return bare.split(/\sOR\s/).some(isAcceptable);
  if (/\sAND\s/.test(bare)) return bare.split(/\sAND\s/).every(isAcceptable);
  return PERMISSIVE.includes(bare);
}

function installedLicence(folder: string): string | undefined {
  const file = path.join(folder, 'package.json');
  if (!existsSync(file)) return undefined;
  const { license, licenses } = installedSchema.parse(readJson(file));
  if (Array.isArray(licenses)) return licenses.map((one) => one.type).join(' OR ');
  return textOf(license) ?? textOf(licenses);
}

function textOf(field: z.output<typeof licenceField>): string | undefined {
  return typeof field === 'object' ? field.type : field;
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}
