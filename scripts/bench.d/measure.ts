/** The rounds of one fleet: idle memory, then each workload warmed up and measured in turn. Throws when a round fails. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pssOf } from './account.ts';
import type { Measured, Memory } from './figures.ts';
import { type Fleet, openFleet } from './fleet.ts';
import { type Round, runRound } from './load.ts';
import { type SystemName, SYSTEMS } from './systems.ts';
import type { Workload } from './workloads.ts';

export type MemoryBySystem = Record<SystemName, Memory>;

export interface GroupOptions {
  dir: string;
  rounds: number;
  filters: boolean;
  source: string;
  /** Grows: idle is what the first fleet had before any mail, peak the most that was ever seen. */
  memory: MemoryBySystem;
  tell: (text: string) => unknown;
}

const IDLE_AFTER_MS = 5_000;
/** At least so many before a workload's first round: what the runtimes compile, they compile in the first few hundred. */
const WARM_UP = 1_000;
/** Reading it costs; so it is read in the warm-up, which is not timed, and once behind every round. */
const SAMPLE_MS = 200;

export function noMemory(): MemoryBySystem {
  return { gateway: { idle: 0, peak: 0 }, postfix: { idle: 0, peak: 0 } };
}

export async function measureGroup(workloads: readonly Workload[], options: GroupOptions): Promise<Measured[]> {
  const { dir, filters, source, memory, tell } = options;
  await using fleet = await openFleet({ dir, filters, source });
  await sleep(IDLE_AFTER_MS);
  for (const name of SYSTEMS) if (memory[name].idle === 0) memory[name].idle = pssOf(fleet.systems[name]?.roots ?? []);
  const measured: Measured[] = [];
  for (const workload of workloads) {
    const rounds: Record<SystemName, Round[]> = { gateway: [], postfix: [] };
    for (const name of SYSTEMS) await warmUp(workload, { ...options, fleet, name });
    for (let at = 0; at < options.rounds; at += 1) {
      for (const name of SYSTEMS) {
        const round = await oneRound(workload, { fleet, dir, name, messages: workload.messages });
        const pss = notePeak(memory[name], fleet, name);
        rounds[name].push(round);
        tell(`${workload.name} ${at + 1}/${options.rounds} ${describeRound(name, round)}, ${inMB(pss)} MB`);
      }
    }
    measured.push({ workload, ...rounds });
  }
  return measured;
}

async function warmUp(workload: Workload, options: GroupOptions & { fleet: Fleet; name: SystemName }): Promise<void> {
  const { fleet, name, memory, dir, tell } = options;
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, notePeak(memory[name], fleet, name));
  }, SAMPLE_MS);
  try {
    const messages = Math.max(WARM_UP, workload.messages);
    await oneRound(workload, { fleet, dir, name, messages });
  } finally {
    clearInterval(timer);
  }
  tell(`${workload.name} warm-up ${name}: at most ${inMB(most)} MB`);
}

/** PSS at this moment. */
function notePeak(memory: Memory, fleet: Fleet, name: SystemName): number {
  const pss = pssOf(fleet.systems[name]?.roots ?? []);
  memory.peak = Math.max(memory.peak, pss);
  return pss;
}

function inMB(octets: number): string {
  return (octets / 1e6).toFixed(0);
}

let seed = 0;

export function oneRound(
  workload: Workload,
  options: { fleet: Fleet; dir: string; name: SystemName; messages: number },
): Promise<Round> {
  const { fleet, dir, name, messages } = options;
  const system = fleet.systems[name];
  if (system === undefined) throw new Error(`"${name}" is not started`);
  seed += 1;
  return runRound({
    workload,
    system,
    sink: fleet.sink,
    engines: fleet.engines[name],
    dir: path.resolve(dir),
    seed,
    messages,
  });
}

function describeRound(name: SystemName, round: Round): string {
  const drain = round.drain === undefined ? '' : `, drained ${round.drain.toFixed(0)}/s`;
  return `${name.padEnd(7)} ${round.rate.toFixed(0)}/s${drain}, ${round.cpuPerThousand.toFixed(2)} CPU s/1,000`;
}
