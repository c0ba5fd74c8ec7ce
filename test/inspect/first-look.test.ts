import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { FIRST_OCTETS, isWholeWanted, mayHoldFile } from '../../src/inspect/first-look.ts';
import { inspectStructure } from '../../src/inspect/structure.ts';
import { parseHeader } from '../../src/mail/header.ts';
import { fakeResolver, of, requestFor, settings, withInspectors } from './support.ts';

const TEXT = 'a line of plain text that goes on until there is enough of it\r\n'.repeat(6_000);
const CORPUS = path.resolve(import.meta.dirname, '../corpus');

async function wanted(message: Buffer | string): Promise<boolean> {
  const first = Buffer.from(message as string, 'latin1').subarray(0, FIRST_OCTETS);
  return await isWholeWanted(first, parseHeader(first));
}

async function agrees(message: Buffer): Promise<boolean> {
  const first = message.subarray(0, FIRST_OCTETS);
  if (await isWholeWanted(first, parseHeader(first))) return true;
  const options = { limits: settings().limits, signal: new AbortController().signal };
  return (await inspectStructure(Readable.from([message]), options)).length === 0;
}

const ENOUGH: ReadonlyArray<[sentence: string, header: string]> = [
  ['plain text', 'Content-Type: text/plain; charset=iso-2022-jp'],
  ['text that says nothing of itself', 'X-Nothing: said'],
  ['an HTML page', 'Content-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit'],
  ['flowed text', 'Content-Type: text/plain; format=flowed; delsp=yes\r\nContent-Disposition: inline'],
];
for (const [sentence, header] of ENOUGH) {
  test(`the first octets say all of ${sentence}`, async () => {
    assert.equal(await wanted(`From: a@b.example\r\n${header}\r\n\r\n${TEXT}`), false);
  });
}

const WHOLE: ReadonlyArray<[sentence: string, header: string, body?: string]> = [
  ['parts', 'Content-Type: multipart/mixed; boundary=b'],
  ['an attached text', 'Content-Disposition: attachment'],
  ['a text with a name', 'Content-Type: text/plain; name=notes.txt'],
  ['a name in pieces', "Content-Type: text/plain; name*0*=utf-8''a"],
  ['a picture', 'Content-Type: image/png'],
  ['a message', 'Content-Type: message/rfc822'],
  ['two types', 'Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=b'],
  ['a type in a comment', 'Content-Type: text/plain (multipart/mixed)'],
  ['a boundary at a text', 'Content-Type: text/plain; boundary=b'],
  ['a boundary folded away', 'Content-Type: text/plain;\r\n\tboundary=b'],
  ['an unknown encoding', 'Content-Transfer-Encoding: x-uuencode'],
  ['a DKIM signature', 'DKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=s; h=from; bh=; b='],
  ['an ARC signature', 'ARC-Message-Signature: i=1; a=rsa-sha256; d=b.example; s=s; h=from; bh=; b='],
  ['a line that is no field', 'this is no field'],
  ['a program that calls itself text', 'Content-Type: text/plain', 'MZ\x90\0\x03\0\0\0'],
  ['a zip that calls itself text', 'Content-Type: text/plain', 'PK\x03\x04'],
];
for (const [sentence, header, begin = ''] of WHOLE) {
  test(`the whole is wanted of ${sentence}`, async () => {
    assert.equal(await wanted(`From: a@b.example\r\n${header}\r\n\r\n${begin}${TEXT}`), true);
  });
}

test('where the first octets are enough, a look at the whole finds nothing more: the corpus, made large', async () => {
  let enough = 0;
  for (const name of readdirSync(CORPUS).filter((file) => file.endsWith('.eml'))) {
    const message = Buffer.concat([readFileSync(path.join(CORPUS, name)), Buffer.from(TEXT)]);
    assert.ok(await agrees(message), name);
    const first = message.subarray(0, FIRST_OCTETS);
    if (!(await isWholeWanted(first, parseHeader(first)))) enough += 1;
  }
  assert.ok(enough > 5, `${enough} of the corpus were seen by their first octets`);
});

test('the same for headers nobody thought of', async () => {
  const words =
    "text/plain text/html multipart/mixed ; boundary name = \" ( ) * 0 b charset utf-8 \\ =?utf-8?q?a?= inline attachment % '' ,";
  const piece = fc.constantFrom(' ', '\r\n ', ...words.split(' '));
  const value = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  const name = fc.constantFrom(
    'Content-Type',
    'content-type ',
    'Content-Disposition',
    'Content-Transfer-Encoding',
    'X',
  );
  const fields = fc.array(fc.tuple(name, value), { maxLength: 3 });
  const body = `--b\r\nContent-Disposition: attachment; filename=a.exe\r\n\r\nMZ\r\n--b--\r\n${TEXT}`;
  await fc.assert(
    fc.asyncProperty(fields, async (list) => {
      const header = list.map(([key, text]) => `${key}: ${text}\r\n`).join('');
      assert.ok(await agrees(Buffer.from(`From: a@b.example\r\n${header}\r\n${TEXT}${body}`)));
    }),
    { numRuns: 300 },
  );
});

test('of a large text the worker is sent the beginning; of one with parts everything', async () => {
  const zone = { 'example.com': { TXT: [['v=spf1 ip4:192.0.2.0/24 -all']] } };
  await withInspectors({ resolver: fakeResolver(zone) }, async (inspectors) => {
    const look = async (header: string, body: string) => {
      const message = Buffer.from(`From: a@example.com\r\n${header}\r\n\r\n${body}`);
      // of each reading: one for the worker, one to see whether a file stands in the text
      const reads: number[] = [];
      const request = requestFor(message);
      const stream = (): Readable =>
        Readable.from(
          (function* octets() {
            const own = reads.push(0) - 1;
            for (let at = 0; at < message.length; at += 65_536) {
              yield message.subarray(at, at + 65_536);
              reads[own] = at + 65_536;
            }
          })(),
        );
      const inspection = await inspectors.inspect({ ...request, stream });
      return { inspection, reads, size: message.length };
    };
    const large = TEXT.repeat(4); // above what is searched for its outer shape
    const plain = await look('Subject: plain', large);
    assert.deepEqual(plain.inspection.missing, []);
    assert.equal(of(plain.inspection, 'spf')[0]?.result, 'pass');
    assert.equal(of(plain.inspection, 'summary')[0]?.subject, 'plain');
    assert.ok(Math.min(...plain.reads) < plain.size / 2, `${plain.reads.join()} octets of ${plain.size} were read`);
    const part = '--b\r\nContent-Disposition: attachment; filename=a.exe\r\n\r\nMZ\r\n--b--\r\n';
    const parts = await look('Content-Type: multipart/mixed; boundary=b', `${large}\r\n${part}`);
    assert.deepEqual(of(parts.inspection, 'attachment')[0]?.traits, ['executable']);
    assert.ok(Math.max(...parts.reads) >= parts.size);
  });
});

test('behind the beginning of a large text a file may stand (uuencode): then the whole is wanted, in memory or not', async () => {
  const head = 'From: a@b.example\r\nContent-Type: text/plain\r\n\r\n';
  const file = 'begin 644 a.js\r\n#0V%T\r\n`\r\nend\r\n';
  const ask = async (text: string, cut: number): Promise<boolean[]> => {
    const octets = Buffer.from(text);
    const pieces = Array.from({ length: Math.ceil(octets.length / cut) }, (_, i) =>
      octets.subarray(i * cut, (i + 1) * cut),
    );
    const stream = (): Readable => Readable.from(pieces);
    const beginning = octets.subarray(0, 60_000);
    return [
      await mayHoldFile({ size: octets.length, pieces, stream }, beginning),
      await mayHoldFile({ size: octets.length, stream }, beginning),
    ];
  };
  for (const cut of [4, 1_000, 65_536, 1_000_000]) {
    assert.deepEqual(await ask(head + TEXT + file + TEXT, cut), [true, true]);
    assert.deepEqual(await ask(head + TEXT + TEXT, cut), [false, false]);
  }
  const parts = head.replace('text/plain', 'multipart/mixed; boundary=b');
  assert.deepEqual(await ask(parts + TEXT + file, 65_536), [false, false], 'that is wanted whole in any case');
  const encoded = head.replace('\r\n\r\n', '\r\nContent-Transfer-Encoding: base64\r\n\r\n');
  assert.deepEqual(await ask(encoded + TEXT, 65_536), [true, true]);
});

test('a script behind the beginning of a large text is found by the worker', { timeout: 60_000 }, async () => {
  const file = 'begin 644 a.js\r\n#0V%T\r\n`\r\nend\r\n';
  await withInspectors({}, async (inspectors) => {
    const message = Buffer.from(`From: a@b.example\r\n\r\n${TEXT}${file}${TEXT}`);
    const { findings } = await inspectors.inspect(requestFor(message));
    assert.deepEqual(of(findings, 'attachment')[0]?.traits, ['script']);
  });
});
