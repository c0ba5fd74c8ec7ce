/**
 * CSV (RFC 4180) for the spreadsheet of an office. The first line begins with a byte order mark: without it a Japanese Excel
 * reads UTF-8 as Shift_JIS. A cell that a spreadsheet would take for a formula (also in wide characters) gets an apostrophe
 * before it: subjects and addresses are written by strangers. Pure.
 */
export function csvHead(names: readonly string[]): string {
  return `\ufeff${csvLine(names)}`;
}

export function csvLine(cells: ReadonlyArray<string | number>): string {
  return `${cells.map(cell).join(',')}\r\n`;
}

function cell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const safe = /^[=+\-@\t\r\n＝＋－＠]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
