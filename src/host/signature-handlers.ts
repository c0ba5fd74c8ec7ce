/** What the verbs about virus signatures do, and what the gateway tells about whom it asks for viruses. */
import { describeError, SekishoError } from '../base/errors.ts';
import type { HostHandlers } from '../control/host-contract.ts';
import type { RecordFile } from './record.ts';
import type { Signatures } from './signatures.ts';

interface SignatureParts {
  signatures: Signatures;
  record: RecordFile;
  log: (level: 'info' | 'warn' | 'error', message: string, facts?: Record<string, unknown>) => void;
}

const DONE = { ok: true } as const;

export function signatureHandlers(
  parts: SignatureParts & { sourcesChanged: () => Promise<void> },
): Pick<HostHandlers, 'signatures.show' | 'signatures.set' | 'signatures.install'> {
  const { signatures, record } = parts;
  return {
    'signatures.show': () => signatures.show(),
    'signatures.set': async (settings) => {
      if (settings.source === 'mirror' && settings.mirror === undefined)
        throw new SekishoError('INVALID_REQUEST', 'An own mirror needs its address');
      const { proxy } = settings;
      if (proxy !== undefined && proxy.user === undefined && proxy.password !== undefined)
        throw new SekishoError('INVALID_REQUEST', 'A password for the proxy needs a user');
      await record.change((state) => {
        const before = state.signatures.settings.proxy;
        // not told again: the one that is kept
        const password = proxy?.password ?? (before?.user === proxy?.user ? before?.password : undefined);
        const kept =
          proxy === undefined ? {} : { proxy: { ...proxy, ...(password === undefined ? {} : { password }) } };
        return { ...state, signatures: { ...state.signatures, settings: { ...settings, ...kept } } };
      });
      await parts.sourcesChanged();
      await signatures.apply();
      return DONE;
    },
    'signatures.install': ({ files }) => {
      signatures.install(files).catch((error: unknown) => {
        parts.log('warn', 'The uploaded signatures are not used', { error: describeError(error) });
      });
      return DONE;
    },
  };
}

/** Where the gateway asks another machine's antivirus, or none, ours only took memory. */
export async function applyAntivirus(
  parts: Pick<SignatureParts, 'signatures' | 'record'>,
  antivirus: 'local' | 'elsewhere' = 'local',
): Promise<void> {
  const local = antivirus === 'local';
  if (parts.record.current().signatures.local === local) return;
  await parts.record.change((state) => ({ ...state, signatures: { ...state.signatures, local } }));
  await parts.signatures.apply();
}
