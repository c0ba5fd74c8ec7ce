/**
 * Runs in a bare guest (guest-figures-layer.ts): the real gateway on a journaled ext4, its clients and the mail server behind
 * it on the loopback. Says on the serial line what it measured, a JSON line a row: octets the disk was given for each octet
 * accepted (the file system's journal, the database and the history are in it), and how long small mail waits beside large.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { deliver, type Outcome } from '../../scripts/overload.d/client.ts';
import { MAIL_PROCESS_FLAGS } from '../../src/base/runtime-flags.ts';

const PORTS = { mx: 2525, office: 2526, dns: 5353 } as const;
const SECTOR = 512;
const LARGE = 50_000_000;
const LETTER_MS = 600_000;
const MOST_TRIES = 10;
const say = (row: object): void => void writeSync(1, `FIGURE ${JSON.stringify(row)}\n`);

let arrived = 0;

/** Takes everything, keeps nothing. */
function openOffice(): void {
  createServer((socket) => {
    let inData = false;
    let tail = '';
    socket.on('error', () => socket.destroy());
    socket.write('220 office.example\r\n');
    socket.on('data', (chunk: Buffer) => {
      tail = (inData ? tail.slice(-4) : tail) + chunk.toString('latin1');
      if (inData) {
        if (!tail.endsWith('\r\n.\r\n')) return;
        inData = false;
        tail = '';
        arrived += 1;
        return void socket.write('250 2.0.0 Ok\r\n');
      }
      const lines = tail.split('\r\n');
      tail = lines.pop() ?? '';
      for (const line of lines) {
        if (/^DATA/i.test(line)) {
          inData = true;
          socket.write('354 Go on\r\n');
        } else if (/^QUIT/i.test(line)) socket.end('221 Bye\r\n');
        else socket.write(/^EHLO/i.test(line) ? '250-office.example\r\n250 8BITMIME\r\n' : '250 2.0.0 Ok\r\n');
      }
    });
  }).listen(PORTS.office, '127.0.0.1');
}

/** There is no such name (RFC 1035 §4.1.1: QR, RD, RA, RCODE 3). */
function openNames(): void {
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    const answer = Buffer.from(question);
    answer.writeUInt16BE(0x8183, 2);
    answer.writeUInt16BE(0, 6);
    answer.writeUInt16BE(0, 8);
    answer.writeUInt16BE(0, 10);
    socket.send(answer.subarray(0, questionEnd(question)), from.port, from.address);
  });
  socket.bind(PORTS.dns, '127.0.0.1');
}

function questionEnd(message: Buffer): number {
  let at = 12;
  for (let length = message[at] ?? 0; length !== 0; length = message[at] ?? 0) at += 1 + length;
  return at + 5;
}

async function startGateway(): Promise<void> {
  mkdirSync('/data/gateway', { recursive: true });
  const config = {
    hostname: 'gw.office.example',
    domains: [
      {
        name: 'office.example',
        servers: [{ host: '127.0.0.1', port: PORTS.office }],
        recipients: { check: 'any' },
      },
    ],
    dns: { servers: [`127.0.0.1:${PORTS.dns}`] },
    engines: { clamd: { enabled: false }, rspamd: { enabled: false } },
    spool: { floorOctets: 1_048_576, floorPercent: 1 },
    listeners: {
      mx: {
        address: '127.0.0.1',
        port: PORTS.mx,
        maxSessionsPerAddress: 1_000,
        maxSessionsPerNetwork: 1_000,
        proxyPeers: ['127.0.0.1'],
      },
      relay: { port: 2527 },
    },
  };
  writeFileSync('/data/config.json', JSON.stringify(config));
  const args = [
    ...MAIL_PROCESS_FLAGS,
    '/app/src/gateway.js',
    '--config',
    '/data/config.json',
    '--data',
    '/data/gateway',
  ];
  const child = spawn('/bin/node', args, { stdio: ['ignore', 'pipe', 'inherit'], env: { UV_THREADPOOL_SIZE: '16' } });
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
      if (said.includes('Gateway is ready')) resolve();
    });
    child.once('exit', () => reject(new Error(`The gateway has ended: ${said}`)));
  });
}

function letterOf(size: number, number: number): Buffer {
  const head = `From: a@friend.example\r\nTo: taro@office.example\r\nSubject: ${number}\r\nMessage-ID: <${number}@friend.example>\r\n\r\n`;
  const line = `${'the figures of the week, as we said on the telephone'.padEnd(74, '.')}\r\n`;
  return Buffer.from(head + line.repeat(Math.ceil((size - head.length) / line.length)));
}

let counter = 0;

/** Comes again after a 4xx, as a mail server does; the time is that of the try which was taken. */
async function sendOne(bytes: Buffer): Promise<Outcome> {
  for (let tries = 1; ; tries += 1) {
    const said = await deliver({
      port: PORTS.mx,
      address: '203.0.113.9',
      from: 'a@friend.example',
      to: 'taro@office.example',
      bytes,
      ms: LETTER_MS,
    });
    if (said.code === 250) return said;
    if (tries === MOST_TRIES || said.code >= 500) throw new Error(`Not taken: ${said.code} ${said.text}`);
    say({ what: 'told to come again', code: said.code, text: said.text });
    await sleep(2_000);
  }
}

/** What the disk was given so far, with what only lay in memory. */
function written(): number {
  execFileSync('/bin/busybox', ['sync']);
  const line = readFileSync('/proc/diskstats', 'utf8')
    .split('\n')
    .find((one) => / vda /.test(one));
  return Number(line?.trim().split(/\s+/)[9] ?? 0) * SECTOR;
}

async function flash(
  what: string,
  run: { size: number; messages: number; atOnce: number; everyMs: number },
): Promise<void> {
  const { size, messages, atOnce, everyMs } = run;
  const [before, seen, begun] = [written(), arrived, performance.now()];
  let sent = 0;
  const lane = async (): Promise<void> => {
    while (sent < messages) {
      sent += 1;
      counter += 1;
      await sendOne(letterOf(size, counter));
      if (everyMs > 0) await sleep(everyMs);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  while (arrived < seen + messages) await sleep(100);
  await sleep(2_000); // settled and cleared
  const octets = written() - before;
  const seconds = (performance.now() - begun) / 1_000;
  say({ what, messages, seconds, accepted: messages * size, written: octets, perOctet: octets / (messages * size) });
}

async function idle(seconds: number): Promise<void> {
  const before = written();
  await sleep(seconds * 1_000);
  say({ what: 'idle', seconds, written: written() - before });
}

/** At a fixed pace, whether or not the earlier ones are done. */
async function smallOnes(what: string, options: { everyMs: number; over: () => boolean }): Promise<void> {
  const begun = performance.now();
  const asked: Array<Promise<Outcome>> = [];
  for (let turn = 0; !options.over() || turn < 20; turn += 1) {
    await sleep(Math.max(0, begun + turn * options.everyMs - performance.now()));
    counter += 1;
    asked.push(sendOne(letterOf(1_000, counter)));
  }
  const times = (await Promise.all(asked)).map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0);
  say({ what, mails: times.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) });
}

openOffice();
openNames();
await startGateway();
say({ what: 'ready' });
await sendOne(letterOf(1_000, 0));
await idle(30);
await flash('10 KB, 20 sessions', { size: 10_240, messages: 400, atOnce: 20, everyMs: 0 });
await flash('1 MB, 20 sessions', { size: 1_048_576, messages: 60, atOnce: 20, everyMs: 0 });
await flash('10 KB, one per 10 s', { size: 10_240, messages: 6, atOnce: 1, everyMs: 10_000 });
await flash('1 MB, one per 10 s', { size: 1_048_576, messages: 6, atOnce: 1, everyMs: 10_000 });
const until = performance.now() + 20_000;
await smallOnes('small mail alone', { everyMs: 500, over: () => performance.now() > until });
const large = letterOf(LARGE, 1);
let done = false;
const heavy = Promise.all([1, 2, 3].map(() => sendOne(large))).then((said) => {
  done = true;
  say({ what: 'three of 50 MB', ms: said.map(({ ms }) => Math.round(ms)) });
});
await smallOnes('small mail beside three of 50 MB', { everyMs: 500, over: () => done });
await heavy;
say({ what: 'end' });
