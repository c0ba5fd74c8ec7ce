/**
 * Content-Transfer-Encoding undone chunk by chunk (RFC 2045 §6), the way mail programs do it rather than the way the RFC
 * wishes: what a person's program would open must be what is looked at. Linear, bounded memory, safe on any input.
 */
export interface Decoder {
  /** What these octets complete. */
  write(chunk: Buffer): Buffer;
  end(): Buffer;
}

/** Undefined for an encoding we cannot undo. */
export function decoderFor(encoding: string): Decoder | undefined {
  switch (encoding) {
    case '':
    case '7bit':
    case '8bit':
    case 'binary':
      return { write: (chunk) => chunk, end: () => Buffer.alloc(0) };
    case 'base64':
      return base64Decoder();
    case 'quoted-printable':
      return quotedPrintableDecoder();
    default:
      return undefined;
  }
}

/** Octets outside the alphabet are skipped; padding ends a quantum, not the data (joined segments are read on). */
function base64Decoder(): Decoder {
  let rest = '';
  return {
    write(chunk) {
      const text = rest + chunk.toString('latin1').replaceAll(/[^A-Za-z0-9+/=]+/g, '');
      if (!text.includes('=')) {
        const whole = text.length - (text.length % 4);
        rest = text.slice(whole);
        return Buffer.from(text.slice(0, whole), 'base64');
      }
      const segments = text.split(/=+/);
      const last = segments.pop() ?? '';
      const whole = last.length - (last.length % 4);
      rest = last.slice(whole);
      return Buffer.concat([...segments, last.slice(0, whole)].map((segment) => Buffer.from(segment, 'base64')));
    },
    end: () => Buffer.from(rest, 'base64'),
  };
}

/** RFC 2045 §6.7. A line is kept until it is complete (64 KiB at most): only its end tells a soft break. */
function quotedPrintableDecoder(): Decoder {
  let rest = '';
  const decode = (text: string): Buffer => {
    const joined = text.split('\n').map(undoLineEnd).join('');
    const bytes = joined.replaceAll(/=([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return Buffer.from(bytes, 'latin1');
  };
  return {
    write(chunk) {
      const text = rest + chunk.toString('latin1');
      let cut = text.lastIndexOf('\n') + 1;
      if (cut === 0 && text.length > 65_536) cut = text.length - 3;
      rest = text.slice(cut);
      return decode(text.slice(0, cut));
    },
    end: () => decode(rest),
  };
}

/** One line without its LF: white space at its end is dropped (RFC 2045 §6.7 rule 3), `=` there joins it to the next. */
function undoLineEnd(line: string, index: number, lines: readonly string[]): string {
  if (index === lines.length - 1) return line;
  const cr = line.endsWith('\r');
  let end = cr ? line.length - 1 : line.length;
  // no regular expression: one that looks for white space at an end is quadratic on a long run of it
  while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end -= 1;
  if (line[end - 1] === '=') return line.slice(0, end - 1);
  return `${line.slice(0, end)}${cr ? '\r\n' : '\n'}`;
}
