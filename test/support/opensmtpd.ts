/**
 * A real OpenSMTPD in a root folder of its own: as a sender it relays everything it takes to the gateway; as a mail server
 * it puts mail of the recipients it is told into Maildirs and refuses others. It is root with helpers that own nothing, as
 * its design wants. Loopback only; it says everything on its output.
 */
import { chown } from 'node:fs/promises';
import path from 'node:path';
import { type MailServerPeer, type MailServerPeerOptions, makeChroot, USERS } from './chroot.ts';
import { freePort, untilListening } from './net.ts';

export async function startOpenSmtpd(options: MailServerPeerOptions): Promise<MailServerPeer> {
  const room = await makeChroot({
    dir: options.dir,
    name: options.name,
    programs: ['/usr/sbin/smtpd', '/usr/sbin/smtpctl', ...HELPERS.map((name) => `/usr/libexec/opensmtpd/${name}`)],
    users: { opensmtpd: 'empty', opensmtpq: 'mail', vmail: 'nobody' },
  });
  const port = await freePort();
  const mailboxes = await room.folder('/mailboxes');
  await chown(mailboxes, USERS.nobody, USERS.nobody);
  await room.folder('/var/lib/opensmtpd/empty');
  await room.folder('/var/spool', { mode: 0o711 });
  await room.folder('/var/run');
  await room.file('/etc/mailname', 'client.example.com\n');
  await room.file('/etc/recipients', (options.recipients ?? []).map((address) => `${address}\n`).join(''));
  await room.file('/etc/smtpd.conf', configuration(port, options));
  const child = await room.start('/usr/sbin/smtpd', ['-d', '-f', '/etc/smtpd.conf']);
  await untilListening('OpenSMTPD', { port }).catch((error: unknown) => {
    throw new Error(`OpenSMTPD did not come up: ${child.output().slice(-2_000)}`, { cause: error });
  });
  return {
    port,
    mailbox: (recipient) => path.join(mailboxes, recipient),
    log: () => Promise.resolve(child.output()),
    [Symbol.asyncDispose]: () => child.stop(),
  };
}

const HELPERS = ['mail.maildir', 'mail.local', 'mail.mda'];

function configuration(port: number, options: MailServerPeerOptions): string {
  if (options.relayTo !== undefined) {
    return `
listen on 127.0.0.1 port ${port} hostname client.example.com
action gateway relay host smtp://127.0.0.1:${options.relayTo.port} helo client.example.com
match from any for any action gateway
`.trimStart();
  }
  return `
table recipients file:/etc/recipients
listen on 127.0.0.1 port ${port} hostname opensmtpd.office.example
action box maildir "/mailboxes/%{rcpt}" user vmail virtual { "@" = vmail }
match from any for rcpt-to <recipients> action box
`.trimStart();
}
