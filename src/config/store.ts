/**
 * The configuration that runs, and its file. A change is checked, applied to whoever listens, recorded as a generation and
 * written; if any step fails, the ones before are taken back: what runs and what the file says stay as they were. Durable
 * when `set`, `unset` and `rollback` return. A bad file never takes down what runs: `reload` tells the problems and keeps
 * the old one. Hand edits are never overwritten: a file that changed behind us must be reloaded (or undone) first.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import { Limiter } from '../base/limiter.ts';
import { checkConfig, type CheckResult, checkConfigText, unreadable } from './check.ts';
import type { CrossCheckOptions } from './cross-check.ts';
import { type Generation, type Generations, type GenerationSummary, openGenerations } from './generations.ts';
import { type Difference, differences, getAt, setAt, unsetAt } from './path.ts';
import type { ConfigProblem } from './problems.ts';
import { holdsSecret, redact, redactDifference, reveal } from './redact.ts';
import type { Config, ConfigInput } from './schema.ts';
import { ConfigRefused, createIfMissing, notApplied, notWritten, readText, resolveFile } from './store-file.ts';

export { ConfigRefused } from './store-file.ts';

export interface Author {
  /** Who: `cli (root)`, `file`, `start`. */
  by: string;
  why?: string;
}

export type ChangeResult =
  | { ok: true; generation: number; changed: string[]; problems: [] }
  | { ok: false; problems: ConfigProblem[] };

/** Applies a change; a rejection takes the change back (the listener is then called with the two exchanged). */
export type ConfigListener = (next: Config, previous: Config, changedPaths: readonly string[]) => void | Promise<void>;

export interface ConfigStore {
  readonly file: string;
  /** Relative paths in the configuration start here. */
  readonly directory: string;
  current(): Config;
  /** What the file says, defaults not filled in. */
  written(): unknown;
  /** The number of the generation that runs. */
  generation(): number;
  /** Why the file as it stands is not what runs; empty when it is. */
  refusal(): readonly ConfigProblem[];
  /** For people: with all defaults, secrets hidden; the value at `path`, or all. */
  show(path?: string): unknown;
  check(candidate: unknown): CheckResult;
  set(path: string, value: unknown, author: Author): Promise<ChangeResult>;
  /** Several places in one change, all or none; `undefined` is the default, whether something stood there or not. */
  change(settings: ReadonlyArray<readonly [path: string, value: unknown]>, author: Author): Promise<ChangeResult>;
  unset(path: string, author: Author): Promise<ChangeResult>;
  reload(author?: Author): Promise<ChangeResult>;
  /** Returns what ends the listening. */
  onChange(listener: ConfigListener): () => void;
  /** Told when a change stands: `current()` is the new one by then, and nothing takes it back any more. */
  onStanding(listener: (next: Config, previous: Config) => void): void;
  /** Oldest first. */
  generations(): Promise<GenerationSummary[]>;
  /** Effective values, secrets hidden. */
  diff(from: number, to: number): Promise<Difference[]>;
  rollback(generation: number, author: Author): Promise<ChangeResult>;
}

export interface ConfigStoreOptions extends CrossCheckOptions {
  file: string;
  clock?: Clock;
  /** Missing file: write one with this content (first installation). Without it a missing file is an error. */
  create?: boolean | ConfigInput;
  /** Invalid file at the start: run the newest generation that is valid, and tell by `onRefused`. The box comes back alone. */
  fallBack?: boolean;
  /** The file was read and not taken: raise an alarm. */
  onRefused?: (problems: readonly ConfigProblem[]) => void;
  /** The file was taken again. */
  onAccepted?: () => void;
  /** The start could not be recorded among the generations (full disk): it goes on, the owner should know. */
  onTrouble?: (detail: string) => void;
}

const LISTENER_DEADLINE_MS = 30_000;

interface Running {
  config: Config;
  input: unknown;
  generation: number;
}

export async function openConfigStore(options: ConfigStoreOptions): Promise<ConfigStore> {
  const clock = options.clock ?? systemClock();
  if (options.create !== undefined && options.create !== false) await createIfMissing(options);
  const file = await resolveFile(options.file);
  const generations = openGenerations(path.join(path.dirname(file), 'generations'));
  const store = new FileConfigStore({ ...options, file, clock }, generations);
  await store.start();
  return store;
}

class FileConfigStore implements ConfigStore {
  readonly file: string;
  readonly #options: ConfigStoreOptions & { clock: Clock };
  readonly #generations: Generations;
  readonly #listeners = new Set<ConfigListener>();
  readonly #standing: Array<(next: Config, previous: Config) => void> = [];
  /** One change at a time. */
  readonly #turn = new Limiter(1);
  #running: Running | undefined;
  /** The file's text as last read or written by us. */
  #text = '';
  #refusal: readonly ConfigProblem[] = [];

  constructor(options: ConfigStoreOptions & { clock: Clock }, generations: Generations) {
    this.file = options.file;
    this.#options = options;
    this.#generations = generations;
  }

  get directory(): string {
    return path.dirname(this.file);
  }

  async start(): Promise<void> {
    const read = await this.#read();
    const history = await this.#orTrouble(() => this.#generations.list(), []);
    if (read.ok) {
      this.#running = { config: read.config, input: read.value, generation: await this.#recordStart(read, history) };
      return;
    }
    const fallBack = this.#options.fallBack === true ? this.#newestValid(history) : undefined;
    if (fallBack === undefined) throw new ConfigRefused(this.file, read.problems);
    this.#running = fallBack;
    this.#refuse(read.problems);
  }

  /** A file that was edited while nobody ran becomes a generation of its own. */
  async #recordStart(read: { config: Config; value: unknown }, history: readonly Generation[]): Promise<number> {
    const last = history.at(-1);
    if (last !== undefined && isDeepStrictEqual(last.config, read.value)) return last.generation;
    const why = last === undefined ? 'first start' : 'changed while stopped';
    const entry = {
      ...this.#stamp({ by: 'file', why }),
      changed: this.#changedSince(last, read.config),
      config: read.value,
    };
    return this.#orTrouble(() => this.#generations.add(entry), last?.generation ?? 0);
  }

  /** A full disk must not keep the gateway from starting: what it has to deliver is what frees the disk. */
  async #orTrouble<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#options.onTrouble?.(`The generations of the configuration cannot be used: ${describeError(error)}`);
      return otherwise;
    }
  }

  current(): Config {
    return this.#now().config;
  }

  written(): unknown {
    return structuredClone(this.#now().input);
  }

  generation(): number {
    return this.#now().generation;
  }

  refusal(): readonly ConfigProblem[] {
    return this.#refusal;
  }

  show(at?: string): unknown {
    const shown = redact(this.#now().config);
    return at === undefined || at === '' ? shown : getAt(shown, at);
  }

  check(candidate: unknown): CheckResult {
    return checkConfig(candidate, this.#options);
  }

  set(at: string, value: unknown, author: Author): Promise<ChangeResult> {
    return this.change([[at, value]], author);
  }

  change(settings: ReadonlyArray<readonly [path: string, value: unknown]>, author: Author): Promise<ChangeResult> {
    return this.#turn.run(async () => {
      await this.#unchangedOnDisk();
      const { input } = this.#now();
      let next = input;
      for (const [at, value] of settings)
        if (value !== undefined) next = setAt(next, at, value);
        else if (getAt(next, at) !== undefined) next = unsetAt(next, at);
      return this.#change(reveal(next, input), { why: `set ${settings.map(([at]) => at).join(', ')}`, ...author });
    });
  }

  unset(at: string, author: Author): Promise<ChangeResult> {
    return this.#turn.run(async () => {
      await this.#unchangedOnDisk();
      return this.#change(unsetAt(this.#now().input, at), { why: `unset ${at}`, ...author });
    });
  }

  rollback(generation: number, author: Author): Promise<ChangeResult> {
    return this.#turn.run(async () => {
      const entry = await this.#generations.read(generation);
      return this.#change(entry.config, { why: `rollback to ${generation}`, ...author });
    });
  }

  reload(author: Author = { by: 'file' }): Promise<ChangeResult> {
    return this.#turn.run(async () => {
      const read = await this.#read();
      if (!read.ok) {
        this.#refuse(read.problems);
        return { ok: false, problems: [...read.problems] };
      }
      try {
        const result = await this.#accept(read.config, read.value, { why: 'reload', ...author });
        this.#clearRefusal();
        return result;
      } catch (error) {
        this.#refuse([notApplied(error)]);
        throw error;
      }
    });
  }

  onChange(listener: ConfigListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  onStanding(listener: (next: Config, previous: Config) => void): void {
    this.#standing.push(listener);
  }

  async generations(): Promise<GenerationSummary[]> {
    return (await this.#generations.list()).map(summaryOf);
  }

  async diff(from: number, to: number): Promise<Difference[]> {
    const [before, after] = await Promise.all([this.#generations.read(from), this.#generations.read(to)]);
    return differences(this.#effective(before), this.#effective(after)).map(redactDifference);
  }

  /** Checks, applies, records, writes; in this order, so that a failure leaves everything as it was. */
  async #change(input: unknown, author: Author): Promise<ChangeResult> {
    const checked = this.check(input);
    if (!checked.ok) return { ok: false, problems: checked.problems };
    const text = `${JSON.stringify(input, null, 2)}\n`;
    const result = await this.#accept(checked.config, input, author, async () => {
      const mode = await stat(this.file).then(
        (found) => found.mode & 0o777,
        () => 0o600,
      );
      // a password is for the gateway and root alone, however the file stood before
      await writeFileAtomic(this.file, text, { mode: holdsSecret(input) ? mode & 0o600 : mode });
    });
    this.#text = text;
    this.#clearRefusal();
    return result;
  }

  async #accept(
    config: Config,
    input: unknown,
    author: Author,
    write: () => Promise<void> = async () => undefined,
  ): Promise<Extract<ChangeResult, { ok: true }>> {
    const previous = this.#now();
    const changed = differences(previous.config, config).map((difference) => difference.path);
    if (isDeepStrictEqual(previous.input, input)) {
      await write();
      return { ok: true, generation: previous.generation, changed: [], problems: [] };
    }
    const undo = await this.#apply(config, previous.config, changed);
    let generation: number | undefined;
    try {
      generation = await this.#generations.add({ ...this.#stamp(author), changed, config: input });
      await write();
    } catch (error) {
      if (generation !== undefined) await this.#generations.withdraw(generation);
      await undo();
      throw notWritten(this.file, error);
    }
    this.#running = { config, input: structuredClone(input), generation };
    for (const listener of this.#standing) listener(config, previous.config);
    return { ok: true, generation, changed, problems: [] };
  }

  /** Tells every listener; when one refuses, those told before are told back. Returns what takes all of it back. */
  async #apply(next: Config, previous: Config, changed: readonly string[]): Promise<() => Promise<void>> {
    const told: ConfigListener[] = [];
    const undo = async (): Promise<void> => {
      for (const listener of told.toReversed()) await tell(listener, previous, next, changed);
    };
    if (changed.length === 0) return undo;
    for (const listener of this.#listeners) {
      try {
        told.push(listener);
        await tell(listener, next, previous, changed);
      } catch (error) {
        await undo().catch(() => undefined); // the first failure is the one to tell
        throw new SekishoError('CONFIG_NOT_APPLIED', `The change could not be applied: ${describeError(error)}`, {
          cause: error,
          remedy: 'The previous configuration keeps running; correct the value and try again',
        });
      }
    }
    return undo;
  }

  async #read(): Promise<{ ok: true; config: Config; value: unknown } | { ok: false; problems: ConfigProblem[] }> {
    let text: string;
    try {
      text = await readText(this.file);
    } catch (error) {
      return { ok: false, problems: [unreadable(this.file, error)] };
    }
    const checked = checkConfigText(text, this.#options);
    this.#text = text;
    return checked.ok
      ? { ok: true, config: checked.config, value: checked.value }
      : { ok: false, problems: checked.problems };
  }

  async #unchangedOnDisk(): Promise<void> {
    const text = await readText(this.file).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (text === this.#text && this.#refusal.length === 0) return;
    throw new SekishoError(
      'CONFIG_CHANGED_ON_DISK',
      `The file "${this.file}" is not what runs: it was edited by hand`,
      {
        remedy: 'Take the edit over with "sekisho config reload", or discard it with "sekisho config rollback"',
      },
    );
  }

  #effective(entry: Generation): unknown {
    const checked = checkConfig(entry.config);
    return checked.ok ? checked.config : entry.config;
  }

  #newestValid(history: readonly Generation[]): Running | undefined {
    for (const entry of history.toReversed()) {
      const checked = checkConfig(entry.config, this.#options);
      if (checked.ok) return { config: checked.config, input: entry.config, generation: entry.generation };
    }
    return undefined;
  }

  #changedSince(last: Generation | undefined, config: Config): string[] {
    return last === undefined ? [] : differences(this.#effective(last), config).map((difference) => difference.path);
  }

  #stamp(author: Author): { at: string; by: string; why: string } {
    return { at: new Date(this.#options.clock.wall()).toISOString(), by: author.by, why: author.why ?? '' };
  }

  #refuse(problems: readonly ConfigProblem[]): void {
    this.#refusal = problems;
    this.#options.onRefused?.(problems);
  }

  #clearRefusal(): void {
    this.#refusal = [];
    this.#options.onAccepted?.();
  }

  #now(): Running {
    if (this.#running === undefined) throw new TypeError('The configuration store was not started');
    return this.#running;
  }
}

async function tell(
  listener: ConfigListener,
  next: Config,
  previous: Config,
  changed: readonly string[],
): Promise<void> {
  await withDeadline('Applying the configuration', { ms: LISTENER_DEADLINE_MS }, async () =>
    listener(next, previous, changed),
  );
}

function summaryOf({ generation, at, by, why, changed }: Generation): GenerationSummary {
  return { generation, at, by, why, changed };
}
