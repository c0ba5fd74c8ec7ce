/**
 * What an inspector saw. Findings are facts, not verdicts: deciding is done elsewhere, and purely. An inspector that could
 * not look says so in `missing`; the absence of a finding never means "clean".
 */
import type { Domain } from './address.ts';

/** RFC 8601 §2.7 result words. */
export const SPF_RESULTS = ['none', 'neutral', 'pass', 'fail', 'softfail', 'temperror', 'permerror', 'policy'] as const;
export type SpfResult = (typeof SPF_RESULTS)[number];
export const DKIM_RESULTS = ['none', 'pass', 'fail', 'policy', 'neutral', 'temperror', 'permerror'] as const;
export type DkimResult = (typeof DKIM_RESULTS)[number];
export const DMARC_RESULTS = ['none', 'pass', 'fail', 'temperror', 'permerror'] as const;
export type DmarcResult = (typeof DMARC_RESULTS)[number];
export const ARC_RESULTS = ['none', 'pass', 'fail', 'temperror', 'permerror'] as const;
export type ArcResult = (typeof ARC_RESULTS)[number];
export const DMARC_POLICIES = ['none', 'quarantine', 'reject'] as const;
export type DmarcPolicy = (typeof DMARC_POLICIES)[number];

/** How a file is dangerous, or hides. One word for each, used in header, log, metric, page and test. */
export const ATTACHMENT_TRAITS = ['executable', 'script', 'disguised', 'encrypted', 'unscannable', 'archive'] as const;
/**
 * executable: its bytes are a program · script: a type that runs when opened · disguised: its bytes are executable and its
 * name or declared type says something harmless · encrypted: a locked archive or entry · unscannable: beyond the limits ·
 * archive: a container that was listed.
 */
export type AttachmentTrait = (typeof ATTACHMENT_TRAITS)[number];

export type Finding =
  | { kind: 'spf'; result: SpfResult; domain: string; helo: string; explanation?: string }
  | { kind: 'dkim'; result: DkimResult; domain: Domain; selector: string; aligned: boolean; explanation?: string }
  | { kind: 'dmarc'; result: DmarcResult; policy: DmarcPolicy; domain: string; explanation?: string }
  /** `sealer`: of the newest set. `sets`: of a chain that passes and covers the whole body, the newest ten, oldest first. */
  | { kind: 'arc'; result: ArcResult; chain: number; sealer?: string; sets?: ArcSet[] }
  /** The author's domain(s) of the header From, and what is odd about the field. `domains` are lower-case A-labels. */
  | { kind: 'from'; count: number; domains: string[]; malformed: boolean; text: string }
  | { kind: 'virus'; engine: 'clamd' | 'rspamd'; name: string }
  | { kind: 'spam'; engine: 'rspamd'; score: number; symbols: SpamSymbol[] }
  | {
      kind: 'attachment';
      /** As decoded, for people; may be empty. */
      name: string;
      /** The names of the archives and messages around it, outermost first. */
      inside: string[];
      declaredType: string;
      /** What its bytes are, or undefined when unknown. */
      trueType?: string;
      size: number;
      traits: AttachmentTrait[];
    }
  /** More parts or depth than we follow, or MIME that cannot be parsed. */
  | { kind: 'structure'; problem: 'too-complex' | 'malformed'; detail: string }
  /** Subject and Message-ID as a person reads them, for history and quarantine; empty when absent. */
  | { kind: 'summary'; subject: string; messageId: string; from: string }
  /** A worker died or stalled on this message twice. */
  | { kind: 'poison'; detail: string };

/** One hop of an ARC chain (RFC 8617 §4): who sealed it, and what its ARC-Authentication-Results said of the message. */
export interface ArcSet {
  sealer: string;
  said: ArcStatement[];
}

/** `domain`: the identity the method looked at (smtp.mailfrom or smtp.helo, header.d, header.from); empty when not told. */
export interface ArcStatement {
  method: 'spf' | 'dkim' | 'dmarc';
  result: string;
  domain: string;
}

/** RFC 5322 §3.6: exactly one From field; more than one author domain leaves nobody to hold to it (RFC 9989 §5.3.1). */
export function isSuspiciousFrom(finding: Extract<Finding, { kind: 'from' }>): boolean {
  return finding.count !== 1 || finding.malformed || new Set(finding.domains).size !== 1;
}

export type FindingKind = Finding['kind'];

export interface SpamSymbol {
  name: string;
  score: number;
  description?: string;
}

export const INSPECTORS = ['authentication', 'antivirus', 'spam', 'structure'] as const;
export type InspectorName = (typeof INSPECTORS)[number];

/** Why an inspector could not look. starting: ≤ 5 min after its start · timeout: missed its deadline · down: health says so. */
export type MissingReason = 'starting' | 'timeout' | 'down' | 'error';

export interface MissingInspection {
  inspector: InspectorName;
  reason: MissingReason;
  detail: string;
}

export interface Inspection {
  findings: Finding[];
  /** Empty when everything was looked at. */
  missing: MissingInspection[];
  /** Milliseconds each inspector took. */
  elapsed: Partial<Record<InspectorName, number>>;
}
