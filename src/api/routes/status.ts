/** State of the gateway, engines, alarms, metrics, and the live feed. */
import type { Some } from '../server/call.ts';
import { Content } from '../server/call.ts';
import type { LiveFeed } from '../live/feed.ts';

type Ids = 'status.show' | 'engines.list' | 'alarms.list' | 'metrics.text' | 'log.level' | 'events.stream';

export function statusHandlers(feed: LiveFeed): Some<Ids> {
  return {
    'status.show': ({ gateway }) => gateway.call('status', {}),
    'engines.list': ({ gateway }) => gateway.call('engines.list', {}),
    'alarms.list': ({ gateway }) => gateway.call('alarms.list', {}),
    'metrics.text': async ({ gateway }) => new Content('text/plain', (await gateway.call('metrics.text', {})).text),
    'log.level': ({ gateway, body }) => gateway.call('log.level', body),
    'events.stream': (call) => feed.follow(call),
  };
}
