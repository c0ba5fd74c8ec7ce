/** What the host process tells and does: passed on as it is. */
import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import { Content, type Some } from '../server/call.ts';
import type { HostClient } from '../../control/host-client.ts';

type Ids =
  | `system.${'status' | 'facts'}`
  | `network.${'show' | 'set' | 'confirm' | 'revert'}`
  | `time.${'show' | 'set'}`
  | `services.${'list' | 'restart'}`
  | `power.${'reboot' | 'off'}`
  | `bundle.${'preview' | 'create' | 'download'}`
  | `ups.${'show' | 'set'}`
  | `signatures.${'show' | 'set' | 'install'}`
  | `update.${'show' | 'check' | 'install' | 'set'}`
  | 'advisories.show'
  | `maps.${'show' | 'set'}`
  | 'logs.read'
  | 'degraded.end'
  | 'diagnostics.run'
  | 'usb.list';

export function machineHandlers(): Some<Ids> {
  return {
    'system.status': ({ host }) => host.call('host.status', {}),
    'system.facts': ({ host }) => host.call('facts', {}),
    'network.show': ({ host }) => host.call('network.show', {}),
    'network.set': ({ host, body }) => host.call('network.set', body),
    'network.confirm': ({ host, body }) => host.call('network.confirm', body),
    'network.revert': ({ host }) => host.call('network.revert', {}),
    'time.show': ({ host }) => host.call('time.show', {}),
    'time.set': ({ host, body }) => host.call('time.set', body),
    'services.list': ({ host }) => host.call('services.list', {}),
    'services.restart': ({ host, body }) => host.call('services.restart', body),
    'logs.read': ({ host, query }) => host.call('logs.read', query),
    'power.reboot': ({ host, body }) => host.call('power.reboot', body),
    'power.off': ({ host }) => host.call('power.off', {}),
    'degraded.end': ({ host }) => host.call('degraded.end', {}),
    'diagnostics.run': ({ host, body }) => host.call('diagnostics.run', body),
    'bundle.preview': ({ host }) => host.call('bundle.preview', {}),
    'bundle.create': ({ host, body }) => host.call('bundle.create', body),
    'bundle.download': async ({ host, params }) => {
      const first = await host.call('bundle.read', { id: params.id });
      return new Content('application/octet-stream', Readable.from(bundle(host, params.id, first)), {
        name: `sekisho-support-${params.id}.bin`,
      });
    },
    'usb.list': ({ host }) => host.call('usb.list', {}),
    'ups.show': ({ host }) => host.call('ups.show', {}),
    'ups.set': ({ host, body }) => host.call('ups.set', body),
    'signatures.show': ({ host }) => host.call('signatures.show', {}),
    'signatures.set': ({ host, body }) => host.call('signatures.set', body),
    'signatures.install': ({ host, body }) => host.call('signatures.install', body),
    'maps.show': ({ host }) => host.call('maps.show', {}),
    'maps.set': ({ host, body }) => host.call('maps.set', body),
    'advisories.show': ({ host }) => host.call('advisories.show', {}),
    'update.show': ({ host }) => host.call('update.show', {}),
    'update.check': ({ host }) => host.call('update.check', {}),
    'update.install': ({ host, body }) => host.call('update.install', body),
    'update.set': ({ host, body }) => host.call('update.set', body),
  };
}

async function* bundle(
  host: HostClient,
  id: string,
  first: { base64: string; next?: number | undefined },
): AsyncGenerator<Buffer> {
  let part = first;
  for (;;) {
    yield Buffer.from(part.base64, 'base64');
    if (part.next === undefined) return;
    part = await host.call('bundle.read', { id, offset: part.next });
  }
}
