/**
 * What a box lives through, in one virtual machine that was claimed before: power cuts under load, a start with its clock at
 * 1970, a gateway that hangs, one that crashes again and again, a frozen process 1. Each test goes on where the one before
 * stopped. Every wait has five times what it takes on a quiet machine, and more.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { plainMail } from '../support/mime-samples.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { signZone } from '../support/signed-zone.ts';
import { sendMail } from '../support/smtp-client.ts';
import { type DnsServer, startUnbound } from '../support/unbound.ts';
import { cutsUnderLoad } from './load.ts';
import {
  askHost,
  askPages,
  consoleSays,
  greeting,
  imageFolder,
  NAMED,
  type Office,
  openOffice,
  otherMachine,
  seconds,
  untilBanner,
} from './world.ts';

await imageFolder();
enterOwnNetwork();

const CUTS = 3;
let office: Office;
let dns: DnsServer | undefined;
/** Its DNS runs as nobody, who must get to its files. */
const zones = mkdtempSync(path.join(tmpdir(), 'sekisho-1970-'));
chmodSync(zones, 0o755);

before(async () => {
  office = await openOffice();
});
after(async () => {
  await office?.[Symbol.asyncDispose]();
  await dns?.[Symbol.asyncDispose]();
  rmSync(zones, { recursive: true, force: true });
});

test('three power cuts under load lose and alter nothing that had its 250, not with a clock at 1970 after the last one either', async (t) => {
  await cutsUnderLoad(office, {
    cuts: CUTS,
    told: (line) => t.diagnostic(line),
    // what the next test is about
    next: (round) => (round === CUTS ? otherMachine(office, { clock: '1970-01-01T00:00:00' }) : office.vm),
  });
  assert.equal((await office.status()).watchdog.lastReset.reason, 'power-loss');
});

test('with its battery clock at 1970 the box resolves signed names, finds a forgery, takes and passes on mail', async () => {
  const { vm } = office;
  // the guest's DNS server is QEMU's, which asks this network's port 53
  writeFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', '53');
  const signed = await signZone(NAMED.zone, ['mail 300 IN A 10.0.2.2'], { dir: zones });
  const forged = await signZone('forged.example', ['mail 300 IN A 10.0.2.3'], {
    dir: zones,
    after: (zone) => zone.replaceAll('10.0.2.3', '10.0.2.2'),
  });
  const served = [signed, forged].map(({ name, file }) => ({ name, file }));
  dns = await startUnbound({ dir: zones, records: [], signed: served, port: 53 });
  assert.match((await vm.shell('cat /sys/class/rtc/rtc0/date')).output, /^1970-/);
  const year = await vm.shell('date +%Y');
  assert.ok(Number(year.output) >= 2026, year.output);
  const known = [signed, forged].map(
    ({ name, anchor }) =>
      `server:\n  trust-anchor: "${anchor}"\nforward-zone:\n  name: "${name}."\n  forward-addr: 10.0.2.2@53\n`,
  );
  const coded = Buffer.from(known.join('')).toString('base64');
  await vm.shell(
    `echo ${coded} | base64 -d > /run/sekisho-unbound/test.conf; systemctl reload sekisho-unbound.service`,
  );
  const resolve = (name: string): Promise<{ output: string }> =>
    vm.shell(
      `/usr/lib/sekisho/node -e 'const d=require("dns");d.setServers(["127.0.0.1"]);d.resolve4("${name}",(e,a)=>console.log(e?e.code:a.join()))'`,
    );
  // it takes the new file in its own time
  await until('the signed name', { ms: 120_000, every: 1_000 }, async () =>
    (await resolve(NAMED.host)).output.trim() === '10.0.2.2' ? true : undefined,
  );
  assert.equal((await resolve('mail.forged.example')).output.trim(), 'ESERVFAIL');
  const bytes = plainMail({ messageId: 'epoch@x' });
  const from = 'hanako@example.com';
  const reply = await sendMail(vm.smtpPort, { from, to: `a@${NAMED.domain}`, bytes });
  assert.equal(reply.code, 250, reply.text);
  await until('the mail at the office', { ms: 300_000 }, () => (office.has('epoch@x') ? true : undefined));
});

test('a gateway that hangs is started again by its watchdog', async (t) => {
  const { vm } = office;
  const restarts = async (): Promise<number> =>
    Number((await vm.shell('systemctl show -P NRestarts sekisho-gateway.service')).output);
  const before = await restarts();
  await vm.shell('systemctl kill --signal=STOP --kill-whom=main sekisho-gateway.service');
  const hung = performance.now();
  await until('the gateway to be replaced', { ms: 300_000, every: 500 }, async () =>
    (await restarts()) > before ? true : undefined,
  );
  await untilBanner(vm);
  t.diagnostic(`gateway stopped: 220 again after ${seconds(hung)}`);
  const end = await vm.shell('tail -n 1 /var/lib/sekisho-host/gateway-ends.jsonl');
  assert.match(end.output, /"result":"watchdog"/);
});

test('five crashes within ten minutes: 421, page and console alive with the reason, and the way back', async (t) => {
  const { vm } = office;
  const pid = async (): Promise<string> =>
    (await vm.shell('systemctl show -P MainPID sekisho-gateway.service')).output.trim();
  const shownBefore = vm.serial().length;
  const began = performance.now();
  const { degraded } = await until('the degraded mode', { ms: 900_000, every: 250 }, async () => {
    const running = await pid();
    if (running !== '0') await vm.shell(`kill -SEGV ${running}`);
    await until('the end of it', { ms: 120_000, every: 250 }, async () =>
      (await pid()) === running ? undefined : true,
    );
    const shown = await office.status();
    return shown.degraded === undefined ? undefined : shown;
  });
  t.diagnostic(`degraded after ${seconds(began)}`);
  assert.equal(degraded?.cause, 'crashes');
  assert.match(degraded?.detail ?? '', /ended 5 times in 10 minutes, last: signal SEGV/);
  // the one in full may still be there for a moment where the host decided
  await until('421 on port 25', { ms: 300_000, every: 500 }, async () =>
    (await greeting(vm)).startsWith('421 ') ? true : undefined,
  );
  assert.equal((await askPages(vm, { path: '/setup' })).status, 200);
  await until('the reason on the console', { ms: 120_000 }, () =>
    /DEGRADED: The gateway ended 5 times/.test(vm.serial().slice(shownBefore)) ? true : undefined,
  );
  await askHost(vm, { path: 'degraded/end', body: {} });
  await untilBanner(vm);
  assert.equal((await office.status()).degraded, undefined);
});

test('a frozen process 1 is reset by the hardware watchdog, the reason is shown, and nothing failed after it', async (t) => {
  const { vm } = office;
  const { bootId, watchdog } = await office.status();
  assert.equal(watchdog.kind, 'hardware');
  const resets = vm.events('RESET');
  await vm.shell('kill -SEGV 1 & true');
  const frozen = performance.now();
  await until('the watchdog to bite', { ms: 300_000, every: 200 }, () =>
    // mail goes on until the very end
    vm.events('WATCHDOG') > 0 && vm.events('RESET') > resets ? true : undefined,
  );
  t.diagnostic(`process 1 frozen: reset after ${seconds(frozen)}`);
  vm.poweredAt = performance.now();
  t.diagnostic(`220 after ${(await untilBanner(vm)).toFixed(1)} s`);
  const shown = await office.status();
  assert.notEqual(shown.bootId, bootId);
  assert.equal(shown.watchdog.lastReset.reason, 'watchdog');
  assert.ok(shown.alarms.some(({ name }) => name === 'watchdog-reset'));
  await consoleSays(vm, ' ', { expected: /Number, then Enter/ });
  await consoleSays(vm, '1\r', { expected: /last start: watchdog / });
  const state = await vm.shell('systemctl is-system-running --wait; systemctl --failed --no-legend --plain', {
    ms: 900_000,
  });
  assert.equal(state.output.trim(), 'running');
});
