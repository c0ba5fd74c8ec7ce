/**
 * The life of a box, in one machine after the other: first boot, mail, closed doors, power cuts, watchdog, a clock at 1970,
 * a UPS that runs empty. Software emulation; the order matters, since each test goes on where the one before stopped.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eicarMail, gtubeMail, plainMail } from '../support/mime-samples.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { sendMail, smtpConnect } from '../support/smtp-client.ts';
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts';
import { Vm } from '../support/vm.ts';
import {
  askPages,
  type BuiltImage,
  builtImage,
  claimBox,
  layOnBootPartition,
  officeConfig,
  untilBanner,
} from './world.ts';

enterOwnNetwork();

const from = 'hanako@example.com';
let image: BuiltImage;
let sink: SmtpSink;
let vm: Vm;

before(async () => {
  image = await builtImage();
  sink = await startSmtpSink();
  layOnBootPartition(image.disk, { name: 'sekisho/config.json', content: JSON.stringify(officeConfig(sink.port)) });
  vm = new Vm({ folder: `${image.folder}/box`, image: image.disk });
});
after(async () => {
  await vm?.[Symbol.asyncDispose]();
  await sink?.[Symbol.asyncDispose]();
});

const has = (id: string): boolean => sink.messages.some((one) => one.bytes.includes(`Message-ID: <${id}>`));

/** Until the engines are up mail is taken as incoming and inspected later; these want the verdict in the session. */
async function untilEngines(): Promise<void> {
  await until('clamd and rspamd in the box', { ms: 240_000, every: 1_000 }, async () => {
    const ask = 'test -S /run/sekisho-engines/clamd/clamd.sock && test -S /run/sekisho-engines/rspamd/rspamd.sock';
    return (await vm.shell(ask)).code === 0 ? true : undefined;
  });
}

test('a flashed disk starts by BIOS, keeps port 25 shut until it is claimed, and greets with 220 after that', async (t) => {
  await vm.start();
  await until('the pages', { ms: 400_000, every: 1_000 }, async () =>
    (await askPages(vm, { path: '/setup' })).status === 200 ? true : undefined,
  );
  t.diagnostic(`power to the pages: ${((performance.now() - vm.poweredAt) / 1_000).toFixed(1)} s`);
  assert.equal((await vm.shell('ss -Hlnt sport = :25')).output.trim(), '');
  await claimBox(vm);
  await untilBanner(vm);
});

test('a mail goes through the box to the office, and EICAR and GTUBE do not', async () => {
  await untilEngines();
  const clean = await sendMail(vm.smtpPort, {
    from,
    to: 'a@office.example',
    bytes: plainMail({ messageId: 'clean@x' }),
  });
  assert.equal(clean.code, 250, clean.text);
  await until('the mail at the office', { ms: 60_000 }, () => (has('clean@x') ? true : undefined));
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
  const listening = await vm.shell("ss -Hlntu | awk '{ print $1, $5 }' | sort -u");
  const outside = listening.output.split('\n').filter((line) => line !== '' && !/ (?:127\.0\.0\.|\[::1\])/.test(line));
  // DHCP's client is not reachable but for its server
  assert.deepEqual(
    outside.filter((line) => !/^udp \S+:(?:68|546)$/.test(line)),
    ['tcp *:25', 'tcp 0.0.0.0:443'],
  );
  const rules = await vm.shell('nft list chain inet sekisho input; nft list chain inet sekisho output');
  assert.equal(rules.output.match(/policy drop/g)?.length, 2, rules.output);
  const asks = 'exec 3<>/dev/tcp/10.0.2.2/8 && echo reached || echo refused';
  const called = await vm.shell(
    `setpriv --reuid=_rspamd --regid=_rspamd --clear-groups bash -c '${asks}' 2>&1 | tail -n 1`,
  );
  assert.equal(called.output.trim(), 'refused');
});

test('three power cuts under load lose nothing that had its 250', async (t) => {
  const kept: string[] = [];
  for (const round of [1, 2, 3]) {
    let cut = false;
    const load = (async () => {
      for (let n = 0; !cut; n += 1) {
        const id = `cut-${round}-${n}@x`;
        const reply = await sendMail(vm.smtpPort, {
          from,
          to: 'a@office.example',
          bytes: plainMail({ messageId: id }),
        }).catch(() => undefined);
        if (reply?.code === 250) kept.push(id);
      }
    })();
    const before = kept.length;
    await until('mail taken before the cut', { ms: 120_000 }, () =>
      kept.length >= before + 5 + round * 3 ? true : undefined,
    );
    await vm.powerCut();
    cut = true;
    await load;
    await vm.start();
    t.diagnostic(`cut ${round}: ${kept.length} taken so far, 220 after ${(await untilBanner(vm)).toFixed(1)} s`);
  }
  await until('every mail at the office', { ms: 180_000, every: 250 }, () =>
    kept.every(has) ? true : undefined,
  ).catch(() => {
    throw new Error(`Lost: ${kept.filter((id) => !has(id)).join(' ')}`);
  });
});

test('a gateway that hangs is started again by its watchdog, a frozen process 1 by the hardware', async (t) => {
  await vm.shell('systemctl kill --signal=STOP --kill-whom=main sekisho-gateway.service');
  const hung = performance.now();
  await until('the gateway to be replaced', { ms: 120_000, every: 500 }, async () =>
    Number((await vm.shell('systemctl show -P NRestarts sekisho-gateway.service')).output) > 0 ? true : undefined,
  );
  await untilBanner(vm);
  t.diagnostic(`gateway stopped: 220 again after ${((performance.now() - hung) / 1_000).toFixed(1)} s`);
  await vm.shell('kill -SEGV 1 & true');
  const frozen = performance.now();
  await until('the watchdog to bite', { ms: 180_000, every: 200 }, () =>
    vm.events('WATCHDOG') > 0 ? true : undefined,
  );
  t.diagnostic(`process 1 frozen: reset after ${((performance.now() - frozen) / 1_000).toFixed(1)} s`);
  await untilBanner(vm);
});

test('with its clock at 1970 the box takes and passes on mail, and never goes back behind what it knew', async () => {
  await vm.powerCut();
  vm = new Vm({ folder: `${image.folder}/box`, image: image.disk, clock: '1970-01-01T00:00:00' });
  await vm.start();
  await untilBanner(vm);
  const year = await vm.shell('date +%Y');
  assert.ok(Number(year.output) >= 2026, year.output);
  const reply = await sendMail(vm.smtpPort, {
    from,
    to: 'a@office.example',
    bytes: plainMail({ messageId: 'epoch@x' }),
  });
  assert.equal(reply.code, 250, reply.text);
  await until('the mail at the office', { ms: 120_000 }, () => (has('epoch@x') ? true : undefined));
});

test('power-off closes the spool in order', async () => {
  await vm.shell('systemctl poweroff --no-block');
  await vm.off(90_000);
  vm = new Vm({ folder: `${image.folder}/box`, image: image.disk, firmware: 'uefi' });
});

test('the same disk starts by UEFI', async (t) => {
  await vm.start();
  t.diagnostic(`power to 220 by UEFI: ${(await untilBanner(vm)).toFixed(1)} s`);
  const client = await smtpConnect({ port: vm.smtpPort });
  assert.match(client.greeting.text, /^mx\.office\.example /);
  await client.quit();
  const clean = await vm.shell(
    'journalctl -b -u sekisho-gateway.service -o cat --no-pager | grep -c "Gateway is ready"',
  );
  assert.equal(clean.output.trim(), '1');
});
