/**
 * May this client send to this recipient? Pure. We relay inward for the configured domains and outward for the office's
 * own servers, and nothing else; every spelling that some mail server reads as "pass it on to someone else" is refused
 * before the question is asked. What comes out is an address that means one mailbox to everybody.
 */
import { domainOf, type ForwardPath, localpartOf, parseDomain, parseForwardPath } from '../mail/address.ts';
import { type Reply, reply } from '../mail/reply.ts';
import type { Config, RelayDomain } from '../config/schema.ts';

export interface WelcomeRecipient {
  address: ForwardPath;
  /** Set when the domain is ours to relay for. */
  domain?: RelayDomain;
  /** RFC 5321 §4.5.1, RFC 2142: postmaster and abuse are there without asking anybody. */
  reserved: boolean;
}

const RESERVED = /^(?:postmaster|abuse)$/i;

export function relayDomainOf(config: Config, address: ForwardPath): RelayDomain | undefined {
  const name = domainOf(address);
  return config.domains.find((domain) => parseDomain(domain.name) === name);
}

/** `path` as it stood between the angle brackets. */
export function judgeRecipient(
  path: string,
  context: { config: Config; listener: 'mx' | 'relay'; smtpUtf8: boolean },
): WelcomeRecipient | Reply {
  const { config, listener } = context;
  if (path === '') return reply(553, '5.1.3', 'A recipient cannot be empty');
  if (RESERVED.test(path)) return bareReserved(path, config);
  // RFC 5321 §4.1.1.3 lets us ignore the route or refuse it; a route asks somebody to relay
  if (path.startsWith('@')) return reply(550, '5.7.1', 'Source routes are not accepted, relay denied');
  // RFC 6531 §3.7.4.2
  if (/[^\u0000-\u007f]/.test(path) && !context.smtpUtf8)
    return reply(553, '5.6.7', 'This address needs SMTPUTF8 in the MAIL command');
  if (unquotedAts(path) > 1) return reply(550, '5.7.1', 'More than one @ in the address, relay denied');
  const address = parseForwardPath(path);
  if (address === undefined) return reply(553, '5.1.3', 'Bad recipient address syntax');
  // RFC 5321 §2.3.5, §4.1.3: no domain ends in a number, and an address without its brackets is no literal
  if (/(?:^|\.)\d+$/.test(domainOf(address) ?? '')) return reply(553, '5.1.3', 'An address literal stands in brackets');
  const domain = relayDomainOf(config, address);
  if (domain === undefined) {
    if (listener === 'relay') return { address, reserved: false };
    // a box that was claimed and is not yet set up may stand where the office's mail comes in already: its trouble, not the sender's
    if (config.domains.length === 0) return notSetUp();
    return reply(550, '5.7.1', `We do not relay to ${shown(address)}, relay denied`);
  }
  // percent hack, UUCP path, a route in quotes: an address within an address, for the server behind us to unpack; also in the
  // wide and small forms that become the plain ones where it folds names (RFC 8265 §3.3 is one way to)
  if (/[%!@]/.test(localpartOf(address).normalize('NFKC')))
    return reply(550, '5.7.1', 'An address inside an address, relay denied');
  return { address, domain, reserved: RESERVED.test(localpartOf(address)) };
}

function bareReserved(path: string, config: Config): WelcomeRecipient | Reply {
  const [first] = config.domains;
  const address = first === undefined ? undefined : parseForwardPath(`${path}@${first.name}`);
  if (first === undefined || address === undefined) return notSetUp();
  return { address, domain: first, reserved: true };
}

/** RFC 3463 §3.4, X.3.5. */
function notSetUp(): Reply {
  return reply(450, '4.3.5', 'No domain is configured here yet, please try again later');
}

function unquotedAts(path: string): number {
  return path.replaceAll(/"(?:[^"\\]|\\.)*"/g, '').split('@').length - 1;
}

function shown(address: ForwardPath): string {
  return domainOf(address) ?? 'this address';
}
