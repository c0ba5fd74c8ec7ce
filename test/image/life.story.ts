/**
 * What a box lives through, in one virtual machine: power cuts under load, a gateway that hangs, a frozen process 1, a clock at
 * 1970, power-off, UEFI. Each test goes on where the one before stopped. scripts/image-test life.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pause } from '../../src/base/deadline.ts';
import { plainMail } from '../support/mime-samples.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { sendMail, smtpConnect } from '../support/smtp-client.ts';
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts';
import { Vm } from '../support/vm.ts';
import {
  type BuiltImage,
  builtImage,
  claimBox,
  imageFolder,
  layOnBootPartition,
  officeConfig,
  untilBanner,
} from './world.ts';

await imageFolder();
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
  await vm.start();
  await claimBox(vm);
  await untilBanner(vm);
});
after(async () => {
  await vm?.[Symbol.asyncDispose]();
  await sink?.[Symbol.asyncDispose]();
});

const has = (id: string): boolean => sink.messages.some((one) => one.bytes.includes(`Message-ID: <${id}>`));

test('three power cuts under load lose nothing that had its 250', async (t) => {
  const kept: string[] = [];
  let sent = 0;
  for (const round of [1, 2, 3]) {
    let cut = false;
    const sender = async (): Promise<void> => {
      while (!cut) {
        const id = `cut-${round}-${(sent += 1)}@x`;
        const bytes = plainMail({ messageId: id });
        const reply = await sendMail(vm.smtpPort, { from, to: 'a@office.example', bytes }).catch(() => undefined);
        if (reply?.code === 250) kept.push(id);
        else await pause(500);
      }
    };
    const load = Promise.all([sender(), sender(), sender()]);
    const before = kept.length;
    await until('mail taken before the cut', { ms: 240_000 }, () =>
      kept.length >= before + 2 + round * 2 ? true : undefined,
    );
    await vm.powerCut();
    cut = true;
    await load;
    await vm.start();
    t.diagnostic(`cut ${round}: ${kept.length} taken so far, 220 after ${(await untilBanner(vm)).toFixed(1)} s`);
  }
  await until('every mail at the office', { ms: 300_000, every: 250 }, () =>
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
