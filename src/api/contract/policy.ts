/** Policy: the level with its consequences, the single rules, the allow and block lists. All of it lies in the configuration. */
import { z } from 'zod';
import { operation } from './operation.ts';
import { configChange, count, text, time } from './shapes.ts';

/** custom: the settings are those of no level. */
export const LEVELS = ['watch', 'normal', 'strict'] as const;
const action = z.enum(['reject', 'quarantine', 'deliver']);

const score = z.number().min(-100).max(1000);

export const policyRules = z.strictObject({
  spam: z.strictObject({
    tag: z.number().min(-100).max(1000),
    quarantine: z.number().min(-100).max(1000),
    reject: z.number().min(-100).max(1000),
    subjectTag: z.string().max(40),
  }),
  /** Limits and a mark of their own for some recipients; the first row that names one counts, what it leaves out is as above. */
  spamFor: z
    .array(
      z.strictObject({
        /** Addresses, or `@domain` with all below it. */
        recipients: z.array(z.string().min(1).max(320)).min(1).max(1_000),
        tag: score.exactOptional(),
        quarantine: score.exactOptional(),
        reject: score.exactOptional(),
        subjectTag: z.string().max(40).exactOptional(),
      }),
    )
    .max(200),
  virus: z.enum(['reject', 'quarantine']),
  dmarc: z.enum(['honour', 'quarantine', 'ignore']),
  ownDomainFromOutside: action,
  suspiciousFrom: action,
  disguisedExecutable: action,
  executable: action,
  encryptedArchive: action,
  unscannable: action,
  trustedForwarders: z.array(z.string().max(253)).max(1_000),
  trustedSealers: z.array(z.string().max(253)).max(1_000),
});

export const listEntry = z.object({
  id: z.string(),
  /** An address, `@domain` (subdomains too), or a network of clients. */
  match: z.string(),
  kind: z.enum(['address', 'domain', 'network']),
  note: z.string(),
});
const lists = z.object({ allow: z.array(listEntry), block: z.array(listEntry) });
const which = z.enum(['allow', 'block']);

export const POLICY_OPERATIONS = {
  'policy.show': operation('GET', '/policy', {
    summary: { ja: 'ポリシー', en: 'Policy' },
    access: 'config.read',
    response: z.object({
      level: z.enum([...LEVELS, 'custom']),
      rules: policyRules,
      /** What each level means, in plain sentences, and its rules. */
      levels: z.array(
        z.object({ level: z.enum(LEVELS), title: text, consequences: z.array(text), rules: policyRules }),
      ),
      /** Since when nothing but viruses is stopped; absent unless the level is watch. */
      watchingSince: time.optional(),
    }),
  }),
  'policy.level': operation('PUT', '/policy/level', {
    summary: { ja: '保護の強さを選ぶ', en: 'Choose the level' },
    access: 'config.change',
    body: z.strictObject({ level: z.enum(LEVELS) }),
    response: configChange,
  }),
  'policy.update': operation('PATCH', '/policy', {
    summary: { ja: '個々の規則を変える', en: 'Change single rules' },
    access: 'config.change',
    body: policyRules.partial(),
    response: configChange,
  }),
  'policy.forecast': operation('GET', '/policy/forecast', {
    summary: {
      ja: 'しきい値を変えたらどうなるか',
      en: 'What thresholds would have done with the mail of the last days',
    },
    access: 'config.read',
    query: z.strictObject({
      tag: z.coerce.number().min(-100).max(1000),
      quarantine: z.coerce.number().min(-100).max(1000),
      reject: z.coerce.number().min(-100).max(1000),
    }),
    response: z.object({
      since: time,
      messages: count,
      current: z.object({ passed: count, tagged: count, quarantined: count, rejected: count }),
      proposed: z.object({ passed: count, tagged: count, quarantined: count, rejected: count }),
      /** Messages by score, `score` the lower end of each step. */
      histogram: z.array(z.object({ score: z.number(), messages: count })),
    }),
  }),
  'lists.show': operation('GET', '/policy/lists', {
    summary: { ja: '許可リストと拒否リスト', en: 'Allow and block lists' },
    access: 'config.read',
    response: lists,
  }),
  'lists.add': operation('POST', '/policy/lists/{list}', {
    summary: { ja: 'リストに加える', en: 'Add to a list' },
    access: 'lists.change',
    params: z.strictObject({ list: which }),
    body: z.strictObject({ match: z.string().min(1).max(320), note: z.string().max(200).default('') }),
    response: configChange,
  }),
  'lists.remove': operation('DELETE', '/policy/lists/{list}/{id}', {
    summary: { ja: 'リストから外す', en: 'Take from a list' },
    access: 'lists.change',
    params: z.strictObject({ list: which, id: z.string().min(1).max(100) }),
    response: configChange,
  }),
} as const;
