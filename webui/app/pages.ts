/** Every page of the box: where it is, what it is called, who sees it. One list for the navigation, the router and the tests. */
import type { Permission } from '../../src/api/contract/client.ts';
import type { IconName } from '../components/icon.tsx';
import { PAGES } from '../i18n/words-frame.ts';
import type { Text } from '../i18n/language.ts';

export interface Page {
  path: string;
  name: Text;
  icon: IconName;
  needs: Permission | 'login';
  group: 'daily' | 'settings' | 'records';
}

export const NAVIGATION: readonly Page[] = [
  { path: '/', name: PAGES.overview, icon: 'overview', needs: 'status.read', group: 'daily' },
  { path: '/messages', name: PAGES.messages, icon: 'messages', needs: 'mail.search', group: 'daily' },
  { path: '/quarantine', name: PAGES.quarantine, icon: 'quarantine', needs: 'mail.search', group: 'daily' },
  { path: '/queue', name: PAGES.queue, icon: 'queue', needs: 'mail.search', group: 'daily' },
  { path: '/policy', name: PAGES.policy, icon: 'policy', needs: 'config.read', group: 'settings' },
  { path: '/domains', name: PAGES.domains, icon: 'domains', needs: 'config.read', group: 'settings' },
  { path: '/system', name: PAGES.system, icon: 'system', needs: 'config.read', group: 'settings' },
  { path: '/users', name: PAGES.users, icon: 'users', needs: 'users.manage', group: 'settings' },
  { path: '/reports', name: PAGES.reports, icon: 'reports', needs: 'report.read', group: 'records' },
  { path: '/audit', name: PAGES.audit, icon: 'audit', needs: 'audit.read', group: 'records' },
  { path: '/help', name: PAGES.help, icon: 'help', needs: 'login', group: 'records' },
];
