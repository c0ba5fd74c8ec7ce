/**
 * The clean mail on which new virus signatures are proven: what an office sends each day, in the kinds of file that false alarms
 * were known for. Made here, the same octets at each build; nobody's real mail is in it.
 *
 *   node scripts/image/ham.ts FOLDER
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { zip } from '../samples/zip.ts';

export interface HamFile {
  name: string;
  octets: Buffer;
}

interface Attachment {
  name: string;
  type: string;
  content: Buffer;
}

export function hamFiles(): HamFile[] {
  const english = 'Hello Alice,\r\n\r\nshall we meet on Friday at ten? The room is booked.\r\n\r\nHanako\r\n';
  const japanese = 'お世話になっております。\r\n見積書をお送りします。ご確認ください。\r\n\r\n鈴木\r\n';
  const html = `<!doctype html><html><body><p>${'Please see <a href="https://www.example.jp/news?id=1">our news</a>. '.repeat(20)}</p><img src="cid:logo" alt=""><script>document.title = 'news';</script></body></html>`;
  const files: Array<[name: string, octets: Buffer]> = [
    ['plain.eml', mail('Meeting on Friday', english)],
    ['japanese.eml', mail('Quotation', japanese)],
    ['html.eml', mail('News', html, { type: 'text/html; charset=utf-8' })],
    ['empty.eml', mail('Nothing', '')],
    ['pdf.eml', withFile({ name: 'invoice.pdf', type: 'application/pdf', content: pdf() })],
    [
      'word.eml',
      withFile({ name: 'letter.docx', type: 'application/octet-stream', content: office('word/document.xml') }),
    ],
    [
      'excel.eml',
      withFile({ name: 'list.xlsx', type: 'application/octet-stream', content: office('xl/workbook.xml') }),
    ],
    [
      'zip.eml',
      withFile({ name: 'photos.zip', type: 'application/zip', content: zip([{ name: '写真.png', content: png() }]) }),
    ],
    [
      'nested-zip.eml',
      withFile({
        name: 'all.zip',
        type: 'application/zip',
        content: zip([{ name: 'inner.zip', content: zip([{ name: 'readme.txt', content: Buffer.from(english) }]) }]),
      }),
    ],
    ['picture.eml', withFile({ name: 'scan.png', type: 'image/png', content: png() })],
    [
      'csv.eml',
      withFile({
        name: 'orders.csv',
        type: 'text/csv',
        content: Buffer.from('番号,品名,数量\r\n1,ねじ,100\r\n'.repeat(200)),
      }),
    ],
    [
      'calendar.eml',
      withFile({
        name: 'invite.ics',
        type: 'text/calendar',
        content: Buffer.from(
          'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\nUID:1@example.jp\r\nDTSTART:20261127T010000Z\r\nSUMMARY:Meeting\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n',
        ),
      }),
    ],
    [
      'script.eml',
      withFile({
        name: 'build.sh',
        type: 'text/x-shellscript',
        content: Buffer.from('#!/bin/sh\nset -eu\nfor file in *.txt; do cp "$file" backup/; done\n'),
      }),
    ],
    ['program.eml', withFile({ name: 'tool.exe', type: 'application/octet-stream', content: emptyProgram() })],
    [
      'forwarded.eml',
      withFile({ name: 'forwarded.eml', type: 'message/rfc822', content: mail('Meeting on Friday', english) }),
    ],
    ['long.eml', mail('Minutes', english.repeat(2_000))],
  ];
  return files.map(([name, octets]) => ({ name, octets }));
}

function mail(subject: string, text: string, options: { type?: string } = {}): Buffer {
  const { type = 'text/plain; charset=utf-8' } = options;
  return Buffer.from(
    [...head(subject), `Content-Type: ${type}`, 'Content-Transfer-Encoding: 8bit', '', text].join('\r\n'),
  );
}

function head(subject: string): string[] {
  return [
    'Date: Fri, 20 Nov 2026 09:00:00 +0900',
    'From: Hanako <hanako@friend.example>',
    'To: Alice <alice@office.example>',
    `Subject: ${subject}`,
    'Message-ID: <1@friend.example>',
    'MIME-Version: 1.0',
  ];
}

function withFile({ name, type, content }: Attachment): Buffer {
  const encoded = content.toString('base64').replaceAll(/(.{76})/g, '$1\r\n');
  return Buffer.from(
    [
      ...head('A file'),
      'Content-Type: multipart/mixed; boundary="part"',
      '',
      '--part',
      'Content-Type: text/plain; charset=utf-8',
      '',
      'Please see the file.',
      '--part',
      `Content-Type: ${type}; name="${name}"`,
      'Content-Transfer-Encoding: base64',
      `Content-Disposition: attachment; filename="${name}"`,
      '',
      encoded,
      '--part--',
      '',
    ].join('\r\n'),
  );
}

function pdf(): Buffer {
  const stream = deflateSync(Buffer.from('BT /F1 12 Tf 72 720 Td (Invoice 1024) Tj ET'));
  return Buffer.concat([
    Buffer.from(
      `%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>endobj\n4 0 obj<</Length ${stream.length}/Filter/FlateDecode>>stream\n`,
    ),
    stream,
    Buffer.from('\nendstream endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n'),
  ]);
}

/** The frame of an Office document (ECMA-376): a ZIP of XML. */
function office(main: string): Buffer {
  const xml = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
  return zip([
    {
      name: '[Content_Types].xml',
      content: Buffer.from(
        `${xml}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>`,
      ),
    },
    {
      name: '_rels/.rels',
      content: Buffer.from(
        `${xml}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="${main}"/></Relationships>`,
      ),
    },
    { name: main, content: Buffer.from(`${xml}<document>見積書 Quotation</document>`) },
  ]);
}

/** 8 × 8 grey pixels (PNG, RFC 2083). */
function png(): Buffer {
  const chunk = (type: string, content: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), content]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(content.length);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const size = Buffer.from([0, 0, 0, 8, 0, 0, 0, 8, 8, 0, 0, 0, 0]);
  const rows = Buffer.concat(Array.from({ length: 8 }, (_, row) => Buffer.from([0, ...Array(8).fill(row * 30)])));
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', size),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A DOS head without code: what installers that people mail each other begin with. */
function emptyProgram(): Buffer {
  const program = Buffer.alloc(1_024);
  program.write('MZ');
  program.writeUInt32LE(0x80, 0x3c);
  program.write('This program cannot be run in DOS mode.', 0x40);
  return program;
}

if (import.meta.main) {
  const folder = process.argv[2];
  if (folder === undefined) throw new TypeError('Usage: node scripts/image/ham.ts FOLDER');
  mkdirSync(folder, { recursive: true });
  for (const { name, octets } of hamFiles()) writeFileSync(path.join(folder, name), octets, { mode: 0o644 });
}
