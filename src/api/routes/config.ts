/** The configuration as a whole: each operation is the gateway’s verb of the same name. */
import type { ControlClient } from '../../control/client.ts';
import type { Some } from '../server/call.ts';
import { type Change, HIDDEN, setAll, settingAt } from './settings.ts';

type Ids =
  `config.${'show' | 'set' | 'unset' | 'check' | 'reload' | 'generations' | 'diff' | 'rollback' | 'reference'}`;

export function configHandlers(): Some<Ids> {
  return {
    'config.show': ({ gateway, query }) => gateway.call('config.show', query),
    'config.set': ({ gateway, body }) => set(gateway, body),
    'config.unset': ({ gateway, query }) => unset(gateway, query.path),
    'config.check': ({ gateway, body }) => gateway.call('config.check', body),
    'config.reload': ({ gateway }) => gateway.call('config.reload', {}),
    'config.generations': ({ gateway }) => gateway.call('config.generations', {}),
    'config.diff': ({ gateway, query }) => gateway.call('config.diff', query),
    'config.reference': ({ gateway }) => gateway.call('config.reference', {}),
    'config.rollback': ({ gateway, body }) => gateway.call('config.rollback', body),
  };
}

/** What has its default already is left as it is; a place that is none is refused by the gateway. */
async function unset(gateway: ControlClient, path: string): Promise<Change> {
  const standing = await settingAt<unknown>(gateway, path);
  return standing === undefined ? gateway.call('config.unset', { path }) : setAll(gateway, [[path, undefined]]);
}

/** The smarthost's host alone would take the kept password along to wherever it names: it goes as a whole, and is refused. */
async function set(gateway: ControlClient, body: { path: string; value: unknown }): Promise<Change> {
  if (body.path !== 'outbound.smarthost.host') return gateway.call('config.set', body);
  const standing = await settingAt<{ password?: string } | undefined>(gateway, 'outbound.smarthost');
  if (standing?.password !== HIDDEN) return gateway.call('config.set', body);
  return gateway.call('config.set', { path: 'outbound.smarthost', value: { ...standing, host: body.value } });
}
