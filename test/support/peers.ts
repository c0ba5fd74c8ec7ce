/**
 * A real Postfix that is not installed: its Debian package is unpacked under a prefix by `scripts/test`, and started here
 * with folders, ports and users of its own. It serves as the mail server behind the gateway (virtual(8) into a Maildir,
 * so that tests read what arrived), as a sender that relays everything to the gateway, and by its load tools.
 * master(8) must be root; everything it starts drops to `mail` or `nobody`. Nothing listens off loopback.
 */
import { chown, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePort, untilListening } from './net.ts';
import { type Child, startChild, until } from './process.ts';

const NOBODY = 65_534;
/** The user `mail` of every Debian. */
const MAIL_OWNER = { name: 'mail', uid: 8, gid: 8 };
/** Must be a group of its own, not the mail owner's: `news` of every Debian. */
const SETGID_GROUP = { name: 'news', gid: 9 };

/** Where `scripts/test` unpacks the peers; outside the checkout. */
export function cacheFolder(): string {
  const cache = process.env['SEKISHO_TEST_CACHE'];
  if (cache !== undefined) return cache;
  return path.join(process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'sekisho-test');
}

export function peersPrefix(): string {
  return path.join(cacheFolder(), 'peers', 'root');
}

export function hasPostfix(): boolean {
  return existsSync(path.join(peersPrefix(), 'usr/lib/postfix/sbin/master'));
}

/** The libraries of the prefix first: the package was linked for folders that do not exist here. */
export function peerEnvironment(): NodeJS.ProcessEnv {
  const lib = path.join(peersPrefix(), 'usr/lib');
  const architectures = existsSync(lib) ? readdirSync(lib).filter((name) => name.endsWith('-linux-gnu')) : [];
  const folders = [path.join(lib, 'postfix'), ...architectures.map((name) => path.join(lib, name))];
  return { PATH: process.env['PATH'], LD_LIBRARY_PATH: folders.join(':'), LANG: 'C' };
}

/** Where the prefix keeps its Perl modules: `share/perl5`, and `lib/<architecture>/perl5/<version>`. */
export function perlFolders(): string[] {
  const lib = path.join(peersPrefix(), 'usr/lib');
  const found = [path.join(peersPrefix(), 'usr/share/perl5')];
  for (const architecture of readdirSync(lib).filter((name) => name.endsWith('-linux-gnu'))) {
    const perl = path.join(lib, architecture, 'perl5');
    for (const version of existing(perl)) found.push(path.join(perl, version));
  }
  return found;
}

function existing(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

export interface ArrivedMessage {
  file: string;
  /** As it was sent, LF ends: Return-Path, Delivered-To and X-Original-To of virtual(8) and Postfix's Received are cut. */
  bytes: Buffer;
  /** As it lies in the Maildir. */
  raw: Buffer;
  deliveredTo: string;
  returnPath: string;
}

export interface Postfix {
  readonly port: number;
  readonly folder: string;
  /** Of master(8), or of the wrapper it runs under: the root of its process tree. */
  pid(): number;
  /** Everything delivered so far, in order of arrival. */
  messages(recipient?: string): Promise<ArrivedMessage[]>;
  /** Waits until `count` messages lie there. */
  received(count: number, options?: { recipient?: string; ms?: number }): Promise<ArrivedMessage[]>;
  log(): Promise<string>;
  /** Waits for it: postlogd(8) writes what the others say in its own time. */
  logged(words: RegExp): Promise<void>;
  /** Frees the port: connections are refused until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Changes main.cf lines of a stopped server. */
  configure(settings: Readonly<Record<string, string>>): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface PostfixOptions {
  /** An existing folder of the test; everything lies below it. */
  dir: string;
  name?: string;
  hostname?: string;
  /** Mail server: full addresses that have a mailbox. Others get Postfix's own 550. */
  recipients?: readonly string[];
  /** Sender: everything it takes goes here instead. */
  relayTo?: { port: number };
  settings?: Readonly<Record<string, string>>;
  /** More rows of master.cf(5): further listeners. */
  services?: readonly string[];
  /** A command that master(8) runs under (strace). */
  wrapper?: readonly string[];
}

export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  const folder = path.join(options.dir, options.name ?? 'postfix');
  const port = await freePort();
  await makeFolders(folder);
  await writeConfig(folder, port, options);
  let child: Child | undefined;

  const start = async (): Promise<void> => {
    await rm(path.join(folder, 'spool/pid/master.pid'), { force: true });
    const master = path.join(peersPrefix(), 'usr/lib/postfix/sbin/master');
    const [wrapper, ...before] = options.wrapper ?? [];
    const args = [...(wrapper === undefined ? [] : [...before, master]), '-c', path.join(folder, 'etc'), '-d'];
    child = await startChild(wrapper ?? master, args, { env: peerEnvironment() });
    await untilListening('Postfix', { port }).catch(async (error: unknown) => {
      const said = `${child?.output() ?? ''}${await readLog(folder)}`;
      throw new Error(`Postfix did not come up: ${said.slice(-2_000)}`, { cause: error });
    });
  };
  const stop = async (): Promise<void> => {
    await child?.stop();
    child = undefined;
  };
  const messages = async (recipient?: string): Promise<ArrivedMessage[]> => {
    const all = await readMaildirs(path.join(folder, 'mailboxes'));
    return recipient === undefined ? all : all.filter((one) => one.deliveredTo === recipient);
  };
  await start();
  return {
    port,
    folder,
    pid: () => child?.pid ?? 0,
    messages,
    received: (count, waiting = {}) =>
      until(`${count} messages at the mail server`, { ms: waiting.ms ?? 20_000 }, async () => {
        const found = await messages(waiting.recipient);
        return found.length >= count ? found : undefined;
      }).catch(async (error: unknown) => {
        const have = (await messages(waiting.recipient)).length;
        throw new Error(`${have} of ${count} arrived; Postfix says:\n${(await readLog(folder)).slice(-3_000)}`, {
          cause: error,
        });
      }),
    log: () => readLog(folder),
    logged: async (words) => {
      await until(`${String(words)} in the mail server's log`, { ms: 20_000 }, async () =>
        words.test(await readLog(folder)) ? true : undefined,
      ).catch(async (error: unknown) => {
        throw new Error(`Postfix says:\n${(await readLog(folder)).slice(-3_000)}`, { cause: error });
      });
    },
    stop,
    start,
    configure: async (settings) => {
      const file = path.join(folder, 'etc/main.cf');
      const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`);
      await writeFile(file, (await readFile(file, 'utf8')) + lines.join(''));
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function makeFolders(folder: string): Promise<void> {
  const spool = path.join(folder, 'spool');
  const owned = 'active bounce corrupt defer deferred flush hold incoming private saved trace'.split(' ');
  for (const name of ['etc', 'data', 'mailboxes', 'spool', 'spool/pid']) {
    await mkdir(path.join(folder, name), { recursive: true, mode: 0o755 });
  }
  for (const name of owned) await mkdir(path.join(spool, name), { mode: 0o700 });
  for (const name of ['public', 'maildrop']) await mkdir(path.join(spool, name), { mode: 0o730 });
  for (const name of owned) await chown(path.join(spool, name), MAIL_OWNER.uid, 0);
  for (const name of ['public', 'maildrop']) await chown(path.join(spool, name), MAIL_OWNER.uid, SETGID_GROUP.gid);
  await chown(path.join(folder, 'data'), MAIL_OWNER.uid, MAIL_OWNER.gid);
  await chown(path.join(folder, 'mailboxes'), NOBODY, NOBODY);
}

async function writeConfig(folder: string, port: number, options: PostfixOptions): Promise<void> {
  const prefix = peersPrefix();
  const recipients = options.recipients ?? [];
  const domains = [...new Set(recipients.map((address) => address.slice(address.lastIndexOf('@') + 1)))];
  const settings: Record<string, string> = {
    compatibility_level: '3.6',
    config_directory: path.join(folder, 'etc'),
    queue_directory: path.join(folder, 'spool'),
    data_directory: path.join(folder, 'data'),
    daemon_directory: path.join(prefix, 'usr/lib/postfix/sbin'),
    command_directory: path.join(prefix, 'usr/sbin'),
    shlib_directory: path.join(prefix, 'usr/lib/postfix'),
    import_environment: 'MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LD_LIBRARY_PATH',
    mail_owner: MAIL_OWNER.name,
    setgid_group: SETGID_GROUP.name,
    default_privs: 'nobody',
    maillog_file: path.join(folder, 'maillog'),
    maillog_file_prefixes: folder,
    myhostname: options.hostname ?? 'mail.office.example',
    mydestination: '',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    mynetworks: '127.0.0.0/8',
    alias_maps: '',
    local_recipient_maps: '',
    smtpd_peername_lookup: 'no',
    smtp_host_lookup: 'native',
    smtp_dns_support_level: 'disabled',
    // the tests ask for the very bytes: nothing is parsed, split or converted on the way
    disable_mime_input_processing: 'yes',
    disable_mime_output_conversion: 'yes',
    smtp_line_length_limit: '0',
    header_size_limit: '16777216',
    message_size_limit: '104857600',
    mailbox_size_limit: '0',
    virtual_mailbox_limit: '0',
    smtputf8_enable: 'yes',
    smtpd_client_connection_count_limit: '0',
    minimal_backoff_time: '2s',
    maximal_backoff_time: '4s',
    queue_run_delay: '2s',
    in_flow_delay: '0',
    default_process_limit: '50',
  };
  if (options.relayTo !== undefined) {
    settings['relayhost'] = `[127.0.0.1]:${options.relayTo.port}`;
    settings['smtp_tls_security_level'] = 'may';
  }
  if (domains.length > 0) {
    settings['virtual_mailbox_domains'] = domains.join(' ');
    settings['virtual_mailbox_base'] = path.join(folder, 'mailboxes');
    settings['virtual_mailbox_maps'] = `texthash:${path.join(folder, 'etc/mailboxes')}`;
    settings['virtual_uid_maps'] = `static:${NOBODY}`;
    settings['virtual_gid_maps'] = `static:${NOBODY}`;
    settings['virtual_minimum_uid'] = '1';
  }
  const all = { ...settings, ...options.settings };
  const main = Object.entries(all).map(([key, value]) => `${key} = ${value}\n`);
  await writeFile(path.join(folder, 'etc/main.cf'), main.join(''));
  await writeFile(path.join(folder, 'etc/master.cf'), masterConfig(port, options.services ?? []));
  const boxes = recipients.map((address) => `${address} ${address}/\n`);
  await writeFile(path.join(folder, 'etc/mailboxes'), boxes.join(''));
}

/** master.cf(5): no chroot anywhere; only the services that a relay and a mailbox server need. */
function masterConfig(port: number, more: readonly string[]): string {
  const rows = [
    `127.0.0.1:${port} inet n - n - - smtpd`,
    // postqueue -f refuses to flush a system without it
    'pickup unix n - n 60 1 pickup',
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'verify unix - - n - 1 verify',
    'flush unix n - n 1000? 0 flush',
    'proxymap unix - - n - - proxymap',
    'proxywrite unix - - n - 1 proxymap',
    'smtp unix - - n - - smtp',
    'relay unix - - n - - smtp',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'discard unix - - n - - discard',
    'virtual unix - n n - - virtual',
    'anvil unix - - n - 1 anvil',
    'scache unix - - n - 1 scache',
    'showq unix n - n - - showq',
    'postlog unix-dgram n - n - 1 postlogd',
    ...more,
  ];
  return `${rows.join('\n')}\n`;
}

async function readLog(folder: string): Promise<string> {
  return await readFile(path.join(folder, 'maillog'), 'utf8').catch(() => '');
}

async function readMaildirs(base: string): Promise<ArrivedMessage[]> {
  const files: Array<{ file: string; arrived: number }> = [];
  for (const box of await readdir(base)) {
    const folder = path.join(base, box, 'new');
    for (const name of await readdir(folder).catch(() => [])) {
      // maildir name: seconds.V<device>I<inode>M<microseconds>.host
      const micros = /^(\d+)\.V[0-9a-f]+I[0-9a-f]+M(\d+)\./.exec(name);
      const arrived = Number(micros?.[1] ?? 0) * 1e6 + Number(micros?.[2] ?? 0);
      files.push({ file: path.join(folder, name), arrived });
    }
  }
  files.sort((a, b) => a.arrived - b.arrived);
  const found: ArrivedMessage[] = [];
  for (const { file } of files) found.push(parseArrived(file, await readFile(file)));
  return found;
}

/** Cuts what this Postfix put before the message: virtual(8)'s three fields, then smtpd's own Received. */
function parseArrived(file: string, raw: Buffer): ArrivedMessage {
  let at = 0;
  let deliveredTo = '';
  let returnPath = '';
  for (;;) {
    const end = fieldEnd(raw, at);
    const field = raw.toString('latin1', at, end);
    if (/^Return-Path: /i.test(field)) returnPath = field.slice(13).trim().replace(/^<|>$/g, '');
    else if (/^Delivered-To: /i.test(field)) deliveredTo = field.slice(14).trim();
    else if (!/^X-Original-To: /i.test(field)) break;
    at = end;
  }
  const received = raw.toString('latin1', at, fieldEnd(raw, at));
  if (/^Received: .*by \S+ \(Postfix\)/s.test(received)) at = fieldEnd(raw, at);
  return { file, raw, bytes: raw.subarray(at), deliveredTo, returnPath };
}

/** Behind the last line of the header field that begins at `at`, folds included. */
function fieldEnd(raw: Buffer, at: number): number {
  let end = at;
  do {
    const line = raw.indexOf(10, end);
    if (line < 0) return raw.length;
    end = line + 1;
  } while (raw[end] === 32 || raw[end] === 9);
  return end;
}

/** smtp-source(1): `messages` copies of one file over `sessions` sessions. Resolves with its exit code and words. */
export async function smtpSource(options: {
  port: number;
  from: string;
  to: string;
  messages: number;
  sessions?: number;
  file?: string;
  octets?: number;
  ms?: number;
}): Promise<{ code: number | null; output: string }> {
  const args = [
    '-m',
    String(options.messages),
    '-s',
    String(options.sessions ?? 1),
    '-f',
    options.from,
    '-t',
    options.to,
  ];
  if (options.file !== undefined) args.push('-F', options.file);
  if (options.octets !== undefined) args.push('-l', String(options.octets));
  args.push(`127.0.0.1:${options.port}`);
  const child = await startChild(path.join(peersPrefix(), 'usr/sbin/smtp-source'), args, { env: peerEnvironment() });
  const guard = setTimeout(() => child.signal('SIGKILL'), options.ms ?? 60_000);
  const { code } = await child.ended;
  clearTimeout(guard);
  return { code, output: child.output() };
}
