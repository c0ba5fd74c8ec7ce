/**
 * What people want to read of a message's header, and whether the header is one we follow at all. Pure.
 */
import type { Finding } from '../mail/finding.ts';
import { findHeaderEnd, firstField, type HeaderSection } from '../mail/header.ts';
import { decodeWords, displayText } from '../mail/words.ts';
import type { InspectLimits } from './settings.ts';

export function summarise(header: HeaderSection): Finding {
  const read = (key: string): string => {
    const field = firstField(header, key);
    return field === undefined ? '' : displayText(decodeWords(field.raw));
  };
  return { kind: 'summary', subject: read('subject'), messageId: read('message-id'), from: read('from') };
}

/** A header beyond the limits is not read further: no signature is verified, no part is looked into. */
export function headerProblem(
  head: Buffer,
  options: { header: HeaderSection; limits: InspectLimits; size: number },
): Finding | undefined {
  const { header, limits, size } = options;
  if (findHeaderEnd(head) < 0 && size > limits.headerOctets) {
    return tooComplex(`The header is larger than ${limits.headerOctets} octets`);
  }
  if (header.fields.length > limits.headerFields) {
    return tooComplex(`The header has ${header.fields.length} fields, more than ${limits.headerFields}`);
  }
  return undefined;
}

export function isTooComplex(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.kind === 'structure' && finding.problem === 'too-complex');
}

export function tooComplex(detail: string): Finding {
  return { kind: 'structure', problem: 'too-complex', detail };
}
