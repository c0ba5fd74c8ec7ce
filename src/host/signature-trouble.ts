/** What is wrong with the virus signatures, for the machine's alarms: no certainty for a day, unfit ones, too little memory. */
import type { Clock } from '../base/clock.ts';
import type { RecordFile } from './record.ts';
import type { Signatures } from './signatures.ts';

/** ClamAV makes new ones once a day: it is not their age that tells first, but how long nobody could ask. */
export const UNASKED_MS = 86_400_000;
const SETTLE_MS = 3_600_000;

export interface SignatureTrouble {
  name: 'signatures-unasked' | 'signatures-unfit' | 'antivirus-memory';
  detail: string;
  since: number;
}

export async function signatureTrouble(parts: {
  signatures: Pick<Signatures, 'show'>;
  record: RecordFile;
  clock: Clock;
  startedAt: string;
}): Promise<SignatureTrouble[]> {
  const { record, clock } = parts;
  const { local, fetchedAt, refused, provenAt, settings, lastFetch } = record.current().signatures;
  if (!local) return [];
  const { mode, memory } = await parts.signatures.show();
  if (mode === 'small') {
    const gib = (memory.totalOctets / 1024 ** 3).toFixed(1);
    return [{ name: 'antivirus-memory', detail: `${gib} GiB`, since: Date.parse(parts.startedAt) }];
  }
  const found: SignatureTrouble[] = [];
  if (refused !== undefined && refused.at >= (provenAt ?? 0))
    found.push({ name: 'signatures-unfit', detail: refused.reason, since: refused.at });
  const start = Date.parse(parts.startedAt);
  const last = fetchedAt ?? start;
  // after a long time off it is given an hour to ask
  const settled = clock.wall() - start > SETTLE_MS;
  if (settings.source !== 'offline' && settled && clock.wall() - last > UNASKED_MS)
    found.push({ name: 'signatures-unasked', detail: lastFetch?.detail ?? '', since: last });
  return found;
}
