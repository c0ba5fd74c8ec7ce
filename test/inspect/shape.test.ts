import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { HEAVY_OCTETS, shapeOf } from '../../src/inspect/shape.ts';
import { settings } from './support.ts';

const { limits } = settings();
const HEADER = 'From: a@friend.example\r\nSubject: shape\r\n';
const LIGHT = { heavy: false, structureFirst: false };
const HEAVY = { heavy: true, structureFirst: true };

async function shape(message: string, slice = 65_536): Promise<unknown> {
  const octets = Buffer.from(message, 'latin1');
  function* slices(): Generator<Buffer> {
    for (let at = 0; at < octets.length; at += slice) yield octets.subarray(at, at + slice);
  }
  return await shapeOf({ size: octets.length, stream: () => Readable.from(slices()) }, { limits, ms: 10_000 });
}

const boundaries = (count: number): string => `${HEADER}\r\n${'x\r\n--b\r\n\r\n'.repeat(count)}`;

for (const [sentence, message, expected] of [
  ['an ordinary mail', `${HEADER}\r\nhello\r\n`, LIGHT],
  ['a mail without a body', HEADER, LIGHT],
  ['nothing at all', '', LIGHT],
  ['as many lines with two dashes as twice the parts', boundaries(2 * limits.mimeParts), LIGHT],
  ['one more', boundaries(2 * limits.mimeParts + 1), HEAVY],
  ['as many header fields as are followed', `${'X-A: b\r\n'.repeat(limits.headerFields)}\r\n`, LIGHT],
  ['one more field', `${'X-A: b\r\n'.repeat(limits.headerFields + 1)}\r\n`, HEAVY],
  ['one field folded many times', `X-A: b\r\n${' folded\r\n'.repeat(3_000)}\r\nbody`, LIGHT],
  ['many lines with a colon in the body', `${HEADER}\r\n${'Name: value\r\n'.repeat(3_000)}`, LIGHT],
  ['a header larger than the limit', `X-A: ${'a'.repeat(limits.headerOctets)}\r\n\r\n`, HEAVY],
  ['a body larger than the limit of the header', `${HEADER}\r\n${'a'.repeat(limits.headerOctets)}`, LIGHT],
  ['more than 1 MiB', `${HEADER}\r\n${'a'.repeat(HEAVY_OCTETS)}`, HEAVY],
] as const) {
  test(`shapeOf() finds ${sentence} ${expected.heavy ? 'heavy' : 'light'}`, async () => {
    assert.deepEqual(await shape(message), expected);
  });
}

test('shapeOf() counts the same however the octets are cut', async () => {
  for (const slice of [1, 2, 3, 7, 1_000]) {
    assert.deepEqual(await shape(boundaries(2 * limits.mimeParts), slice), LIGHT, `slices of ${slice}`);
    assert.deepEqual(await shape(boundaries(2 * limits.mimeParts + 1), slice), HEAVY, `slices of ${slice}`);
    const fields = 'X-A: b\r\n'.repeat(limits.headerFields);
    assert.deepEqual(await shape(`${fields}\r\nbody: x\r\n`, slice), LIGHT, `slices of ${slice}`);
    assert.deepEqual(await shape(`${fields}X-B: c\r\n\r\n`, slice), HEAVY, `slices of ${slice}`);
  }
});

test('shapeOf() judges a message that cannot be read by its size: its inspectors will tell', async () => {
  const broken = {
    size: 10_000,
    stream: () =>
      new Readable({
        read() {
          this.destroy(new Error('EIO'));
        },
      }),
  };
  assert.deepEqual(await shapeOf(broken, { limits, ms: 10_000 }), LIGHT);
  const silent = { size: 10_000, stream: () => new Readable({ read: () => undefined }) };
  assert.deepEqual(await shapeOf(silent, { limits, ms: 50 }), LIGHT);
});
