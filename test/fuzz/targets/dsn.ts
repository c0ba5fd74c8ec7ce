/** Notices to senders: whatever a peer or a stranger wrote, the notice is one well-formed mail with the fields we meant. */
import type { ForwardPath, ReversePath } from '../../../src/mail/address.ts';
import { parseForwardPath, parseReversePath } from '../../../src/mail/address.ts';
import { composeDsn, type DsnRecipient } from '../../../src/mail/dsn.ts';
import { parseHeader } from '../../../src/mail/header.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { check, compose, type Planted, type Random, type Target } from '../engine.ts';

const TOKENS = [
  '550 5.1.1 No such user',
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  'Bcc: x@evil.example',
  '--=_token',
  '=_token--',
  '\u0000',
  '会議',
  '\u00e9',
  '\u202e',
  'x'.repeat(600),
  ' ',
  '\t',
  ';',
  'rfc822;',
  'utf-8;',
  '<a@b.example>',
  '=?utf-8?B?',
  '.',
  '\r\n.\r\n',
  '+',
  '=',
].map((token) => Buffer.from(token).toString('latin1'));
const FIELDS = ['from', 'to', 'subject', 'date', 'message-id', 'auto-submitted', 'mime-version', 'content-type'];
const BREAK = Buffer.from('\u0001|\u0001');

export const planted: Planted = {
  file: 'src/mail/dsn.ts',
  find: 'lines.push(`Original-Envelope-Id: ${safe(options.envid, global)}`)',
  replace: 'lines.push(`Original-Envelope-Id: ${options.envid}`)',
};

export const target: Target = {
  name: 'dsn',
  /** Five texts: diagnostic, remote MTA, ORCPT, ENVID, original header. */
  make: (random: Random) => Buffer.concat(Array.from({ length: 5 }, () => [compose(random, TOKENS, 6), BREAK]).flat()),
  run(input) {
    const [diagnostic = '', remoteMta = '', orcpt = '', envid = '', header = ''] = input
      .toString('latin1')
      .split(BREAK.toString('latin1'));
    const recipients: DsnRecipient[] = ['taro@office.example', '太郎@office.example']
      .slice(0, 1 + (input.length % 2))
      .map((address) => ({
        address: parseForwardPath(address) as ForwardPath,
        outcome: 'bounced',
        status: '5.1.1',
        diagnostic: Buffer.from(diagnostic, 'latin1').toString(),
        ...(remoteMta === '' ? {} : { remoteMta }),
        ...(orcpt === '' ? {} : { orcpt }),
      }));
    const options = {
      language: input.length % 3 === 0 ? ('ja' as const) : ('en' as const),
      hostname: 'mx.office.example',
      queueId: '0000K3M-7Q2ABCDEFGHJK' as QueueId,
      reversePath: parseReversePath('sender@friend.example') as ReversePath,
      ...(envid === '' ? {} : { envid }),
      arrival: new Date(0),
      now: new Date(1_000),
      recipients,
      token: 'token.1',
    };
    const notice = composeDsn({ ...options, originalHeader: Buffer.from(header, 'latin1') });
    const text = notice.toString('latin1');
    const parsed = parseHeader(notice);
    check(parsed.malformed === 0, 'Every line of the header is a field');
    check(
      parsed.fields.map(({ key }) => key).join() === FIELDS.join(),
      `The header has our fields only: ${parsed.fields.map(({ key }) => key).join()}`,
    );
    check(!/\r(?!\n)|(?<!\r)\n/.test(text), 'Every line ends in CRLF');
    check(
      text.split('\r\n').every((line) => line.length <= 998),
      'No line is longer than 998 octets',
    );
    check(!text.includes('\u0000'), 'No NUL goes out');
    const marks = text.split('\r\n').filter((line) => line.startsWith('--=_token.1'));
    check(marks.length === 4, `Three parts and an end: ${marks.length}`);
    const status = text.split(/\r\n--=_token\.1(?:--)?\r\n/)[2] ?? '';
    if (!/quoted-printable|base64/i.test(status)) {
      const groups = status
        .slice(status.indexOf('\r\n\r\n') + 4)
        .split('\r\n\r\n')
        .filter((group) => group.trim() !== '');
      check(
        groups.length === 1 + recipients.length,
        `One group about the message and one a recipient: ${groups.length}`,
      );
      check(
        groups.every((group) =>
          group.split('\r\n').every((line) => line === '' || /^(?:[A-Za-z-]+: |[ \t])/.test(line)),
        ),
        'Status lines are fields',
      );
    }
  },
};
