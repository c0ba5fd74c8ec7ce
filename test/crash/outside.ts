/**
 * What stands outside the box while it is cut: the book of what was sent, what was answered and what arrived. It alone
 * knows what the gateway owes. Messages are made from their number, so that one may be sent again octet for octet without
 * being kept: 1 KB to 5 MB, 1 to 20 recipients, one in twelve in the name of our own domain (quarantined).
 */
import { createHash } from 'node:crypto';

export interface Sample {
  number: number;
  from: string;
  to: readonly string[];
  bytes: Buffer;
}

/** One message in the book. */
export interface Page {
  recipients: readonly string[];
  /** Of what was sent. */
  sha: string;
  acked: boolean;
  /** Queue ids of its 250s: more than one when an answer was lost and it was sent again. */
  ids: string[];
  /** An operator was told to delete it; he may have been cut off before. */
  maybeDeleted: boolean;
  /** Recipient → transactions in which he was served, or told about in a DSN. */
  served: Map<string, number>;
  bounced: Set<string>;
}

const LINE = 76;
const POOL_LINES = 80_000; // 6 MB
const MARK = 'X-Crash: ';

/** A small generator with a seed (mulberry32): the same run again from the seed that was printed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export class Samples {
  readonly #seed: number;
  readonly #pool: Buffer;

  constructor(seed: number) {
    this.#seed = seed;
    const random = randomFrom(seed);
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    this.#pool = Buffer.alloc(POOL_LINES * LINE, '\r\n');
    for (let line = 0; line < POOL_LINES; line += 1) {
      for (let at = 0; at < LINE - 2; at += 1) {
        this.#pool[line * LINE + at] = letters.charCodeAt(Math.floor(random() * 64));
      }
    }
  }

  make(number: number): Sample {
    const random = randomFrom(this.#seed ^ Math.imul(number, 2_654_435_761));
    const spoofed = number % 12 === 5;
    const size = sizeFor(number, random);
    const count = number % 9 === 0 ? 1 + Math.floor(random() * 20) : 1 + Math.floor(random() * 2);
    const to = Array.from({ length: count }, (_, index) => {
      // never: refused for now until it expires; gone: refused for good; the rest as the sink likes
      const kind = index > 0 && number % 40 === 9 ? 'never' : random() < 0.05 ? 'gone' : 'yes';
      return `${kind}.${index}.${number}@office.example`;
    });
    const author = spoofed ? 'President <president@office.example>' : 'Hanako <hanako@example.com>';
    const head = [
      `${MARK}${number}`,
      `From: ${author}`,
      'To: office@office.example',
      `Subject: Message ${number}`,
      'Date: Sat, 21 Nov 2026 10:00:00 +0900',
      `Message-ID: <crash.${number}@example.com>`,
    ];
    const lines = Math.max(1, Math.floor(size / LINE));
    const from = Math.floor(random() * (POOL_LINES - lines));
    const body = this.#pool.subarray(from * LINE, (from + lines) * LINE);
    const bytes = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
    return { number, from: spoofed ? 'boss@nospf.example' : 'hanako@example.com', to, bytes };
  }
}

function sizeFor(number: number, random: () => number): number {
  if (number % 300 === 7) return 5_000_000;
  if (number % 60 === 11) return 600_000 + random() * 900_000;
  if (number % 15 === 3) return 50_000 + random() * 250_000;
  return 1_000 + random() * 9_000;
}

export class Book {
  readonly pages = new Map<number, Page>();
  /** Bodies that differ from what was sent, by number. */
  readonly altered: number[] = [];
  /** Transactions with somebody in them who had been served before. */
  extra = 0;
  accepted = 0;
  /** 5xx replies to mail that nobody should refuse for good. */
  readonly refused: string[] = [];

  sent(sample: Sample): Page {
    let page = this.pages.get(sample.number);
    if (page === undefined) {
      page = {
        recipients: sample.to,
        sha: hashOf(sample.bytes),
        acked: false,
        ids: [],
        maybeDeleted: false,
        served: new Map(),
        bounced: new Set(),
      };
      this.pages.set(sample.number, page);
    }
    return page;
  }

  /** `text`: of the 250, with the queue id in it. */
  acknowledge(number: number, text: string): void {
    const page = this.pages.get(number);
    if (page === undefined) return;
    page.acked = true;
    page.ids.push(/[0-9A-Z]{7}-[0-9A-Z]{13}/.exec(text)?.[0] ?? '');
    this.accepted += 1;
  }

  /** A message was taken by the mail server behind. */
  arrived(to: readonly string[], bytes: Buffer): void {
    const at = bytes.indexOf(MARK);
    const number = numberIn(bytes);
    const page = number === undefined ? undefined : this.pages.get(number);
    if (number === undefined || page === undefined || hashOf(bytes.subarray(at)) !== page.sha) {
      this.altered.push(number ?? -1);
      return;
    }
    let again = false;
    for (const recipient of to) {
      if (!page.recipients.includes(recipient)) this.altered.push(number);
      const before = page.served.get(recipient) ?? 0;
      again ||= before > 0;
      page.served.set(recipient, before + 1);
    }
    if (again) this.extra += 1;
  }

  /** A DSN went out to the sender. */
  bounced(bytes: Buffer): void {
    const number = numberIn(bytes);
    const page = number === undefined ? undefined : this.pages.get(number);
    if (page === undefined) return;
    const told = [...bytes.toString('latin1').matchAll(/^Final-Recipient: rfc822; *(\S+)\r$/gm)].map(([, one]) => one);
    let again = false;
    for (const recipient of told) {
      if (recipient === undefined) continue;
      again ||= page.bounced.has(recipient);
      page.bounced.add(recipient);
    }
    if (again) this.extra += 1;
  }

  /** Acknowledged, and somebody in it has neither been served nor told about. */
  open(): number[] {
    const open: number[] = [];
    for (const [number, page] of this.pages) if (page.acked && !isAccountedFor(page)) open.push(number);
    return open;
  }
}

export function isAccountedFor(page: Page): boolean {
  return (
    page.maybeDeleted || page.recipients.every((recipient) => page.served.has(recipient) || page.bounced.has(recipient))
  );
}

function numberIn(bytes: Buffer): number | undefined {
  const at = bytes.indexOf(MARK);
  if (at < 0) return undefined;
  return Number.parseInt(bytes.toString('latin1', at + MARK.length, at + MARK.length + 12), 10);
}

export function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
