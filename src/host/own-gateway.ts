/**
 * What the host asks of the gateway, over its control socket as root may: a probe mail for the trial of an update, and whether
 * anything is under way right now. A gateway that does not answer is an answer, never an error.
 */
import { describeError } from '../base/errors.ts';
import { createControlClient } from '../control/client.ts';
import type { TrialCheck } from './update.ts';

export interface OwnGateway {
  probe(): Promise<TrialCheck>;
  /** No session, no delivery in progress; a gateway that is dead does nothing either. */
  quiet(): Promise<boolean>;
  /** New mail waits as *incoming* for so long, whatever the antivirus says; 0 ends it. Throws when the gateway is away. */
  holdAntivirus(ms: number): Promise<void>;
}

export function createOwnGateway(socket: string): OwnGateway {
  const client = createControlClient({ socket, by: 'host' });
  return {
    probe: async () => {
      try {
        const { ok, steps, elapsedMs } = await client.call('probe.run', {});
        const failed = steps.find((step) => !step.ok);
        const detail = failed === undefined ? `${elapsedMs} ms` : `${failed.name}: ${failed.detail}`;
        return { name: 'probe-mail', ok, detail };
      } catch (error) {
        return { name: 'probe-mail', ok: false, detail: describeError(error) };
      }
    },
    quiet: async () => {
      try {
        const { listeners, hops } = await client.call('status', {});
        return listeners.every(({ sessions }) => sessions === 0) && hops.every(({ active }) => active === 0);
      } catch {
        return true;
      }
    },
    holdAntivirus: async (ms) => {
      await client.call('antivirus.hold', { ms });
    },
  };
}
