/**
 * Verbs of a backup: what only the gateway has and shows to nobody else (the settings with their secrets, the key of
 * STARTTLS, lists of recipients kept as files), and how it gets them back. Part of the gateway's table (contract.ts). Only
 * admin may ask; what it gets goes into the file that the owner's passphrase seals, and nowhere else.
 */
import { z } from 'zod';
import { verb } from './verb.ts';

const ADMIN = ['admin'] as const;

/** A list larger than this is kept by its owner: it is named, not carried. Under the octets of one request. */
export const MOST_LIST_OCTETS = 600_000;
/** Of all lists of one backup. */
export const MOST_LISTS_OCTETS = 4_000_000;

const pem = z.string().min(50).max(200_000);
export const listFile = z.strictObject({
  domain: z.string().min(1).max(253),
  file: z.string().min(1).max(1_000),
  text: z.string().max(MOST_LIST_OCTETS),
});
export const mailPair = z.strictObject({ own: z.boolean(), certificate: pem, key: pem });

export const BACKUP_VERBS = {
  'backup.collect': verb('POST', '/v1/backup/collect', {
    callers: ADMIN,
    request: z.strictObject({}),
    /** `config`: with all defaults, secrets in clear. `left`: lists that are too large or cannot be read. */
    response: z.object({
      config: z.record(z.string(), z.unknown()),
      mail: mailPair,
      lists: z.array(listFile),
      left: z.array(z.string()),
    }),
  }),
  /** Written where it stood, where that is safe; else among the gateway's own lists. Answers with where it lies now. */
  'backup.list': verb('POST', '/v1/backup/list', {
    callers: ADMIN,
    request: listFile,
    response: z.object({ file: z.string() }),
  }),
  'backup.certificate': verb('POST', '/v1/backup/certificate', {
    callers: ADMIN,
    request: mailPair,
    response: z.object({}),
  }),
} as const;
