/**
 * Where the attacks happen: the gateway of this checkout with real clamd and rspamd and a name server, a sink behind, and
 * peers it knows from before (written into its data folder as an earlier life would have left it). `rate` is what it takes
 * of 64 KB mails with both engines, ten sessions at once, as W4f of the benchmark has them; rated is half of it.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startWorld, type World } from '../../test/e2e/world.ts';
import { startChild } from '../../test/support/process.ts';
import { deliver, keepBusy } from './client.ts';
import { atLeast, atMost, type Mark, reported } from './item.ts';
import { cleanMail, DIRTY, OFFICE } from './mails.ts';
import { type Job, knownAddress, type Watched, watchedSchema } from './peers.ts';

export interface Site extends AsyncDisposable {
  readonly world: World;
  readonly rate: number;
  /** The peers at their rated pace for so long; `attack` runs beside them and is told when they are done. */
  watch(seconds: number, attack?: (over: () => boolean) => Promise<void>): Promise<Watched>;
  /** Changes how many sessions may stand. */
  allowSessions(count: number): Promise<void>;
}

/** What the gateway's own process may hold resident, whatever is done to it; a box has 2 GB. */
export const MEMORY_BOUND_MB = 768;
const KNOWN_NETWORKS = 20;
const SESSIONS = 1_000;

export async function openSite(options: { short: boolean; seed: number }): Promise<Site> {
  const world = await startWorld({ clamd: true, rspamd: true, config: (dir) => settings(dir, SESSIONS) });
  try {
    const rate = await measureRate(world, options);
    let seed = options.seed;
    return {
      world,
      rate,
      watch: async (seconds, attack) => {
        seed += 1_000_000;
        const { gateway } = world;
        const job: Job = {
          port: gateway.mxPort,
          controlSocket: path.join(gateway.dataFolder, 'run/control.sock'),
          pid: gateway.child().pid,
          perSecond: rate / 2,
          seconds,
          seed,
        };
        let over = false;
        const attacking = attack?.(() => over);
        const program = path.join(import.meta.dirname, 'peers.ts');
        const child = await startChild(process.execPath, [program, JSON.stringify(job)]);
        const late = setTimeout(() => child.signal('SIGKILL'), (seconds + 150) * 1_000);
        const { code } = await child.ended;
        clearTimeout(late);
        over = true;
        await attacking;
        if (code !== 0) throw new Error(`The peers failed: ${child.output().slice(-2_000)}`);
        return watchedSchema.parse(JSON.parse(child.output().trim().split('\n').at(-1) ?? ''));
      },
      allowSessions: async (count) => {
        const more = await settings(world.dir, count);
        await world.gateway.writeConfig({ ...world.config, ...more });
        await world.gateway.call('config.reload', {});
      },
      [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
    };
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}

async function settings(dir: string, maxSessions: number) {
  const data = path.join(dir, 'gateway/data');
  await mkdir(data, { recursive: true, mode: 0o755 });
  const networks = Array.from({ length: KNOWN_NETWORKS }, (_, at) => [
    `203.0.${100 + at}.0/24`,
    86_400,
    [7_200, 7_200, 7_200],
  ]);
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const stamp = { wall: Date.now(), mono: os.uptime() * 1_000, boot, synchronised: true };
  await writeFile(path.join(data, 'known-peers.json'), JSON.stringify({ version: 1, stamp, networks }));
  const mx = { maxSessions, maxSessionsPerAddress: 20, maxSessionsPerNetwork: 50, proxyPeers: ['127.0.0.1'] };
  return { listeners: { mx } };
}

async function measureRate(world: World, { short, seed }: { short: boolean; seed: number }): Promise<number> {
  const total = short ? 60 : 300;
  const warm = 20;
  let [begun, done] = [0, 0];
  await keepBusy({ sessions: 10, done: () => done >= total + warm }, async (turn) => {
    const bytes = cleanMail(seed + turn);
    const from = 'hanako@nospf.example';
    const said = await deliver({ port: world.gateway.mxPort, address: knownAddress(turn), from, to: OFFICE, bytes });
    if (said.code !== 250) throw new Error(`A clean mail was not taken: ${said.text}`);
    done += 1;
    if (done === warm) begun = performance.now();
  });
  return ((done - warm) * 1_000) / (performance.now() - begun);
}

/** The marks every attack has to meet. `loop`: event loop delay, p99, in ms. */
export function judge(site: Site, watched: Watched, loop: number): Mark[] {
  const { offered, accepted, refusals, p50Ms, p95Ms, controlMs, loopMs, peakOctets } = watched;
  const refused = Object.entries(refusals).map(([code, count]) => `${count} × ${code === '0' ? 'no reply' : code}`);
  const not = refused.length === 0 ? '' : `; not taken: ${refused.join(', ')}`;
  return [
    atLeast(`known-good peers served (${offered} mails offered${not})`, (accepted * 100) / offered, {
      limit: 95,
      unit: ' %',
    }),
    reported('their 250 after, p50 / p95', `${(p50Ms / 1_000).toFixed(1)} / ${(p95Ms / 1_000).toFixed(1)} s`),
    atMost('event loop delay p99', loopMs, { limit: loop, unit: ' ms' }),
    atMost('control socket, slowest answer', controlMs, { limit: 2_000, unit: ' ms' }),
    atMost('gateway resident', peakOctets / 1e6, { limit: MEMORY_BOUND_MB, unit: ' MB' }),
    ...standing(site.world),
  ];
}

/** No crash, nothing dirty passed. */
export function standing(world: World): Mark[] {
  const dirty = world.office.messages.filter(({ bytes }) => bytes.subarray(0, 65_536).includes(DIRTY)).length;
  const bugs = world.gateway.lines.filter(({ msg }) => msg === 'Gateway ends because of a bug').length;
  const alive = world.gateway.child().running();
  return [
    atMost('passed unscanned', dirty, { limit: 0 }),
    { what: 'gateway', figure: alive && bugs === 0 ? 'lives' : 'died', mark: 'lives', met: alive && bugs === 0 },
  ];
}
