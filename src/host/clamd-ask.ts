/**
 * A few questions to a clamd, over its socket, for the proof of new signatures: is this octet string found, and as what. Mail
 * never comes this way (the gateway asks for itself). Only the exact words `OK` and `FOUND` are answers; anything else throws.
 */
import { connect } from 'node:net';
import type { Milliseconds } from '../base/brand.ts';
import { SekishoError } from '../base/errors.ts';

const MAX_REPLY = 4_096;
const STEP_OCTETS = 65_536;

/** `undefined`: clean. */
export type ScanAnswer = { found: string | undefined };

/** clamd(8): zINSTREAM, chunks with their length before them, a zero at the end. */
export async function scanOctets(socket: string, octets: Buffer, ms: Milliseconds): Promise<ScanAnswer> {
  const pieces: Buffer[] = [Buffer.from('zINSTREAM\0')];
  for (let at = 0; at < octets.length; at += STEP_OCTETS) {
    const piece = octets.subarray(at, at + STEP_OCTETS);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(piece.length);
    pieces.push(length, piece);
  }
  pieces.push(Buffer.alloc(4));
  const answer = await exchange(socket, Buffer.concat(pieces), ms);
  if (answer === 'stream: OK') return { found: undefined };
  const name = /^stream: (.{1,200}) FOUND$/.exec(answer)?.[1];
  if (name !== undefined) return { found: name };
  throw new SekishoError('ENGINE_GARBLED', `clamd gave no verdict but "${answer.slice(0, 120)}"`);
}

export async function tellReload(socket: string, ms: Milliseconds): Promise<void> {
  const answer = await exchange(socket, Buffer.from('zRELOAD\0'), ms);
  if (answer !== 'RELOADING') throw new SekishoError('ENGINE_GARBLED', `clamd answered RELOAD with "${answer}"`);
}

function exchange(path: string, question: Buffer, ms: Milliseconds): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    let answer = '';
    const end = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve(answer.replaceAll('\0', '').trim());
      else reject(new SekishoError('ENGINE_UNREACHABLE', `clamd does not answer: ${error.message}`, { cause: error }));
    };
    const timer = setTimeout(() => end(new Error('not in time')), ms);
    socket.once('error', end);
    socket.once('connect', () => socket.write(question));
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      if (answer.length > MAX_REPLY || answer.endsWith('\0')) end();
    });
    socket.once('close', () => end(answer === '' ? new Error('closed without an answer') : undefined));
  });
}
