/**
 * Reads the body of a request: JSON only (a form of another site cannot send that without asking first), never compressed, of
 * a bounded size, and looked at for depth before it is parsed: a hundred thousand brackets cost a scan, not a stack.
 */
import type { IncomingMessage } from 'node:http';
import { ApiProblem } from './problems.ts';

export const MOST_DEPTH = 32;

export async function readJson(request: IncomingMessage, most: number): Promise<unknown> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw new ApiProblem(415, 'WRONG_TYPE');
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') throw new ApiProblem(415, 'WRONG_TYPE');
  if (Number(request.headers['content-length'] ?? 0) > most) throw new ApiProblem(413, 'TOO_LARGE');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) throw new ApiProblem(413, 'TOO_LARGE');
    chunks.push(chunk);
  }
  const octets = Buffer.concat(chunks);
  if (depthOf(octets) > MOST_DEPTH) throw new ApiProblem(400, 'TOO_DEEP');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets));
  } catch (error) {
    throw new ApiProblem(400, 'BAD_JSON', { cause: error });
  }
}

/** Brackets outside strings; 34 is the quote, 92 the backslash. Not valid JSON gives some number, and fails later. */
function depthOf(octets: Buffer): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let at = 0; at < octets.length; at += 1) {
    const octet = octets[at];
    if (quoted) {
      if (octet === 92) at += 1;
      else if (octet === 34) quoted = false;
    } else if (octet === 34) quoted = true;
    else if (octet === 91 || octet === 123) deepest = Math.max(deepest, (depth += 1));
    else if (octet === 93 || octet === 125) depth -= 1;
  }
  return deepest;
}
