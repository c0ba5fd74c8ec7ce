/** The history's own troubles as one text that changes only when they change, and the brake on what an attack may write. */
import type { Clock } from '../base/clock.ts';

export type FaultKind = 'overflow' | 'write' | 'worker' | 'damaged' | 'rows';

const DAY_MS = 86_400_000;
/** Refused sessions written a minute: an attack must not fill the disk, nor push mail out of the queue. */
const REFUSED_PER_CLIENT = 60;
const REFUSED_IN_ALL = 3_000;

/** What stands, by kind; tells the listener only what changed. "Damaged" stands for a day, so that somebody reads it. */
export function createFaults(
  onFault: (detail: string | undefined) => void,
  clock: Clock,
): {
  set(kind: FaultKind, detail: string): void;
  clear(kind: FaultKind): void;
  standing(): string | undefined;
  /** Is it working, whatever happened before? */
  isUp(): boolean;
} {
  const faults = new Map<FaultKind, { detail: string; since: number }>();
  let told: string | undefined;
  const lasting: readonly FaultKind[] = ['damaged', 'rows'];
  const standing = (): string | undefined => {
    for (const kind of lasting) {
      const fault = faults.get(kind);
      if (fault !== undefined && clock.monotonic() - fault.since > DAY_MS) faults.delete(kind);
    }
    return faults.size === 0 ? undefined : [...faults.values()].map((fault) => fault.detail).join('; ');
  };
  const tell = (): void => {
    const now = standing();
    if (now === told) return;
    told = now;
    onFault(now);
  };
  return {
    set: (kind, detail) => {
      // One overflow is one trouble, however many rows wait meanwhile
      if (kind === 'overflow' && faults.has(kind)) return;
      faults.set(kind, { detail, since: clock.monotonic() });
      tell();
    },
    clear: (kind) => {
      faults.delete(kind);
      tell();
    },
    standing,
    isUp: () => [...faults.keys()].every((kind) => lasting.includes(kind)),
  };
}

/** True while this client, and all together, stay below what a minute may write. */
export function createRefusalBrake(clock: Clock): (client: string) => boolean {
  let since = Number.NEGATIVE_INFINITY;
  let total = 0;
  let clients = new Map<string, number>();
  return (client) => {
    if (clock.monotonic() - since >= 60_000) {
      since = clock.monotonic();
      total = 0;
      clients = new Map();
    }
    const count = clients.get(client) ?? 0;
    if (total >= REFUSED_IN_ALL || count >= REFUSED_PER_CLIENT) return false;
    total += 1;
    clients.set(client, count + 1);
    return true;
  };
}
