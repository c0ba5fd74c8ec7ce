/**
 * Secrets never leave in clear (not in `config show`, diffs, problems or logs): a value whose key says password, secret,
 * token or key is shown as `[hidden]`. `tls.key` is a file's name, not a key, and stays. Pure.
 */
export const HIDDEN = '[hidden]';

const SECRET_WORDS = new Set(['password', 'passphrase', 'secret', 'token', 'key', 'credential', 'credentials']);
const NOT_SECRET = new Set(['tls.key']);

/** Does the key at this path (names and indexes) hold a secret? */
export function isSecret(path: ReadonlyArray<string | number>): boolean {
  const last = path.at(-1);
  if (typeof last !== 'string' || NOT_SECRET.has(path.join('.'))) return false;
  // apiKey, api_key and API-KEY are one word list
  const words = last
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return words.some((word) => SECRET_WORDS.has(word) || SECRET_WORDS.has(word.replace(/s$/, '')));
}

/** A copy with every secret hidden. `path` is where the value stands in the configuration. */
export function redact(value: unknown, path: ReadonlyArray<string | number> = []): unknown {
  if (isSecret(path) && value !== null && value !== undefined && value !== '') return HIDDEN;
  if (Array.isArray(value)) return value.map((item, index) => redact(item, [...path, index]));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redact(item, [...path, key])]));
  return value;
}
