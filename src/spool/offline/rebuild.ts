/**
 * `sekisho spool rebuild`: the database is set aside under inquiry/ and made anew from the message files, by the very
 * recovery a start runs. For a stopped gateway whose database is doubted; a damaged one is rebuilt at the start by itself.
 * The price: recipients of messages that still lie there and who were served already may be served again.
 */
import { systemClock } from '../../base/clock.ts';
import type { SekishoError } from '../../base/errors.ts';
import { silentObserve } from '../../observe/events.ts';
import type { SpoolRecovery } from '../api.ts';
import { openLevelDatabase } from '../database.ts';
import { diskFiles } from '../files.ts';
import { openSpool } from '../open.ts';
import { assertNotInUse } from './examine.ts';

/** Throws as `openSpool` does; nothing is changed when a gateway has the spool open. */
export async function rebuildSpool(root: string): Promise<SpoolRecovery> {
  await assertNotInUse(root);
  let fault: SekishoError | undefined;
  const store = await openSpool({
    root,
    files: diskFiles(),
    openDatabase: openLevelDatabase,
    clock: systemClock(),
    observe: silentObserve,
    limits: () => ({ floorOctets: 0, floorPercent: 0 }),
    create: false,
    rebuildDatabase: true,
    onFault: (error) => {
      fault = error;
    },
  });
  const { recovery } = store.status();
  await store[Symbol.asyncDispose]();
  if (fault !== undefined) throw fault;
  return recovery;
}
