/**
 * Secrets never leave in clear (not in `config show`, diffs, problems or logs): a value whose key says password, secret,
 * token or key is shown as `[hidden]`. `tls.key` is a file's name, not a key, and stays. Pure.
 */
import { type Difference, parsePath } from './path.ts';

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

/** Does anything in this configuration have to be kept from other users of the machine? */
export function holdsSecret(value: unknown, path: ReadonlyArray<string | number> = []): boolean {
  if (value === null || value === undefined) return false;
  if (isSecret(path)) return true;
  return typeof value === 'object' && Object.entries(value).some(([key, item]) => holdsSecret(item, [...path, key]));
}

/**
 * What was shown as hidden and comes back unchanged means the secret that stands at the same place of `standing`: whoever
 * edits what `config show` printed keeps it. Where none stands, or it was given for another host, `[hidden]` stays and the check
 * refuses it: whoever may change settings must not get to have a password sent to a server of theirs.
 */
export function reveal(value: unknown, standing: unknown, path: ReadonlyArray<string | number> = []): unknown {
  if (value === HIDDEN && isSecret(path)) return typeof standing === 'string' ? standing : value;
  if (typeof value !== 'object' || value === null) return value;
  const inside = (key: string | number): unknown =>
    typeof standing === 'object' && standing !== null && Object.hasOwn(standing, key)
      ? (standing as Record<string | number, unknown>)[key]
      : undefined;
  if (Array.isArray(value)) return value.map((item, index) => reveal(item, inside(index), [...path, index]));
  const elsewhere = hostIn(value) !== hostIn(standing);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const place = [...path, key];
      return [key, elsewhere && isSecret(place) ? item : reveal(item, inside(key), place)];
    }),
  );
}

function hostIn(value: unknown): string | undefined {
  const host = typeof value === 'object' && value !== null ? (value as { host?: unknown }).host : undefined;
  return typeof host === 'string' ? host.toLowerCase() : undefined;
}

/** A copy with every secret hidden. `path` is where the value stands in the configuration. */
export function redact(value: unknown, path: ReadonlyArray<string | number> = []): unknown {
  if (isSecret(path) && value !== null && value !== undefined && value !== '') return HIDDEN;
  if (Array.isArray(value)) return value.map((item, index) => redact(item, [...path, index]));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redact(item, [...path, key])]));
  return value;
}

/** A changed secret is told as a change between two hidden values. */
export function redactDifference(difference: Difference): Difference {
  const steps = difference.path === '' ? [] : parsePath(difference.path);
  const place = steps.map((step) => ('key' in step ? step.key : 'index' in step ? step.index : 0));
  const shown: Difference = { path: difference.path };
  if ('before' in difference) shown.before = redact(difference.before, place);
  if ('after' in difference) shown.after = redact(difference.after, place);
  return shown;
}
