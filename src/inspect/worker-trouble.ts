/**
 * The alarm for an inspect worker that works but cannot keep large messages (its folder is full): they wait as *incoming*, and no
 * engine is down that would say so. Over when a message that needs the folder went through.
 */
import type { Bytes } from '../base/brand.ts';
import { safeText } from '../mail/safe-text.ts';
import type { Observe } from '../observe/events.ts';
import { IN_MEMORY } from './message-store.ts';
import { WORKER_PARTS } from './protocol.ts';
import type { PoolResult } from './worker-pool.ts';

const KEY = 'inspect-worker';

export function tellOfTrouble(observe: Observe, known: PoolResult | undefined, size: Bytes): void {
  if (known === undefined || known.poison || size <= IN_MEMORY) return;
  const told = WORKER_PARTS.map((part) => known.result[part]);
  const trouble = told.find((part) => part?.trouble !== undefined)?.trouble;
  if (trouble !== undefined) observe.raise('inspection-late', KEY, safeText(trouble, 200));
  else if (told.every((part) => part !== undefined)) observe.clear('inspection-late', KEY);
}
