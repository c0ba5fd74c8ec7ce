/**
 * Attack strings for a regular expression, made of its own pieces: a small reader turns the pattern into terms with sample
 * characters; what is pumped is every short run of terms, and every beginning of the whole. Runs as a worker: asked for
 * patterns, it says which of them take more than linear work. Work is the thread's CPU time, judged by what a doubled and
 * a redoubled input cost, three times over, so a busy machine only makes it slower. Who asks ends it when it never comes back.
 */
import { parentPort, workerData } from 'node:worker_threads';

export interface Pattern {
  source: string;
  flags: string;
  /** No longer input than this ever reaches it. */
  most?: number;
}

/** What stands for a class, in the order it is tried; a hostile mail is made of these. */
const CANDIDATES = 'a0 .-"\\:<@/=?\t\r\n\'(,;_|{[*%A\u3000\u0000'.split('');
const ENDS = ['\u0000', '\n\u0000'];
const LENGTH = 6_000;
const MOST_PUMPS = 160;
/** Below this the doubling is not even looked at, µs. */
const NOTICEABLE = 1_500;
/** Linear work doubles with its input; the square of it is four times as much. */
const SUPERLINEAR = 3;
/** In a row: a machine with other work cools the caches now and then, a weak pattern is weak each time. */
const CONFIRMED = 3;

/** The terms of a sequence, each as what it may look like (two ways at most). */
function termsOf(source: string, flags: string): string[][] {
  const terms: string[][] = [];
  let at = 0;
  while (at < source.length) {
    const [text, end] = termAt(source, at);
    at = end;
    const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/.exec(source.slice(at))?.[0] ?? '';
    at += quantifier.length;
    if (text === '|') continue; // the branches one after the other: their pieces are what counts
    const least = Number(/^\{(\d+)/.exec(quantifier)?.[1] ?? 1);
    const looks = looksOf(text, flags).map((look) => look.repeat(Math.min(Math.max(least, 1), 8)));
    if (looks.length > 0) terms.push(looks);
  }
  return terms;
}

/** One atom of the pattern and where it ends. */
function termAt(source: string, at: number): [text: string, end: number] {
  const rest = source.slice(at);
  const escape = /^\\(?:u\{[0-9a-f]+\}|u[0-9a-f]{4}|x[0-9a-f]{2}|[pP]\{[^}]*\}|k<[^>]*>|.)/i.exec(rest)?.[0];
  if (escape !== undefined) return [escape, at + escape.length];
  if (rest.startsWith('[')) {
    let end = 1;
    while (end < rest.length && rest[end] !== ']') end += rest[end] === '\\' ? 2 : 1;
    return [rest.slice(0, end + 1), at + end + 1];
  }
  if (!rest.startsWith('(')) return [rest[0] ?? '', at + 1];
  let depth = 0;
  for (let end = 0; end < rest.length; end += 1) {
    const sign = rest[end];
    if (sign === '\\') end += 1;
    else if (sign === '[') end = termAt(rest, end)[1] - 1;
    else if (sign === '(') depth += 1;
    else if (sign === ')') depth -= 1;
    if (depth === 0) return [rest.slice(0, end + 1), at + end + 1];
  }
  return [rest, source.length];
}

function looksOf(atom: string, flags: string): string[] {
  if (atom === '^' || atom === '$' || /^\\[bB]$/.test(atom) || /^\(\?<?[!=]/.test(atom)) return [];
  if (atom.startsWith('(')) {
    const inside = termsOf(atom.replace(/^\((?:\?(?::|<[^>]*>))?/, '').slice(0, -1), flags);
    return [0, 1].map((way) => inside.map((looks) => looks[way % looks.length]).join('')).filter((look) => look !== '');
  }
  const one = new RegExp(`^${atom}$`, flags.replaceAll(/[gy]/g, ''));
  const fitting = CANDIDATES.filter((sign) => one.test(sign));
  if (atom.length === 1 && fitting.length === 0) return [atom];
  return fitting.length > 0 ? fitting.slice(0, 2) : [];
}

export function attacksOn({ source, flags }: Pattern): Array<{ before: string; pump: string }> {
  const terms = termsOf(source, flags);
  const attacks = new Map<string, { before: string; pump: string }>();
  const add = (before: string, pump: string): void => {
    if (pump !== '' && attacks.size < MOST_PUMPS) attacks.set(`${before}\u0001${pump}`, { before, pump });
  };
  for (const sign of CANDIDATES) add('', sign);
  for (const way of [0, 1]) {
    const looks = terms.map((each) => each[way % each.length] ?? '');
    for (let from = 0; from < looks.length; from += 1)
      for (let to = from + 1; to <= Math.min(looks.length, from + 3); to += 1) {
        add('', looks.slice(from, to).join(''));
        add(looks.slice(0, from).join(''), looks.slice(from, to).join(''));
      }
    for (let to = 1; to <= looks.length; to += 1)
      for (const tail of ['', '\r', '"', '-', ' ']) add('', looks.slice(0, to).join('') + tail);
  }
  return [...attacks.values()];
}

function workOf(pattern: RegExp, text: string): number {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 3; tries += 1) {
    const before = process.threadCpuUsage();
    pattern.lastIndex = 0;
    if (pattern.global) text.replaceAll(pattern, '');
    else pattern.exec(text);
    const { user, system } = process.threadCpuUsage(before);
    least = Math.min(least, user + system);
    if (least < NOTICEABLE) break;
  }
  return least;
}

function superlinear([first = 0, second = 0, third = 0]: readonly number[]): string | undefined {
  if (second / first < SUPERLINEAR || third / second < SUPERLINEAR) return undefined;
  return [first, second, third].join(', ');
}

/** The attack that takes more than linear work, as words; undefined: none does. */
export function weaknessOf(pattern: Pattern): string | undefined {
  // nothing in it repeats without a limit: what it costs a place is bounded
  if (!/[*+]|\{\d+,\}/.test(pattern.source)) return undefined;
  const expression = new RegExp(pattern.source, pattern.flags);
  const most = pattern.most ?? Number.POSITIVE_INFINITY;
  for (const { before, pump } of attacksOn(pattern))
    for (const end of ENDS) {
      const text = (length: number): string => before + pump.repeat(Math.ceil(length / pump.length)) + end;
      const first = workOf(expression, text(Math.min(LENGTH, most)));
      if (first < NOTICEABLE) continue;
      if (LENGTH * 2 > most) return `${first} µs at its greatest length: ${JSON.stringify({ before, pump, end })}`;
      const texts = [text(LENGTH), text(LENGTH * 2), text(LENGTH * 4)] as const;
      let costs: string | undefined;
      for (let times = 0; times < CONFIRMED; times += 1) {
        costs = superlinear(texts.map((each) => workOf(expression, each)));
        if (costs === undefined) break;
      }
      if (costs !== undefined) return `${costs} µs for 1, 2, 4 times as much: ${JSON.stringify({ before, pump, end })}`;
    }
  return undefined;
}

if (parentPort !== null) {
  const { patterns } = workerData as { patterns: Pattern[] };
  for (const [index, pattern] of patterns.entries()) {
    parentPort.postMessage({ index, begun: true });
    parentPort.postMessage({ index, weakness: weaknessOf(pattern) });
  }
}
