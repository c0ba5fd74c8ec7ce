/**
 * Archives other than zip: programs and scripts in them are found by their names, and by their octets where these stand there.
 * Samples are made by the formats' documents; the tar ones also by the system's tar.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BlobWriter, Uint8ArrayReader, ZipWriter } from '@zip.js/zip.js';
import type { AttachmentTrait } from '../../src/mail/finding.ts';
import { attachmentsIn } from './support.ts';

const EXE = Buffer.concat([Buffer.from('MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff', 'latin1'), Buffer.alloc(400)]);
const TEXT = Buffer.from('hello\n');

type Seen = [name: string, inside: string[], traits: AttachmentTrait[]];

/** What is found in a mail with this attached. */
async function look(name: string, bytes: Buffer, limits = {}): Promise<Seen[]> {
  const findings = await attachmentsIn({ name, bytes }, limits);
  return findings.map((finding) => [finding.name, finding.inside, [...finding.traits].sort()]);
}

async function traitsOf(name: string, bytes: Buffer, limits = {}): Promise<AttachmentTrait[]> {
  return (await look(name, bytes, limits))[0]?.[2] ?? [];
}

interface File {
  name: string;
  bytes: Buffer;
  type?: string;
  size?: number;
}

/** POSIX.1 ustar. */
function tarFile({ name, bytes, type = '0', size = bytes.length }: File): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100, 'utf8');
  header.write('0000644\0', 100);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('        ', 148);
  header.write(type, 156);
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((all, octet) => all + octet, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

function tar(files: File[]): Buffer {
  return Buffer.concat([...files.map(tarFile), Buffer.alloc(1_024)]);
}

async function zip(name: string, bytes: Buffer): Promise<Buffer> {
  const writer = new ZipWriter(new BlobWriter(), { useWebWorkers: false });
  await writer.add(name, new Uint8ArrayReader(bytes));
  return Buffer.from(await (await writer.close()).arrayBuffer());
}

const PLAIN: File[] = [
  { name: 'docs/readme.txt', bytes: TEXT },
  { name: 'docs/invoice.pdf', bytes: EXE },
  { name: 'docs/run.vbs', bytes: TEXT },
];
const FOUND = (around: string[]): Seen[] => [
  ['invoice.pdf', around, ['disguised', 'executable']],
  ['run.vbs', around, ['script']],
];

test('a program in a tar, alone or in a gzip, is found by its octets, a script by its name', async () => {
  for (const [name, bytes] of [
    ['a.tar', tar(PLAIN)],
    ['a.tar.gz', gzipSync(tar(PLAIN))],
    ['a.tgz', gzipSync(tar(PLAIN))],
    ['a.dat', gzipSync(tar(PLAIN))],
  ] as const)
    assert.deepEqual(await look(name, bytes), [[name, [], ['archive']], ...FOUND([name])]);
});

test('what the tar of the system makes is read, in each of its forms', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sekisho-tar-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const long = `${'long'.repeat(40)}.exe`;
  await writeFile(join(directory, long), TEXT);
  for (const format of ['gnu', 'oldgnu', 'pax', 'posix', 'ustar', 'v7']) {
    const short = format === 'ustar' || format === 'v7';
    await writeFile(join(directory, 'a.js'), TEXT);
    const bytes = execFileSync('tar', [`--format=${format}`, '-cf', '-', ...(short ? [] : [long]), 'a.js'], {
      cwd: directory,
    });
    const expected: Seen[] = short ? [] : [[long, ['a.tar'], ['executable']]];
    assert.deepEqual(await look('a.tar', bytes), [
      ['a.tar', [], ['archive']],
      ...expected,
      ['a.js', ['a.tar'], ['script']],
    ]);
  }
});

test('archives within archives are opened, whichever is in which', async () => {
  const inner = await zip('setup.exe', EXE);
  const tarred = tar([{ name: 'b.zip', bytes: inner }]);
  assert.deepEqual((await look('a.tar.gz', gzipSync(tarred))).at(-1), [
    'setup.exe',
    ['a.tar.gz', 'b.zip'],
    ['executable'],
  ]);
  const packed = await zip('b.tar.gz', gzipSync(tar(PLAIN)));
  assert.deepEqual((await look('a.zip', packed)).slice(1), FOUND(['a.zip', 'b.tar.gz']));
  assert.deepEqual((await look('b.zip.gz', gzipSync(inner))).at(-1), ['setup.exe', ['b.zip.gz'], ['executable']]);
});

test('a lone file in a gzip goes by both its names', async () => {
  assert.deepEqual(await traitsOf('invoice.exe.gz', gzipSync(TEXT)), ['executable']);
  const named = gzipSync(TEXT);
  named[3] = 0x08; // RFC 1952: FNAME
  const bytes = Buffer.concat([named.subarray(0, 10), Buffer.from('a.js\0'), named.subarray(10)]);
  assert.deepEqual(await traitsOf('a.txt.gz', bytes), ['script']);
  assert.deepEqual(await traitsOf('a.log.gz', gzipSync(TEXT)), []);
});

test('a tar that is cut off, damaged or says two things is unscannable', async () => {
  const whole = tar(PLAIN);
  const lying = Buffer.from(whole);
  lying.write('x', 0);
  const record = (text: string): string => `${text.length + 3} ${text}\n`;
  const cases: Array<[string, Buffer]> = [
    ['cut off', whole.subarray(0, 1_700)],
    ['a name changed under its checksum', lying],
    ['a size beyond the end', tar([{ name: 'a', bytes: TEXT, size: 8 ** 11 - 1 }])],
    ['a file behind the end', Buffer.concat([whole, tar(PLAIN)])],
    ['a link with octets', tar([{ name: 'a', bytes: EXE, type: '1' }])],
    [
      'two sizes',
      tar([
        { name: 'p', type: 'x', bytes: Buffer.from(record('size=512')) },
        { name: 'a', bytes: TEXT },
      ]),
    ],
    ['a gzip cut off', gzipSync(whole).subarray(0, -30)],
  ];
  for (const [sentence, bytes] of cases) assert.ok((await traitsOf('a.tar', bytes)).includes('unscannable'), sentence);
});

test('tars beyond the limits are unscannable: depth, files, octets, ratio', async () => {
  let deep = tar(PLAIN);
  for (let i = 0; i < 6; i += 1) deep = tar([{ name: 'a.tar', bytes: deep }]);
  assert.ok((await traitsOf('a.tar', deep)).includes('unscannable'));
  let gzips = TEXT;
  for (let i = 0; i < 8; i += 1) gzips = gzipSync(gzips);
  assert.ok((await traitsOf('a.gz', gzips)).includes('unscannable'));
  assert.ok((await traitsOf('a.tar', tar(PLAIN), { archiveFiles: 2 })).includes('unscannable'));
  assert.ok((await traitsOf('a.tar', tar(PLAIN), { archiveOctets: 300 })).includes('unscannable'));
  const bomb = gzipSync(tar([{ name: 'zeros.bin', bytes: Buffer.alloc(8 * 1024 * 1024) }]));
  assert.ok((await traitsOf('a.tgz', bomb)).includes('unscannable'));
  assert.deepEqual(await traitsOf('a.tgz', bomb, { archiveRatio: 10_000 }), ['archive']);
});
