/**
 * All inspectors as one: started at once for a message, each with its own deadline within the message's, its own concurrency
 * and health. Never throws for a message or an engine: who could not look is in `missing`, and that is never "clean". A message
 * large or odd in its outer shape goes to the structure first, and past the engines when that says *too-complex*.
 * Settings are read anew for each message; only the worker's memory holds from the next start.
 */
import path from 'node:path';
import type { Bytes, Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { SekishoError } from '../base/errors.ts';
import type { Resolver } from '../base/resolver.ts';
import type { Finding, Inspection, InspectorName, MissingInspection, MissingReason } from '../mail/finding.ts';
import type { Observe } from '../observe/events.ts';
import type { EngineHealth, Inspectors, InspectRequest } from './api.ts';
import { probeClamd, scanWithClamd } from './clamd.ts';
import { Engine, type EngineOutcome } from './engine.ts';
import { type WorkerJob, WORKER_PARTS } from './protocol.ts';
import { Patience } from './patience.ts';
import { RspamdClient } from './rspamd.ts';
import type { InspectSettings } from './settings.ts';
import { shapeOf } from './shape.ts';
import { isTooComplex } from './summary.ts';
import { ownCompileCache } from './worker-cache.ts';
import { tellOfTrouble } from './worker-trouble.ts';
import type { RunOptions } from './worker-process.ts';
import { type PoolResult, WorkerPool } from './worker-pool.ts';

/** Messages one worker looks into at a time: they wait for DNS more than they compute. */
const JOBS_PER_WORKER = 4;
/** More keeps a worker busy for a second or so: such messages hold at most half of its places, and a small one finds another. */
const LONG_OCTETS: Bytes = 8 * 1024 * 1024;
/** Kept back from the message's deadline, so that the answer is in before it. */
const MARGIN_MS = 200;
const EARLY_MS = 100;
/** Of the message's time, until the engines no longer wait for the structure. */
const STRUCTURE_SHARE = 0.3;

export interface InspectorsOptions {
  config: () => InspectSettings;
  resolver: Resolver;
  observe: Observe;
  clock: Clock;
  /** For the workers' private folders; made if missing. */
  runDir: string;
  /** The entry of the inspect process (src/inspect.ts). */
  workerEntry: string;
  /** On the box the workers are a unit of their own, behind this socket. */
  workerSocket?: string | undefined;
  /** The runtime that runs it; this process's own by default. */
  execPath?: string;
}

/** What one engine says about one message. */
type Answer = Inspection;

/** What one engine may take of the message's time, and its place in the line. */
interface Share {
  ms: Milliseconds;
  heavy: boolean;
  precedence: boolean;
}

interface Told {
  told: NonNullable<RunOptions['told']>;
}

const NOTHING: Answer = { findings: [], missing: [], elapsed: {} };

export function createInspectors(options: InspectorsOptions): Inspectors {
  const { config, clock, observe } = options;
  const engines = (): InspectSettings['engines'] => config().engines;
  const startingMs = (): Milliseconds => engines().startingMs;
  const rspamd = new RspamdClient({ concurrency: () => engines().rspamd.concurrency });
  const pool = new WorkerPool({
    entry: path.resolve(options.workerEntry),
    execPath: options.execPath ?? process.execPath,
    runDir: path.resolve(options.runDir),
    compileCache: ownCompileCache(),
    unitSocket: options.workerSocket,
    settings: () => engines().inspect,
    resolver: options.resolver,
    clock,
    observe,
  });
  const shared = { startingMs, clock, observe };
  const patience = { clamd: new Patience(clock), rspamd: new Patience(clock), inspect: new Patience(clock) };
  const clamdEngine = lazily(() => {
    const probe = (signal: AbortSignal): Promise<string> => probeClamd(engines().clamd.socket, signal);
    return new Engine({ ...shared, name: 'clamd', probe, concurrency: () => engines().clamd.concurrency });
  });
  const rspamdEngine = lazily(() => {
    const probe = (signal: AbortSignal): Promise<string> => rspamd.probe(engines().rspamd.url, signal);
    return new Engine({ ...shared, name: 'rspamd', probe, concurrency: () => engines().rspamd.concurrency });
  });
  const workerEngine = lazily(() => {
    const probe = (signal: AbortSignal): Promise<string> => pool.ping(signal);
    return new Engine({
      ...shared,
      name: 'inspect',
      probe,
      concurrency: () => engines().inspect.workers * JOBS_PER_WORKER,
    });
  });
  if (engines().clamd.enabled) clamdEngine.get();
  if (engines().rspamd.enabled) rspamdEngine.get();
  workerEngine.get();

  async function antivirus(request: InspectRequest, { ms, ...line }: Share): Promise<Answer> {
    const { enabled, socket, timeoutMs } = engines().clamd;
    if (!enabled) return NOTHING;
    return patience.clamd.judge({ id: request.id, heavy: line.heavy }, async () => {
      const outcome = await clamdEngine
        .get()
        .run({ ms: Math.min(ms, timeoutMs), ...line }, (signal) =>
          scanWithClamd(socket, request.pieces ?? request.stream(), { size: request.size, signal }),
        );
      return { answer: answerOf('antivirus', outcome), outcome };
    });
  }

  async function spam(request: InspectRequest, { ms, ...line }: Share): Promise<Answer> {
    const { enabled, url, timeoutMs } = engines().rspamd;
    if (!enabled) return NOTHING;
    const message = { ...request, hostname: config().hostname };
    return patience.rspamd.judge({ id: request.id, heavy: line.heavy }, async () => {
      const outcome = await rspamdEngine
        .get()
        .run({ ms: Math.min(ms, timeoutMs), ...line }, async (signal) => [await rspamd.check(url, message, signal)]);
      return { answer: answerOf('spam', outcome), outcome };
    });
  }

  async function look(request: InspectRequest, { ms, told, heavy, precedence }: Share & Told): Promise<Answer> {
    const { timeoutMs } = engines().inspect;
    const limit = Math.min(ms, timeoutMs);
    const facts = jobFacts(request, { settings: config(), budgetMs: Math.max(500, limit * 0.8) });
    let known: PoolResult | undefined;
    const long = request.size > LONG_OCTETS;
    const outcome = await workerEngine.get().run({ ms: limit, heavy: long, precedence }, async (signal) => {
      // A little earlier than the engine's own deadline, so that a part that is known is told.
      known = await until(limit - EARLY_MS, signal, (soon) => pool.run(facts, request, { signal: soon, told }));
      if (!known.poison && !complete(known)) throw late();
    });
    const answer = workerAnswer(outcome, known);
    tellOfTrouble(observe, known, request.size);
    return patience.inspect.judge({ id: request.id, heavy }, () => Promise.resolve({ answer, outcome }));
  }

  async function inspect(request: InspectRequest): Promise<Inspection> {
    const end = clock.monotonic() + request.deadlineMs - MARGIN_MS;
    const left = (): Milliseconds => Math.max(1, end - clock.monotonic());
    const { limits } = config();
    const { precedence = false } = request;
    const { heavy, structureFirst } = await shapeOf(request, { limits, ms: left() * STRUCTURE_SHARE });
    const first = Promise.withResolvers<boolean>();
    const told: Told['told'] = (part, { findings }) => {
      if (part === 'structure') first.resolve(isTooComplex(findings));
    };
    const looking = look(request, { ms: left(), told, heavy, precedence }).finally(() => first.resolve(false));
    // A rejection (a bug) is told by Promise.all below
    looking.catch(() => undefined);
    const condemned = structureFirst && (await within(left() * STRUCTURE_SHARE, first.promise)) === true;
    const share = (): Share => ({ ms: left(), heavy, precedence });
    const asked = condemned ? [] : [antivirus(request, share()), spam(request, share())];
    const answers = await Promise.all([looking, ...asked]);
    const inspection: Inspection = {
      findings: answers.flatMap((answer) => answer.findings),
      missing: answers.flatMap((answer) => answer.missing),
      elapsed: Object.assign({}, ...answers.map((answer) => answer.elapsed)) as Inspection['elapsed'],
    };
    const missed = new Set(inspection.missing.map((missing) => missing.inspector));
    for (const [inspector, elapsed] of Object.entries(inspection.elapsed) as Array<[InspectorName, number]>) {
      observe.inspected(inspector, elapsed, missed.has(inspector) ? 'missing' : 'ok');
    }
    return inspection;
  }

  function health(): EngineHealth[] {
    const { clamd, rspamd: spamEngine } = engines();
    return [
      healthOf('authentication', 'inspect', workerEngine.get()),
      healthOf('structure', 'inspect', workerEngine.get()),
      healthOf('antivirus', 'clamd', clamd.enabled ? clamdEngine.get() : undefined),
      healthOf('spam', 'rspamd', spamEngine.enabled ? rspamdEngine.get() : undefined),
    ];
  }

  async function dispose(): Promise<void> {
    const started = [clamdEngine, rspamdEngine, workerEngine].flatMap((engine) => engine.started());
    await Promise.all([...started.map((engine) => engine[Symbol.asyncDispose]()), pool[Symbol.asyncDispose]()]);
    rspamd[Symbol.dispose]();
  }

  const holdAntivirus = (ms: Milliseconds): void => clamdEngine.started().forEach((engine) => engine.hold(ms));
  return { inspect, health, holdAntivirus, [Symbol.asyncDispose]: dispose };
}

/** An engine that is switched on by a reload starts then. */
function lazily(make: () => Engine): { get: () => Engine; started: () => Engine[] } {
  let engine: Engine | undefined;
  return {
    get: () => (engine ??= make()),
    started: () => (engine === undefined ? [] : [engine]),
  };
}

function jobFacts(request: InspectRequest, options: { settings: InspectSettings; budgetMs: Milliseconds }): WorkerJob {
  const { origin, envelope } = request.transaction;
  const { headerOctets, headerFields, mimeParts, mimeDepth, archiveDepth, archiveFiles, archiveOctets, archiveRatio } =
    options.settings.limits;
  return {
    listener: origin.listener,
    clientAddress: origin.clientAddress,
    helo: origin.helo.slice(0, 1_000),
    reversePath: envelope.reversePath,
    hostname: options.settings.hostname,
    size: request.size,
    limits: {
      headerOctets,
      headerFields,
      mimeParts,
      mimeDepth,
      archiveDepth,
      archiveFiles,
      archiveOctets,
      archiveRatio,
    },
    budgetMs: options.budgetMs,
  };
}

function complete(known: Extract<PoolResult, { poison: false }>): boolean {
  return WORKER_PARTS.every((part) => known.result[part] !== undefined);
}

function late(): SekishoError {
  return new SekishoError('DEADLINE', 'The inspect worker told only a part in time', { retryable: true });
}

/** Gives the work a signal that aborts after `ms`, or with `signal`, and waits for the work itself. */
async function until<T>(ms: Milliseconds, signal: AbortSignal, work: (soon: AbortSignal) => Promise<T>): Promise<T> {
  const soon = new AbortController();
  const timer = setTimeout(() => soon.abort(late()), Math.max(1, ms));
  try {
    return await work(AbortSignal.any([signal, soon.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/** What comes within `ms`, or undefined. */
async function within<T>(ms: Milliseconds, promise: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  try {
    return await Promise.race([promise, pause(ms, over.signal).then(() => undefined)]);
  } finally {
    over.abort();
  }
}

function answerOf(inspector: InspectorName, outcome: EngineOutcome<Finding[]>): Answer {
  const elapsed = { [inspector]: outcome.elapsed };
  if (outcome.ok) return { findings: outcome.value, missing: [], elapsed };
  return { findings: [], missing: [missingOf(inspector, outcome)], elapsed };
}

/** Each part stands for itself: a structure that was told is told, although DNS kept authentication from ending. */
function workerAnswer(outcome: EngineOutcome<void>, known: PoolResult | undefined): Answer {
  const elapsed = { authentication: outcome.elapsed, structure: outcome.elapsed };
  if (known?.poison === true) return { findings: [{ kind: 'poison', detail: known.detail }], missing: [], elapsed };
  const findings: Finding[] = [];
  const missing: MissingInspection[] = [];
  for (const part of WORKER_PARTS) {
    const told = known?.result[part];
    findings.push(...(told?.findings ?? []));
    if (told?.trouble !== undefined) missing.push({ inspector: part, reason: 'error', detail: told.trouble });
    else if (told === undefined) missing.push(missingOf(part, outcome));
  }
  return { findings, missing, elapsed };
}

function missingOf(inspector: InspectorName, outcome: EngineOutcome<unknown>): MissingInspection {
  if (outcome.ok) return { inspector, reason: 'error', detail: 'No answer' };
  return { inspector, reason: outcome.reason satisfies MissingReason, detail: outcome.detail };
}

function healthOf(inspector: InspectorName, name: string, engine: Engine | undefined): EngineHealth {
  if (engine === undefined) return { inspector, engine: name, state: 'off', version: '', misses: 0 };
  const { state, version, misses, lastError } = engine;
  return { inspector, engine: name, state, version, misses, ...(lastError === undefined ? {} : { lastError }) };
}
