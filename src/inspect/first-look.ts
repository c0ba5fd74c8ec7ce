/**
 * Is the beginning of a message all that has to be seen of it? Of a large one the worker is given the first octets only, and
 * asks for the rest when it needs it: for a signature, for parts, for whatever lies in a file. One plain text without any of
 * these says all that is reported of it in its header and its first octets. Pure; in doubt the answer is "the whole".
 * `test/inspect/first-look.test.ts` holds it against the look at the whole.
 */
import type { Bytes } from '../base/brand.ts';
import { type HeaderField, type HeaderSection, parseHeader } from '../mail/header.ts';
import { parseStructured, stripComments } from '../mail/words.ts';
import type { MessageOctets } from './api.ts';
import { HEAD_OCTETS, kindOf } from './file-kinds.ts';
import { decoderFor } from './transfer-decoding.ts';
import { BeginGauge } from './uuencode.ts';

/** What a large message begins with: room for a header, and for `HEAD_OCTETS` in base64. */
export const FIRST_OCTETS: Bytes = 128 * 1024;

/** These say nothing about a tree or a file. `boundary` and `name` do, and whatever is not here might to some program. */
const PLAIN_PARAMETERS: ReadonlySet<string> = new Set(['charset', 'format', 'delsp']);
const STRUCTURE_FIELDS = ['content-type', 'content-disposition', 'content-transfer-encoding'] as const;

/**
 * May a file stand in the text behind the beginning (uuencode)? Asked by who has the whole message, before it lets the worker judge
 * by the beginning alone. A multipart is not searched: of that the whole is wanted in any case.
 */
export async function mayHoldFile(octets: MessageOctets, head: Buffer): Promise<boolean> {
  const { fields } = parseHeader(head);
  const said = (key: string): string => fields.find((field) => field.key === key)?.raw ?? '';
  if (/^\s*multipart\//i.test(said('content-type'))) return false;
  // an encoded text shows what stands in it only when it is undone
  if (/base64|quoted/i.test(said('content-transfer-encoding'))) return true;
  const gauge = new BeginGauge();
  if (octets.pieces !== undefined) return octets.pieces.some((piece) => gauge.isFound(piece));
  const source = octets.stream();
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) if (gauge.isFound(chunk)) return true;
    return false;
  } finally {
    source.destroy();
  }
}

/** True unless the findings are the same without the octets behind `head`. */
export async function isWholeWanted(head: Buffer, header: HeaderSection): Promise<boolean> {
  if (header.bodyStart >= head.length || header.malformed > 0) return true;
  const fields = new Map<string, HeaderField>();
  for (const field of header.fields) {
    // the body is part of what is verified (RFC 6376 §3.7, RFC 8617 §4.1.2)
    if (field.key === 'dkim-signature' || field.key === 'arc-message-signature') return true;
    if (!(STRUCTURE_FIELDS as readonly string[]).includes(field.key)) continue;
    if (fields.has(field.key)) return true; // programs differ in which of two they believe
    fields.set(field.key, field);
  }
  const type = parseStructured(fields.get('content-type')?.raw ?? '');
  const disposition = parseStructured(fields.get('content-disposition')?.raw ?? '');
  if (!/^(?:text\/[a-z0-9-]+)?$/.test(type.value) || !/^(?:inline)?$/.test(disposition.value)) return true;
  if (disposition.parameters.size > 0) return true;
  for (const name of type.parameters.keys()) if (!PLAIN_PARAMETERS.has(name)) return true;
  const raw = fields.get('content-type')?.raw ?? '';
  // an encoded, folded or escaped form that another reader might take for a boundary or a name
  if (/boundary|name|multipart|message|[()\\]/i.test(raw)) return true;
  const decoder = decoderFor(
    stripComments(fields.get('content-transfer-encoding')?.raw ?? '')
      .trim()
      .toLowerCase(),
  );
  if (decoder === undefined) return true;
  const first = decoder.write(head.subarray(header.bodyStart)).subarray(0, HEAD_OCTETS);
  if (first.length < HEAD_OCTETS) return true;
  const kind = await kindOf({ name: '', declaredType: type.value, head: first });
  // what is a file in disguise is looked at and reported with its size
  return kind.zip || kind.oneNote || kind.packed !== undefined || kind.traits.length > 0;
}
