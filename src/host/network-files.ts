/**
 * The machine's network settings as files: systemd-networkd's units, unbound's forwarders, chrony's sources, nftables' sets.
 * Pure: settings in, texts out. Every value was checked by the contract's schema; nothing else gets into a file.
 */
import type { SignatureSettings } from '../control/signature-shapes.ts';
import {
  interfaceKey,
  type InterfaceSettings,
  type NetworkSettings,
  type PortalReach,
} from '../control/host-shapes.ts';

export interface NetworkFiles {
  /** Below networkd's folder. */
  networkd: ReadonlyMap<string, string>;
  /** Forward zones for unbound; with no resolver named it asks the root servers itself. */
  unbound: string;
  /** A `.sources` file for chrony. */
  chrony: string;
  /** For `nft -f -`. */
  inside: string;
}

/**
 * As rootfs has it for a new box (RFC 3927). A fixed one: networkd's own way to such an address ends as soon as DHCP gives another.
 * It looks first whether somebody else has it (RFC 5227) and goes without it then.
 */
const OWN_ADDRESS = '169.254.25.25';
/** Where neither DHCP answers nor the fixed one is free. */
const NEXT_ADDRESS = '169.254.25.26';
const HEAD = '# Written by the host from its settings.\n';
/** What is nobody's on the Internet: pages are answered from here unless prefixes are named. */
const PRIVATE = {
  inside4: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16'],
  inside6: ['fc00::/7', 'fe80::/10'],
};

/**
 * Domains of offices that the Internet will never have (RFC 6762 App. G, RFC 8375, "internal" by ICANN's resolution 2024.07.29.06):
 * the signed root says that they do not exist, so a resolver that checks would believe no answer of the office's own server.
 */
const OFFICE_ONLY = ['local', 'internal', 'home.arpa', 'lan', 'corp', 'home', 'intranet', 'private', 'localdomain'];

export function networkFiles(settings: NetworkSettings): NetworkFiles {
  const networkd = new Map<string, string>();
  for (const one of settings.interfaces) {
    const name = interfaceKey(one);
    if (one.vlan !== undefined) {
      networkd.set(`50-sekisho-${name}.netdev`, `${HEAD}[NetDev]\nName=${name}\nKind=vlan\n\n[VLAN]\nId=${one.vlan}\n`);
      // a cable that carries nothing untagged
      if (!settings.interfaces.some((other) => other.name === one.name && other.vlan === undefined))
        networkd.set(
          `40-sekisho-${one.name}-parent.network`,
          `${HEAD}[Match]\nName=${one.name}\n\n[Network]\n${vlansOn(one.name, settings).join('\n')}\nLinkLocalAddressing=no\n`,
        );
    }
    networkd.set(`50-sekisho-${name}.network`, networkOf(name, one, settings));
  }
  return {
    networkd,
    unbound:
      settings.dns.length === 0
        ? HEAD
        : `${HEAD}server:\n${OFFICE_ONLY.map((name) => `  domain-insecure: "${name}."\n`).join('')}forward-zone:\n  name: "."\n${settings.dns.map((address) => `  forward-addr: ${address}\n`).join('')}`,
    chrony: `${HEAD}${settings.ntp.map((source) => `server ${source} iburst\n`).join('')}`,
    inside: insideSets(settings.inside),
  };
}

function vlansOn(name: string, { interfaces }: NetworkSettings): string[] {
  return interfaces
    .filter((one) => one.name === name && one.vlan !== undefined)
    .map((one) => `VLAN=${interfaceKey(one)}`);
}

function networkOf(name: string, one: InterfaceSettings, settings: NetworkSettings): string {
  const { dns, ntp } = settings;
  const { ipv4, ipv6 } = one;
  const dhcp4 = ipv4.method === 'dhcp';
  const lines = [
    HEAD.trimEnd(),
    '[Match]',
    `Name=${name}`,
    '',
    '[Link]',
    ...(one.mtu === undefined ? [] : [`MTUBytes=${one.mtu}`]),
    'RequiredForOnline=no',
    '',
    '[Network]',
    `DHCP=${dhcp4 ? 'ipv4' : 'no'}`,
    `IPv6AcceptRA=${ipv6.method === 'auto' ? 'yes' : 'no'}`,
    `LinkLocalAddressing=${linkLocal(one)}`,
    ...(dhcp4 ? [`IPv4LLStartAddress=${NEXT_ADDRESS}`] : []),
    ...(ipv4.method === 'static' ? addressLines(ipv4) : []),
    ...(ipv6.method === 'static' ? addressLines(ipv6) : []),
    ...dns.map((address) => `DNS=${address}`),
    ...ntp.map((source) => `NTP=${source}`),
    ...(one.vlan === undefined ? vlansOn(one.name, settings) : []),
    '',
    // the address that is always there, beside the others: a mistake in them must not shut the owner out
    ...(ipv4.method === 'off' ? [] : ['[Address]', `Address=${OWN_ADDRESS}/16`, 'Scope=link', '']),
    '[DHCPv4]',
    'UseHostname=no',
    'UseNTP=yes',
    'SendHostname=no',
    '',
  ];
  return lines.join('\n');
}

function linkLocal({ ipv4, ipv6 }: InterfaceSettings): string {
  const four = ipv4.method === 'dhcp';
  const six = ipv6.method !== 'off';
  if (four) return six ? 'yes' : 'ipv4';
  return six ? 'ipv6' : 'no';
}

function addressLines(at: { addresses: string[]; gateway?: string | undefined }): string[] {
  return [
    ...at.addresses.map((address) => `Address=${address}`),
    ...(at.gateway === undefined ? [] : [`Gateway=${at.gateway}`]),
  ];
}

function insideSets(prefixes: readonly string[]): string {
  const six = (prefix: string): boolean => prefix.includes(':');
  const sets =
    prefixes.length === 0
      ? PRIVATE
      : { inside4: prefixes.filter((prefix) => !six(prefix)), inside6: prefixes.filter(six) };
  return Object.entries(sets)
    .map(([name, list]) => {
      const flush = `flush set inet sekisho ${name}\n`;
      return list.length === 0 ? flush : `${flush}add element inet sekisho ${name} { ${list.join(', ')} }\n`;
    })
    .join('');
}

/** Ports that may be reached from outside; none before the claim. */
export function portSet(ports: readonly number[]): string {
  const flush = 'flush set inet sekisho mail_ports\n';
  return ports.length === 0
    ? flush
    : `${flush}add element inet sekisho mail_ports { ${[...new Set(ports)].join(', ')} }\n`;
}

/** Ports beside the usual ones that the owner's own sources are asked on: by freshclam, and by the host for its lists. */
export function ownSources(settings: { signatures: SignatureSettings; maps: { source: string } }): string {
  const { source, mirror, proxy } = settings.signatures;
  const wanted = [
    ...(source === 'mirror' && mirror !== undefined ? [['"clamav"', portOf(mirror)] as const] : []),
    ...(source !== 'offline' && proxy !== undefined ? [['"clamav"', proxy.port] as const] : []),
    ...(settings.maps.source === '' ? [] : [['0', portOf(settings.maps.source)] as const]),
  ];
  const elements = [...new Set(wanted.map(([user, port]) => `${user} . ${port}`))];
  const flush = 'flush set inet sekisho own_sources\n';
  return elements.length === 0 ? flush : `${flush}add element inet sekisho own_sources { ${elements.join(', ')} }\n`;
}

function portOf(address: string): number {
  const { port, protocol } = new URL(address);
  return port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port);
}

/** Where the portal is reached; nowhere while it is off. */
export function portalSets(reach: PortalReach, port: number): string {
  const sets = { portal_inside: reach === 'inside', portal_anywhere: reach === 'everywhere' };
  return Object.entries(sets)
    .map(([name, open]) => {
      const flush = `flush set inet sekisho ${name}\n`;
      return open ? `${flush}add element inet sekisho ${name} { ${port} }\n` : flush;
    })
    .join('');
}

/** While a certificate is ordered; the filter's own clock ends it even when nobody closes it. */
export function challengeSets(open: boolean): string {
  // 802: sekisho-admin, whose number is fixed in rootfs' sysusers
  const elements = { challenge_ports: '80', challenge_users: '802' };
  return Object.entries(elements)
    .map(([name, element]) => {
      const flush = `flush set inet sekisho ${name}\n`;
      return open ? `${flush}add element inet sekisho ${name} { ${element} timeout 10m }\n` : flush;
    })
    .join('');
}
