/**
 * The log line of each event: one plain sentence, and facts under stable names. Lists are cut so that a message for 500
 * recipients stays one readable line; what was found is put in short words. Pure.
 */
import { assertNever } from '../base/brand.ts';
import type { Finding } from '../mail/finding.ts';
import type { MailEvent } from './events.ts';
import type { LogLevel } from './log.ts';

export interface EventLine {
  level: LogLevel;
  message: string;
  facts: Record<string, unknown>;
}

const SENTENCES: Readonly<Record<MailEvent['event'], string>> = {
  refused: 'Refused before a message',
  received: 'Received a message',
  decided: 'Decided about an incoming message',
  attempt: 'Trying to deliver',
  delivered: 'Delivered',
  deferred: 'Deferred, will try again',
  bounced: 'Bounced',
  expired: 'Expired undelivered',
  held: 'Held',
  derived: 'Made a message from another',
  released: 'Released',
  deleted: 'Deleted',
  undeleted: 'Brought back a deleted message',
  rerouted: 'Rerouted by an operator',
  resent: 'Sent again by an operator',
  reported: 'Verdict reported as wrong',
  corrupt: 'Set a damaged message aside',
};

const LEVELS: Partial<Record<MailEvent['event'], LogLevel>> = {
  attempt: 'debug',
  bounced: 'warn',
  expired: 'warn',
  corrupt: 'error',
};

const MAX_LISTED = 20;

export function levelOf(event: MailEvent): LogLevel {
  return LEVELS[event.event] ?? 'info';
}

export function lineOf(event: MailEvent): EventLine {
  const facts: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(event)) {
    if (value === undefined) continue;
    if (key === 'findings') facts[key] = (value as Finding[]).slice(0, MAX_LISTED).map(findingWords);
    else if (key === 'origin') Object.assign(facts, originFacts(event));
    else if (Array.isArray(value) && value.length > MAX_LISTED) {
      facts[key] = value.slice(0, MAX_LISTED);
      facts[`${key}Count`] = value.length;
    } else facts[key] = value;
  }
  return { level: levelOf(event), message: SENTENCES[event.event], facts };
}

function originFacts(event: MailEvent): Record<string, unknown> {
  if (!('origin' in event)) return {};
  const { listener, sessionId, clientAddress, clientName, helo, protocol, tls } = event.origin;
  return {
    listener,
    session: sessionId,
    client: clientAddress,
    ...(clientName === undefined ? {} : { clientName }),
    helo,
    protocol,
    ...(tls === undefined ? {} : { tls: tls.protocol, cipher: tls.cipher }),
  };
}

/** One finding in a few words: `spf=pass example.com`, `virus=Eicar-Test-Signature`. */
export function findingWords(finding: Finding): string {
  switch (finding.kind) {
    case 'spf':
      return `spf=${finding.result} ${finding.domain}`;
    case 'dkim':
      return `dkim=${finding.result} ${finding.domain}${finding.aligned ? ' aligned' : ''}`;
    case 'dmarc':
      return `dmarc=${finding.result} ${finding.domain} p=${finding.policy}`;
    case 'arc':
      return `arc=${finding.result} ${finding.chain}`;
    case 'from':
      return `from=${finding.domains.join(',')}${finding.malformed ? ' malformed' : ''}${finding.count === 1 ? '' : ` count=${finding.count}`}`;
    case 'virus':
      return `virus=${finding.name} ${finding.engine}`;
    case 'spam':
      return `spam=${finding.score} ${finding.symbols
        .toSorted((a, b) => Math.abs(b.score) - Math.abs(a.score))
        .slice(0, 8)
        .map((symbol) => symbol.name)
        .join(',')}`;
    case 'attachment':
      return `attachment=${[...finding.inside, finding.name].join('/')} ${finding.trueType ?? finding.declaredType}${finding.traits.length > 0 ? ` ${finding.traits.join(',')}` : ''}`;
    case 'structure':
      return `structure=${finding.problem} ${finding.detail}`;
    case 'summary':
      return `summary=${finding.messageId}`;
    case 'poison':
      return `poison=${finding.detail}`;
    default:
      return assertNever(finding);
  }
}
