/** The disk layer inside its own mount namespace: argv[2] is its options as JSON, the last line on stdout its report. */
import { z } from 'zod';
import { diskRounds } from './disk-layer.ts';

const options = z.object({ rounds: z.number(), seed: z.number() }).parse(JSON.parse(process.argv[2] ?? '{}'));
const report = await diskRounds(options);
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0)); // exit handlers end what is left
