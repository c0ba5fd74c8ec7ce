/**
 * Updates, from an owner's USB stick into a claimed box: what is not ours, damaged or older is refused and the running system
 * does not notice; a good one starts in the other slot, is on trial and called good by its probe mail; one that starts but
 * is not healthy is left by itself. Each test goes on where the one before stopped.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { plainMail } from '../support/mime-samples.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { makeBundles } from './bundles.ts';
import { bootedSlot, installUpdate, restart, restarted, showUpdate, started, type UpdateShown } from './updating.ts';
import { askHost, goDown, imageFolder, type Office, openOffice, seconds, VERSION } from './world.ts';

await imageFolder();
enterOwnNetwork();

let office: Office;
let files: Record<'strange' | 'older' | 'flipped' | 'good' | 'unhealthy', string>;

before(async () => {
  office = await openOffice();
  const bundles = makeBundles(office);
  const good = bundles.system({ version: '1.0.1' });
  files = {
    strange: bundles.empty({ version: '1.0.1', by: 'a stranger' }),
    older: bundles.empty({ version: '0.9.0' }),
    flipped: bundles.flipped(bundles.empty({ version: '1.0.3' })),
    good,
    // it starts, takes mail, and has no antivirus
    unhealthy: bundles.system({ version: '1.0.2', words: 'systemd.mask=sekisho-clamd.service' }),
  };
  await office.vm.plug(bundles.stick(Object.values(files)));
  await askHost(office.vm, { path: 'update/set', body: { trialMs: 60_000 } });
});
after(() => office?.[Symbol.asyncDispose]());

const install = (name: keyof typeof files): Promise<UpdateShown> =>
  installUpdate(office.vm, path.basename(files[name]));

test('a bundle of somebody else, an older one and one with a flipped bit are refused, and the reason is told', async () => {
  for (const [name, reason] of [
    ['strange', /cannot be trusted.*signature/is],
    ['older', /older than the running "1\.0\.0"/],
    ['flipped', /not installed|cannot be trusted/],
  ] as const) {
    const refused = await install(name);
    assert.equal(refused.phase, 'failed', name);
    assert.match(refused.detail ?? '', reason);
  }
  assert.equal(await bootedSlot(office.vm), 'A');
});

test(`a good update replaces ${VERSION} in the other slot, is on trial, and then called good by its probe mail`, async (t) => {
  const { vm } = office;
  const began = performance.now();
  const installed = await install('good');
  assert.equal(installed.phase, 'waiting-for-reboot', JSON.stringify(installed));
  t.diagnostic(`installed in ${seconds(began)}`);
  await restart(vm);
  const up = performance.now();
  assert.equal(await bootedSlot(vm), 'B');
  let seen: UpdateShown | undefined;
  await until('the end of the trial', { ms: 900_000, every: 2_000 }, async () => {
    const shown = await showUpdate(vm);
    if (shown.trial !== undefined) seen = shown;
    return shown.phase === 'idle' && shown.slots.find(({ name }) => name === 'B')?.state === 'good' ? true : undefined;
  });
  t.diagnostic(`called good ${seconds(up)} after its first 220`);
  const probe = seen?.trial?.checks.find(({ name }) => name === 'probe-mail');
  assert.equal(probe?.ok, true, JSON.stringify(seen));
  assert.deepEqual(office.sink.messages, [], 'The probe mail left the box');
});

test('an update that starts without its antivirus is left by itself, says why, and its mail is not lost', async (t) => {
  const { vm } = office;
  const installed = await install('unhealthy');
  assert.equal(installed.phase, 'waiting-for-reboot', JSON.stringify(installed));
  const before = vm.events('RESET');
  await goDown(vm, 'reboot');
  await started(vm, { before });
  const began = performance.now();
  const bytes = plainMail({ messageId: 'on-trial@x' });
  const mail = { from: 'hanako@example.com', to: 'a@office.example', bytes };
  // a slow machine leaves it before its 220
  const met = await until('its 220, or its end', { ms: 900_000, every: 250 }, async () => {
    if (vm.events('RESET') > before + 1) return 'left';
    return (await sendMail(vm.smtpPort, mail).catch(() => undefined))?.code === 250 ? 'taken' : undefined;
  });
  t.diagnostic(`mail ${met} after ${seconds(began)}`);
  await restarted(vm, { before, times: 2 });
  t.diagnostic(`220 of the system before ${seconds(began)} after the start of the unhealthy one`);
  assert.equal(await bootedSlot(vm), 'B');
  const { lastFallback } = await showUpdate(vm);
  assert.deepEqual([lastFallback?.from, lastFallback?.version], ['A', '1.0.2']);
  assert.match(lastFallback?.reason ?? '', /clamd: absent/);
  assert.ok((await office.status()).alarms.some(({ name }) => name === 'update-fell-back'));
  if (met === 'taken')
    await until('its mail at the office', { ms: 300_000 }, () => (office.has('on-trial@x') ? true : undefined));
});
