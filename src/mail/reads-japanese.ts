/**
 * Does the sender of a message read Japanese? His mail program says so (Accept-Language, Content-Language: RFC 3282), or he has
 * written kana into Subject or his own name. "No" only means that nothing says so: English is no sign of the contrary, since
 * programs in Japan declare it too. Pure; looks at the beginning of a few fields, and bears whatever a stranger writes there.
 */
import { firstField, parseHeader } from './header.ts';
import { decodeWords } from './words.ts';

const LOOKED_AT = 1_000;

/** `octets`: a header section. */
export function readsJapanese(octets: Buffer): boolean {
  const header = parseHeader(octets);
  const said = (name: string): string => firstField(header, name)?.raw.slice(0, LOOKED_AT) ?? '';
  // RFC 5646 §2.1.1: case does not matter
  if (/(?:^|[\s,])ja(?:$|[\s,;-])/i.test(`${said('accept-language')},${said('content-language')}`)) return true;
  return ['subject', 'from'].some((name) => /[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(decodeWords(said(name))));
}
