/**
 * Stack traces with the names and lines of the sources. On the box each program is one file with a source map beside it; the
 * map is read only when a bug is told, so that nothing pays for it before. Where there is no map the trace stays as it is.
 */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';

// not from within a path: each of its slashes would else begin a search to its end
const PLACE = /(?<![^\s(])((?:file:\/\/)?\/[^\s():]+\.js):(\d+):(\d+)/g;

/** `error.stack` in the sources' words; never throws. */
export function sourceStack(error: Error): string | undefined {
  const maps = new Map<string, SourceMap | undefined>();
  const mapOf = (file: string): SourceMap | undefined => {
    if (!maps.has(file)) maps.set(file, readMap(file));
    return maps.get(file);
  };
  return error.stack?.replaceAll(PLACE, (whole, file: string, line: string, column: string) => {
    // a map counts lines and columns from 0, a trace from 1
    const entry = mapOf(file)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return whole;
    return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

function readMap(file: string): SourceMap | undefined {
  try {
    const name = file.startsWith('file:') ? fileURLToPath(file) : file;
    return new SourceMap(JSON.parse(readFileSync(`${name}.map`, 'utf8')) as SourceMap['payload']);
  } catch {
    return undefined;
  }
}
