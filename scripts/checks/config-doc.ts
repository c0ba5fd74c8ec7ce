/**
 * docs/config.md and docs/config.ja.md: written from the schema (src/config/reference.ts) and the page below. `--write` writes
 * them; without it the files are compared, and what differs is told with exit code 1. test/config/reference.test.ts compares too.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Language, LANGUAGES, say } from '../../src/base/i18n.ts';
import { type ConfigKey, configKeys, inPeopleUnits } from '../../src/config/reference.ts';
import { EXAMPLES, PAGE } from './config-doc-words.ts';

export const REWRITE = 'node_modules/.bin/node scripts/checks/config-doc.ts --write';

export const CONFIG_DOCS: Readonly<Record<Language, string>> = { en: 'docs/config.md', ja: 'docs/config.ja.md' };

export function configDocument(language: Language): string {
  const keys = configKeys();
  const examples = Object.fromEntries(
    Object.entries(EXAMPLES).map(([name, value]) => [name, `\`\`\`json\n${jsonText(value, '')}\n\`\`\``]),
  );
  return [
    say(PAGE.start, language, { ...examples, keys: keys.length }),
    contents(keys, language),
    ...keys.map((key) => entry(key, language)),
  ]
    .map((block) => `${block.trim()}\n`)
    .join('\n');
}

const LINE_WIDTH = 120;

/** As `biome format` lays JSON out: what fits a line stands on one line; the file itself is always opened. */
function jsonText(value: unknown, indent: string, used = 0): string {
  const line = oneLine(value);
  const fits = indent.length + used + line.length < LINE_WIDTH;
  if (indent !== '' && fits && !holdsTable(value)) return line;
  if (typeof value !== 'object' || value === null) return line;
  const deeper = `${indent}  `;
  const lines = Array.isArray(value)
    ? value.map((each) => deeper + jsonText(each, deeper))
    : Object.entries(value).map(([key, each]) => `${deeper}"${key}": ${jsonText(each, deeper, key.length + 4)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((each) => oneLine(each)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([key, each]) => `"${key}": ${oneLine(each)}`)
    .join(', ')} }`;
}

/** Several objects of several keys stand below each other; so what holds such a list is opened too. */
function holdsTable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const isRow = (each: unknown): boolean =>
    typeof each === 'object' && each !== null && Object.keys(each).length > 1 && !Array.isArray(each);
  const isTable = Array.isArray(value) && value.length > 1 && value.every(isRow);
  return isTable || Object.values(value).some((each) => holdsTable(each));
}

/** The top of the reference: where to look, one line a section. */
function contents(keys: readonly ConfigKey[], language: Language): string {
  const lines = keys
    .filter((key) => !key.path.includes('.'))
    .map((key) => `- [\`${key.path}\`](#${anchor(key.path)}): ${firstSentence(key.words?.[language] ?? '')}`);
  return lines.join('\n');
}

function firstSentence(text: string): string {
  return /^.*?(?:[.:](?=\s)|。|.$)/u.exec(text)?.[0].replace(/[.:。]$/u, '') ?? text;
}

/** As pages of Markdown make it of a heading: lower case, without marks. */
function anchor(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\w-]/g, '');
}

function entry(key: ConfigKey, language: Language): string {
  const level = Math.min(6, 1 + key.path.split('.').length);
  const heading = `${'#'.repeat(level)} \`${key.path}\``;
  return `${heading}\n\n${factsOf(key, language)}${key.words?.[language] ?? ''}\n`;
}

/** `whole number, 1 to 65535 · default 25` on a line of its own; nothing for a section. */
function factsOf(key: ConfigKey, language: Language): string {
  if (key.kind === 'section') return '';
  const facts = [
    [kindText(key, language), unitText(key, language)]
      .filter((text) => text !== '')
      .join(language === 'ja' ? '、' : ', '),
    allowedText(key, language),
    key.required ? PAGE.required[language] : defaultText(key, language),
  ];
  return `${facts.filter((text) => text !== '').join(' · ')}\n\n`;
}

function kindText(key: ConfigKey, language: Language): string {
  if (key.kind === 'choice') return key.choices.map((choice) => code(choice)).join(PAGE.or[language]);
  if (key.kind !== 'list') return PAGE.kinds[key.kind][language];
  return PAGE.kinds[key.unit === undefined ? 'list' : 'numbers'][language];
}

function unitText({ unit, kind }: ConfigKey, language: Language): string {
  return unit === undefined || kind === 'choice' ? '' : PAGE.units[unit][language];
}

function allowedText(key: ConfigKey, language: Language): string {
  const parts: string[] = [];
  if (key.advice !== undefined) parts.push(key.advice[language]);
  else if (key.maxLength !== undefined) parts.push(say(PAGE.length, language, { most: key.maxLength }));
  // The advice of a port says its range already.
  const { least, above, most } = key.advice === undefined ? key.range : {};
  if (least !== undefined && most !== undefined) parts.push(say(PAGE.between, language, { least, most }));
  else if (above !== undefined && most !== undefined) parts.push(say(PAGE.above, language, { above, most }));
  else if (least !== undefined && least > 0) parts.push(say(PAGE.atLeast, language, { least }));
  if (key.count.least !== undefined) parts.push(say(PAGE.elementsLeast, language, { least: key.count.least }));
  if (key.count.most !== undefined) parts.push(say(PAGE.elementsMost, language, { most: key.count.most }));
  return parts.join(language === 'ja' ? '、' : ', ');
}

function defaultText(key: ConfigKey, language: Language): string {
  if (key.default === undefined) return PAGE.optional[language];
  const said = inWords(key, language);
  return `${say(PAGE.default, language)}${code(key.default)}${said === '' ? '' : say(PAGE.thatIs, language, { said })}`;
}

/** `5 minutes`, `50 MiB`, and for a list each of its values. */
function inWords({ default: value, unit }: ConfigKey, language: Language): string {
  if (typeof value === 'number') return inPeopleUnits(value, unit, language) ?? '';
  if (!Array.isArray(value) || unit === undefined) return '';
  return value
    .map((each: unknown) => (typeof each === 'number' ? (inPeopleUnits(each, unit, language) ?? each) : each))
    .join(language === 'ja' ? '、' : ', ');
}

function code(value: unknown): string {
  return `\`${Array.isArray(value) ? `[${value.map((each) => JSON.stringify(each)).join(', ')}]` : JSON.stringify(value)}\``;
}

/** The files that are not what the schema says; empty: all is well. */
export function staleConfigDocs(root: string): string[] {
  return LANGUAGES.map((language) => ({ file: CONFIG_DOCS[language], text: configDocument(language) }))
    .filter(({ file, text }) => textOf(path.join(root, file)) !== text)
    .map(({ file }) => file);
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // not there yet: as stale as can be
  }
}

/** What a reader and a check of the examples need: every block of JSON in a document. */
export function examplesIn(text: string): string[] {
  return [...text.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
}

function main(args: readonly string[]): number {
  const root = path.resolve(import.meta.dirname, '../..');
  if (args.includes('--write')) {
    for (const language of LANGUAGES) writeFileSync(path.join(root, CONFIG_DOCS[language]), configDocument(language));
    return 0;
  }
  const stale = staleConfigDocs(root);
  for (const file of stale) process.stderr.write(`${file} is not what the schema says: ${REWRITE}\n`);
  return stale.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
