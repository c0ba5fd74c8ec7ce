/**
 * Calls the host's verbs over its control socket, typed by host-contract.ts. Throws SekishoError as client.ts does, with
 * `HOST_NOT_RUNNING`, `HOST_NOT_PERMITTED`, `HOST_SILENT`, `HOST_MISMATCH`, or the code the host gave (`READ_ONLY`, …).
 */
import { type ClientOf, type ControlClientOptions, createClientOf } from './client.ts';
import { HOST_VERBS } from './host-contract.ts';

export type HostClient = ClientOf<typeof HOST_VERBS>;

export function createHostClient(options: ControlClientOptions): HostClient {
  return createClientOf(HOST_VERBS, { ...options, owner: 'host' });
}
