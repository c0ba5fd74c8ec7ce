/**
 * What no single key can tell: two keys that contradict each other, or settings that would make the gateway send mail to
 * itself or relay for the world. Pure; every problem at once.
 */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { Text } from '../base/i18n.ts';
import { domainToUnicode } from 'node:url';
import type { ConfigProblem, Place } from './problems.ts';
import { placeOf, showValue } from './problems.ts';
import type { Config, MailServer } from './schema.ts';
import { ADVICE } from './advice.ts';

export interface CrossCheckOptions {
  /** The machine's own addresses: a mail server on one of them and on a port of ours is ourselves. Loopback is known. */
  localAddresses?: readonly string[];
}

type Words = { message: Text; allowed?: Text; remedy: Text };

export function crossCheck(config: Config, options: CrossCheckOptions = {}): ConfigProblem[] {
  return [
    ...checkDomains(config, options),
    ...checkSmarthost(config, options),
    ...checkNetworks(config),
    ...checkPorts(config),
    ...checkTls(config),
    ...checkEngines(config),
  ];
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
    else problems.push(problem(['domains', index, 'name'], domain.name, duplicateDomain(domain.name, earlier)));
    if (domain.recipients.check === 'list' && domain.recipients.file === undefined)
      problems.push(problem(['domains', index, 'recipients', 'file'], undefined, LIST_WITHOUT_FILE));
    const servers = new Map<string, number>();
    for (const [at, server] of domain.servers.entries()) {
      const path = ['domains', index, 'servers', at];
      const key = `${server.host.toLowerCase()}:${server.port}`;
      const same = servers.get(key);
      if (same === undefined) servers.set(key, at);
      else problems.push(problem(path, `${server.host}:${server.port}`, duplicateServer(same)));
      const listener = isOurselves(server, config, options);
      if (listener !== undefined) problems.push(problem(path, `${server.host}:${server.port}`, loop(listener)));
    }
  }
  return problems;
}

function checkSmarthost(config: Config, options: CrossCheckOptions): ConfigProblem[] {
  const smarthost = config.outbound.smarthost;
  if (smarthost === undefined) return [];
  const listener = isOurselves(smarthost, config, options);
  if (listener === undefined) return [];
  return [problem(['outbound', 'smarthost'], `${smarthost.host}:${smarthost.port}`, loop(listener))];
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
      problems.push(problem(path, text, NOT_A_NETWORK));
      continue;
    }
    if (isPrivate(network)) continue;
    if (network.family === 4) publicV4 += 2 ** (32 - network.prefix);
    if (network.family === 4 ? network.prefix < 8 : network.prefix < 20) problems.push(problem(path, text, OPEN_RELAY));
  }
  if (problems.length === 0 && publicV4 > 2 ** 24)
    problems.push(problem(['listeners', 'relay', 'networks'], config.listeners.relay.networks, OPEN_RELAY));
  return problems;
}

interface Network {
  family: 4 | 6;
  /** 4 or 16 octets. */
  octets: number[];
  prefix: number;
}

export function parseNetwork(text: string): Network | undefined {
  const [address = '', length, ...rest] = text.split('/');
  if (rest.length > 0 || isIP(address) === 0) return undefined;
  const family = isIPv4(address) ? 4 : 6;
  const bits = family === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (length === '' || !Number.isInteger(prefix) || prefix > bits) return undefined;
  const octets = family === 4 ? address.split('.').map(Number) : octetsOfV6(address);
  // ::ffff:0:0/96 is IPv4 in its mapped form (RFC 4291 §2.5.5.2)
  if (family === 6 && prefix >= 96 && octets.slice(0, 12).join() === '0,0,0,0,0,0,0,0,0,0,255,255')
    return { family: 4, octets: octets.slice(12), prefix: prefix - 96 };
  return { family, octets, prefix };
}

function octetsOfV6(address: string): number[] {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const text =
    dotted === null
      ? address
      : address.slice(0, dotted.index) +
        [0, 2].map((i) => ((Number(dotted[i + 1]) << 8) | Number(dotted[i + 2])).toString(16)).join(':');
  const [head = '', tail] = text.split('::');
  const words = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16));
  const left = words(head);
  const right = words(tail ?? '');
  const zeros = tail === undefined ? [] : Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...zeros, ...right].flatMap((word) => [word >> 8, word & 255]);
}

const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '127.0.0.0/8', '169.254.0.0/16', '100.64.0.0/10']
  .concat(['fc00::/7', 'fe80::/10', '::1/128'])
  .map((text) => parseNetwork(text))
  .filter((network) => network !== undefined);

function isPrivate(network: Network): boolean {
  return PRIVATE.some(
    (range) => range.family === network.family && network.prefix >= range.prefix && sameBits(range, network),
  );
}

function sameBits(range: Network, network: Network): boolean {
  for (let bit = 0; bit < range.prefix; bit += 1) {
    const mask = 128 >> (bit & 7);
    if (((range.octets[bit >> 3] ?? 0) & mask) !== ((network.octets[bit >> 3] ?? 0) & mask)) return false;
  }
  return true;
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
    return earlier === undefined ? [] : [problem(later.path, later.port, portTaken(earlier.name))];
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
  return [problem(['tls', certificate === undefined ? 'certificate' : 'key'], undefined, HALF_TLS)];
}

function checkEngines(config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const [index, server] of config.dns.servers.entries())
    if (!isResolver(server)) problems.push(problem(['dns', 'servers', index], server, NOT_A_RESOLVER));
  const { url } = config.engines.rspamd;
  if (!url.startsWith('/') && !/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    problems.push(problem(['engines', 'rspamd', 'url'], url, NOT_A_URL));
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
  const a = parseNetwork(left);
  const b = parseNetwork(right);
  return a !== undefined && b !== undefined && a.family === b.family && a.octets.join() === b.octets.join();
}

function isLoopback(address: string): boolean {
  const network = parseNetwork(address);
  if (network === undefined) return false;
  return network.family === 4 ? network.octets[0] === 127 : sameAddress(address, '::1');
}

function isWildcard(address: string): boolean {
  return sameAddress(address, '0.0.0.0') || sameAddress(address, '::');
}

const LIST_WITHOUT_FILE: Words = {
  message: {
    en: 'Recipients are checked by a list, but no file is named',
    ja: '宛先を一覧で確認する設定ですが、一覧ファイルが指定されていません',
  },
  allowed: { en: 'the path of a text file, one address a line', ja: '1 行に 1 アドレスを書いたテキストファイルのパス' },
  remedy: {
    en: 'Name the file, or set "check" to "call-ahead"',
    ja: '「file」を指定するか、「check」を "call-ahead" にしてください',
  },
};
const OPEN_RELAY: Words = {
  message: {
    en: 'With these networks the whole Internet could send mail through this gateway (open relay)',
    ja: 'このネットワーク指定では、インターネット上の誰でもこのゲートウェイからメールを送れてしまいます（オープンリレー）',
  },
  allowed: ADVICE.network,
  remedy: {
    en: "List only the addresses of the office's own mail servers",
    ja: '社内メールサーバーのアドレスだけを列挙してください',
  },
};
const NOT_A_NETWORK: Words = {
  message: { en: 'This is not a network', ja: 'ネットワークとして読めません' },
  allowed: ADVICE.network,
  remedy: { en: 'Correct it or remove it', ja: '訂正するか取り除いてください' },
};
const HALF_TLS: Words = {
  message: {
    en: 'Certificate and key belong together, and one is missing',
    ja: '証明書と鍵は両方必要ですが、片方がありません',
  },
  allowed: { en: 'the path of a PEM file', ja: 'PEM ファイルのパス' },
  remedy: {
    en: 'Set both, or neither: then the gateway makes its own certificate',
    ja: '両方を指定してください。両方とも無ければゲートウェイが証明書を自分で作ります',
  },
};
const NOT_A_RESOLVER: Words = {
  message: { en: 'This is not the address of a DNS server', ja: 'DNS サーバーのアドレスとして読めません' },
  allowed: ADVICE.resolver,
  remedy: { en: 'Give an IP address: a name could not be looked up', ja: 'IP アドレスで指定してください' },
};
const NOT_A_URL: Words = {
  message: { en: 'This is neither a URL nor a path', ja: 'URL でもパスでもありません' },
  allowed: ADVICE.rspamdUrl,
  remedy: { en: 'Correct it', ja: '訂正してください' },
};

function duplicateDomain(name: string, earlier: number): Words {
  const shown = domainToUnicode(name) || name;
  return {
    message: {
      en: `The domain "${shown}" is there twice; first as domains.${earlier}`,
      ja: `ドメイン「${shown}」が重複しています（最初は domains.${earlier}）`,
    },
    remedy: { en: 'Keep one of the two', ja: 'どちらか一方だけを残してください' },
  };
}

function duplicateServer(earlier: number): Words {
  return {
    message: {
      en: `This mail server is already servers.${earlier}`,
      ja: `このメールサーバーは servers.${earlier} と同じです`,
    },
    remedy: { en: 'Remove one of the two', ja: 'どちらか一方を取り除いてください' },
  };
}

function loop(listener: 'mx' | 'relay'): Words {
  return {
    message: {
      en: `This is the gateway's own address (listeners.${listener}): mail would go round in a loop`,
      ja: `これはゲートウェイ自身のアドレス（listeners.${listener}）です。メールがループします`,
    },
    allowed: ADVICE.hostOrAddress,
    remedy: {
      en: 'Give address and port of the mail server behind the gateway',
      ja: 'ゲートウェイの後ろにあるメールサーバーのアドレスとポートを指定してください',
    },
  };
}

function portTaken(name: string): Words {
  return {
    message: { en: `${name} listens on this port already`, ja: `このポートは ${name} が使っています` },
    allowed: ADVICE.port,
    remedy: { en: 'Choose another port', ja: '別のポートを選んでください' },
  };
}
