/**
 * How answers look on a terminal: aligned tables and name/value blocks, times in the reader's zone, sizes and spans rounded
 * for people. Every text from outside passes through the escape of base/terminal.ts here, so no view can forget it. Pure.
 */
import type { Language, Text } from '../../base/i18n.ts';
import { cutColumns, displayWidth, escapeForTerminal, padColumns } from '../../base/terminal.ts';

export interface Column<Row> {
  title: Text;
  value: (row: Row) => string | number | undefined;
  /** Numbers stand to the right. */
  right?: boolean;
  /** Cut at this many columns when the output is a terminal. */
  max?: number;
}

export interface Look {
  language: Language;
  /** Of the terminal; undefined when the output goes to a file or a pipe: then nothing is cut. */
  columns: number | undefined;
}

export function table<Row>(rows: readonly Row[], columns: ReadonlyArray<Column<Row>>, look: Look): string {
  const cut = (text: string, max: number | undefined): string =>
    max === undefined || look.columns === undefined ? text : cutColumns(text, max);
  const cells = [
    columns.map((column) => column.title[look.language]),
    ...rows.map((row) => columns.map((column) => cut(cell(column.value(row)), column.max))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => displayWidth(line[index] ?? ''))));
  const lines = cells.map((line) => {
    const text = line.map((value, index) =>
      padColumns(value, widths[index] ?? 0, columns[index]?.right ? 'right' : 'left'),
    );
    const joined = text.join('  ').trimEnd();
    return look.columns === undefined ? joined : cutColumns(joined, look.columns);
  });
  return `${lines.join('\n')}\n`;
}

/** Name and value, one a line, the values under each other; undefined values are left out. */
export function block(pairs: ReadonlyArray<readonly [Text, string | number | undefined]>, language: Language): string {
  const shown = pairs.filter((pair) => pair[1] !== undefined);
  const width = Math.max(0, ...shown.map(([name]) => displayWidth(name[language])));
  return shown.map(([name, value]) => `${padColumns(name[language], width)}  ${cell(value)}\n`).join('');
}

function cell(value: string | number | undefined): string {
  return value === undefined || value === '' ? '-' : escapeForTerminal(String(value));
}

/** `2026-11-21 18:30:05` in the zone of the process; what is no time is shown as it is. */
export function showTime(iso: string | undefined): string | undefined {
  if (iso === undefined) return undefined;
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function showSize(octets: number): string {
  let value = octets;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export function showSpan(ms: number, language: Language): string {
  const seconds = Math.floor(ms / 1000);
  const parts: Array<[number, Text]> = [
    [Math.floor(seconds / 86_400), { en: 'd', ja: '日' }],
    [Math.floor(seconds / 3_600) % 24, { en: 'h', ja: '時間' }],
    [Math.floor(seconds / 60) % 60, { en: 'min', ja: '分' }],
    [seconds % 60, { en: 's', ja: '秒' }],
  ];
  const from = parts.findIndex(([value]) => value > 0);
  const shown = from < 0 ? parts.slice(3) : parts.slice(from, from + 2).filter(([value]) => value > 0);
  return shown.map(([value, unit]) => `${value} ${unit[language]}`).join(' ');
}

/** `<>` for the null reverse-path. */
export function showPath(path: string): string {
  return path === '' ? '<>' : path;
}

/** The first, and how many more there are; `total` when the list names only some. */
export function showSome(items: readonly string[], language: Language, total = items.length): string {
  const [first] = items;
  if (first === undefined) return '-';
  const rest = Math.max(total, items.length) - 1;
  return rest === 0 ? first : `${first} ${language === 'ja' ? `他 ${rest} 件` : `+${rest}`}`;
}
