/**
 * The benchmark behind `scripts/bench`: both systems warm, rounds in turn (gateway, Postfix, gateway, …), medians, the
 * table, and the floors judged. Exit: 0 all floors · 1 one missed or a system failed · 2 wrong use.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { inspect, parseArgs } from 'node:util';
import { hasPostfix } from '../../test/support/peers.ts';
import { describeError } from '../../src/base/errors.ts';
import { type Measured, memoryLines, missedOf, rowsOf, tableOf } from './figures.ts';
import { describeMachine } from './machine.ts';
import { measureGroup, type MemoryBySystem, noMemory } from './measure.ts';
import { profileGateway } from './profile-run.ts';
import { countSyncs } from './syncs.ts';
import { bundledPrograms } from './programs.ts';
import { chooseWorkloads, type Workload } from './workloads.ts';

/** On a disk by the FHS; /tmp may be memory, where a sync costs nothing. */
const WORK_PARENT = '/var/tmp';
const tell = (text: string): boolean => process.stderr.write(`${text}\n`);

const options = readOptions();
const dir = mkdtempSync(path.join(WORK_PARENT, 'sekisho-bench-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
for (const name of ['SIGINT', 'SIGHUP'] as const) process.once(name, () => process.exit(130));
try {
  await chmod(dir, 0o755);
  if (options.profile === undefined) process.exitCode = await bench(options);
  else await profileGateway({ ...options, dir, folder: path.resolve(options.profile), tell });
} catch (error) {
  tell(`The benchmark failed: ${inspect(error)}`);
  process.exitCode = 1;
}
process.exit(); // exit handlers end what is left

interface Options {
  workloads: Workload[];
  rounds: number;
  json: string | undefined;
  markdown: string | undefined;
  profile: string | undefined;
  source: string;
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        long: { type: 'boolean', default: false },
        only: { type: 'string' },
        rounds: { type: 'string' },
        json: { type: 'string' },
        markdown: { type: 'string' },
        profile: { type: 'string' },
        source: { type: 'string', default: path.resolve(import.meta.dirname, '../..') },
      },
    });
    const workloads = chooseWorkloads(values.only);
    if (workloads === undefined) throw new Error(`--only names no workload: "${values.only}"`);
    const rounds = values.rounds === undefined ? (values.long ? 10 : 5) : Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds takes a number: "${values.rounds}"`);
    const { json, markdown, profile } = values;
    return { workloads, rounds, json, markdown, profile, source: path.resolve(values.source) };
  } catch (error) {
    tell(describeError(error));
    process.exit(2);
  }
}

async function bench({ workloads, rounds, source: checkout, json, markdown }: Options): Promise<number> {
  if (!hasPostfix()) throw new Error('Postfix is not unpacked: run ./scripts/test --only install');
  const source = await bundledPrograms(checkout, dir);
  const machine = describeMachine(dir);
  tell(machine);
  const measured: Measured[] = [];
  const memory: MemoryBySystem = noMemory();
  for (const filters of [false, true]) {
    const group = workloads.filter((workload) => workload.filters === filters);
    if (group.length === 0) continue;
    const folder = path.join(dir, filters ? 'f' : 'p');
    measured.push(...(await measureGroup(group, { dir: folder, rounds, filters, source, memory, tell })));
  }
  for (const one of measured) one.syncs = await countSyncs(one.workload, { dir, source, tell });
  measured.sort((a, b) => workloads.indexOf(a.workload) - workloads.indexOf(b.workload));

  const rows = measured.flatMap(rowsOf);
  const missed = missedOf(rows, memory.gateway);
  const tables = `${tableOf(rows)}\n\n${memoryLines(memory)}\n`;
  const verdict =
    missed.length === 0 ? 'Every floor is reached' : `Missed:\n${missed.map((one) => `- ${one}`).join('\n')}`;
  const weak = rounds < 5 ? `Only ${rounds} rounds: no proof\n` : '';
  const page = `${machine}; ${rounds} rounds\n\n${tables}\n${weak}${verdict}\n`;
  process.stdout.write(page);
  if (markdown !== undefined) await writeFile(markdown, page);
  if (json !== undefined) {
    await mkdir(path.dirname(path.resolve(json)), { recursive: true });
    await writeFile(json, `${JSON.stringify({ machine, rounds, measured, memory, rows, missed }, null, 1)}\n`);
  }
  return missed.length === 0 ? 0 : 1;
}
