/**
 * `--profile DIR`: the gateway alone under V8's CPU profiler, a workload at a time. For each thread of it one page of
 * functions and files by self time, and the .cpuprofile beside it for the browser's tools.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { threadsOf } from './account.ts';
import { openFleet } from './fleet.ts';
import { oneRound } from './measure.ts';
import { type CpuProfile, profilePage } from './profile.ts';
import type { Workload } from './workloads.ts';

const LINES = 45;

export async function profileGateway(options: {
  dir: string;
  source: string;
  folder: string;
  workloads: readonly Workload[];
  tell: (text: string) => unknown;
}): Promise<void> {
  for (const workload of options.workloads) {
    const folder = path.join(options.folder, workload.name);
    await mkdir(folder, { recursive: true });
    let summary = '';
    {
      await using fleet = await openFleet({
        dir: path.join(options.dir, workload.name),
        filters: workload.filters,
        source: options.source,
        only: 'gateway',
        nodeOptions: ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=500'],
      });
      const roots = fleet.systems.gateway?.roots ?? [];
      const before = threadsOf(roots);
      for (let at = 0; at < 2; at += 1) {
        const round = await oneRound(workload, {
          fleet,
          dir: options.dir,
          name: 'gateway',
          messages: workload.messages,
        });
        summary = `${workload.name}, under the profiler: ${round.rate.toFixed(0)}/s, ${round.cpuPerThousand.toFixed(2)} CPU s/1,000`;
      }
      const boot = before.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0).toFixed(1);
      const threads = threadsOf(roots).map(
        ({ pid, name, cpuSeconds }) => `${cpuSeconds.toFixed(2).padStart(8)} s  ${pid} ${name}`,
      );
      summary += `\nCPU of threads for ${workload.messages * 2} messages and the boot (${boot} s)\n${threads.join('\n')}\n`;
    }
    options.tell(summary);
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.cpuprofile')) continue;
      // the profiler's own format
      const profile = JSON.parse(await readFile(path.join(folder, name), 'utf8')) as CpuProfile;
      const page = `${summary}\n${profilePage(profile, { root: options.source, lines: LINES })}`;
      await writeFile(path.join(options.folder, `${workload.name}.${name.split('.').slice(3, 5).join('-')}.txt`), page);
    }
  }
}
