/**
 * The one schema of the configuration: file, CLI, API and pages are checked by it. Every key has a default a small office
 * can live with; unknown keys are errors. Times are in the unit the key names; sizes in octets. Sources: DEFAULTS in docs.
 */
import { z } from 'zod';
import { LANGUAGES } from '../base/i18n.ts';
import { ADVICE } from './advice.ts';
import {
  address,
  domainName,
  forwarder,
  hostName,
  mailAddress,
  mailServer,
  ms,
  network,
  octets,
  port,
  smarthost,
  timer,
  tlsMode,
} from './schema-parts.ts';
import { senderList, spamFor } from './sender-list.ts';

const recipients = z.strictObject({
  /** How a recipient is known: list (a file), call-ahead (ask the mail server), any (take all). */
  check: z.enum(['call-ahead', 'list', 'any']).default('call-ahead'),
  /** One address or localpart a line, `#` comments; relative to the config file. */
  file: z.string().min(1).optional(),
  /** Mail server down and nothing in the cache: defer (450) or accept. Never refused. */
  whenUnknown: z.enum(['defer', 'accept']).default('defer'),
});

const relayDomain = z.strictObject({
  name: domainName,
  servers: z.array(mailServer).min(1),
  recipients: recipients.prefault({}),
  /** Messages a minute to these servers; 0: as many as they bear. Without it `delivery.perMinutePerHop` counts. */
  perMinute: z.number().int().min(0).max(1_000_000).optional(),
});

/** What to do with lone CR or LF: reject the message, or mend LF to CRLF. Lone CR and NUL are always refused. */
const lineEndings = z.enum(['reject', 'mend']);

const policyAction = z.enum(['reject', 'quarantine', 'deliver']);

export const configSchema = z.strictObject({
  version: z.literal(1).default(1),
  /** Language of notices, DSNs and the CLI. */
  language: z.enum(LANGUAGES).default('ja'),
  /** Our name in 220, EHLO, Received and Authentication-Results. */
  hostname: hostName.default('sekisho.localdomain'),
  listeners: z
    .strictObject({
      mx: z
        .strictObject({
          enabled: z.boolean().default(true),
          address: address.default('0.0.0.0'),
          port: port.default(25),
          bareLineFeed: lineEndings.default('reject'),
          maxSessions: z.number().int().min(1).max(10_000).default(1_000),
          maxSessionsPerAddress: z.number().int().min(1).default(20),
          maxSessionsPerNetwork: z.number().int().min(1).default(50),
          /** Who talks before the greeting is a spam engine: how long a client must wait for it. 0: greet at once. */
          greetingDelayMs: ms.max(30_000).default(100),
          /** Load balancers in front of us: they must begin each connection with a PROXY header (version 1 or 2). */
          proxyPeers: z.array(network).default([]),
          /** Filters and relays in front of us that may name their client by XCLIENT. */
          xclientPeers: z.array(network).default([]),
        })
        .prefault({}),
      relay: z
        .strictObject({
          enabled: z.boolean().default(true),
          address: address.default('127.0.0.1'),
          port: port.default(10_025),
          /** The office's own server(s): only these may send outward. */
          networks: z.array(network).default(['127.0.0.0/8', '::1']),
          bareLineFeed: lineEndings.default('mend'),
          maxSessions: z.number().int().min(1).max(10_000).default(200),
          greetingDelayMs: ms.max(30_000).default(0),
        })
        .prefault({}),
    })
    .prefault({}),
  tls: z
    .strictObject({
      /** PEM files; without them the gateway makes and keeps its own certificate. */
      certificate: z.string().min(1).optional(),
      key: z.string().min(1).optional(),
    })
    .prefault({}),
  accept: z
    .strictObject({
      /** Blocklists asked about each client of the MX listener; none unless chosen: nothing leaves the box before. */
      dnsbl: z
        .strictObject({
          /** Weights add up; a negative one speaks for the client. */
          zones: z
            .array(
              z.strictObject({
                zone: domainName.meta({ advice: ADVICE.zone }),
                weight: z.number().min(-100).max(100).default(1),
              }),
            )
            .max(20)
            .default([]),
          /** Refused from this sum on. */
          threshold: z.number().gt(0).max(1_000).default(1),
          /** Clients nobody is asked about. */
          allow: z.array(network).default([]),
        })
        .prefault({}),
    })
    .prefault({}),
  /** The domains we take mail for, and where their mail goes. */
  domains: z.array(relayDomain).default([]),
  outbound: z
    .strictObject({
      /** Everything outward goes here instead of by MX. */
      smarthost: smarthost.optional(),
      tls: tlsMode.default('opportunistic'),
      /** Hold servers outside to what their domain publishes under DNSSEC (RFC 7672). */
      dane: z.boolean().default(true),
      /** Hold them to their domain's policy file, fetched by HTTPS (RFC 8461). */
      mtaSts: z.boolean().default(true),
      /** Other words for single destinations. */
      destinations: z
        .array(
          z.strictObject({
            domain: domainName,
            tls: tlsMode.optional(),
            dane: z.boolean().optional(),
            mtaSts: z.boolean().optional(),
          }),
        )
        .max(1_000)
        .default([]),
    })
    .prefault({}),
  limits: z
    .strictObject({
      messageOctets: octets.min(65_536).default(52_428_800),
      recipientsPerMessage: z.number().int().min(1).max(10_000).default(500),
      messagesPerSession: z.number().int().min(1).default(100),
      receivedHops: z.number().int().min(5).max(1_000).default(50),
      headerOctets: octets.default(262_144),
      headerFields: z.number().int().min(10).default(1_000),
      mimeParts: z.number().int().min(10).default(1_000),
      mimeDepth: z.number().int().min(2).default(20),
      errorsPerSession: z.number().int().min(1).default(20),
      junkCommandsPerSession: z.number().int().min(1).default(10),
      /** Mailboxes that are none, asked for in one session; each costs a growing pause before. */
      unknownRecipientsPerSession: z.number().int().min(1).default(10),
      archiveDepth: z.number().int().min(0).default(5),
      archiveFiles: z.number().int().min(1).default(1_000),
      /** At most what clamd reads to its end (MaxFileSize): beyond, it would call a file in a zip clean unread. */
      archiveOctets: octets.max(314_572_800).default(268_435_456),
      archiveRatio: z.number().int().min(2).default(100),
    })
    .prefault({}),
  timeouts: z
    .strictObject({
      sessionIdleMs: timer.default(300_000),
      sessionTotalMs: timer.default(1_800_000),
      tlsHandshakeMs: timer.default(10_000),
      inspectionMs: timer.default(60_000),
      connectMs: timer.default(30_000),
      commandMs: timer.default(300_000),
      dataMs: timer.default(120_000),
      dataBlockMs: timer.default(180_000),
      finalDotMs: timer.default(600_000),
    })
    .prefault({}),
  policy: z
    .strictObject({
      spam: z
        .strictObject({
          tag: z.number().default(5),
          quarantine: z.number().default(8),
          reject: z.number().default(15),
          /** Put before the subject at `tag`. */
          subjectTag: z.string().max(40).default('[SPAM]'),
        })
        .refine((spam) => spam.tag <= spam.quarantine && spam.quarantine <= spam.reject, ADVICE.thresholds.en)
        .meta({ advice: ADVICE.thresholds })
        .prefault({}),
      /** Recipients for whom other limits and another mark hold, from outside; the first row that names one counts. */
      spamFor,
      virus: z.enum(['reject', 'quarantine']).default('reject'),
      /** honour: do what the author's domain publishes; quarantine: never refuse for it; ignore. */
      dmarc: z.enum(['honour', 'quarantine', 'ignore']).default('honour'),
      ownDomainFromOutside: policyAction.default('quarantine'),
      suspiciousFrom: policyAction.default('quarantine'),
      /**
       * Services that forward mail to us and check it before: networks of their servers, or domains for which SPF passes
       * (reverse-path, or HELO name when it is null). A DMARC fail of such mail is not acted on; every other rule holds.
       */
      trustedForwarders: z.array(forwarder).max(1_000).default([]),
      /**
       * ARC sealers (d= of ARC-Seal, subdomains too) whose word counts: where the chain passes and such a sealer, with none
       * but trusted ones after it, saw the author authenticated, a DMARC fail is not acted on and an own domain is vouched for.
       */
      trustedSealers: z
        .array(domainName.meta({ advice: ADVICE.sealer }))
        .max(1_000)
        .default([]),
      disguisedExecutable: policyAction.default('quarantine'),
      executable: policyAction.default('quarantine'),
      encryptedArchive: policyAction.default('deliver'),
      unscannable: policyAction.default('quarantine'),
      /** Senders the owner named himself; `blocked`: what the block list does. */
      lists: z
        .strictObject({
          allow: senderList,
          block: senderList,
          blocked: z.enum(['reject', 'quarantine']).default('reject'),
        })
        .prefault({}),
    })
    .prefault({}),
  engines: z
    .strictObject({
      clamd: z
        .strictObject({
          enabled: z.boolean().default(true),
          socket: z.string().min(1).default('/run/clamav/clamd.ctl'),
          timeoutMs: timer.default(30_000),
          concurrency: z.number().int().min(1).default(8),
        })
        .prefault({}),
      rspamd: z
        .strictObject({
          enabled: z.boolean().default(true),
          /** `http://127.0.0.1:11333`, or the path of a Unix socket. */
          url: z.string().min(1).meta({ advice: ADVICE.rspamdUrl }).default('http://127.0.0.1:11333'),
          /** rspamd's controller: reported messages are taught to it. Absent: they are only kept as samples. */
          learnUrl: z.string().min(1).exactOptional(),
          timeoutMs: timer.default(15_000),
          concurrency: z.number().int().min(1).default(8),
        })
        .prefault({}),
      inspect: z
        .strictObject({
          workers: z.number().int().min(1).max(16).default(1),
          timeoutMs: timer.default(30_000),
          memoryMiB: z.number().int().min(64).default(512),
        })
        .prefault({}),
      /** After a start engines may still be loading for this long: mail is committed as *incoming* meanwhile. */
      startingMs: ms.default(300_000),
    })
    .prefault({}),
  dns: z
    .strictObject({
      /** `address` or `address:port` of a validating resolver. */
      servers: z
        .array(z.string().min(1).meta({ advice: ADVICE.resolver }))
        .min(1)
        .default(['127.0.0.1']),
      timeoutMs: timer.default(3_000),
    })
    .prefault({}),
  delivery: z
    .strictObject({
      /** Pauses between attempts, ±10 %; the last one repeats. */
      retryMs: z
        .array(ms)
        .min(1)
        .default([60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000]),
      expireOutboundMs: ms.default(172_800_000),
      expireInboundMs: ms.default(604_800_000),
      expireBounceMs: ms.default(86_400_000),
      /** Outbound mail still not delivered after this long: its sender is told once. 0: never. */
      delayNoticeMs: ms.default(1_800_000),
      concurrencyPerHop: z.number().int().min(1).max(100).default(10),
      /** Messages a minute to one next hop; 0: as many as it bears. */
      perMinutePerHop: z.number().int().min(0).max(1_000_000).default(0),
      /** Where a domain's mail goes for now, whatever else is said of it ("sekisho queue route"). */
      overrides: z.array(mailServer.extend({ domain: domainName })).default([]),
      /** How often a mail server that is down is asked whether it is back. */
      probeMs: timer.default(10_000),
    })
    .prefault({}),
  spool: z
    .strictObject({
      /** Never below this many free octets, nor this share of the disk. */
      floorOctets: octets.default(536_870_912),
      floorPercent: z.number().min(0).max(90).default(10),
      /** Incoming messages that may wait for inspection. */
      maxIncoming: z.number().int().min(1).default(10_000),
    })
    .prefault({}),
  quarantine: z
    .strictObject({
      days: z.number().int().min(1).max(3_650).default(14),
      digest: z
        .strictObject({
          enabled: z.boolean().default(false),
          /** In the zone of the box. */
          at: z
            .array(
              z
                .string()
                .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/)
                .meta({ advice: ADVICE.hour }),
            )
            .min(1)
            .max(24)
            .default(['08:30', '16:30']),
        })
        .prefault({}),
    })
    .prefault({}),
  /** Trouble of the box itself, told by mail. */
  alerts: z.strictObject({ to: z.array(mailAddress).max(10).default([]) }).prefault({}),
  portal: z
    .strictObject({
      enabled: z.boolean().default(false),
      /** The box's packet filter lets only the networks inside to it, or everybody. */
      reach: z.enum(['inside', 'everywhere']).default('inside'),
      /** As users reach it, for the links in the digest: `https://mail.office.example:8443`. */
      url: z
        .string()
        .max(200)
        .regex(/^https:\/\/[^\s/?#@]+\/?$/)
        .meta({ advice: ADVICE.portalUrl })
        .optional(),
      /** What a user may deliver to himself: mail that only its spam score kept back, or nothing. */
      selfRelease: z.enum(['spam', 'none']).default('spam'),
      linkDays: z.number().int().min(1).max(90).default(7),
    })
    .prefault({}),
  /** The administration pages. */
  pages: z
    .strictObject({
      /** Besides host name and addresses. Any other name is refused: it may be somebody else's that points at us (rebinding). */
      names: z.array(hostName).max(20).default([]),
    })
    .prefault({}),
  history: z
    .strictObject({ days: z.number().int().min(1).max(3_650).default(400), subjects: z.boolean().default(true) })
    .prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
  metrics: z.strictObject({ address: address.default('127.0.0.1'), port: port.optional() }).prefault({}),
});

export type Config = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
export type RelayDomain = Config['domains'][number];
export type MailServer = RelayDomain['servers'][number];
export type Smarthost = NonNullable<Config['outbound']['smarthost']>;

/** All defaults: what an empty file means. */
export function defaultConfig(): Config {
  return configSchema.parse({});
}
