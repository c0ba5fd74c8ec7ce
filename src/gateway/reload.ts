/** The configuration read again on a signal; what is wrong with it is said in the log, and the old one runs on. */
import { describeError } from '../base/errors.ts';
import type { ConfigStore } from '../config/store.ts';
import type { Observe } from '../observe/events.ts';

export async function reload(
  store: ConfigStore,
  observe: Observe,
  then: { renew: () => Promise<void> },
): Promise<void> {
  try {
    const result = await store.reload({ by: 'SIGHUP' });
    if (result.ok) await then.renew();
    if (result.ok) observe.log('info', 'Configuration was read again', { changed: result.changed });
    else observe.log('warn', 'Configuration was refused, the old one runs on', { problems: result.problems });
  } catch (error) {
    observe.log('error', 'Configuration could not be read again', { error: describeError(error) });
  }
}
