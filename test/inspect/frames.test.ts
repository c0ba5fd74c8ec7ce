import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, type Frame, MAX_PAYLOAD, readFrames } from '../../src/inspect/frames.ts';

async function collect(chunks: Buffer[]): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of readFrames(Readable.from(chunks, { objectMode: true }))) frames.push(frame);
  return frames;
}

test('readFrames() gives back what encodeFrame() wrote, however the octets are cut', async () => {
  const frame = fc.record({ message: fc.jsonValue(), payload: fc.uint8Array({ maxLength: 300 }) });
  const property = fc.asyncProperty(
    fc.array(frame, { maxLength: 8 }),
    fc.integer({ min: 1, max: 64 }),
    async (frames, cut) => {
      const bytes = Buffer.concat(
        frames.flatMap(({ message, payload }) => [encodeFrame(message, payload.length), Buffer.from(payload)]),
      );
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += cut) chunks.push(bytes.subarray(at, at + cut));
      const read = await collect(chunks);
      assert.deepEqual(
        read.map(({ message, payload }) => ({ message, payload: [...payload] })),
        frames.map(({ message, payload }) => ({ message: JSON.parse(JSON.stringify(message)), payload: [...payload] })),
      );
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

test('readFrames() refuses a frame that announces more than is allowed, before it is there', async () => {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(2, 0);
  head.writeUInt32BE(MAX_PAYLOAD + 1, 4);
  await assert.rejects(collect([head]), { code: 'FRAME' });
});

test('readFrames() refuses a frame without JSON and one that is cut off', async () => {
  const garbage = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 0x7b]);
  await assert.rejects(collect([garbage]), { code: 'FRAME' });
  await assert.rejects(collect([encodeFrame({ a: 1 }).subarray(0, 11)]), { code: 'FRAME' });
});

test('encodeFrame() refuses a payload that the other side would refuse', () => {
  assert.throws(() => encodeFrame({}, MAX_PAYLOAD + 1), { code: 'FRAME' });
});

test('A payload lies where it was told to, and no frame looks at a chunk after the next one was asked for', async () => {
  const sent = Buffer.concat([
    encodeFrame({ a: 1 }, 300),
    Buffer.alloc(300, 'x'),
    encodeFrame({ b: 2 }, 3),
    Buffer.from('end'),
  ]);
  const place = Buffer.alloc(1_000, '.');
  async function* reused(): AsyncGenerator<Buffer> {
    const memory = Buffer.alloc(7);
    for (let at = 0; at < sent.length; at += 7) {
      const length = sent.copy(memory, 0, at);
      yield memory.subarray(0, length);
      memory.fill('?');
    }
  }
  const frames: Frame[] = [];
  const placed = (message: unknown, length: number): Buffer =>
    (message as { a?: number }).a === 1 ? place.subarray(0, length) : Buffer.alloc(length);
  for await (const frame of readFrames(reused(), placed)) frames.push(frame);
  assert.deepEqual(
    frames.map(({ message, payload }) => [message, payload.toString()]),
    [
      [{ a: 1 }, 'x'.repeat(300)],
      [{ b: 2 }, 'end'],
    ],
  );
  assert.equal(place.toString(), 'x'.repeat(300) + '.'.repeat(700));
});
