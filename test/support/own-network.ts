/**
 * A test that plays the world outside needs addresses that are not this machine's own, or the gateway rightly sees a loop
 * (RFC 5321 §5.1). `enterOwnNetwork()` begins the test file anew in an empty network of its own (network_namespaces(7)):
 * loopback, and 198.51.100.0/24 (RFC 5737) and 2001:db8:25::/64 (RFC 3849) answered by loopback though no interface has them. Nothing is set up in the
 * machine's own network, nothing can leave, and it is gone with the process. Wants root that may make namespaces.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { peerEnvironment, peersPrefix } from './peers.ts';

const MARK = 'SEKISHO_TEST_OWN_NETWORK';
/** $0: ip(8); $1: where its libraries are; the rest: whom to become. */
const SETUP = `
libraries=$1
shift
LD_LIBRARY_PATH=$libraries "$0" link set lo up || exit 1
LD_LIBRARY_PATH=$libraries "$0" route add local 198.51.100.0/24 dev lo || exit 1
LD_LIBRARY_PATH=$libraries "$0" -6 route add local 2001:db8:25::/64 dev lo || echo 'No IPv6 in this kernel' >&2
exec "$@"
`;

/** Call it before the first test of a file. Comes back only inside. */
export function enterOwnNetwork(): void {
  if (process.env[MARK] === '1') {
    const others = Object.keys(networkInterfaces()).filter((name) => name !== 'lo');
    if (others.length > 0) throw new Error(`This is no network of its own: it has ${others.join(', ')}`);
    return;
  }
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const env = { ...process.env, [MARK]: '1' };
  if (process.execve === undefined) throw new Error(`Node ${process.version} has no process.execve`);
  process.execve('/usr/bin/unshare', ['unshare', '--net', '/bin/sh', '-c', SETUP, ...ipProgram(), ...again], env);
}

/** Runs ip(8) in this network. */
export function ip(...args: string[]): void {
  const [program, libraries] = ipProgram();
  execFileSync(program, args, { stdio: 'pipe', env: { ...process.env, LD_LIBRARY_PATH: libraries } });
}

/** An address outside: a different one for each number from 1 to 254. */
export function outsideAddress(number: number): string {
  return `198.51.100.${number}`;
}

/** The same by IPv6; a sink hears all of them at `::`. */
export function outsideAddress6(number: number): string {
  return `2001:db8:25::${number.toString(16)}`;
}

/** ip(8) of the system, or of the prefix (its place differs between Debian 12 and 13), and the folders of its libraries. */
function ipProgram(): [program: string, libraries: string] {
  const system = ['/usr/sbin/ip', '/usr/bin/ip', '/bin/ip'].find((file) => existsSync(file));
  if (system !== undefined) return [system, ''];
  const places = ['bin/ip', 'usr/bin/ip', 'usr/sbin/ip'].map((inside) => path.join(peersPrefix(), inside));
  const unpacked = places.find((file) => existsSync(file));
  if (unpacked === undefined) throw new Error('No ip(8): run ./scripts/test --only install');
  return [unpacked, peerEnvironment()['LD_LIBRARY_PATH'] ?? ''];
}
