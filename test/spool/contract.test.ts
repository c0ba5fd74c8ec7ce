import { spoolContract } from '../contracts/spool.ts';
import { diskRig, memoryRig } from '../support/spool-rigs.ts';

spoolContract('disk and LevelDB', diskRig);
spoolContract('memory layers', memoryRig);
