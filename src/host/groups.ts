/** The numeric id of a group, from /etc/group: Node cannot ask for it. Undefined where there is no such group. */
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
