/** An owner's update from a stick, step by step: installed, restarted into, looked at. The waits are guards, not measures. */
import { until } from '../support/process.ts';
import type { Vm } from '../support/vm.ts';
import { askHost, goDown, untilBanner } from './world.ts';

const INSTALL_MS = 900_000;
const RESTART_MS = 900_000;

export interface UpdateShown {
  phase: string;
  detail?: string;
  trial?: { checks: Array<{ name: string; ok: boolean; detail: string }> };
  slots: Array<{ name: string; state: string; version?: string }>;
  lastFallback?: { from: string; reason: string; version?: string };
}

export const showUpdate = (vm: Vm): Promise<UpdateShown> => askHost<UpdateShown>(vm, { path: 'update' });

/** The device of the stick that is in the box. */
export function findStick(vm: Vm): Promise<string> {
  return until('the stick', { ms: 120_000, every: 1_000 }, async () => {
    const { sticks } = await askHost<{ sticks: Array<{ device: string }> }>(vm, { path: 'usb' });
    return sticks[0]?.device;
  });
}

/** A file of that stick. Resolves when it is decided. */
export async function installUpdate(vm: Vm, file: string): Promise<UpdateShown> {
  const device = await findStick(vm);
  await askHost(vm, { path: 'update/install', body: { from: 'usb', device, file } });
  return until(`the end of installing "${file}"`, { ms: INSTALL_MS, every: 1_000 }, async () => {
    const shown = await showUpdate(vm);
    return shown.phase === 'failed' || shown.phase === 'waiting-for-reboot' ? shown : undefined;
  });
}

/** Waits until the machine has started anew as often as that since `before`. */
export async function started(vm: Vm, { before, times = 1 }: { before: number; times?: number }): Promise<void> {
  await until('the restart', { ms: RESTART_MS * times, every: 200 }, () =>
    vm.events('RESET') >= before + times ? true : undefined,
  );
  vm.poweredAt = performance.now();
}

/** The same, and then for its 220. */
export async function restarted(vm: Vm, since: { before: number; times?: number }): Promise<void> {
  await started(vm, since);
  await untilBanner(vm);
}

export async function restart(vm: Vm, { times = 1 }: { times?: number } = {}): Promise<void> {
  const before = vm.events('RESET');
  await goDown(vm, 'reboot');
  await restarted(vm, { before, times });
}

export async function bootedSlot(vm: Vm): Promise<string> {
  return /rauc\.slot=(\w)/.exec((await vm.shell('cat /proc/cmdline')).output)?.[1] ?? '';
}
