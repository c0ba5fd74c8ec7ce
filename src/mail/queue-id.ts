/**
 * Our name for one message, in replies, logs and file names: `0000K3M-7Q2…` = 7 characters of sequence and 13 of
 * randomness (65 bits), Crockford base 32. The sequence says in which sub-folder the file lies. Parts of a split carry
 * their parent's id (`….1`), a DSN its parent's and the attempt (`….d3`): the family is visible, and a repeated step
 * after a power cut makes the same id again.
 */
import { randomBytes } from 'node:crypto';
import type { Brand } from '../base/brand.ts';

export type QueueId = Brand<string, 'QueueId'>;

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const PATTERN = /^[0-9A-HJKMNP-TV-Z]{7}-[0-9A-HJKMNP-TV-Z]{13}(?:\.d?\d{1,4}){0,8}$/;
/** Files in one sub-folder; commits in flight share one directory fsync. */
export const FILES_PER_FOLDER = 4096;

/** `sequence`: 0 … 2^35−1. */
export function newQueueId(sequence: number, random: (size: number) => Uint8Array = pooledRandom): QueueId {
  const noise = random(13);
  let tail = '';
  for (const byte of noise) tail += ALPHABET[byte & 31];
  return `${encodeSequence(sequence)}-${tail}` as QueueId;
}

export function parseQueueId(text: string): QueueId | undefined {
  return PATTERN.test(text) ? (text as QueueId) : undefined;
}

/** The id of part `part` (1…) of a split message. */
export function childQueueId(parent: QueueId, part: number): QueueId {
  return `${parent}.${part}` as QueueId;
}

/** The id of the DSN that answers attempt `attempt` (1…) of a message. */
export function dsnQueueId(parent: QueueId, attempt: number): QueueId {
  return `${parent}.d${attempt}` as QueueId;
}

/** The message this id descends from: itself, its parent before a split, or what its DSN is about. */
export function rootOf(id: QueueId): QueueId {
  return id.slice(0, 21) as QueueId;
}

export function sequenceOf(id: QueueId): number {
  let value = 0;
  for (const character of id.slice(0, 7)) value = value * 32 + ALPHABET.indexOf(character);
  return value;
}

/** The sub-folder's name: eight digits, in order of arrival. */
export function folderOf(id: QueueId): string {
  return String(Math.floor(sequenceOf(id) / FILES_PER_FOLDER)).padStart(8, '0');
}

const POOL = 4_096;
let pool = Buffer.alloc(0);
let poolAt = 0;

/** Asking the kernel for thirteen octets at a time costs more than using them. */
function pooledRandom(size: number): Uint8Array {
  if (poolAt + size > pool.length) {
    pool = randomBytes(POOL);
    poolAt = 0;
  }
  poolAt += size;
  return pool.subarray(poolAt - size, poolAt);
}

function encodeSequence(sequence: number): string {
  let rest = sequence;
  let text = '';
  for (let i = 0; i < 7; i += 1) {
    text = ALPHABET[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}
