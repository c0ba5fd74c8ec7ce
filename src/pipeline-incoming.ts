/**
 * What was committed as *incoming* is inspected after its 250, as soon as the engines can look. Each try is counted in the
 * file name, durably, before it is made: a message that took this process down twice is quarantined as *poison* with its
 * octets kept, and the rest flows. What fails inspection now is quarantined, never bounced. After 24 hours without an
 * inspection it is held, with an alarm: never delivered uninspected, never expired uninspected.
 */
import { ageOf } from './base/clock.ts';
import { describeError, errorCode } from './base/errors.ts';
import { Limiter } from './base/limiter.ts';
import type { Decision } from './mail/decision.ts';
import type { Transaction } from './mail/envelope.ts';
import type { Inspection } from './mail/finding.ts';
import type { QueueId } from './mail/queue-id.ts';
import { decideFor, type PipelineParts, sharesOf, trailerOf, wouldHaveFor } from './pipeline.ts';
import type { Spool, StoredMessage } from './spool/api.ts';

const PARALLEL = 4;
const LOOK_MS = 1_000;
/** After a try that an engine could not finish; twice as long after each more, so that a slow engine is not kept slow by us. */
const PAUSE_MS = 10_000;
const PAUSE_MOST_MS = 15 * 60_000;
const HOLD_AFTER_MS = 24 * 3_600_000;
const POISON_TRIES = 2;
const HEAD_OCTETS = 256 * 1024;

export interface IncomingWork {
  start(): void;
  /** Waits for tries in progress. */
  stop(): Promise<void>;
  waiting(): number;
}

export function createIncomingWork(parts: PipelineParts & { parallel?: number }): IncomingWork {
  const { spool, inspectors, observe, clock } = parts;
  /** id → not before this moment (monotonic). */
  const waiting = new Map<QueueId, number>();
  const limiter = new Limiter(parts.parallel ?? PARALLEL);
  const running = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let wasBlind = false;
  /** Tries in vain of this process, while engines could be asked. */
  const vain = new Map<QueueId, number>();

  function look(): void {
    if (stopped) return;
    const engines = inspectors.health();
    const blind = engines.some((engine) => engine.state === 'down' || engine.state === 'starting');
    // An engine came back: nobody waits out a pause that was made for its absence, and what was tried in vain before says
    // nothing about it now. (A slow one is up after each mail it does.)
    if (wasBlind && !blind) {
      vain.clear();
      for (const id of waiting.keys()) waiting.set(id, 0);
    }
    wasBlind = blind;
    const now = clock.monotonic();
    for (const [id, notBefore] of waiting) {
      if (notBefore > now || running.size >= PARALLEL * 4) continue;
      waiting.delete(id);
      const work = limiter
        .run(() => (stopped ? Promise.resolve() : handle(id, blind)))
        .finally(() => {
          running.delete(work);
          if (!blind && waiting.size > 0) look(); // a long queue is not paced by the clock
        });
      running.add(work);
    }
    if (spool.count('incoming') === 0) observe.clear('inspection-late', 'incoming');
  }

  function again(id: QueueId): void {
    const tries = vain.get(id) ?? 0;
    vain.set(id, tries + 1);
    waiting.set(id, clock.monotonic() + Math.min(PAUSE_MS * 2 ** tries, PAUSE_MOST_MS));
  }

  async function handle(id: QueueId, blind: boolean): Promise<void> {
    try {
      const message = await spool.read(id);
      if (message?.folder !== 'incoming') return;
      if (ageOf(message.preamble.arrival, clock) >= HOLD_AFTER_MS) return await hold(parts, message);
      if (spool.tries(id) >= POISON_TRIES) return await settle(parts, message, poisoned());
      if (blind) waiting.set(id, clock.monotonic() + LOOK_MS);
      else if (!(await tryOnce(parts, message))) again(id);
    } catch (error) {
      if (errorCode(error) === 'NOT_FOUND' || errorCode(error) === 'WRONG_STATE') return; // somebody deleted it
      observe.log('error', 'Inspecting an incoming message failed', { id, error: describeError(error) });
      again(id);
    } finally {
      if (!waiting.has(id)) vain.delete(id);
    }
  }

  return {
    start: () => {
      spool.onIncoming((id) => waiting.set(id, 0));
      timer = setInterval(look, LOOK_MS);
    },
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await Promise.allSettled(running);
    },
    waiting: () => waiting.size + running.size,
  };
}

/** False when an engine could not look again. */
async function tryOnce(parts: PipelineParts, message: StoredMessage): Promise<boolean> {
  const { spool, inspectors, config } = parts;
  const { id, trailer } = message;
  await spool.countTry(id);
  const inspection = await inspectors.inspect({
    id,
    transaction: transactionOf(message),
    size: trailer.size,
    stream: () => spool.openBody(message),
    deadlineMs: config().timeouts.inspectionMs,
  });
  // Inspection came back: what fails from here on is our trouble, not the message's.
  if (!inspection.findings.some((finding) => finding.kind === 'poison')) await spool.forgetTries(id);
  const decisions = decideFor(parts, transactionOf(message), inspection);
  if (sharesOf(decisions).some(({ folder }) => folder === 'incoming')) return false;
  await settle(parts, message, inspection, decisions);
  return true;
}

async function settle(
  parts: PipelineParts,
  message: StoredMessage,
  inspection: Inspection,
  given?: readonly Decision[],
): Promise<void> {
  const { spool, observe } = parts;
  const { id, trailer } = message;
  const decisions = given ?? decideFor(parts, transactionOf(message), inspection);
  const about = { id, transaction: transactionOf(message), head: await readHead(spool, message), size: trailer.size };
  const decided = sharesOf(decisions).map((share) => ({
    folder: share.folder === 'incoming' ? ('quarantine' as const) : share.folder,
    trailer: trailerOf(parts, about, inspection, share.decisions),
  }));
  const folder = decided[0]?.folder ?? 'quarantine';
  if (decided.length === 0) await spool.remove(id, 'discarded');
  else await spool.decide(id, decided);
  if (inspection.findings.some((finding) => finding.kind === 'poison')) {
    observe.raise('poison-message', id, 'Inspection died on this message twice; it is in quarantine');
  }
  const summary = inspection.findings.find((finding) => finding.kind === 'summary');
  observe.emit({
    event: 'decided',
    id,
    findings: inspection.findings,
    decisions: decisions.map(({ recipient, action, reason }) => ({ recipient, action, reason })),
    ...wouldHaveFor(parts, about.transaction, inspection),
    state: folder,
    subject: summary?.subject ?? '',
    messageId: summary?.messageId ?? '',
    from: summary?.from ?? '',
  });
}

async function hold(parts: PipelineParts, message: StoredMessage): Promise<void> {
  const { spool, observe } = parts;
  const { id, trailer } = message;
  const inspection = trailer.inspection ?? { findings: [], missing: [], elapsed: {} };
  const decisions = message.preamble.envelope.recipients.map(
    ({ address }): Decision => ({ recipient: address, action: 'hold', reason: 'not-inspected' }),
  );
  const head = await readHead(spool, message);
  const made = trailerOf(
    parts,
    { id, transaction: transactionOf(message), head, size: trailer.size },
    inspection,
    decisions,
  );
  await spool.decide(id, [{ folder: 'held', trailer: { ...made, hold: { reason: 'not-inspected' } } }]);
  observe.raise('inspection-late', id, 'Message could not be inspected for 24 hours and is held');
  observe.emit({ event: 'held', id, why: 'not-inspected', by: 'gateway' });
}

function poisoned(): Inspection {
  return {
    findings: [{ kind: 'poison', detail: `Inspection did not survive this message ${POISON_TRIES} times` }],
    missing: [],
    elapsed: {},
  };
}

function transactionOf({ preamble }: StoredMessage): Transaction {
  const { origin, envelope, arrival } = preamble;
  return { origin, envelope, arrival };
}

async function readHead(spool: Spool, message: StoredMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of spool.openBody(message) as AsyncIterable<Buffer>) {
    if (size < HEAD_OCTETS) chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks).subarray(0, HEAD_OCTETS);
}
