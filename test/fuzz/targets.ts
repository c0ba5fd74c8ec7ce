/** The fuzzing targets by name, each loaded only where it runs: they start servers of their own. */
import type { Planted, Target } from './engine.ts';

const LOADERS: Readonly<Record<string, () => Promise<{ target: Target; planted: Planted }>>> = {
  header: () => import('./targets/header.ts'),
  address: () => import('./targets/address.ts'),
  mime: () => import('./targets/mime.ts'),
  smtp: () => import('./targets/smtp.ts'),
  dsn: () => import('./targets/dsn.ts'),
  archive: () => import('./targets/archive.ts'),
  config: () => import('./targets/config.ts'),
  control: () => import('./targets/control.ts'),
};

export const TARGETS = Object.keys(LOADERS);

export function loadTarget(name: string): Promise<{ target: Target; planted: Planted }> {
  const load = LOADERS[name];
  if (load === undefined) throw new RangeError(`No target "${name}": ${TARGETS.join(', ')}`);
  return load();
}
