/** The quarantine in its three hands: the operator's, the portal's, the digest's; with what they need of the machine: the key of their links, the zone of the box, words. */
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
import { createQuarantine } from '../quarantine/quarantine.ts';
import type { Spool } from '../spool/api.ts';

const KEY_OCTETS = 32;

export async function openQuarantine(parts: {
  data: string;
  spool: Spool;
  observe: Observe;
  clock: Clock;
  config: () => Config;
}): Promise<{
  quarantine: Quarantine;
  own: OwnQuarantine;
  runDigest: (signal: AbortSignal) => Promise<DigestRun | undefined>;
}> {
  const key = await portalKey(parts.data);
  const kept = createQuarantine(parts);
  const stateFile = path.join(parts.data, 'asked-for.json');
  const own = await createOwnQuarantine({ ...parts, quarantine: kept, key, stateFile });
  const quarantine: Quarantine = {
    ...kept,
    undelete: async (id, options) => {
      const done = await kept.undelete(id, options);
      await own.broughtBack(id).catch(() => undefined); // it is back, whatever cannot be told of it
      return done;
    },
  };
  const digest = {
    ...parts,
    quarantine,
    key,
    reasons: REASON_LABELS,
    stateFile: path.join(parts.data, 'digest.json'),
    localTime,
    token: () => randomBytes(16).toString('hex'),
  };
  return { quarantine, own, runDigest: (signal) => runDigestIfDue(digest, signal) };
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
