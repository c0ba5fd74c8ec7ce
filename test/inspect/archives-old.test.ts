/** RAR, LZH and cabinets: names speak, and the octets of what is stored; what is locked, damaged or out of reach is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttachmentTrait } from '../../src/mail/finding.ts';
import { cab, lzh, rar4, rar5, type Sample } from '../support/archive-samples.ts';
import { attachmentsIn } from './support.ts';

const EXE = Buffer.concat([Buffer.from('MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff', 'latin1'), Buffer.alloc(400)]);
const TEXT = Buffer.from('hello\n');

type Seen = [name: string, traits: AttachmentTrait[]];

async function look(name: string, bytes: Buffer, limits = {}): Promise<Seen[]> {
  const findings = await attachmentsIn({ name, bytes }, limits);
  return findings.map((finding) => [finding.name, [...finding.traits].sort()]);
}

const FORMS: Array<[sentence: string, make: (files: Sample[]) => Buffer]> = [
  ['RAR 5', rar5],
  ['RAR 4', rar4],
  ['LZH of level 0', (files) => lzh(0, files)],
  ['LZH of level 1', (files) => lzh(1, files)],
  ['LZH of level 2', (files) => lzh(2, files)],
  ['cabinet', cab],
];

for (const [sentence, make] of FORMS) {
  test(`programs and scripts in a ${sentence} are found by their names`, async () => {
    const bytes = make([
      { name: 'readme.txt', bytes: TEXT, packed: true },
      { name: 'invoice.pdf.exe', bytes: EXE, packed: true },
      { name: 'run.vbs', bytes: TEXT, packed: true },
    ]);
    assert.deepEqual(await look('a.dat', bytes), [
      ['a.dat', ['archive']],
      ['invoice.pdf.exe', ['disguised', 'executable']],
      ['run.vbs', ['script']],
    ]);
  });

  test(`a ${sentence} beyond the limits, cut off, or around an archive that is packed is unscannable`, async () => {
    const two = make([
      { name: 'a.txt', bytes: TEXT },
      { name: 'b.txt', bytes: TEXT },
    ]);
    assert.deepEqual(await look('a.dat', two), [['a.dat', ['archive']]]);
    assert.deepEqual(await look('a.dat', two, { archiveFiles: 1 }), [['a.dat', ['archive', 'unscannable']]]);
    assert.deepEqual(await look('a.dat', two, { archiveOctets: 8 }), [['a.dat', ['archive', 'unscannable']]]);
    for (const cut of [two.length - 14, 50])
      assert.deepEqual((await look('a.dat', two.subarray(0, cut)))[0], ['a.dat', ['archive', 'unscannable']]);
    const around = make([{ name: 'inner.zip', bytes: TEXT, packed: true }]);
    assert.deepEqual(await look('a.dat', around), [
      ['a.dat', ['archive', 'unscannable']],
      ['inner.zip', ['unscannable']],
    ]);
  });
}

for (const [sentence, make] of FORMS.slice(0, 5)) {
  test(`what is stored in a ${sentence} is judged by its octets, and opened`, async () => {
    const inner = make([{ name: 'setup.exe', bytes: TEXT }]);
    const bytes = make([
      { name: 'invoice.pdf', bytes: EXE },
      { name: 'inner.dat', bytes: inner },
    ]);
    assert.deepEqual(await look('a.dat', bytes), [
      ['a.dat', ['archive']],
      ['invoice.pdf', ['disguised', 'executable']],
      ['setup.exe', ['executable']],
    ]);
  });

  test(`a header of a ${sentence} that was changed is unscannable`, async () => {
    const bytes = make([{ name: 'setup.exe', bytes: TEXT }]);
    bytes.write('setup.txt', bytes.indexOf('setup.exe'));
    const changed = sentence.endsWith('1') || sentence.endsWith('2') ? ['archive'] : ['archive', 'unscannable'];
    assert.deepEqual((await look('a.dat', bytes))[0], ['a.dat', changed]);
  });
}

for (const [sentence, make] of [['RAR 5', rar5] as const, ['RAR 4', rar4] as const]) {
  test(`a locked file in a ${sentence} is encrypted, a piece of one is unscannable`, async () => {
    assert.deepEqual(await look('a.rar', make([{ name: 'a.exe', bytes: EXE, locked: true }])), [
      ['a.rar', ['archive', 'encrypted']],
      ['a.exe', ['encrypted', 'executable']],
    ]);
    assert.deepEqual(await look('a.rar', make([{ name: 'a.txt', bytes: TEXT, piece: true }])), [
      ['a.rar', ['archive', 'unscannable']],
      ['a.txt', ['unscannable']],
    ]);
  });
}

test('a RAR whose list is locked is encrypted, not damaged', async () => {
  const four = rar4([{ name: 'a.exe', bytes: EXE }], { locked: true });
  assert.deepEqual(await look('a.rar', four), [['a.rar', ['archive', 'encrypted']]]);
  const five = Buffer.concat([Buffer.from('Rar!\x1a\x07\x01\0aaaa\x05\x04', 'latin1'), Buffer.alloc(40, 7)]);
  assert.deepEqual(await look('a.rar', five), [['a.rar', ['archive', 'encrypted']]]);
});

test('the Unicode name of a file in a RAR 4 counts, and the plain one beside it', async () => {
  // high octet 30, then four characters each after an octet of kinds: あ.js
  const wide = Buffer.from([0x30, 0b01_00_00_00, 0x42, 0x2e, 0x6a, 0x73]);
  assert.deepEqual(await look('a.rar', rar4([{ name: '_.txt', bytes: TEXT, packed: true, wide }])), [
    ['a.rar', ['archive']],
    ['あ.js', ['script']],
  ]);
  // the same by the run of the plain name: "?.vbs" from its second character on
  const run = Buffer.from([0x30, 0b01_11_00_00, 0x42, 0x02]);
  assert.deepEqual((await look('a.rar', rar4([{ name: '?.vbs', bytes: TEXT, packed: true, wide: run }])))[1], [
    'あ.vbs',
    ['script'],
  ]);
});
