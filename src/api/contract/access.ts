/**
 * Who may do what: a closed list of permissions, and the four roles as sets of them. An operation of the API names one
 * permission; an API token carries some of its owner's. "Public" needs no login at all, "login" any.
 */

/** One word for each thing a person or a token may be allowed to do. */
export const PERMISSIONS = [
  'status.read', // is mail flowing, engines, alarms, facts of the machine
  'mail.search', // history, trail, queue and quarantine lists: who wrote to whom about what
  'mail.content', // what is written in a message: each reading is on record
  'mail.release', // release and delete quarantined mail, report it
  'queue.operate', // retry, hold, re-route, delete
  'lists.change', // allow and block lists
  'config.read',
  'config.change', // policy, domains, routes, every setting of the gateway
  'report.read',
  'system.read', // network, disks, services, logs of the machine
  'system.change', // network, time, power, updates, certificates
  'audit.read',
  'users.manage', // users, their sessions and tokens
  'backup', // the settings as a file, with all secrets
] as const;
export type Permission = (typeof PERMISSIONS)[number];

export const ROLES = ['admin', 'operator', 'helpdesk', 'auditor'] as const;
export type Role = (typeof ROLES)[number];

/** public: before any login. login: any user, whatever the role. */
export type Access = 'public' | 'login' | Permission;

export const ROLE_PERMISSIONS: Readonly<Record<Role, readonly Permission[]>> = {
  admin: PERMISSIONS,
  operator: [
    'status.read',
    'mail.search',
    'mail.content',
    'mail.release',
    'queue.operate',
    'lists.change',
    'config.read',
    'report.read',
    'system.read',
  ],
  helpdesk: ['status.read', 'mail.search', 'mail.release'],
  auditor: ['status.read', 'mail.search', 'config.read', 'report.read', 'system.read', 'audit.read'],
};

/** `contentAllowed`: helpdesk reads the content of mail only where an admin allowed it to that person. */
export function permissionsOf(role: Role, contentAllowed: boolean): Permission[] {
  const own = ROLE_PERMISSIONS[role];
  return role === 'helpdesk' && contentAllowed ? [...own, 'mail.content'] : [...own];
}
