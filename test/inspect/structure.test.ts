import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { BlobWriter, Uint8ArrayReader, ZipWriter } from '@zip.js/zip.js';
import fc from 'fast-check';
import type { InspectLimits } from '../../src/inspect/settings.ts';
import { inspectStructure } from '../../src/inspect/structure.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { of, PLAIN, settings } from './support.ts';

type Attachment = Extract<Finding, { kind: 'attachment' }>;

const EXE = Buffer.concat([Buffer.from('MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff', 'latin1'), Buffer.alloc(400)]);
const ELF = Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01', 'latin1'), Buffer.alloc(100)]);
const PDF = Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n', 'latin1');
const LNK = Buffer.concat([Buffer.from('4c0000000114020000000000c000000000000046', 'hex'), Buffer.alloc(100)]);

async function inspect(message: string | Buffer, limits: Partial<InspectLimits> = {}): Promise<Finding[]> {
  const bytes = Buffer.isBuffer(message) ? message : Buffer.from(message, 'latin1');
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 10_007) chunks.push(bytes.subarray(at, at + 10_007));
  const options = { limits: { ...settings().limits, ...limits }, signal: new AbortController().signal };
  return await inspectStructure(Readable.from(chunks), options);
}

interface Part {
  headers: string[];
  body: string | Buffer;
}

function mail(parts: Part[], boundary = 'outer'): Buffer {
  const pieces: Buffer[] = [
    Buffer.from(
      `From: a@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n`,
    ),
  ];
  for (const part of parts) {
    pieces.push(Buffer.from(`--${boundary}\r\n${part.headers.join('\r\n')}\r\n\r\n`, 'latin1'));
    pieces.push(Buffer.isBuffer(part.body) ? part.body : Buffer.from(part.body, 'latin1'), Buffer.from('\r\n'));
  }
  pieces.push(Buffer.from(`--${boundary}--\r\n`));
  return Buffer.concat(pieces);
}

function attached(name: string, bytes: Buffer, type = 'application/octet-stream'): Part {
  return {
    headers: [
      `Content-Type: ${type}`,
      'Content-Transfer-Encoding: base64',
      `Content-Disposition: attachment; filename="${name}"`,
    ],
    body: (bytes.toString('base64').match(/.{1,76}/g) ?? []).join('\r\n'),
  };
}

async function one(part: Part, limits: Partial<InspectLimits> = {}): Promise<Attachment> {
  const found = of(await inspect(mail([part]), limits), 'attachment');
  assert.equal(found.length, 1, JSON.stringify(found));
  return found[0] as Attachment;
}

async function zip(
  entries: Array<[name: string, bytes: Buffer]>,
  options: { password?: string } = {},
): Promise<Buffer> {
  const writer = new ZipWriter(new BlobWriter(), { useWebWorkers: false, ...options });
  for (const [name, bytes] of entries) await writer.add(name, new Uint8ArrayReader(bytes));
  return Buffer.from(await (await writer.close()).arrayBuffer());
}

const names: Array<[name: string, bytes: Buffer, type: string, traits: string]> = [
  ['report.pdf', PDF, 'application/pdf', ''],
  ['setup.exe', EXE, 'application/octet-stream', 'executable'],
  ['invoice.pdf', EXE, 'application/pdf', 'executable disguised'],
  ['invoice.pdf', EXE, 'application/octet-stream', 'executable disguised'],
  ['', EXE, 'image/png', 'executable disguised'],
  ['', EXE, 'application/octet-stream', 'executable'],
  ['invoice.pdf.exe', EXE, 'application/octet-stream', 'executable disguised'],
  ['invoice.pdf                          .exe', EXE, 'application/octet-stream', 'executable disguised'],
  ['invoice.exe.', EXE, 'application/octet-stream', 'executable'],
  ['invoice.scr', PDF, 'application/pdf', 'executable'],
  ['tool', ELF, 'application/octet-stream', 'executable'],
  ['photo.jpg', ELF, 'image/jpeg', 'executable disguised'],
  ['run.js', Buffer.from('alert(1)'), 'text/javascript', 'script'],
  ['invoice.docx.js', Buffer.from('alert(1)'), 'text/javascript', 'script disguised'],
  ['folder.lnk', LNK, 'application/octet-stream', 'script'],
  ['folder.pdf', LNK, 'application/octet-stream', 'script disguised'],
  ['fix.sh', Buffer.from('#!/bin/sh\n'), 'application/x-sh', 'script'],
  ['notes.txt', Buffer.from('#!/bin/sh\n'), 'text/plain', ''],
  ['fix', Buffer.from('#! /usr/bin/env -S node\r\n'), 'application/octet-stream', 'script'],
  ['packed.bin', Buffer.from('#!\u0013\u0000/ packed or encrypted', 'latin1'), 'application/octet-stream', ''],
  [
    'notes.txt',
    Buffer.from('MZ is how this text begins, and it goes on for more than sixty-four octets of plain words'),
    'text/plain',
    '',
  ],
];
for (const [name, bytes, type, traits] of names) {
  test(`an attachment "${name}" (${type}, ${bytes.toString('latin1', 0, 4).replaceAll(/[^ -~]/g, '.')}) is: ${traits || 'harmless'}`, async () => {
    assert.equal((await one(attached(name, bytes, type))).traits.join(' '), traits);
  });
}

test('a name turned round by a right-to-left override is a disguise, and is shown without it', async () => {
  const part = attached('x', EXE);
  part.headers[2] = "Content-Disposition: attachment; filename*=utf-8''invoice%E2%80%AEfdp.exe";
  const finding = await one(part);
  assert.deepEqual(finding.traits, ['executable', 'disguised']);
  assert.equal(finding.name, 'invoicefdp.exe');
});

test('two names for one file: the dangerous one counts', async () => {
  const part = attached('invoice.pdf', PDF, 'application/pdf; name="invoice.exe"');
  assert.deepEqual((await one(part)).traits, ['executable']);
});

const JAPANESE = '見積書表.pdf';
const rawNames: Array<[sentence: string, disposition: Buffer | string]> = [
  ['RFC 2231', `attachment; filename*=utf-8''${encodeURIComponent(JAPANESE)}`],
  [
    'RFC 2231 in two pieces',
    `attachment; filename*0*=utf-8''${encodeURIComponent('見積書')}; filename*1*=${encodeURIComponent('表')}.pdf`,
  ],
  ['RFC 2047', `attachment; filename="=?UTF-8?B?${Buffer.from(JAPANESE).toString('base64')}?="`],
  ['raw UTF-8', Buffer.from(`attachment; filename="${JAPANESE}"`)],
  [
    'raw Shift_JIS, with a backslash as second octet',
    Buffer.from([
      ...Buffer.from('attachment; filename="'),
      0x8c,
      0xa9,
      0x90,
      0xcf,
      0x8f,
      0x91,
      0x95,
      0x5c,
      ...Buffer.from('.pdf"'),
    ]),
  ],
  [
    'raw ISO-2022-JP',
    Buffer.from([
      ...Buffer.from('attachment; filename="'),
      ...Buffer.from('1b2442382b40513d71493d1b2842', 'hex'),
      ...Buffer.from('.pdf"'),
    ]),
  ],
];
for (const [sentence, disposition] of rawNames) {
  test(`a Japanese name is read from ${sentence}`, async () => {
    const text = Buffer.isBuffer(disposition) ? disposition.toString('latin1') : disposition;
    const finding = await one({
      headers: ['Content-Type: application/pdf', `Content-Disposition: ${text}`],
      body: PDF,
    });
    assert.equal(finding.name, JAPANESE);
  });
}

test('a program in a zip is found by its octets, and told with the archive around it', async () => {
  const bytes = await zip([
    ['readme.txt', Buffer.from('hello')],
    ['docs/invoice.pdf', EXE],
  ]);
  const found = of(await inspect(mail([attached('docs.zip', bytes, 'application/zip')])), 'attachment');
  assert.deepEqual(
    found.map(({ name, inside, traits }) => [name, inside, traits]),
    [
      ['docs.zip', [], ['archive']],
      ['invoice.pdf', ['docs.zip'], ['executable', 'disguised']],
    ],
  );
});

test('a program in a zip in a zip is found', async () => {
  const inner = await zip([['setup.exe', EXE]]);
  const bytes = await zip([['inner.zip', inner]]);
  const found = of(await inspect(mail([attached('outer.zip', bytes)])), 'attachment');
  assert.deepEqual(found.at(-1)?.inside, ['outer.zip', 'inner.zip']);
  assert.deepEqual(found.at(-1)?.traits, ['executable']);
});

test('a zip by another name is opened all the same', async () => {
  const bytes = await zip([['setup.exe', EXE]]);
  const found = of(await inspect(mail([attached('data.bin', bytes)])), 'attachment');
  assert.deepEqual(
    found.map(({ traits }) => traits),
    [['archive'], ['executable']],
  );
});

test('a locked zip is encrypted, and the names in it still speak', async () => {
  const bytes = await zip(
    [
      ['invoice.exe', EXE],
      ['a.txt', Buffer.from('a')],
    ],
    { password: 'secret' },
  );
  const found = of(await inspect(mail([attached('locked.zip', bytes)])), 'attachment');
  assert.deepEqual(
    found.map(({ name, traits }) => [name, traits]),
    [
      ['locked.zip', ['encrypted', 'archive']],
      ['invoice.exe', ['encrypted', 'executable']],
      ['a.txt', ['encrypted']],
    ],
  );
});

test('an Office document is not an archive for the policy', async () => {
  const bytes = await zip([
    ['[Content_Types].xml', Buffer.from('<Types/>')],
    ['word/document.xml', Buffer.from('<w/>')],
  ]);
  const finding = await one(attached('letter.docx', bytes));
  assert.deepEqual(finding.traits, []);
  assert.match(finding.trueType ?? '', /wordprocessingml/);
});

test('zips beyond the limits are unscannable: depth, files, octets out, ratio', async () => {
  let nested = await zip([['a.txt', Buffer.from('a')]]);
  for (let i = 0; i < 6; i += 1) nested = await zip([['more.zip', nested]]);
  const deep = of(await inspect(mail([attached('deep.zip', nested)])), 'attachment');
  assert.ok(deep[0]?.traits.includes('unscannable'), JSON.stringify(deep));

  const many = await zip(Array.from({ length: 12 }, (_, i) => [`f${i}.txt`, Buffer.from('x')]));
  assert.ok((await one(attached('many.zip', many), { archiveFiles: 10 })).traits.includes('unscannable'));

  const bomb = await zip([['zeros.bin', Buffer.alloc(8 * 1024 * 1024)]]);
  assert.ok((await one(attached('bomb.zip', bomb))).traits.includes('unscannable'));
  assert.ok(
    (await one(attached('big.zip', bomb), { archiveOctets: 1024, archiveRatio: 1e6 })).traits.includes('unscannable'),
  );
});

test('a damaged zip is unscannable: cut off, garbage, or with two different names for one entry', async () => {
  const whole = await zip([
    ['setup.exe', EXE],
    ['b.txt', Buffer.from('b')],
  ]);
  const lying = Buffer.from(whole);
  lying.write('harmle', lying.indexOf('setup.exe'), 'latin1');
  const cases: Array<[string, Buffer]> = [
    ['cut', whole.subarray(0, whole.length - 30)],
    ['garbage', Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(500, 7)])],
    ['lying', lying],
  ];
  for (const [sentence, bytes] of cases) {
    const found = of(await inspect(mail([attached('x.zip', bytes)])), 'attachment');
    assert.ok(found[0]?.traits.includes('unscannable'), sentence);
  }
});

test('names in a zip without the UTF-8 flag are read as CP932', async () => {
  const bytes = await zip([['AAAAAAAA.exe', EXE]]);
  const cp932 = Buffer.from([0x8c, 0xa9, 0x90, 0xcf, 0x8f, 0x91, 0x95, 0x5c]); // 見積書表
  for (let at = bytes.indexOf('AAAAAAAA'); at >= 0; at = bytes.indexOf('AAAAAAAA')) cp932.copy(bytes, at);
  // general purpose flag bit 11 says UTF-8: clear it in the local and the central header
  bytes.writeUInt16LE(bytes.readUInt16LE(6) & ~0x0800, 6);
  const central = bytes.indexOf(Buffer.from('504b0102', 'hex'));
  bytes.writeUInt16LE(bytes.readUInt16LE(central + 8) & ~0x0800, central + 8);
  const found = of(await inspect(mail([attached('x.zip', bytes)])), 'attachment');
  assert.equal(found.at(-1)?.name, '見積書表.exe');
});

test('a message attached to the message is entered: plain, encoded, or only named .eml', async () => {
  const inner = mail([attached('invoice.pdf', EXE)], 'inner');
  const ways: Part[] = [
    { headers: ['Content-Type: message/rfc822'], body: inner },
    { headers: ['Content-Type: message/rfc822', 'Content-Disposition: attachment; filename="fwd.eml"'], body: inner },
    attached('fwd.eml', inner, 'message/rfc822'),
    attached('fwd.eml', inner),
  ];
  for (const way of ways) {
    const found = of(await inspect(mail([way])), 'attachment');
    assert.deepEqual(
      found.map(({ name, inside, traits }) => [name, inside.length, traits]),
      [['invoice.pdf', 1, ['executable', 'disguised']]],
    );
  }
});

test('a lone attachment without multipart is looked at', async () => {
  const message = `From: a@example.com\r\nContent-Type: image/png; name="a.png"\r\nContent-Transfer-Encoding: base64\r\n\r\n${EXE.toString('base64')}\r\n`;
  assert.deepEqual(of(await inspect(message), 'attachment')[0]?.traits, ['executable', 'disguised']);
});

test('a program sent as the text of a mail is found', async () => {
  const part: Part = {
    headers: ['Content-Type: text/plain', 'Content-Transfer-Encoding: base64'],
    body: EXE.toString('base64'),
  };
  assert.deepEqual((await one(part)).traits, ['executable', 'disguised']);
});

test('quoted-printable hides nothing', async () => {
  const encoded = [...EXE.subarray(0, 300)].map((byte) => `=${byte.toString(16).padStart(2, '0').toUpperCase()}`);
  const body = encoded.map((code, i) => (i % 20 === 19 ? `${code}=\r\n` : code)).join('');
  const part: Part = {
    headers: ['Content-Type: application/pdf; name=a.pdf', 'Content-Transfer-Encoding: Quoted-Printable'],
    body,
  };
  assert.deepEqual((await one(part)).traits, ['executable', 'disguised']);
});

test('an attachment in an encoding we cannot undo, and a piece of a message, are unscannable', async () => {
  const uu: Part = {
    headers: ['Content-Type: application/pdf; name=a.pdf', 'Content-Transfer-Encoding: x-uuencode'],
    body: 'begin 644 a\r\nend',
  };
  assert.deepEqual((await one(uu)).traits, ['unscannable']);
  assert.deepEqual((await one({ headers: ['Content-Type: message/partial; number=1'], body: 'x' })).traits, [
    'unscannable',
  ]);
});

test('more parts or depth than the limits is too complex', async () => {
  const many = mail(Array.from({ length: 60 }, () => ({ headers: ['Content-Type: text/plain'], body: 'x' })));
  assert.equal(of(await inspect(many, { mimeParts: 50 }), 'structure')[0]?.problem, 'too-complex');

  let nested: Buffer = Buffer.from(PLAIN);
  for (let i = 0; i < 12; i += 1) nested = mail([{ headers: ['Content-Type: message/rfc822'], body: nested }], `b${i}`);
  assert.equal(of(await inspect(nested, { mimeDepth: 10 }), 'structure')[0]?.problem, 'too-complex');
  assert.deepEqual(of(await inspect(nested, { mimeDepth: 40 }), 'structure'), []);

  let tree = 'Content-Type: text/plain\r\n\r\nx\r\n';
  for (let i = 0; i < 12; i += 1)
    tree = `Content-Type: multipart/mixed; boundary=t${i}\r\n\r\n--t${i}\r\n${tree}\r\n--t${i}--\r\n`;
  assert.equal(of(await inspect(tree, { mimeDepth: 10 }), 'structure')[0]?.problem, 'too-complex');
});

test('a header of a part that never ends is too complex, not a hole in memory', async () => {
  const part: Part = { headers: [`X-Long: ${'a'.repeat(300_000)}`], body: 'x' };
  assert.equal(of(await inspect(mail([part])), 'structure')[0]?.problem, 'too-complex');
});

test('a source that breaks is no property of the message: it throws', async () => {
  const source = Readable.from(
    (function* () {
      yield Buffer.from('Subject: x\r\n');
      throw new Error('EIO');
    })(),
  );
  const options = { limits: settings().limits, signal: new AbortController().signal };
  await assert.rejects(inspectStructure(source, options), { code: 'SOURCE_BROKE' });
});

test('plain mail brings no findings', async () => {
  assert.deepEqual(await inspect(PLAIN), []);
});

test('malformed mail: findings or none, never an exception, however it is broken', async () => {
  const whole = mail([
    attached('a.zip', await zip([['setup.exe', EXE]])),
    { headers: ['Content-Type: message/rfc822'], body: PLAIN },
  ]);
  const property = fc.asyncProperty(
    fc.integer({ min: 0, max: whole.length }),
    fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 12 }),
    async (cut, changes) => {
      const broken = Buffer.from(whole);
      for (const [at, byte] of changes) broken[at] = byte;
      const findings = await inspect(broken.subarray(0, cut));
      assert.ok(Array.isArray(findings));
    },
  );
  await fc.assert(property, { numRuns: 120 });
});
