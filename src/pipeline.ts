/**
 * The way of a message: accept → inspect → decide → commit. Everything between the first octet of DATA and the reply to its
 * final dot is told here, from top to bottom.
 *
 * A 250 is given only for what is durable. Own trouble is a 4xx and an alarm, never a 5xx, never an uninspected delivery.
 * What cannot be inspected in time is committed as *incoming* and inspected after its 250 (`pipeline-incoming.ts`).
 */
import type { Intake, Pipeline } from './accept/api.ts';
import { type Clock, stampOf } from './base/clock.ts';
import { describeError, errorCode } from './base/errors.ts';
import { type Config, defaultConfig } from './config/schema.ts';
import { decide, type DecideInput } from './decide/decide.ts';
import { dmarcOverride, overrideReason } from './decide/trust.ts';
import { groupVariants, settleReply, shareOf } from './decide/summary.ts';
import { type WouldHave, wouldHave } from './decide/watch.ts';
import type { Inspectors } from './inspect/api.ts';
import { type Domain, parseDomain } from './mail/address.ts';
import { composeAuthenticationResults, ownResultsCuts } from './mail/authentication-results.ts';
import type { Decision } from './mail/decision.ts';
import type { Origin, Transaction } from './mail/envelope.ts';
import type { Finding, Inspection } from './mail/finding.ts';
import { parseHeader } from './mail/header.ts';
import type { QueueId } from './mail/queue-id.ts';
import { isProbe } from './mail/probe.ts';
import { composeReceived } from './mail/received.ts';
import { ownTrouble, REPLY_FULL, REPLY_STOPPING, type Reply, reply } from './mail/reply.ts';
import { mergeCuts, ownFieldCuts, spamHeaders, tagSubject } from './mail/tag.ts';
import type { MailEvent, Observe } from './observe/events.ts';
import type { BodySource, Draft, Spool, Trailer, Variant } from './spool/api.ts';

/** What a probe mail is judged by: an owner's rules must not make the box believe that mail does not pass. */
const SHIPPED_POLICY = defaultConfig().policy;
/** At most this share of the room above the floor may wait for inspection. */
const INCOMING_SHARE = 0.2;

export interface PipelineParts {
  config: () => Config;
  spool: Spool;
  inspectors: Inspectors;
  observe: Observe;
  clock: Clock;
}

/** Where a message goes; `incoming` has no decisions yet. */
export type Target = 'incoming' | 'queue' | 'held' | 'quarantine';
export type TrailerDraft = Omit<Trailer, 'size' | 'sha256'>;
type Received = Extract<MailEvent, { event: 'received' }>;

export function createPipeline(parts: PipelineParts): Pipeline {
  return {
    admits: (origin, announcedSize) => admits(parts, origin, announcedSize),
    begin: async (transaction, { precedence } = { precedence: false }) => {
      const refused = admits(parts, transaction.origin, transaction.announcedSize);
      if (refused !== undefined) return refused;
      try {
        return intake(parts, { transaction, precedence, draft: await parts.spool.begin(transaction) });
      } catch (error) {
        return replyToTrouble(parts, 'Beginning a message', error);
      }
    },
  };
}

/** At MAIL and at DATA: is there room, can anything be inspected, may more wait for inspection? undefined = go on. */
function admits(
  { spool, inspectors, observe, config }: PipelineParts,
  _origin: Origin,
  announced = 0,
): Reply | undefined {
  const status = spool.status();
  if (status.fault !== undefined) return REPLY_STOPPING;
  if (!spool.hasRoom(announced)) return REPLY_FULL;
  const engines = inspectors.health();
  const down = engines.find((engine) => engine.state === 'down');
  if (down !== undefined) return reply(451, '4.3.0', 'Mail cannot be checked right now, please try again later');
  const waits = engines.some((engine) => engine.state === 'starting' || engine.state === 'slow');
  if (waits && !mayWait(spool, config().spool.maxIncoming)) {
    observe.raise('inspection-late', 'incoming', `${spool.count('incoming')} messages wait for inspection`);
    return reply(451, '4.3.0', 'Too much mail waits to be checked, please try again later');
  }
  return undefined;
}

function mayWait(spool: Spool, maxIncoming: number): boolean {
  const { octets, freeOctets, floorOctets } = spool.status();
  const room = Math.max(0, freeOctets - floorOctets);
  return spool.count('incoming') < maxIncoming && octets <= INCOMING_SHARE * (room + octets);
}

interface Arriving {
  transaction: Transaction;
  precedence: boolean;
  draft: Draft;
}

function intake(parts: PipelineParts, arriving: Arriving): Intake {
  const { draft } = arriving;
  let clean = false;
  const onDecided = (decisions: readonly Decision[]): void => {
    clean = decisions.every(({ reason }) => reason === 'clean');
  };
  return {
    clean: () => clean,
    write: (chunk) => draft.write(chunk),
    abort: () => draft.abort().catch((error: unknown) => void replyToTrouble(parts, 'Dropping a message', error)),
    finish: async () => {
      try {
        return await finish(parts, { ...arriving, onDecided });
      } catch (error) {
        await draft.abort().catch(() => undefined); // already committed or already gone
        return replyToTrouble(parts, `Taking message "${draft.id}"`, error);
      }
    },
  };
}

/** After the final dot. */
async function finish(
  parts: PipelineParts,
  message: Arriving & { onDecided: (decisions: readonly Decision[]) => void },
): Promise<Reply> {
  const { spool, config } = parts;
  const { transaction, draft } = message;
  const source = await draft.seal();

  // inspect: all inspectors at once, each with its deadline
  const inspection = await parts.inspectors.inspect({
    id: draft.id,
    transaction,
    precedence: message.precedence,
    size: source.size,
    stream: () => source.stream(),
    pieces: source.pieces,
    deadlineMs: config().timeouts.inspectionMs,
  });

  // decide: pure
  const decisions = decideFor(parts, transaction, inspection);
  const settled = settleReply(decisions, draft.id);

  const takeAsIncoming = async (): Promise<Reply> => {
    await draft.commit('incoming', { decisions: [], variants: [], inspection });
    const accepted = reply(250, '2.0.0', `Ok: queued as ${draft.id}`);
    return tell(parts, { transaction, draft, source, inspection, decisions: [] }, 'incoming', accepted);
  };

  // commit, or refuse
  switch (settled.state) {
    case 'rejected':
    case 'discarded':
      await draft.abort();
      return tell(parts, { transaction, draft, source, inspection, decisions }, settled.state, settled.reply);
    case 'deferred': {
      const down = inspection.missing.some((missing) => missing.reason === 'down');
      if (down || !mayWait(spool, config().spool.maxIncoming)) {
        await draft.abort();
        return tell(parts, { transaction, draft, source, inspection, decisions }, 'deferred', settled.reply);
      }
      return takeAsIncoming();
    }
    case 'mixed':
      // Recipients part: taken as a whole now, decided again and split, all parts or none, by the incoming work.
      return takeAsIncoming();
    case 'queue':
    case 'quarantine':
    case 'held': {
      const about = { id: draft.id, transaction, head: source.head, size: source.size };
      await draft.commit(settled.state, trailerOf(parts, about, inspection, decisions));
      message.onDecided(decisions);
      return tell(parts, { transaction, draft, source, inspection, decisions }, settled.state, settled.reply);
    }
  }
}

export function decideFor(
  parts: Pick<PipelineParts, 'config'>,
  transaction: Pick<Transaction, 'envelope' | 'origin'>,
  inspection: Inspection,
): Decision[] {
  return decide(decideInput(parts, transaction, inspection));
}

/** For the record: what a stricter level would have done; undefined unless the owner only watches. */
export function wouldHaveFor(
  parts: Pick<PipelineParts, 'config'>,
  transaction: Pick<Transaction, 'envelope' | 'origin'>,
  inspection: Inspection,
): { would?: WouldHave } {
  const would = wouldHave(decideInput(parts, transaction, inspection));
  return would === undefined ? {} : { would };
}

function decideInput(
  parts: Pick<PipelineParts, 'config'>,
  transaction: Pick<Transaction, 'envelope' | 'origin'>,
  inspection: Inspection,
): DecideInput {
  const { policy: owners, domains } = parts.config();
  const policy = isProbe(transaction.envelope.recipients.map(({ address }) => address)) ? SHIPPED_POLICY : owners;
  return {
    envelope: transaction.envelope,
    origin: transaction.origin,
    inspection,
    policy,
    domains: domains.map(({ name }) => parseDomain(name)).filter((domain): domain is Domain => domain !== undefined),
    relayClient: transaction.origin.listener === 'relay',
  };
}

/** The folders the recipients' shares go to, with the decisions of each; one share when all go the same way. */
export function sharesOf(decisions: readonly Decision[]): Array<{ folder: Target; decisions: Decision[] }> {
  const shares = Map.groupBy(decisions, (decision) => shareOf(decision.action));
  // Somebody's share cannot be decided yet: nobody's is, and the message is decided again as a whole.
  if (shares.has('incoming')) return [{ folder: 'incoming', decisions: [...decisions] }];
  return (['quarantine', 'held', 'queue'] as const).flatMap((folder) => {
    const share = shares.get(folder);
    return share === undefined ? [] : [{ folder, decisions: share }];
  });
}

/** Decisions, findings, and how the message goes out to each group of recipients. */
export function trailerOf(
  parts: Pick<PipelineParts, 'config' | 'clock'>,
  message: { id: QueueId; transaction: Transaction; head: Buffer; size: number },
  inspection: Inspection,
  decisions: readonly Decision[],
): TrailerDraft {
  const groups = groupVariants(decisions, (decision) => headerEdits(parts, message, inspection.findings, decision));
  const variants: Variant[] = groups.filter((group) => group.action !== 'discard').map((group) => group.variant);
  return { decidedAt: stampOf(parts.clock), decisions: [...decisions], inspection, variants };
}

/** What we add in front and leave out: trace, results, tag; forged results with our id, forged fields of ours. */
function headerEdits(
  { config, clock }: Pick<PipelineParts, 'config' | 'clock'>,
  message: { id: QueueId; transaction: Transaction; head: Buffer; size: number },
  findings: readonly Finding[],
  decision: Decision,
): Pick<Variant, 'prefix' | 'cuts'> {
  const { transaction, head } = message;
  const { hostname, policy } = config();
  const { recipients } = transaction.envelope;
  const only = recipients.length === 1 ? recipients[0]?.address : undefined;
  const received = composeReceived(transaction, {
    hostname,
    id: message.id,
    now: clock.wall(),
    ...(only === undefined ? {} : { recipient: only }),
  });
  // What the office sends out goes as it is: results are for the office's own readers.
  if (transaction.origin.listener === 'relay') return { prefix: received, cuts: [] };
  const header = parseHeader(head);
  const tag =
    decision.tag === undefined
      ? undefined
      : tagSubject(head, decision.tag, { header, whole: head.length === message.size });
  const { reversePath } = transaction.envelope;
  const trusted = dmarcOverride({ findings, origin: transaction.origin, policy });
  const override = trusted === undefined ? {} : { override: overrideReason(trusted) };
  const results = composeAuthenticationResults({ hostname, findings, reversePath, ...override });
  return {
    prefix: received + results + spamHeaders(findings, decision) + (tag?.prefix ?? ''),
    cuts: mergeCuts(ownResultsCuts(header, hostname), ownFieldCuts(header), tag?.cuts ?? []),
  };
}

/** One event for the whole message; gives the reply back. */
function tell(
  parts: PipelineParts,
  facts: {
    transaction: Transaction;
    draft: Draft;
    source: BodySource;
    inspection: Inspection;
    decisions: readonly Decision[];
  },
  state: Received['state'],
  answer: Reply,
): Reply {
  const { transaction, draft, source, inspection, decisions } = facts;
  const summary = inspection.findings.find((finding) => finding.kind === 'summary');
  parts.observe.emit({
    event: 'received',
    id: draft.id,
    direction: transaction.origin.direction,
    origin: transaction.origin,
    reversePath: transaction.envelope.reversePath,
    recipients: transaction.envelope.recipients.map(({ address }) => address),
    size: source.size,
    subject: summary?.subject ?? '',
    messageId: summary?.messageId ?? '',
    from: summary?.from ?? '',
    findings: inspection.findings,
    decisions: decisions.map(({ recipient, action, reason }) => ({ recipient, action, reason })),
    ...(decisions.length === 0 ? {} : wouldHaveFor(parts, transaction, inspection)),
    state,
    reply: `${answer.code} ${answer.enhanced} ${answer.text}`,
  });
  return answer;
}

/** Trouble of our own: the peer hears 4xx, the log hears all of it. */
function replyToTrouble({ observe }: PipelineParts, what: string, error: unknown): Reply {
  const code = errorCode(error);
  if (code === 'SPOOL_FULL') return REPLY_FULL;
  observe.log('error', `${what} failed`, { code, error: describeError(error) });
  if (code === 'SPOOL_FAULT' || code === 'SPOOL_CLOSED') return REPLY_STOPPING;
  observe.raise('internal-error', code ?? 'bug', describeError(error));
  return ownTrouble();
}
