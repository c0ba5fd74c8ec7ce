/** The office's domains, their mail servers, the way out, and the records the world must find in DNS. */
import { z } from 'zod';
import { operation } from './operation.ts';
import { configChange, count, domainName, mailAddress, step, text, time } from './shapes.ts';

export const mailServer = z.strictObject({
  host: z.string().min(1).max(253),
  port: z.number().int().min(1).max(65_535).default(25),
  priority: z.number().int().min(0).max(65_535).default(10),
  tls: z.enum(['opportunistic', 'required', 'off']).default('opportunistic'),
  protocol: z.enum(['smtp', 'lmtp']).default('smtp'),
});

export const relayDomain = z.strictObject({
  name: domainName,
  servers: z.array(mailServer).min(1).max(20),
  recipients: z
    .strictObject({
      check: z.enum(['call-ahead', 'list', 'any']).default('call-ahead'),
      file: z.string().min(1).max(1_000).exactOptional(),
      whenUnknown: z.enum(['defer', 'accept']).default('defer'),
    })
    .prefault({}),
  perMinute: z.number().int().min(0).max(1_000_000).exactOptional(),
});

const hopHealth = z.object({
  hop: z.string(),
  state: z.enum(['up', 'down', 'unknown']),
  waiting: count,
  active: count,
  detail: z.string().optional(),
});

export const PRODUCTS = [
  'exchange',
  'microsoft-365',
  'google',
  'postfix',
  'zimbra',
  'cybozu',
  'dovecot',
  'other',
] as const;
const probe = z.object({
  ok: z.boolean(),
  steps: z.array(step),
  product: z.enum(PRODUCTS).optional(),
  /** What to set in that product, in sentences. */
  hints: z.array(text),
});

export const dnsRecord = z.object({
  purpose: z.enum(['mx', 'a', 'aaaa', 'spf', 'dkim', 'dmarc', 'ptr', 'mta-sts', 'tls-rpt', 'autoconfig']),
  /** Full name, without the final dot. */
  name: z.string(),
  type: z.enum(['MX', 'A', 'AAAA', 'TXT', 'PTR', 'CNAME', 'SRV']),
  /** What to publish; empty when only the provider can (PTR of an address we do not know). */
  wanted: z.string(),
  /** What the world sees now. */
  found: z.array(z.string()),
  state: z.enum(['ok', 'missing', 'differs', 'unknown']),
  need: z.enum(['required', 'recommended', 'optional']),
  /** What it is for, and what happens without it. */
  text,
  remedy: text.optional(),
});

const byName = z.strictObject({ name: domainName });

export const DOMAIN_OPERATIONS = {
  'domains.list': operation('GET', '/domains', {
    summary: { ja: 'ドメインとメールサーバー', en: 'Domains and their mail servers' },
    access: 'config.read',
    response: z.object({
      domains: z.array(
        z.object({
          name: z.string(),
          /** As people read it: U-labels. */
          displayName: z.string(),
          servers: z.array(mailServer),
          recipients: z.object({
            check: z.enum(['call-ahead', 'list', 'any']),
            file: z.string().optional(),
            whenUnknown: z.enum(['defer', 'accept']),
          }),
          perMinute: count.optional(),
          health: z.array(hopHealth),
          /** Sent another way for now (POST /queue/route). */
          override: mailServer.optional(),
        }),
      ),
    }),
  }),
  'domains.create': operation('POST', '/domains', {
    summary: { ja: 'ドメインを追加する', en: 'Add a domain' },
    access: 'config.change',
    body: relayDomain,
    response: configChange,
  }),
  'domains.update': operation('PUT', '/domains/{name}', {
    summary: { ja: 'ドメインを変更する', en: 'Change a domain' },
    access: 'config.change',
    params: byName,
    body: relayDomain,
    response: configChange,
  }),
  'domains.delete': operation('DELETE', '/domains/{name}', {
    summary: { ja: 'ドメインを外す', en: 'Take no more mail for a domain' },
    access: 'config.change',
    params: byName,
    response: configChange,
  }),
  'domains.probe': operation('POST', '/domains/probe', {
    summary: { ja: 'メールサーバーを試す', en: 'Probe a mail server before it is saved' },
    access: 'config.change',
    change: false,
    deadlineMs: 70_000,
    /** `known`: a mailbox that exists there; without it only the refusal of an unknown one is tried. Nothing is sent. */
    body: z.strictObject({ server: mailServer, domain: domainName, known: mailAddress.exactOptional() }),
    response: probe,
  }),
  'domains.dns': operation('GET', '/domains/{name}/dns', {
    summary: { ja: '公開する DNS レコードと現在の状態', en: 'The records to publish, and what the world sees now' },
    access: 'config.read',
    deadlineMs: 60_000,
    params: byName,
    response: z.object({ domain: z.string(), checkedAt: time, records: z.array(dnsRecord) }),
  }),
  'outgoing.show': operation('GET', '/outgoing', {
    summary: { ja: '外への送り方', en: 'The way out' },
    access: 'config.read',
    response: z.object({
      way: z.enum(['direct', 'smarthost']),
      tls: z.enum(['opportunistic', 'required', 'off']),
      smarthost: mailServer
        .extend({ user: z.string().optional(), /** Never shown. */ hasPassword: z.boolean() })
        .optional(),
      /** Networks that may send outward through us. */
      networks: z.array(z.string()),
    }),
  }),
  'outgoing.update': operation('PUT', '/outgoing', {
    summary: { ja: '外への送り方を決める', en: 'Choose the way out' },
    access: 'config.change',
    body: z.discriminatedUnion('way', [
      z.strictObject({ way: z.literal('direct') }),
      z.strictObject({
        way: z.literal('smarthost'),
        smarthost: mailServer.extend({
          user: z.string().min(1).max(320).exactOptional(),
          /** Absent: the one that is kept. */
          password: z.string().min(1).max(500).exactOptional(),
        }),
      }),
    ]),
    response: configChange,
  }),
  'outgoing.networks': operation('PUT', '/outgoing/networks', {
    summary: { ja: '外へ送ってよい機器', en: 'Which addresses of the office may send outward' },
    access: 'config.change',
    body: z.strictObject({ networks: z.array(z.string().min(1).max(100)).max(100) }),
    response: configChange,
  }),
  'outgoing.probe': operation('POST', '/outgoing/probe', {
    summary: { ja: '外への送り方を試す', en: 'Probe the way out: port 25 (OP25B), or the smarthost and its login' },
    access: 'config.change',
    change: false,
    deadlineMs: 70_000,
    body: z.discriminatedUnion('way', [
      z.strictObject({
        way: z.literal('direct'),
        /** Whose mail servers are tried; one that is known to take mail. */ domain: domainName,
      }),
      z.strictObject({
        way: z.literal('smarthost'),
        smarthost: mailServer.extend({
          user: z.string().min(1).max(320).exactOptional(),
          password: z.string().min(1).max(500).exactOptional(),
        }),
      }),
    ]),
    response: probe,
  }),
} as const;
