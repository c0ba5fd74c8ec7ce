/**
 * A UPS for a virtual machine, which has none: `host` configures NUT and starts its units, then NUT's own dummy driver takes the
 * place of the one for USB. What it says is set here.
 */
import assert from 'node:assert/strict';
import { until } from '../support/process.ts';
import type { Vm } from '../support/vm.ts';
import { askHost } from './world.ts';

const FOLDER = '/run/sekisho-nut';

export interface UpsShown {
  state: string;
  power: string;
  model?: string;
  chargePercent?: number;
  events: Array<{ event: string }>;
}

export const showUps = (vm: Vm): Promise<UpsShown> => askHost<UpsShown>(vm, { path: 'ups' });

/** From now on: renamed into place, as the driver may be reading. */
export async function upsSays(vm: Vm, { status, charge }: { status: string; charge: number }): Promise<void> {
  const lines = `ups.status: ${status}\\nbattery.charge: ${charge}\\nbattery.runtime: 3600\\nups.mfr: Test\\nups.model: Dummy 1000\\n`;
  const said = await vm.shell(
    // the driver reads again where the time of the file is another, in whole seconds
    `cd ${FOLDER} && printf '${lines}' > new && chgrp nut new && chmod 640 new && while [ "$(stat -c %Y new)" = "$(stat -c %Y test.dev 2>/dev/null)" ]; do sleep 0.2; touch new; done; mv new test.dev`,
  );
  assert.equal(said.code, 0, said.output);
}

/** Resolves when all its values are shown. `obeys`: it takes the order to cut the power, which NUT's dummy refuses. It cannot carry it out. */
export async function startDummyUps(vm: Vm, { obeys = false }: { obeys?: boolean } = {}): Promise<UpsShown> {
  // no such device is here: the units start, and the driver finds nothing
  await askHost(vm, { path: 'ups/set', body: { mode: 'auto', driver: 'usbhid-ups' } });
  await upsSays(vm, { status: 'OL CHRG', charge: 100 });
  const own = `#!/bin/sh\\ncase " $* " in *" -k "*) exit 0 ;; esac\\nexec /usr/lib/nut/dummy-ups "$@"\\n`;
  if (obeys)
    await vm.shell(
      // nothing in /run may be run
      `mount -o remount,exec /run && mkdir -p ${FOLDER}/drivers && printf '${own}' > ${FOLDER}/drivers/dummy-ups && chmod 755 ${FOLDER}/drivers ${FOLDER}/drivers/dummy-ups`,
    );
  const place = obeys ? `driverpath = ${FOLDER}/drivers\\n` : '';
  const driver = `${place}maxretry = 3\\nuser = nut\\n[ups]\\n  driver = "dummy-ups"\\n  port = "${FOLDER}/test.dev"\\n  pollinterval = 1\\n`;
  const started = await vm.shell(
    `printf '${driver}' > ${FOLDER}/ups.conf && systemctl restart sekisho-ups-driver.service sekisho-upsd.service`,
  );
  assert.equal(started.code, 0, started.output);
  return until('the UPS', { ms: 120_000, every: 1_000 }, async () => {
    const one = await showUps(vm);
    // the values come one by one, the state first
    return one.state === 'online' && one.model === 'Test Dummy 1000' && one.chargePercent === 100 ? one : undefined;
  });
}
