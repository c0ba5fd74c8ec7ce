/** What the verbs about the spam filter's lists do; and the ports that the owner's own sources are asked on. */
import type { HostHandlers } from '../control/host-contract.ts';
import type { RunCommand } from './command.ts';
import { ownSources } from './network-files.ts';
import type { RecordFile } from './record.ts';
import type { SpamMaps } from './spam-maps.ts';

interface MapParts {
  maps: SpamMaps;
  record: RecordFile;
  run: RunCommand;
}

export function mapHandlers(parts: MapParts): Pick<HostHandlers, 'maps.show' | 'maps.set'> {
  return {
    'maps.show': () => parts.maps.show(),
    'maps.set': async (settings) => {
      await parts.maps.set(settings);
      await applySources(parts);
      return { ok: true };
    },
  };
}

/** An own mirror, proxy or list on another port than the usual ones: exactly that one is opened. */
export async function applySources({ run, record }: Omit<MapParts, 'maps'>): Promise<void> {
  const { signatures, maps } = record.current();
  await run('nft', ['-f', '-'], { input: ownSources({ signatures: signatures.settings, maps: maps.settings }) });
}
