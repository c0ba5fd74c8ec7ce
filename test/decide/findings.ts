/** Short words for findings, so that the tables read like sentences. */
import type { ReversePath } from '../../src/mail/address.ts';
import { type Domain, parseDomain, parseForwardPath, parseReversePath } from '../../src/mail/address.ts';
import type { Envelope, Origin } from '../../src/mail/envelope.ts';
import type {
  AttachmentTrait,
  DkimResult,
  DmarcPolicy,
  DmarcResult,
  Finding,
  Inspection,
  InspectorName,
  SpfResult,
} from '../../src/mail/finding.ts';

type Of<Kind extends Finding['kind']> = Extract<Finding, { kind: Kind }>;

export function domain(text: string): Domain {
  const parsed = parseDomain(text);
  if (parsed === undefined) throw new TypeError(`"${text}" is no domain`);
  return parsed;
}

export function spf(result: SpfResult, name: string): Of<'spf'> {
  return { kind: 'spf', result, domain: name, helo: 'client.example' };
}

export function dkim(result: DkimResult, name: string, aligned = true): Of<'dkim'> {
  return { kind: 'dkim', result, domain: domain(name), selector: 's1', aligned };
}

export function dmarc(result: DmarcResult, name: string, policy: DmarcPolicy = 'none'): Of<'dmarc'> {
  return { kind: 'dmarc', result, policy, domain: name };
}

/** A chain that passes, the oldest set first: `[sealer, 'dmarc=pass example.com', …]`. */
export function arc(...sets: Array<[sealer: string, ...said: string[]]>): Of<'arc'> {
  const sealer = sets.at(-1)?.[0] ?? '';
  return {
    kind: 'arc',
    result: 'pass',
    chain: sets.length,
    sealer,
    sets: sets.map(([name, ...said]) => ({
      sealer: name,
      said: said.map((text) => {
        const [method, result = '', about = ''] = text.split(/[= ]/);
        if (method !== 'spf' && method !== 'dkim' && method !== 'dmarc') throw new TypeError(`"${text}"`);
        return { method, result, domain: about };
      }),
    })),
  };
}

/** One From field naming these domains; none when there are none. */
export function from(...domains: string[]): Of<'from'> {
  const text = domains.map((name) => `someone@${name}`).join(', ');
  return { kind: 'from', count: domains.length === 0 ? 0 : 1, domains, malformed: false, text };
}

export function virus(name: string): Of<'virus'> {
  return { kind: 'virus', engine: 'clamd', name };
}

export function spam(score: number): Of<'spam'> {
  return { kind: 'spam', engine: 'rspamd', score, symbols: [{ name: 'TEST', score }] };
}

export function attachment(name: string, traits: AttachmentTrait[]): Of<'attachment'> {
  return { kind: 'attachment', name, inside: [], declaredType: 'application/octet-stream', size: 1_000, traits };
}

export function complex(): Of<'structure'> {
  return { kind: 'structure', problem: 'too-complex', detail: '1,001 parts' };
}

export function badMime(): Of<'structure'> {
  return { kind: 'structure', problem: 'malformed', detail: 'no end of a part' };
}

export function poison(): Of<'poison'> {
  return { kind: 'poison', detail: 'SIGSEGV twice' };
}

export function inspection(findings: Finding[], missing: InspectorName[] = []): Inspection {
  return {
    findings,
    missing: missing.map((inspector) => ({ inspector, reason: 'down', detail: 'stopped' })),
    elapsed: {},
  };
}

export function envelope(recipients: string[], reverse = 'hanako@example.com'): Envelope {
  const reversePath: ReversePath | undefined = parseReversePath(reverse);
  if (reversePath === undefined) throw new TypeError(`"${reverse}" is no reverse-path`);
  return {
    reversePath,
    recipients: recipients.map((text) => {
      const address = parseForwardPath(text);
      if (address === undefined) throw new TypeError(`"${text}" is no forward-path`);
      return { address };
    }),
    smtpUtf8: false,
    eightBit: false,
  };
}

export function origin(listener: Origin['listener'] = 'mx'): Origin {
  return {
    direction: listener === 'mx' ? 'inbound' : 'outbound',
    listener,
    sessionId: 's1',
    clientAddress: '192.0.2.1',
    helo: 'client.example',
    protocol: 'ESMTP',
  };
}
