/**
 * Is the data partition encrypted, and what does somebody read who carries the disk away? The kernel is asked (a dm-crypt
 * device names itself in sysfs), not a setting: what is said of it stays true when the disk is changed. By which key it opens is
 * told by the step that opened it.
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { DataDisk, DiskKey, DiskOpener } from '../control/host-shapes.ts';

/** Two lines of the console each: its page of state must stay one page. */
export const THIEF_READS = {
  none: {
    ja: 'ディスクは暗号化していません。盗んだ人は、待機中と隔離のメール、履歴、設定、秘密鍵、パスワードのハッシュを読めます。鍵のかかる所に置き、廃棄前に初期化してください。',
    en: 'The disk is not encrypted: a thief reads waiting and quarantined mail, history, settings, private keys and password hashes. Lock it away; reset it before disposal.',
  },
  usb: {
    ja: 'ディスクは暗号化しています（鍵は USB メモリー）。USB メモリーも盗まれると読まれます。再起動のときだけ挿し、ふだんは別の所に保管してください。',
    en: 'The disk is encrypted by a key on a USB stick: who takes the stick as well reads all. Keep it elsewhere and put it in for a restart.',
  },
  tpm2: {
    ja: 'ディスクは暗号化しています（鍵はこの機械の TPM）。ディスクだけでは読めません。機械ごと盗んだ人は起動でき、知識があれば読めます。',
    en: 'The disk is encrypted by the TPM of this machine: alone it says nothing. Who takes the whole machine can start it and, with skill, read it.',
  },
} as const;

export async function dataDisk(known: {
  data: string;
  sys: string;
  key?: DiskKey | undefined;
  opened?: DiskOpener | undefined;
  /** A recovery key waits to be written down. */
  toNote?: boolean;
}): Promise<DataDisk> {
  const { key, opened, toNote = false } = known;
  const encrypted = await isEncrypted(known);
  if (encrypted !== true) return { ...(encrypted === undefined ? {} : { encrypted }), text: THIEF_READS.none };
  return {
    encrypted,
    ...(key === undefined ? {} : { key, text: THIEF_READS[key] }),
    ...(opened === undefined ? {} : { opened }),
    recoveryKey: toNote ? 'to-note' : 'noted',
  };
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
