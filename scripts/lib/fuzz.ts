/** `./scripts/fuzz`: the long form. One target after another, a line each; what is found becomes a file of the corpus. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fuzzInProcess } from '../../test/fuzz/process.ts';
import { TARGETS } from '../../test/fuzz/targets.ts';

const root = path.resolve(import.meta.dirname, '../..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    cases: { type: 'string', default: '10000' },
  },
});
const seed = Number(values.seed ?? Math.floor(Date.now() / 1_000) % 1_000_000_000);
const [seconds, cases] = [Number(values.seconds), Number(values.cases)];
const unknown = positionals.filter((name) => !TARGETS.includes(name));
if (unknown.length > 0 || !(seconds >= 0) || !(cases >= 1)) {
  process.stderr.write(`Targets: ${TARGETS.join(', ')}; --seconds and --cases take numbers\n`);
  process.exit(2);
}
let found = 0;
for (const name of positionals.length > 0 ? positionals : TARGETS) {
  const told = await fuzzInProcess(name, {
    root,
    seed,
    cases,
    seconds,
    limitMs: seconds * 1_000 + cases * 50 + 60_000,
  });
  const how = `${name}: ${told.cases} cases in ${(told.ms / 1_000).toFixed(1)} s, seed ${seed}`;
  if (told.finding === undefined) {
    process.stdout.write(`ok      ${how}\n`);
    continue;
  }
  found += 1;
  process.stdout.write(`FOUND   ${how}, case ${told.finding.index}\n${told.finding.message}\n`);
  if (told.finding.input === '') continue;
  const input = Buffer.from(told.finding.input, 'base64');
  const folder = path.join(root, 'test/fuzz/corpus', name);
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${createHash('sha256').update(input).digest('hex').slice(0, 12)}.bin`);
  writeFileSync(file, input);
  process.stdout.write(`        kept as ${path.relative(root, file)}\n`);
}
process.exitCode = found === 0 ? 0 : 1;
