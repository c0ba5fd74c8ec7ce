/**
 * Fuzzes one target in this process: `run.ts TARGET --seed N --cases N --seconds S`. The last line is JSON {target, seed, cases,
 * ms, finding?}; exit code 1 with a finding. The case at work stands in `--progress FILE`, for whoever must end a hang.
 * `run.ts TARGET --replay FILE` judges one input.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fuzz, judge } from './engine.ts';
import { loadTarget } from './targets.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    cases: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '0' },
    progress: { type: 'string' },
    replay: { type: 'string' },
  },
});
const { target } = await loadTarget(positionals[0] ?? '');
const seed = Number(values.seed);
const began = performance.now();
const { progress } = values;
const result =
  values.replay === undefined
    ? await fuzz(target, {
        seed,
        cases: Number(values.cases),
        ms: Number(values.seconds) * 1_000,
        ...(progress === undefined
          ? {}
          : { onCase: (index: number) => index % 50 === 0 && writeFileSync(progress, String(index)) }),
      })
    : await replay(values.replay);
const { finding } = result;
const told = finding === undefined ? {} : { finding: { ...finding, input: finding.input.toString('base64') } };
process.stdout.write(
  `${JSON.stringify({ target: target.name, seed, cases: result.cases, ms: Math.round(performance.now() - began), ...told })}\n`,
);
await target.close?.();
process.exit(finding === undefined ? 0 : 1);

async function replay(file: string): ReturnType<typeof fuzz> {
  const input = readFileSync(file);
  const message = await judge(target, input);
  return message === undefined
    ? { cases: 1 }
    : { cases: 1, finding: { target: target.name, seed: 0, index: 0, message, input } };
}
