/**
 * Is this address the gateway itself? Mail sent there over port 25 would come in again by our own MX listener. The machine is
 * asked each time (addresses change with DHCP); loopback and "any" are always ours.
 */
import { networkInterfaces } from 'node:os';
import { isLoopback, normaliseAddress } from '../base/network.ts';

export function isOwnAddress(address: string): boolean {
  const wanted = normaliseAddress(address);
  if (wanted === undefined) return false;
  if (isLoopback(wanted) || wanted === '0.0.0.0' || wanted === '::') return true;
  return Object.values(networkInterfaces()).some((list) =>
    list?.some((each) => normaliseAddress(each.address) === wanted),
  );
}
