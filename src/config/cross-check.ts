/**
 * What no single key can tell: two keys that contradict each other, or settings that would make the gateway send mail to
 * itself or relay for the world. Pure; every problem at once.
 */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { inNetworks, isLoopback, type Network, normaliseAddress, parseNetwork } from '../base/network.ts';
import * as words from './cross-check-words.ts';
import type { Words } from './cross-check-words.ts';
import type { ConfigProblem, Place } from './problems.ts';
import { placeOf, showValue } from './problems.ts';
import { HIDDEN } from './redact.ts';
import type { Config, MailServer, Smarthost } from './schema.ts';
import { SUBMISSIONS_PORT } from './schema-parts.ts';

export interface CrossCheckOptions {
  /** The machine's own addresses: a mail server on one of them and on a port of ours is ourselves. Loopback is known. */
  localAddresses?: readonly string[];
}

export function crossCheck(config: Config, options: CrossCheckOptions = {}): ConfigProblem[] {
  return [
    ...checkDomains(config, options),
    ...checkSmarthost(config, options),
    ...checkOverrides(config, options),
    ...checkNetworks(config),
    ...checkPeers(config),
    ...checkPorts(config),
    ...checkTls(config),
    ...checkEngines(config),
    ...checkSpamFor(config),
  ];
}

/** A row may leave limits out: only together with those for everybody do they rise or not. */
function checkSpamFor({ policy }: Config): ConfigProblem[] {
  return policy.spamFor.flatMap((row, index) => {
    const { tag, quarantine, reject } = { ...policy.spam, ...row };
    if (tag <= quarantine && quarantine <= reject) return [];
    return [problem(['policy', 'spamFor', index], `${tag}, ${quarantine}, ${reject}`, words.LIMITS_DO_NOT_RISE)];
  });
}

function problem(path: Place, value: unknown, words: Words): ConfigProblem {
  const found = showValue(value, path);
  return { path: placeOf(path), ...words, ...(found === undefined ? {} : { found }) };
}

function checkDomains(config: Config, options: CrossCheckOptions): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const first = new Map<string, number>();
  for (const [index, domain] of config.domains.entries()) {
    const earlier = first.get(domain.name);
    if (earlier === undefined) first.set(domain.name, index);
    else problems.push(problem(['domains', index, 'name'], domain.name, words.duplicateDomain(domain.name, earlier)));
    if (domain.recipients.check === 'list' && domain.recipients.file === undefined)
      problems.push(problem(['domains', index, 'recipients', 'file'], undefined, words.LIST_WITHOUT_FILE));
    const servers = new Map<string, number>();
    for (const [at, server] of domain.servers.entries()) {
      const path = ['domains', index, 'servers', at];
      const key = `${server.host.toLowerCase()}:${server.port}`;
      const same = servers.get(key);
      if (same === undefined) servers.set(key, at);
      else problems.push(problem(path, `${server.host}:${server.port}`, words.duplicateServer(same)));
      const listener = isOurselves(server, config, options);
      if (listener !== undefined) problems.push(problem(path, `${server.host}:${server.port}`, words.loop(listener)));
    }
  }
  return problems;
}

function checkSmarthost(config: Config, options: CrossCheckOptions): ConfigProblem[] {
  const smarthost = config.outbound.smarthost;
  if (smarthost === undefined) return [];
  const problems = checkLogin(smarthost);
  const listener = isOurselves(smarthost, config, options);
  if (listener !== undefined)
    problems.push(problem(['outbound', 'smarthost'], `${smarthost.host}:${smarthost.port}`, words.loop(listener)));
  return problems;
}

function checkLogin({ user, password, tls, port, protocol }: Smarthost): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const say = (key: string, value: unknown, told: Words): number =>
    problems.push(problem(['outbound', 'smarthost', key], value, told));
  if (password === HIDDEN) say('password', password, words.HIDDEN_PASSWORD);
  if ((user === undefined) !== (password === undefined))
    say(user === undefined ? 'user' : 'password', undefined, words.HALF_LOGIN);
  // RFC 4954 §4: a password in clear belongs to whoever listens; port 465 has no clear text at all.
  if (tls === 'off' && (user !== undefined || port === SUBMISSIONS_PORT)) say('tls', tls, words.LOGIN_IN_CLEAR);
  // RFC 2033 §5: LMTP is for a store next door, not for a provider
  if (protocol === 'lmtp' && user !== undefined) say('protocol', protocol, words.LMTP_LOGIN);
  return problems;
}

function checkOverrides(config: Config, options: CrossCheckOptions): ConfigProblem[] {
  return config.delivery.overrides.flatMap((server, index) => {
    const listener = isOurselves(server, config, options);
    if (listener === undefined) return [];
    return [problem(['delivery', 'overrides', index], `${server.host}:${server.port}`, words.loop(listener))];
  });
}

/** The listener that would take the mail we send to this server, if one would. */
function isOurselves(server: MailServer, config: Config, options: CrossCheckOptions): 'mx' | 'relay' | undefined {
  const host = server.host.toLowerCase();
  for (const name of ['mx', 'relay'] as const) {
    const listener = config.listeners[name];
    if (!listener.enabled || listener.port !== server.port) continue;
    if (host === config.hostname.toLowerCase()) return name;
    const target = host === 'localhost' || host.endsWith('.localhost') ? '127.0.0.1' : host;
    if (isIP(target) === 0) continue;
    if (sameAddress(target, listener.address)) return name;
    const own =
      isLoopback(target) || isWildcard(target) || (options.localAddresses ?? []).some((a) => sameAddress(a, target));
    if (own && isWildcard(listener.address)) return name;
    if (isWildcard(target) && isLoopback(listener.address)) return name; // connecting to 0.0.0.0 reaches loopback on Linux
  }
  return undefined;
}

/**
 * An open relay is found and abused within hours, and the office lands on every blocklist. Wide public networks, and many
 * small ones that add up, are refused; private ones (RFC 1918, RFC 4193, loopback, link-local, RFC 6598) may be of any size.
 */
function checkNetworks(config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  let publicV4 = 0;
  for (const [index, text] of config.listeners.relay.networks.entries()) {
    const path = ['listeners', 'relay', 'networks', index];
    const network = parseNetwork(text);
    if (network === undefined) {
      problems.push(problem(path, text, words.NOT_A_NETWORK));
      continue;
    }
    if (isPrivate(network)) continue;
    const four = network.address.kind() === 'ipv4';
    if (four) publicV4 += 2 ** (32 - network.bits);
    if (network.bits < (four ? 8 : 20)) problems.push(problem(path, text, words.OPEN_RELAY));
  }
  if (problems.length === 0 && publicV4 > 2 ** 24)
    problems.push(problem(['listeners', 'relay', 'networks'], config.listeners.relay.networks, words.OPEN_RELAY));
  return problems;
}

/** Who may say whom it speaks for could say anything: only a few known machines may, or private networks. */
function checkPeers(config: Config): ConfigProblem[] {
  const { proxyPeers, xclientPeers } = config.listeners.mx;
  const problems: ConfigProblem[] = [];
  for (const [place, networks, believed] of [
    [['listeners', 'mx', 'proxyPeers'], proxyPeers, true],
    [['listeners', 'mx', 'xclientPeers'], xclientPeers, true],
    [['accept', 'dnsbl', 'allow'], config.accept.dnsbl.allow, false],
  ] as const)
    for (const [index, text] of networks.entries()) {
      const network = parseNetwork(text);
      if (network === undefined) problems.push(problem([...place, index], text, words.NOT_A_NETWORK));
      else if (believed && !isPrivate(network) && network.bits < (network.address.kind() === 'ipv4' ? 16 : 32))
        problems.push(problem([...place, index], text, words.ANYBODY_BELIEVED));
    }
  return problems;
}

const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
  'fe80::/10',
  '::1/128',
].map((text) => ({ text, bits: Number(text.split('/')[1]) }));

function isPrivate(network: Network): boolean {
  const address = network.address.toString();
  return PRIVATE.some(({ text, bits }) => network.bits >= bits && inNetworks(address, [text]));
}

function checkPorts(config: Config): ConfigProblem[] {
  const { mx, relay } = config.listeners;
  const taken: Array<{ path: Place; address: string; port: number; name: string }> = [];
  if (mx.enabled)
    taken.push({ path: ['listeners', 'mx', 'port'], address: mx.address, port: mx.port, name: 'listeners.mx' });
  if (relay.enabled)
    taken.push({
      path: ['listeners', 'relay', 'port'],
      address: relay.address,
      port: relay.port,
      name: 'listeners.relay',
    });
  if (config.metrics.port !== undefined)
    taken.push({
      path: ['metrics', 'port'],
      address: config.metrics.address,
      port: config.metrics.port,
      name: 'metrics',
    });
  return taken.flatMap((later, index) => {
    const earlier = taken
      .slice(0, index)
      .find((other) => other.port === later.port && overlap(other.address, later.address));
    return earlier === undefined ? [] : [problem(later.path, later.port, words.portTaken(earlier.name))];
  });
}

function overlap(left: string, right: string): boolean {
  if (sameAddress(left, right)) return true;
  // "::" takes IPv4 too (IPV6_V6ONLY is off)
  if (left === '::' || right === '::') return true;
  return (left === '0.0.0.0' && isIPv4(right)) || (right === '0.0.0.0' && isIPv4(left));
}

function checkTls(config: Config): ConfigProblem[] {
  const { certificate, key } = config.tls;
  if ((certificate === undefined) === (key === undefined)) return [];
  return [problem(['tls', certificate === undefined ? 'certificate' : 'key'], undefined, words.HALF_TLS)];
}

function checkEngines(config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const [index, server] of config.dns.servers.entries())
    if (!isResolver(server)) problems.push(problem(['dns', 'servers', index], server, words.NOT_A_RESOLVER));
  const { url } = config.engines.rspamd;
  if (!url.startsWith('/') && !/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    problems.push(problem(['engines', 'rspamd', 'url'], url, words.NOT_A_URL));
  return problems;
}

function isResolver(text: string): boolean {
  if (isIP(text) !== 0) return true;
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return /^\[.+\]$/.test(text) && isIPv6(text.slice(1, -1));
  const port = Number(match[3]);
  return (match[1] === undefined ? isIPv4(match[2] ?? '') : isIPv6(match[1])) && port >= 1 && port <= 65_535;
}

function sameAddress(left: string, right: string): boolean {
  const address = normaliseAddress(left);
  return address !== undefined && address === normaliseAddress(right);
}

function isWildcard(address: string): boolean {
  return sameAddress(address, '0.0.0.0') || sameAddress(address, '::');
}
