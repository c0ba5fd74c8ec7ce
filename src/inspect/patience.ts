/**
 * How often a message may be too much for an engine that meanwhile serves others. It is tried again as *incoming*; the third
 * time it is *too-complex*: our trouble no longer, but its own, and it lies in quarantine instead of burning an engine for a day.
 * While the engine is slow for everybody nothing is counted (engine.ts): a clean mail waits, it does not lose its delivery.
 * In memory only: a restart begins the count anew.
 */
import type { Inspection } from '../mail/finding.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { EngineOutcome } from './engine.ts';
import { tooComplex } from './summary.ts';

const TRIES = 3;
/** Messages remembered; the oldest is forgotten first. */
const MOST = 1_000;

export class Patience {
  readonly #lates = new Map<string, number>();

  /** The answer as it is, or, when patience with this message has ended, the finding in place of the missing inspection. */
  judge(answer: Inspection, id: QueueId, outcome: EngineOutcome<unknown>): Inspection {
    const inspectors = answer.missing.map(({ inspector }) => inspector);
    const key = `${id} ${inspectors.join(' ')}`;
    if (outcome.ok || outcome.messageLate === undefined || inspectors.length === 0) return answer;
    void outcome.messageLate.then((late) => {
      if (late) this.#count(key);
    });
    if ((this.#lates.get(key) ?? 0) < TRIES - 1) return answer;
    this.#lates.delete(key);
    const detail = `No end of the inspection (${inspectors.join(', ')}) in ${TRIES} tries: ${answer.missing[0]?.detail ?? ''}`;
    return { ...answer, findings: [...answer.findings, tooComplex(detail.slice(0, 900))], missing: [] };
  }

  #count(key: string): void {
    const lates = (this.#lates.get(key) ?? 0) + 1;
    this.#lates.delete(key); // to the end of the order
    this.#lates.set(key, lates);
    if (this.#lates.size > MOST) {
      const [oldest] = this.#lates.keys();
      if (oldest !== undefined) this.#lates.delete(oldest);
    }
  }
}
