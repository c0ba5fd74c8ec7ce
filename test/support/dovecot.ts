/**
 * A real Dovecot that speaks LMTP, and checks logins for a Postfix, in a root folder of its own: mail of the users it is told lies in
 * Maildirs, others are refused (RFC 2033: an answer for each recipient after the final dot). Loopback only.
 */
import { chown, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type MailServerPeer, makeChroot, USERS } from './chroot.ts';
import { freePort, untilListening } from './net.ts';

export async function startDovecotLmtp(options: {
  dir: string;
  name: string;
  recipients: readonly string[];
  /** One of them whose mailbox holds nothing more: refused after the data, not before (RFC 2033 §4.2). */
  full?: string;
  /** Who may log in at a Postfix that asks `authSocket` (SASL), with what password. */
  logins?: Readonly<Record<string, string>>;
}): Promise<MailServerPeer & { readonly authSocket: string }> {
  const room = await makeChroot({
    dir: options.dir,
    name: options.name,
    programs: [
      '/usr/sbin/dovecot',
      '/usr/bin/doveconf',
      ...MODULES,
      ...HELPERS.map((name) => `/usr/lib/dovecot/${name}`),
    ],
    libraries: ['/usr/lib/dovecot', '/usr/lib/dovecot/modules/old-stats'],
    users: { dovecot: 'mail', dovenull: 'empty' },
  });
  const port = await freePort();
  const mailboxes = await room.folder('/mailboxes');
  await chown(mailboxes, USERS.nobody, USERS.nobody);
  await room.folder('/run/dovecot');
  await room.folder('/var/lib/dovecot');
  const users = options.recipients.map((address) => {
    const rule = address === options.full ? '::userdb_quota_rule=*:bytes=10' : '';
    return `${address}::${USERS.nobody}:${USERS.nobody}::/mailboxes${rule}\n`;
  });
  for (const [user, password] of Object.entries(options.logins ?? {}))
    users.push(`${user}:{PLAIN}${password}:${USERS.nobody}:${USERS.nobody}::/mailboxes\n`);
  await room.file('/etc/users', users.join(''));
  await room.file('/etc/dovecot.conf', configuration(port));
  const child = await room.start('/usr/sbin/dovecot', ['-F', '-c', '/etc/dovecot.conf']);
  const log = async (): Promise<string> =>
    `${child.output()}${await readFile(path.join(room.root, 'tmp/dovecot.log'), 'utf8').catch(() => '')}`;
  await untilListening('Dovecot', { port }).catch(async (error: unknown) => {
    throw new Error(`Dovecot did not come up: ${(await log()).slice(-2_000)}`, { cause: error });
  });
  return {
    port,
    authSocket: path.join(room.root, AUTH_SOCKET),
    mailbox: (recipient) => path.join(mailboxes, recipient),
    log,
    [Symbol.asyncDispose]: () => child.stop(),
  };
}

/** The first is asked for at the start, TLS or not. */
const MODULES = ['libssl_iostream_openssl.so', 'lib10_quota_plugin.so'].map(
  (name) => `/usr/lib/dovecot/modules/${name}`,
);
/** master(8) wants all of its usual services to be there, though only the first row is ever started. */
const HELPERS = [
  'lmtp log config auth anvil stats',
  'aggregator dict director dns-client doveadm-server health-check.sh indexer indexer-worker',
  'ipc old-stats replicator script tcpwrap',
].flatMap((row) => row.split(' '));

const AUTH_SOCKET = '/run/dovecot/logins';

function configuration(port: number): string {
  return `
protocols = lmtp
base_dir = /run/dovecot
log_path = /tmp/dovecot.log
ssl = no
hostname = dovecot.office.example
default_internal_user = dovecot
default_login_user = dovenull
default_internal_group = mail
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:/mailboxes/%u
passdb {
  driver = passwd-file
  args = username_format=%u /etc/users
}
userdb {
  driver = passwd-file
  args = username_format=%u /etc/users
}
mail_plugins = quota
plugin {
  quota = maildir:mailbox
  quota_grace = 0
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${port}
  }
}
auth_mechanisms = plain login
service auth {
  unix_listener ${AUTH_SOCKET} {
    mode = 0666
  }
}
service stats {
  chroot =
}
service anvil {
  chroot =
}
`.trimStart();
}
