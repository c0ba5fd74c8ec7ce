/** The API in one table: everything the pages, the CLI and programs can ask. See operation.ts for what an entry says. */
import { AUDIT_OPERATIONS } from './audit.ts';
import { CERTIFICATE_OPERATIONS } from './certificates.ts';
import { CONFIG_OPERATIONS } from './config.ts';
import { DOMAIN_OPERATIONS } from './domains.ts';
import { MACHINE_OPERATIONS } from './machine.ts';
import { MESSAGE_OPERATIONS } from './messages.ts';
import type { OperationDefinition } from './operation.ts';
import { OVERVIEW_OPERATIONS } from './overview.ts';
import { PEOPLE_OPERATIONS } from './people.ts';
import { POLICY_OPERATIONS } from './policy.ts';
import { QUARANTINE_OPERATIONS } from './quarantine.ts';
import { QUEUE_OPERATIONS } from './queue.ts';
import { REPORT_OPERATIONS } from './reports.ts';
import { SESSION_OPERATIONS } from './session.ts';
import { SETUP_OPERATIONS } from './setup.ts';
import { SYSTEM_OPERATIONS } from './system.ts';

export const BASE_PATH = '/api/v1';

export const OPERATIONS = {
  ...SETUP_OPERATIONS,
  ...SESSION_OPERATIONS,
  ...PEOPLE_OPERATIONS,
  ...OVERVIEW_OPERATIONS,
  ...MESSAGE_OPERATIONS,
  ...QUEUE_OPERATIONS,
  ...QUARANTINE_OPERATIONS,
  ...POLICY_OPERATIONS,
  ...DOMAIN_OPERATIONS,
  ...CONFIG_OPERATIONS,
  ...REPORT_OPERATIONS,
  ...SYSTEM_OPERATIONS,
  ...CERTIFICATE_OPERATIONS,
  ...MACHINE_OPERATIONS,
  ...AUDIT_OPERATIONS,
} as const satisfies Record<string, OperationDefinition>;

export type OperationId = keyof typeof OPERATIONS;
export const OPERATION_IDS = Object.keys(OPERATIONS) as OperationId[];
