/** The pages by the first part of their path. */
import type { ComponentType } from 'preact';
import { Account } from '../views/account.tsx';
import { Audit } from '../views/audit.tsx';
import { Domains } from '../views/domains.tsx';
import { Help } from '../views/help.tsx';
import { Messages } from '../views/messages.tsx';
import { Overview } from '../views/overview.tsx';
import { Policy } from '../views/policy.tsx';
import { Quarantine } from '../views/quarantine.tsx';
import { Queue } from '../views/queue.tsx';
import { Reports } from '../views/reports.tsx';
import { Setup } from '../views/setup.tsx';
import { System } from '../views/system.tsx';
import { Users } from '../views/users.tsx';

export interface ViewProperties {
  /** What stands behind the page's name in the path. */
  rest: string;
}

export const VIEWS: {
  setup: ComponentType;
  pages: Readonly<Record<string, ComponentType<ViewProperties> | undefined>>;
} = {
  setup: Setup,
  pages: {
    overview: Overview,
    account: Account,
    messages: Messages,
    quarantine: Quarantine,
    queue: Queue,
    policy: Policy,
    domains: Domains,
    reports: Reports,
    audit: Audit,
    users: Users,
    system: System,
    help: Help,
  },
};
