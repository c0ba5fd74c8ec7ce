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
      const bytes = Buffer.concat(frames.map(({ message, payload }) => encodeFrame(message, Buffer.from(payload))));
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
  assert.throws(() => encodeFrame({}, Buffer.alloc(MAX_PAYLOAD + 1)), { code: 'FRAME' });
});
