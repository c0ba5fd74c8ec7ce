/**
 * The box has its first admin and the host does not know: it was silent when the claim was made, the power went in between, or its
 * record was lost. Port 25 would stay shut for good and nobody would see why, so it is told until it says that it knows.
 */
import { describeError } from '../base/errors.ts';
import type { HostClient } from '../control/host-client.ts';

const EVERY_MS = 30_000;

export interface ClaimTold {
  /** True when there is nothing left to tell. */
  look(): Promise<boolean>;
  stop(): void;
}

export function keepHostTold(options: {
  claimed: () => boolean;
  host: Pick<HostClient, 'call'>;
  log: (level: 'info' | 'warn', message: string, facts?: Record<string, unknown>) => void;
}): ClaimTold {
  const { claimed, host, log } = options;
  let looking: Promise<boolean> | undefined;

  async function once(): Promise<boolean> {
    if (!claimed()) return false;
    if (!(await host.call('host.status', {})).claimed) {
      await host.call('claim.done', {});
      log('info', 'The host was told that the box is claimed');
    }
    clearInterval(timer);
    return true;
  }

  const look = (): Promise<boolean> =>
    (looking ??= once()
      .catch((error: unknown) => {
        log('warn', 'The host could not be told that the box is claimed', { error: describeError(error) });
        return false;
      })
      .finally(() => {
        looking = undefined;
      }));
  const timer = setInterval(() => void look(), EVERY_MS).unref();
  return { look, stop: () => clearInterval(timer) };
}
