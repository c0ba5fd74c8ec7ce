/** The real gateway on sockets that systemd-socket-activate hands over, telling a real datagram socket how it is. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, test } from 'node:test';
import { takeInheritedFds } from '../../src/gateway/sockets.ts';
import { freePort } from '../support/net.ts';
import { type Child, startChild, until } from '../support/process.ts';
import { smtpConnect } from '../support/smtp-client.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** Node has no datagram sockets on Unix paths; Debian's perl-base is on every machine. */
const RECEIVER = `use Socket; $| = 1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); bind($s, sockaddr_un($ARGV[0])) or die;
print "bound\\n"; while (defined(recv($s, my $m, 4096, 0))) { print "$m\\n"; }`;

const cleanups: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function activate(...flags: string[]): Promise<{ gateway: Child; heard: string[]; mx: number; relay: number }> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-sockets-'));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  const [mx, relay] = [await freePort(), await freePort()];
  const [configFile, data, notify] = [path.join(dir, 'config.json'), path.join(dir, 'data'), path.join(dir, 'n.sock')];
  await mkdir(data, { mode: 0o755 });
  const off = { enabled: false };
  // ports of its own that must stay closed: only what was handed over counts
  const listeners = { mx: { port: await freePort() }, relay: { port: await freePort() } };
  const spool = { floorOctets: 0, floorPercent: 0 };
  await writeFile(
    configFile,
    JSON.stringify({ hostname: 'box.example', listeners, spool, engines: { clamd: off, rspamd: off } }),
  );
  const receiver = await startChild('perl', ['-e', RECEIVER, notify]);
  cleanups.push(() => receiver.stop());
  const heard: string[] = [];
  receiver.onLine((line) => heard.push(line));
  await until('the receiver', { ms: 10_000 }, () => heard.includes('bound') || undefined);
  const listen = [mx, relay].flatMap((port) => ['-l', `127.0.0.1:${port}`]);
  const args = ['--config', configFile, '--data', data, '--sockets', ...flags];
  const program = [process.execPath, path.join(ROOT, 'src/gateway.ts'), ...args];
  const env = ['-E', 'PATH', '-E', `NOTIFY_SOCKET=${notify}`];
  const gateway = await startChild('systemd-socket-activate', [...listen, '--fdname=mx:relay', ...env, ...program]);
  cleanups.push(() => gateway.stop(20_000));
  await until('the sockets', { ms: 10_000 }, () => gateway.output().includes('as 4.') || undefined);
  return { gateway, heard, mx, relay };
}

test('takeInheritedFds() names the sockets, forgets the words, and takes nothing meant for another process', () => {
  const env = { LISTEN_FDS: '2', LISTEN_FDNAMES: 'mx:relay', LISTEN_PID: '42' };
  assert.deepEqual(
    [...takeInheritedFds(env, 42)],
    [
      ['mx', 3],
      ['relay', 4],
    ],
  ); // prettier-ignore
  assert.deepEqual(env, {});
  assert.equal(takeInheritedFds({ LISTEN_FDS: '2', LISTEN_PID: '41' }, 42).size, 0);
  assert.equal(takeInheritedFds({ LISTEN_FDS: '-1', LISTEN_PID: '42' }, 42).size, 0);
  assert.equal(takeInheritedFds({}, 42).size, 0);
});

test('a gateway on sockets of systemd says READY, feeds the watchdog and takes mail', { timeout: 90_000 }, async () => {
  const { gateway, heard, mx } = await activate();
  (await smtpConnect({ port: mx })).cut(); // the first connection starts it
  await until('the gateway', { ms: 60_000 }, () => gateway.output().includes('Gateway is ready') || undefined);
  const client = await smtpConnect({ port: mx });
  assert.equal(client.greeting.code, 220);
  await client.quit();
  await until('READY and WATCHDOG', { ms: 20_000 }, () =>
    heard.includes('READY=1') && heard.includes('WATCHDOG=1') ? true : undefined,
  );
  gateway.signal('SIGTERM');
  assert.equal((await gateway.ended).code, 0);
});

test('a degraded gateway says 421 on the same sockets and opens no spool', { timeout: 90_000 }, async () => {
  const { heard, mx, relay } = await activate('--degraded');
  for (const port of [mx, relay]) {
    const client = await smtpConnect({ port });
    assert.equal(client.greeting.code, 421);
    assert.match(client.greeting.text, /being repaired/);
    client.cut();
  }
  await until(
    'the reason',
    { ms: 20_000 },
    () => heard.some((line) => line.startsWith('STATUS=Degraded')) || undefined,
  );
});
