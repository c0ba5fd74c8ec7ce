/**
 * What the process `admin` is put together of: store, people, audit, the gateway's and the host's sockets, handlers, doors.
 * Tests build the same in their own process. Everything that ends is ended by `close`.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Milliseconds } from '../base/brand.ts';
import { SekishoError } from '../base/errors.ts';
import type { Names } from '../base/issue.ts';
import { type ControlClient, createControlClient } from '../control/client.ts';
import { createHostClient, type HostClient } from '../control/host-client.ts';
import { createAudit } from './audit/audit.ts';
import { createLockout } from './auth/lockout.ts';
import { createSessions } from './auth/sessions.ts';
import { createSetupCode } from './auth/setup-code.ts';
import { createTokens } from './auth/tokens.ts';
import { createUsers } from './auth/users.ts';
import { keepHostTold } from './claim-told.ts';
import { createApiHandlers } from './handlers.ts';
import { createLiveFeed } from './live/feed.ts';
import { type BoxFacts, createBoxFacts } from './live/box-facts.ts';
import { CertificateDesk, type Use } from './certificates/desk.ts';
import { isClaimed, type OwnJobs, type RouteParts } from './routes/parts.ts';
import { createApp } from './server/app.ts';
import { openPageCertificates } from './server/certificate.ts';
import type { DispatchParts } from './server/dispatch.ts';
import { openLocalDoor } from './server/local-door.ts';
import { openDoors } from './server/server.ts';
import { openAdminDatabase } from './store/database.ts';

export interface AdminOptions {
  data: string;
  gatewaySocket: string;
  hostSocket: string | undefined;
  /** The setup code is made here, not asked of the host. */
  ownSetupCode: boolean;
  address: string;
  port: number;
  plainPort: number | undefined;
  /** The built pages. */
  pages: string;
  /** Names the pages answer to, besides bare addresses and the box's own. */
  names: readonly string[];
  /** Names and addresses of the machine, for the certificate. */
  machineNames: readonly string[];
  /** PEM of an authority that ACME servers may have, besides the usual. */
  acmeCa?: string;
  /** Wall clock, ms. */
  now: () => Milliseconds;
  log: DispatchParts['log'];
}

export interface Admin {
  readonly port: number;
  readonly plainPort: number | undefined;
  fingerprint(): string;
  claimed(): boolean;
  /** Bounded; for the scheduler. */
  renewCertificates(signal: AbortSignal): Promise<void>;
  /** From now on these stand among the jobs of the page. */
  showJobs(jobs: OwnJobs): void;
  /** True when there is a new one. */
  renewSetupCode(): Promise<boolean>;
  close(): Promise<void>;
}

export async function openAdmin(options: AdminOptions): Promise<Admin> {
  const { data, now, log } = options;
  const stack = new AsyncDisposableStack();
  const store = openAdminDatabase(data);
  stack.defer(() => store.close());
  const users = createUsers(store, now);
  const sessions = createSessions(store, users, now);
  const tokens = createTokens(store, users, now);
  const audit = createAudit(store, now);
  const claimed = (): boolean => isClaimed(users);
  const gateway = (by: string): ControlClient => createControlClient({ socket: options.gatewaySocket, by });
  const host = (by: string): HostClient => hostClient(options.hostSocket, by);
  const box = createBoxFacts({ gateway: gateway('admin'), store, extraNames: options.names });
  stack.defer(() => box.close());
  const setupCode = createSetupCode({
    directory: data,
    store,
    claimed,
    now,
    host: options.hostSocket === undefined || options.ownSetupCode ? undefined : host('admin'),
  });
  await setupCode.renew();
  const certificates = await openPageCertificates({
    directory: path.join(data, 'tls'),
    names: [box.hostname(), 'localhost', ...new Set(options.machineNames)],
    now,
  });
  // a key of its own: the portal may face the outside
  const portalCertificates = await openPageCertificates({
    directory: path.join(data, 'portal-tls'),
    names: [box.hostname(), 'localhost', ...new Set(options.machineNames)],
    now,
    publish: 'in-use.pem',
  });
  const feed = createLiveFeed({
    gateway: gateway('admin'),
    alive:
      ({ who }) =>
      () =>
        who?.token !== undefined
          ? (tokens.byId(who.token.id)?.expiresAt ?? 0) > now()
          : who?.session !== undefined && sessions.ofUser(who.user.id).some(({ id }) => id === who.session?.id),
  });
  const challenges = new Map<string, string>();
  const desk = await CertificateDesk.open({
    folder: path.join(data, 'certificates'),
    page: certificates,
    portal: portalCertificates,
    showPage: () => doorsAt.renew(),
    gateway: gateway('certificates'),
    host: host('certificates'),
    names: (use) => namesOf(use, { gateway: gateway('admin'), box, machine: options.machineNames }),
    challenges,
    now,
    mended: (use) => {
      const detail = { reason: 'It was made while the clock of the box was ahead' };
      audit.write({ actor: 'admin', address: '', action: 'certificates.mended', target: use, outcome: 'ok', detail });
    },
    acmeCa: options.acmeCa,
  });
  let jobs: OwnJobs | undefined;
  const doorsAt: { renew: () => void } = { renew: () => undefined };
  const routes: RouteParts = {
    store,
    users,
    sessions,
    tokens,
    lockout: createLockout(store, now),
    audit,
    setupCode,
    certificates,
    portalCertificates,
    desk,
    jobs: () => jobs,
    showCertificate: () => doorsAt.renew(),
    box: () => ({ hostname: box.hostname(), language: box.language() }),
    version: VERSION,
    gateway,
    host,
    now,
    zone: () => Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
  const { names } = box;
  const { changed } = feed;
  const dispatch: DispatchParts = { sessions, tokens, audit, names, claimed, gateway, host, changed, now, log };
  const handlers = createApiHandlers(routes, feed, { inbox: path.join(data, 'inbox') });
  const app = createApp(dispatch, { handlers, pages: options.pages });
  stack.use(await openLocalDoor(path.join(data, 'run', 'cli.sock'), dispatch, handlers));
  const doors = await openDoors({
    app,
    certificate: certificates.current(),
    address: options.address,
    port: options.port,
    plainPort: options.plainPort,
    claimed,
    names: box.names,
    challenges,
    hostname: box.hostname,
    onError: (detail) => log('error', 'A door of the pages failed', { detail }),
  });
  if (options.hostSocket !== undefined && !options.ownSetupCode) {
    const told = keepHostTold({ claimed, host: host('admin'), log });
    stack.defer(() => told.stop());
    void told.look();
  }
  doorsAt.renew = () => doors.renew(certificates.current());
  stack.defer(() => doors.close());
  stack.defer(() => feed.close());
  return {
    port: doors.port,
    plainPort: doors.plainPort,
    fingerprint: () => certificates.current().fingerprint,
    claimed,
    renewCertificates: (signal) => desk.renew(signal),
    showJobs: (own) => {
      jobs = own;
    },
    renewSetupCode: async () => (await setupCode.renew()) !== undefined,
    close: () => stack.disposeAsync(),
  };
}

/** What each certificate is made out to: where people and other servers look for the box under that port. */
async function namesOf(
  use: Use,
  parts: { gateway: ControlClient; box: BoxFacts; machine: readonly string[] },
): Promise<Names> {
  const { gateway, box, machine } = parts;
  const hostname = box.hostname();
  if (use === 'mail') return [hostname];
  if (use === 'portal') {
    const { value } = await gateway.call('config.show', { path: 'portal.url' }).catch(() => ({ value: undefined }));
    const at = typeof value === 'string' ? URL.parse(value)?.hostname.replace(/^\[|\]$/g, '') : undefined;
    return at === undefined || at === hostname ? [hostname] : [at, hostname];
  }
  const others = [...box.names(), ...machine].filter((name) => name !== hostname && name !== '');
  return [hostname, ...new Set(others)];
}

/** Without a socket every call is refused as by a host that is not there. */
function hostClient(socket: string | undefined, by: string): HostClient {
  if (socket !== undefined) return createHostClient({ socket, by });
  return {
    socket: '',
    call: () => Promise.reject(new SekishoError('HOST_NOT_RUNNING', 'There is no host process here')),
  };
}

const packageJson: unknown = JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8'));
export const VERSION =
  typeof packageJson === 'object' && packageJson !== null && 'version' in packageJson
    ? String(packageJson.version)
    : '';
