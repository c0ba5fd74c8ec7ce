/**
 * The first day of a box, in one virtual machine: first boot from a flashed disk, claim, mail through the real engines, units,
 * closed doors, the console on the serial line. Software emulation; the order matters, since each test goes on where the one
 * before stopped.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eicarMail, gtubeMail, plainMail } from '../support/mime-samples.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts';
import { Vm } from '../support/vm.ts';
import {
  askPages,
  type BuiltImage,
  builtImage,
  claimBox,
  consoleSays,
  imageFolder,
  keepClaimed,
  layOnBootPartition,
  OFFICE_PORT,
  officeConfig,
  untilBanner,
  untilEngines,
} from './world.ts';

await imageFolder();
enterOwnNetwork();

const from = 'hanako@example.com';
/** A code of whoever sets up many boxes, on the boot partition. */
const LAID_CODE = 'HK7WP-Q3M9T';
let image: BuiltImage;
let sink: SmtpSink;
let vm: Vm;

before(async () => {
  image = await builtImage();
  sink = await startSmtpSink({ port: OFFICE_PORT });
  layOnBootPartition(image.disk, { name: 'sekisho/config.json', content: JSON.stringify(officeConfig()) });
  layOnBootPartition(image.disk, { name: 'sekisho/setup-code', content: `${LAID_CODE}\n` });
  vm = new Vm({ folder: `${image.folder}/box`, image: image.disk });
});
after(async () => {
  // the next files begin where this one ends
  if (vm?.running === true && image !== undefined) await keepClaimed(vm, image);
  await vm?.[Symbol.asyncDispose]();
  await sink?.[Symbol.asyncDispose]();
});

const has = (id: string): boolean => sink.messages.some((one) => one.bytes.includes(`Message-ID: <${id}>`));

test('a flashed disk starts by BIOS (UEFI on ARM), keeps port 25 shut until it is claimed, and greets with 220 after that', async (t) => {
  await vm.start();
  await until('the pages', { ms: 900_000, every: 1_000 }, async () =>
    (await askPages(vm, { path: '/setup' })).status === 200 ? true : undefined,
  );
  t.diagnostic(`power to the pages: ${((performance.now() - vm.poweredAt) / 1_000).toFixed(1)} s`);
  assert.equal((await vm.shell('ss -Hlnt sport = :25')).output.trim(), '');
  // the only code there is, on the screen and nowhere else
  await until('the code on the serial line', { ms: 120_000 }, () =>
    vm.serial().includes(`    ${LAID_CODE}`) ? true : undefined,
  );
  assert.equal((await vm.shell('test -e /efi/sekisho/setup-code')).code, 1, 'The code stayed on the boot partition');
  assert.equal(
    (await vm.shell('stat -c "%a %U %G" /run/sekisho-host/banner.en')).output.trim(),
    '640 root sekisho-console',
  );
  await claimBox(vm);
  await untilBanner(vm);
});

test('a mail goes through the box to the office, and EICAR and GTUBE do not', async () => {
  await untilEngines(vm);
  const clean = await sendMail(vm.smtpPort, {
    from,
    to: 'a@office.example',
    bytes: plainMail({ messageId: 'clean@x' }),
  });
  assert.equal(clean.code, 250, clean.text);
  await until('the mail at the office', { ms: 300_000 }, () => (has('clean@x') ? true : undefined));
  for (const bytes of [eicarMail(), gtubeMail()]) {
    const refused = await sendMail(vm.smtpPort, { from, to: 'a@office.example', bytes });
    assert.ok(refused.code >= 550 && refused.code <= 554, `${refused.code} ${refused.text}`);
  }
});

test('every unit started, the data partition grew to the disk, and the root is verified and read-only', async () => {
  const state = await vm.shell('systemctl is-system-running --wait; systemctl --failed --no-legend --plain', {
    ms: 180_000,
  });
  assert.equal(state.output.trim(), 'running');
  const size = await vm.shell("df -B1M --output=size /var | tail -n 1; dmsetup status root | grep -c ' verity V'");
  const [data, verity] = size.output.trim().split('\n').map(Number);
  assert.ok((data ?? 0) > 3_000, `The data partition has ${data} MiB`);
  assert.equal(verity, 1);
  assert.notEqual((await vm.shell('touch /usr/x /etc/x')).code, 0);
});

test('nothing listens that need not, and nobody inside can call out as he likes', async () => {
  // three times: a question just being asked (DNS) has a socket for a moment
  const listening = await vm.shell(
    "for i in 1 2 3; do ss -Hlntu | awk '{ print $1, $5 }' | sort -u; sleep 2; done | sort | uniq -c | sed -n 's/^ *3 //p'",
  );
  const outside = listening.output.split('\n').filter((line) => line !== '' && !/ (?:127\.0\.0\.|\[::1\])/.test(line));
  // DHCP's client is not reachable but for its server
  assert.deepEqual(
    outside.filter((line) => !/^udp \S+:(?:68|546)$/.test(line)),
    ['tcp *:25', 'tcp *:443', 'tcp *:80'],
    listening.output,
  );
  const rules = await vm.shell('nft list chain inet sekisho input; nft list chain inet sekisho output');
  assert.equal(rules.output.match(/policy drop/g)?.length, 2, rules.output);
  const asks = 'exec 3<>/dev/tcp/10.0.2.2/8 && echo reached || echo refused';
  const called = await vm.shell(
    `setpriv --reuid=_rspamd --regid=_rspamd --clear-groups bash -c '${asks}' 2>&1 | tail -n 1`,
  );
  assert.equal(called.output.trim(), 'refused');
});

test('the console on the serial line shows its banner, opens its menu at a key, tells the state, and leaves', async () => {
  const dialogue = (typed: string, expected: RegExp): Promise<string> => consoleSays(vm, typed, { expected });
  await until('its banner', { ms: 120_000 }, () =>
    /https:\/\/10\.0\.2\.15\/[\s\S]*Claimed: yes/.test(vm.serial()) ? true : undefined,
  );
  await dialogue(' ', /1 {2}State[\s\S]*16 {2}Nihongo[\s\S]*Number, then Enter/);
  // Each answer is awaited to the menu's own end: what is typed into a page that is still coming answers that page
  let state = await dialogue('1\r', /-- more|Number, then Enter/);
  if (!state.includes('Number, then Enter')) state += await dialogue('\r', /Number, then Enter/);
  assert.match(state, /watchdog: hardware i6300ESB[\s\S]*gateway {3,}running/);
  await dialogue('8\r', /incoming {3,}\d+[\s\S]*Number, then Enter/);
  await dialogue('99\r', /There is no such number[\s\S]*Number, then Enter/);
  await dialogue('11\r', /Mail, keys, settings and history are erased/);
  await dialogue('no\r', /Nothing was done[\s\S]*Number, then Enter/);
  await dialogue('0\r', /Press a key for the menu/);
});
