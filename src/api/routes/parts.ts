/** What the handlers of the API are made of. Each file of this folder gives the handlers of one resource. */
import type { Milliseconds } from '../../base/brand.ts';
import type { ControlClient } from '../../control/client.ts';
import type { VerbAnswer } from '../../control/contract.ts';
import type { HostClient } from '../../control/host-client.ts';
import type { Audit } from '../audit/audit.ts';
import type { Lockout } from '../auth/lockout.ts';
import type { Sessions } from '../auth/sessions.ts';
import type { SetupCode } from '../auth/setup-code.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { Users } from '../auth/users.ts';
import type { CertificateDesk } from '../certificates/desk.ts';
import type { Principal } from '../server/call.ts';
import type { PageCertificates } from '../server/certificate.ts';
import { ApiProblem } from '../server/problems.ts';
import type { AdminDatabase } from '../store/database.ts';

/** The scheduler of src/jobs, which only the entry knows. */
export interface OwnJobs {
  list(): VerbAnswer<'jobs.list'>['jobs'];
  runNow(name: string): Promise<void>;
}

export interface RouteParts {
  store: AdminDatabase;
  users: Users;
  sessions: Sessions;
  tokens: Tokens;
  lockout: Lockout;
  audit: Audit;
  setupCode: SetupCode;
  certificates: PageCertificates;
  portalCertificates: PageCertificates;
  desk: CertificateDesk;
  /** The box's own clock work, once it runs. */
  jobs: () => OwnJobs | undefined;
  /** New connections see the certificate that is current now. */
  showCertificate: () => void;
  /** The gateway as last heard, for what must answer also while it is silent. */
  box: () => { hostname: string; language: 'ja' | 'en' };
  version: string;
  gateway: (by: string) => ControlClient;
  host: (by: string) => HostClient;
  /** Wall clock, ms. */
  now: () => Milliseconds;
  /** IANA name. */
  zone: () => string;
}

/** For operations that the dispatcher lets nobody reach without a login. */
export function mustBe(who: Principal | undefined): Principal {
  if (who === undefined) throw new ApiProblem(401, 'LOGIN_NEEDED');
  return who;
}

export function iso(wall: number): string {
  return new Date(wall).toISOString();
}

export function isClaimed(users: Users): boolean {
  return users.all().length > 0;
}
