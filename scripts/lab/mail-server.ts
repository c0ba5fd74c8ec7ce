/**
 * The trial mail server: stands where the office's own server would, and the lab server (`./scripts/lab-server`), which takes mail
 * for everybody. Both know the magic recipients (magic.ts). Takes mail for a few people of office.example, keeps
 * each message as it came (`<time>-<id>.eml`) beside its envelope (`.json`), refuses unknown people with 550 5.1.1, and shows
 * what arrived on a page for this machine only. Durable before its 250: file synced, then its envelope.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import { z } from 'zod';
import { writeFileAtomic } from '../../src/base/atomic-file.ts';
import { describeError } from '../../src/base/errors.ts';
import type { Language } from '../../src/base/i18n.ts';
import { Greylist, refusal, trickOf } from './magic.ts';
import { mailPage } from './mail-page.ts';
import { OFFICE_DOMAIN } from './zones.ts';

/** Who lives here; `postmaster` alone, without a domain, too (RFC 5321 §4.5.1). */
export const RECIPIENTS = ['alice', 'bob', 'taro', 'info', 'postmaster', 'abuse'] as const;

const LARGEST = 100 * 1024 * 1024;
const SHOWN = 200;

const storedSchema = z.object({
  id: z.string(),
  at: z.string(),
  reversePath: z.string(),
  recipients: z.array(z.string()),
  size: z.number(),
  sha256: z.string(),
  subject: z.string(),
  from: z.string(),
  client: z.string(),
  helo: z.string(),
});
export type StoredMail = z.output<typeof storedSchema>;

export interface TrialMailServer {
  smtpPort: number;
  pagePort: number;
  close(): Promise<void>;
}

/** Port 0 takes any free one. */
export async function startTrialMailServer(options: {
  folder: string;
  smtpPort: number;
  pagePort: number;
  language: Language;
  onError?: (text: string) => void;
  /** The lab: every recipient of every domain is taken, unless its localpart is magic. */
  everybody?: boolean;
  /** RFC 2033 instead of SMTP. */
  lmtp?: boolean;
  /** How long `slow@` and `greylist@` let one wait. */
  slowMs?: number;
  greylistMs?: number;
}): Promise<TrialMailServer> {
  const onError = options.onError ?? (() => undefined);
  const greylist = new Greylist({ waitMs: options.greylistMs ?? 60_000, now: () => performance.now() });
  /** Private to the library, but the only way to hang up on one client; nothing else ends what is under way. */
  const cut = (id: string): void => {
    for (const each of smtp.connections as unknown as Set<{ id: string; _socket: Socket }>)
      if (each.id === id) each._socket.destroy();
  };
  const takeRecipient = (address: string, session: SMTPServerSession): Error | 'silent' | null => {
    const trick = options.everybody === true || isOffice(address) ? trickOf(address) : undefined;
    switch (trick?.kind) {
      case undefined:
        return options.everybody === true || knownRecipient(address) ? null : unknownUser();
      case 'refuse':
        // After the reply has left: the library writes it in this very turn.
        if (trick.close === true) setTimeout(() => cut(session.id), 50);
        return refusal(trick.code, trick.text);
      case 'silent':
        return 'silent';
      case 'greylist': {
        const { mailFrom } = session.envelope;
        const left = Math.ceil(greylist.remaining(mailFrom === false ? '' : mailFrom.address, address) / 1_000);
        return left === 0 ? null : refusal(450, `4.7.1 Greylisted, try again in ${left} seconds`);
      }
      case 'refuse-late':
      case 'cut':
      case 'slow':
        return null; // later
    }
  };
  const smtp = new SMTPServer({
    name: `mail.${OFFICE_DOMAIN}`,
    banner: 'Sekisho trial mail server',
    disabledCommands: ['AUTH', 'STARTTLS'],
    hideSTARTTLS: true,
    authOptional: true,
    disableReverseLookup: true,
    lenientAddressParsing: true, // `a..b@docomo.ne.jp`
    size: LARGEST,
    maxClients: 50,
    socketTimeout: 300_000,
    lmtp: options.lmtp === true,
    onRcptTo: (address, session, callback) => {
      const outcome = takeRecipient(address.address, session);
      if (outcome !== 'silent') callback(outcome);
    },
    onData: (stream, session, callback) => {
      const tricks = session.envelope.rcptTo.map((each) => trickOf(each.address));
      const slow = tricks.some((trick) => trick?.kind === 'slow');
      const cuts = (when: 'data' | 'dot'): boolean =>
        tricks.some((trick) => trick?.kind === 'cut' && trick.when === when);
      if (cuts('data')) {
        stream.once('data', () => cut(session.id));
        return;
      }
      const reply = async (): Promise<void> => {
        const outcome = await answer({ folder: options.folder, stream, session, onError });
        if (cuts('dot')) return cut(session.id);
        if (slow) await setTimeoutPromise(options.slowMs ?? 20_000, undefined, { ref: false });
        const late = tricks.map((trick) => (trick?.kind === 'refuse-late' ? refusal(trick.code, trick.text) : outcome));
        // LMTP: each recipient its own reply (the library takes a list, which its types do not know).
        if (options.lmtp === true)
          return (callback as (error: null, replies: Array<string | Error>) => void)(null, late);
        const refused = late.find((each) => typeof each !== 'string');
        if (typeof outcome === 'string' && refused === undefined) callback(null, outcome);
        else callback(typeof outcome === 'string' ? (refused as Error) : outcome);
      };
      void reply();
    },
  });
  smtp.on('error', (error) => onError(describeError(error)));
  await new Promise<void>((resolve, reject) => {
    smtp.server.once('error', reject);
    smtp.listen(options.smtpPort, '127.0.0.1', () => resolve());
  });
  const page = await startPage(options);
  return {
    smtpPort: portOf(smtp.server),
    pagePort: portOf(page),
    close: async () => {
      await new Promise<void>((resolve) => smtp.close(() => resolve()));
      page.closeAllConnections();
      await new Promise<void>((resolve) => page.close(() => resolve()));
    },
  };
}

/** Newest first. A file that cannot be read is left out of the list, not of the folder. */
export async function listStoredMail(folder: string, limit = SHOWN): Promise<StoredMail[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch {
    return [];
  }
  const newest = names
    .filter((name) => name.endsWith('.json'))
    .sort()
    .reverse()
    .slice(0, limit);
  const mails: StoredMail[] = [];
  for (const name of newest) {
    try {
      mails.push(storedSchema.parse(JSON.parse(await readFile(path.join(folder, name), 'utf8'))));
    } catch {
      // Being written, or not ours.
    }
  }
  return mails;
}

function knownRecipient(address: string): boolean {
  const [localpart = '', domain] = address.toLowerCase().split('@');
  if (domain === undefined) return localpart === 'postmaster';
  return domain === OFFICE_DOMAIN && (RECIPIENTS as readonly string[]).includes(localpart);
}

function isOffice(address: string): boolean {
  return address.toLowerCase().endsWith(`@${OFFICE_DOMAIN}`);
}

function unknownUser(): Error {
  return Object.assign(new Error('5.1.1 No such person here'), { responseCode: 550 });
}

/** What DATA is answered with: a text after 250, or an error. Never throws. */
async function answer(options: {
  folder: string;
  stream: SMTPServerDataStream;
  session: SMTPServerSession;
  onError: (text: string) => void;
}): Promise<string | Error> {
  try {
    return `2.0.0 Kept as ${await store(options.folder, options.stream, options.session)}`;
  } catch (error) {
    options.onError(describeError(error));
    return Object.assign(new Error('4.3.0 Could not keep the message'), { responseCode: 451 });
  }
}

async function store(folder: string, stream: SMTPServerDataStream, session: SMTPServerSession): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  if (stream.sizeExceeded) throw new Error('The message is too large for the trial');
  const message = Buffer.concat(chunks);
  const at = new Date().toISOString();
  const id = `${at.replaceAll(/[-:]/g, '')}-${randomUUID().slice(0, 8)}`;
  const header =
    message
      .subarray(0, 65_536)
      .toString('utf8')
      .split(/\r\n\r\n/, 1)[0] ?? '';
  const { mailFrom, rcptTo } = session.envelope;
  const mail: StoredMail = {
    id,
    at,
    reversePath: mailFrom === false ? '' : mailFrom.address,
    recipients: rcptTo.map((recipient) => recipient.address),
    size: message.length,
    sha256: createHash('sha256').update(message).digest('hex'),
    subject: headerField(header, 'Subject'),
    from: headerField(header, 'From'),
    client: session.remoteAddress,
    helo: String(session.hostNameAppearsAs),
  };
  await writeFileAtomic(path.join(folder, `${id}.eml`), message);
  await writeFileAtomic(path.join(folder, `${id}.json`), `${JSON.stringify(mail, null, 2)}\n`);
  return id;
}

/** The first field of that name, unfolded, as it was sent. */
function headerField(header: string, name: string): string {
  const found = new RegExp(`^${name}:[ \\t]*((?:.|\\r\\n[ \\t])*)`, 'im').exec(header);
  return (found?.[1] ?? '').replaceAll(/\r\n[ \t]+/g, ' ').trim();
}

async function startPage(options: { folder: string; pagePort: number; language: Language }): Promise<Server> {
  const server = createServer((request, response) => {
    const port = portOf(server);
    // Only under a name of this machine: a foreign page that rebinds its name to 127.0.0.1 reads nothing.
    if (![`127.0.0.1:${port}`, `localhost:${port}`].includes(request.headers.host ?? '')) {
      response.writeHead(421, { 'content-type': 'text/plain' }).end('Unknown host\n');
      return;
    }
    const url = new URL(request.url ?? '/', 'http://localhost');
    mailPage({
      folder: options.folder,
      url,
      fallback: options.language,
      accept: request.headers['accept-language'],
    }).then(
      ({ status, html }) =>
        response
          .writeHead(status, {
            'content-type': 'text/html; charset=utf-8',
            'content-security-policy':
              "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'none'",
            'x-content-type-options': 'nosniff',
            'referrer-policy': 'no-referrer',
            'cache-control': 'no-store',
          })
          .end(html),
      () => response.writeHead(500, { 'content-type': 'text/plain' }).end('Could not read the mail\n'),
    );
  });
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.pagePort, '127.0.0.1', () => resolve());
  });
  return server;
}

function portOf(server: { address(): unknown }): number {
  const address = server.address();
  if (typeof address === 'object' && address !== null && 'port' in address && typeof address.port === 'number')
    return address.port;
  throw new TypeError('The server does not listen on a port');
}
