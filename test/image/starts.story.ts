/**
 * Other ways a claimed box starts, in one virtual machine: after a frozen process 1, with its clock at 1970, in order after a
 * power-off, by UEFI. Each test goes on where the one before stopped. Not part of the test command yet: scripts/image-test starts.
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
import { sendMail, smtpConnect } from '../support/smtp-client.ts';
import { type DnsServer, startUnbound } from '../support/unbound.ts';
import { Vm } from '../support/vm.ts';
import { consoleSays, goDown, imageFolder, NAMED, type Office, openOffice, seconds, untilBanner } from './world.ts';

await imageFolder();
enterOwnNetwork();

const from = 'hanako@example.com';
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

/** The same disk in a machine with another firmware or clock. */
function otherMachine(more: { clock?: string; firmware?: 'uefi' }): Vm {
  const { folder } = office;
  office.vm = new Vm({ folder: `${folder}/box`, image: `${folder}/none`, ...more });
  return office.vm;
}

test('a frozen process 1 is reset by the hardware watchdog, the reason is shown, and nothing failed after it', async (t) => {
  const { vm } = office;
  const { bootId, watchdog } = await office.status();
  assert.equal(watchdog.kind, 'hardware');
  await vm.shell('kill -SEGV 1 & true');
  const frozen = performance.now();
  await until('the watchdog to bite', { ms: 300_000, every: 200 }, () =>
    // mail goes on until the very end
    vm.events('WATCHDOG') > 0 && vm.events('RESET') > 0 ? true : undefined,
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

test('with its clock at 1970 the box resolves signed names, finds a forgery, takes and passes on mail', async () => {
  // the guest's DNS server is QEMU's, which asks this network's port 53
  writeFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', '53');
  const signed = await signZone(NAMED.zone, ['mail 300 IN A 10.0.2.2'], { dir: zones });
  const forged = await signZone('forged.example', ['mail 300 IN A 10.0.2.3'], {
    dir: zones,
    after: (zone) => zone.replaceAll('10.0.2.3', '10.0.2.2'),
  });
  const served = [signed, forged].map(({ name, file }) => ({ name, file }));
  dns = await startUnbound({ dir: zones, records: [], signed: served, port: 53 });
  await office.vm.powerCut();
  const vm = otherMachine({ clock: '1970-01-01T00:00:00' });
  await vm.start();
  await untilBanner(vm);
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
  assert.equal((await resolve(NAMED.host)).output.trim(), '10.0.2.2');
  assert.equal((await resolve('mail.forged.example')).output.trim(), 'ESERVFAIL');
  const bytes = plainMail({ messageId: 'epoch@x' });
  const reply = await sendMail(vm.smtpPort, { from, to: `a@${NAMED.domain}`, bytes });
  assert.equal(reply.code, 250, reply.text);
  await until('the mail at the office', { ms: 300_000 }, () => (office.has('epoch@x') ? true : undefined));
});

test('a power-off ends in order, and the same disk starts by UEFI', async (t) => {
  const began = performance.now();
  await goDown(office.vm, 'off');
  await office.vm.off(240_000);
  t.diagnostic(`off after ${seconds(began)}`);
  const vm = otherMachine({ firmware: 'uefi' });
  await vm.start();
  t.diagnostic(`power to 220 by UEFI: ${(await untilBanner(vm)).toFixed(1)} s`);
  const client = await smtpConnect({ port: vm.smtpPort });
  assert.match(client.greeting.text, /^mx\.office\.example /);
  await client.quit();
  const { watchdog, degraded } = await office.status();
  assert.deepEqual([watchdog.lastReset.reason, degraded], ['clean', undefined]);
  const ready = await vm.shell('journalctl -b -u sekisho-gateway.service -o cat --no-pager | grep "Gateway is ready"');
  assert.match(ready.output, /"cleanStop":true/);
});
