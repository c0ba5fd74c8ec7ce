/**
 * Magic recipients: whoever writes to `450@…` or `cut@…` sees that failure, by hand or in a test. The localpart alone
 * decides; the domain is any that the server takes. One implementation for the lab server and the trial mail server.
 */
import type { Text } from '../../src/base/i18n.ts';

export type Trick =
  /** Refused at RCPT; `close`: and the connection ended, as 421 means (RFC 5321 §3.8). */
  | { kind: 'refuse'; code: number; text: string; close?: true }
  /** Refused after the final dot (LMTP: for this recipient only). */
  | { kind: 'refuse-late'; code: number; text: string }
  /** RCPT is never answered. */
  | { kind: 'silent' }
  /** The connection breaks: in the middle of the data, or after the dot without a reply. */
  | { kind: 'cut'; when: 'data' | 'dot' }
  /** Taken, but the reply to the final dot comes late. */
  | { kind: 'slow' }
  /** Refused until some time has passed since the first try. */
  | { kind: 'greylist' };

/** Localpart → what it does, and how that is told to a person. */
export const MAGIC: Readonly<Record<string, { trick: Trick; does: Text }>> = {
  temperror: {
    trick: { kind: 'refuse', code: 451, text: '4.3.0 Temporary trouble, always' },
    does: { ja: '451 を返し続ける（再送の確認）', en: '451 at RCPT, always: is it tried again?' },
  },
  421: {
    trick: { kind: 'refuse', code: 421, text: '4.3.2 Closing, come back later', close: true },
    does: { ja: '421 を返して接続を閉じる', en: '421 at RCPT, and the connection is closed' },
  },
  greylist: {
    trick: { kind: 'greylist' },
    does: {
      ja: '最初は 450「{seconds} 秒後に」、その後は受け取る',
      en: '450 "try again in {seconds} seconds" at first, taken after that',
    },
  },
  full: {
    trick: { kind: 'refuse', code: 452, text: '4.2.2 Mailbox is full' },
    does: { ja: '452 メールボックスがいっぱい', en: '452 mailbox full' },
  },
  quota: {
    trick: { kind: 'refuse-late', code: 552, text: '5.2.2 Over quota' },
    does: {
      ja: '本文の後で 552（LMTP ではこの宛先だけ）',
      en: '552 over quota, after the data (LMTP: this recipient only)',
    },
  },
  spam: {
    trick: { kind: 'refuse-late', code: 554, text: '5.7.1 We do not like this message' },
    does: { ja: '本文の後で 554（内容による拒否）', en: '554 after the data: refused for its content' },
  },
  timeout: {
    trick: { kind: 'silent' },
    does: { ja: '宛先に応答しない（タイムアウトの確認）', en: 'never answers RCPT: the other side must give up' },
  },
  cut: {
    trick: { kind: 'cut', when: 'data' },
    does: { ja: '本文の途中で接続を切る', en: 'cuts the connection in the middle of the data' },
  },
  cutdot: {
    trick: { kind: 'cut', when: 'dot' },
    does: { ja: '本文の後、応答せずに切る', en: 'cuts the connection after the data, without a reply' },
  },
  slow: {
    trick: { kind: 'slow' },
    does: { ja: '{slow} 秒待ってから受け取る', en: 'takes the message, {slow} seconds late' },
  },
};

/** Any other reply code, by its number. */
export const ANY_CODE: Text = {
  ja: 'その番号の応答（400〜599）',
  en: 'that very reply code (400 to 599)',
};

export function trickOf(address: string): Trick | undefined {
  const at = address.lastIndexOf('@');
  const localpart = (at < 0 ? address : address.slice(0, at)).toLowerCase();
  if (Object.hasOwn(MAGIC, localpart)) return MAGIC[localpart]?.trick;
  if (!/^[45]\d\d$/.test(localpart)) return undefined;
  const code = Number(localpart);
  return { kind: 'refuse', code, text: `${localpart.charAt(0)}.0.0 As you asked: ${localpart}` };
}

/** Remembers first tries; bounded, oldest forgotten. */
export class Greylist {
  readonly #first = new Map<string, number>();
  readonly #waitMs: number;
  readonly #now: () => number;

  constructor(options: { waitMs: number; now: () => number }) {
    this.#waitMs = options.waitMs;
    this.#now = options.now;
  }

  /** Milliseconds still to wait; 0: welcome. */
  remaining(reversePath: string, recipient: string): number {
    const key = `${reversePath}\n${recipient.toLowerCase()}`;
    const first = this.#first.get(key) ?? this.#now();
    this.#first.set(key, first);
    const [oldest] = this.#first.keys();
    if (this.#first.size > 10_000 && oldest !== undefined) this.#first.delete(oldest);
    return Math.max(0, first + this.#waitMs - this.#now());
  }
}

export function refusal(code: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode: code });
}
