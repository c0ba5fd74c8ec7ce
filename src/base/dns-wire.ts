/**
 * As much of the DNS message format (RFC 1035 §4, RFC 6891, RFC 6698 §2.1) as asking a validating resolver needs: a query
 * that wants to hear the AD bit (RFC 6840 §5.7), and the answer with that bit, which the runtime's own client hides. Pure.
 * A message that is not well-formed is `undefined`: an answer nobody can read is no answer.
 */

export const WIRE_TYPES = { A: 1, CNAME: 5, MX: 15, AAAA: 28, TLSA: 52 } as const;
export type WireType = Exclude<keyof typeof WIRE_TYPES, 'CNAME'>;

/** RFC 6698 §2.1 */
export interface TlsaRecord {
  usage: number;
  selector: number;
  matching: number;
  data: Buffer;
}

export interface WireAnswer {
  id: number;
  /** 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN … */
  code: number;
  /** The resolver says that it has validated every record (RFC 4035 §3.2.3). */
  authentic: boolean;
  truncated: boolean;
  /** Where the chain of CNAMEs ends; the name asked for when there is none. Lower case, no final dot. */
  canonical: string;
  /** Records of the type asked for, of whatever type. */
  count: number;
  exchanges: string[];
  tlsa: TlsaRecord[];
}

const CLASS_IN = 1;
const TYPE_OPT = 41;
const RECURSION_DESIRED = 0x0100;
const AUTHENTIC_DATA = 0x0020;
const TRUNCATED = 0x0200;
const RESPONSE = 0x8000;
/** RFC 6891 §6.2.5, and what passes every path unfragmented. */
const UDP_PAYLOAD = 1_232;
const MAX_POINTERS = 64;
const MAX_RECORDS = 200;

/** Undefined: a name DNS cannot carry (RFC 1035 §2.3.4). */
export function encodeQuery(name: string, type: WireType, id: number): Buffer | undefined {
  const labels = name.replace(/\.$/, '').split('.');
  if (labels.some((label) => label === '' || label.length > 63) || name.length > 253) return undefined;
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(RECURSION_DESIRED | AUTHENTIC_DATA, 2);
  header.writeUInt16BE(1, 4); // QDCOUNT
  header.writeUInt16BE(1, 10); // ARCOUNT: the OPT record
  const question = labels.map((label) => Buffer.from(`\0${label}`, 'latin1'));
  for (const label of question) label[0] = label.length - 1;
  const tail = Buffer.alloc(5);
  tail.writeUInt16BE(WIRE_TYPES[type], 1);
  tail.writeUInt16BE(CLASS_IN, 3);
  const opt = Buffer.alloc(11);
  opt.writeUInt16BE(TYPE_OPT, 1);
  opt.writeUInt16BE(UDP_PAYLOAD, 3);
  return Buffer.concat([header, ...question, tail, opt]);
}

/** The answer to a question for `name` and `type`; anything else is undefined. */
export function parseAnswer(message: Buffer, asked: { name: string; type: WireType }): WireAnswer | undefined {
  try {
    return read(message, asked);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // it ends too early, or points nowhere
    throw error;
  }
}

function read(message: Buffer, { name, type }: { name: string; type: WireType }): WireAnswer | undefined {
  const flags = message.readUInt16BE(2);
  if ((flags & RESPONSE) === 0 || message.readUInt16BE(4) !== 1) return undefined;
  const question = readName(message, 12);
  const wanted = name.replace(/\.$/, '').toLowerCase();
  if (question.name !== wanted || message.readUInt16BE(question.end) !== WIRE_TYPES[type]) return undefined;
  const answer: WireAnswer = {
    id: message.readUInt16BE(0),
    code: flags & 0x0f,
    authentic: (flags & AUTHENTIC_DATA) !== 0,
    truncated: (flags & TRUNCATED) !== 0,
    canonical: wanted,
    count: 0,
    exchanges: [],
    tlsa: [],
  };
  const aliases = new Map<string, string>();
  let at = question.end + 4;
  const records = Math.min(message.readUInt16BE(6), MAX_RECORDS);
  for (let index = 0; index < records; index += 1) {
    const owner = readName(message, at);
    const found = message.readUInt16BE(owner.end);
    const length = message.readUInt16BE(owner.end + 8);
    const start = owner.end + 10;
    at = start + length;
    if (at > message.length) throw new RangeError('A record reaches beyond the message');
    if (found === WIRE_TYPES.CNAME) aliases.set(owner.name, readName(message, start).name);
    if (found !== WIRE_TYPES[type]) continue;
    answer.count += 1;
    if (type === 'MX') answer.exchanges.push(readName(message, start + 2).name);
    if (type === 'TLSA' && length > 3) answer.tlsa.push(readTlsa(message.subarray(start, at)));
  }
  for (let hops = 0; hops < MAX_POINTERS && aliases.has(answer.canonical); hops += 1)
    answer.canonical = aliases.get(answer.canonical) as string;
  return answer;
}

function readTlsa(data: Buffer): TlsaRecord {
  const [usage, selector, matching] = [data.readUInt8(0), data.readUInt8(1), data.readUInt8(2)];
  return { usage, selector, matching, data: Buffer.from(data.subarray(3)) };
}

/** RFC 1035 §4.1.4: labels, and pointers to earlier ones; a loop of pointers ends. */
function readName(message: Buffer, from: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = from;
  let end: number | undefined;
  for (let pointers = 0; ; ) {
    const length = message.readUInt8(at);
    if (length === 0) break;
    if (length >= 0xc0) {
      pointers += 1;
      if (pointers > MAX_POINTERS) throw new RangeError('Too many pointers in a name');
      end ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
      continue;
    }
    if (length > 63 || at + 1 + length > message.length) throw new RangeError('A label is too long');
    labels.push(message.toString('latin1', at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  return { name: labels.join('.'), end: end ?? at + 1 };
}
