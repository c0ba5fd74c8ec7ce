/** What the audit keeps of a request: everything but secrets and bulk. Pure. */

/** As words of a key: `currentPassword`, `recovery-codes`. */
const SECRET = /pass(?:word|phrase)|secret|^code$|^current$|^key$|token|^file$|^data$/i;
/** `file` is the name of a file in the updates' operations, and its content in the backup's. */
const MOST_TEXT = 300;
const MOST_ITEMS = 50;
const MOST_DEPTH = 6;

export function hidden(input: { params: unknown; query: unknown; body: unknown }): Record<string, unknown> {
  return {
    ...asRecord(cleaned(input.params, 0)),
    ...asRecord(cleaned(input.query, 0)),
    ...asRecord(cleaned(input.body, 0)),
  };
}

function cleaned(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.length > MOST_TEXT ? `${value.slice(0, MOST_TEXT)}…` : value;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MOST_DEPTH) return '…';
  if (Array.isArray(value)) {
    const kept = value.slice(0, MOST_ITEMS).map((item) => cleaned(item, depth + 1));
    return value.length > MOST_ITEMS ? [...kept, `… (${value.length})`] : kept;
  }
  const secretSetting =
    typeof (value as { path?: unknown }).path === 'string' && SECRET.test(lastWord(value as { path: string }));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const secret = SECRET.test(key) && typeof inner === 'string' && !(key === 'file' && inner.length < 128);
      return [key, secret || (secretSetting && key === 'value') ? '[hidden]' : cleaned(inner, depth + 1)];
    }),
  );
}

/** `outbound.smarthost.password` → `password` */
function lastWord({ path }: { path: string }): string {
  return path.split(/[.[\]]/).at(-1) ?? '';
}

/** The most telling word of a request: an id, a name, a path, the first of many. */
export function targetOf(input: { params: unknown; query: unknown; body: unknown }): string {
  const all = { ...asRecord(input.body), ...asRecord(input.query), ...asRecord(input.params) };
  for (const key of [
    'id',
    'name',
    'use',
    'path',
    'user',
    'domain',
    'hop',
    'match',
    'address',
    'recipient',
    'service',
  ]) {
    const value = all[key];
    if (typeof value === 'string') return value;
  }
  const { ids } = all;
  if (!Array.isArray(ids)) return '';
  const first = ids.slice(0, 3).join(', ');
  return ids.length > 3 ? `${first}, … (${ids.length})` : first;
}

function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
