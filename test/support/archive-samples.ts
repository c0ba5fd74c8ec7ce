/** RAR, LZH and cabinets made by hand, after the documents of these formats: for names and the octets of what is stored. */
import { crc32 } from 'node:zlib';

export interface Sample {
  name: string;
  bytes: Buffer;
  /** Said to be packed by the best method: nobody can read the octets. */
  packed?: boolean;
  locked?: boolean;
  piece?: boolean;
}

function numbers(...values: Array<[width: 1 | 2 | 4, value: number]>): Buffer {
  return Buffer.concat(
    values.map(([width, value]) => {
      const octets = Buffer.alloc(width);
      octets.writeUIntLE(value, 0, width);
      return octets;
    }),
  );
}

function variable(value: number): Buffer {
  return value < 128 ? Buffer.from([value]) : Buffer.from([(value & 0x7f) | 0x80, ...variable(value >> 7)]);
}

function block5(body: Buffer): Buffer {
  const sized = Buffer.concat([variable(body.length), body]);
  return Buffer.concat([numbers([4, crc32(sized)]), sized]);
}

export function rar5(files: Sample[]): Buffer {
  const entries = files.flatMap(({ name, bytes, packed, locked, piece }) => {
    const octets = Buffer.from(name);
    const extra = locked === true ? Buffer.concat([variable(2), variable(1), variable(0)]) : Buffer.alloc(0);
    const flags = 2 + (locked === true ? 1 : 0) + (piece === true ? 0x10 : 0);
    const head = [variable(2), variable(flags), ...(locked === true ? [variable(extra.length)] : [])];
    const method = packed === true ? 5 << 7 : 0;
    const file = [variable(4), variable(bytes.length), variable(0x20), numbers([4, crc32(bytes)]), variable(method)];
    const named = [variable(0), variable(octets.length), octets, extra];
    return [block5(Buffer.concat([...head, variable(bytes.length), ...file, ...named])), bytes];
  });
  const begin = [Buffer.from('Rar!\x1a\x07\x01\0', 'latin1'), block5(Buffer.from([1, 0, 0]))];
  return Buffer.concat([...begin, ...entries, block5(Buffer.from([5, 0, 0]))]);
}

function block4(body: Buffer): Buffer {
  return Buffer.concat([numbers([2, crc32(body) & 0xffff]), body]);
}

/** `wide`: the names as RAR packs them in Unicode. */
export function rar4(files: Array<Sample & { wide?: Buffer }>, { locked = false } = {}): Buffer {
  const entries = files.flatMap((file) => {
    const { name, bytes, wide } = file;
    const plain = Buffer.from(name);
    const octets = wide === undefined ? plain : Buffer.concat([plain, Buffer.from([0]), wide]);
    const flags =
      0x8000 + (file.locked === true ? 4 : 0) + (file.piece === true ? 2 : 0) + (wide === undefined ? 0 : 0x200);
    const sizes = numbers([4, bytes.length], [4, bytes.length], [1, 2], [4, crc32(bytes)], [4, 0x5a210000]);
    const method = numbers([1, 20], [1, file.packed === true ? 0x35 : 0x30], [2, octets.length], [4, 0x20]);
    const head = numbers([1, 0x74], [2, flags], [2, 32 + octets.length]);
    return [block4(Buffer.concat([head, sizes, method, octets])), bytes];
  });
  const main = block4(Buffer.concat([numbers([1, 0x73], [2, locked ? 0x80 : 0], [2, 13]), Buffer.alloc(6)]));
  const end = block4(numbers([1, 0x7b], [2, 0x4000], [2, 7]));
  return Buffer.concat([Buffer.from('Rar!\x1a\x07\0', 'latin1'), main, ...entries, end]);
}

function crc16(bytes: Buffer): number {
  let crc = 0;
  for (const octet of bytes) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >> 1 : (crc >> 1) ^ 0xa001;
  }
  return crc;
}

export function lzh(level: 0 | 1 | 2, files: Sample[]): Buffer {
  return Buffer.concat([...files.flatMap((file) => [lzhHeader(level, file), file.bytes]), Buffer.from([0])]);
}

function lzhHeader(level: 0 | 1 | 2, { name, bytes, packed }: Sample): Buffer {
  const octets = Buffer.from(name);
  const method = Buffer.from(packed === true ? '-lh5-' : '-lh0-');
  const extension = Buffer.concat([numbers([2, octets.length + 3], [1, 1]), octets, numbers([2, 0])]);
  const held = level === 1 ? bytes.length + octets.length + 3 : bytes.length;
  const common = [method, numbers([4, held], [4, bytes.length], [4, 0x5a210000], [1, 0x20], [1, level])];
  const crc = numbers([2, crc16(bytes)]);
  if (level === 2) {
    const body = Buffer.concat([...common, crc, Buffer.from('M'), extension]);
    return Buffer.concat([numbers([2, body.length + 2]), body]);
  }
  const named =
    level === 0
      ? [numbers([1, octets.length]), octets, crc]
      : [numbers([1, 0]), crc, Buffer.from('M'), extension.subarray(0, 2)];
  const body = Buffer.concat([...common, ...named]);
  const sum = body.reduce((all, octet) => all + octet, 0) & 0xff;
  return Buffer.concat([
    numbers([1, body.length], [1, sum]),
    body,
    level === 0 ? Buffer.alloc(0) : extension.subarray(2),
  ]);
}

/** One folder, nothing packed. */
export function cab(files: Sample[]): Buffer {
  const names = files.map(({ name }) => Buffer.concat([Buffer.from(name), Buffer.from([0])]));
  const data = Buffer.concat(files.map(({ bytes }) => bytes));
  let at = 0;
  const list = files.map(({ bytes, piece }, index) => {
    const head = numbers([4, bytes.length], [4, at], [2, piece === true ? 0xfffe : 0], [4, 0x5a210000], [2, 0x20]);
    at += bytes.length;
    return Buffer.concat([head, names[index] as Buffer]);
  });
  const listed = Buffer.concat(list);
  const dataAt = 36 + 8 + listed.length;
  const total = dataAt + 8 + data.length;
  const sizes = numbers([4, 0], [4, total], [4, 0], [4, 44], [4, 0], [1, 3], [1, 1], [2, 1], [2, files.length]);
  const folder = numbers([2, 0], [2, 1], [2, 0], [4, dataAt], [2, 1], [2, 0]);
  const block = numbers([4, 0], [2, data.length], [2, data.length]);
  return Buffer.concat([Buffer.from('MSCF'), sizes, folder, listed, block, data]);
}
