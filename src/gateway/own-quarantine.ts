/** The digest and the portal's view, with what they need of the machine: the key of their links, the zone of the box, words. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { errorCode } from '../base/errors.ts';
import type { Text } from '../base/i18n.ts';
import { localTime } from '../base/time-zone.ts';
import { REASON_WORDS } from '../decide/reasons.ts';
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import type { Reason } from '../mail/decision.ts';
import type { Observe } from '../observe/events.ts';
import type { Quarantine } from '../quarantine/api.ts';
import { type DigestRun, runDigestIfDue } from '../quarantine/digest.ts';
import { createOwnQuarantine, type OwnQuarantine } from '../quarantine/own.ts';
import type { Spool } from '../spool/api.ts';

const KEY_OCTETS = 32;

export async function openOwnQuarantine(parts: {
  data: string;
  spool: Spool;
  quarantine: Quarantine;
  observe: Observe;
  clock: Clock;
  config: () => Config;
}): Promise<{ own: OwnQuarantine; runDigest: (signal: AbortSignal) => Promise<DigestRun | undefined> }> {
  const key = await portalKey(parts.data);
  const own = await createOwnQuarantine({ ...parts, key, stateFile: path.join(parts.data, 'asked-for.json') });
  const digest = {
    ...parts,
    key,
    reasons: REASON_LABELS,
    stateFile: path.join(parts.data, 'digest.json'),
    localTime,
    token: () => randomBytes(16).toString('hex'),
  };
  return { own, runDigest: (signal) => runDigestIfDue(digest, signal) };
}

/** Made once; whoever replaces the file ends every link that was sent. */
async function portalKey(data: string): Promise<Buffer> {
  const file = path.join(data, 'portal.key');
  try {
    const key = await readFile(file);
    if (key.length === KEY_OCTETS) return key;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  const key = randomBytes(KEY_OCTETS);
  await writeFileAtomic(file, key, { mode: 0o600 });
  return key;
}

const REASON_LABELS: Readonly<Record<Reason, Text>> = Object.fromEntries(
  Object.entries(REASON_WORDS).map(([reason, { label }]) => [reason, label]),
) as Record<Reason, Text>;
