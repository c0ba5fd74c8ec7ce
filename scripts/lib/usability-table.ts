/**
 * The table of docs/usability.md: reads what stands there, puts one cell in anew and leaves the others, so that a figure is kept
 * as soon as it is measured. Throws where the page has no place for it.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

export const LANGUAGES = ['ja', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];

export interface Cell {
  clicks: number;
  keys: number;
  seconds: number;
}

export interface Row {
  name: Readonly<Record<Language, string>>;
  limit: number;
}

const DOC = path.resolve(import.meta.dirname, '../../docs/usability.md');
const MARKS = { begin: '<!-- figures begin -->', end: '<!-- figures end -->' };
const NONE = 'not measured';

export async function keepFigure(what: {
  rows: readonly Row[];
  row: number;
  language: Language;
  cell: Cell;
}): Promise<void> {
  const text = await readFile(DOC, 'utf8');
  const from = text.indexOf(MARKS.begin) + MARKS.begin.length;
  const to = text.indexOf(MARKS.end);
  if (from < MARKS.begin.length || to < from) throw new Error(`${DOC} has no place for the figures`);
  const before = cellsOf(text.slice(from, to));
  const lines = what.rows.map(({ name, limit }, index) => {
    const cells = LANGUAGES.map((language) =>
      index === what.row && language === what.language ? words(what.cell) : (before.get(name.en)?.[language] ?? NONE),
    );
    return `| ${name.en} (${name.ja}) | ${cells.join(' | ')} | ${limit} s |`;
  });
  const head = [
    `| What (simulated) | ${LANGUAGES.map((one) => `${one}: clicks / keys / time`).join(' | ')} | limit |`,
    '| --- | --- | --- | --- |',
  ];
  await writeFile(DOC, `${text.slice(0, from)}\n\n${[...head, ...lines].join('\n')}\n\n${text.slice(to)}`);
}

const words = ({ clicks, keys, seconds }: Cell): string => `${clicks} / ${keys} / ${seconds.toFixed(1)} s`;

/** By the English name of the row. */
function cellsOf(table: string): Map<string, Record<Language, string>> {
  const found = new Map<string, Record<Language, string>>();
  for (const line of table.split('\n')) {
    const [, name, ja, en] = line.split('|').map((cell) => cell.trim());
    if (name === undefined || ja === undefined || en === undefined) continue;
    found.set(name.replace(/ \([^(]*\)$/, ''), { ja, en });
  }
  return found;
}
