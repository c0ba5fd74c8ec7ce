/**
 * The worker's side: takes messages frame by frame, looks at each (authentication and structure at once), tells each part as
 * soon as it is known. It has no network: DNS questions go to the gateway. A bug crashes the process, which is how the
 * supervisor learns of it; what is wrong with a *message* is a finding. Ends when the gateway closes the socket.
 */
import type { Writable } from 'node:stream';
import { assertNever, type Bytes } from '../base/brand.ts';
import { describeError } from '../base/errors.ts';
import { parseHeader } from '../mail/header.ts';
import type { Finding } from '../mail/finding.ts';
import { authenticateMessage } from './authentication.ts';
import { isWholeWanted } from './first-look.ts';
import { encodeFrame, MAX_JSON, readFrames } from './frames.ts';
import { MessageStore } from './message-store.ts';
import { MAX_FINDINGS, type ToWorker, type WorkerJob, WORKER_PARTS, type WorkerPart } from './protocol.ts';
import { Slabs } from './slabs.ts';
import { inspectStructure } from './structure.ts';
import { headerProblem, summarise } from './summary.ts';
import { QuestionDesk } from './worker-dns.ts';

interface Job {
  facts: WorkerJob;
  store: MessageStore;
  stop: AbortController;
  /** False: the first octets are all that was needed. */
  whole: boolean;
  /** Its octets are read until the look at it has ended, even when nobody wants the result any more. */
  looking: boolean;
  /** The memory a whole message came in, lent to it. */
  slab: Buffer | undefined;
}

/**
 * `input`: the octets of the socket, where they are read in another way; each chunk counts until the next is asked for.
 * `newStore`: where a message is kept while it is looked at; for tests.
 */
export async function serveWorker(
  socket: Writable & Partial<AsyncIterable<Buffer>>,
  options: { version: string; input?: AsyncIterable<Buffer>; newStore?: () => MessageStore },
): Promise<void> {
  const newStore = options.newStore ?? (() => new MessageStore());
  const jobs = new Map<number, Job>();
  const slabs = new Slabs();
  const send = sender(socket);
  const desk = new QuestionDesk(send);
  const newJob = (facts: WorkerJob): Job => ({
    facts,
    store: newStore(),
    stop: new AbortController(),
    whole: false,
    looking: false,
    slab: undefined,
  });

  async function forget(id: number): Promise<void> {
    const job = jobs.get(id);
    jobs.delete(id);
    job?.stop.abort();
    if (job?.looking === false) await clear(job);
  }

  async function clear(job: Job): Promise<void> {
    // What cannot be removed goes with the folder, when the worker does
    await job.store.dispose().catch(() => undefined);
    if (job.slab !== undefined) slabs.give(job.slab);
  }

  async function look(id: number, job: Job): Promise<void> {
    const tell = (part: WorkerPart, findings: Finding[], trouble?: string): void => {
      if (!job.stop.signal.aborted) send(partMessage(id, { part, findings, trouble }));
    };
    job.looking = true;
    try {
      await inspectMessage(job, desk.resolverFor(id, { ms: job.facts.budgetMs, signal: job.stop.signal }), tell);
    } finally {
      await forget(id);
      await clear(job);
    }
  }

  /** Only the beginning is here: it is looked at when that is enough, otherwise the rest is asked for. */
  async function lookAtFirst(id: number, job: Job): Promise<void> {
    const first = await job.store.head(job.store.size).catch(() => undefined);
    // What cannot be read is told by the look at the whole
    const wholeWanted = first === undefined || (await isWholeWanted(first, parseHeader(first)));
    if (wholeWanted) send({ type: 'more', job: id });
    else void look(id, job);
  }

  function lookAtWhole(id: number): void {
    const job = jobs.get(id);
    if (job === undefined) return;
    job.whole = true;
    void look(id, job);
  }

  /** A full folder (ENOSPC) is the trouble of the message that did not fit, and of nobody beside it. */
  async function keep(id: number, payload: Buffer): Promise<void> {
    try {
      await jobs.get(id)?.store.write(payload);
    } catch (error) {
      const trouble = `Cannot keep the message: ${describeError(error)}`.slice(0, 900);
      for (const part of WORKER_PARTS) send(partMessage(id, { part, findings: [], trouble }));
      await forget(id);
    }
  }

  async function take(message: ToWorker, payload: Buffer): Promise<void> {
    switch (message.type) {
      case 'job':
        jobs.set(message.job, newJob(message.facts));
        return;
      case 'message': {
        const job = newJob(message.facts);
        job.slab = payload;
        jobs.set(message.job, job);
        await keep(message.job, payload);
        return lookAtWhole(message.job);
      }
      case 'body':
        return await keep(message.job, payload);
      case 'first': {
        const job = jobs.get(message.job);
        if (job !== undefined) await lookAtFirst(message.job, job);
        return;
      }
      case 'end':
        return lookAtWhole(message.job);
      case 'cancel':
        return await forget(message.job);
      case 'answer':
        return desk.answered(message);
      case 'ping':
        return send({ type: 'pong', ping: message.ping });
      default:
        assertNever(message);
    }
  }

  send({ type: 'ready', version: options.version });
  const input = options.input ?? (socket as unknown as AsyncIterable<Buffer>);
  const place = (message: unknown, length: Bytes): Buffer =>
    (message as ToWorker).type === 'message' ? slabs.take(length) : Buffer.allocUnsafe(length);
  for await (const { message, payload } of readFrames(input, place)) await take(message as ToWorker, payload);
}

/** What is said in one turn leaves in one write. */
function sender(socket: Writable): (message: unknown) => void {
  let corked = false;
  return (message) => {
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(() => {
        corked = false;
        socket.uncork();
      });
    }
    socket.write(encodeFrame(message));
  };
}

type Tell = (part: WorkerPart, findings: Finding[], trouble?: string) => void;

async function inspectMessage(job: Job, resolver: ReturnType<QuestionDesk['resolverFor']>, tell: Tell): Promise<void> {
  const { facts, store } = job;
  let head: Buffer;
  try {
    head = await store.head(facts.limits.headerOctets + 4);
  } catch (error) {
    for (const part of WORKER_PARTS) tell(part, [], `Cannot read the message: ${describeError(error)}`.slice(0, 900));
    return;
  }
  const header = parseHeader(head);
  const problem = headerProblem(head, { header, limits: facts.limits, size: facts.size });
  const authenticating = (async () => {
    const tooComplex = problem !== undefined;
    tell('authentication', await authenticateMessage({ facts, store, header, resolver, tooComplex }));
  })();
  const structuring = (async () => {
    const findings: Finding[] = [summarise(header)];
    if (problem !== undefined) findings.push(problem);
    else if (job.whole) {
      // Archives must be given up early enough for the finding to be told within the deadline.
      const options = { limits: facts.limits, signal: job.stop.signal, archiveMs: facts.budgetMs * 0.75 };
      findings.push(...(await inspectStructure(store.pieces(), options)));
    }
    tell('structure', findings);
  })();
  await Promise.all([
    authenticating.catch((error: unknown) => tell('authentication', [], describeError(error).slice(0, 900))),
    structuring.catch((error: unknown) => tell('structure', [], describeError(error).slice(0, 900))),
  ]);
}

/** Too many findings to tell are themselves the finding. */
function partMessage(
  job: number,
  result: { part: WorkerPart; findings: Finding[]; trouble: string | undefined },
): unknown {
  const { part, trouble } = result;
  let { findings } = result;
  if (findings.length > MAX_FINDINGS || JSON.stringify(findings).length > MAX_JSON / 4) {
    const detail = `More than can be told: ${findings.length} findings`;
    findings = [...findings.slice(0, 50), { kind: 'structure', problem: 'too-complex', detail }];
  }
  return { type: 'part', job, part, findings, ...(trouble === undefined ? {} : { trouble }) };
}
