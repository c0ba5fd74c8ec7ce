/** The control socket: octets of any kind are answered or hung up on; no handler ever sees what its verb does not allow. */
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { VERBS, type VerbName } from '../../../src/control/contract.ts';
import { type ControlServer, createControlServer } from '../../../src/control/server.ts';
import { type Call, fakeHandlers } from '../../control/fake-handlers.ts';
import { check, compose, mutate, type Planted, type Random, type Target } from '../engine.ts';

const BODIES = [
  '{}',
  '{"id":"0000K3M-7Q2ABCDEFGHJK"}',
  '{"id":5}',
  '{"id":"../x"}',
  '{"all":true}',
  '{"all":true,"id":"x"}',
  '[]',
  'null',
  '"x"',
  '{"__proto__":{"all":true}}',
  '{"path":"policy","value":1}',
  '{',
  `${'['.repeat(2_000)}`,
  '{"limit":1e9}',
];
const TOKENS = [
  ' ',
  '\r\n',
  '\r\n\r\n',
  'GET ',
  'POST ',
  ' HTTP/1.1',
  'Host: x\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: -1\r\n',
  'Transfer-Encoding: chunked\r\n',
  '0\r\n\r\n',
  'Expect: 100-continue\r\n',
  '%00',
  '%2e%2e/',
  '?id=',
  '&',
  '\u0000',
  '..',
  'x'.repeat(9_000),
  'Connection: upgrade\r\nUpgrade: x\r\n',
  ...BODIES,
];

let started: Promise<{ server: ControlServer; calls: Call[]; errors: string[]; folder: string }> | undefined;

export const planted: Planted = {
  file: 'src/control/contract.ts',
  find: '.refine((request) => Object.keys(request).length === 1,',
  replace: '.refine((request) => Object.keys(request).length >= 0,',
};

export const target: Target = {
  name: 'control',
  make(random: Random) {
    const verb = VERBS[random.pick(Object.keys(VERBS)) as VerbName];
    const body = random.pick(BODIES);
    const query = random.pick(['', '', '?id=0000K3M-7Q2ABCDEFGHJK', '?limit=1', '?limit=x&limit=2', '?cursor=%ff']);
    const whole = Buffer.from(
      `${verb.method} ${verb.path}${query} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      'latin1',
    );
    if (random.chance(3)) return whole;
    return random.chance(6) ? compose(random, TOKENS, 8) : mutate(random, whole, { tokens: TOKENS });
  },
  async run(input) {
    started ??= start();
    const { server, calls, errors } = await started;
    calls.length = 0;
    errors.length = 0;
    const said = await send(server.socket, input);
    check(said === '' || said.startsWith('HTTP/1.1 '), `Answers in HTTP: ${JSON.stringify(said.slice(0, 80))}`);
    check(!said.startsWith('HTTP/1.1 500'), `No error of ours: ${said.slice(-300)}`);
    check(errors.length === 0, `Nothing failed inside: ${errors.join()}`);
    for (const call of calls) {
      const shown = `${call.verb} was called with ${JSON.stringify(call.request)}`;
      check(typeof call.request === 'object' && call.request !== null, shown);
      if (call.verb === 'queue.retry') check(Object.keys(call.request as object).length === 1, shown);
      const { id } = call.request as { id?: unknown };
      if (id !== undefined) check(typeof id === 'string' && /^[0-9A-Z]{7}-[0-9A-Z]{13}/.test(id), shown);
    }
  },
  close: async () => {
    const running = await started;
    await running?.server.close();
    if (running !== undefined) rmSync(running.folder, { recursive: true, force: true });
  },
};

async function start(): Promise<{ server: ControlServer; calls: Call[]; errors: string[]; folder: string }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sekisho-fuzz-'));
  const calls: Call[] = [];
  const errors: string[] = [];
  const server = await createControlServer({
    socket: path.join(folder, 'control.sock'),
    caller: 'cli',
    handlers: fakeHandlers(calls),
    observe: {
      log: (level, message, facts) => void (level === 'error' && errors.push(`${message} ${JSON.stringify(facts)}`)),
    },
    limits: { receiveMs: 500 },
  });
  return { server, calls, errors, folder };
}

function send(socketPath: string, input: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(socketPath);
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => socket.destroy(new Error('The socket hangs')), 4_000);
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
    socket.on('error', (error) => {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET' && (error as NodeJS.ErrnoException).code !== 'EPIPE')
        reject(error);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString('latin1'));
    });
    socket.on('connect', () => socket.end(input));
  });
}
