/**
 * What one can do with the spool folder of a stopped or dead box. Root becomes the folder's owner first, so that whatever is
 * written there stays the gateway's own.
 */
import { statSync } from 'node:fs';
import { SekishoError } from '../../base/errors.ts';
import { checkSpool } from './check.ts';
import { exportSpool } from './export.ts';
import { importSpool } from './import.ts';
import { rebuildSpool } from './rebuild.ts';

export const spoolTools = {
  check: checkSpool,
  exportTo: exportSpool,
  importFrom: (...call: Parameters<typeof importSpool>) => {
    becomeOwner(call[0]);
    return importSpool(...call);
  },
  rebuild: (root: string) => {
    becomeOwner(root);
    return rebuildSpool(root);
  },
};

function becomeOwner(root: string): void {
  const owner = statSync(root, { throwIfNoEntry: false });
  if (owner === undefined) throw new SekishoError('SPOOL_MISSING', `There is no folder "${root}"`);
  const uid = process.getuid?.();
  if (uid === owner.uid) return;
  if (uid !== 0)
    throw new SekishoError('NOT_ALLOWED', `The spool "${root}" belongs to another user (uid ${owner.uid})`, {
      remedy: 'Run the command as that user, or as root',
    });
  process.setgroups?.([owner.gid]);
  process.setgid?.(owner.gid);
  process.setuid?.(owner.uid);
}
