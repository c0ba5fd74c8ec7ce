/**
 * Is a set of signatures fit for use? Asked of a clamd that has loaded it: it must be that set (a mark of ours says so), find
 * EICAR in every wrapping mail brings it in, and call nothing a virus that an office sends each day. A database that fails here
 * would let viruses through, or refuse everybody's mail.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { deflateRawSync, crc32 } from 'node:zlib';
import type { Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import { scanOctets } from './clamd-ask.ts';
import { markName, markText } from './signature-sets.ts';

export type Proof = { ok: true } | { ok: false; reason: string };

const SCAN_MS = 30_000;
const LOOK_MS = 1_000;
const MOST_GARBLED = 3;
/** The agreed test file, put together here so that no scanner finds this one. */
const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$', 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE', '!$H+H*'].join('');

export async function proveSignatures(options: {
  socket: string;
  number: number;
  ham: string;
  clock: Clock;
  /** For a clamd to load the set. */
  loadMs: Milliseconds;
  signal: AbortSignal;
  /** It runs: one that is not there any more has ended over what it read. */
  running?: boolean;
  /** Each second while it loads. */
  waiting?: () => Promise<void>;
}): Promise<Proof> {
  const loaded = await untilLoaded(options);
  if (loaded !== undefined) return { ok: false, reason: loaded };
  try {
    for (const [wrapping, octets] of eicarForms()) {
      const { found } = await scanOctets(options.socket, octets, SCAN_MS);
      if (found === undefined) return { ok: false, reason: `EICAR was not found ${wrapping}` };
    }
    const names = (await readdir(options.ham)).toSorted();
    if (names.length === 0) return { ok: false, reason: 'There is no clean mail to prove it on' };
    for (const name of names) {
      const { found } = await scanOctets(options.socket, await readFile(path.join(options.ham, name)), SCAN_MS);
      if (found !== undefined) return { ok: false, reason: `"${name}" is clean and was called ${found}` };
    }
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: describeError(error) };
  }
}

/** Undefined once that set answers. */
async function untilLoaded(options: Parameters<typeof proveSignatures>[0]): Promise<string | undefined> {
  const { socket, number, clock, signal } = options;
  const end = clock.monotonic() + options.loadMs;
  let last = 'No answer';
  let garbled = 0;
  while (!signal.aborted && clock.monotonic() < end) {
    try {
      const { found } = await scanOctets(socket, Buffer.from(markText(number)), SCAN_MS);
      // a signature that no vendor signed is told with this ending
      if (found === `${markName(number)}.UNOFFICIAL` || found === markName(number)) return undefined;
      last = `Another set is loaded (${found ?? 'none of ours'})`;
    } catch (error) {
      last = describeError(error);
      // clamd (1.4) lives on without any database when the new one is broken, and answers each scan with an error
      garbled = errorCode(error) === 'ENGINE_GARBLED' ? garbled + 1 : 0;
      if (options.running === true && garbled === MOST_GARBLED) return last;
      const gone = error instanceof Error && ['ECONNREFUSED', 'ENOENT'].includes(errorCode(error.cause) ?? '');
      if (options.running === true && gone) return 'The antivirus ended while it read them';
    }
    await options.waiting?.();
    await pause(LOOK_MS, signal);
  }
  if (signal.aborted) throw new SekishoError('ABORTED', 'The proof was stopped', { retryable: true });
  return `The antivirus did not load it in time: ${last}`;
}

function eicarForms(): Array<[wrapping: string, octets: Buffer]> {
  const plain = Buffer.from(EICAR, 'latin1');
  const mail = (name: string, content: Buffer): Buffer =>
    Buffer.from(
      [
        'From: a@sekisho.invalid',
        'To: b@sekisho.invalid',
        'Subject: proof',
        'MIME-Version: 1.0',
        'Content-Type: multipart/mixed; boundary="proof"',
        '',
        '--proof',
        'Content-Type: text/plain',
        '',
        'See the file.',
        '--proof',
        `Content-Type: application/octet-stream; name="${name}"`,
        'Content-Transfer-Encoding: base64',
        `Content-Disposition: attachment; filename="${name}"`,
        '',
        content.toString('base64').replaceAll(/(.{76})/g, '$1\r\n'),
        '--proof--',
        '',
      ].join('\r\n'),
    );
  return [
    ['by itself', plain],
    ['attached to a mail', mail('eicar.com', plain)],
    ['in a ZIP attached to a mail', mail('eicar.zip', zipped('eicar.com', plain))],
  ];
}

/** One deflated file (APPNOTE.TXT 4.3): local header, data, directory, end. */
function zipped(name: string, content: Buffer): Buffer {
  const packed = deflateRawSync(content);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(8, 4);
  common.writeUInt16LE(0x21, 8);
  common.writeUInt32LE(crc32(content), 10);
  common.writeUInt32LE(packed.length, 14);
  common.writeUInt32LE(content.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]);
  const directory = Buffer.concat([
    Buffer.from('PK\x01\x02'),
    Buffer.from([20, 0]),
    common,
    Buffer.alloc(14),
    Buffer.from(name),
  ]);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, directory, end]);
}
