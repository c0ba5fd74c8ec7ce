/** Addresses and MAIL/RCPT lines: what is taken is taken once and for all, and can neither hide a line end nor a second address. */
import { parsePathCommand } from '../../../src/accept/path-command.ts';
import {
  domainOf,
  localpartOf,
  parseAddress,
  parseDomain,
  parseForwardPath,
  parseReversePath,
} from '../../../src/mail/address.ts';
import { check, compose, type Planted, type Random, type Target } from '../engine.ts';

const TOKENS = [
  'taro',
  'a.b',
  'a..b',
  '.a',
  'a.',
  '@',
  '@office.example',
  '@OFFICE.EXAMPLE.',
  '@日本語.example',
  '@xn--wgv71a119e.example',
  '@[192.0.2.1]',
  '@[IPv6:2001:db8::1]',
  '@192.0.2.99',
  '"a b"',
  '"a\\"b"',
  '"',
  '\\',
  '<',
  '>',
  '<>',
  '<@hop.example:',
  '%',
  '!',
  'user%other@office.example',
  'hop!user',
  ' ',
  '\t',
  '\r\n',
  '\n',
  '\u0000',
  '\u00a0',
  'ß',
  'é',
  'postmaster',
  'SIZE=10',
  'BODY=8BITMIME',
  'SMTPUTF8',
  'RET=FULL',
  'ENVID=',
  'NOTIFY=NEVER',
  'ORCPT=rfc822;a+40b',
  '=',
  '+2B',
  'MAIL FROM:',
  'RCPT TO:',
  'x'.repeat(70),
  'x'.repeat(260),
  ':',
  ',',
  ';',
  '(c)',
];

export const planted: Planted = {
  file: 'src/mail/address.ts',
  find: 'return DOT_STRING.test(localpart) || QUOTED.test(localpart);',
  replace: "return !localpart.includes('  ');",
};

export const target: Target = {
  name: 'address',
  make: (random: Random) => {
    const verb = random.pick(['MAIL FROM:', 'RCPT TO:', 'mail from: ', '']);
    return Buffer.concat([
      Buffer.from(verb),
      compose(
        random,
        TOKENS.map((token) => Buffer.from(token).toString('latin1')),
        8,
      ),
    ]);
  },
  run(input) {
    const text = input.toString();
    for (const verb of ['MAIL', 'RCPT'] as const) {
      const command = parsePathCommand(verb, input);
      if ('code' in command)
        check(command.code >= 500 && command.code < 600, 'A line that cannot be read is refused for good');
    }
    const bare = text.replace(/^(?:MAIL FROM|RCPT TO): ?/i, '');
    for (const path of [parseForwardPath(bare), parseReversePath(bare)]) {
      if (path === undefined || path === '') continue;
      check(!/[\r\n\u0000]/.test(path), 'An address holds no line end');
      // RFC 6531 §3.3 lets every character beyond ASCII stand; of ASCII's own separators none may.
      check(!/^[^"]*[ \t<>,;]/.test(path), 'An address is one word');
      const again = parseForwardPath(path);
      check(again === path, `What was taken is taken again unchanged: ${JSON.stringify([path, again])}`);
      const domain = domainOf(path);
      if (domain === undefined) continue;
      check(domain === domain.toLowerCase() && parseDomain(domain) === domain, 'A domain has one spelling');
      check(`${localpartOf(path)}@${domain}` === path, 'Both sides make the whole');
      check(parseAddress(path)?.domain === domain, 'Both readers agree on the domain');
    }
  },
};
