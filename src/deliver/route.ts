/**
 * From a recipient's domain to its next hop. Our relay domains go to their mail servers (`domain:office.example`), the rest
 * to the smarthost if there is one (`smarthost`), else to the domain's MX (`mx:example.com`). A domain that an operator sends
 * elsewhere for now has a hop of its own (`domain:office.example via 192.0.2.9:25`, `route:far.example via …`), so that no
 * open session of the old way is used for it; so has a single message (`domain:office.example to 192.0.2.9:25`). The key
 * names the hop in status, log and history. `findTargets` asks DNS and gives the addresses to try in order; it never throws.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Milliseconds } from '../base/brand.ts';
import type { Resolver } from '../base/resolver.ts';
import type { Config, MailServer, RelayDomain, Smarthost } from '../config/schema.ts';
import { SUBMISSIONS_PORT } from '../config/schema-parts.ts';
import type { Via } from '../spool/api.ts';
import { type Domain, domainOf, type ForwardPath, parseDomain } from '../mail/address.ts';
import { type Classified, ownWord } from './classify.ts';
import { isOwnAddress } from './own-addresses.ts';
import { type HostAddress, resolveDomain, resolveHost, shuffle } from './resolve.ts';
import { demandTls, outboundTls, type TlsDemand, type TlsPolicies } from './tls-policy.ts';

export type TlsMode = MailServer['tls'];
export type RouteKey = string;

export interface Target extends HostAddress {
  port: number;
  tls: TlsMode;
  /** TLS from the first octet instead of STARTTLS (RFC 8314 §3.3). */
  implicitTls?: boolean;
  /** RFC 4954: said before the first MAIL; `tls` is then required. */
  login?: Login;
  /** RFC 2033 instead of RFC 5321: one reply for each recipient after the data. */
  lmtp?: boolean;
  /** What the recipient's domain demands; `tls` is then required. */
  demand?: TlsDemand;
  /** What the configuration said of this way when it was found. */
  said?: MailServer | Smarthost | ReturnType<typeof outboundTls>;
}

export interface Login {
  user: string;
  password: string;
}

export type Targets = { targets: Target[] } | { failure: Classified };

/** Outbound ceiling for one destination (Postfix: default_destination_concurrency_limit). */
export const MX_CONCURRENCY = 20;

/** Where mail of the bare `postmaster` lives: the first of our domains. */
export function routingDomain(address: ForwardPath, config: Config): Domain | undefined {
  const own = domainOf(address);
  if (own !== undefined) return own;
  const first = config.domains[0];
  return first === undefined ? undefined : parseDomain(first.name);
}

/** A configuration is never changed in place, so its domains are parsed once. */
const relayDomains = new WeakMap<Config, ReadonlyMap<string, RelayDomain>>();

export function relayDomainOf(domain: string, config: Config): RelayDomain | undefined {
  let known = relayDomains.get(config);
  if (known === undefined) {
    known = new Map(config.domains.map((each) => [parseDomain(each.name) ?? each.name, each]));
    relayDomains.set(config, known);
  }
  return known.get(domain);
}

type Override = Config['delivery']['overrides'][number];

/** The last one said counts. */
function overrideOf(domain: string, config: Config): Override | undefined {
  const { overrides } = config.delivery;
  return overrides.length === 0 ? undefined : overrides.findLast((each) => each.domain === domain);
}

/** Of a key that names one: `domain:`, `route:`, `mx:`. */
export function domainOfKey(key: RouteKey): string {
  return key.slice(key.indexOf(':') + 1).split(' ', 1)[0] ?? '';
}

/** Does the configuration still send this hop's mail there? */
export function isRouted(key: RouteKey, config: Config): boolean {
  if (key === 'smarthost') return config.outbound.smarthost !== undefined;
  if (viaOfKey(key) !== undefined) return true; // an operator's word about messages, not the configuration's
  return routeKey(domainOfKey(key), config) === key;
}

/** `own`: where an operator sends the very message; it stands above what is said of the domain. */
export function routeKey(domain: string, config: Config, own?: Via): RouteKey {
  const via = own ?? overrideOf(domain, config);
  const suffix = own === undefined ? (via === undefined ? '' : ` via ${via.host}:${via.port}`) : ` to ${showVia(own)}`;
  if (relayDomainOf(domain, config) !== undefined) return `domain:${domain}${suffix}`;
  if (via !== undefined) return `route:${domain}${suffix}`;
  return config.outbound.smarthost === undefined ? `mx:${domain}` : 'smarthost';
}

/** `192.0.2.9:25`, `mail.example:24 lmtp`: in hop keys, views and trails. */
export function showVia({ host, port, protocol }: Via): string {
  return `${host}:${port}${protocol === 'lmtp' ? ' lmtp' : ''}`;
}

function viaOfKey(key: RouteKey): Via | undefined {
  const [, host, port, lmtp] = / to (\S+):(\d+)( lmtp)?$/.exec(key) ?? [];
  if (host === undefined) return undefined;
  return { host, port: Number(port), protocol: lmtp === undefined ? 'smtp' : 'lmtp' };
}

/** A hop that is ours to watch: it is probed while down, and its mail is kept untouched meanwhile. */
export function isOwnServer(key: RouteKey): boolean {
  return !key.startsWith('mx:');
}

export function isInboundHop(key: RouteKey): boolean {
  return key.startsWith('domain:');
}

export function concurrencyCeiling(key: RouteKey, config: Config): number {
  return isOwnServer(key) ? config.delivery.concurrencyPerHop : MX_CONCURRENCY;
}

/** Messages a minute for this hop; 0: no limit. */
export function paceOf(key: RouteKey, config: Config): number {
  const own = isInboundHop(key) ? relayDomainOf(domainOfKey(key), config)?.perMinute : undefined;
  return own ?? config.delivery.perMinutePerHop;
}

export function expiryOf(message: { kind: 'mail' | 'dsn'; key: RouteKey }, config: Config): Milliseconds {
  if (message.kind === 'dsn') return config.delivery.expireBounceMs;
  return isInboundHop(message.key) ? config.delivery.expireInboundMs : config.delivery.expireOutboundMs;
}

export interface TargetOptions {
  config: Config;
  resolver: Resolver;
  random: () => number;
  /** 25 (RFC 5321 §4.5.4.2); another one only in a laboratory. */
  mxPort?: number;
  /** 465, where TLS begins with the first octet; another one only in a laboratory. */
  submissionsPort?: number;
  /** What domains outside demand; without it nobody is asked. */
  policies?: TlsPolicies;
  /** Which addresses are this machine; the real ones when nothing is given. */
  isOwn?: (address: string) => boolean;
}

export async function findTargets(key: RouteKey, options: TargetOptions): Promise<Targets> {
  const { config } = options;
  if (key.startsWith('mx:')) {
    const port = options.mxPort ?? SMTP_PORT;
    // Only a port we answer ourselves can be a loop; a laboratory's other port on this machine is somebody else.
    const ours = port === SMTP_PORT || port === config.listeners.mx.port ? (options.isOwn ?? isOwnAddress) : undefined;
    const resolved = await resolveDomain(key.slice(3), {
      resolver: options.resolver,
      random: options.random,
      hostname: config.hostname,
      ...(ours === undefined ? {} : { isOwn: ours }),
    });
    if ('failure' in resolved) return resolved;
    const domain = key.slice(3);
    const said = outboundTls(domain, config);
    const targets = resolved.addresses.map((found) => ({ ...found, port, tls: said.tls, said }));
    const { policies } = options;
    return policies === undefined ? { targets } : demandTls(domain, targets, { config, policies });
  }
  const servers = serversOf(key, config);
  if (servers.length === 0)
    return { failure: ownWord('deferred', '4.3.5', `No mail server is configured for "${key}"`) };
  return findServers(servers, options);
}

/** Does the configuration still say of this way what it said? If not, a kept session of it serves no more. */
export function isStillMeant(key: RouteKey, { said }: Target, config: Config): boolean {
  if (key.startsWith('mx:')) return isDeepStrictEqual(said, outboundTls(key.slice(3), config));
  return serversOf(key, config).some((server) => server === said || isDeepStrictEqual(server, said));
}

const SMTP_PORT = 25;

function serversOf(key: RouteKey, config: Config): Array<MailServer | Smarthost> {
  if (key === 'smarthost') return config.outbound.smarthost === undefined ? [] : [config.outbound.smarthost];
  const domain = domainOfKey(key);
  const usual = relayDomainOf(domain, config)?.servers ?? [];
  const own = viaOfKey(key);
  if (own !== undefined) {
    // What may not go in clear the usual way may not by this one either.
    const strict = (usual[0]?.tls ?? config.outbound.tls) === 'required';
    return [{ protocol: 'smtp', ...own, priority: 0, tls: strict ? 'required' : 'opportunistic' }];
  }
  const via = overrideOf(domain, config);
  return via === undefined ? usual : [via];
}

/** Lower priority first, equal ones shuffled: they share the load. */
async function findServers(servers: ReadonlyArray<MailServer | Smarthost>, options: TargetOptions): Promise<Targets> {
  const ordered = shuffle(servers, options.random).toSorted((one, other) => one.priority - other.priority);
  const targets: Target[] = [];
  let failure: string | undefined;
  for (const server of ordered) {
    const found = await resolveHost(server.host, options);
    if ('failure' in found) failure ??= found.failure;
    else if (found.addresses.length === 0) failure ??= `Mail server "${server.host}" has no address`;
    else
      for (const each of found.addresses)
        targets.push({ ...each, port: server.port, ...manner(server, options), said: server });
  }
  if (targets.length > 0) return { targets };
  return { failure: ownWord('deferred', '4.4.3', failure ?? 'No mail server has an address') };
}

/** How a configured server is spoken to. */
function manner(
  server: MailServer | Smarthost,
  { submissionsPort = SUBMISSIONS_PORT }: TargetOptions,
): Pick<Target, 'tls' | 'lmtp' | 'implicitTls' | 'login'> {
  const { tls, port, protocol } = server;
  const { user, password } = { user: undefined, password: undefined, ...server };
  return {
    // RFC 4954 §4, RFC 8314 §4.1: who is not known to be the provider gets no password
    tls: password === undefined ? tls : 'required',
    ...(protocol === 'lmtp' ? { lmtp: true } : {}),
    ...(port === submissionsPort && tls !== 'off' ? { implicitTls: true } : {}),
    ...(user === undefined || password === undefined ? {} : { login: { user, password } }),
  };
}
