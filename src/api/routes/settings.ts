/** Small tools for operations that change parts of the configuration: read a part, set several, all or as far as it went. */
import type { ControlClient } from '../../control/client.ts';
import type { VerbAnswer } from '../../control/contract.ts';

/** What the gateway shows in the place of a secret, and takes for the one it keeps. */
export const HIDDEN = '[hidden]';

export type Change = VerbAnswer<'config.set'>;

/** What stands at the path, defaults filled in, secrets hidden. */
export async function settingAt<T>(gateway: ControlClient, path: string): Promise<T> {
  const { value } = await gateway.call('config.show', { path });
  return value as T;
}

/** Nothing to change is a change well done. */
export const UNCHANGED: Change = { ok: true, changed: [], problems: [] };

/** One generation a setting; the first that is refused ends it, and what was set before is taken back with the rollback. */
export async function setAll(
  gateway: ControlClient,
  settings: ReadonlyArray<[path: string, value: unknown]>,
): Promise<Change> {
  const { generation: before } = await gateway.call('config.show', { path: 'version' });
  const sum: Change = { ok: true, changed: [], problems: [] };
  for (const [path, value] of settings) {
    const change = await gateway.call('config.set', { path, value });
    if (!change.ok) {
      if ((sum.changed ?? []).length > 0) await gateway.call('config.rollback', { generation: before });
      return change;
    }
    sum.changed?.push(...(change.changed ?? []));
    if (change.generation !== undefined) sum.generation = change.generation;
  }
  return sum;
}
