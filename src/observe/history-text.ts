/** Texts on their way into the history: cut to length, brought to the form they are looked up by. Pure. */
import { displayDomain, domainOf, type ReversePath } from '../mail/address.ts';
import type { MailEvent } from './events.ts';

export function clip(text: string, length: number): string {
  return (text.length <= length ? text : `${text.slice(0, length - 1)}…`).toWellFormed();
}

export function bareMessageId(text: string): string {
  return text.trim().replace(/^<(.*)>$/, '$1');
}

export function domainPart(address: string): string {
  const at = address.lastIndexOf('@');
  return at < 0 ? '' : address.slice(at + 1);
}

/** A domain stored as A-label is also found by what people read. */
export function readable(address: string): string[] {
  const domain = domainOf(address as ReversePath);
  return domain === undefined || !domain.includes('xn--') ? [] : [`@${displayDomain(domain)}`];
}

const MAX_TEXT = 2_000;

/** The event as kept: long texts cut, symbols without their descriptions, no subject when none is wanted. */
export function compact(event: MailEvent, subjects: boolean): unknown {
  const walk = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') return key === 'subject' && !subjects ? '' : clip(value, MAX_TEXT);
    if (Array.isArray(value)) return value.slice(0, 1_000).map((entry) => walk(entry, key));
    if (typeof value !== 'object' || value === null) return value;
    const kept = Object.entries(value).filter(([name]) => !(key === 'symbols' && name === 'description'));
    return Object.fromEntries(kept.map(([name, inner]) => [name, walk(inner, name)]));
  };
  return walk(event, '');
}
