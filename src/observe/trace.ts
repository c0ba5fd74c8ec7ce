/**
 * One message's trail for a person: who sent it, what was found, which rule decided, where it is now, what the other server
 * said, and when. Texts that came from outside are shown with control and direction characters escaped, so that no subject
 * can repaint a terminal or turn a line around. Pure; the words for reasons are handed in.
 */
import { assertNever } from '../base/brand.ts';
import { type Language, say, type Text } from '../base/i18n.ts';
import { escapeForTerminal } from '../base/terminal.ts';
import type { Action, Reason } from '../mail/decision.ts';
import type { Direction } from '../mail/envelope.ts';
import type { Finding } from '../mail/finding.ts';
import { findingWords } from './event-line.ts';
import type { MailEvent } from './events.ts';
import type { HistoryState, Trail } from './history-api.ts';
import { ACTION_WORDS, EVENT_WORDS, STATE_WORDS, TRAIL_WORDS, WHY_WORDS } from './trace-words.ts';

export interface TrailWords {
  language: Language;
  /** The words of a reason. Without it the reason stands as it is. */
  reason?: (reason: Reason, language: Language) => string;
  /** A line for a finding. Without it the log's short words. */
  finding?: (finding: Finding, language: Language) => string;
  /** IANA name; default: the box's own. */
  timeZone?: string;
}

const MAX_LISTED = 10;
const MAX_LINE = 600;

export function describeTrail(trail: Trail, words: TrailWords): string[] {
  const { language } = words;
  const { message } = trail;
  const line = (text: Text, values: Readonly<Record<string, string | number>> = {}): string =>
    say(text, language, shown(values));
  const { findings, decisions } = verdictOf(trail);
  const lines = [
    line(TRAIL_WORDS.message, {
      id: message.id,
      direction: say(TRAIL_WORDS[message.direction], language),
      size: message.size,
    }),
    line(TRAIL_WORDS.envelopeFrom, { sender: message.reversePath }).replace(
      /(: )$/,
      `$1${say(TRAIL_WORDS.nullPath, language)}`,
    ),
  ];
  if (message.from !== '') lines.push(line(TRAIL_WORDS.headerFrom, { from: message.from }));
  if (message.subject !== '') lines.push(line(TRAIL_WORDS.subject, { subject: message.subject }));
  if (message.messageId !== '') lines.push(line(TRAIL_WORDS.messageId, { messageId: message.messageId }));

  const facts = findings.filter((finding) => finding.kind !== 'summary');
  if (facts.length === 0) lines.push(say(TRAIL_WORDS.foundNothing, language));
  else {
    lines.push(say(TRAIL_WORDS.found, language));
    for (const finding of facts.slice(0, 50))
      lines.push(`  - ${cut(escapeForTerminal(words.finding?.(finding, language) ?? findingWords(finding)))}`);
  }
  if (decisions.length > 0) {
    lines.push(say(TRAIL_WORDS.decided, language));
    for (const { recipient, action, reason } of decisions.slice(0, 50))
      lines.push(
        `  - ${line(TRAIL_WORDS.decision, { recipient, action: say(ACTION_WORDS[action], language), reason: reasonText(reason, words) })}`,
      );
    if (decisions.length > 50) lines.push(`  - … +${decisions.length - 50}`);
  }
  lines.push(...whereabouts(trail, words));
  lines.push(say(TRAIL_WORDS.course, language));
  const time = timeFormat(words);
  for (const { id, at, event } of trail.events)
    lines.push(`  ${time.format(at)}  ${id === message.id ? '' : `[${id}] `}${cut(describeEvent(event, words))}`);
  return lines;
}

function whereabouts(trail: Trail, words: TrailWords): string[] {
  const { language } = words;
  const lines = [say(TRAIL_WORDS.now, language)];
  // A recipient that moved is shown where it went
  const here = trail.recipients.filter(
    (one) =>
      one.state !== 'moved' ||
      !trail.recipients.some((other) => other.address === one.address && other.state !== 'moved'),
  );
  for (const one of here.slice(0, 50)) {
    const text = one.id === trail.message.id ? TRAIL_WORDS.recipient : TRAIL_WORDS.recipientPart;
    const state = say(STATE_WORDS[one.state], language);
    lines.push(`  - ${say(text, language, shown({ address: one.address, state, id: one.id }))}`);
    if (one.reply === '') continue;
    const said = one.nextHop === '' ? TRAIL_WORDS.reply : TRAIL_WORDS.server;
    lines.push(`      ${cut(say(said, language, shown({ hop: one.nextHop, reply: one.reply })))}`);
  }
  if (here.length > 50) lines.push(`  - … +${here.length - 50}`);
  if (here.length === 0) lines.push(`  - ${say(STATE_WORDS[trail.message.state], language)}`);
  if (trail.related.length > 0) {
    lines.push(say(TRAIL_WORDS.related, language));
    for (const { id, why, state } of trail.related)
      lines.push(
        `  - ${say(TRAIL_WORDS.relative, language, { id, why: say(WHY_WORDS[why], language), state: say(STATE_WORDS[state], language) })}`,
      );
  }
  return lines;
}

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
      return line(EVENT_WORDS.received, {
        client: [event.origin.clientName, event.origin.clientAddress].filter((part) => part !== undefined).join(' '),
        helo: event.origin.helo,
        protocol: event.origin.protocol,
        reply: event.reply,
      });
    case 'decided':
      return line(EVENT_WORDS.decided, {
        reasons: [...new Set(event.decisions.map(({ reason }) => reasonText(reason, words)))].join(', '),
      });
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

function timeFormat(words: TrailWords): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(words.language === 'ja' ? 'ja-JP' : 'sv-SE', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    ...(words.timeZone === undefined ? {} : { timeZone: words.timeZone }),
  });
}
