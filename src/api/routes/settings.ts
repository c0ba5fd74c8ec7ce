/** Small tools for operations that change parts of the configuration: read a part, set several at once. */
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

/** All or none; a value that is undefined is the default. */
export function setAll(
  gateway: ControlClient,
  settings: ReadonlyArray<readonly [path: string, value: unknown]>,
): Promise<Change> {
  return gateway.call('config.change', {
    settings: settings.map(([path, value]) => (value === undefined ? { path } : { path, value })),
  });
}
