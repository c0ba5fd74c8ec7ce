/**
 * Calls the verbs of the pages' process over its control socket, typed by admin-contract.ts. Throws SekishoError as client.ts
 * does, with `ADMIN_NOT_RUNNING`, `ADMIN_NOT_PERMITTED`, `ADMIN_SILENT`, `ADMIN_MISMATCH`, or the code it gave.
 */
import { ADMIN_VERBS } from './admin-contract.ts';
import { type ClientOf, type ControlClientOptions, createClientOf } from './client.ts';

export type AdminClient = ClientOf<typeof ADMIN_VERBS>;

export function createAdminClient(options: ControlClientOptions): AdminClient {
  return createClientOf(ADMIN_VERBS, { ...options, owner: 'admin' });
}
