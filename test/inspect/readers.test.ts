/**
 * One message, two readers: forms that mail programs read differently ("Inbox Invasion", CCS 2024; zip's "confusion" family).
 * What one of them would open must be found, or the message must be told to be malformed: never nothing.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { BlobWriter, Uint8ArrayReader, ZipWriter } from '@zip.js/zip.js';
import { inspectStructure } from '../../src/inspect/structure.ts';
import type { AttachmentTrait, Finding } from '../../src/mail/finding.ts';
import { of, settings } from './support.ts';

const EXE = Buffer.concat([Buffer.from('MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff', 'latin1'), Buffer.alloc(400)]);
const SCRIPT = Buffer.from('WScript.Echo("x")\r\n');

async function inspect(message: Buffer | string): Promise<Finding[]> {
  const bytes = Buffer.isBuffer(message) ? message : Buffer.from(message, 'latin1');
  const options = { limits: settings().limits, signal: new AbortController().signal };
  return await inspectStructure(Readable.from([bytes]), options);
}

function traits(findings: readonly Finding[]): AttachmentTrait[] {
  return [...new Set(of(findings, 'attachment').flatMap((finding) => finding.traits))].sort();
}

function malformed(findings: readonly Finding[]): string[] {
  return of(findings, 'structure').flatMap(({ problem, detail }) => (problem === 'malformed' ? [detail] : []));
}

/** A mail with one part whose header is this. */
function mail(header: string, body: Buffer | string = SCRIPT): Buffer {
  const octets = Buffer.isBuffer(body) ? body : Buffer.from(body, 'latin1');
  return Buffer.concat([
    Buffer.from('From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=O\r\n\r\n--O\r\n'),
    Buffer.from(`${header}\r\n\r\n`, 'latin1'),
    octets,
    Buffer.from('\r\n--O--\r\n'),
  ]);
}

function base64(octets: Buffer): string {
  return (octets.toString('base64').match(/.{1,76}/g) ?? []).join('\r\n');
}

interface Packed {
  name: string;
  bytes: Buffer;
  change?: Record<string, unknown>;
}

async function zip(entries: Packed[]): Promise<Buffer> {
  const writer = new ZipWriter(new BlobWriter(), { useWebWorkers: false, level: 0, dataDescriptor: false });
  for (const { name, bytes, change } of entries) await writer.add(name, new Uint8ArrayReader(bytes), change);
  return Buffer.from(await (await writer.close()).arrayBuffer());
}

const ATTACHED = 'Content-Type: application/octet-stream\r\nContent-Disposition: attachment';

describe('a script by one of the names that a file may have is a script', () => {
  const forms: Array<[sentence: string, header: string]> = [
    ['a plain name beside one by RFC 2231', `${ATTACHED}; filename="a.js"; filename*=utf-8''a.pdf`],
    ['the second of two plain names', `${ATTACHED}; filename="a.pdf"; filename="a.js"`],
    ['the first of two plain names', `${ATTACHED}; filename="a.js"; filename="a.pdf"`],
    [
      'the second of two Content-Disposition fields',
      `${ATTACHED}; filename=a.pdf\r\nContent-Disposition: attachment; filename=a.js`,
    ],
    [
      'the second of two Content-Type fields',
      `Content-Type: image/png; name=a.png\r\nContent-Type: image/png; name=a.js`,
    ],
    ['a name behind a comment', `${ATTACHED}; (filename=a.pdf;) filename=a.js`],
    ['a name without a semicolon in front', `${ATTACHED} filename=a.js`],
    ['a name longer than is kept', `${ATTACHED}; filename="${'a'.repeat(1_200)}.js"`],
    ['a name on an attached message', 'Content-Type: message/rfc822; name="a.js"'],
    [
      'a name beside one that ends in .eml',
      `${ATTACHED}; filename=a.eml\r\nX: y\r\nContent-Type: text/plain; name=a.js`,
    ],
  ];
  for (const [sentence, header] of forms) {
    it(sentence, async () => {
      const findings = await inspect(mail(header));
      assert.ok(traits(findings).includes('script'), JSON.stringify(findings));
    });
  }
});

describe('a program or a zip that is called a message is still what it is', () => {
  for (const header of ['Content-Type: message/rfc822; name="a.eml"', `${ATTACHED}; filename=a.eml`]) {
    it(header.replaceAll('\r\n', ' '), async () => {
      const encoded = `${header}\r\nContent-Transfer-Encoding: base64`;
      assert.deepEqual(traits(await inspect(mail(encoded, base64(EXE)))), ['disguised', 'executable']);
      const packed = await zip([{ name: 'setup.exe', bytes: EXE }]);
      assert.deepEqual(traits(await inspect(mail(encoded, base64(packed)))), ['archive', 'executable']);
    });
  }
});

describe('what two programs take apart differently is told as malformed', () => {
  const file = `Content-Type: application/pdf; name=a.pdf`;
  const encoded = 'Content-Transfer-Encoding: base64';
  const inner = `--I\r\n${file}\r\n${encoded}\r\n\r\n${base64(EXE)}\r\n--I--`;
  const forms: Array<[sentence: string, message: Buffer]> = [
    [
      'two types, one a multipart',
      mail(`Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=I`, inner),
    ],
    ['two encodings', mail(`${file}\r\nContent-Transfer-Encoding: 7bit\r\n${encoded}`, base64(EXE))],
    ['two boundaries', mail('Content-Type: multipart/mixed; boundary=X; boundary=I', inner)],
    ['two boundaries, one in a comment', mail('Content-Type: multipart/mixed; (; boundary=X ;) ;boundary=I', inner)],
    ['no boundary', mail('Content-Type: multipart/mixed', inner)],
    [
      'parts in what is no multipart',
      mail('Content-Type: application/zip; boundary="!!"; name=a.zip', `--!!\r\n\r\n${base64(EXE)}`),
    ],
    [
      'a multipart that is encoded',
      mail(`Content-Type: multipart/mixed; boundary=I\r\n${encoded}`, base64(Buffer.from(inner))),
    ],
    [
      'a header that some see end at a blank line with a space',
      mail(`${file}\r\n${encoded}\r\n \r\n${base64(EXE)}`, ''),
    ],
    ['pieces of a name with a gap', mail(`${ATTACHED}; filename*0="a.js"; filename*2=".pdf"`)],
    ['pieces of a name twice', mail(`${ATTACHED}; filename*0="a.js"; filename*0=".pdf"`)],
    ['a name by RFC 2231 twice', mail(`${ATTACHED}; filename*=utf-8''a.js; filename*=utf-8''.pdf`)],
    [
      'a name behind twenty others',
      mail(`${ATTACHED}${Array.from({ length: 30 }, (_, i) => `; filename=${i}.pdf`).join('')}; filename=a.js`),
    ],
    ['a field that is repeated', mail(`${`${file}\r\n`.repeat(9)}Content-Type: application/pdf; name=a.js`)],
    [
      'a second name behind a very long parameter',
      mail(`${ATTACHED}; filename=a.pdf; x=${'y'.repeat(9_000)}; filename=a.js`),
    ],
    ['a name behind hundreds of parameters', mail(`${ATTACHED}; ${'x=y; '.repeat(300)}filename=a.js`)],
  ];
  for (const [sentence, message] of forms) {
    it(sentence, async () => {
      const findings = await inspect(message);
      assert.equal(malformed(findings).length, 1, JSON.stringify(findings));
    });
  }

  const honest: Array<[sentence: string, message: Buffer]> = [
    ['the same field twice', mail(`${file}\r\n${file}\r\n${encoded}\r\n${encoded}`, base64(Buffer.from('%PDF-1.7')))],
    ['7bit and 8bit', mail(`${file}\r\nContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: 8bit`)],
    [
      'a long name in pieces, and plain',
      mail(`${ATTACHED}; filename="?.pdf"; filename*0*=utf-8''%E8%A6%8B; filename*1*=%E7%A9%8D.pdf`),
    ],
    [
      'a boundary without a semicolon behind it',
      mail('Content-Type: multipart/mixed; boundary=I charset=utf-8', inner),
    ],
    ['a boundary in quotes', mail('Content-Type: multipart/mixed;\r\n\tboundary="I"; type="text/html"', inner)],
    [
      'the header of a multipart that came back without its body',
      mail('Content-Type: message/rfc822', 'Subject: x\r\nContent-Type: multipart/alternative; boundary=Z\r\n'),
    ],
  ];
  for (const [sentence, message] of honest) {
    it(`but not ${sentence}`, async () => assert.deepEqual(malformed(await inspect(message)), []));
  }
});

it('headers made to be searched again and again cost no more than a moment', async () => {
  for (const filler of [
    'boundary="',
    '; boundary="\\',
    'name="',
    'a*=',
    'a*1=; ',
    'name*=x ',
    'boundary=\\"',
    'boundary = ',
    'a*1   ',
  ])
    for (const field of ['Content-Type: multipart/x', 'Content-Disposition: attachment']) {
      const header = `${field}; ${filler.repeat(Math.ceil(8_000 / filler.length))}\r\n`.repeat(3);
      const message = Buffer.concat(Array.from({ length: 60 }, () => mail(header)));
      const begin = process.cpuUsage();
      await inspect(Buffer.concat([Buffer.from('Content-Type: multipart/mixed; boundary=O\r\n\r\n'), message]));
      const { user, system } = process.cpuUsage(begin);
      assert.ok(user + system < 2_000_000, `${filler}: ${user + system} µs`);
    }
});

describe('a multipart that some programs see and others do not is looked into', () => {
  const tool = `Content-Type: application/octet-stream; name=a.exe\r\n\r\nx\r\n`;
  const forms: Array<[sentence: string, message: string]> = [
    [
      'a part behind the end of its multipart',
      `Content-Type: multipart/mixed; boundary=I\r\n\r\n--I\r\n\r\nx\r\n--I--\r\n--I\r\n${tool}--I--\r\n`,
    ],
    ['white space for the semicolon', `Content-Type: multipart/mixed boundary=I\r\n\r\n--I\r\n${tool}--I--\r\n`],
    ['white space around the slash', `Content-Type: multipart / mixed; boundary=I\r\n\r\n--I\r\n${tool}--I--\r\n`],
  ];
  for (const [sentence, message] of forms) {
    it(sentence, async () => {
      const findings = await inspect(`From: a@b.example\r\n${message}`);
      assert.ok(traits(findings).includes('executable'), JSON.stringify(findings));
    });
  }
});

describe('a zip that unpackers read differently is unscannable, or both readings count', () => {
  const attach = (bytes: Buffer): Buffer =>
    mail('Content-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64', base64(bytes));

  it('two zips joined: the directory at the end names the harmless one only', async () => {
    const bytes = Buffer.concat([
      await zip([{ name: 'a.exe', bytes: EXE }]),
      await zip([{ name: 'b.txt', bytes: SCRIPT }]),
    ]);
    assert.ok(traits(await inspect(attach(bytes))).includes('unscannable'));
  });

  it('a file that its directory leaves out', async () => {
    const whole = await zip([
      { name: 'b.txt', bytes: SCRIPT },
      { name: 'a.exe', bytes: EXE },
    ]);
    const harmless = await zip([{ name: 'b.txt', bytes: SCRIPT }]);
    const directory = harmless.indexOf('PK\x01\x02');
    const hidden = whole.subarray(0, whole.indexOf('PK\x01\x02'));
    const bytes = Buffer.concat([hidden, harmless.subarray(directory)]);
    bytes.writeUInt32LE(hidden.length, bytes.length - 6);
    assert.ok(traits(await inspect(attach(bytes))).includes('unscannable'));
  });

  it('a program with the mark of a directory', async () => {
    const bytes = await zip([{ name: 'a.exe', bytes: EXE }]);
    bytes.writeUInt32LE(0x41ed0010, bytes.indexOf('PK\x01\x02') + 38); // external attributes: Unix and DOS say directory
    assert.ok(traits(await inspect(attach(bytes))).includes('executable'));
  });

  it('a script with a harmless name in Unicode beside it', async () => {
    const crc = Buffer.alloc(4);
    crc.writeUInt32LE(crc32('a.js'));
    const path = Buffer.concat([Buffer.from([1]), crc, Buffer.from('a.txt')]);
    const bytes = await zip([{ name: 'a.js', bytes: SCRIPT, change: { extraField: new Map([[0x7075, path]]) } }]);
    assert.ok(traits(await inspect(attach(bytes))).includes('script'));
  });

  it('OneNote notes with a file in them', async () => {
    const notes = Buffer.concat([
      Buffer.from('e4525c7b8cd8a74daeb15378d02996d3', 'hex'),
      Buffer.alloc(50_000),
      Buffer.from('e716e3bd65261145a4c48d4d0b7a9eac', 'hex'),
    ]);
    assert.ok(traits(await inspect(attach(await zip([{ name: 'a.one', bytes: notes }])))).includes('script'));
  });

  it('an honest zip is neither, with folders and a data descriptor', async () => {
    const writer = new ZipWriter(new BlobWriter(), { useWebWorkers: false, dataDescriptor: true });
    await writer.add('folder/', undefined, { directory: true });
    await writer.add('folder/a.txt', new Uint8ArrayReader(SCRIPT));
    await writer.add('inner.zip', new Uint8ArrayReader(await zip([{ name: 'b.txt', bytes: SCRIPT }])), { level: 0 });
    const bytes = Buffer.from(await (await writer.close()).arrayBuffer());
    assert.deepEqual(traits(await inspect(attach(bytes))), ['archive']);
  });
});

/** POSIX uuencode; a space is written as a grave accent, as most programs do. */
function uuencoded(name: string, octets: Buffer): string {
  const character = (bits: number): string => (bits === 0 ? '`' : String.fromCharCode(32 + bits));
  const lines: string[] = [];
  for (let at = 0; at < octets.length; at += 45) {
    const piece = octets.subarray(at, at + 45);
    let line = character(piece.length);
    for (let i = 0; i < piece.length; i += 3) {
      const [a = 0, b = 0, c = 0] = piece.subarray(i, i + 3);
      line += [a >> 2, ((a & 3) << 4) | (b >> 4), ((b & 15) << 2) | (c >> 6), c & 63].map(character).join('');
    }
    lines.push(line);
  }
  return ['begin 644 ' + name, ...lines, '`', 'end', ''].join('\r\n');
}

describe('files that stand in a text (uuencode) are files', () => {
  const text = (body: string): string => `From: a@b.example\r\nSubject: x\r\n\r\nHello\r\n${body}Bye\r\n`;

  it('a script by its name, a program by its octets, a program in a zip', async () => {
    assert.deepEqual(traits(await inspect(text(uuencoded('a.js', SCRIPT)))), ['script']);
    assert.deepEqual(traits(await inspect(text(uuencoded('a.pdf', EXE)))), ['disguised', 'executable']);
    const packed = await zip([{ name: 'a.exe', bytes: EXE }]);
    assert.deepEqual(traits(await inspect(text(uuencoded('a.zip', packed)))), ['archive', 'executable']);
  });

  it('two of them in one part of a mail, however it is encoded', async () => {
    const body = uuencoded('a.txt', SCRIPT) + uuencoded('b.js', SCRIPT);
    for (const [encoding, encoded] of [
      ['7bit', body],
      ['base64', base64(Buffer.from(body))],
      ['quoted-printable', body.replaceAll('=', '=3D')],
    ] as const) {
      const part = mail(`Content-Type: text/plain\r\nContent-Transfer-Encoding: ${encoding}`, encoded);
      const found = of(await inspect(part), 'attachment');
      assert.deepEqual(
        found.map(({ name, size, traits: each }) => [name, size, each]),
        [
          ['a.txt', SCRIPT.length, []],
          ['b.js', SCRIPT.length, ['script']],
        ],
        encoding,
      );
    }
  });

  it('however the octets are cut, also behind the first megabyte', async () => {
    const message = Buffer.from(text(`${'x'.repeat(70)}\r\n`.repeat(15_000) + uuencoded('a.js', SCRIPT)));
    const options = { limits: settings().limits, signal: new AbortController().signal };
    for (const cut of [997, 65_536]) {
      const pieces = Array.from({ length: Math.ceil(message.length / cut) }, (_, i) =>
        message.subarray(i * cut, (i + 1) * cut),
      );
      assert.deepEqual(traits(await inspectStructure(Readable.from(pieces), options)), ['script']);
    }
  });

  it('more of them than anybody sends are unscannable', async () => {
    const many = uuencoded('a.txt', SCRIPT).repeat(101) + uuencoded('b.js', SCRIPT);
    assert.ok(traits(await inspect(text(many))).includes('unscannable'));
  });

  it('a text of nothing but beginnings costs no more than a moment', async () => {
    const begin = process.cpuUsage();
    await inspect(text('begin 644 a\r\nx\r\n'.repeat(100_000)));
    const { user, system } = process.cpuUsage(begin);
    assert.ok(user + system < 2_000_000, `${user + system} µs`);
  });

  it('but not a line of text that only begins so, nor an attached text about it', async () => {
    assert.deepEqual(await inspect(text('begin 644 times a.js\r\nand then go on\r\n')), []);
    const attached = mail(
      'Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt',
      uuencoded('a.js', SCRIPT),
    );
    assert.deepEqual(traits(await inspect(attached)), []);
  });
});

describe('files in a winmail.dat (TNEF) are files', () => {
  const RENDER = 0x00069002;
  const TITLE = 0x00018010;
  const DATA = 0x0006800f;
  const PROPERTIES = 0x00069005;
  const attribute = (id: number, data: Buffer): Buffer => {
    const head = Buffer.alloc(9);
    head.writeUInt8(2, 0);
    head.writeUInt32LE(id, 1);
    head.writeUInt32LE(data.length, 5);
    return Buffer.concat([head, data, Buffer.alloc(2)]);
  };
  const tnef = (...attributes: Buffer[]): Buffer => Buffer.concat([Buffer.from('789f3e220100', 'hex'), ...attributes]);
  const longName = (name: string): Buffer => {
    const text = Buffer.from(`${name}\0`, 'utf16le');
    const head = Buffer.alloc(12);
    head.writeUInt32LE(0x3707001f, 0);
    head.writeUInt32LE(1, 4);
    head.writeUInt32LE(text.length, 8);
    return Buffer.concat([Buffer.from('01000000', 'hex'), head, text]);
  };
  const winmail = (octets: Buffer): Buffer =>
    mail('Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64', base64(octets));
  const file = (title: string, octets: Buffer): Buffer[] => [
    attribute(RENDER, Buffer.alloc(14)),
    attribute(TITLE, Buffer.from(`${title}\0`)),
    attribute(DATA, octets),
  ];

  it('a script by its name, the long one or the short one; a program by its octets; a program in a zip', async () => {
    assert.deepEqual(traits(await inspect(winmail(tnef(...file('a.js', SCRIPT))))), ['script']);
    const long = [...file('A~1.TXT', SCRIPT), attribute(PROPERTIES, longName('見積書.js'))];
    assert.deepEqual(traits(await inspect(winmail(tnef(...long)))), ['script']);
    assert.deepEqual(traits(await inspect(winmail(tnef(...file('a.pdf', EXE))))), ['disguised', 'executable']);
    const packed = await zip([{ name: 'a.exe', bytes: EXE }]);
    const found = of(await inspect(winmail(tnef(...file('b.txt', SCRIPT), ...file('a.zip', packed)))), 'attachment');
    assert.deepEqual(
      found.map(({ name, inside }) => [...inside, name].join(' / ')),
      ['winmail.dat', 'winmail.dat / b.txt', 'winmail.dat / a.zip', 'winmail.dat / a.zip / a.exe'],
    );
  });

  it('also in a message within it', async () => {
    const inner = Buffer.concat([Buffer.from('0d000137', 'hex'), tnef(...file('a.js', SCRIPT)), Buffer.alloc(40)]);
    const outer = tnef(attribute(RENDER, Buffer.alloc(14)), attribute(PROPERTIES, inner));
    assert.deepEqual(traits(await inspect(winmail(outer))), ['script']);
  });

  it('one that is cut off is unscannable, an honest one is nothing', async () => {
    const honest = tnef(...file('a.txt', SCRIPT));
    assert.deepEqual(traits(await inspect(winmail(honest))), []);
    assert.deepEqual(traits(await inspect(winmail(honest.subarray(0, honest.length - 12)))), ['unscannable']);
  });

  it('whatever the octets, it ends', async () => {
    const whole = tnef(...file('a.txt', SCRIPT), attribute(PROPERTIES, longName('a.js')));
    for (let at = 6; at < whole.length; at += 1) {
      const broken = Buffer.from(whole);
      broken[at] = 0xff;
      assert.ok(Array.isArray(await inspect(winmail(broken))));
    }
  });
});

describe('names of what Windows opens by itself', () => {
  const kinds: Array<[extension: string, trait: AttachmentTrait]> = [
    ['rdp', 'script'],
    ['website', 'script'],
    ['theme', 'script'],
    ['slk', 'script'],
    ['msu', 'executable'],
    ['appinstaller', 'executable'],
    ['iso', 'unscannable'],
    ['img', 'unscannable'],
    ['vhd', 'unscannable'],
    ['vhdx', 'unscannable'],
  ];
  for (const [extension, trait] of kinds) {
    it(`.${extension} is ${trait}, attached and in a zip`, async () => {
      const name = `a.${extension}`;
      assert.deepEqual(traits(await inspect(mail(`${ATTACHED}; filename=${name}`))), [trait]);
      const bytes = await zip([{ name, bytes: SCRIPT }]);
      const packed = mail(
        'Content-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64',
        base64(bytes),
      );
      assert.ok(traits(await inspect(packed)).includes(trait));
    });
  }

  it('a disk image by another name is known by its octets, also one that is UDF only', async () => {
    const image = Buffer.alloc(36_000);
    image.write('BEA01', 32_769, 'latin1');
    const findings = await inspect(
      mail(`${ATTACHED}; filename=a.bin\r\nContent-Transfer-Encoding: base64`, base64(image)),
    );
    assert.deepEqual(traits(findings), ['unscannable']);
  });
});
