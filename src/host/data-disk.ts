/**
 * Is the data partition encrypted, and if not, what does somebody read who carries the disk away? The kernel is asked (a
 * dm-crypt device names itself in sysfs), not a setting: what is said of it stays true when the disk is changed.
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { DataDisk } from '../control/host-shapes.ts';

/** Two lines of the console: its page of state must stay one page. */
export const THIEF_READS = {
  ja: 'ディスクは暗号化していません。盗んだ人は、待機中と隔離のメール、履歴、設定、秘密鍵、パスワードのハッシュを読めます。鍵のかかる所に置き、廃棄前に初期化してください。',
  en: 'The disk is not encrypted: a thief reads waiting and quarantined mail, history, settings, private keys and password hashes. Lock it away; reset it before disposal.',
} as const;

export async function dataDisk(places: { data: string; sys: string }): Promise<DataDisk> {
  const encrypted = await isEncrypted(places);
  return { ...(encrypted === undefined ? {} : { encrypted }), ...(encrypted === true ? {} : { text: THIEF_READS }) };
}

/** Undefined where no block device stands behind the folder, as in a container. */
async function isEncrypted({ data, sys }: { data: string; sys: string }): Promise<boolean | undefined> {
  const device = await stat(data).then(
    ({ dev }) => dev,
    () => 0,
  );
  const { major, minor } = splitDevice(device);
  if (major === 0) return undefined;
  const uuid = await readFile(path.join(sys, `dev/block/${major}:${minor}/dm/uuid`), 'utf8').catch(() => '');
  return uuid.startsWith('CRYPT-');
}

/** As makedev(3) of glibc lays them into st_dev. */
export function splitDevice(device: number): { major: number; minor: number } {
  const number = BigInt(device);
  return {
    major: Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n)),
    minor: Number((number & 0xffn) | ((number >> 12n) & 0xffffff00n)),
  };
}
