/**
 * Reads one MAIL or RCPT line (RFC 5321 §4.1.1.2, §4.1.1.3) into its path and parameters. Syntax only: whether the address
 * is welcome is asked elsewhere. Written here because the library's reader drops source routes silently, hands out U-labels,
 * and refuses quoted localparts. Lenient in one point only, a blank behind the colon, because half the world sends it.
 */
import { isUtf8 } from 'node:buffer';
import { type Reply, reply } from '../mail/reply.ts';

export interface PathCommand {
  /** What stood between the angle brackets, unparsed. */
  path: string;
  /** Upper-case keywords; `true` when no value was given. */
  parameters: Map<string, string | true>;
}

const VERBS = { MAIL: /^MAIL\s+FROM:[ \t]*/i, RCPT: /^RCPT\s+TO:[ \t]*/i } as const;
// control characters, and the invisible ones that make two addresses look alike
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200b\u2060\ufeff]/;
// RFC 5321 §4.1.2 esmtp-keyword, esmtp-value (with UTF-8 by RFC 6531 §3.3)
const PARAMETER = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\u00a0-\u{10ffff}]+))?$/u;

export function parsePathCommand(verb: keyof typeof VERBS, line: Buffer): PathCommand | Reply {
  const syntax = reply(501, '5.5.4', `Syntax: ${verb === 'MAIL' ? 'MAIL FROM' : 'RCPT TO'}:<address>`);
  if (!isUtf8(line)) return reply(501, '5.5.2', 'The command is not valid UTF-8');
  const text = line.toString('utf8').trimEnd();
  if (UNSAFE.test(text.replaceAll('\t', ' '))) return reply(501, '5.5.2', 'Control characters in the command');
  const start = VERBS[verb].exec(text);
  if (start === null) return syntax;
  const rest = text.slice(start[0].length);
  const end = endOfPath(rest);
  if (end < 0) return syntax;
  const parameters = parseParameters(rest.slice(end + 1));
  if (parameters === undefined) return syntax;
  if (typeof parameters === 'string') return reply(501, '5.5.4', `Parameter ${parameters} is given twice`);
  return { path: rest.slice(1, end), parameters };
}

/** Index of the `>` that closes the path, quoted strings skipped; −1 when it is malformed. */
function endOfPath(text: string): number {
  if (!text.startsWith('<')) return -1;
  let quoted = false;
  for (let at = 1; at < text.length; at += 1) {
    const character = text[at];
    if (quoted && character === '\\') at += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && character === '<') return -1;
    else if (!quoted && character === '>') return at;
  }
  return -1;
}

/** Undefined: malformed; a string: the keyword that came twice. */
function parseParameters(text: string): Map<string, string | true> | string | undefined {
  const parameters = new Map<string, string | true>();
  if (text.trim() === '') return parameters;
  if (!/^[ \t]/.test(text)) return undefined;
  for (const word of text.trim().split(/[ \t]+/)) {
    const match = PARAMETER.exec(word);
    const keyword = match?.[1]?.toUpperCase();
    if (keyword === undefined) return undefined;
    if (parameters.has(keyword)) return keyword;
    parameters.set(keyword, match?.[2] ?? true);
  }
  return parameters;
}
