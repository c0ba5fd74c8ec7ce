/** What must be true before a new system counts as proven: services run, our own banner says 220, nothing is
 * degraded, and on trial a probe mail passes by port 25 through both engines and out. */
import { createConnection } from 'node:net';
import { withDeadline } from '../base/deadline.ts';
import { describeError } from '../base/errors.ts';
import type { ServiceAnswer } from '../control/host-shapes.ts';
import type { TrialCheck } from './update.ts';

const BANNER_MS = 15_000;
/** So often within one start: it falls down each time. */
const MANY_RESTARTS = 3;
/** The packet filter, too: a system that cannot load it stands open to everybody and works well otherwise. */
const NEEDED = ['gateway', 'admin', 'clamd', 'rspamd', 'unbound', 'nftables'] as const;

export async function trialChecks(options: {
  services: () => Promise<ServiceAnswer[]>;
  /** Where the banner is heard; undefined before the claim, when no port is open. */
  mx: { address: string; port: number } | undefined;
  degraded: boolean;
  /** The gateway asks the antivirus of this machine. */
  antivirus: boolean;
  /** A mail of our own through everything; undefined where it need not be proved. */
  probe: (() => Promise<TrialCheck>) | undefined;
}): Promise<TrialCheck[]> {
  const services = await options.services();
  const needed = NEEDED.filter((name) => name !== 'clamd' || options.antivirus);
  const checks: TrialCheck[] = needed.map((name) => {
    const { state, restarts = 0 } = services.find((one) => one.name === name) ?? { state: 'unknown' as const };
    const ok = state === 'running';
    // a system that lacks one of these is not ours: no unit, or one that was masked
    const hopeless = state === 'absent' || state === 'failed' || (!ok && restarts >= MANY_RESTARTS);
    return { name, ok, detail: hopeless && restarts > 0 ? `${state}, started ${restarts + 1} times` : state, hopeless };
  });
  checks.push({ name: 'degraded', ok: !options.degraded, detail: options.degraded ? 'yes' : 'no' });
  if (options.mx === undefined) return checks;
  checks.push(await banner(options.mx));
  // it takes up to a minute where engines are missing: what fails already need not be proved so
  if (options.probe !== undefined && checks.every(({ ok }) => ok)) checks.push(await options.probe());
  return checks;
}

async function banner(at: { address: string; port: number }): Promise<TrialCheck> {
  const host = at.address === '0.0.0.0' || at.address === '::' ? '127.0.0.1' : at.address;
  const socket = createConnection({ host, port: at.port });
  try {
    const said = await withDeadline(
      'The banner',
      { ms: BANNER_MS },
      () =>
        new Promise<string>((resolve, reject) => {
          socket.setEncoding('latin1').once('data', resolve);
          socket.once('error', reject);
          socket.once('close', () => reject(new Error('The connection was closed')));
        }),
    );
    return { name: 'banner', ok: said.startsWith('220'), detail: said.trim().slice(0, 100) };
  } catch (error) {
    return { name: 'banner', ok: false, detail: describeError(error) };
  } finally {
    socket.destroy();
  }
}
