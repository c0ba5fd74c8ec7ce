/**
 * Backup and restore: settings with their secrets and the lists of recipients they name, users, every certificate with its key,
 * the box's own authority, the ACME account. What stands at its default is not written back, so that a later release's
 * defaults hold. Settings come first and are tried as a whole: what the gateway refuses restores nothing at all; users come
 * last, in one transaction. Whoever loses power between the two restores once more. A certificate that has ended meanwhile
 * is left out and named. Not in it: mail, history, audit, the address of the machine, lists beyond backup-verbs.ts' size.
 */
import { z } from 'zod';
import type { ControlClient } from '../../control/client.ts';
import { listFile, mailPair } from '../../control/backup-verbs.ts';
import { keptUser, mustHaveAdmin, restoreUsers, usersToKeep } from '../backup/kept-users.ts';
import { openBackup, sealBackup } from '../backup/seal.ts';
import { keptDesk } from '../certificates/desk.ts';
import { checkPair, type PageCertificates } from '../server/certificate.ts';
import { Content, type Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import { iso, type RouteParts } from './parts.ts';
import { type Change, HIDDEN, setAll, UNCHANGED } from './settings.ts';

const pair = z.strictObject({ cert: z.string(), key: z.string() });
const backup = z.strictObject({
  madeAt: z.iso.datetime(),
  version: z.string().max(100),
  hostname: z.string().max(253),
  config: z.record(z.string(), z.unknown()),
  users: z.array(keptUser).max(10_000),
  /** Of the pages. */
  certificates: pair.exactOptional(),
  portal: pair.exactOptional(),
  mail: mailPair.exactOptional(),
  desk: keptDesk.exactOptional(),
  lists: z.array(listFile).max(10_000).default([]),
  left: z.array(z.string()).default([]),
});
type Backup = z.output<typeof backup>;
type Settings = Record<string, unknown>;

export function backupHandlers(parts: RouteParts): Some<`backup.${'create' | 'inspect' | 'restore'}`> {
  const { store, now } = parts;
  return {
    'backup.create': async ({ gateway, body }) => {
      const content = await collect(parts, gateway);
      const file = await sealBackup(content, body.passphrase);
      return new Content('application/octet-stream', file, { name: `sekisho-${content.madeAt.slice(0, 10)}.backup` });
    },
    'backup.inspect': async ({ body }) => {
      const content = await read(body);
      const { madeAt, version, hostname } = content;
      return {
        madeAt,
        version,
        hostname,
        parts: ['config', 'users', ...(hasCertificates(content) ? ['certificates'] : [])],
        holds: holdsOf(content),
      };
    },
    'backup.restore': async ({ gateway, body, note }) => {
      const content = await read(body);
      const wanted = new Set(body.parts);
      if (wanted.has('users')) mustHaveAdmin(content.users);
      note(content.hostname, { madeAt: content.madeAt });
      const change = wanted.has('config') ? await restoreSettings(gateway, content) : UNCHANGED;
      if (!change.ok) return { ...change, restored: [], expired: [] };
      const keys = wanted.has('certificates') && hasCertificates(content);
      const expired = keys ? await restoreKeys(parts, { gateway, content, now: now() }) : [];
      if (wanted.has('users')) restoreUsers(store, content.users);
      const restored = [
        ...(wanted.has('config') ? ['config'] : []),
        ...(keys ? ['certificates'] : []),
        ...(wanted.has('users') ? ['users'] : []),
      ];
      return { ...change, restored, expired };
    },
  };
}

async function collect(parts: RouteParts, gateway: ControlClient): Promise<Backup> {
  const { config, mail, lists, left } = await gateway.call('backup.collect', {});
  const given = (name: 'certificates' | 'portal', kept: PageCertificates): object => {
    const { cert, key, source } = kept.current();
    return source === 'uploaded' ? { [name]: { cert, key } } : {};
  };
  return {
    madeAt: iso(parts.now()),
    version: parts.version,
    hostname: parts.box().hostname,
    config: await chosenOf(gateway, config),
    users: usersToKeep(parts.store),
    ...given('certificates', parts.certificates),
    ...given('portal', parts.portalCertificates),
    mail,
    desk: await parts.desk.keep(),
    lists,
    left,
  };
}

async function read({ file, passphrase }: { file: string; passphrase: string }): Promise<Backup> {
  const content = backup.safeParse(await openBackup(Buffer.from(file, 'base64'), passphrase));
  if (!content.success) throw new ApiProblem(422, 'BACKUP_BAD');
  return content.data;
}

function hasCertificates({ certificates, portal, mail, desk }: Backup): boolean {
  return [certificates, portal, mail, desk].some((one) => one !== undefined);
}

/** What a person wants to know before the old box is thrown away. */
function holdsOf({ certificates, portal, mail, desk, config, lists, left }: Backup) {
  return {
    certificates: [
      ...(certificates === undefined ? [] : (['page'] as const)),
      ...(mail === undefined ? [] : (['mail'] as const)),
      ...(portal === undefined ? [] : (['portal'] as const)),
    ],
    authority: desk?.authority !== undefined,
    ...(desk?.record.acme === undefined ? {} : { acme: desk.record.acme.directory }),
    smarthostPassword: passwordOf(config) !== undefined && passwordOf(config) !== HIDDEN,
    lists: lists.map(({ domain, file }) => ({ domain, file })),
    left,
  };
}

function smarthostOf({ outbound }: Settings): Settings | undefined {
  const smarthost = typeof outbound === 'object' && outbound !== null ? (outbound as Settings)['smarthost'] : undefined;
  return typeof smarthost === 'object' && smarthost !== null ? (smarthost as Settings) : undefined;
}

function passwordOf(config: Settings): unknown {
  return smarthostOf(config)?.['password'];
}

/** Returns whose certificate has ended since; what is renewed by itself comes anew with the next run of its job. */
async function restoreKeys(
  parts: RouteParts,
  { gateway, content, now }: { gateway: ControlClient; content: Backup; now: number },
): Promise<Array<'page' | 'mail' | 'portal'>> {
  const expired: Array<'page' | 'mail' | 'portal'> = [];
  const usable = (use: 'page' | 'mail' | 'portal', given: { cert: string; key: string } | undefined): boolean => {
    if (given === undefined) return false;
    try {
      checkPair(given.cert, given.key, now);
      return true;
    } catch {
      expired.push(use);
      return false;
    }
  };
  // first: it says where the others come from
  if (content.desk !== undefined) await parts.desk.putBack(content.desk);
  for (const [use, given] of [
    ['page', content.certificates],
    ['portal', content.portal],
  ] as const)
    if (given !== undefined && usable(use, given)) await parts.desk.putBackPair(use, given);
  const { mail } = content;
  if (mail !== undefined && usable('mail', { cert: mail.certificate, key: mail.key }))
    await gateway.call('backup.certificate', mail);
  return expired;
}

/** What differs from the defaults; `value`: all settings. */
async function chosenOf(gateway: ControlClient, value: unknown): Promise<Settings> {
  const { keys } = await gateway.call('config.reference', {});
  const defaults = new Map(keys.map((key) => [key.path, JSON.stringify(key.default)]));
  const chosen = (at: unknown, path: string): unknown => {
    if (typeof at !== 'object' || at === null || Array.isArray(at))
      return JSON.stringify(at) === defaults.get(path) ? undefined : at;
    const kept = Object.entries(at)
      .map(([name, inner]): [string, unknown] => [name, chosen(inner, path === '' ? name : `${path}.${name}`)])
      .filter(([, inner]) => inner !== undefined);
    return kept.length === 0 ? undefined : Object.fromEntries(kept);
  };
  return (chosen(value, '') ?? {}) as Settings;
}

/** One change, so that what fits together only as a whole is never tried in parts. */
async function restoreSettings(gateway: ControlClient, content: Backup): Promise<Change> {
  const standing = await gateway.call('backup.collect', {});
  const now = await chosenOf(gateway, standing.config);
  const given = withoutLostLogin(withMovedFiles(content.config, now), now);
  const checked = await gateway.call('config.check', { candidate: withoutHidden(given) });
  if (!checked.ok) return { ok: false, problems: checked.problems };
  const config = await withLists(gateway, { config: given, lists: content.lists });
  const paths = [...new Set([...Object.keys(now), ...Object.keys(config)])];
  const differ = paths.filter((path) => JSON.stringify(config[path]) !== JSON.stringify(now[path]));
  return setAll(
    gateway,
    differ.map((path) => [path, config[path]]),
  );
}

/** The lists first, or the settings would name files that are not there; a list that got another place is named there. */
async function withLists(
  gateway: ControlClient,
  { config, lists }: { config: Settings; lists: Backup['lists'] },
): Promise<Settings> {
  const places = new Map<string, string>();
  for (const list of lists) places.set(list.domain, (await gateway.call('backup.list', list)).file);
  const { domains } = config;
  if (!Array.isArray(domains)) return config;
  const moved = (domains as Array<{ name?: unknown; recipients?: object }>).map((domain) => {
    const file = places.get(String(domain.name));
    return file === undefined ? domain : { ...domain, recipients: { ...domain.recipients, file } };
  });
  return { ...config, domains: moved };
}

/** Files of a certificate that settings name are another machine's; the pair itself is in the backup and is installed. */
function withMovedFiles(config: Settings, now: Settings): Settings {
  const { tls, ...rest } = config;
  if (typeof tls !== 'object' || tls === null || JSON.stringify(tls) === JSON.stringify(now['tls'])) return config;
  const { certificate: _certificate, key: _key, ...others } = tls as Settings;
  return Object.keys(others).length === 0 ? rest : { ...rest, tls: others };
}

/** The smarthost's login of an older backup, which has no password, where this box keeps none for that server either. */
function withoutLostLogin(config: Settings, now: Settings): Settings {
  const known = passwordOf(now) !== undefined && smarthostOf(now)?.['host'] === smarthostOf(config)?.['host'];
  return known ? config : (withoutHidden(config) as Settings);
}

/** A login whose password is hidden goes as a whole: a user alone would be refused. */
function withoutHidden(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { user: _user, password: _password, ...rest } = value as Record<string, unknown>;
  const bare = 'password' in value && value.password === HIDDEN ? rest : value;
  return Object.fromEntries(Object.entries(bare).map(([key, inner]) => [key, withoutHidden(inner)]));
}
