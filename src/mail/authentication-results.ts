/**
 * Authentication-Results (RFC 8601): ours composed from findings, and forged ones that bear our name found, to be cut out
 * (§5: a border MTA must remove them, or the mail server behind believes a stranger's "pass"). Pure; safe on any input.
 */
import { assertNever } from '../base/brand.ts';
import type { Finding } from './finding.ts';
import type { HeaderSection } from './header.ts';

const LINE = 76;

/**
 * One complete field with its final CRLF, folded. `reversePath`: as in the envelope, to name the identity SPF looked at.
 * `override`: why the DMARC result is not acted on, in words (RFC 8601 §2.2 reasonspec).
 * Without any finding of authentication: `none` (RFC 8601 §2.2).
 */
export function composeAuthenticationResults(options: {
  hostname: string;
  findings: readonly Finding[];
  reversePath: string;
  override?: string;
}): string {
  const results = options.findings.flatMap((finding) => resultOf(finding, options));
  const checked = options.findings.some((finding) => finding.kind === 'spf');
  // RFC 8601 §2.7.1: the message was not signed
  if (checked && !options.findings.some((finding) => finding.kind === 'dkim')) results.splice(1, 0, ['dkim=none']);
  const lines = [`Authentication-Results: ${options.hostname}`];
  if (results.length === 0) lines[0] += '; none';
  for (const words of results) {
    lines[lines.length - 1] += ';';
    lines.push(...foldWords(words));
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** The words of one resinfo (RFC 8601 §2.2), or nothing for other findings. */
function resultOf(finding: Finding, { reversePath, override }: { reversePath: string; override?: string }): string[][] {
  switch (finding.kind) {
    case 'spf': {
      const identity =
        reversePath === '' ? `smtp.helo=${value(finding.helo)}` : `smtp.mailfrom=${value(finding.domain)}`;
      return [[`spf=${finding.result}`, ...comment(finding.explanation), identity]];
    }
    case 'dkim':
      return [
        [
          `dkim=${finding.result}`,
          ...comment(finding.explanation),
          `header.d=${value(finding.domain)}`,
          `header.s=${value(finding.selector)}`,
        ],
      ];
    case 'dmarc':
      return [
        [
          `dmarc=${finding.result}`,
          ...comment(
            finding.result === 'fail' || finding.result === 'pass' ? `p=${finding.policy}` : finding.explanation,
          ),
          ...(override === undefined ? [] : [`reason=${quoted(printable(override).slice(0, 300))}`]),
          ...(finding.domain === '' ? [] : [`header.from=${value(finding.domain)}`]),
        ],
      ];
    case 'arc':
      return [
        [
          `arc=${finding.result}`,
          ...comment(
            finding.chain === 0
              ? undefined
              : `i=${finding.chain}${finding.sealer === undefined ? '' : ` sealed by ${finding.sealer}`}`,
          ),
        ],
      ];
    case 'from':
    case 'virus':
    case 'spam':
    case 'attachment':
    case 'structure':
    case 'summary':
    case 'poison':
      return [];
    default:
      return assertNever(finding);
  }
}

/** RFC 2045 token, or a quoted-string; never anything that could end the line. */
function value(text: string): string {
  const safe = printable(text).slice(0, 255);
  return /^[A-Za-z0-9!#$%&'*+\-.^_`{|}~@]+$/.test(safe) ? safe : quoted(safe);
}

/** Without escapes: not every reader knows them, and no honest domain, selector or reason has a quote or a backslash. */
function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '?')}"`;
}

/** Words of a comment: no parentheses, quotes or backslash, so that nothing can be closed early. */
function comment(text: string | undefined): string[] {
  if (text === undefined || text === '') return [];
  const words = printable(text)
    .replaceAll(/["()\\]/g, ' ')
    .split(/ +/)
    .filter((word) => word !== '')
    .slice(0, 40);
  if (words.length === 0) return [];
  words[0] = `(${words[0] ?? ''}`;
  words.push(`${words.pop() ?? ''})`);
  return words;
}

function printable(text: string): string {
  return text.replaceAll(/[^\u0020-\u007e]+/g, '?');
}

function foldWords(words: string[]): string[] {
  const lines: string[] = [];
  let line = '\t';
  for (const word of words) {
    if (line.length > 1 && line.length + 1 + word.length > LINE) {
      lines.push(line);
      line = '\t ';
    }
    line += line.trim() === '' ? word.slice(0, 900) : ` ${word.slice(0, 900)}`;
  }
  lines.push(line);
  return lines;
}

/** Octet ranges, ascending, of Authentication-Results fields that claim to be by `authservId`. */
export function ownResultsCuts(header: HeaderSection, authservId: string): Array<[start: number, end: number]> {
  const own = normalise(authservId);
  return header.fields
    .filter((field) => field.key === 'authentication-results' && claims(field.raw, own))
    .map((field): [number, number] => [field.start, field.end]);
}

/**
 * Does the value begin with our authserv-id (RFC 8601 §2.2: [CFWS] value, a token or quoted-string, in any case)? A value
 * that cannot be read counts as ours when our name stands anywhere in it: some reader may take it so.
 */
function claims(raw: string, own: string): boolean {
  const text = raw.replaceAll(/\r\n(?=[ \t])/g, '');
  const id = readId(text);
  if (id === undefined) return text.toLowerCase().includes(own);
  return normalise(id) === own;
}

function normalise(id: string): string {
  return id.toLowerCase().replace(/\.$/, '');
}

function readId(text: string): string | undefined {
  const at = skipComments(text, 0);
  if (at === undefined) return undefined;
  if (text[at] !== '"') {
    // up to what cannot be in a token; `host/1` is an old way to give the version
    const token = /^[^\s;()<>@,:\\"/[\]?=\u0000-\u001f]+/.exec(text.slice(at))?.[0];
    if (token === undefined) return undefined;
    // a token glued to something else is read differently by different readers
    return /^[\s;(/]|^$/.test(text.slice(at + token.length, at + token.length + 1)) ? token : undefined;
  }
  let id = '';
  for (let i = at + 1; i < text.length; i += 1) {
    if (text[i] === '"') return id.trim();
    if (text[i] === '\\') i += 1;
    id += text[i] ?? '';
  }
  return undefined;
}

/** Behind white space and (nested) comments; undefined when one is not closed. */
function skipComments(text: string, start: number): number | undefined {
  let depth = 0;
  for (let i = start; i < text.length; i += 1) {
    const character = text[i];
    if (character === '(') depth += 1;
    else if (character === ')' && depth > 0) depth -= 1;
    else if (character === '\\' && depth > 0) i += 1;
    else if (depth === 0 && character !== ' ' && character !== '\t') return i;
  }
  return depth === 0 ? text.length : undefined;
}
