/**
 * "Too big to scan" is never "clean": a real clamd with the configuration that ships, given what is over each of its limits. The
 * gateway's own structure check sees most of these before (limits.archive*); here clamd alone is asked.
 */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { ownTestText } from '../../scripts/engines/starter-signatures.ts';
import { zip } from '../../scripts/samples/zip.ts';
import { EICAR, scanWithClamd } from '../../src/inspect/clamd.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { type Clamd, startClamd } from '../support/clamd.ts';
import { haveClamd } from './engines.ts';

const MIB = 1024 * 1024;
/** A hang guard: clamd gives up by itself after MaxScanTime, 20 s. */
const GUARD_MS = 120_000;

/** `content` compressed, under so many names (APPNOTE.TXT 4.3): the stored archive of `zip` with another method. */
function deflated(names: readonly string[], content: Buffer): Buffer {
  const packed = deflateRawSync(content, { level: 9 });
  const stored = zip(names.map((name) => ({ name, content: packed })));
  const sum = crc32(content);
  for (let at = stored.indexOf('PK'); at >= 0; at = stored.indexOf('PK', at + 2)) {
    const kind = stored.readUInt16LE(at + 2);
    const [local, central] = [kind === 0x0403, kind === 0x0201];
    if (!local && !central) continue;
    const fields = at + (local ? 6 : 8);
    stored.writeUInt16LE(8, fields + 2); // deflate
    stored.writeUInt32LE(sum, fields + 8);
    stored.writeUInt32LE(content.length, fields + 16);
  }
  return stored;
}

/** Nothing, and our own test text at its very end: EICAR is a virus at the beginning of a file only. */
function padded(size: number): Buffer {
  const text = ownTestText();
  const octets = Buffer.alloc(size);
  octets.write(text, size - text.length, 'latin1');
  return octets;
}

function nested(depth: number): Buffer {
  let inner: Buffer = Buffer.from(EICAR);
  for (let i = 0; i < depth; i += 1) inner = zip([{ name: i === 0 ? 'eicar.com' : `${i}.zip`, content: inner }]);
  return inner;
}

function many(count: number): Buffer {
  const entries = Array.from({ length: count }, (_, at) => ({ name: `${at}.txt`, content: Buffer.from(`text ${at}`) }));
  return zip([...entries, { name: 'eicar.com', content: Buffer.from(EICAR) }]);
}

function mailWith(file: Buffer): Buffer {
  const head = [
    'From: a@example.com',
    'Subject: archive',
    'MIME-Version: 1.0',
    'Content-Type: application/zip; name="a.zip"',
    'Content-Transfer-Encoding: base64',
    'Content-Disposition: attachment; filename="a.zip"',
  ];
  const lines = file.toString('base64').match(/.{1,76}/g) ?? [];
  return Buffer.from(`${[...head, '', ...lines].join('\r\n')}\r\n`, 'latin1');
}

describe('clamd as it ships', { skip: haveClamd ? false : 'clamd is not installed' }, () => {
  let dir: string;
  let clamd: Clamd;
  before(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'sekisho-test-limits-'));
    await chmod(dir, 0o755);
    clamd = await startClamd({ dir });
  });
  after(async () => {
    await clamd[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  async function scan(bytes: Buffer): Promise<Finding[]> {
    const pieces = Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, at) =>
      bytes.subarray(at * 65_536, (at + 1) * 65_536),
    );
    const signal = AbortSignal.timeout(GUARD_MS);
    return await scanWithClamd(clamd.socket, Readable.from(pieces), { size: bytes.length, signal });
  }

  /** Found, called unscannable, or refused: everything but an empty list. */
  async function verdict(bytes: Buffer): Promise<string> {
    try {
      const findings = await scan(bytes);
      return findings.map((one) => (one.kind === 'attachment' ? one.traits.join() : one.kind)).join() || 'clean';
    } catch (error) {
      return `not scanned: ${String((error as { code?: string }).code)}`;
    }
  }

  const blank = Buffer.alloc(90 * MIB);
  for (const [what, make, expected] of [
    // the gateway's own look ends at 256 MiB (limits.archiveOctets): up to there clamd must look into every file of a zip
    ['a virus at the end of a file of 110 MiB in a zip', () => deflated(['a'], padded(110 * MIB)), /^virus/],
    ['a virus at the end of a file of 255 MiB in a zip', () => deflated(['a'], padded(255 * MIB)), /virus|unscannable/],
    ['a file of 310 MiB in a gzip (MaxFileSize 300M)', () => gzipSync(Buffer.alloc(310 * MIB)), /unscannable/],
    ['five files of 90 MiB each (MaxScanSize 400M)', () => deflated(['a', 'b', 'c', 'd', 'e'], blank), /unscannable/],
    ['a virus in 25 archives, one in another (MaxRecursion 17)', () => nested(25), /unscannable/],
    ['a virus behind 11,000 files (MaxFiles 10000)', () => many(11_000), /unscannable|virus/],
  ] as const) {
    test(`${what} is never clean`, async () => assert.match(await verdict(mailWith(make())), expected));
  }

  test('a virus behind 49 MiB of other parts, in the largest message we take, is found', async () => {
    const text = Buffer.alloc(49 * MIB, 'a line of a very long letter\r\n');
    const begin = 'Subject: long\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n';
    const last = '\r\n--b\r\nContent-Type: application/x-msdownload; name="eicar.com"\r\n\r\n';
    const bytes = Buffer.concat([Buffer.from(begin), text, Buffer.from(`${last}${EICAR}\r\n--b--\r\n`)]);
    assert.equal(await verdict(bytes), 'virus');
  });

  test('more than clamd takes in a stream (StreamMaxLength 100M) is refused, not passed', async () => {
    assert.match(await verdict(Buffer.alloc(101 * MIB, 'a\r\n')), /^not scanned: ENGINE_DECLINED/);
  });

  test('what is within its limits is clean: none of the above is clamd saying no to everything', async () => {
    const small = zip([{ name: 'a.txt', content: Buffer.from('hello') }]);
    assert.equal(await verdict(mailWith(small)), 'clean');
    assert.equal(await verdict(mailWith(deflated(['a', 'b'], Buffer.alloc(20 * MIB)))), 'clean');
    assert.equal(await verdict(mailWith(nested(5))), 'virus');
  });
});
