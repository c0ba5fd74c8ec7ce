/**
 * How often one message may be too much for an engine that meanwhile serves others: no verdict in time (*late*), or the connection
 * broken off over it (*broken*, as when the engine crashes). It is tried again as *incoming*; the third time it is our trouble no
 * longer but its own, *too-complex* or *poison*, and it lies in quarantine instead of burning or killing an engine for a day.
 *
 * What tells the engine's trouble from the message's: while the engine is slow for everybody, or down, nothing is counted
 * (engine.ts). Who was in work when a connection broke is tried again one at a time, so that a killer is alone with its deed. And
 * an engine that failed on a message and did the same one later has trouble of its own: for an hour it has lost its word, and
 * ten tries, spread over an hour by the pauses between them, are needed to blame a message. (Where one try in eight fails at
 * random, one clean message in 500 meets that three times in a row, one in 10^9 ten times.) Heavy messages are no such witnesses:
 * what lies at the edge of the deadline passes now and then. In memory only: a restart begins the count anew.
 */
import type { Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { Limiter } from '../base/limiter.ts';
import type { Finding, Inspection } from '../mail/finding.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { EngineOutcome } from './engine.ts';
import { tooComplex } from './summary.ts';

const TRIES = 3;
const TRIES_IN_DOUBT = 10;
const DOUBT_MS: Milliseconds = 3_600_000;
/** Messages remembered; the oldest is forgotten first. */
const MOST = 1_000;

export interface Answered<T> {
  answer: Inspection;
  outcome: EngineOutcome<T>;
}

interface Failures {
  late: number;
  broken: number;
}

/** With one engine. */
export class Patience {
  readonly #clock: Clock;
  readonly #failures = new Map<QueueId, Failures>();
  /** Those a connection broke over, one after the other. */
  readonly #alone = new Limiter(1);
  /** Until then the engine's failures say little about a message. */
  #doubtedUntil: Milliseconds = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One try, and its answer as it is, or, when patience with this message has ended, a finding in place of the missing inspection. */
  async judge<T>({ id, heavy }: { id: QueueId; heavy: boolean }, ask: () => Promise<Answered<T>>): Promise<Inspection> {
    const suspect = (this.#failures.get(id)?.broken ?? 0) > 0;
    const { answer, outcome } = suspect ? await this.#alone.run(ask) : await ask();
    if (outcome.ok) {
      if (this.#failures.delete(id) && !heavy) this.#doubtedUntil = this.#clock.monotonic() + DOUBT_MS;
      return answer;
    }
    if (answer.missing.length === 0) return answer;
    if (outcome.broken === true) return this.#concluded(answer, id, this.#count(id, { late: 0, broken: 1 }));
    if (outcome.messageLate === undefined) return answer;
    const counted = outcome.messageLate.then((late) => this.#count(id, { late: late ? 1 : 0, broken: 0 }));
    const { late = 0, broken = 0 } = this.#failures.get(id) ?? {};
    // The word on this try (a probe, some seconds) is waited for only when it may be the last
    return late + broken < TRIES - 1 ? answer : this.#concluded(answer, id, await counted);
  }

  #concluded(answer: Inspection, id: QueueId, { late, broken }: Failures): Inspection {
    const tries = late + broken;
    if (tries < (this.#clock.monotonic() < this.#doubtedUntil ? TRIES_IN_DOUBT : TRIES)) return answer;
    this.#failures.delete(id);
    const inspectors = answer.missing.map(({ inspector }) => inspector).join(', ');
    const how = `No end of the inspection (${inspectors}) in ${tries} tries: ${answer.missing[0]?.detail ?? ''}`;
    const detail = how.slice(0, 900);
    const finding: Finding = broken > late ? { kind: 'poison', detail } : tooComplex(detail);
    return { ...answer, findings: [...answer.findings, finding], missing: [] };
  }

  #count(id: QueueId, more: Failures): Failures {
    const before = this.#failures.get(id) ?? { late: 0, broken: 0 };
    const failures = { late: before.late + more.late, broken: before.broken + more.broken };
    if (failures.late + failures.broken === 0) return failures;
    this.#failures.delete(id); // to the end of the order
    this.#failures.set(id, failures);
    if (this.#failures.size > MOST) {
      const [oldest] = this.#failures.keys();
      if (oldest !== undefined) this.#failures.delete(oldest);
    }
    return failures;
  }
}
