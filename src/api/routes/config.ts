/** The configuration as a whole: each operation is the gateway’s verb of the same name. */
import type { Some } from '../server/call.ts';

type Ids =
  `config.${'show' | 'set' | 'unset' | 'check' | 'reload' | 'generations' | 'diff' | 'rollback' | 'reference'}`;

export function configHandlers(): Some<Ids> {
  return {
    'config.show': ({ gateway, query }) => gateway.call('config.show', query),
    'config.set': ({ gateway, body }) => gateway.call('config.set', body),
    'config.unset': ({ gateway, query }) => gateway.call('config.unset', query),
    'config.check': ({ gateway, body }) => gateway.call('config.check', body),
    'config.reload': ({ gateway }) => gateway.call('config.reload', {}),
    'config.generations': ({ gateway }) => gateway.call('config.generations', {}),
    'config.diff': ({ gateway, query }) => gateway.call('config.diff', query),
    'config.reference': ({ gateway }) => gateway.call('config.reference', {}),
    'config.rollback': ({ gateway, body }) => gateway.call('config.rollback', body),
  };
}
