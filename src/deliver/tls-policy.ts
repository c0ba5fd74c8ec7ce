/**
 * What TLS a domain outside demands of whoever sends to it: DANE (RFC 7672) for each of its servers, else MTA-STS (RFC 8461)
 * for the domain, else what the configuration says (opportunistic as shipped). A demand can only make it stricter; a server
 * that cannot be judged, or that the policy does not name, is left out, and when none is left mail is deferred in plain
 * words, never sent in clear. Never throws.
 */
import type { Clock } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import type { SecureResolver } from '../base/secure-dns.ts';
import type { Config } from '../config/schema.ts';
import { ownWord } from './classify.ts';
import { type DanePolicy, findDane } from './dane.ts';
import { isStsHost, type StsPolicies } from './mta-sts.ts';
import type { Target, Targets, TlsMode } from './route.ts';

export interface TlsPolicies {
  /** Undefined: no resolver whose word counts. Asked anew each time: the configuration may change. */
  secure: () => SecureResolver | undefined;
  sts?: Pick<StsPolicies, 'of'>;
  clock: Pick<Clock, 'wall'>;
}

/** Made by whoever finds the demand, read by connect: the handshake, and the words when it fails. */
export interface TlsDemand {
  by: 'DANE' | 'MTA-STS';
  dane?: DanePolicy;
}

export function outboundTls(domain: string, config: Config): { tls: TlsMode; dane: boolean; mtaSts: boolean } {
  const { outbound } = config;
  const own = outbound.destinations.findLast((each) => each.domain === domain);
  return {
    tls: own?.tls ?? outbound.tls,
    dane: own?.dane ?? outbound.dane,
    mtaSts: own?.mtaSts ?? outbound.mtaSts,
  };
}

export async function demandTls(
  domain: string,
  targets: readonly Target[],
  options: { config: Config; policies: TlsPolicies },
): Promise<Targets> {
  const { tls, dane, mtaSts } = outboundTls(domain, options.config);
  // Off is the owner's word for this destination. An address literal has no domain that could demand anything.
  if (tls === 'off' || domain.startsWith('[')) return { targets: [...targets] };
  const { policies } = options;
  const secure = dane ? policies.secure() : undefined;
  const left: Target[] = [];
  const troubles: string[] = [];
  const found = await byDane(domain, targets, { secure, at: new Date(policies.clock.wall()) });
  if ('failure' in found) return found;
  const policy = mtaSts ? await policies.sts?.of(domain) : undefined;
  for (const target of targets) {
    const judged = found.hosts.get(target.host);
    if (judged !== undefined && 'trouble' in judged) troubles.push(`DANE of ${target.host}: ${judged.trouble}`);
    else if (judged?.dane !== undefined)
      left.push({ ...target, tls: 'required', demand: { by: 'DANE', dane: judged.dane } });
    // RFC 8461 §2: only where DANE says nothing.
    else if (policy?.mode !== 'enforce') left.push(target);
    else if (isStsHost(target.host, policy)) left.push({ ...target, tls: 'required', demand: { by: 'MTA-STS' } });
    else troubles.push(`MTA-STS of ${domain} does not name ${target.host}`);
  }
  if (left.length > 0 || troubles.length === 0) return { targets: left };
  // RFC 3463 §3.8: X.7.5 cryptographic failure
  return { failure: ownWord('deferred', '4.7.5', troubles[0] ?? '') };
}

type Judged = Awaited<ReturnType<typeof findDane>>;

async function byDane(
  domain: string,
  targets: readonly Target[],
  { secure, at }: { secure: SecureResolver | undefined; at: Date },
): Promise<{ hosts: Map<string, Judged> } | Extract<Targets, { failure: unknown }>> {
  const hosts = new Map<string, Judged>();
  if (secure === undefined) return { hosts };
  try {
    // RFC 7672 §2.2.1: who may take the mail must itself be known for sure.
    const mx = await secure.query(domain, 'MX');
    if (!mx.secure) return { hosts };
    const named = mx.count === 0 ? [domain] : mx.exchanges;
    for (const { host, port } of targets) {
      const name = host.toLowerCase().replace(/\.$/, '');
      if (hosts.has(host) || !named.includes(name)) continue;
      hosts.set(host, await findDane(name, { secure, port, domain, at }));
    }
    return { hosts };
  } catch (error) {
    return { failure: ownWord('deferred', '4.4.3', describeError(error)) };
  }
}
