/** SMTP sessions on a real socket: no message without its CRLF.CRLF, nobody's mail but ours, one reply a command, and the listener lives. */
import net from 'node:net';
import { type Bench, openBench } from '../../accept/harness.ts';
import { check, compose, mutate, type Planted, type Random, type Target } from '../engine.ts';

const TOKENS = [
  'EHLO x\r\n',
  'HELO x\r\n',
  'MAIL FROM:<a@example.com>\r\n',
  'MAIL FROM:<> SIZE=10 BODY=8BITMIME\r\n',
  'MAIL FROM:<a@example.com> SIZE=99999999999\r\n',
  'MAIL FROM:<@hop:a@example.com> RET=FULL ENVID=x\r\n',
  'RCPT TO:<taro@office.example>\r\n',
  'RCPT TO:<taro@office.example> NOTIFY=NEVER\r\n',
  'RCPT TO:<x@other.example>\r\n',
  'RCPT TO:<"a@office.example"@other.example>\r\n',
  'RCPT TO:<a%office.example@other.example>\r\n',
  'RCPT TO:<nobody@office.example>\r\n',
  'DATA\r\n',
  'DATA\n',
  'RSET\r\n',
  'NOOP\r\n',
  'VRFY x\r\n',
  'BDAT 10 LAST\r\n',
  'STARTTLS\r\n',
  'XCLIENT ADDR=192.0.2.1\r\n',
  'PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n',
  'AUTH PLAIN AGEAYg==\r\n',
  'Subject: x\r\n',
  '\r\n',
  '.\r\n',
  '\r\n.\r\n',
  '\n.\n',
  '\n.\r\n',
  '\r.\r',
  '\r\n.\n',
  '\r\n..\r\n',
  '\u0000',
  '\r',
  '\n',
  'QUIT\r\n',
  'x'.repeat(1_200),
];
const WHOLE = Buffer.from(
  'EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<taro@office.example>\r\nDATA\r\nSubject: x\r\n\r\nHello\r\n.\r\nQUIT\r\n',
);
const SENDERS = TOKENS.filter((token) => token.startsWith('MAIL'));
const RECIPIENTS = TOKENS.filter((token) => token.startsWith('RCPT'));
let opened: Promise<Bench> | undefined;

export const planted: Planted = {
  file: 'src/accept/relay.ts',
  find: 'return config.domains.find((domain) => parseDomain(domain.name) === name);',
  replace: 'return config.domains.find((domain) => parseDomain(domain.name) === name || name?.startsWith("other"));',
};

export const target: Target = {
  name: 'smtp',
  make(random: Random) {
    switch (random.below(3)) {
      case 0:
        return Buffer.concat([Buffer.from('EHLO x\r\nMAIL FROM:<a@example.com>\r\n'), compose(random, TOKENS, 16)]);
      case 1:
        return mutate(random, WHOLE, { tokens: TOKENS, max: 16_384 });
      default:
        return Buffer.concat([transaction(random), random.chance(2) ? transaction(random) : Buffer.from('QUIT\r\n')]);
    }
  },
  async run(input) {
    opened ??= openBench({ config: { listeners: { mx: { limits: { sessionsPerAddress: 1_000 } } } as never } }).catch(
      () => openBench(),
    );
    const bench = await opened;
    const before = bench.pipeline.messages.length;
    bench.errors.length = 0;
    const said = await talk(bench.port, input);
    check(/^(?:\d{3}[ -][^\r\n]*\r\n)*$/.test(said), `Replies are well-formed: ${JSON.stringify(said.slice(0, 300))}`);
    check(!/^[45]\d\d.*(?:TypeError|undefined|at \/)/m.test(said), 'No reply tells of our insides');
    const taken = bench.pipeline.messages.slice(before).filter(({ state }) => state === 'finished');
    const ends = input.toString('latin1').split('\r\n.\r\n').length - 1;
    check(taken.length <= ends, `${taken.length} messages were taken, the client ended ${ends}`);
    for (const { transaction } of taken)
      for (const { address } of transaction.envelope.recipients)
        check(address.endsWith('@office.example'), `Only our own recipients are taken: ${address}`);
    check(bench.errors.length === 0, `No error of ours: ${bench.errors.join()}`);
    bench.pipeline.messages.length = 0;
  },
  close: async () => {
    await (await opened)?.[Symbol.asyncDispose]();
  },
};

/** One that mostly makes sense, and ends its message in one of the ways some server takes for an end. */
function transaction(random: Random): Buffer {
  const recipients = Array.from({ length: 1 + random.below(3) }, () => random.pick(RECIPIENTS));
  const end = random.pick(['\r\n.\r\n', '\r\n.\r\n', '\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r\n.\r', '\r\n..\r\n']);
  return Buffer.concat([
    Buffer.from(`EHLO x\r\n${random.pick(SENDERS)}${recipients.join('')}DATA\r\n`),
    random.chance(2) ? Buffer.from('Subject: x\r\n\r\nHello') : compose(random, TOKENS, 6),
    Buffer.from(end),
  ]);
}

/** Everything at once, as a smuggler would; all that comes back until the server is done or quiet. */
function talk(port: number, input: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => socket.destroy(new Error('The session hangs: no end within 4 s of ours')), 4_000);
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
    socket.on('error', (error) => {
      // A server that has hung up resets what is still on its way: that is its right.
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET' && (error as NodeJS.ErrnoException).code !== 'EPIPE')
        reject(error);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString('latin1'));
    });
    socket.on('connect', () => socket.end(input));
  });
}
