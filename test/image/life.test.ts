/**
 * What a box lives through, in one virtual machine that was claimed before: power cuts under load, a gateway that hangs, one
 * that crashes again and again. Each test goes on where the one before stopped. Every wait has five times
 * what it takes on a quiet machine, and more.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pause } from '../../src/base/deadline.ts';
import { plainMail } from '../support/mime-samples.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import type { Vm } from '../support/vm.ts';
import { askHost, askPages, greeting, imageFolder, type Office, openOffice, seconds, untilBanner } from './world.ts';

await imageFolder();
enterOwnNetwork();

const from = 'hanako@example.com';
let office: Office;
let vm: Vm;

before(async () => {
  office = await openOffice();
  ({ vm } = office);
});
after(() => office?.end());

test('three power cuts under load lose and alter nothing that had its 250', async (t) => {
  const kept = new Map<string, Buffer>();
  let sent = 0;
  for (const round of [1, 2, 3]) {
    let cut = false;
    const sender = async (): Promise<void> => {
      while (!cut) {
        const id = `cut-${round}-${(sent += 1)}@x`;
        const bytes = plainMail({ messageId: id, text: `Number ${sent}\r\n${'0123456789'.repeat(7)}\r\n`.repeat(40) });
        const reply = await sendMail(vm.smtpPort, { from, to: 'a@office.example', bytes }).catch(() => undefined);
        if (reply?.code === 250) kept.set(id, bytes);
        else await pause(500);
      }
    };
    const before = kept.size;
    const load = Promise.all([sender(), sender(), sender()]);
    await until('mail taken before the cut', { ms: 300_000 }, () =>
      kept.size >= before + 4 + round * 3 ? true : undefined,
    );
    await vm.powerCut();
    cut = true;
    await load;
    const arrived = new Set(
      office.sink.messages.map(({ bytes }) => /Message-ID: <([^>]+)>/.exec(bytes.toString('latin1'))?.[1]),
    );
    await vm.start();
    t.diagnostic(
      `cut ${round}: ${kept.size} taken so far, ${[...kept.keys()].filter((id) => !arrived.has(id)).length} of them still in the box; 220 after ${(await untilBanner(vm)).toFixed(1)} s`,
    );
  }
  await until('every mail at the office', { ms: 600_000, every: 250 }, () =>
    [...kept.keys()].every((id) => office.has(id)) ? true : undefined,
  ).catch(() => {
    throw new Error(`Lost: ${[...kept.keys()].filter((id) => !office.has(id)).join(' ')}`);
  });
  for (const [id, bytes] of kept) {
    const copies = office.sink.messages.filter((one) => one.bytes.includes(`Message-ID: <${id}>`));
    for (const copy of copies) assert.ok(copy.bytes.subarray(-bytes.length).equals(bytes), `${id} was altered`);
  }
  t.diagnostic(`${kept.size} taken, ${office.sink.messages.length} arrived`);
  assert.equal((await office.status()).watchdog.lastReset.reason, 'power-loss');
});

test('a gateway that hangs is started again by its watchdog', async (t) => {
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
  const pid = async (): Promise<string> =>
    (await vm.shell('systemctl show -P MainPID sekisho-gateway.service')).output.trim();
  const shownBefore = vm.serial().length;
  const began = performance.now();
  const { degraded } = await until('the degraded mode', { ms: 900_000, every: 1_000 }, async () => {
    const running = await pid();
    if (running !== '0') await vm.shell(`kill -SEGV ${running}`);
    await until('the end of it', { ms: 120_000, every: 500 }, async () =>
      (await pid()) === running ? undefined : true,
    );
    const shown = await office.status();
    return shown.degraded === undefined ? undefined : shown;
  });
  t.diagnostic(`degraded after ${seconds(began)}`);
  assert.equal(degraded?.cause, 'crashes');
  assert.match(degraded?.detail ?? '', /ended 5 times in 10 minutes, last: signal SEGV/);
  const said = await until(
    'somebody on port 25',
    { ms: 300_000, every: 1_000 },
    async () => (await greeting(vm)) || undefined,
  );
  assert.match(said, /^421 /);
  assert.equal((await askPages(vm, { path: '/setup' })).status, 200);
  await until('the reason on the console', { ms: 120_000 }, () =>
    /DEGRADED: The gateway ended 5 times/.test(vm.serial().slice(shownBefore)) ? true : undefined,
  );
  await askHost(vm, { path: 'degraded/end', body: {} });
  await untilBanner(vm);
  assert.equal((await office.status()).degraded, undefined);
});
