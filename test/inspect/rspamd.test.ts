import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { RspamdClient, type RspamdRequest } from '../../src/inspect/rspamd.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { haveRspamd, startRspamd, type TestEngine } from './engines.ts';
import { PLAIN, requestFor } from './support.ts';

const GTUBE = ['XJS*C4JDBQADN1.NSBN3*2IDNEN*', 'GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL', '*C.34X'].join('');

function messageOf(text: string): RspamdRequest {
  return { ...requestFor(text), hostname: 'mx.office.example' };
}

async function check(url: string, message: RspamdRequest, ms = 60_000): Promise<Finding> {
  const client = new RspamdClient({ concurrency: () => 2 });
  try {
    return await client.check(url, message, AbortSignal.timeout(ms));
  } finally {
    client[Symbol.dispose]();
  }
}

async function withFakeRspamd<T>(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const sockets = new Set<Socket>();
  const server = createServer(answer).on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** Reads everything, then answers. */
function json(body: unknown, status = 200) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    request
      .resume()
      .on('end', () => response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body)));
  };
}

const CLEAN = { score: 1.5, action: 'no action', is_skipped: false, symbols: {} };

describe('rspamd, the real one', { skip: haveRspamd ? false : 'rspamd is not installed' }, () => {
  let rspamd: TestEngine;
  before(async () => {
    rspamd = await startRspamd();
  });
  after(async () => await rspamd.stop());

  test('check() scores a clean message low over a Unix socket', async () => {
    const finding = await check(rspamd.socket, messageOf(PLAIN), 60_000);
    assert.equal(finding.kind, 'spam');
    assert.ok(finding.kind === 'spam' && finding.score < 5);
  });

  test('check() gives GTUBE a score of at least 15', async () => {
    const finding = await check(rspamd.socket, messageOf(`${PLAIN}${GTUBE}\r\n`), 60_000);
    assert.ok(finding.kind === 'spam' && finding.score >= 15 && finding.symbols.some(({ name }) => name === 'GTUBE'));
  });

  test('probe() hears pong and tells the version; kept connections serve many messages', async () => {
    const client = new RspamdClient({ concurrency: () => 2 });
    try {
      assert.match(await client.probe(rspamd.socket, AbortSignal.timeout(60_000)), /^rspamd \d/);
      for (let i = 0; i < 5; i += 1) await client.check(rspamd.socket, messageOf(PLAIN), AbortSignal.timeout(60_000));
    } finally {
      client[Symbol.dispose]();
    }
  });
});

test('check() gives envelope and session in headers, and lets nothing end a header', async () => {
  let headers: IncomingMessage['headers'] = {};
  let body = '';
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    headers = request.headers;
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('latin1');
    });
    request.on('end', () => response.end(JSON.stringify(CLEAN)));
  };
  await withFakeRspamd(answer, async (url) => {
    const message = messageOf(PLAIN);
    message.transaction.origin.helo = 'evil\r\nPass: all';
    message.transaction.origin.clientName = '日本.example';
    await check(url, message);
    assert.equal(body, PLAIN);
    assert.equal(headers['pass'], undefined);
    assert.equal(headers['helo'], 'evil??Pass: all');
    assert.equal(headers['from'], 'taro@example.com');
    assert.equal(headers['rcpt'], 'hanako@office.example');
    assert.equal(headers['ip'], '192.0.2.10');
    assert.equal(headers['mta-name'], 'mx.office.example');
    assert.equal(headers['queue-id'], message.id);
  });
});

test('check() sends a body that lies in memory whole, piece by piece', async () => {
  let body = '';
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('latin1');
    });
    request.on('end', () => response.end(JSON.stringify(CLEAN)));
  };
  await withFakeRspamd(answer, async (url) => {
    const octets = Buffer.from(PLAIN);
    await check(url, { ...messageOf(PLAIN), pieces: [octets.subarray(0, 20), octets.subarray(20)] });
    assert.equal(body, PLAIN);
  });
});

test('check() sorts symbols by weight and only records a wish to try later', async () => {
  const symbols = { LOW: { score: 0.1 }, GOOD: { score: -4 }, BAD: { score: 6.5, description: 'bad' } };
  await withFakeRspamd(json({ score: 2.6, action: 'soft reject', symbols }), async (url) => {
    const finding = await check(url, messageOf(PLAIN));
    assert.ok(finding.kind === 'spam');
    assert.equal(finding.score, 2.6);
    assert.deepEqual(
      finding.symbols.map(({ name }) => name),
      ['BAD', 'GOOD', 'LOW', 'RSPAMD_ACTION'],
    );
    assert.match(finding.symbols.at(-1)?.description ?? '', /soft reject/);
  });
});

const troubles: Array<[sentence: string, answer: (request: IncomingMessage, response: ServerResponse) => void]> = [
  ['a reply without a score', json({ action: 'no action' })],
  ['a score that is no number', json({ score: 'NaN', action: 'no action' })],
  ['a reply that is not JSON', json('<html>')],
  ['an empty reply', json('')],
  ['a 500', json({ error: 'oops' }, 500)],
  ['a 200 with an error', json({ ...CLEAN, error: 'Cannot parse' })],
  ['a skipped scan', json({ ...CLEAN, is_skipped: true })],
  ['a cut connection', (request) => request.socket.destroy()],
  ['an endless reply', (request, response) => void request.resume().on('end', () => pour(response))],
];

function pour(response: ServerResponse): void {
  response.writeHead(200);
  const more = (): void => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}

for (const [sentence, answer] of troubles) {
  test(`check() takes ${sentence} for "not scanned"`, async () => {
    await withFakeRspamd(answer, async (url) => {
      await assert.rejects(check(url, messageOf(PLAIN)));
    });
  });
}

test('check() ends at its deadline when rspamd hangs, before or after it has read', async () => {
  for (const hang of [(): void => undefined, (request: IncomingMessage): void => void request.resume()]) {
    await withFakeRspamd(hang, async (url) => {
      const begin = performance.now();
      await assert.rejects(check(url, messageOf(PLAIN + 'x'.repeat(5_000_000)), 300));
      assert.ok(performance.now() - begin < 30_000);
    });
  }
});

test('check() asks once more when a kept connection was closed meanwhile', async () => {
  let requests = 0;
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    requests += 1;
    if (requests === 2) request.socket.destroy();
    else json(CLEAN)(request, response);
  };
  await withFakeRspamd(answer, async (url) => {
    const client = new RspamdClient({ concurrency: () => 1 });
    try {
      await client.check(url, messageOf(PLAIN), AbortSignal.timeout(60_000));
      const finding = await client.check(url, messageOf(PLAIN), AbortSignal.timeout(60_000));
      assert.ok(finding.kind === 'spam' && finding.score === 1.5);
      assert.equal(requests, 3);
    } finally {
      client[Symbol.dispose]();
    }
  });
});

/** A server of its own thread that answers and closes with the last octet it reads, as rspamd does with what it knows already. */
const HASTY = `
const { createServer } = require('node:net');
const { parentPort, workerData } = require('node:worker_threads');
const body = ${JSON.stringify(JSON.stringify(CLEAN))};
const server = createServer((socket) => {
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (octets) => {
    text += octets.toString('latin1');
    const [head, ...rest] = text.split('\\r\\n\\r\\n');
    if (rest.join('\\r\\n\\r\\n').length < Number(/content-length: (\\d+)/i.exec(head)?.[1] ?? 1e9)) return;
    socket.end('HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: ' + body.length + '\\r\\n\\r\\n' + body);
    socket.destroySoon();
  });
});
server.listen(workerData, () => parentPort.postMessage('there'));
`;

test('check() hears an engine that answers and closes as soon as it has read all', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sekisho-hasty-'));
  const socket = path.join(folder, 'socket');
  const hasty = new Worker(HASTY, { eval: true, workerData: socket });
  try {
    await once(hasty, 'message');
    for (let i = 0; i < 300; i += 1) {
      const octets = Buffer.from(PLAIN);
      const stream = (): Readable =>
        Readable.from([octets.subarray(0, 50), octets.subarray(50)], { objectMode: false });
      const finding = await check(socket, { ...messageOf(PLAIN), stream, pieces: undefined });
      assert.equal(finding.kind, 'spam');
    }
  } finally {
    await hasty.terminate();
    await rm(folder, { recursive: true, force: true });
  }
});

test('check() says how to help when there is no rspamd', async () => {
  await assert.rejects(check('/nonexistent/rspamd.sock', messageOf(PLAIN)), { code: 'ENGINE_UNREACHABLE' });
});
