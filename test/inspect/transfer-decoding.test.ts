import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decoderFor } from '../../src/inspect/transfer-decoding.ts';

function decode(encoding: string, ...chunks: string[]): Buffer {
  const decoder = decoderFor(encoding);
  assert.ok(decoder !== undefined);
  return Buffer.concat([...chunks.map((chunk) => decoder.write(Buffer.from(chunk, 'latin1'))), decoder.end()]);
}

test('base64 comes back, however it is wrapped and cut', () => {
  const property = fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 90 }), (octets, cut) => {
    const text = (
      Buffer.from(octets)
        .toString('base64')
        .match(/.{1,76}/g) ?? []
    ).join('\r\n');
    const chunks = text.match(new RegExp(`[^]{1,${cut}}`, 'g')) ?? [];
    assert.deepEqual(decode('base64', ...chunks), Buffer.from(octets));
  });
  fc.assert(property, { numRuns: 200 });
});

test('base64 goes on behind padding, skips what is not in the alphabet, and ends without padding', () => {
  assert.equal(decode('base64', 'QQ==QkM=').toString(), 'ABC');
  assert.equal(decode('base64', 'Q!U-J*\r\nD').toString(), 'ABC');
  assert.equal(decode('base64', 'QUI').toString(), 'AB');
});

test('quoted-printable comes back, however it is cut', () => {
  const text = 'a=3D=E4=BC=9A soft =\r\nbreak  \t\r\nx=\r\n=zz=4\r\n';
  const whole = decode('quoted-printable', text);
  assert.equal(whole.toString(), 'a=会 soft break\r\nx=zz=4\r\n');
  for (let cut = 1; cut < text.length; cut += 1) {
    assert.deepEqual(decode('quoted-printable', text.slice(0, cut), text.slice(cut)), whole, `cut at ${cut}`);
  }
});

test('quoted-printable is quick on long runs of white space and lines without an end', () => {
  const begin = performance.now();
  decode('quoted-printable', ...Array.from({ length: 20 }, () => `${' '.repeat(64_000)}x\r\n`));
  decode('quoted-printable', ...Array.from({ length: 40 }, () => '='.repeat(65_536)));
  assert.ok(performance.now() - begin < 15_000);
});

test('an encoding that is not known is refused, the plain ones change nothing', () => {
  assert.equal(decoderFor('x-uuencode'), undefined);
  for (const encoding of ['', '7bit', '8bit', 'binary']) assert.equal(decode(encoding, 'a=3D').toString(), 'a=3D');
});
