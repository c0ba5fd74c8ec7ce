/**
 * Backup and restore: settings of the gateway, users, and the installed certificate of the pages. What stands at its default
 * is not written back, so that a later release's defaults hold. Settings come first and are tried as a whole: what the
 * gateway refuses restores nothing at all; users come last, in one transaction. Whoever loses power between the two restores
 * once more. Files that settings name (lists of recipients, certificate files) are not in it, nor are passwords that the gateway
 * shows to nobody (the smarthost's): a box that has one keeps it, on a new one the login is left out and must be given again.
 */
import { z } from 'zod';
import type { ControlClient } from '../../control/client.ts';
import { keptUser, restoreUsers, usersToKeep } from '../backup/kept-users.ts';
import { openBackup, sealBackup } from '../backup/seal.ts';
import { checkPair } from '../server/certificate.ts';
import { Content, type Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import { iso, type RouteParts } from './parts.ts';
import { type Change, HIDDEN, settingAt, UNCHANGED } from './settings.ts';

const backup = z.strictObject({
  madeAt: z.iso.datetime(),
  version: z.string().max(100),
  hostname: z.string().max(253),
  config: z.record(z.string(), z.unknown()),
  users: z.array(keptUser).max(10_000),
  certificates: z.strictObject({ cert: z.string(), key: z.string() }).exactOptional(),
});
type Backup = z.output<typeof backup>;

export function backupHandlers(parts: RouteParts): Some<`backup.${'create' | 'inspect' | 'restore'}`> {
  const { store, certificates, showCertificate, now } = parts;
  return {
    'backup.create': async ({ gateway, body }) => {
      const page = certificates.current();
      const content: Backup = {
        madeAt: iso(now()),
        version: parts.version,
        hostname: parts.box().hostname,
        config: await chosenSettings(gateway),
        users: usersToKeep(store),
        ...(page.source === 'uploaded' ? { certificates: { cert: page.cert, key: page.key } } : {}),
      };
      const file = await sealBackup(content, body.passphrase);
      return new Content('application/octet-stream', file, { name: `sekisho-${content.madeAt.slice(0, 10)}.backup` });
    },
    'backup.inspect': async ({ body }) => {
      const { madeAt, version, hostname, certificates: page } = await read(body);
      return { madeAt, version, hostname, parts: ['config', 'users', ...(page === undefined ? [] : ['certificates'])] };
    },
    'backup.restore': async ({ gateway, body, note }) => {
      const content = await read(body);
      const wanted = new Set(body.parts);
      const page = wanted.has('certificates') ? content.certificates : undefined;
      if (page !== undefined) checkPair(page.cert, page.key, now());
      note(content.hostname, { madeAt: content.madeAt });
      const change = wanted.has('config') ? await restoreSettings(gateway, content.config) : UNCHANGED;
      if (!change.ok) return { ...change, restored: [] };
      if (page !== undefined) {
        await certificates.install(page.cert, page.key);
        showCertificate();
      }
      if (wanted.has('users')) restoreUsers(store, content.users);
      const restored = [
        ...(wanted.has('config') ? ['config'] : []),
        ...(page === undefined ? [] : ['certificates']),
        ...(wanted.has('users') ? ['users'] : []),
      ];
      return { ...change, restored };
    },
  };
}

async function read({ file, passphrase }: { file: string; passphrase: string }): Promise<Backup> {
  const content = backup.safeParse(await openBackup(Buffer.from(file, 'base64'), passphrase));
  if (!content.success) throw new ApiProblem(422, 'BACKUP_BAD');
  return content.data;
}

/** What differs from the defaults. */
async function chosenSettings(gateway: ControlClient): Promise<Record<string, unknown>> {
  const [{ value }, { keys }] = await Promise.all([
    gateway.call('config.show', {}),
    gateway.call('config.reference', {}),
  ]);
  const defaults = new Map(keys.map((key) => [key.path, JSON.stringify(key.default)]));
  const chosen = (at: unknown, path: string): unknown => {
    if (typeof at !== 'object' || at === null || Array.isArray(at))
      return JSON.stringify(at) === defaults.get(path) ? undefined : at;
    const kept = Object.entries(at)
      .map(([name, inner]): [string, unknown] => [name, chosen(inner, path === '' ? name : `${path}.${name}`)])
      .filter(([, inner]) => inner !== undefined);
    return kept.length === 0 ? undefined : Object.fromEntries(kept);
  };
  return (chosen(value, '') ?? {}) as Record<string, unknown>;
}

/** One generation a part of the file; the first that is refused takes all back. */
async function restoreSettings(gateway: ControlClient, given: Record<string, unknown>): Promise<Change> {
  const config = withoutLostLogin(given, await settingAt<unknown>(gateway, 'outbound.smarthost'));
  const checked = await gateway.call('config.check', { candidate: withoutHidden(config) });
  if (!checked.ok) return { ok: false, problems: checked.problems };
  const now = await chosenSettings(gateway);
  const { generation: before } = await gateway.call('config.show', { path: 'version' });
  let sum: Change = UNCHANGED;
  for (const path of new Set([...Object.keys(now), ...Object.keys(config)])) {
    const value = config[path];
    if (JSON.stringify(value) === JSON.stringify(now[path])) continue;
    const change =
      value === undefined
        ? await gateway.call('config.unset', { path })
        : await gateway.call('config.set', { path, value });
    if (!change.ok) {
      await gateway.call('config.rollback', { generation: before });
      return change;
    }
    sum = { ...change, changed: [...(sum.changed ?? []), ...(change.changed ?? [])] };
  }
  return sum;
}

/** The smarthost's login where this box keeps no password for it. */
function withoutLostLogin(config: Record<string, unknown>, standing: unknown): Record<string, unknown> {
  const kept = typeof standing === 'object' && standing !== null && 'password' in standing;
  return kept ? config : (withoutHidden(config) as Record<string, unknown>);
}

/** A login whose password is hidden goes as a whole: a user alone would be refused. */
function withoutHidden(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { user: _user, password: _password, ...rest } = value as Record<string, unknown>;
  const bare = 'password' in value && value.password === HIDDEN ? rest : value;
  return Object.fromEntries(Object.entries(bare).map(([key, inner]) => [key, withoutHidden(inner)]));
}
