/** Which certificate somebody is shown who comes with TLS: SHA-256, as `fingerprint256` of Node writes it. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

const MS = 20_000;

/** A client of a mail listener, after STARTTLS. */
export async function shownBySmtp(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    for (const [say, wait] of [
      ['', /^220 /m],
      ['EHLO client.example.com\r\n', /^250 /m],
      ['STARTTLS\r\n', /^220 /m],
    ] as const) {
      socket.write(say);
      let heard = '';
      while (!wait.test(heard)) heard += String((await once(socket, 'data', { signal: AbortSignal.timeout(MS) }))[0]);
    }
    return await printOf(connectTls({ socket, rejectUnauthorized: false }));
  } finally {
    socket.destroy();
  }
}

/** A browser; with `ca`, one that believes this authority: rejects when it would warn. */
export async function shownByHttps(port: number, options: { name: string; ca?: string }): Promise<string> {
  const { name: servername, ca } = options;
  const trust = ca === undefined ? { rejectUnauthorized: false } : { ca };
  return printOf(connectTls({ host: '127.0.0.1', port, servername, ...trust }));
}

async function printOf(socket: TLSSocket): Promise<string> {
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(MS) });
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}
