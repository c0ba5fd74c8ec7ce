/**
 * The worker's side: takes messages frame by frame, looks at each (authentication and structure at once), tells each part as
 * soon as it is known. It has no network: DNS questions go to the gateway. A bug crashes the process, which is how the
 * supervisor learns of it; what is wrong with a *message* is a finding. Ends when the gateway closes the socket.
 */
import type { Duplex } from 'node:stream';
import { assertNever } from '../base/brand.ts';
import { describeError } from '../base/errors.ts';
import { parseHeader } from '../mail/header.ts';
import type { Finding } from '../mail/finding.ts';
import { authenticateMessage } from './authentication.ts';
import { isWholeWanted } from './first-look.ts';
import { encodeFrame, MAX_JSON, readFrames } from './frames.ts';
import { MessageStore } from './message-store.ts';
import { MAX_FINDINGS, type ToWorker, type WorkerJob, WORKER_PARTS, type WorkerPart } from './protocol.ts';
import { inspectStructure } from './structure.ts';
import { headerProblem, summarise } from './summary.ts';
import { QuestionDesk } from './worker-dns.ts';

interface Job {
  facts: WorkerJob;
  store: MessageStore;
  stop: AbortController;
  /** False: the first octets are all that was needed. */
  whole: boolean;
}

/** `newStore`: where a message is kept while it is looked at; for tests. */
export async function serveWorker(
  socket: Duplex,
  options: { version: string; newStore?: () => MessageStore },
): Promise<void> {
  const newStore = options.newStore ?? (() => new MessageStore());
  const jobs = new Map<number, Job>();
  const send = (message: unknown): void => void socket.write(encodeFrame(message));
  const desk = new QuestionDesk(send);

  async function forget(id: number): Promise<void> {
    const job = jobs.get(id);
    jobs.delete(id);
    job?.stop.abort();
    // What cannot be removed goes with the folder, when the worker does
    if (job !== undefined) await job.store.dispose().catch(() => undefined);
  }

  async function look(id: number, job: Job): Promise<void> {
    const tell = (part: WorkerPart, findings: Finding[], trouble?: string): void => {
      if (!job.stop.signal.aborted) send(partMessage(id, { part, findings, trouble }));
    };
    try {
      await inspectMessage(job, desk.resolverFor(id, { ms: job.facts.budgetMs, signal: job.stop.signal }), tell);
    } finally {
      await forget(id);
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
        jobs.set(message.job, { facts: message.facts, store: newStore(), stop: new AbortController(), whole: false });
        return;
      case 'body':
        return await keep(message.job, payload);
      case 'first': {
        const job = jobs.get(message.job);
        if (job !== undefined) await lookAtFirst(message.job, job);
        return;
      }
      case 'end': {
        const job = jobs.get(message.job);
        if (job === undefined) return;
        job.whole = true;
        void look(message.job, job);
        return;
      }
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
  for await (const { message, payload } of readFrames(socket)) await take(message as ToWorker, payload);
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
      findings.push(...(await inspectStructure(store.stream(), options)));
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
