/** Groups of the history, as counters of a report. Pure. */
import type { VerbAnswer } from '../../control/contract.ts';

export type Groups = VerbAnswer<'history.report'>['groups'];

export interface Counters {
  received: number;
  delivered: number;
  quarantined: number;
  spam: number;
  virus: number;
  rejected: number;
  refused: number;
  deferred: number;
  bounced: number;
  octets: number;
}

export function noCounters(): Counters {
  return {
    received: 0,
    delivered: 0,
    quarantined: 0,
    spam: 0,
    virus: 0,
    rejected: 0,
    refused: 0,
    deferred: 0,
    bounced: 0,
    octets: 0,
  };
}

export function countersOf(groups: Groups): Counters {
  const sum = noCounters();
  for (const { state, reason, messages, octets } of groups) {
    if (state === 'refused') {
      sum.refused += messages;
      continue;
    }
    sum.received += messages;
    sum.octets += octets;
    if (state === 'delivered' || state === 'moved') sum.delivered += messages;
    if (state === 'quarantined') sum.quarantined += messages;
    if (state === 'rejected') sum.rejected += messages;
    if (state === 'deferred' || state === 'queued' || state === 'incoming' || state === 'not-taken')
      sum.deferred += messages;
    if (state === 'bounced' || state === 'expired') sum.bounced += messages;
    if (reason.startsWith('spam')) sum.spam += messages;
    if (reason === 'virus') sum.virus += messages;
  }
  return sum;
}

/** One entry a step, gaps are zeroes. */
export function seriesOf(
  groups: Groups,
  span: { from: number; to: number; step: number },
): Array<Counters & { at: number }> {
  const steps = Math.ceil((span.to - span.from) / span.step);
  return Array.from({ length: steps }, (_, index) => ({
    at: span.from + index * span.step,
    ...countersOf(groups.filter(({ step }) => step === index)),
  }));
}

/** The most frequent first; what did not happen is left out. */
export function tally(groups: Groups, key: 'state' | 'reason'): Array<{ name: string; messages: number }> {
  const sums = new Map<string, number>();
  for (const group of groups) sums.set(group[key], (sums.get(group[key]) ?? 0) + group.messages);
  return [...sums]
    .map(([name, messages]) => ({ name, messages }))
    .filter(({ name }) => name !== '')
    .toSorted((a, b) => b.messages - a.messages);
}
