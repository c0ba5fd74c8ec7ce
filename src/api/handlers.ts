/** All handlers of the API, put together. */
import type { LiveFeed } from './live/feed.ts';
import { auditHandlers } from './routes/audit.ts';
import { backupHandlers } from './routes/backup.ts';
import { certificateHandlers } from './routes/certificates.ts';
import { contentHandlers } from './routes/content.ts';
import { configHandlers } from './routes/config.ts';
import { domainHandlers } from './routes/domains.ts';
import { jobHandlers } from './routes/jobs.ts';
import { listHandlers } from './routes/lists.ts';
import { machineHandlers } from './routes/machine.ts';
import { messageHandlers } from './routes/messages.ts';
import { overviewHandlers } from './routes/overview.ts';
import type { RouteParts } from './routes/parts.ts';
import { peopleHandlers } from './routes/people.ts';
import { policyHandlers } from './routes/policy.ts';
import { privacyHandlers } from './routes/privacy.ts';
import { probeHandlers } from './routes/probes.ts';
import { quarantineHandlers, queueHandlers } from './routes/queue.ts';
import { reportHandlers } from './routes/reports.ts';
import { sessionHandlers } from './routes/session.ts';
import { setupHandlers } from './routes/setup.ts';
import { statusHandlers } from './routes/status.ts';
import { systemHandlers } from './routes/system.ts';
import type { Handlers } from './server/call.ts';

/** `inbox`: where uploaded updates are laid for the host. */
export function createApiHandlers(parts: RouteParts, feed: LiveFeed, { inbox }: { inbox: string }): Handlers {
  return {
    ...setupHandlers(parts),
    ...sessionHandlers(parts),
    ...peopleHandlers(parts),
    ...statusHandlers(feed),
    ...overviewHandlers(parts),
    ...messageHandlers(),
    ...contentHandlers(),
    ...queueHandlers(),
    ...quarantineHandlers(),
    ...policyHandlers(parts),
    ...listHandlers(),
    ...jobHandlers(parts),
    ...domainHandlers(),
    ...privacyHandlers(parts),
    ...probeHandlers(parts),
    ...configHandlers(),
    ...reportHandlers(parts),
    ...systemHandlers(parts, inbox),
    ...certificateHandlers(parts),
    ...machineHandlers(),
    ...backupHandlers(parts),
    ...auditHandlers(parts),
  };
}
