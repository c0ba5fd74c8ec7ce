/**
 * Sends mails that are all different, as smtp-source does with one mail: HELO, MAIL, RCPT, DATA and QUIT, each after the reply to
 * the one before, one message a connection, several connections at a time. smtp-source knows one mail a process, and starting
 * a process for each took more of the processors than the systems that were measured. Mails are made ready before the clock runs.
 */
import { connect } from 'node:net';

export interface Feed {
  port: number;
  sessions: number;
  from: string;
  to: string;
  /** As `wireForm` gives them. */
  mails: readonly Buffer[];
  /** For each reply. */
  ms: number;
}

/** Line ends and dots as they go over the line, with the end of DATA (RFC 5321 §4.5.2). `text` has LF ends and one at its end. */
export function wireForm(text: string): Buffer {
  return Buffer.from(
    `${text.replaceAll('\n', '\r\n').replaceAll('\r\n.', '\r\n..').replace(/^\./, '..')}.\r\n`,
    'latin1',
  );
}

/** Resolves when every mail is accepted; rejects with the reply when one is not. */
export async function feed(options: Feed): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < options.mails.length) {
      const mail = options.mails[next] as Buffer;
      next += 1;
      await one(mail, options);
    }
  };
  await Promise.all(Array.from({ length: options.sessions }, lane));
}

function one(mail: Buffer, { port, from, to, ms }: Feed): Promise<void> {
  const turns: ReadonlyArray<readonly [code: string, then: string | Buffer]> = [
    ['220', 'HELO localhost\r\n'],
    ['250', `MAIL FROM:<${from}>\r\n`],
    ['250', `RCPT TO:<${to}>\r\n`],
    ['250', 'DATA\r\n'],
    ['354', mail],
    ['250', 'QUIT\r\n'],
  ];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let turn = 0;
  let said = '';
  const fail = (why: string): void => {
    socket.destroy();
    reject(new Error(`Mail refused or cut off at step ${turn + 1} of ${turns.length}: ${why}`));
  };
  socket.setTimeout(ms, () => fail(`no reply in ${ms} ms`));
  socket.once('error', (error) => fail(error.message));
  socket.once('close', () => (turn === turns.length ? resolve() : fail('connection closed')));
  socket.on('data', (chunk) => {
    said += chunk.toString('latin1');
    // the last line of a reply has a blank behind the code (RFC 5321 §4.2.1)
    if (!/^\d{3}(?: [^\n]*)?\r?\n$/m.test(said.slice(said.lastIndexOf('\n', said.length - 2) + 1))) return;
    const expected = turns[turn];
    if (expected === undefined) return;
    if (!said.startsWith(expected[0])) return fail(said.trim());
    said = '';
    turn += 1;
    socket.write(expected[1]);
  });
  return promise;
}
