/** The office's domains and the way out: the gateway's settings `domains`, `outbound`, `listeners.relay.networks`. */
import { domainToUnicode } from 'node:url';
import type { ControlClient } from '../../control/client.ts';
import { parseDomain } from '../../mail/address.ts';
import type { Answer } from '../contract/client.ts';
import type { Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import { HIDDEN, setAll, settingAt, UNCHANGED } from './settings.ts';

type Domain = Answer<'domains.list'>['domains'][number];
type Server = Domain['servers'][number];
type Setting = Omit<Domain, 'displayName' | 'health' | 'override'>;
type Ids = `domains.${'list' | 'create' | 'update' | 'delete'}` | `outgoing.${'show' | 'update' | 'networks'}`;

export function domainHandlers(): Some<Ids> {
  return {
    'domains.list': async ({ gateway }) => {
      const [domains, overrides, status] = await Promise.all([
        settingAt<Setting[]>(gateway, 'domains'),
        settingAt<Array<Server & { domain: string }>>(gateway, 'delivery.overrides'),
        gateway.call('status', {}),
      ]);
      return {
        domains: domains.map((domain) => {
          const { domain: _name, ...override } = overrides.find((one) => one.domain === domain.name) ?? { domain: '' };
          return {
            ...domain,
            displayName: domainToUnicode(domain.name) || domain.name,
            health: healthOf(domain.name, status.hops),
            ...('host' in override ? { override } : {}),
          };
        }),
      };
    },
    'domains.create': async ({ gateway, body }) => {
      const name = parsed(body.name);
      if ((await positionOf(gateway, name)) >= 0)
        throw new ApiProblem(409, 'NAME_TAKEN', {
          fields: [{ path: 'body.name', message: { ja: 'すでにあります', en: 'It is there already' } }],
        });
      return gateway.call('config.set', { path: 'domains.+', value: body });
    },
    'domains.update': async ({ gateway, params, body }) => {
      const name = parsed(params.name);
      const at = await mustBeAt(gateway, name);
      const named = parsed(body.name);
      const other = await positionOf(gateway, named);
      if (other >= 0 && other !== at) throw new ApiProblem(409, 'NAME_TAKEN');
      return gateway.call('config.set', { path: pathOf(name), value: body });
    },
    'domains.delete': async ({ gateway, params }) => {
      const name = parsed(params.name);
      await mustBeAt(gateway, name);
      return gateway.call('config.unset', { path: pathOf(name) });
    },
    ...outgoingHandlers(),
  };
}

interface Outbound {
  tls: 'opportunistic' | 'required' | 'off';
  smarthost?: Server & { user?: string; password?: string };
}

function outgoingHandlers(): Some<`outgoing.${'show' | 'update' | 'networks'}`> {
  return {
    'outgoing.show': async ({ gateway }) => {
      const [outbound, networks] = await Promise.all([
        settingAt<Outbound>(gateway, 'outbound'),
        settingAt<string[]>(gateway, 'listeners.relay.networks'),
      ]);
      const { tls, smarthost } = outbound;
      if (smarthost === undefined) return { way: 'direct', tls, networks };
      const { password, ...rest } = smarthost;
      return { way: 'smarthost', tls, networks, smarthost: { ...rest, hasPassword: password !== undefined } };
    },
    'outgoing.update': async ({ gateway, body, note }) => {
      if (body.way === 'direct') {
        note('direct');
        // as a new box has it
        if ((await settingAt<Outbound>(gateway, 'outbound')).smarthost === undefined) return UNCHANGED;
        return gateway.call('config.unset', { path: 'outbound.smarthost' });
      }
      note(`${body.smarthost.host}:${body.smarthost.port}`);
      const { user, password, ...server } = body.smarthost;
      // a login without its password means the one that is kept: the gateway puts it back where it sees it hidden
      const login = user === undefined ? {} : { user, password: password ?? HIDDEN };
      return setAll(gateway, [['outbound.smarthost', { ...server, ...login }]]);
    },
    'outgoing.networks': ({ gateway, body }) =>
      gateway.call('config.set', { path: 'listeners.relay.networks', value: body.networks }),
  };
}

/** Only hops with mail waiting or known to be down are told of; nothing known of the rest is nothing bad. */
function healthOf(domain: string, hops: Answer<'status.show'>['hops']): Domain['health'] {
  const key = `domain:${domain}`;
  const found = hops.filter(({ hop }) => hop === key || hop.startsWith(`${key} `));
  if (found.length === 0) return [{ hop: key, state: 'up', waiting: 0, active: 0 }];
  return found.map(({ hop, state, waiting, active, detail }) => ({
    hop,
    state,
    waiting,
    active,
    ...(detail === undefined ? {} : { detail }),
  }));
}

function parsed(name: string): string {
  const domain = parseDomain(name);
  if (domain !== undefined && !domain.startsWith('[')) return domain;
  throw new ApiProblem(400, 'INVALID_REQUEST', {
    fields: [{ path: 'body.name', message: { ja: 'ドメイン名を入力してください', en: 'Give a domain' } }],
  });
}

/** By its name, never by its place: somebody else may take an earlier one away at the same moment. */
function pathOf(name: string): string {
  return `domains["${name}"]`;
}

async function positionOf(gateway: ControlClient, name: string): Promise<number> {
  const domains = await settingAt<Setting[]>(gateway, 'domains');
  return domains.findIndex((domain) => domain.name === name);
}

async function mustBeAt(gateway: ControlClient, name: string): Promise<number> {
  const at = await positionOf(gateway, name);
  if (at < 0) throw new ApiProblem(404, 'NOT_FOUND');
  return at;
}
