/** All handlers of the API, put together. */
import type { LiveFeed } from './live/feed.ts';
import { auditHandlers } from './routes/audit.ts';
import { configHandlers } from './routes/config.ts';
import { machineHandlers } from './routes/machine.ts';
import { messageHandlers } from './routes/messages.ts';
import type { RouteParts } from './routes/parts.ts';
import { peopleHandlers } from './routes/people.ts';
import { quarantineHandlers, queueHandlers } from './routes/queue.ts';
import { sessionHandlers } from './routes/session.ts';
import { setupHandlers } from './routes/setup.ts';
import { statusHandlers } from './routes/status.ts';
import type { Handlers } from './server/call.ts';

export function createApiHandlers(parts: RouteParts, feed: LiveFeed): Handlers {
  return {
    ...setupHandlers(parts),
    ...sessionHandlers(parts),
    ...peopleHandlers(parts),
    ...statusHandlers(feed),
    ...messageHandlers(),
    ...queueHandlers(),
    ...quarantineHandlers(),
    ...configHandlers(),
    ...machineHandlers(),
    ...auditHandlers(parts),
  };
}
