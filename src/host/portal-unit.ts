/**
 * The recipients' own page runs only while the owner offers it: the host starts and stops its unit and opens its port in the
 * packet filter, to the inside or to everybody. Told again at each start and after each change; what stands already is left.
 */
import type { PortalReach } from '../control/host-shapes.ts';
import { describeResult, type RunCommand } from './command.ts';
import { portalSets } from './network-files.ts';
import { UNITS } from './services.ts';

/** As in rootfs: sekisho-portal.service. */
export const PORTAL_PORT = 8_443;

export interface PortalUnit {
  /** Never throws: a page that does not start must stop nothing else. */
  apply(reach: PortalReach): Promise<void>;
  /** The packet filter was loaded anew and knows no portal. */
  refill(): Promise<void>;
}

export function createPortalUnit(options: {
  run: RunCommand;
  log: (level: 'info' | 'warn', message: string, facts: Record<string, unknown>) => void;
}): PortalUnit {
  const { run, log } = options;
  let standing: PortalReach | undefined;

  async function did(program: string, args: readonly string[], input?: string): Promise<boolean> {
    const result = await run(program, args, { deadlineMs: 20_000, ...(input === undefined ? {} : { input }) });
    if (result.code !== 0) log('warn', 'The portal is not as it was chosen', { program, why: describeResult(result) });
    return result.code === 0;
  }

  return {
    refill: async () => {
      if (standing !== undefined) await did('nft', ['-f', '-'], portalSets(standing, PORTAL_PORT));
    },
    apply: async (reach) => {
      if (reach === standing) return;
      // while the machine starts the unit waits for others that wait for us: nobody waits for it here
      const unit = ['--no-block', reach === 'off' ? 'stop' : 'start', UNITS.portal];
      const filtered = await did('nft', ['-f', '-'], portalSets(reach, PORTAL_PORT));
      const told = await did('systemctl', unit);
      if (!filtered || !told) return void (standing = undefined); // the next call tries again
      if (standing !== undefined || reach !== 'off') log('info', 'The portal is as it was chosen', { reach });
      standing = reach;
    },
  };
}
