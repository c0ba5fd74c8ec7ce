/**
 * The header section of a message as bytes and fields (RFC 5322 §2.2). Nothing is rewritten here: a field knows where it
 * stands, so that others can cut it out or read it. Linear in the size of the header; safe on any input.
 */

export interface HeaderField {
  /** As written. */
  name: string;
  /** Lower case. */
  key: string;
  /** Raw octets of the value as latin1, folds included, without the final line end. */
  raw: string;
  /** Octet range of the whole field in the message, line ends included. */
  start: number;
  end: number;
}

export interface HeaderSection {
  fields: HeaderField[];
  /** Offset of the first octet of the body (after the empty line), or the length when there is none. */
  bodyStart: number;
  /** Lines before the empty line that are neither a field nor a continuation. */
  malformed: number;
}

/** Offset just behind the empty line that ends the header (CRLF CRLF), or −1 when it is not in these bytes. */
export function findHeaderEnd(bytes: Buffer): number {
  if (bytes.length >= 2 && bytes[0] === 13 && bytes[1] === 10) return 2;
  const at = bytes.indexOf('\r\n\r\n');
  return at < 0 ? -1 : at + 4;
}

/** Parses the header of a CRLF-clean message; give as many leading bytes as hold the header. */
export function parseHeader(bytes: Buffer): HeaderSection {
  const end = findHeaderEnd(bytes);
  const stop = end < 0 ? bytes.length : end;
  const fields: HeaderField[] = [];
  let malformed = 0;
  let at = 0;
  while (at < stop) {
    const eol = bytes.indexOf('\r\n', at);
    const lineEnd = eol < 0 || eol + 2 > stop ? stop : eol + 2;
    const first = bytes[at];
    if (first === 13 || lineEnd - at <= 0) break; // the empty line
    const previous = fields.at(-1);
    if ((first === 32 || first === 9) && previous !== undefined && previous.end === at) {
      previous.end = lineEnd;
    } else {
      // Only within the line: a search beyond it would make lines without a colon quadratic.
      const colon = bytes.subarray(at, lineEnd).indexOf(58);
      const name = colon < 0 ? '' : bytes.toString('latin1', at, at + colon).trimEnd();
      if (name === '' || !/^[\u0021-\u0039\u003b-\u007e]+$/.test(name)) malformed += 1;
      else fields.push({ name, key: name.toLowerCase(), raw: '', start: at, end: lineEnd });
    }
    at = lineEnd;
  }
  for (const field of fields) {
    const colon = bytes.indexOf(58, field.start);
    field.raw = bytes.toString('latin1', colon + 1, field.end).replace(/\r\n$/, '');
  }
  return { fields, bodyStart: end < 0 ? bytes.length : end, malformed };
}

/** The value on one line: folds undone, UTF-8 read (RFC 6532), edges trimmed. Encoded words are left as they are. */
export function unfold(field: HeaderField): string {
  return Buffer.from(field.raw, 'latin1')
    .toString('utf8')
    .replaceAll(/\r\n(?=[ \t])/g, '')
    .trim();
}

export function firstField(header: HeaderSection, key: string): HeaderField | undefined {
  return header.fields.find((field) => field.key === key);
}

export function countFields(header: HeaderSection, key: string): number {
  return header.fields.reduce((count, field) => count + (field.key === key ? 1 : 0), 0);
}
