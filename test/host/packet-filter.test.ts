/**
 * The packet filter, real: the box's nftables.conf in a network namespace of its own with the box's users, and the sets as the host
 * writes them. Who may call out where: what is refused is counted by the filter itself.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { peerEnvironment, peersPrefix } from '../support/peers.ts';
import { ownSources } from '../../src/host/network-files.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const USERS = { clamav: 64_001, unbound: 64_002, _chrony: 64_003, sekisho: 64_004, nut: 64_005 };
const WINDOW = { window: { from: 3, to: 5 }, mode: 'auto' } as const;

/** Which of `calls` (user:port to a stranger, user:port:address) are let through, with these sets. */
function letThrough(sets: string, calls: readonly string[]): string[] {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-filter-'));
  try {
    const at = (name: string, text: string): string => {
      writeFileSync(path.join(dir, name), text, { mode: 0o644 });
      return path.join(dir, name);
    };
    const users = Object.entries(USERS).map(([name, id]) => `${name}:x:${id}:${id}::/:/bin/false`);
    const passwd = at(
      'passwd',
      `${[readFileSync('/etc/passwd', 'utf8').trim(), ...users].join('\n')}\n`.replaceAll(
        /^(?:clamav|unbound|_chrony|nut|sekisho):x:(?!640).*\n/gm,
        '',
      ),
    );
    const script = `set -e
mount --bind ${passwd} /etc/passwd
ip link set lo up; ip link add out type veth peer name wire; ip link set wire up; ip address add 192.0.2.2/24 dev out; ip address add 10.9.9.2/24 dev out; ip link set out up
nft=${path.join(peersPrefix(), 'usr/sbin/nft')}
$nft -f ${path.join(ROOT, 'rootfs/etc/nftables.conf')}
$nft -f ${at('sets', sets)}
# behind the filter: what it let through
$nft 'table inet seen { chain after { type filter hook output priority 300; oifname "out" tcp flags syn counter; }; }'
count() { $nft list chain inet "$1" "$2" | sed -n 's/.*counter packets \\([0-9]*\\).*/\\1/p'; }
for call in ${calls.join(' ')}; do
  refused=$(count sekisho output) passed=$(count seen after) looks=0
  port=\${call#*:} to=192.0.2.1
  case $port in *:*) to=\${port#*:} port=\${port%%:*};; esac
  setpriv --reuid "\${call%%:*}" --clear-groups bash -c "exec 3<>/dev/tcp/$to/$port" 2>/dev/null &
  until [ "$(count sekisho output)" != "$refused" ] || [ "$(count seen after)" != "$passed" ]; do
    looks=$((looks + 1)); [ "$looks" -lt 400 ]; sleep 0.02
  done
  kill -9 $! 2>/dev/null || true
  wait $! 2>/dev/null || true
  [ "$(count sekisho output)" != "$refused" ] || echo "$call"
done`;
    const result = spawnSync('unshare', ['--net', '--mount', 'sh', '-c', script], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...peerEnvironment(), PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    assert.equal(result.status, 0, result.stderr);
    return result.stdout.split('\n').filter((line) => line !== '');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const CALLS = [
  'clamav:443',
  'clamav:8080',
  'clamav:3128',
  'clamav:25',
  '0:443',
  '0:8443',
  '0:8080',
  'sekisho:8080',
  'nut:443',
];

test('an own mirror, proxy or list on another port opens that port for who asks there, and nothing else', () => {
  const without = ownSources({ signatures: { source: 'internet', ...WINDOW }, maps: { source: '' } });
  assert.deepEqual(letThrough(without, CALLS), ['clamav:443', '0:443']);
  const own = ownSources({
    signatures: {
      source: 'mirror',
      mirror: 'http://mirror.example:8080/',
      proxy: { host: 'p', port: 3128 },
      ...WINDOW,
    },
    maps: { source: 'https://lists.example:8443/x' },
  });
  assert.deepEqual(letThrough(own, CALLS), ['clamav:443', 'clamav:8080', 'clamav:3128', '0:443', '0:8443']);
  // back to ClamAV's own servers: shut again
  assert.deepEqual(letThrough(`${own}${without}`, CALLS), ['clamav:443', '0:443']);
});

test('the host reaches mail servers for the test a person asks for at the console, and no other door of a stranger', () => {
  const none = ownSources({ signatures: { source: 'internet', ...WINDOW }, maps: { source: '' } });
  const mail = ['0:25', '0:465', '0:587', '0:8025:10.9.9.1', 'sekisho:25', 'sekisho:8025:10.9.9.1'];
  const calls = [...mail, '0:22', '0:8025', 'nut:25', 'nut:8025:10.9.9.1', 'clamav:25'];
  assert.deepEqual(letThrough(none, calls), mail);
});
