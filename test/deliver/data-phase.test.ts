import assert from 'node:assert/strict';
import { PassThrough, Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDotStuffer, writeData } from '../../src/deliver/data-phase.ts';

/** Octet by octet, as RFC 5321 §4.5.2 says it: slow and plain, to hold the fast one against. */
function plainly(body: Buffer): string {
  const text = body.toString('latin1');
  const whole = text === '' || text.endsWith('\r\n') ? text : text.endsWith('\r') ? `${text}\n` : `${text}\r\n`;
  return `${whole.replaceAll(/(^|\n)\./g, '$1..')}.\r\n`;
}

async function sent(chunks: Buffer[]): Promise<{ text: string; writes: number }> {
  const out: Buffer[] = [];
  let writes = 0;
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      out.push(chunk);
      writes += 1;
      setImmediate(done);
    },
    writev(pieces, done) {
      for (const { chunk } of pieces) out.push(chunk as Buffer);
      writes += 1;
      setImmediate(done);
    },
    highWaterMark: 16_384,
  });
  await writeData(sink, Readable.from(chunks, { objectMode: false }), {
    blockMs: 5_000,
    signals: [new AbortController().signal],
    onEnd: () => undefined,
  });
  sink.end();
  await new Promise((resolve) => sink.once('finish', resolve));
  return { text: Buffer.concat(out).toString('latin1'), writes };
}

test('dots are doubled at line starts only, wherever the chunks are cut', async () => {
  const cases = [
    '',
    '.',
    '..',
    '.\r\n',
    '\r\n.',
    '\r\n.\r\n',
    'a\r\n.b\r\n..c\r\n.\r\n',
    'no end',
    'a.b\r\n',
    '\r',
    'a\r',
    '\r\n',
    '.\r\n.\r\n.\r\n',
  ];
  for (const text of cases) {
    const body = Buffer.from(text, 'latin1');
    for (let cut = 0; cut <= body.length; cut += 1) {
      const chunks = [body.subarray(0, cut), body.subarray(cut)].filter((chunk) => chunk.length > 0);
      assert.equal((await sent(chunks)).text, plainly(body), `${JSON.stringify(text)} cut at ${cut}`);
    }
  }
});

test('any octets in any chunks arrive as the plain rule says, 8-bit and ISO-2022-JP included', async () => {
  const piece = fc.constantFrom(
    '.',
    '\r\n',
    '\r\n.',
    '..',
    'x',
    '\u001b$B2q5D\u001b(B',
    '\u00e9\u0080\u00ff',
    '\u0000',
    '\r',
    '\n.',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(piece, { maxLength: 6 }), { maxLength: 8 }), async (parts) => {
      const chunks = parts.map((part) => Buffer.from(part.join(''), 'latin1')).filter((chunk) => chunk.length > 0);
      assert.equal((await sent(chunks)).text, plainly(Buffer.concat(chunks)));
    }),
    { numRuns: 300 },
  );
});

test('a small message leaves in one write, a chunk without dots is not copied', async () => {
  assert.equal((await sent([Buffer.from('Received: x\r\n'), Buffer.from('A: b\r\n\r\n.c\r\n')])).writes, 1);
  const chunk = Buffer.alloc(65_536, 'abcdefg\r\n');
  assert.equal(createDotStuffer().next(chunk), chunk);
});

test('a mail of dot lines only costs about what copying costs', () => {
  const chunk = Buffer.alloc(65_536, '.\r\n');
  const stuffer = createDotStuffer();
  for (let at = 0; at < 20; at += 1) stuffer.next(chunk); // warm
  const before = process.cpuUsage().user;
  for (let at = 0; at < 160; at += 1) stuffer.next(chunk);
  // 10 MiB with 3.5 million dots: some 60 ms of CPU; with a search for each dot it was 1.5 s
  assert.ok(process.cpuUsage().user - before < 700_000);
});

test('a source that fails leaves the data without an end, and is destroyed', async () => {
  const sink = new PassThrough();
  const seen: Buffer[] = [];
  sink.on('data', (chunk: Buffer) => seen.push(chunk));
  const source = Readable.from(
    (async function* () {
      yield Buffer.alloc(100_000, 'abc\r\n');
      throw new Error('Disk is gone');
    })(),
    { objectMode: false },
  );
  let ended = false;
  const sending = writeData(sink, source, {
    blockMs: 5_000,
    signals: [new AbortController().signal],
    onEnd: () => (ended = true),
  });
  await assert.rejects(sending, /Disk is gone/);
  assert.equal(ended, false);
  assert.ok(source.destroyed);
  assert.ok(!Buffer.concat(seen).toString().endsWith('\r\n.\r\n'));
});

test('a peer that stops reading meets the deadline of a block', async () => {
  const stuck = new Writable({ write: () => undefined, highWaterMark: 10 });
  const source = Readable.from([Buffer.alloc(200_000)], { objectMode: false });
  const sending = writeData(stuck, source, {
    blockMs: 20,
    signals: [new AbortController().signal],
    onEnd: () => undefined,
  });
  await assert.rejects(sending, { code: 'DEADLINE' });
});

/** Keeps what it is given as the kernel does when it is slow: by reference, and looks at it later. */
function slowSink(highWaterMark: number): { sink: Writable; out: () => Buffer } {
  const out: Buffer[] = [];
  const later = (pieces: readonly Buffer[], done: () => void): void =>
    void setTimeout(() => {
      for (const piece of pieces) out.push(Buffer.from(piece));
      done();
    }, 2);
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => later([chunk], done),
    writev: (pieces, done) =>
      later(
        pieces.map(({ chunk }) => chunk as Buffer),
        done,
      ),
    highWaterMark,
  });
  return { sink, out: () => Buffer.concat(out) };
}

for (const highWaterMark of [16_384, 8 * 1024 * 1024])
  test(`lent memory is given back only when the socket has let go of it (buffer of ${highWaterMark} octets)`, async () => {
    const blocks = Array.from({ length: 8 }, (_, at) => Buffer.alloc(256 * 1024, `line ${at}\r\n`));
    const expected = plainly(Buffer.concat(blocks));
    const given: Buffer[] = [];
    let taken = 0;
    const body = {
      async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
        for (const block of blocks) {
          given.push(block);
          yield block;
        }
      },
      taken: () => {
        taken += given.length;
        for (const block of given.splice(0)) block.fill(0xee); // another mail
      },
    };
    const { sink, out } = slowSink(highWaterMark);
    const options = { blockMs: 5_000, signals: [new AbortController().signal], onEnd: () => undefined };
    await writeData(sink, body, options);
    sink.end();
    await new Promise((resolve) => sink.once('finish', resolve));
    assert.ok(out().toString('latin1') === expected, 'What left is not what was to be sent');
    if (highWaterMark < 256 * 1024) assert.ok(taken > 0, 'No memory was ever given back');
  });
