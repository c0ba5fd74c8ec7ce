/** The host over its sockets: claim, ports, network that takes itself back, the brake, factory reset, who may ask what. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { NetworkSettings } from '../../src/control/host-shapes.ts';
import { until } from '../support/process.ts';
import { startHost } from './world.ts';

const LISTENERS = [
  { name: 'mx', address: '0.0.0.0', port: 25 },
  { name: 'relay', address: '192.0.2.10', port: 10_025 },
] as const;
const SETTINGS: NetworkSettings = {
  hostname: 'mail.office.example',
  interfaces: [
    {
      name: 'eth0',
      ipv4: { method: 'static', addresses: ['192.0.2.10/24'], gateway: '192.0.2.1' },
      ipv6: { method: 'off' },
    },
  ],
  dns: ['192.0.2.53'],
  ntp: ['192.0.2.123'],
  inside: ['192.0.2.0/24'],
};

test('no mail port opens before the claim; the right code claims the box and opens what the gateway asked for', async () => {
  await using host = await startHost();
  assert.deepEqual(await host.gateway.call('listeners.apply', { listeners: [...LISTENERS] }), {
    open: false,
    restart: false,
  });
  assert.deepEqual(await readdir(host.units).catch(() => []), []);
  const { code } = await host.console.call('setup-code.show', {});
  assert.match(code ?? '', /^[0-9A-HJKMNP-TV-Z]{10}$/);
  assert.equal((await host.admin.call('setup-code.check', { code: 'WRONGWRONG' })).ok, false);
  const typed = `${code?.slice(0, 5).toLowerCase()}-${code?.slice(5)}`;
  assert.equal((await host.admin.call('setup-code.check', { code: typed })).ok, true);
  await host.admin.call('claim.done', {});
  assert.deepEqual(await readdir(host.units), ['sekisho-mx.socket', 'sekisho-relay.socket']);
  const unit = await readFile(path.join(host.units, 'sekisho-mx.socket'), 'utf8');
  assert.match(unit, /^ListenStream=\[::\]:25$/m);
  assert.match(unit, /^FileDescriptorName=mx$/m);
  assert.match(unit, /^TriggerLimitIntervalSec=0$/m);
  const calls = await host.calls('systemctl');
  const at = (call: string): number => calls.indexOf(call);
  assert.ok(
    at('stop sekisho-gateway.service') < at('start sekisho-mx.socket'),
    'the gateway stops before its sockets start',
  );
  assert.ok(at('start sekisho-mx.socket') < at('start sekisho-gateway.service'));
  assert.deepEqual(await host.console.call('setup-code.show', {}), { claimed: true });
  await host.cut();
  await host.start();
  assert.equal((await host.admin.call('host.status', {})).claimed, true, 'the claim survives a cut');
});

test('at the start of the machine the sockets stand before the gateway, which is neither stopped nor started', async () => {
  await using host = await startHost();
  await host.gateway.call('listeners.apply', { listeners: [...LISTENERS] });
  await host.admin.call('claim.done', {});
  await host.cut();
  await rm(host.units, { recursive: true }); // /run is gone with the power
  await rm(path.join(host.dir, 'systemctl.calls'));
  await host.fake('systemctl', 'if [ "$1" = is-active ]; then echo inactive; exit 3; fi');
  await host.start();
  const calls = await host.calls('systemctl');
  assert.ok(calls.includes('start sekisho-mx.socket'), calls.join('; '));
  assert.ok(!calls.some((call) => /^(?:stop|start) sekisho-gateway/.test(call)), calls.join('; '));
});

test('a host that ended between stopping the gateway and starting it again leaves no box without mail', async () => {
  await using host = await startHost();
  await host.gateway.call('listeners.apply', { listeners: [...LISTENERS] });
  await host.admin.call('claim.done', {});
  await host.cut(); // /run stays
  await rm(path.join(host.dir, 'systemctl.calls'));
  await host.fake('systemctl', 'if [ "$1" = is-active ]; then shift; for unit; do echo inactive; done; exit 3; fi');
  await host.start();
  const calls = await host.calls('systemctl');
  const [socket, gateway] = ['start sekisho-mx.socket', 'start --no-block sekisho-gateway.service'].map((call) =>
    calls.lastIndexOf(call),
  );
  assert.ok(socket !== undefined && socket >= 0, calls.join('; '));
  assert.ok(gateway !== undefined && gateway > socket, 'the gateway takes sockets that stand');
  // the sockets stand, the gateway was not started any more
  await host.cut();
  await rm(path.join(host.dir, 'systemctl.calls'));
  await host.fake(
    'systemctl',
    'case "$*" in "is-active sekisho-gateway.service") echo inactive ;; is-active*) echo active ;; esac',
  );
  await host.start();
  const after = await host.calls('systemctl');
  assert.ok(after.includes('start --no-block sekisho-gateway.service'), after.join('; '));
  assert.ok(!after.some((call) => /^(?:stop|start) sekisho-/.test(call)), after.join('; '));
});

test('a packet filter that is started again gets the owner’s networks and ports back', async () => {
  await using host = await startHost();
  await host.gateway.call('listeners.apply', { listeners: [{ name: 'mx', address: '::', port: 2525 }] });
  await host.admin.call('claim.done', {});
  const { id } = await host.admin.call('network.set', { settings: { ...SETTINGS, inside: ['198.51.100.0/24'] } });
  await host.admin.call('network.confirm', { id });
  const told = path.join(host.dir, 'nft.told');
  await host.fake('nft', `cat >>"${told}"`);
  await host.admin.call('services.restart', { name: 'nftables' });
  const calls = await host.calls('systemctl');
  assert.ok(calls.includes('restart nftables.service'));
  const text = await readFile(told, 'utf8');
  assert.match(text, /^add element inet sekisho inside4 \{ 198\.51\.100\.0\/24 \}$/m);
  assert.match(text, /^add element inet sekisho mail_ports \{ 2525 \}$/m);
  assert.match(text, /^flush set inet sekisho own_sources$/m);
});

test('ten wrong setup codes lock the right one out, too', async () => {
  await using host = await startHost({ mode: 'trial' });
  const { code = '' } = await host.console.call('setup-code.show', {});
  for (let tries = 0; tries < 9; tries += 1)
    assert.equal((await host.admin.call('setup-code.check', { code: `WRONG0000${tries}` })).waitMs, undefined);
  assert.ok(((await host.admin.call('setup-code.check', { code: 'WRONG' })).waitMs ?? 0) > 800_000);
  assert.equal((await host.admin.call('setup-code.check', { code })).ok, false);
});

test('a setup code laid on the boot partition counts once; one that is easy to guess does not', async () => {
  await using host = await startHost();
  const made = (await host.console.call('setup-code.show', {})).code;
  const laid = path.join(host.dir, 'setup-code');
  const startWith = async (text: string): Promise<void> => {
    await host.stop();
    await writeFile(laid, text);
    await host.start();
  };
  await startWith('1234\n');
  assert.equal((await host.console.call('setup-code.show', {})).code, made, 'too short');
  assert.ok(!existsSync(laid));
  await startWith('k7mq-2xrt 9bwz-4hnd\r\n');
  assert.deepEqual(await host.admin.call('setup-code.check', { code: 'K7MQ2XRT9BWZ4HND' }), { ok: true });
  assert.ok(!existsSync(laid), 'it is used up');
  assert.equal((await host.admin.call('setup-code.check', { code: made ?? '' })).ok, false);
  await host.admin.call('claim.done', {});
  await startWith('aaaa-bbbb-cccc\n');
  assert.equal((await host.admin.call('setup-code.check', { code: 'aaaabbbbcccc' })).ok, false, 'the box has an owner');
});

test('a network that nobody confirms is gone after a power cut; a confirmed one stays', async () => {
  await using host = await startHost();
  const file = path.join(host.networkd, '50-sekisho-eth0.network');
  const applied = (): Promise<true> =>
    until('the file', { ms: 10_000 }, () => existsSync(file) || undefined) as Promise<true>;
  await host.admin.call('network.set', { settings: SETTINGS });
  await applied();
  assert.match(await readFile(file, 'utf8'), /^Address=192\.0\.2\.10\/24$/m);
  await host.cut();
  await host.start();
  assert.ok(!existsSync(file), 'the unconfirmed network is taken back at the start');
  assert.equal((await host.admin.call('network.show', {})).pending, undefined);
  const { id } = await host.admin.call('network.set', { settings: SETTINGS });
  await applied();
  await host.admin.call('network.confirm', { id });
  await host.cut();
  await host.start();
  assert.ok(existsSync(file));
  await assert.rejects(host.admin.call('network.confirm', { id }), { code: 'NOT_FOUND' });
});

test('values that could act in a unit file are refused before anything is written', async () => {
  await using host = await startHost();
  const evil = [
    { ...SETTINGS, hostname: 'a\nExecStart=/bin/sh' },
    { ...SETTINGS, interfaces: [{ ...SETTINGS.interfaces[0], name: '../../etc/x' }] },
    { ...SETTINGS, dns: ['192.0.2.1\n[Service]'] },
    { ...SETTINGS, inside: ['0.0.0.0/0 }; flush ruleset'] },
  ];
  for (const settings of evil)
    await assert.rejects(host.admin.call('network.set', { settings: settings as NetworkSettings }), {
      code: 'INVALID_REQUEST',
    });
  await assert.rejects(host.gateway.call('listeners.apply', { listeners: [{ name: 'mx', address: '::', port: 22 }] }), {
    code: 'INVALID_REQUEST',
  });
});

test('five crashes in ten minutes engage the brake, which survives a restart, and an operator ends it', async () => {
  await using host = await startHost();
  const flag = path.join(host.dir, 'run/degraded');
  for (let count = 0; count < 4; count += 1) host.gatewayEnded('exit-code');
  host.gatewayEnded('success');
  assert.equal(await host.once(['--gateway-ended']), 0);
  assert.ok(!existsSync(flag), 'four crashes and a clean stop are not enough');
  await host.cut(); // nobody but the program that systemd starts
  host.gatewayEnded('watchdog');
  assert.equal(await host.once(['--gateway-ended']), 0);
  await host.start();
  assert.match(await readFile(flag, 'utf8'), /5 times in 10 minutes/);
  const status = await host.admin.call('host.status', {});
  assert.equal(status.degraded?.cause, 'crashes');
  assert.ok(status.alarms.some(({ name }) => name === 'degraded'));
  await host.cut();
  await host.start();
  assert.equal((await host.console.call('host.status', {})).degraded?.cause, 'crashes');
  await host.console.call('degraded.end', {});
  assert.ok(!existsSync(flag));
  assert.ok((await host.calls('systemctl')).includes('restart sekisho-gateway.service'));
  assert.equal((await host.admin.call('host.status', {})).watchdog.crashes, 0);
});

test('five crashes count although no program could be started after them: the host looks by itself', async () => {
  await using host = await startHost();
  const flag = path.join(host.dir, 'run/degraded');
  for (const result of ['exit-code', 'core-dump', 'watchdog', 'signal', 'oom-kill"\n{']) host.gatewayEnded(result);
  await until('the brake', { ms: 60_000 }, () => existsSync(flag) || undefined);
  await until(
    'the restart',
    { ms: 60_000 },
    async () => (await host.calls('systemctl')).includes('restart sekisho-gateway.service') || undefined,
  );
  assert.match(
    (await host.admin.call('host.status', {})).degraded?.detail ?? '',
    /5 times in 10 minutes, last: oom-kill 70$/,
  );
  // a crash a second for a day, and nobody who judges: the file stays small, the last ones are in it
  const ends = path.join(host.data, 'gateway-ends.jsonl');
  await writeFile(ends, 'x\n'.repeat(40_000));
  host.gatewayEnded('exit-code');
  const lines = (await readFile(ends, 'utf8')).trim().split('\n');
  assert.equal(lines.length, 101);
  assert.equal((JSON.parse(lines.at(-1) ?? '') as { result: string }).result, 'exit-code');
});

test('a factory reset leaves nothing of mail, keys or claim, and asks for the words', async () => {
  await using host = await startHost();
  await host.admin.call('claim.done', {});
  const spool = path.join(host.dir, 'data/sekisho/spool');
  const admin = path.join(host.dir, 'data/sekisho-admin');
  await mkdir(spool, { recursive: true });
  await mkdir(admin, { recursive: true });
  await writeFile(path.join(spool, 'mail'), 'Subject: secret\r\n');
  await writeFile(path.join(admin, 'key.pem'), 'PRIVATE');
  const filter = path.join(host.dir, 'data/rspamd');
  await mkdir(filter);
  await writeFile(path.join(filter, 'history.ucl'), 'from: boss@office.example');
  await assert.rejects(host.console.call('factory-reset', { confirmation: 'yes' as 'ERASE EVERYTHING' }));
  await assert.rejects(host.admin.call('factory-reset', { confirmation: 'ERASE EVERYTHING' }), {
    code: 'NOT_PERMITTED',
  });
  await host.console.call('factory-reset', { confirmation: 'ERASE EVERYTHING' });
  await until(
    'the reboot',
    { ms: 10_000 },
    async () => (await host.calls('systemctl')).includes('reboot') || undefined,
  );
  await host.cut();
  // as systemd-tmpfiles would make it; the wish stands until it is there
  const config = path.join(host.dir, 'data/sekisho/config');
  await host.fake('systemd-tmpfiles', `test -e "${host.data}/factory-reset" && mkdir "${config}"`);
  await host.start();
  assert.deepEqual(await readdir(path.join(host.dir, 'data/sekisho')), ['config'], 'first-boot writes there');
  assert.deepEqual(await host.calls('systemd-tmpfiles'), ['--create --prefix=/var/lib sekisho.conf']);
  assert.deepEqual(await readdir(admin), []);
  assert.deepEqual(await readdir(filter), [], 'who wrote to whom');
  const shown = await host.console.call('setup-code.show', {});
  assert.equal(shown.claimed, false);
  assert.ok(shown.code);
});

test('what only somebody before the box may do is not on the sockets of admin and gateway', async () => {
  await using host = await startHost();
  for (const verb of ['setup-code.show', 'setup-code.renew', 'access.reset'] as const)
    for (const caller of [host.admin, host.gateway])
      await assert.rejects(caller.call(verb, {}), { code: 'NOT_PERMITTED' });
  await assert.rejects(host.gateway.call('power.off', {}), { code: 'NOT_PERMITTED' });
  await assert.rejects(host.console.call('setup-code.check', { code: 'x' }), { code: 'NOT_PERMITTED' });
});

test('a machine so slow that its first look comes before it is ready starts all the same', async () => {
  await using host = await startHost();
  await host.gateway.call('listeners.apply', { listeners: [{ name: 'mx', address: '::', port: 25 }] });
  await host.admin.call('claim.done', {});
  await host.stop();
  await rm(host.units, { recursive: true });
  await host.fake('systemctl', '[ "$1" != daemon-reload ] || sleep 11');
  await host.start();
  assert.ok((await host.calls('systemctl')).includes('daemon-reload'));
  assert.equal((await host.admin.call('host.status', {})).claimed, true);
});

test('a reset of access waits on record until admin carried it out', async () => {
  await using host = await startHost();
  await host.admin.call('claim.done', {});
  const { id, code } = await host.console.call('access.reset', {});
  await host.cut();
  await host.start();
  assert.equal((await host.admin.call('host.status', {})).accessReset?.id, id);
  assert.equal((await host.admin.call('setup-code.check', { code })).ok, true);
  await host.admin.call('access.reset-done', { id });
  assert.equal((await host.admin.call('host.status', {})).accessReset, undefined);
  assert.equal((await host.admin.call('setup-code.check', { code })).ok, false, 'the code has ended');
});

test('a trial machine shows itself and changes nothing', async () => {
  await using host = await startHost({ mode: 'trial' });
  const facts = await host.admin.call('facts', {});
  assert.ok(facts.memory.total > 0);
  for (const verb of ['power.off', 'power.reboot'] as const)
    await assert.rejects(host.admin.call(verb, {}), { code: 'READ_ONLY' });
  await assert.rejects(host.admin.call('network.set', { settings: SETTINGS }), { code: 'READ_ONLY' });
  assert.deepEqual(await host.calls('networkctl'), []);
});

test('a record that cannot be read is set aside and told, and the box stays claimed', async () => {
  await using host = await startHost();
  await host.admin.call('claim.done', {});
  await host.cut();
  await writeFile(path.join(host.data, 'state.json'), '{"version":1,"boots":[{"at');
  await host.start();
  const status = await host.admin.call('host.status', {});
  assert.equal(status.claimed, true);
  assert.ok(status.alarms.some(({ name }) => name === 'record-damaged'));
  assert.ok(existsSync(path.join(host.data, 'state.json.damaged')));
});

test('why the machine started: a stop in order, an update, a watchdog, a power cut', async () => {
  await using host = await startHost();
  const reason = async (): Promise<string> => (await host.console.call('host.status', {})).watchdog.lastReset.reason;
  assert.equal(await reason(), 'first-boot');
  const pretendOtherBoot = async (): Promise<void> => {
    const file = path.join(host.data, 'state.json');
    const text = await readFile(file, 'utf8');
    const { bootId } = await host.console.call('host.status', {}).catch(() => ({ bootId: boot }));
    await writeFile(file, text.replaceAll(bootId, '00000000-0000-0000-0000-000000000000'));
  };
  const boot = (await host.console.call('host.status', {})).bootId;
  await host.stop();
  await pretendOtherBoot();
  await host.start();
  assert.equal(await reason(), 'clean');
  await host.cut();
  await pretendOtherBoot();
  await host.start();
  assert.equal(await reason(), 'power-loss');
  const store = path.join(host.dir, 'sys/fs/pstore');
  await mkdir(store, { recursive: true });
  await writeFile(path.join(store, 'dmesg-erst-1'), 'Oops#1 Part1');
  await host.cut();
  await pretendOtherBoot();
  await host.start();
  assert.equal(await reason(), 'panic');
  assert.equal(await readFile(path.join(host.data, 'last-panic.txt'), 'utf8'), 'Oops#1 Part1');
  await host.cut();
  await pretendOtherBoot();
  await host.start();
  assert.equal(await reason(), 'power-loss', 'a panic is told once');
  await host.cut();
  await writeFile(path.join(host.dir, 'disk-restarted'), JSON.stringify({ bootId: boot }));
  await pretendOtherBoot();
  await host.start();
  assert.equal(await reason(), 'power-loss', 'the note is of another start');
  await host.cut();
  await writeFile(
    path.join(host.dir, 'disk-restarted'),
    JSON.stringify({ bootId: '00000000-0000-0000-0000-000000000000' }),
  );
  await pretendOtherBoot();
  await host.start();
  assert.equal(await reason(), 'disk-error');
  const { alarms } = await host.console.call('host.status', {});
  assert.ok(alarms.some(({ name }) => name === 'disk-restart'));
  await rm(path.join(host.dir, 'disk-restarted'));
  const record = path.join(host.data, 'state.json');
  const installed = { slot: 'B', from: 'A', since: 0, bootId: boot, version: '1.1.0' };
  await host.cut();
  await writeFile(record, JSON.stringify({ ...JSON.parse(await readFile(record, 'utf8')), trial: installed }));
  await host.start();
  await host.stop();
  await pretendOtherBoot();
  await host.start();
  assert.equal(await reason(), 'update');
  const chip = path.join(host.dir, 'sys/class/watchdog/watchdog0');
  await mkdir(chip, { recursive: true });
  await writeFile(path.join(chip, 'bootstatus'), '32\n');
  await writeFile(path.join(chip, 'identity'), 'i6300ESB timer\n');
  await host.cut();
  await pretendOtherBoot();
  await host.start();
  assert.equal(await reason(), 'watchdog');
  assert.equal((await host.console.call('host.status', {})).watchdog.kind, 'hardware');
});

test('the daily look for an update can be run at once; how it went is told, also after a restart', async () => {
  await using host = await startHost();
  const listed = await host.admin.call('jobs.list', {});
  assert.deepEqual(
    listed.jobs.map(({ name, runs }) => [name, runs.length]),
    [
      ['check-update', 0],
      ['check-advisories', 0],
      ['update-maps', 0],
      ['update-signatures', 0],
    ],
  );
  assert.ok(Date.parse(listed.jobs[0]?.nextAt ?? '') > 0);
  assert.equal((await host.console.call('jobs.run', { name: 'check-update' })).runs[0]?.ok, true, 'no source: no look');
  await host.admin.call('update.set', { source: 'https://127.0.0.1:1/latest.json' });
  const failed = await host.admin.call('jobs.run', { name: 'check-update' });
  assert.equal(failed.runs[0]?.ok, false);
  assert.ok(failed.runs[0]?.detail);
  await assert.rejects(host.admin.call('jobs.run', { name: 'no-such-job' }), { code: 'NOT_FOUND' });
  await assert.rejects(host.gateway.call('jobs.list', {}), { code: 'NOT_PERMITTED' });
  await host.stop();
  await host.start();
  assert.deepEqual(
    (await host.admin.call('jobs.list', {})).jobs[0]?.runs.map(({ ok }) => ok),
    [false, true],
  );
});

test('the portal runs and its port is open only while the owner offers it, and only on a box with an owner', async () => {
  await using host = await startHost();
  // standard input of the packet filter beside its arguments
  await host.fake('nft', `cat >>"${path.join(host.dir, 'nft.input')}"`);
  const listeners = [...LISTENERS];
  const filter = async (): Promise<string> =>
    (await readFile(path.join(host.dir, 'nft.input'), 'utf8'))
      .split('\n')
      .filter((line) => line.includes('portal_'))
      .slice(-3)
      .join('; ');
  const last = async (): Promise<string | undefined> =>
    (await host.calls('systemctl')).findLast((call) => call.includes('sekisho-portal'));
  await host.gateway.call('listeners.apply', { listeners, portal: 'inside' });
  assert.equal(await last(), '--no-block stop sekisho-portal.service', 'nobody before the claim');
  await host.admin.call('claim.done', {});
  assert.equal(await last(), '--no-block start sekisho-portal.service');
  assert.match(
    await filter(),
    /add element inet sekisho portal_inside \{ 8443 \}; flush set inet sekisho portal_anywhere$/,
  );
  await host.gateway.call('listeners.apply', { listeners, portal: 'everywhere' });
  assert.match(await filter(), /flush set inet sekisho portal_inside; .*; add element .* portal_anywhere \{ 8443 \}$/);
  await host.cut();
  await rm(path.join(host.dir, 'systemctl.calls'));
  await host.start();
  assert.equal(await last(), '--no-block start sekisho-portal.service', 'as it was, after a power cut');
  await host.gateway.call('listeners.apply', { listeners, portal: 'off' });
  assert.equal(await last(), '--no-block stop sekisho-portal.service');
  assert.doesNotMatch((await filter()).split('; ').slice(-2).join('; '), /add element/);
});
