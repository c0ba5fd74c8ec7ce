/** What happened to a message, and why: search, trace, explain. The history tells; the spool tells more while it has it. */
import type { GatewayHandlers, VerbAnswer } from '../control/contract.ts';
import { explain } from '../decide/explain.ts';
import { reasonLabel } from '../decide/reasons.ts';
import type { Decision, Reason } from '../mail/decision.ts';
import type { Origin } from '../mail/envelope.ts';
import type { Inspection } from '../mail/finding.ts';
import type { MailEvent } from '../observe/events.ts';
import type { HistoryRow, HistorySearch, Trail } from '../observe/history-api.ts';
import { describeSteps, traceJson } from '../observe/trace.ts';
import type { HandlerParts } from './handlers.ts';
import { asQueueId, iso, notFound } from './views.ts';

type StoryVerbs = 'history.search' | 'trace' | 'explain';

export function storyHandlers(parts: HandlerParts): Pick<GatewayHandlers, StoryVerbs> {
  const { spool, history, store } = parts;
  return {
    'history.search': async (request) => {
      const { rows, next } = await history.search(request satisfies HistorySearch);
      return { entries: rows.map(historyEntry), ...(next === undefined ? {} : { cursor: next }) };
    },
    trace: async ({ id, language }) => {
      const trail = await history.trail(asQueueId(id));
      if (trail === undefined) throw notFound(id);
      return traceAnswer(trail, language);
    },
    explain: async ({ id, language }) => {
      const queueId = asQueueId(id);
      const { policy } = store.current();
      const message = await spool.read(queueId);
      if (message !== undefined) {
        const { envelope, origin } = message.preamble;
        const { inspection, decisions } = message.trailer;
        const released = message.folder === 'queue';
        const lines = explain({ id: queueId, envelope, origin, inspection, decisions, policy, released }, language);
        return { id, lines, decisions: plain(decisions), findings: inspection?.findings ?? [] };
      }
      const trail = await history.trail(queueId);
      const told = trail === undefined ? undefined : verdictOf(trail);
      if (told === undefined) throw notFound(id);
      const { received, decisions, inspection } = told;
      const envelope = {
        reversePath: received.reversePath,
        recipients: received.recipients.map((address) => ({ address })),
        smtpUtf8: false,
        eightBit: false,
      };
      const origin: Origin = received.origin;
      const released = trail?.events.some(({ event }) => event.event === 'released') === true;
      const lines = explain({ id: queueId, envelope, origin, inspection, decisions, policy, released }, language);
      return { id, lines, decisions: plain(decisions), findings: inspection.findings };
    },
  };
}

function plain(decisions: readonly Decision[]): VerbAnswer<'explain'>['decisions'] {
  return decisions.map(({ recipient, action, reason }) => ({ recipient, action, reason }));
}

/** What the history's events say was found and decided; a later decision (of an incoming message) stands for the first. */
function verdictOf(
  trail: Trail,
): { received: Extract<MailEvent, { event: 'received' }>; decisions: Decision[]; inspection: Inspection } | undefined {
  const events = trail.events.map(({ event }) => event);
  const received = events.find((event) => event.event === 'received');
  if (received === undefined) return undefined;
  const said = events.findLast((event) => event.event === 'decided') ?? received;
  return {
    received,
    decisions: said.decisions.map((decision) => ({ ...decision, ...because(decision.reason, said.findings) })),
    inspection: { findings: said.findings, missing: [], elapsed: {} },
  };
}

/** The finding a reason speaks of, where there is one of that kind. */
function because(reason: Reason, findings: Inspection['findings']): Pick<Decision, 'because'> {
  const kind =
    reason === 'virus'
      ? 'virus'
      : reason.startsWith('spam') || reason === 'allowed'
        ? 'spam'
        : reason.startsWith('dmarc')
          ? 'dmarc'
          : undefined;
  const found = findings.find((finding) => finding.kind === kind);
  return found === undefined ? {} : { because: found };
}

function historyEntry(row: HistoryRow): VerbAnswer<'history.search'>['entries'][number] {
  return {
    ...(row.id === undefined ? {} : { id: row.id }),
    arrivedAt: iso(row.arrived),
    direction: row.direction,
    state: row.state,
    reversePath: row.reversePath,
    recipients: row.recipients,
    recipientCount: row.recipientCount,
    subject: row.subject,
    from: row.from,
    messageId: row.messageId,
    size: row.size,
    client: row.client,
    reason: row.reason,
  };
}

function traceAnswer(trail: Trail, language: 'ja' | 'en'): VerbAnswer<'trace'> {
  return { ...traceJson(trail), steps: describeSteps(trail, language, { reason: reasonLabel }) };
}
