/**
 * Reads an Authentication-Results value by the grammar of RFC 8601 §2.2, strictly: what deviates is not read at all, because
 * what two programs read differently is what a forger writes. Pure; linear; never throws. Comments are left out.
 */

export interface AuthenticationResults {
  /** As written, unquoted. */
  authservId: string;
  /** Empty for `none`. */
  results: MethodResult[];
}

export interface MethodResult {
  /** Lower case. */
  method: string;
  result: string;
  reason?: string;
  /** `smtp.mailfrom` and the like, in lower case. */
  properties: Record<string, string>;
}

type Token = { type: 'text' | 'quoted'; text: string } | { type: ';' | '=' | '/' } | { type: 'space' };

/** RFC 2045 §5.1 token characters and what RFC 8601 allows unquoted in a pvalue: `@`, and `:` and `/` of real mail. */
const TEXT = /[A-Za-z0-9!#$%&'*+\-.^_`{|}~@:[\]<>\u0080-\u00ff]/;

/** `value`: behind the colon, folds included. Undefined: not by the grammar. */
export function parseAuthenticationResults(value: string): AuthenticationResults | undefined {
  const tokens = tokenise(value.replaceAll(/\r\n(?=[ \t])/g, ''));
  if (tokens === undefined) return undefined;
  const parts: Token[][] = [[]];
  for (const token of tokens) {
    if (token.type === ';') parts.push([]);
    else parts.at(-1)?.push(token);
  }
  const [head, ...rest] = parts.map((part) => trim(part));
  const authservId = readId(head ?? []);
  // a trailing semicolon is common
  if (rest.at(-1)?.length === 0) rest.pop();
  if (authservId === undefined || rest.length === 0) return undefined;
  if (rest.length === 1 && isNone(rest[0] ?? [])) return { authservId, results: [] };
  const results = rest.map((part) => readResult(part));
  return results.every((result) => result !== undefined) ? { authservId, results } : undefined;
}

function tokenise(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text[at] as string;
    if (character === ' ' || character === '\t' || character === '(') {
      const end = character === '(' ? endOfComment(text, at) : at + 1;
      if (end === undefined) return undefined;
      if (tokens.at(-1)?.type !== 'space') tokens.push({ type: 'space' });
      at = end;
    } else if (character === ';' || character === '=' || character === '/') {
      tokens.push({ type: character });
      at += 1;
    } else if (character === '"') {
      const quoted = readQuoted(text, at);
      if (quoted === undefined) return undefined;
      tokens.push({ type: 'quoted', text: quoted.text });
      at = quoted.end;
    } else {
      const begin = at;
      while (at < text.length && TEXT.test(text[at] as string)) at += 1;
      if (at === begin) return undefined; // a control, a lone CR or LF, a comma, a backslash
      tokens.push({ type: 'text', text: text.slice(begin, at) });
    }
  }
  return tokens;
}

/** RFC 5322 §3.2.2, nested; the position behind it. */
function endOfComment(text: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at];
    if (character === '\\') at += 1;
    else if (character === '(') depth += 1;
    else if (character === ')') {
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (character === '\r' || character === '\n') return undefined;
  }
  return undefined;
}

function readQuoted(text: string, start: number): { text: string; end: number } | undefined {
  const pieces: string[] = [];
  for (let at = start + 1; at < text.length; at += 1) {
    let character = text[at] as string;
    if (character === '"') return { text: pieces.join(''), end: at + 1 };
    if (character === '\\') {
      at += 1;
      character = text[at] ?? '';
    }
    if (character === '\r' || character === '\n' || character === '') return undefined;
    pieces.push(character);
  }
  return undefined;
}

function trim(part: Token[]): Token[] {
  const from = part[0]?.type === 'space' ? 1 : 0;
  return part.slice(from, part.at(-1)?.type === 'space' ? Math.max(from, part.length - 1) : part.length);
}

/** `value [ CFWS version ]` */
function readId(part: Token[]): string | undefined {
  const [id, space, version, ...rest] = part;
  if (id === undefined || !('text' in id) || rest.length > 0) return undefined;
  if (space === undefined) return id.text;
  const numbered = version?.type === 'text' && /^\d+$/.test(version.text);
  return space.type === 'space' && numbered ? id.text : undefined;
}

function isNone(part: Token[]): boolean {
  return part.length === 1 && part[0]?.type === 'text' && part[0].text.toLowerCase() === 'none';
}

/** `method [ "/" version ] "=" result [ reason ] *( ptype "." property "=" pvalue )`, with white space around each mark. */
function readResult(part: Token[]): MethodResult | undefined {
  const pairs = readPairs(part);
  const [first, ...rest] = pairs ?? [];
  if (first === undefined || first.name.includes('.') || !/^[a-z]+$/i.test(first.value)) return undefined;
  const properties: Record<string, string> = Object.create(null) as Record<string, string>;
  let reason: string | undefined;
  for (const [position, { name, value }] of rest.entries()) {
    if (name === 'reason' && position === 0) reason = value;
    else if (/^[a-z][a-z-]*\.[a-z0-9][a-z0-9-]*$/.test(name)) {
      if (properties[name] !== undefined) return undefined; // which of the two is meant?
      properties[name] = value;
    }
    // `action=none` beside dmarc is in much real mail: no property, and it says nothing to us
    else if (!/^[a-z][a-z-]*$/.test(name)) return undefined;
  }
  const result = { method: first.name, result: first.value.toLowerCase(), properties };
  return reason === undefined ? result : { ...result, reason };
}

function readPairs(part: Token[]): Array<{ name: string; value: string }> | undefined {
  const pairs: Array<{ name: string; value: string }> = [];
  let at = 0;
  const skip = (): void => {
    if (part[at]?.type === 'space') at += 1;
  };
  while (at < part.length) {
    const name = part[at];
    if (name?.type !== 'text') return undefined;
    at += 1;
    skip();
    let whole = name.text;
    // `policy (comment) . (comment) expired`: white space around the dot is allowed too
    for (let next = part[at]; next?.type === 'text'; next = part[at]) {
      if (!whole.endsWith('.') && !next.text.startsWith('.')) return undefined;
      whole += next.text;
      at += 1;
      skip();
    }
    if (part[at]?.type === '/') {
      at += 1;
      skip();
      const version = part[at];
      if (version?.type !== 'text' || !/^\d+$/.test(version.text)) return undefined;
      at += 1;
      skip();
    }
    if (part[at]?.type !== '=') return undefined;
    at += 1;
    skip();
    const pieces: string[] = [];
    // base64 of header.b carries `/` and `=`; `"a b"@example.com` is a quoted piece and a plain one
    for (let token = part[at]; token !== undefined && token.type !== 'space'; token = part[at]) {
      pieces.push('text' in token ? token.text : token.type);
      at += 1;
    }
    if (pieces.length === 0) return undefined;
    pairs.push({ name: whole.toLowerCase(), value: pieces.join('') });
    skip();
  }
  return pairs;
}
