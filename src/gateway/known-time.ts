/**
 * Is the wall clock known to be right? On a box the host says so (it asks the time service); until it has said yes nothing
 * expires, and no stamp counts across boots. On a machine without a host only what cannot be is told apart: a time before
 * this very program was written (a dead clock battery says 1970). A host that falls silent changes nothing.
 */
import { statSync } from 'node:fs';
import type { Milliseconds } from '../base/brand.ts';
import { pause } from '../base/deadline.ts';
import type { HostClient } from '../control/host-client.ts';

const ASK_UNSURE_MS = 2_000;
const ASK_SURE_MS = 60_000;
const DAY_MS = 86_400_000;

export interface KnownTime {
  synchronised(): boolean;
  stop(): void;
}

export function createKnownTime(options: {
  /** Absent: nobody can say. */
  host: Pick<HostClient, 'call'> | undefined;
  /** No true time lies before it; as it ships: when this program was written, less a day. */
  notBefore?: Milliseconds;
  wall: () => Milliseconds;
}): KnownTime {
  const { host, wall, notBefore = statSync(import.meta.filename).mtimeMs - DAY_MS } = options;
  const stopping = new AbortController();
  let said = host === undefined;
  if (host !== undefined) void watch(host);
  return {
    synchronised: () => said && wall() >= notBefore,
    stop: () => stopping.abort(),
  };

  async function watch(asked: Pick<HostClient, 'call'>): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        said = (await asked.call('host.status', {})).clock.synchronised;
      } catch {
        // not started yet, or being restarted: what it said last stands
      }
      await pause(said ? ASK_SURE_MS : ASK_UNSURE_MS, stopping.signal);
    }
  }
}
