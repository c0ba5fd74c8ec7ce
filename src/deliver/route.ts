/**
 * From a recipient's domain to its next hop. Our relay domains go to their mail servers (`domain:office.example`), the rest
 * to the smarthost if there is one (`smarthost`), else to the domain's MX (`mx:example.com`). The key names the hop in
 * status, log and history. `findTargets` asks DNS and gives the addresses to try in order; it never throws.
 */
import type { Milliseconds } from '../base/brand.ts';
import type { Resolver } from '../base/resolver.ts';
import type { Config, MailServer, RelayDomain } from '../config/schema.ts';
import { type Domain, domainOf, type ForwardPath, parseDomain } from '../mail/address.ts';
import { type Classified, ownWord } from './classify.ts';
import { type HostAddress, resolveDomain, resolveHost, shuffle } from './resolve.ts';

export type TlsMode = MailServer['tls'];
export type RouteKey = string;

export interface Target extends HostAddress {
  port: number;
  tls: TlsMode;
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

export function routeKey(domain: string, config: Config): RouteKey {
  if (relayDomainOf(domain, config) !== undefined) return `domain:${domain}`;
  return config.outbound.smarthost === undefined ? `mx:${domain}` : 'smarthost';
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
}

export async function findTargets(key: RouteKey, options: TargetOptions): Promise<Targets> {
  const { config } = options;
  if (key.startsWith('mx:')) {
    const resolved = await resolveDomain(key.slice(3), { ...options, hostname: config.hostname });
    if ('failure' in resolved) return resolved;
    return {
      targets: resolved.addresses.map((found) => ({
        ...found,
        port: options.mxPort ?? SMTP_PORT,
        tls: config.outbound.tls,
      })),
    };
  }
  const servers =
    key === 'smarthost' ? smarthosts(config) : (relayDomainOf(key.slice('domain:'.length), config)?.servers ?? []);
  if (servers.length === 0)
    return { failure: ownWord('deferred', '4.3.5', `No mail server is configured for "${key}"`) };
  return findServers(servers, options);
}

const SMTP_PORT = 25;

function smarthosts(config: Config): MailServer[] {
  return config.outbound.smarthost === undefined ? [] : [config.outbound.smarthost];
}

/** Lower priority first, equal ones shuffled: they share the load. */
async function findServers(servers: readonly MailServer[], options: TargetOptions): Promise<Targets> {
  const ordered = shuffle(servers, options.random).toSorted((one, other) => one.priority - other.priority);
  const targets: Target[] = [];
  let failure: string | undefined;
  for (const server of ordered) {
    const found = await resolveHost(server.host, options);
    if ('failure' in found) failure ??= found.failure;
    else if (found.addresses.length === 0) failure ??= `Mail server "${server.host}" has no address`;
    else for (const each of found.addresses) targets.push({ ...each, port: server.port, tls: server.tls });
  }
  if (targets.length > 0) return { targets };
  return { failure: ownWord('deferred', '4.4.3', failure ?? 'No mail server has an address') };
}
