/**
 * What strangers wrote, shown as what it is: addresses, subjects, file names. Always text, in its own direction, with hidden
 * characters written out; a domain in non-ASCII stands with its punycode beside, and one that mixes scripts is marked, since
 * `раypal.com` looks like another. Never put on a page in any other way.
 */
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';

/** Invisible or direction-changing: controls, zero-width, bidi overrides, tags. UTS #39, RFC 8265. */
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

const MARKS = {
  hidden: { ja: '隠れた文字', en: 'hidden characters' },
  hiddenWhy: {
    ja: '見えない文字、または文字の向きを変える文字が含まれています。<> の中に番号で示しています。',
    en: 'Contains characters that are invisible or turn the writing around; shown by number in <>.',
  },
  mixed: { ja: '紛らわしい文字', en: 'look-alike letters' },
  mixedWhy: {
    ja: 'ラテン文字に似た別の文字が混ざっています。有名なドメインの偽物によく使われます。',
    en: 'Mixes Latin with letters that look alike: a common way to imitate a known domain.',
  },
} as const;

export function writtenOut(text: string): { text: string; hidden: boolean } {
  let hidden = false;
  const shown = text.replaceAll(HIDDEN, (character) => {
    if (character === '\n' || character === '\t') return ' ';
    hidden = true;
    return `<${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`;
  });
  return { text: shown, hidden };
}

/** Latin together with Cyrillic, Greek, Armenian or Cherokee; Japanese with Latin is everyday writing. UTS #39 §5.2 */
export function mixesScripts(text: string): boolean {
  return (
    /\p{Script=Latin}/u.test(text) &&
    /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u.test(text)
  );
}

/** A whole label in Cyrillic or Greek under a Latin top level is as good a trick (`раураӏ.com`). */
export function looksAlike(domain: string): boolean {
  if (domain.split('.').some((label) => mixesScripts(label))) return true;
  const labels = domain.split('.');
  const top = labels.at(-1) ?? '';
  return (
    /^[a-z-]+$/i.test(top) && labels.slice(0, -1).some((label) => /[\p{Script=Cyrillic}\p{Script=Greek}]/u.test(label))
  );
}

export function MailText({ text, clip }: { text: string; clip?: boolean }) {
  if (text === '') return null; // a cell with nothing in it takes no line on a phone
  const shown = writtenOut(text);
  return (
    <>
      <bdi class={clip === true ? 'clip' : ''}>{shown.text}</bdi>
      {shown.hidden ? (
        <span class="mark" title={t(MARKS.hiddenWhy)}>
          {t(MARKS.hidden)}
        </span>
      ) : null}
    </>
  );
}

export function Subject({ text }: { text: string }) {
  return text === '' ? <span class="soft">{t(COMMON.noSubject)}</span> : <MailText text={text} clip />;
}

/** `address` as the box stores it (A-labels); the empty one is the null reverse-path. */
export function Address({ address }: { address: string }) {
  if (address === '' || address === '<>') return <span class="soft">{t(COMMON.emptySender)}</span>;
  const at = address.lastIndexOf('@');
  const domain = at < 0 ? '' : address.slice(at + 1);
  const unicode = unicodeOf(domain);
  if (unicode === domain)
    return (
      <>
        <MailText text={address} />
        {looksAlike(domain) || mixesScripts(address.slice(0, Math.max(at, 0))) ? <LookAlike /> : null}
      </>
    );
  return (
    <>
      <MailText text={`${address.slice(0, at + 1)}${unicode}`} /> <span class="soft small mono">({domain})</span>
      {looksAlike(unicode) ? <LookAlike /> : null}
    </>
  );
}

function LookAlike() {
  return (
    <span class="mark" title={t(MARKS.mixedWhy)}>
      {t(MARKS.mixed)}
    </span>
  );
}

export function unicodeOf(domain: string): string {
  return domain
    .split('.')
    .map((label) => (label.toLowerCase().startsWith('xn--') ? (decodePunycode(label.slice(4)) ?? label) : label))
    .join('.');
}

/** RFC 3492 §6.2; undefined when it is none. Browsers only know the other direction. */
function decodePunycode(input: string): string | undefined {
  const basicEnd = input.lastIndexOf('-');
  const output = Array.from(input.slice(0, Math.max(basicEnd, 0)), (character) => character.codePointAt(0) ?? 0);
  let [n, i, bias] = [128, 0, 72];
  for (let at = basicEnd < 0 ? 0 : basicEnd + 1; at < input.length; ) {
    const before = i;
    let weight = 1;
    for (let k = 36; ; k += 36) {
      const digit = digitOf(input.charCodeAt(at));
      at += 1;
      if (digit === undefined) return undefined;
      i += digit * weight;
      if (i > 0x7fffffff) return undefined;
      const threshold = Math.min(Math.max(k - bias, 1), 26);
      if (digit < threshold) break;
      weight *= 36 - threshold;
    }
    const size = output.length + 1;
    bias = adapt(i - before, { size, first: before === 0 });
    n += Math.floor(i / size);
    i %= size;
    if (n > 0x10ffff) return undefined;
    output.splice(i, 0, n);
    i += 1;
  }
  return String.fromCodePoint(...output);
}

function adapt(delta: number, { size, first }: { size: number; first: boolean }): number {
  let rest = first ? Math.floor(delta / 700) : Math.floor(delta / 2);
  rest += Math.floor(rest / size);
  let k = 0;
  for (; rest > 455; k += 36) rest = Math.floor(rest / 35);
  return k + Math.floor((36 * rest) / (rest + 38));
}

function digitOf(code: number): number | undefined {
  if (code >= 48 && code <= 57) return code - 22;
  if (code >= 65 && code <= 90) return code - 65;
  if (code >= 97 && code <= 122) return code - 97;
  return undefined;
}
