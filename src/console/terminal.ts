/**
 * The console's end of a serial line or screen: whole lines in, 80×24 out. Text is paged, nothing moves the cursor, and what
 * came from elsewhere (logs, names) is escaped first. A menu nobody types into ends after ten minutes.
 */
import type { Readable, Writable } from 'node:stream';
import { createInterface, type Interface } from 'node:readline';
import { cutColumns, displayWidth, escapeForTerminal, wrapColumns } from '../base/terminal.ts';

const COLUMNS = 79;
const ROWS = 22;
/** What the words of the pages have and a plain screen or an old terminal has not. */
const PLAIN: Readonly<Record<string, string>> = {
  '→': '>',
  '…': '~',
  '“': '"',
  '”': '"',
  '‘': "'",
  '’': "'",
  '–': '-',
  '—': '-',
  '·': '-',
  '×': 'x',
};

export interface Terminal {
  line(text?: string): void;
  /** Undefined: nobody typed in time, or the line hung up. */
  ask(prompt: string): Promise<string | undefined>;
  /** Long text, a screen at a time. */
  page(lines: readonly string[], more: string): Promise<void>;
  close(): void;
}

/** Sentences, in whole: `line` cuts what is too long for the screen. */
export function prose(text: string): string[] {
  return wrapColumns(text, COLUMNS);
}

/** A line without Japanese in the letters that every terminal has; who reads Japanese has the others as well. */
function plain(line: string): string {
  return displayWidth(line) > line.length ? line : line.replaceAll(/[→…“”‘’–—·×]/g, (sign) => PLAIN[sign] ?? sign);
}

export function createTerminal(input: Readable, output: Writable, options: { idleMs: number }): Terminal {
  let reader: Interface | undefined;
  let closed = false;
  input.once('end', () => (closed = true));
  input.once('close', () => (closed = true));
  input.once('error', () => (closed = true));
  const line = (text = ''): void => {
    output.write(`${plain(cutColumns(escapeForTerminal(text), COLUMNS))}\n`);
  };

  async function ask(prompt: string): Promise<string | undefined> {
    if (closed) return undefined;
    output.write(`${plain(escapeForTerminal(prompt))}: `);
    const asking = (reader ??= createInterface({ input, terminal: false }));
    return new Promise((resolve) => {
      const end = (answer: string | undefined): void => {
        clearTimeout(timer);
        asking.off('line', given);
        asking.off('close', gone);
        resolve(answer);
      };
      const given = (text: string): void => end(text.trim().slice(0, 500));
      const gone = (): void => {
        closed = true;
        end(undefined);
      };
      const timer = setTimeout(() => end(undefined), options.idleMs);
      asking.once('line', given);
      asking.once('close', gone);
    });
  }

  return {
    line,
    ask,
    page: async (lines, more) => {
      for (let at = 0; at < lines.length; at += ROWS) {
        for (const text of lines.slice(at, at + ROWS)) line(text);
        if (at + ROWS >= lines.length) return;
        const answer = await ask(more);
        if (answer === undefined || answer.toLowerCase() === 'q') return;
      }
    },
    close: () => reader?.close(),
  };
}
