/**
 * explain(): a message's story in plain words, Japanese or English: how it came, what was found, which rule decided, what
 * happens to it and what one can do. Pure. Everything a stranger wrote (names, subjects, symbols) is escaped and cut, so
 * that it cannot turn a sentence round or drive a terminal. Long lists are cut with a count.
 */
import { assertNever } from '../base/brand.ts';
import { type Language, say, type Text } from '../base/i18n.ts';
import type { Config } from '../config/schema.ts';
import type { Decision } from '../mail/decision.ts';
import type { Envelope, Origin } from '../mail/envelope.ts';
import { type AttachmentTrait, type Finding, type Inspection, isSuspiciousFrom } from '../mail/finding.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { safeText } from '../mail/safe-text.ts';
import * as words from './explain-words.ts';
import { actionSentence, reasonSentence } from './reasons.ts';
import { limitsOf } from './spam-limits.ts';
import { dmarcOverride, vouchingSealer } from './trust.ts';

export interface ExplainInput {
  /** Named in what one can do. */
  id: QueueId;
  envelope: Envelope;
  origin: Origin;
  /** Undefined for an *incoming* message. */
  inspection: Inspection | undefined;
  decisions: readonly Decision[];
  policy: Config['policy'];
  /** What was put aside by these decisions was let go since by an operator. */
  released?: boolean;
}

type FindingOf<Kind extends Finding['kind']> = Extract<Finding, { kind: Kind }>;

const MOST_SIGNATURES = 3;
const MOST_ATTACHMENTS = 10;
const MOST_SYMBOLS = 5;
const MOST_RECIPIENTS = 5;

/** One sentence or two a line, in the order of the story. */
export function explain(input: ExplainInput, language: Language): string[] {
  return [how(input, language), ...whatWasFound(input, language), ...whatHappens(input, language)];
}

function how({ origin, envelope, inspection }: ExplainInput, language: Language): string {
  const summary = all(inspection, 'summary')[0];
  const name = origin.clientName === undefined ? '' : `${safeText(origin.clientName)} `;
  const unknown = words.WORDS.unknown[language];
  const values = {
    client: `${name}[${safeText(origin.clientAddress)}]`,
    reverse: envelope.reversePath === '' ? words.WORDS.nullPath[language] : safeText(envelope.reversePath),
    from: summary === undefined || summary.from === '' ? unknown : safeText(summary.from),
    subject: summary === undefined || summary.subject === '' ? unknown : safeText(summary.subject),
    count: envelope.recipients.length,
  };
  const text: Text =
    origin.listener === 'local'
      ? words.WORDS.ownMessage
      : origin.direction === 'outbound'
        ? words.WORDS.wentOut
        : words.WORDS.came;
  return say(text, language, values);
}

function whatWasFound(input: ExplainInput, language: Language): string[] {
  const { inspection } = input;
  if (inspection === undefined) return [words.WORDS.notInspected[language]];
  return [
    ...all(inspection, 'virus').map((virus) =>
      say(words.WORDS.virus, language, { name: safeText(virus.name, 80), engine: virus.engine }),
    ),
    ...attachments(inspection, language),
    ...all(inspection, 'structure').map((finding) =>
      say(finding.problem === 'too-complex' ? words.WORDS.tooComplex : words.WORDS.malformed, language, {
        detail: safeText(finding.detail),
      }),
    ),
    ...(enginesSkipped(inspection) ? [words.WORDS.notScanned[language]] : []),
    ...all(inspection, 'poison').map((finding) =>
      say(words.WORDS.poison, language, { detail: safeText(finding.detail) }),
    ),
    ...authentication(inspection, { input, language }),
    ...all(inspection, 'spam').flatMap((finding) => spam(finding, input, language)),
    ...inspection.missing.map((missing) =>
      say(words.WORDS.missing, language, {
        inspector: words.INSPECTOR_NAMES[missing.inspector][language],
        why: words.MISSING_WORDS[missing.reason][language],
      }),
    ),
  ];
}

function authentication(
  inspection: Inspection,
  { input, language }: { input: ExplainInput; language: Language },
): string[] {
  const { origin, policy } = input;
  const { findings } = inspection;
  const trusted = dmarcOverride({ findings, origin, policy });
  const author = all(inspection, 'from')[0]?.domains[0] ?? '';
  const vouched = origin.listener === 'mx' ? vouchingSealer(findings, { policy, author }) : undefined;
  const domain = (text: string): string => safeText(text, 100);
  const lines = all(inspection, 'from').flatMap((finding) => from(finding, language));
  if (authenticationSkipped(inspection, origin)) lines.push(words.WORDS.notAuthenticated[language]);
  for (const spf of all(inspection, 'spf')) {
    lines.push(say(words.SPF_SENTENCES[spf.result], language, { domain: domain(spf.domain || spf.helo) }));
  }
  const signatures = all(inspection, 'dkim');
  for (const dkim of signatures.slice(0, MOST_SIGNATURES)) {
    const line = say(words.DKIM_SENTENCES[dkim.result], language, { domain: domain(dkim.domain) });
    const foreign = dkim.result === 'pass' && !dkim.aligned;
    lines.push(foreign ? `${line}${gap(language)}${words.WORDS.notAligned[language]}` : line);
  }
  if (signatures.length > MOST_SIGNATURES) {
    lines.push(say(words.WORDS.moreSignatures, language, { count: signatures.length - MOST_SIGNATURES }));
  }
  for (const dmarc of all(inspection, 'dmarc')) {
    const values = { domain: domain(dmarc.domain) };
    const wish = say(words.DMARC_WISHES[dmarc.policy], language, values);
    // The published policy is not to blame when there is no one author
    const nobody = dmarc.result === 'permerror' && all(inspection, 'from').some((one) => isSuspiciousFrom(one));
    const sentence = nobody ? words.WORDS.dmarcNoAuthor : words.DMARC_SENTENCES[dmarc.result];
    lines.push(say(sentence, language, { ...values, wish }));
  }
  for (const arc of all(inspection, 'arc')) {
    if (arc.result === 'none') continue;
    const sealer = arc.sealer === undefined ? words.WORDS.unknown[language] : domain(arc.sealer);
    const sentence = vouched === undefined ? words.WORDS.arc : words.WORDS.arcUsed;
    lines.push(say(sentence, language, { sealer, result: arc.result }));
  }
  if (trusted !== undefined) {
    const sentence = trusted.by === 'sealer' ? words.WORDS.trustedSealer : words.WORDS.trustedForwarder;
    lines.push(say(sentence, language, { name: domain(trusted.name) }));
  }
  return lines;
}

function isTooComplex(inspection: Inspection): boolean {
  return all(inspection, 'structure').some(({ problem }) => problem === 'too-complex');
}

/** Mail from outside has an SPF result whenever its header was looked at (src/inspect/authentication.ts). */
function authenticationSkipped(inspection: Inspection, { listener }: Origin): boolean {
  if (listener !== 'mx' || !isTooComplex(inspection) || all(inspection, 'spf').length > 0) return false;
  return !inspection.missing.some(({ inspector }) => inspector === 'authentication');
}

/** What the structure alone condemned is not given to the engines (src/inspect/inspectors.ts). */
function enginesSkipped(inspection: Inspection): boolean {
  const { elapsed, missing } = inspection;
  if (!isTooComplex(inspection) || elapsed.antivirus !== undefined || elapsed.spam !== undefined) return false;
  if (all(inspection, 'virus').length > 0 || all(inspection, 'spam').length > 0) return false;
  return !missing.some(({ inspector }) => inspector === 'antivirus' || inspector === 'spam');
}

function from(finding: FindingOf<'from'>, language: Language): string[] {
  if (finding.count === 0) return [words.WORDS.fromMissing[language]];
  if (finding.count > 1) return [say(words.WORDS.fromSeveral, language, { count: finding.count })];
  if (finding.malformed) return [say(words.WORDS.fromMalformed, language, { from: safeText(finding.text) })];
  if (new Set(finding.domains).size < 2) return [];
  const domains = list(finding.domains, MOST_RECIPIENTS, language);
  return [say(words.WORDS.fromDomains, language, { domains })];
}

function spam(finding: FindingOf<'spam'>, input: ExplainInput, language: Language): string[] {
  const { origin, policy } = input;
  const { tag, quarantine, reject } = policy.spam;
  const sentence = origin.direction === 'outbound' ? words.WORDS.spamOutbound : words.WORDS.spam;
  const lines = [say(sentence, language, { score: points(finding.score), tag, quarantine, reject })];
  lines.push(...ownLimits(input, language));
  const heaviest = finding.symbols
    .filter((symbol) => symbol.score > 0)
    .toSorted((one, other) => other.score - one.score)
    .slice(0, MOST_SYMBOLS)
    .map(({ name, score, description }) => {
      const why = description === undefined || description === '' ? '' : `: ${safeText(description, 100)}`;
      return `${safeText(name, 60)} (+${points(score)}${why})`;
    });
  if (heaviest.length > 0) {
    lines.push(say(words.WORDS.symbols, language, { symbols: heaviest.join(words.WORDS.separator[language]) }));
  }
  return lines;
}

/** Who has limits of his own, and which. */
function ownLimits({ envelope, origin, policy }: ExplainInput, language: Language): string[] {
  const limits = limitsOf(policy, origin.direction === 'inbound');
  const groups = Map.groupBy(envelope.recipients, ({ address }) => limits(address));
  groups.delete(policy.spam);
  return [...groups].map(([{ tag, quarantine, reject }, members]) => {
    const recipients = list(
      members.map(({ address }) => safeText(address)),
      MOST_RECIPIENTS,
      language,
    );
    return say(words.WORDS.spamFor, language, { recipients, tag, quarantine, reject });
  });
}

function attachments(inspection: Inspection, language: Language): string[] {
  const bad = all(inspection, 'attachment').filter(({ traits }) => traits.some((trait) => trait !== 'archive'));
  const lines = bad.slice(0, MOST_ATTACHMENTS).map((finding) => attachment(finding, language));
  const more = bad.length - MOST_ATTACHMENTS;
  return more > 0 ? [...lines, say(words.WORDS.moreAttachments, language, { count: more })] : lines;
}

function attachment(finding: FindingOf<'attachment'>, language: Language): string {
  // "disguised" already says that it is a program
  const traits = finding.traits
    .filter((trait): trait is Exclude<AttachmentTrait, 'archive'> => trait !== 'archive')
    .filter((trait) => trait !== 'executable' || !finding.traits.includes('disguised'))
    .map((trait) => words.TRAIT_WORDS[trait][language]);
  if (finding.trueType !== undefined) {
    traits.push(say(words.WORDS.trueType, language, { type: safeText(finding.trueType, 80) }));
  }
  const values = {
    name: finding.name === '' ? words.WORDS.unnamed[language] : safeText(finding.name, 120),
    traits: traits.join(words.WORDS.separator[language]),
    inside: finding.inside.map((name) => `"${safeText(name, 80)}"`).join(' > '),
  };
  return say(finding.inside.length > 0 ? words.WORDS.attachmentInside : words.WORDS.attachment, language, values);
}

function whatHappens(input: ExplainInput, language: Language): string[] {
  const { decisions, id } = input;
  if (decisions.length === 0) return [words.WORDS.noDecision[language]];
  const accepted = decisions.some(({ action }) => action !== 'reject' && action !== 'defer');
  const groups = Map.groupBy(decisions, ({ action, reason, tag }) => JSON.stringify([action, reason, tag ?? null]));
  const lines: string[] = [];
  const advice = new Set<string>();
  for (const members of groups.values()) {
    const [decision] = members;
    if (decision === undefined) continue;
    const recipients = list(
      members.map((member) => member.recipient),
      MOST_RECIPIENTS,
      language,
    );
    lines.push(say(words.WORDS.rule, language, { recipients, reason: reasonSentence(decision.reason, language) }));
    // The refused share of a message that was taken for others is in quarantine (see settleReply).
    const kept = decision.action === 'reject' && accepted;
    const misuse = isOutboundSpam(decision, input.origin);
    lines.push(kept ? words.WORDS.rejectedShare[language] : consequence(decision, { misuse, language }));
    const aside = kept || decision.action === 'quarantine' || decision.action === 'hold';
    const advised = aside && input.released === true ? words.RELEASED_ADVICE : adviceFor(decision, { kept, misuse });
    advice.add(say(advised, language, { id }));
  }
  return [...lines, ...advice];
}

function consequence(decision: Decision, { misuse, language }: { misuse: boolean; language: Language }): string {
  if (misuse) return words.WORDS.outboundSpam[language];
  const line = actionSentence(decision.action, language);
  if (decision.tag === undefined) return line;
  return `${line}${gap(language)}${say(words.WORDS.tagged, language, { tag: safeText(decision.tag, 60) })}`;
}

function adviceFor(decision: Decision, { kept, misuse }: { kept: boolean; misuse: boolean }): Text {
  const action = kept ? 'quarantine' : decision.action;
  switch (action) {
    case 'quarantine':
      if (decision.reason === 'virus') return words.VIRUS_ADVICE;
      return misuse ? words.OUTBOUND_SPAM_ADVICE : words.ADVICE.quarantine;
    case 'deliver':
    case 'hold':
    case 'reject':
    case 'defer':
    case 'discard':
      return words.ADVICE[action];
    default:
      return assertNever(action);
  }
}

/** Outbound mail is quarantined where inbound mail is refused: a sign that something inside is misused (see decide). */
function isOutboundSpam({ action, reason }: Decision, origin: Origin): boolean {
  return action === 'quarantine' && reason === 'spam-reject' && origin.direction === 'outbound';
}

function list(items: readonly string[], most: number, language: Language): string {
  const shown = items
    .slice(0, most)
    .map((item) => safeText(item, 120))
    .join(words.WORDS.separator[language]);
  const rest = items.length - most;
  return rest > 0 ? say(words.WORDS.more, language, { list: shown, count: rest }) : shown;
}

function all<Kind extends Finding['kind']>(inspection: Inspection | undefined, kind: Kind): Array<FindingOf<Kind>> {
  return (inspection?.findings ?? []).filter((finding): finding is FindingOf<Kind> => finding.kind === kind);
}

function points(score: number): string {
  return String(Math.round(score * 10) / 10);
}

function gap(language: Language): string {
  return language === 'ja' ? '' : ' ';
}
