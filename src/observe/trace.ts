/**
 * One message's trail: its course as sentences for a person, the whole of it in a stable shape for programs. Texts that came
 * from outside are shown with control and direction characters escaped, so that no subject can repaint a terminal or turn a
 * line around. Pure; the words for reasons are handed in.
 */
import { assertNever } from '../base/brand.ts';
import { type Language, say, type Text } from '../base/i18n.ts';
import { escapeForTerminal } from '../base/terminal.ts';
import type { Action, Reason } from '../mail/decision.ts';
import type { Direction } from '../mail/envelope.ts';
import type { Finding } from '../mail/finding.ts';
import type { MailEvent } from './events.ts';
import type { HistoryState, Trail } from './history-api.ts';
import { EVENT_WORDS, WHY_WORDS } from './trace-words.ts';

export interface TrailWords {
  language: Language;
  /** The words of a reason. Without it the reason stands as it is. */
  reason?: (reason: Reason, language: Language) => string;
}

const MAX_LISTED = 10;
const MAX_LINE = 600;

/** The course of it, one step an event, for an API: `text` is safe to show, `at` ISO 8601 in UTC. */
export function describeSteps(
  trail: Trail,
  language: Language,
  words: Omit<TrailWords, 'language'> = {},
): Array<{ at: string; id: string; event: MailEvent['event']; text: string }> {
  return trail.events.map(({ id, at, event }) => ({
    at: new Date(at).toISOString(),
    id,
    event: event.event,
    text: cut(describeEvent(event, { ...words, language })),
  }));
}

/** One event as a sentence, safe to show. */
export function describeEvent(event: MailEvent, words: TrailWords): string {
  const { language } = words;
  const line = (text: Text, values: Readonly<Record<string, string | number>>): string =>
    say(text, language, shown(values));
  switch (event.event) {
    case 'refused':
      return line(EVENT_WORDS.refused, { client: event.origin.clientAddress, stage: event.stage, reply: event.reply });
    case 'received':
      if (event.origin.listener === 'local') return say(EVENT_WORDS.receivedLocal, language);
      return (
        line(EVENT_WORDS.received, {
          client: [event.origin.clientName, event.origin.clientAddress].filter((part) => part !== undefined).join(' '),
          helo: event.origin.helo,
          protocol: event.origin.protocol,
          reply: event.reply,
        }) + wouldText(event, words)
      );
    case 'decided':
      return (
        line(EVENT_WORDS.decided, {
          reasons: [...new Set(event.decisions.map(({ reason }) => reasonText(reason, words)))].join(', '),
        }) + wouldText(event, words)
      );
    case 'attempt':
      return line(EVENT_WORDS.attempt, { hop: event.nextHop, recipients: list(event.recipients) });
    case 'delivered':
      return line(EVENT_WORDS.delivered, {
        hop: event.nextHop,
        recipients: list(event.recipients),
        reply: event.reply,
      });
    case 'deferred':
      return line(EVENT_WORDS.deferred, {
        hop: event.nextHop,
        recipients: list(event.recipients),
        reply: event.reply,
        minutes: Math.max(1, Math.round(event.waitMs / 60_000)),
      });
    case 'bounced':
      return (
        line(EVENT_WORDS.bounced, { hop: event.nextHop, recipients: list(event.recipients), reply: event.reply }) +
        (event.dsn === undefined ? '' : line(EVENT_WORDS.dsn, { dsn: event.dsn }))
      );
    case 'expired':
      return (
        line(EVENT_WORDS.expired, { recipients: list(event.recipients), reply: event.reply }) +
        (event.dsn === undefined ? '' : line(EVENT_WORDS.dsn, { dsn: event.dsn }))
      );
    case 'held':
      return line(EVENT_WORDS.held, { by: event.by, reason: event.why });
    case 'derived':
      return line(EVENT_WORDS.derived, { parent: event.parent, reason: say(WHY_WORDS[event.why], language) });
    case 'released':
      return line(EVENT_WORDS.released, { by: event.by, recipients: list(event.recipients) });
    case 'deleted':
      if (event.why === 'operator') return line(EVENT_WORDS.deletedOperator, { by: event.by });
      return say(event.why === 'expired' ? EVENT_WORDS.deletedExpired : EVENT_WORDS.deletedDiscarded, language);
    case 'rerouted':
      if (event.via === undefined) return line(EVENT_WORDS.reroutedBack, { by: event.by });
      return line(EVENT_WORDS.rerouted, { by: event.by, hop: event.via });
    case 'resent':
      return line(EVENT_WORDS.resent, { by: event.by, recipients: list(event.recipients), id: event.as });
    case 'reported':
      return (
        line(event.as === 'spam' ? EVENT_WORDS.reportedSpam : EVENT_WORDS.reportedHam, { by: event.by }) +
        (event.learned ? say(EVENT_WORDS.learned, language) : '')
      );
    case 'undeleted':
      return line(EVENT_WORDS.undeleted, { by: event.by });
    case 'corrupt':
      return line(EVENT_WORDS.corrupt, { detail: event.detail });
    default:
      return assertNever(event);
  }
}

function wouldText({ would }: Extract<MailEvent, { event: 'received' | 'decided' }>, words: TrailWords): string {
  if (would === undefined) return '';
  const text = would.action === 'reject' ? EVENT_WORDS.wouldReject : EVENT_WORDS.wouldQuarantine;
  return say(text, words.language, { reason: reasonText(would.reason, words) });
}

/** The stable shape for programs: a key is never renamed, only added. */
export interface TrailJson {
  id: string;
  /** ISO 8601, UTC, as all times here. */
  arrivedAt: string;
  state: HistoryState;
  direction: Direction;
  reversePath: string;
  from: string;
  subject: string;
  messageId: string;
  size: number;
  client: string;
  /** What the client was told. */
  reply: string;
  recipients: Array<{
    id: string;
    address: string;
    state: HistoryState;
    reason: string;
    reply: string;
    nextHop: string;
    updatedAt: string;
  }>;
  findings: Finding[];
  decisions: Array<{ recipient: string; action: Action; reason: Reason }>;
  /** The event's own fields beside `at`. An event of a relative carries that one's `id`. */
  events: Array<{ at: string; event: string } & Record<string, unknown>>;
  related: Array<{ id: string; relation: Trail['related'][number]['why']; state: HistoryState }>;
}

export function traceJson(trail: Trail): TrailJson {
  const { message } = trail;
  const received = trail.events.map(({ event }) => event).find((event) => event.event === 'received');
  return {
    id: message.id,
    arrivedAt: new Date(message.arrived).toISOString(),
    state: message.state,
    direction: message.direction,
    reversePath: message.reversePath,
    from: message.from,
    subject: message.subject,
    messageId: message.messageId,
    size: message.size,
    client: message.client,
    reply: received?.event === 'received' ? received.reply : '',
    recipients: trail.recipients.map(({ id, address, state, reason, reply, nextHop, updated }) => {
      return { id, address, state, reason, reply, nextHop, updatedAt: new Date(updated).toISOString() };
    }),
    ...verdictOf(trail),
    events: trail.events.map(({ id, at, event }) => ({ at: new Date(at).toISOString(), id, ...event })),
    related: trail.related.map(({ id, why, state }) => ({ id, relation: why, state })),
  };
}

/** What was found and decided last: a message taken uninspected is decided later. */
function verdictOf(trail: Trail): Pick<TrailJson, 'findings' | 'decisions'> {
  const last = trail.events
    .map(({ event }) => event)
    .findLast((event) => event.event === 'decided' || event.event === 'received');
  if (last?.event !== 'decided' && last?.event !== 'received') return { findings: [], decisions: [] };
  return { findings: last.findings, decisions: last.decisions };
}

function reasonText(reason: Reason, words: TrailWords): string {
  return words.reason?.(reason, words.language) ?? reason;
}

function list(addresses: readonly string[]): string {
  const rest = addresses.length - MAX_LISTED;
  return addresses.slice(0, MAX_LISTED).join(', ') + (rest > 0 ? ` (+${rest})` : '');
}

function shown(values: Readonly<Record<string, string | number>>): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === 'string' ? escapeForTerminal(value) : value]),
  );
}

function cut(text: string): string {
  return text.length <= MAX_LINE ? text : `${text.slice(0, MAX_LINE).toWellFormed()}…`;
}
