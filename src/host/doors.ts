/**
 * Which doors stand open: the mail ports' sockets and the packet filter's sets, from what is on record. nftables.conf knows a new
 * box only; what the owner chose is told to it at each start of the host, and again whenever the filter was loaded anew.
 */
import type { Claim } from './claim.ts';
import type { RunCommand } from './command.ts';
import type { Listeners } from './listeners.ts';
import { applySources } from './map-handlers.ts';
import type { Network } from './network.ts';
import { portSet } from './network-files.ts';
import type { PortalUnit } from './portal-unit.ts';
import type { RecordFile } from './record.ts';

interface DoorParts {
  record: RecordFile;
  claim: Claim;
  run: RunCommand;
  listeners: Listeners;
  portal: PortalUnit;
}

/** At the start, after the claim, after each change. Never throws: a port that does not open must not stop the host. */
export async function applyListeners(parts: DoorParts): Promise<void> {
  const { listeners } = parts.record.current();
  await openPorts(parts);
  await applySources(parts);
  await applyPortal(parts);
  // told by listeners.ts's log and by `systemctl`
  await parts.listeners.apply(listeners, parts.claim.claimed()).catch(() => false);
}

/** Nobody reaches the recipients' page before the box has an owner. */
export async function applyPortal({ record, claim, portal }: DoorParts): Promise<void> {
  await portal.apply(claim.claimed() ? record.current().portal : 'off');
}

/** The filter was started anew, with the sets of a new box: the owner's go in again, no service is touched. */
export async function refillFilter(parts: DoorParts & { network: Network }): Promise<void> {
  await parts.network.filter();
  await openPorts(parts);
  await applySources(parts);
  await parts.portal.refill();
}

async function openPorts({ run, record, claim }: DoorParts): Promise<void> {
  const ports = claim.claimed() ? record.current().listeners.map(({ port }) => port) : [];
  await run('nft', ['-f', '-'], { input: portSet(ports) });
}
