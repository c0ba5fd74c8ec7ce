/**
 * A backup as a file: a line that names its form, salt, nonce and tag, then what is kept, compressed and sealed with
 * AES-256-GCM under a key that argon2id (RFC 9106: 64 MiB, three passes) makes of the passphrase. The first line is sealed
 * along, so no other form can be claimed for it. Without the passphrase nothing of it can be read or changed unseen.
 * Throws BACKUP_BAD for a wrong passphrase and for a damaged file, which cannot be told apart.
 */
import { argon2, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { Limiter } from '../../base/limiter.ts';
import { ApiProblem } from '../server/problems.ts';

const derive = promisify(argon2);
const pack = promisify(gzip);
const unpack = promisify(gunzip);
/** 64 MiB each. */
const turns = new Limiter(1);

const FORM = Buffer.from('SEKISHO-BACKUP-1\n');
const COST = { memory: 65_536, passes: 3, parallelism: 1, tagLength: 32 } as const;
const [SALT, NONCE, TAG] = [16, 12, 16];
const MOST_UNPACKED = 64 * 1024 * 1024;

export async function sealBackup(content: unknown, passphrase: string): Promise<Buffer> {
  const [salt, nonce] = [randomBytes(SALT), randomBytes(NONCE)];
  const cipher = createCipheriv('aes-256-gcm', await keyOf(passphrase, salt), nonce);
  cipher.setAAD(FORM);
  const sealed = Buffer.concat([cipher.update(await pack(JSON.stringify(content))), cipher.final()]);
  return Buffer.concat([FORM, salt, nonce, cipher.getAuthTag(), sealed]);
}

export async function openBackup(file: Buffer, passphrase: string): Promise<unknown> {
  const bodyAt = FORM.length + SALT + NONCE + TAG;
  if (file.length <= bodyAt || !file.subarray(0, FORM.length).equals(FORM)) throw new ApiProblem(422, 'BACKUP_BAD');
  const nonceAt = FORM.length + SALT;
  const key = await keyOf(passphrase, file.subarray(FORM.length, nonceAt));
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, file.subarray(nonceAt, nonceAt + NONCE), {
      authTagLength: TAG,
    });
    decipher.setAAD(FORM);
    decipher.setAuthTag(file.subarray(nonceAt + NONCE, bodyAt));
    const packed = Buffer.concat([decipher.update(file.subarray(bodyAt)), decipher.final()]);
    return JSON.parse((await unpack(packed, { maxOutputLength: MOST_UNPACKED })).toString('utf8')) as unknown;
  } catch {
    throw new ApiProblem(422, 'BACKUP_BAD');
  }
}

function keyOf(passphrase: string, nonce: Buffer): Promise<Buffer> {
  return turns.run(() => derive('argon2id', { message: passphrase.normalize('NFC'), nonce, ...COST }));
}
