/**
 * A .cpuprofile of V8 as a page to read: functions by self time (native ones with the code that called them), files of our
 * own by the time spent in them and below, files by self time. Pure. On a loaded machine waiting for a processor is counted
 * as well: shares are to be read, not milliseconds.
 */
export interface CpuProfile {
  nodes: ReadonlyArray<{
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number };
    children?: readonly number[];
  }>;
  samples: readonly number[];
  /** Microseconds between samples. */
  timeDeltas: readonly number[];
}

type Frame = CpuProfile['nodes'][number]['callFrame'];

export function profilePage(profile: CpuProfile, options: { root: string; lines: number }): string {
  const { lines } = options;
  const self = new Map<number, number>();
  for (const [at, id] of profile.samples.entries()) self.set(id, (self.get(id) ?? 0) + (profile.timeDeltas[at] ?? 0));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const [functions, files, below] = [new Tally(), new Tally(), new Tally()];
  let [total, idle] = [0, 0];
  for (const { id, callFrame } of profile.nodes) {
    const time = self.get(id) ?? 0;
    total += time;
    if (callFrame.functionName === '(idle)') idle += time;
    if (time === 0 || callFrame.functionName === '(idle)') continue;
    const stack = stackOf(id, { parents, frames });
    functions.add(withCaller(stack, options.root), time);
    files.add(fileOf(callFrame, options.root), time);
    const own = stack.map((frame) => placeOf(frame, options.root)).filter((place) => place.includes(' src/'));
    for (const place of new Set(own)) below.add(place, time);
  }
  const busy = Math.max(total - idle, 1);
  return [
    `busy ${(busy / 1e6).toFixed(2)} s of ${(total / 1e6).toFixed(2)} s; shares are of the busy time`,
    '\nFunctions by self time',
    ...functions.list(busy, lines),
    '\nOur functions by the time in them and in all they call',
    ...below.list(busy, lines),
    '\nFiles by self time',
    ...files.list(busy, lines),
    '',
  ].join('\n');
}

class Tally {
  readonly #times = new Map<string, number>();
  add(name: string, time: number): void {
    this.#times.set(name, (this.#times.get(name) ?? 0) + time);
  }
  list(busy: number, lines: number): string[] {
    const sorted = [...this.#times].toSorted((a, b) => b[1] - a[1]).slice(0, lines);
    return sorted.map(([name, time]) => `${((time / busy) * 100).toFixed(1).padStart(6)} %  ${name}`);
  }
}

/** From the function itself outward. */
function stackOf(
  id: number,
  { parents, frames }: { parents: ReadonlyMap<number, number>; frames: ReadonlyMap<number, Frame> },
): Frame[] {
  const stack: Frame[] = [];
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
    const frame = frames.get(at);
    if (frame !== undefined) stack.push(frame);
  }
  return stack;
}

/** What the runtime or a package does, with the nearest code of ours that asked for it. */
function withCaller(stack: readonly Frame[], root: string): string {
  const [first, ...rest] = stack;
  if (first === undefined) return '';
  const name = placeOf(first, root);
  if (name.includes(' src/') || first.functionName.startsWith('(')) return name;
  const caller = rest.map((frame) => placeOf(frame, root)).find((place) => / src\/|^\S+ {2}[a-z@]/.test(place));
  const own = rest.map((frame) => placeOf(frame, root)).find((place) => place.includes(' src/'));
  return [name, ...(own === undefined ? (caller === undefined ? [] : [caller]) : [own])].join('  ←  ');
}

function placeOf(frame: Frame, root: string): string {
  return `${frame.functionName || '(anonymous)'}  ${fileOf(frame, root)}:${frame.lineNumber + 1}`;
}

function fileOf({ url }: Frame, root: string): string {
  if (url === '') return '(runtime)';
  return url.replace(`file://${root}/`, '').replace(/^.*node_modules\//, '');
}
