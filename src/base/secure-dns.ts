/**
 * DNS with the resolver's word whether an answer is validated (AD, RFC 4035 §3.2.3). The bit is worth what the way to the
 * resolver is worth, so there is such a resolver only where all configured servers are on this machine's loopback. A void
 * answer is a value; SERVFAIL (also: bogus), a timeout and an unreadable answer throw `DNS_TEMPORARY`. A server that
 * refuses the question's form (no EDNS) gives insecure answers, never trouble.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import net from 'node:net';
import type { Milliseconds } from './brand.ts';
import { withDeadline } from './deadline.ts';
import { describeError, SekishoError } from './errors.ts';
import { encodeQuery, parseAnswer, type TlsaRecord, type WireAnswer, type WireType } from './dns-wire.ts';
import { isLoopback } from './network.ts';

export interface SecureAnswer {
  secure: boolean;
  exists: boolean;
  /** Where the chain of CNAMEs ends. */
  canonical: string;
  count: number;
  exchanges: string[];
  tlsa: TlsaRecord[];
}

export interface SecureResolver {
  query(name: string, type: WireType): Promise<SecureAnswer>;
}

interface Server {
  host: string;
  port: number;
}

const TRIES = 2;
const SERVFAIL = 2;
const NXDOMAIN = 3;

/** Undefined when a server is not on loopback: then nobody's word can be taken for it. */
export function createSecureResolver(options: {
  servers: readonly string[];
  timeoutMs: Milliseconds;
}): SecureResolver | undefined {
  const servers = options.servers.map(parseServer);
  if (servers.length === 0 || servers.some((server) => !isLoopback(server.host))) return undefined;
  return { query: (name, type) => ask(servers, { name, type, ms: options.timeoutMs }) };
}

function parseServer(text: string): Server {
  if (net.isIP(text) !== 0) return { host: text, port: 53 };
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  return { host: bracketed ?? plain ?? text, port: Number(port ?? 53) };
}

interface Question {
  name: string;
  type: WireType;
  ms: Milliseconds;
}

async function ask(servers: readonly Server[], question: Question): Promise<SecureAnswer> {
  const id = randomInt(65_536);
  const query = encodeQuery(question.name, question.type, id);
  if (query === undefined)
    return { secure: false, exists: false, canonical: question.name, count: 0, exchanges: [], tlsa: [] };
  let cause: unknown;
  for (let tries = 0; tries < TRIES; tries += 1) {
    for (const server of servers) {
      try {
        const short = await exchange(server, { ...question, id, query, over: overUdp });
        const answer = short.truncated ? await exchange(server, { ...question, id, query, over: overTcp }) : short;
        if (answer.code !== SERVFAIL) return secureAnswer(answer);
        cause = 'SERVFAIL';
      } catch (error) {
        cause = error;
      }
    }
  }
  throw new SekishoError('DNS_TEMPORARY', `DNS query for "${question.name}" failed with ${describeError(cause)}`, {
    retryable: true,
    cause,
  });
}

function secureAnswer(answer: WireAnswer): SecureAnswer {
  const { canonical, count, exchanges, tlsa } = answer;
  const said = answer.code === 0 || answer.code === NXDOMAIN;
  return { secure: said && answer.authentic, exists: answer.code === 0, canonical, count, exchanges, tlsa };
}

type Way = (
  server: Server,
  query: Buffer,
  see: (message: Buffer) => boolean,
) => { done: Promise<void>; end: () => void };

async function exchange(
  server: Server,
  question: Question & { id: number; query: Buffer; over: Way },
): Promise<WireAnswer> {
  let answer: WireAnswer | undefined;
  const way = question.over(server, question.query, (message) => {
    const read = message.length < 12 ? undefined : parseAnswer(message, question);
    if (read?.id === question.id) answer = read; // RFC 5452 §9.1: another question's answer is nobody's
    return answer !== undefined;
  });
  way.done.catch(() => undefined);
  try {
    await withDeadline(`DNS answer of ${server.host}`, { ms: question.ms }, () => way.done);
  } finally {
    way.end();
  }
  if (answer === undefined) throw new SekishoError('DNS_TEMPORARY', 'No readable answer', { retryable: true });
  return answer;
}

function overUdp(server: Server, query: Buffer, see: (message: Buffer) => boolean): ReturnType<Way> {
  const socket = createSocket(net.isIPv6(server.host) ? 'udp6' : 'udp4');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.on('error', reject);
  socket.on('message', (message) => {
    if (see(message)) resolve();
  });
  // Connected: answers of anybody else never reach us.
  socket.connect(server.port, server.host, () => {
    socket.send(query, (error) => {
      if (error !== null && error !== undefined) reject(error);
    });
  });
  return { done: promise, end: () => socket.close() };
}

/** RFC 7766: what does not fit comes over TCP, its length before it. */
function overTcp(server: Server, query: Buffer, see: (message: Buffer) => boolean): ReturnType<Way> {
  const socket = net.connect({ host: server.host, port: server.port });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let octets = Buffer.alloc(0);
  socket.on('error', reject);
  socket.on('end', resolve);
  socket.on('data', (chunk: Buffer) => {
    octets = Buffer.concat([octets, chunk]);
    const length = octets.length < 2 ? Number.POSITIVE_INFINITY : octets.readUInt16BE(0);
    if (octets.length < 2 + length) return;
    see(octets.subarray(2, 2 + length));
    resolve();
  });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.length);
  socket.end(Buffer.concat([length, query]));
  return { done: promise, end: () => socket.destroy() };
}
