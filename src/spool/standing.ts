/**
 * What is wrong with a message for as long as it lies where it does, so that it is told again after a start, and when somebody
 * undoes its deletion. Of everything else that can be wrong with one, whoever finds it tells. Pure.
 */
import type { AlarmName } from '../observe/events.ts';
import type { Folder } from './api.ts';
import type { Entry } from './entry.ts';

export interface StandingAlarm {
  name: AlarmName;
  detail: string;
}

export function standingAlarm(folder: Folder, entry: Entry | undefined): StandingAlarm | undefined {
  if (entry?.deleted !== undefined) return undefined;
  if (folder === 'corrupt')
    return { name: 'corrupt-message', detail: 'Found damaged; its octets are kept in corrupt/' };
  if (folder !== 'held' || entry?.why !== 'undeliverable') return undefined;
  const open = entry.recipients.filter(({ outcome }) => outcome === undefined);
  const words = open.map(({ address, lastReply }) => `<${address}> ${lastReply ?? ''}`.trim()).join('; ');
  return { name: 'undeliverable', detail: `Held. ${words}` };
}
