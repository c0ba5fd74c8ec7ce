/** NUT by the host: which files and units for which UPS, found on USB or told, over the real host with a fake systemctl. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { findUps, NUT_UNITS, planNut, readOwnPassword, readUpsModels } from '../../src/host/nut-files.ts';
import { peersPrefix } from '../support/peers.ts';
import { until } from '../support/process.ts';
import { type HostWorld, startHost } from './world.ts';

const RULES = path.join(import.meta.dirname, 'nut-usbups.rules');
const FOUND = { usb: undefined, password: 'ab'.repeat(16), folder: '/run/x' };

test('NUT’s list of models names the driver of what is plugged in; a hub and a keyboard are no UPS', async () => {
  const models = readUpsModels(await readFile(RULES, 'utf8'));
  assert.deepEqual(
    models.map(({ driver }) => driver),
    ['nutdrv_qx', 'bcmxcp_usb', 'usbhid-ups', 'apc_modbus'],
  );
  const hub = { vendor: '1d6b', product: '0002' };
  assert.equal(findUps([hub, { vendor: '046d', product: 'c31c' }], models), undefined);
  assert.equal(findUps([hub, { vendor: '051d', product: '0002' }], models)?.driver, 'usbhid-ups');
  assert.equal(
    findUps([{ vendor: '051d', product: '0003' }], models)?.driver,
    'usbhid-ups',
    'the box has no apc_modbus',
  );
});

test('the list of Debian’s own package is understood to its last line', {
  skip: !existsSync(path.join(peersPrefix(), 'lib/udev/rules.d/62-nut-usbups.rules')),
}, async () => {
  const text = await readFile(path.join(peersPrefix(), 'lib/udev/rules.d/62-nut-usbups.rules'), 'utf8');
  const models = readUpsModels(text);
  assert.equal(models.length, text.match(/^ATTR\{idVendor\}/gm)?.length);
  assert.ok(models.length > 100);
});

test('a driver the owner named goes before the list, and works where nothing was recognised', () => {
  const plan = planNut({ mode: 'auto', driver: 'blazer_usb' }, FOUND);
  assert.match(plan?.files['ups.conf'] ?? '', /^\[ups\]\n {2}driver = "blazer_usb"\n {2}port = "auto"\n$/m);
  assert.deepEqual(plan?.units, NUT_UNITS);
  assert.equal(planNut({ mode: 'auto' }, FOUND), undefined, 'no UPS is normal');
  assert.equal(planNut({ mode: 'off', driver: 'blazer_usb' }, FOUND), undefined);
});

test('a server on the network: with a login upsmon is its secondary, without one it is only read', () => {
  const login = { user: 'office', password: 'a "b" \\c' };
  const plan = planNut({ mode: 'network', host: '2001:db8::1', name: 'rack', ...login }, FOUND);
  assert.deepEqual(Object.keys(plan?.files ?? {}), ['upsmon.conf']);
  const [first] = (plan?.files['upsmon.conf'] ?? '').split('\n');
  assert.equal(first, String.raw`MONITOR rack@[2001:db8::1] 1 "office" "a \"b\" \\c" secondary`);
  assert.deepEqual(plan?.units, ['sekisho-upsmon.service']);
  assert.equal(planNut({ mode: 'network', host: '192.0.2.9' }, FOUND), undefined);
});

test('a password cannot begin another directive, and what is no name is refused', () => {
  const at = { mode: 'network', host: '192.0.2.9', name: 'rack', user: 'u' } as const;
  assert.throws(() => planNut({ ...at, password: 'x\nSHUTDOWNCMD "rm"' }, FOUND), { code: 'INVALID_REQUEST' });
  assert.throws(() => planNut({ ...at, name: 'a b', password: 'x' }, FOUND), { code: 'INVALID_REQUEST' });
});

async function plug(host: HostWorld, name: string, ids: readonly [string, string]): Promise<void> {
  const folder = path.join(host.dir, 'sys/bus/usb/devices', name);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'idVendor'), `${ids[0]}\n`);
  await writeFile(path.join(folder, 'idProduct'), `${ids[1]}\n`);
}

const ofNut = async (host: HostWorld): Promise<string[]> =>
  (await host.calls('systemctl')).filter((call) => call.includes('sekisho-ups'));

test('without a UPS the host writes nothing and touches no unit of NUT; one that is plugged in is watched, also after a restart', async () => {
  await using host = await startHost();
  const nut = path.join(host.dir, 'nut');
  await plug(host, 'usb1', ['1d6b', '0002']);
  await host.admin.call('ups.set', { mode: 'auto' });
  assert.equal(existsSync(nut), false);
  assert.deepEqual(await ofNut(host), []);
  await plug(host, '1-1', ['051D', '0002']);
  await host.admin.call('ups.set', { mode: 'auto' });
  assert.deepEqual(await ofNut(host), [`restart ${NUT_UNITS.join(' ')}`]);
  assert.deepEqual((await readdir(nut)).toSorted(), ['state', 'ups.conf', 'upsd.conf', 'upsd.users', 'upsmon.conf']);
  assert.equal((await stat(path.join(nut, 'upsd.users'))).mode & 0o777, 0o640);
  assert.equal((await stat(nut)).mode & 0o777, 0o750);
  const users = await readFile(path.join(nut, 'upsd.users'), 'utf8');
  const password = readOwnPassword(users);
  assert.ok(password);
  const upsmon = await readFile(path.join(nut, 'upsmon.conf'), 'utf8');
  assert.match(upsmon, new RegExp(`^MONITOR ups@127\\.0\\.0\\.1 1 "sekisho" "${password}" primary$`, 'm'));
  assert.match(upsmon, /^SHUTDOWNCMD "\/usr\/bin\/systemctl poweroff"$/m);
  assert.ok(upsmon.includes(`POWERDOWNFLAG "${nut}/killpower"`));
  assert.match(await readFile(path.join(nut, 'ups.conf'), 'utf8'), /driver = "usbhid-ups"[^]*vendorid = "051d"/);
  await host.stop();
  await host.start();
  await host.admin.call('ups.set', { mode: 'auto' });
  assert.equal((await ofNut(host)).length, 1, 'the same UPS after a restart of the host is left in peace');
  assert.equal(await readFile(path.join(nut, 'upsd.users'), 'utf8'), users);
  await host.admin.call('ups.set', { mode: 'off' });
  assert.deepEqual((await ofNut(host)).slice(1), [`stop ${NUT_UNITS.toReversed().join(' ')}`]);
  assert.deepEqual(await readdir(nut), ['state']);
});

test('at the start of the machine a UPS on USB is found by itself', async () => {
  await using host = await startHost();
  await host.stop();
  await plug(host, '1-1', ['051d', '0002']);
  await host.start();
  await until('the units', { ms: 10_000 }, async () => ((await ofNut(host)).length > 0 ? true : undefined));
});

test('units that do not start are told to who asked, and tried again by the next that asks', async () => {
  await using host = await startHost();
  await host.fake('systemctl', 'case "$*" in "restart sekisho-ups"*) echo "no such UPS" >&2; exit 1;; esac');
  await assert.rejects(host.admin.call('ups.set', { mode: 'auto', driver: 'nutdrv_qx' }), /no such UPS/);
  await host.fake('systemctl');
  await host.admin.call('ups.set', { mode: 'auto', driver: 'nutdrv_qx' });
  assert.equal((await ofNut(host)).length, 2);
  await rm(path.join(host.dir, 'nut'), { recursive: true });
});

test('nothing but the host starts our units: a boot without a UPS leaves them alone', async () => {
  const plan = planNut({ mode: 'auto', driver: 'usbhid-ups' }, FOUND);
  for (const unit of NUT_UNITS) {
    const text = await readFile(path.join(import.meta.dirname, '../../rootfs/usr/lib/systemd/system', unit), 'utf8');
    assert.doesNotMatch(text, /^\[Install\]/m, unit);
    const file = /^ConditionPathExists=\/run\/sekisho-nut\/(.+)$/m.exec(text)?.[1];
    assert.ok(file !== undefined && plan?.files[file] !== undefined, unit);
    // Debian's /usr/sbin/upsd and upsmon are scripts that do nothing unless /etc/nut/nut.conf says so
    assert.match(text, /^ExecStart=\/usr\/(?:lib\/nut\/ups(?:d|mon) -F|sbin\/upsdrvctl start)$/m, unit);
  }
});

test('half a login, and a login without the name of its UPS, are refused', async () => {
  await using host = await startHost();
  const at = { mode: 'network', host: '192.0.2.9' } as const;
  await assert.rejects(host.admin.call('ups.set', { ...at, name: 'rack', user: 'u' }), { code: 'INVALID_REQUEST' });
  await assert.rejects(host.admin.call('ups.set', { ...at, user: 'u', password: 'p' }), { code: 'INVALID_REQUEST' });
  assert.deepEqual(await ofNut(host), []);
  await host.admin.call('ups.set', { ...at, name: 'rack', user: 'u', password: 'never shown' });
  const shown = await host.admin.call('ups.show', {});
  assert.deepEqual(shown.settings, { ...at, name: 'rack', user: 'u' });
  assert.deepEqual(await ofNut(host), [
    'stop sekisho-ups-driver.service sekisho-upsd.service',
    'restart sekisho-upsmon.service',
  ]);
});
