/** Archives: a zip or another made and then damaged, a gzip cut or doubled: listed within the budget, or said to be unscannable. */
import { deflateRawSync, gzipSync } from 'node:zlib';
import { listPacked, listZip, newBudget } from '../../../src/inspect/archives.ts';
import { kindOf } from '../../../src/inspect/file-kinds.ts';
import { cab, lzh, rar4, rar5, type Sample } from '../../support/archive-samples.ts';
import { check, mutate, type Planted, type Random, type Target } from '../engine.ts';
import { parseConfiguredLimits } from '../support.ts';

const NAMES = [
  'a.txt',
  'tool.exe',
  'dir/',
  'word/document.xml',
  '[Content_Types].xml',
  '../../etc/x',
  'a\u202etxt.exe',
  'b.zip',
  'x'.repeat(300),
  '',
  'META-INF/MANIFEST.MF',
];
const TOKENS = [
  'PK\u0003\u0004',
  'PK\u0001\u0002',
  'PK\u0005\u0006',
  'PK\u0006\u0006',
  'PK\u0006\u0007',
  '\u0000\u0000\u0000\u0000',
  '\u00ff\u00ff\u00ff\u00ff',
  '\u0001\u0000',
  '\u0008\u0000',
  '\u001f\u008b\u0008',
  "7z\u00bc\u00af'\u001c",
  'ustar',
  'Rar!\u001a\u0007',
].map((token) => Buffer.from(token, 'latin1'));
const FORMATS = ['gzip', 'tar', 'rar4', 'rar5', 'lzh', 'cab'] as const;
const ALLOWED = new Set(['executable', 'script', 'disguised', 'archive', 'encrypted', 'unscannable', 'macro']);

export const planted: Planted = {
  file: 'src/inspect/archives.ts',
  find: "    traits.add('unscannable'); // no zip after all, cut off, or made to confuse",
  replace: '',
};

export const target: Target = {
  name: 'archive',
  make(random: Random) {
    const whole = random.chance(3) ? other(random) : zip(random);
    return random.chance(8) ? whole : mutate(random, whole, { tokens: TOKENS });
  },
  async run(input) {
    const options = { ms: 10_000, signal: AbortSignal.timeout(30_000) };
    const budget = newBudget(parseConfiguredLimits(), options);
    const listed = await listZip(input, { inside: ['a.zip'], depth: 1, budget });
    for (const trait of listed.traits) check(ALLOWED.has(trait), `"${trait}" is a word of the house`);
    const named = listed.findings.flatMap((finding) => (finding.kind === 'attachment' ? [finding.name] : []));
    // A program whose name stands in the directory in clear is listed, or the whole is not to be trusted.
    const promised = endOfDirectory(input) && input.includes('tool.exe');
    check(
      !promised ||
        listed.traits.includes('unscannable') ||
        listed.traits.includes('encrypted') ||
        named.length > 0 ||
        listed.findings.length === 0,
      'A directory is listed or refused',
    );
    check(
      endOfDirectory(input) || listed.traits.includes('unscannable'),
      'What is no zip is unscannable, never an empty archive',
    );
    for (const format of FORMATS) {
      const fresh = newBudget(parseConfiguredLimits(), options);
      const around = { inside: ['a'], depth: 1, budget: fresh };
      const { traits } = await listPacked(input, { ...around, format, names: ['a.exe.gz'] });
      for (const trait of traits) check(ALLOWED.has(trait), `"${trait}" is a word of the house`);
    }
    await kindOf({ name: 'a', declaredType: '', head: input.subarray(0, 4_096) });
  },
};

function endOfDirectory(input: Buffer): boolean {
  return input.includes(Buffer.from('PK\u0005\u0006', 'latin1'));
}

function other(random: Random): Buffer {
  const tarred = Buffer.concat([tarFile(random), tarFile(random), Buffer.alloc(1_024)]);
  const files: Sample[] = [0, 1].map(() => {
    const flags = { packed: random.chance(2), locked: random.chance(8), piece: random.chance(8) };
    return { name: random.pick(NAMES).slice(0, 200), bytes: random.bytes(random.below(80)), ...flags };
  });
  const wide = files.map((file) => ({ ...file, wide: random.bytes(random.below(40)) }));
  const level = random.pick([0, 1, 2] as const);
  const made = [rar5(files), rar4(files), rar4(wide), lzh(level, files), cab(files)];
  return random.pick([...made, tarred, gzipSync(tarred), gzipSync(random.bytes(random.below(200)))]);
}

/** POSIX.1 ustar; sometimes a note of pax or GNU, a link, or a sparse file. */
function tarFile(random: Random): Buffer {
  const content = random.bytes(random.below(80));
  const header = Buffer.alloc(512);
  header.write(random.pick(NAMES), 0, 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(`        ${random.pick('00000LxgS15'.split(''))}`, 148);
  header.write('ustar', 257);
  const sum = header.reduce((all, octet) => all + octet, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** A plain zip (APPNOTE 4.3): local headers, central directory, end record; checksums of no importance here. */
function zip(random: Random): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (let count = random.below(5); count >= 0; count -= 1) {
    const name = Buffer.from(random.pick(NAMES));
    const content = random.chance(3)
      ? Buffer.concat([Buffer.from('MZ\u0090\u0000', 'latin1'), random.bytes(40)])
      : random.bytes(random.below(80));
    const deflated = random.chance(2);
    const data = deflated ? deflateRawSync(content) : content;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(random.chance(8) ? 1 : 0, 2); // sometimes "encrypted"
    common.writeUInt16LE(deflated ? 8 : 0, 4);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004', 'latin1'), common, name, data]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000', 'latin1'), common, tail, name]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 'latin1');
  end.writeUInt16LE(central.length, 8);
  end.writeUInt16LE(central.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}
