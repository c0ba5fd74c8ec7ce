/** Numeric ids of groups and users, from the machine's tables: Node cannot ask for them. Undefined where there is none. */
import { readFileSync } from 'node:fs';

export function groupId(name: string, file = '/etc/group'): number | undefined {
  let table: string;
  try {
    table = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  for (const line of table.split('\n')) {
    const [group, , id] = line.split(':');
    if (group === name && id !== undefined && /^\d+$/.test(id)) return Number(id);
  }
  return undefined;
}

export function userIds(name: string, file = '/etc/passwd'): { uid: number; gid: number } | undefined {
  let table: string;
  try {
    table = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  for (const line of table.split('\n')) {
    const [user, , uid, gid] = line.split(':');
    if (user === name && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? ''))
      return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}
