/**
 * From the decisions per recipient to what SMTP can say: one reply for all of them (DESIGN "The way of a message"), and
 * to the variants in which the message goes out. Pure. A sender who is quarantined, held or discarded hears the same words
 * as one who is delivered: he learns nothing about the filter. No decision at all is a bug and throws.
 */
import type { ForwardPath } from '../mail/address.ts';
import type { Action, Decision } from '../mail/decision.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { type Reply, reply } from '../mail/reply.ts';

/** Where a message went: a state of the spool, a refusal, or `mixed` when recipients part. */
export type SettledState = 'queue' | 'quarantine' | 'held' | 'rejected' | 'deferred' | 'discarded' | 'mixed';

/**
 * all rejected → 5xx · none accepted and at least one deferred → 451 · anything else → 250. In a mixed answer the deferred
 * share is for *incoming* and the rejected share for quarantine (`shareOf` says where each goes).
 */
export function settleReply(decisions: readonly Decision[], id: QueueId): { state: SettledState; reply: Reply } {
  const [first] = decisions;
  if (first === undefined) throw new TypeError('Expected at least one decision');
  const actions = new Set(decisions.map((decision) => decision.action));
  if (actions.size === 1) return { state: stateOf(first.action), reply: replyTo(first, id) };
  const accepted = decisions.some(({ action }) => action !== 'reject' && action !== 'defer');
  if (accepted) return { state: 'mixed', reply: queued(id) };
  const deferred = decisions.find(({ action }) => action === 'defer') ?? first;
  return { state: 'deferred', reply: replyTo(deferred, id) };
}

/** Where one recipient's share goes once the whole message was answered with 250. */
export function shareOf(action: Action): 'queue' | 'quarantine' | 'held' | 'incoming' | 'discarded' {
  switch (action) {
    case 'deliver':
      return 'queue';
    case 'hold':
      return 'held';
    case 'defer':
      return 'incoming';
    case 'discard':
      return 'discarded';
    // A refusal that can no longer be said (other recipients were accepted) must not become a bounce to a forged sender.
    case 'reject':
    case 'quarantine':
      return 'quarantine';
  }
}

function stateOf(action: Action): SettledState {
  switch (action) {
    case 'reject':
      return 'rejected';
    case 'defer':
      return 'deferred';
    case 'deliver':
      return 'queue';
    case 'quarantine':
      return 'quarantine';
    case 'hold':
      return 'held';
    case 'discard':
      return 'discarded';
  }
}

function replyTo(decision: Decision, id: QueueId): Reply {
  switch (decision.action) {
    case 'reject':
      return refusal(decision, id);
    case 'defer':
      // RFC 3463 §3.4, X.3.0: own trouble, whatever the engine's name is (promise 3).
      return reply(451, '4.3.0', `Message could not be checked yet, please try again later (${id})`);
    case 'deliver':
    case 'quarantine':
    case 'hold':
    case 'discard':
      return queued(id);
  }
}

function queued(id: QueueId): Reply {
  return reply(250, '2.0.0', `Ok: queued as ${id}`);
}

/** RFC 5321 §4.2.3 and RFC 3463 §3.8 (X.7.1 delivery not authorized, message refused). Bland, quotable, with the id. */
function refusal({ reason, because }: Decision, id: QueueId): Reply {
  switch (reason) {
    case 'virus': {
      const name = because?.kind === 'virus' ? ` (${word(because.name)})` : '';
      return reply(554, '5.7.1', `Message refused: virus found${name}, id ${id}`);
    }
    case 'spam-reject':
    case 'spam-quarantine':
    case 'spam-tag':
      return reply(550, '5.7.1', `Message refused: it looks like spam, id ${id}`);
    case 'allowed':
    case 'blocked':
      return reply(550, '5.7.1', `Message refused: its sender is not welcome here, id ${id}`);
    case 'dmarc-reject':
    case 'dmarc-quarantine': {
      const domain = because?.kind === 'dmarc' ? ` of ${word(because.domain)}` : '';
      return reply(550, '5.7.1', `Message refused by the DMARC policy${domain}, id ${id}`);
    }
    case 'own-domain-from-outside':
      return reply(550, '5.7.1', `Message refused: its author address is ours and could not be verified, id ${id}`);
    case 'suspicious-from':
      return reply(550, '5.7.1', `Message refused: it needs exactly one valid From address, id ${id}`);
    case 'disguised-executable':
    case 'executable':
      return reply(550, '5.7.1', `Message refused: programs are not accepted as attachments, id ${id}`);
    case 'encrypted-archive':
      return reply(550, '5.7.1', `Message refused: locked archives are not accepted as attachments, id ${id}`);
    case 'unscannable':
    case 'too-complex':
    case 'poison':
      return reply(550, '5.7.1', `Message refused: its content cannot be checked, id ${id}`);
    case 'clean':
    case 'not-inspected':
    case 'undeliverable':
    case 'operator':
      return reply(550, '5.7.1', `Message refused by local policy, id ${id}`);
  }
}

/** One word of a stranger's in a reply line: printable ASCII without quotes or brackets, short. */
function word(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._:/+-]/g, '_').slice(0, 64);
}

/** The recipients who get the same thing for the same reason, and how the message looks for them. */
export interface VariantGroup {
  action: Action;
  /** The first of theirs; action, reason and tag hold for all. */
  decision: Decision;
  /** As the spool keeps it. */
  variant: { recipients: ForwardPath[]; prefix: string; cuts: Array<[start: number, end: number]> };
}

/**
 * Groups equal action, tag and reason (the reason stands in the added header), in the order of first appearance. `make` is
 * called once a group.
 */
export function groupVariants(
  decisions: readonly Decision[],
  make: (decision: Decision) => { prefix: string; cuts: Array<[start: number, end: number]> },
): VariantGroup[] {
  const groups = Map.groupBy(decisions, ({ action, tag, reason }) => JSON.stringify([action, tag ?? null, reason]));
  return [...groups.values()].flatMap((members) => {
    const [decision] = members;
    if (decision === undefined) return [];
    const { prefix, cuts } = make(decision);
    const recipients = members.map((member) => member.recipient);
    return [{ action: decision.action, decision, variant: { recipients, prefix, cuts } }];
  });
}
