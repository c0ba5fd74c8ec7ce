/**
 * The support bundle: what a maker needs to help, and nothing that is the owner's secret. Built by allow-list: named answers of
 * the host and the journal of our services, field by field; no file of the data partition is ever read into it. Free text is
 * passed through `redact` all the same. Encrypted to a passphrase the owner tells the maker by another way: scrypt (RFC 7914),
 * then AES-256-GCM over gzip. Kept an hour, then removed.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes, randomUUID, scrypt } from 'node:crypto';
import { copyFile, mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Clock } from '../base/clock.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import type { HostVerbAnswer } from '../control/host-contract.ts';
import { redact, redactLogMessage } from './redact.ts';
import type { UsbSticks } from './usb.ts';

export interface BundleFile {
  name: string;
  octets: number;
  text: string;
}

/** What may be in it: a name and how its content is asked for. */
export type BundleSources = Readonly<Record<string, () => Promise<unknown>>>;

export interface Bundles {
  preview(): Promise<BundleFile[]>;
  create(passphrase: string, usb: string | undefined): Promise<HostVerbAnswer<'bundle.create'>>;
  read(id: string, offset: number): Promise<HostVerbAnswer<'bundle.read'>>;
}

const MAGIC = Buffer.from('sekisho-bundle-1\n');
const SALT = 16;
const NONCE = 12;
const TAG = 16;
const COST = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
const KEPT_MS = 3_600_000;
const STEP_OCTETS = 524_288;

export function createBundles(options: {
  sources: BundleSources;
  logs: () => Promise<HostVerbAnswer<'logs.read'>['lines']>;
  folder: string;
  clock: Clock;
  usb: UsbSticks;
}): Bundles {
  const { sources, folder, clock } = options;

  async function preview(): Promise<BundleFile[]> {
    const files: BundleFile[] = [];
    const add = (name: string, content: string): void => {
      files.push({ name, octets: Buffer.byteLength(content), text: content });
    };
    for (const [name, ask] of Object.entries(sources)) {
      const answer = await ask().catch((error: unknown) => ({ error: describeError(error) }));
      add(`${name}.json`, redact(JSON.stringify(answer, null, 2)));
    }
    const lines = await options.logs().catch(() => []);
    add(
      'journal.txt',
      lines.map((one) => `${one.at} ${one.unit} ${one.priority} ${redactLogMessage(one.message)}`).join('\n'),
    );
    return files;
  }

  async function forgetOld(): Promise<void> {
    for (const name of await readdir(folder).catch(() => [])) {
      const { mtimeMs } = await stat(path.join(folder, name));
      if (Math.abs(clock.wall() - mtimeMs) > KEPT_MS) await rm(path.join(folder, name), { force: true });
    }
  }

  return {
    preview,
    create: async (passphrase, usb) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await forgetOld();
      const id = randomUUID();
      const content = await sealBundle(await preview(), passphrase);
      const name = `sekisho-support-${new Date(clock.wall()).toISOString().slice(0, 10)}-${id.slice(0, 8)}.bundle`;
      const file = path.join(folder, id);
      await writeFile(file, content, { mode: 0o600 });
      if (usb !== undefined) await options.usb.use(usb, 'write', (stick) => copyFile(file, path.join(stick, name)));
      return { id, name, octets: content.length, sha256: createHash('sha256').update(content).digest('hex') };
    },
    read: async (id, offset) => {
      if (!/^[0-9a-f-]{36}$/.test(id)) throw new SekishoError('NOT_FOUND', 'There is no such bundle');
      const handle = await open(path.join(folder, id), 'r').catch(() => {
        throw new SekishoError('NOT_FOUND', 'The bundle is gone', { remedy: 'Make a new one' });
      });
      try {
        const { size } = await handle.stat();
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(STEP_OCTETS), 0, STEP_OCTETS, offset);
        const next = offset + bytesRead;
        return { base64: buffer.subarray(0, bytesRead).toString('base64'), ...(next < size ? { next } : {}) };
      } finally {
        await handle.close();
      }
    },
  };
}

export async function sealBundle(files: readonly BundleFile[], passphrase: string): Promise<Buffer> {
  const plain = await promisify(gzip)(JSON.stringify(files.map(({ name, text }) => ({ name, text }))));
  const [salt, nonce] = [randomBytes(SALT), randomBytes(NONCE)];
  const cipher = createCipheriv('aes-256-gcm', await keyOf(passphrase, salt), nonce);
  cipher.setAAD(MAGIC);
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([MAGIC, salt, nonce, cipher.getAuthTag(), body]);
}

/** Throws BUNDLE_UNREADABLE for a wrong passphrase as for a changed octet. */
export async function openBundle(sealed: Buffer, passphrase: string): Promise<Array<{ name: string; text: string }>> {
  const at = MAGIC.length;
  const salt = sealed.subarray(at, at + SALT);
  const nonce = sealed.subarray(at + SALT, at + SALT + NONCE);
  const tag = sealed.subarray(at + SALT + NONCE, at + SALT + NONCE + TAG);
  try {
    const decipher = createDecipheriv('aes-256-gcm', await keyOf(passphrase, salt), nonce);
    decipher.setAAD(sealed.subarray(0, at));
    decipher.setAuthTag(tag);
    const plain = Buffer.concat([decipher.update(sealed.subarray(at + SALT + NONCE + TAG)), decipher.final()]);
    return JSON.parse((await promisify(gunzip)(plain)).toString('utf8')) as Array<{ name: string; text: string }>;
  } catch (error) {
    throw new SekishoError('BUNDLE_UNREADABLE', 'Wrong passphrase, or the bundle is damaged', { cause: error });
  }
}

function keyOf(passphrase: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFKC'), salt, 32, COST, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}
