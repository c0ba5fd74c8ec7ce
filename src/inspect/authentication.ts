/**
 * SPF, DKIM, DMARC and ARC by mailauth, in its strict mode (RFC 7208, 6376, 8301, 9989, 8617 as written). mailauth caps
 * nothing, so it is capped here: 8 signatures, a header within the limits, a resolver with an end. Trouble with DNS is
 * temperror, never fail. A signature with `l=` leaves room for words of a stranger's: it counts as *policy*, not as pass.
 */
import { Readable } from 'node:stream';
import { authenticate, dkimVerify, dmarc as verifyDmarc } from 'mailauth';
import type { AuthenticateOptions, AuthenticateResult, DKIMResult, DMARCResult } from 'mailauth';
import { parseDomain } from '../mail/address.ts';
import {
  DKIM_RESULTS,
  type DkimResult,
  DMARC_POLICIES,
  DMARC_RESULTS,
  type Finding,
  isSuspiciousFrom,
  SPF_RESULTS,
} from '../mail/finding.ts';
import type { HeaderSection } from '../mail/header.ts';
import { arcFinding } from './arc.ts';
import { analyseFrom, type FromFinding } from './from.ts';
import type { MessageStore } from './message-store.ts';
import type { WorkerJob } from './protocol.ts';
import type { RecordingResolver } from './worker-dns.ts';

/** Each costs a key lookup and a verification. */
export const MAX_SIGNATURES = 8;

/**
 * RFC 6376 §6.1.1, §6.1.2 PERMFAIL: what is wrong is the key, or a required field is not signed. mailauth calls it neutral,
 * which RFC 8601 §2.7.1 keeps for syntax errors; "unrecoverable" is permerror there.
 */
const UNRECOVERABLE = new Set([
  'no key',
  'unknown key version',
  'unknown key type',
  'invalid public key',
  'inappropriate hash algorithm',
  'inappropriate key algorithm',
  'key not for email',
  'domain mismatch',
  'From field not signed',
]);

export interface AuthenticationInput {
  facts: WorkerJob;
  store: MessageStore;
  header: HeaderSection;
  resolver: RecordingResolver;
  /** The header is beyond the limits: nothing is verified. */
  tooComplex: boolean;
}

/** What DMARC builds on. */
interface Checked {
  resolver: RecordingResolver;
  spf: SpfFinding;
  dkim: DkimFinding[];
  from: FromFinding;
}

type SpfFinding = Extract<Finding, { kind: 'spf' }>;
type DmarcFinding = Extract<Finding, { kind: 'dmarc' }>;
type DkimFinding = Extract<Finding, { kind: 'dkim' }>;

/** The finding about the header From first, then those of the methods. */
export async function authenticateMessage(input: AuthenticationInput): Promise<Finding[]> {
  const { facts, header, resolver, store } = input;
  const relayed = facts.listener !== 'mx';
  const from = analyseFrom(header);
  // Nothing was looked at: no result word of SPF, DKIM, DMARC or ARC would be true, nor that there is no From
  if (input.tooComplex) return from.count === 0 ? [] : [from];
  const signatures = header.fields.filter((field) => field.key === 'dkim-signature');
  const surplus = signatures.slice(MAX_SIGNATURES);
  const note =
    surplus.length === 0
      ? undefined
      : `Only the first ${MAX_SIGNATURES} of ${signatures.length} signatures were verified`;
  const sealed = header.fields.some((field) => field.key === 'arc-message-signature');
  if (relayed && signatures.length === 0) return [from];
  // Without a signature nobody vouches for the body: the header is all that SPF and DMARC look at.
  const message =
    signatures.length === 0 && !sealed
      ? Readable.from([await store.head(header.bodyStart)], { objectMode: false })
      : store.stream(surplus.map((field) => [field.start, field.end] as const));
  if (relayed) {
    const { results } = await dkimVerify(message, { resolver: resolver.resolve, strict: true });
    return [from, ...dkimFindings(results, note)];
  }
  const result = await authenticate(message, mailauthOptions(facts, resolver));
  const dkim = dkimFindings(result.dkim.results, note);
  const spf = spfFinding(result, facts);
  const dmarc = await dmarcFinding(result, { resolver, spf, dkim, from });
  // Two programs that read two authors are what a forger is after ("Composition Kills"): here they are mailauth and from.ts
  const agreed = isSuspiciousFrom(from) || from.domains[0] === dmarc.domain;
  return [agreed ? from : { ...from, malformed: true }, spf, ...dkim, dmarc, arcFinding(result, resolver)];
}

function mailauthOptions(facts: WorkerJob, resolver: RecordingResolver): AuthenticateOptions {
  const options: AuthenticateOptions & { maxElapsedTime: number } = {
    ip: facts.clientAddress,
    helo: facts.helo,
    mta: facts.hostname,
    trustReceived: false,
    disableBimi: true,
    strict: true,
    resolver: resolver.resolve,
    // RFC 7208 §4.6.4 asks for at least 20 s where there is time; ours is the inspector's
    maxElapsedTime: Math.max(1_000, facts.budgetMs),
    // RFC 7208 §2.4: with the null reverse-path the HELO identity is checked, which mailauth does when there is no sender
    ...(facts.reversePath === '' ? {} : { sender: facts.reversePath }),
  };
  return options;
}

function spfDomain(facts: WorkerJob): string {
  return facts.reversePath === ''
    ? facts.helo.slice(0, 500)
    : facts.reversePath.slice(facts.reversePath.lastIndexOf('@') + 1);
}

function spfFinding(result: AuthenticateResult, facts: WorkerJob): SpfFinding {
  const spf = result.spf;
  const comment = spf === false ? undefined : spf.status.comment;
  return {
    kind: 'spf',
    result: spf === false ? 'none' : wordOf(SPF_RESULTS, spf.status.result, 'temperror'),
    domain: (spf === false ? '' : (parseDomain(spf.domain) ?? '')) || spfDomain(facts),
    helo: facts.helo.slice(0, 500),
    ...explained(comment?.replace(`${facts.hostname}: `, '')),
  };
}

function dkimFindings(results: DKIMResult[], note: string | undefined): DkimFinding[] {
  return results.flatMap((result): DkimFinding[] => {
    const domain = parseDomain(result.signingDomain ?? '');
    if (domain === undefined) return []; // `none`, or a signature that names no domain: it speaks for nobody
    const partial = result.status.result === 'pass' && result.canonBodyLengthLimited === true;
    const word = partial ? 'policy' : dkimWord(result);
    const why = partial
      ? `The signature covers ${result.canonBodyLengthLimit ?? 0} octets of the body only (l=)`
      : undefined;
    return [
      {
        kind: 'dkim',
        result: word,
        domain,
        selector: (result.selector ?? '').slice(0, 200),
        aligned: typeof result.status.aligned === 'string',
        ...explained([why ?? result.status.comment, note].filter((text) => text !== undefined).join('; ')),
      },
    ];
  });
}

function dkimWord({ status }: DKIMResult): DkimResult {
  const word = wordOf(DKIM_RESULTS, status.result, 'permerror');
  return word === 'neutral' && UNRECOVERABLE.has(String(status.comment)) ? 'permerror' : word;
}

async function dmarcFinding(result: AuthenticateResult, checked: Checked): Promise<DmarcFinding> {
  let dmarc = result.dmarc;
  if (dmarc === false || dmarc === undefined) {
    // RFC 9989 §5.3.1: none or several author domains. The `from` finding says what is odd.
    const explanation = `DMARC cannot be evaluated (${result.dmarcSkipReason ?? 'no author domain'})`;
    return { kind: 'dmarc', result: 'permerror', policy: 'none', domain: '', explanation };
  }
  if (dmarc.status.result === 'pass' && checked.dkim.some((finding) => finding.result === 'policy')) {
    dmarc = (await withoutPartialSignatures(result, checked.resolver)) || dmarc;
  }
  const author = parseDomain(dmarc.status.header?.from ?? '') ?? '';
  const word = wordOf(DMARC_RESULTS, dmarc.status.result, 'none');
  const policy = DMARC_POLICIES.find((known) => known === dmarc.policy) ?? 'none';
  const finding = { kind: 'dmarc', policy, domain: author } as const;
  const unsure = word === 'fail' ? undecided(dmarc, checked) : undefined;
  if (unsure !== undefined) return { ...finding, result: 'temperror', explanation: unsure };
  // RFC 9989 §5.3.1: without one author that everybody reads alike there is nobody to be genuine; what fails still fails
  const odd = isSuspiciousFrom(checked.from) || checked.from.domains[0] !== author;
  if (odd && (word === 'pass' || word === 'none')) {
    return { ...finding, result: 'permerror', explanation: 'The From field can be read in more than one way' };
  }
  return { ...finding, result: word, ...explained(dmarc.error ?? dmarc.status.comment) };
}

/** Evaluates again without the signatures that cover a part of the body only. */
async function withoutPartialSignatures(
  result: AuthenticateResult,
  resolver: RecordingResolver,
): Promise<DMARCResult | false> {
  const whole = result.dkim.results.filter(
    (signature) => signature.status.result === 'pass' && signature.canonBodyLengthLimited !== true,
  );
  const spfPassed = result.spf !== false && result.spf.status.result === 'pass';
  return await verifyDmarc({
    headerFrom: result.dkim.headerFrom,
    fromFields: result.dkim.fromFields,
    spfDomains: spfPassed && result.spf !== false ? [result.spf.domain] : [],
    dkimDomains: whole.map((signature) => ({
      domain: signature.signingDomain ?? '',
      ...(signature.id === undefined ? {} : { id: signature.id }),
    })),
    resolver: resolver.resolve,
    strict: true,
  });
}

/** RFC 9989 (and 7489 §6.6.2): what might have passed and aligned, had DNS answered, leaves the question open. */
function undecided(dmarc: DMARCResult, checked: Checked): string | undefined {
  const org = dmarc.domain.toLowerCase();
  const within = (domain: string): boolean => domain === org || domain.endsWith(`.${org}`);
  if (checked.spf.result === 'temperror' && within(checked.spf.domain)) return 'SPF could not be checked';
  const open = checked.dkim.find((signature) => signature.result === 'temperror' && within(signature.domain));
  return open === undefined ? undefined : `The DKIM key of ${open.domain} could not be fetched`;
}

function wordOf<Word extends string>(words: readonly Word[], word: string, otherwise: Word): Word {
  return words.find((known) => known === word) ?? otherwise;
}

function explained(text: string | false | undefined): { explanation?: string } {
  if (typeof text !== 'string' || text === '') return {};
  return { explanation: text.replaceAll(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, 500) };
}
