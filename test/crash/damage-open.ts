/** Opens the spool given, tells its recovery as JSON, stops in order: what may end the process ends this one. */
import { silentObserve } from '../../src/observe/events.ts';
import { openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import { FakeClock } from '../support/fake-clock.ts';

const [root = ''] = process.argv.slice(2);
const spool = await openSpool({
  root,
  files: diskFiles(),
  openDatabase: openLevelDatabase,
  clock: new FakeClock(),
  observe: silentObserve,
  limits: () => ({ floorOctets: 0, floorPercent: 0 }),
  create: false,
  onFault: () => undefined,
});
process.stdout.write(`${JSON.stringify(spool.status().recovery)}\n`);
await spool[Symbol.asyncDispose]();
