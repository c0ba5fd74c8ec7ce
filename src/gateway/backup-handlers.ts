/**
 * What a backup takes from the gateway and gives back: settings with their secrets, the key of STARTTLS, lists of recipients.
 * A list goes back to where its setting said, if that is a plain path below the configuration and nothing of ours lies
 * there; anything else a file from elsewhere could name (another folder, the configuration itself) gets a place of its own,
 * and the caller is told. Power cut: each file is replaced whole; restoring once more brings the rest.
 */
import { mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { installCertificate, removeInstalledCertificate, restoreSelfMade } from '../accept/certificate.ts';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { SekishoError } from '../base/errors.ts';
import type { ConfigStore } from '../config/store.ts';
import { type BACKUP_VERBS, MOST_LIST_OCTETS, MOST_LISTS_OCTETS } from '../control/backup-verbs.ts';
import type { GatewayHandlers, VerbAnswer } from '../control/contract.ts';
import { parseDomain } from '../mail/address.ts';
import type { HandlerParts } from './handlers.ts';

/** Below the configuration's folder. */
const OWN_FOLDER = 'recipients';
/** By its ending no file of ours. */
const PLAIN_PATH = /^(?:[A-Za-z0-9_][\w.-]{0,60}\/){0,5}[A-Za-z0-9_][\w.-]{0,60}\.(?:txt|list|csv)$/;

export function backupHandlers({
  store,
  doors,
  data,
  observe,
}: HandlerParts): Pick<GatewayHandlers, keyof typeof BACKUP_VERBS> {
  return {
    'backup.collect': async (_request, { by }) => {
      const { cert, key, source } = await doors.certificate();
      observe.log('info', 'A backup took the settings with their secrets and the key for mail', { by });
      const config = structuredClone(store.current()) as Record<string, unknown>;
      return { config, mail: { own: source === 'own', certificate: cert, key }, ...(await listsOf(store)) };
    },
    'backup.list': async ({ domain, file, text }, { by }) => {
      const name = parseDomain(domain);
      if (name === undefined) throw new SekishoError('BAD_REQUEST', `"${domain}" is not a domain`);
      const place = await placeOf(store, { name, file });
      const target = path.resolve(store.directory, place);
      await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
      await writeFileAtomic(target, text, { mode: 0o600 });
      observe.log('info', `The recipient list "${place}" came back from a backup`, { by });
      return { file: place };
    },
    'backup.certificate': async ({ own, certificate, key }, { by }) => {
      if (own) {
        await restoreSelfMade(data, { certificate, key });
        await removeInstalledCertificate(data);
      } else await installCertificate(data, { certificate, key });
      await doors.renew();
      observe.log('info', 'The certificate for mail came back from a backup', { by });
      return {};
    },
  };
}

async function listsOf(store: ConfigStore): Promise<Pick<VerbAnswer<'backup.collect'>, 'lists' | 'left'>> {
  const lists: VerbAnswer<'backup.collect'>['lists'] = [];
  const left: string[] = [];
  let octets = 0;
  for (const { name: domain, recipients } of store.current().domains) {
    const { file } = recipients;
    if (file === undefined) continue;
    const at = path.resolve(store.directory, file);
    const size = await stat(at).then(
      (found) => (found.isFile() ? found.size : Infinity),
      () => Infinity,
    );
    const text =
      size > MOST_LIST_OCTETS || octets + size > MOST_LISTS_OCTETS
        ? undefined
        : await readFile(at, 'utf8').catch(() => undefined);
    if (text === undefined) left.push(file);
    else {
      octets += size;
      lists.push({ domain, file, text });
    }
  }
  return { lists, left };
}

/** Relative to the configuration. The name in a backup is a stranger's word: it never replaces anything but a list. */
async function placeOf(store: ConfigStore, { name, file }: { name: string; file: string }): Promise<string> {
  const own = `${OWN_FOLDER}/${name}.txt`;
  const lists = new Set(
    store
      .current()
      .domains.flatMap(({ recipients }) =>
        recipients.file === undefined ? [] : [path.resolve(store.directory, recipients.file)],
      ),
  );
  if (!PLAIN_PATH.test(file)) return own;
  const at = path.resolve(store.directory, file);
  if (lists.has(at)) return file;
  const taken = await stat(at).then(
    () => true,
    () => false,
  );
  return taken ? own : file;
}
