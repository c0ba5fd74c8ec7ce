import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { askClamd, clamdVersion, EICAR, placeOf, probeClamd, scanWithClamd } from '../../src/inspect/clamd.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { haveClamd, startClamd, type TestEngine } from './engines.ts';

async function scan(socket: string, message: Buffer | string, ms = 60_000): Promise<Finding[]> {
  const bytes = Buffer.from(message);
  const source = Readable.from(bytes.length === 0 ? [] : [bytes]);
  return await scanWithClamd(socket, source, { size: bytes.length, signal: AbortSignal.timeout(ms) });
}

/** The same message, lying in memory in two pieces. */
async function scanInMemory(socket: string, message: Buffer | string, ms = 60_000): Promise<Finding[]> {
  const bytes = Buffer.from(message);
  const pieces = [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)];
  return await scanWithClamd(socket, pieces, { size: bytes.length, signal: AbortSignal.timeout(ms) });
}

/** A clamd that does as told with each connection. */
async function withFakeClamd<T>(behave: (socket: Socket) => void, work: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sekisho-test-fakeclamd-'));
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    behave(socket);
  });
  const file = path.join(folder, 'clamd.sock');
  server.listen(file);
  await once(server, 'listening');
  try {
    return await work(file);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Answers once the zero-length chunk that ends an INSTREAM has come. */
function afterStream(socket: Socket, answer: string): void {
  let tail = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-4);
    if (tail.equals(Buffer.alloc(4))) socket.end(answer);
  });
}

describe('clamd, the real one', { skip: haveClamd ? false : 'clamd is not installed' }, () => {
  let clamd: TestEngine;
  before(async () => {
    clamd = await startClamd();
  });
  after(async () => await clamd.stop());

  test('scanWithClamd() finds EICAR and names it', async () => {
    assert.deepEqual(await scan(clamd.socket, EICAR), [
      { kind: 'virus', engine: 'clamd', name: 'Eicar-Test.UNOFFICIAL' },
    ]);
  });

  test('scanWithClamd() finds nothing in a clean message', async () => {
    assert.deepEqual(await scan(clamd.socket, 'Subject: hi\r\n\r\nhello\r\n'), []);
  });

  test('scanWithClamd() has an empty message really scanned', async () => {
    assert.deepEqual(await scan(clamd.socket, ''), []);
  });

  test('scanWithClamd() finds EICAR at the end of 20 MB', async () => {
    const big = Buffer.concat([Buffer.alloc(20 * 1024 * 1024, 'a\n'), Buffer.from(EICAR)]);
    assert.equal((await scan(clamd.socket, big, 120_000)).length, 1);
  });

  test('scanWithClamd() finds EICAR across the pieces of a body in memory, and nothing in a clean or an empty one', async () => {
    const big = Buffer.concat([Buffer.alloc(2 * 1024 * 1024 - 2 * EICAR.length, 'a\n'), Buffer.from(EICAR)]);
    assert.equal((await scanInMemory(clamd.socket, EICAR)).length, 1);
    assert.equal((await scanInMemory(clamd.socket, big, 120_000)).length, 1);
    assert.deepEqual(await scanInMemory(clamd.socket, 'Subject: hi\r\n\r\nhello\r\n'), []);
    assert.deepEqual(await scanInMemory(clamd.socket, ''), []);
  });

  test('probeClamd() tells the version, and that only starter signatures are loaded', async () => {
    assert.match(
      await probeClamd(clamd.socket, AbortSignal.timeout(60_000)),
      /^ClamAV \d+\.\d+\.\d+, starter signatures only$/,
    );
  });
});

describe('clamd, over its size limit', { skip: haveClamd ? false : 'clamd is not installed' }, () => {
  test('scanWithClamd() does not call a message clean that clamd would not take', async () => {
    const clamd = await startClamd({ streamMaxLength: '1M' });
    try {
      await assert.rejects(scan(clamd.socket, Buffer.alloc(3 * 1024 * 1024, 'a\n')));
      await assert.rejects(scanInMemory(clamd.socket, Buffer.alloc(3 * 1024 * 1024, 'a\n')));
      assert.deepEqual(await scan(clamd.socket, 'still alive'), []);
    } finally {
      await clamd.stop();
    }
  });
});

const lies: Array<[sentence: string, answer: string]> = [
  ['an empty reply', ''],
  ['a lone NUL', '\0'],
  ['UNKNOWN COMMAND', 'UNKNOWN COMMAND\0'],
  ['COMMAND READ TIMED OUT', 'COMMAND READ TIMED OUT\0'],
  ['an ERROR', 'stream: Cannot allocate memory. ERROR\0'],
  ['garbage', '\xff\xfe\x00garbage'],
  ['an OK for something else', '/etc/passwd: OK\0'],
  ['an OK behind another line', 'stream: broken\nstream2: OK\0'],
  ['half a reply', 'stream: '],
];
for (const [sentence, answer] of lies) {
  test(`scanWithClamd() takes ${sentence} for "not scanned"`, async () => {
    await withFakeClamd(
      (socket) => afterStream(socket, answer),
      async (file) => {
        await assert.rejects(scan(file, 'hello', 5_000));
        await assert.rejects(scanInMemory(file, 'hello', 5_000));
      },
    );
  });
}

test('scanWithClamd() takes FOUND without a name for a virus', async () => {
  await withFakeClamd(
    (socket) => afterStream(socket, 'stream:  FOUND\0'),
    async (file) => {
      const result = await scan(file, 'hello').catch((error: unknown) => error);
      assert.ok(result instanceof Error || (Array.isArray(result) && result.length === 1), 'must not be clean');
    },
  );
});

test('scanWithClamd() tells exceeded limits and locked archives apart from viruses', async () => {
  const cases: Array<[name: string, trait: string]> = [
    ['Heuristics.Limits.Exceeded.MaxFileSize', 'unscannable'],
    ['Heuristics.Encrypted.Zip', 'encrypted'],
  ];
  for (const [name, trait] of cases) {
    await withFakeClamd(
      (socket) => afterStream(socket, `stream: ${name} FOUND\0`),
      async (file) => {
        const [finding] = await scan(file, 'hello');
        assert.deepEqual(finding?.kind === 'attachment' ? finding.traits : finding, [trait]);
      },
    );
  }
});

test('scanWithClamd() ends at its deadline when clamd hangs, and closes the connection', async () => {
  let closed = Promise.resolve();
  await withFakeClamd(
    (socket) => {
      closed = new Promise((resolve) => void socket.once('close', () => resolve()));
      socket.resume();
      socket.on('end', () => undefined); // keeps its side open: the package alone would wait for ever
    },
    async (file) => {
      const begin = performance.now();
      await assert.rejects(scan(file, 'hello', 300), { code: 'ABORTED' });
      assert.ok(performance.now() - begin < 30_000);
    },
  );
  await closed;
});

test('scanWithClamd() notices a clamd that closes in the middle', async () => {
  await withFakeClamd(
    (socket) => void socket.once('data', () => socket.destroy()),
    async (file) => {
      await assert.rejects(scan(file, Buffer.alloc(4 * 1024 * 1024, 'a'), 5_000));
    },
  );
});

test('scanWithClamd() holds little in memory while clamd does not read', async () => {
  await withFakeClamd(
    (socket) => void socket.pause(),
    async (file) => {
      let given = 0;
      const source = Readable.from(
        (function* () {
          for (; given < 100 * 1024 * 1024; given += 65_536) yield Buffer.alloc(65_536, 'a');
        })(),
      );
      const signal = AbortSignal.timeout(700);
      await assert.rejects(scanWithClamd(file, source, { size: 100 * 1024 * 1024, signal }));
      assert.ok(given < 4 * 1024 * 1024, `${given} octets were taken from the message`);
    },
  );
});

test('scanWithClamd() fails when the message cannot be read, and does not blame clamd', async () => {
  await withFakeClamd(
    (socket) => afterStream(socket, 'stream: OK\0'),
    async (file) => {
      const source = Readable.from(
        (function* () {
          yield Buffer.from('half a mess');
          throw new Error('EIO');
        })(),
      );
      const scanning = scanWithClamd(file, source, { size: 100, signal: AbortSignal.timeout(5_000) });
      await assert.rejects(scanning, { code: 'ENGINE_DECLINED' });
    },
  );
});

test('scanWithClamd() says what is missing when there is no clamd', async () => {
  await assert.rejects(scan('/nonexistent/clamd.sock', 'hello'), {
    code: 'ENGINE_UNREACHABLE',
    message: /nonexistent/,
  });
});

test('probeClamd() fails for a clamd that answers but does not find EICAR', async () => {
  const behave = (socket: Socket): void => {
    socket.once('data', (chunk: Buffer) => {
      if (chunk.toString().startsWith('zVERSION')) socket.end('ClamAV 1.4.6/27500/Sat Nov 21 10:00:00 2026\0');
      else {
        socket.unshift(chunk);
        afterStream(socket, 'stream: OK\0');
      }
    });
  };
  await withFakeClamd(behave, async (file) => {
    await assert.rejects(probeClamd(file, AbortSignal.timeout(5_000)), { code: 'ENGINE_BLIND' });
  });
});

test('askClamd() bounds what it reads', async () => {
  await withFakeClamd(
    (socket) => {
      const timer = setInterval(() => socket.write('x'.repeat(10_000)), 1);
      socket.once('close', () => clearInterval(timer));
    },
    async (file) => {
      const answer = await askClamd(file, 'VERSION', AbortSignal.timeout(5_000));
      assert.ok(answer.length < 200_000);
    },
  );
});

test('clamdVersion() reads program, number and day, and names the lack of them', () => {
  assert.equal(
    clamdVersion('ClamAV 1.4.6/27500/Sat Nov 21 10:00:00 2026'),
    'ClamAV 1.4.6/27500/Sat Nov 21 10:00:00 2026',
  );
  assert.equal(clamdVersion('ClamAV 1.4.6'), 'ClamAV 1.4.6, starter signatures only');
  assert.throws(() => clamdVersion('HTTP/1.1 400 Bad Request'), { code: 'ENGINE_GARBLED' });
});

test('a clamd of another machine is a host and a port; a path stays a path', async () => {
  assert.deepEqual(placeOf('/run/clamd.sock'), { path: '/run/clamd.sock' });
  assert.deepEqual(placeOf('192.0.2.10:3310'), { host: '192.0.2.10', port: 3_310 });
  assert.deepEqual(placeOf('clamd.office.example:3310'), { host: 'clamd.office.example', port: 3_310 });
  assert.deepEqual(placeOf('[2001:db8::1]:3310'), { host: '2001:db8::1', port: 3_310 });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    afterStream(socket, 'stream: Eicar-Test-Signature FOUND\0');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  try {
    const [finding] = await scan(`127.0.0.1:${address.port}`, EICAR);
    assert.deepEqual(finding, { kind: 'virus', engine: 'clamd', name: 'Eicar-Test-Signature' });
  } finally {
    server.close();
  }
});
