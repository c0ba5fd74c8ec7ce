/**
 * What several keys of the schema share: ports, addresses, networks, names, and the next hop of a mail (a domain's server, the
 * smarthost with its login, an operator's override). Each with its advice, so that a mistake is told with an example.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseNetwork } from '../base/network.ts';
import { domainOf, parseDomain, parseForwardPath } from '../mail/address.ts';
import { ADVICE } from './advice.ts';

export const port = z.number().int().min(1).max(65_535).meta({ advice: ADVICE.port });
export const address = z
  .string()
  .refine((text) => isIP(text) !== 0, ADVICE.address.en)
  .meta({ advice: ADVICE.address });
export const network = z
  .string()
  .regex(/^[0-9a-fA-F:.]+(?:\/\d{1,3})?$/, ADVICE.network.en)
  .meta({ advice: ADVICE.network });
export const hostName = z
  .string()
  .regex(
    /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/,
    ADVICE.hostName.en,
  )
  .meta({ advice: ADVICE.hostName });
const hostOrAddress = z.union([hostName, address]).meta({ advice: ADVICE.hostOrAddress });
/** Any spelling goes in; what comes out is the lower-case A-label (mail/address), so that comparing is `===`. */
export const domainName = z
  .string()
  .min(1)
  .max(253)
  .transform((text, context): string => {
    const domain = parseDomain(text);
    if (domain !== undefined && !domain.startsWith('[')) return domain;
    context.addIssue({ code: 'custom', message: ADVICE.domainName.en });
    return z.NEVER;
  })
  .meta({ advice: ADVICE.domainName });
/** As it stands behind RCPT TO, with a domain; what comes out is the one spelling of it (mail/address). */
export const mailAddress = z
  .string()
  .min(3)
  .max(320)
  .transform((text, context): string => {
    const path = parseForwardPath(text);
    const domain = path === undefined ? undefined : domainOf(path);
    if (path !== undefined && domain !== undefined && !domain.startsWith('[')) return path;
    context.addIssue({ code: 'custom', message: ADVICE.mailAddress.en });
    return z.NEVER;
  })
  .meta({ advice: ADVICE.mailAddress });
/** A network as written, or a domain as `domainName` gives it. */
export const forwarder = z
  .string()
  .min(1)
  .max(253)
  .transform((text, context): string => {
    const network = parseNetwork(text);
    // a whole address family would be to trust everybody
    if (network !== undefined && network.bits > 0) return text;
    const domain = parseDomain(text);
    // `999.1.1.1` is a slip of the pen, not a domain
    if (domain !== undefined && !domain.startsWith('[') && !/(?:^|\.)\d+$/.test(domain)) return domain;
    context.addIssue({ code: 'custom', message: ADVICE.forwarder.en });
    return z.NEVER;
  })
  .meta({ advice: ADVICE.forwarder });
export const octets = z.number().int().min(0);
export const ms = z.number().int().min(0);
/** What a timer of the runtime can wait: 0 and more than 2^31 − 1 ms would both mean "at once", so that nothing is ever in time. */
export const timer = z.number().int().min(1).max(2_147_483_647);

/** TLS towards a next hop. opportunistic: STARTTLS when offered, any certificate; required: a valid certificate or deferred. */
export const TLS_MODES = ['opportunistic', 'required', 'off'] as const;
export const tlsMode = z.enum(TLS_MODES);

export const mailServer = z.strictObject({
  host: hostOrAddress,
  port: port.default(25),
  /** Lower is tried first; equal ones share. */
  priority: z.number().int().min(0).max(65_535).default(10),
  tls: tlsMode.default('opportunistic'),
  /** lmtp (RFC 2033): for a mail store such as Dovecot that takes mail without a queue of its own; one answer a recipient. */
  protocol: z.enum(['smtp', 'lmtp']).default('smtp'),
});

/** TLS from the first octet (RFC 8314 §3.3). */
export const SUBMISSIONS_PORT = 465;

/** RFC 4954: what the provider gave for its submission server. A control character is never part of one (RFC 4616 §2). */
const loginWord = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[^\u0000-\u001f\u007f]+$/, ADVICE.loginWord.en)
  .meta({ advice: ADVICE.loginWord });

/** Port 465 means TLS from the first octet (RFC 8314 §3.3). With a login TLS and a valid certificate are always demanded. */
export const smarthost = mailServer.extend({ user: loginWord.optional(), password: loginWord.optional() });
