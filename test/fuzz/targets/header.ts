/** Header sections and encoded words: ranges that others cut by must be right, and text shown to people harmless. */
import { ownResultsCuts } from '../../../src/mail/authentication-results.ts';
import { parseAuthenticationResults } from '../../../src/mail/authentication-results-parser.ts';
import { parseHeader, unfold } from '../../../src/mail/header.ts';
import { mergeCuts, ownFieldCuts } from '../../../src/mail/tag.ts';
import { decodeWords, displayText, parseStructured, stripComments } from '../../../src/mail/words.ts';
import { check, compose, mutate, type Planted, type Random, sample, type Target } from '../engine.ts';

const TOKENS = [
  'Subject: ',
  'From: ',
  'a: b',
  'X-Spam-Flag: YES',
  'X-Sekisho-Result: action=deliver',
  'Authentication-Results: mx.office.example; spf=pass',
  '\r\n',
  '\r\n ',
  '\r\n\t',
  '\r\n\r\n',
  '\n',
  '\r',
  ':',
  ' : ',
  ';',
  ';;',
  '=',
  '"',
  '\\',
  '(',
  ')',
  '((',
  '<',
  '>',
  ',',
  '@',
  '=?utf-8?B?5Lya6K2w?=',
  '=?iso-2022-jp?B?GyRCMnE1RBsoQg==?=',
  '=?utf-8?Q?=E4=BC?=',
  '=?',
  '?=',
  '?B?',
  '=?x?Q?',
  '\u0000',
  '\x1b$B',
  '\x1b(B',
  '*0*=',
  "*=utf-8''%E4",
  'name*1=',
  'charset=',
  'boundary="',
  '\xe3\x81',
  '\xff\xfe',
  '\x82\xa0',
  '\x7f',
  'mx.office.example',
];
const SAMPLES = [
  'ja-split-encoded-word.eml',
  'ja-rfc2231-name.eml',
  'starts-with-fold.eml',
  'forged-trace.eml',
  'control-characters.eml',
  'content-type-garbage.eml',
].map(sample);
const AUTHSERV = 'mx.office.example';

export const planted: Planted = {
  file: 'src/mail/header.ts',
  find: '&& previous !== undefined && previous.end === at)',
  replace: '&& previous !== undefined)',
};

export const target: Target = {
  name: 'header',
  make: (random: Random) =>
    random.chance(2)
      ? compose(random, TOKENS, 40)
      : mutate(random, random.pick(SAMPLES), { tokens: TOKENS, max: 16_384 }),
  run(input) {
    const header = parseHeader(input);
    check(header.bodyStart >= 0 && header.bodyStart <= input.length, 'The body starts within the message');
    let before = 0;
    for (const field of header.fields) {
      check(
        field.start >= before && field.end > field.start && field.end <= header.bodyStart,
        'Fields stand in order, apart, within the header',
      );
      before = field.end;
      const lines = input
        .toString('latin1', field.start, field.end)
        .split('\r\n')
        .filter((line) => line !== '');
      check(lines[0]?.toLowerCase().startsWith(field.key) === true, 'A field begins with its name');
      check(
        lines.slice(1).every((line) => line.startsWith(' ') || line.startsWith('\t')),
        'Further lines of a field are folds',
      );
      check(!/[\r\n]/.test(unfold(field).replaceAll(/\r(?!\n)|(?<!\r)\n/g, '')), 'Unfolding leaves no line end');
    }
    const cuts = mergeCuts(ownFieldCuts(header), ownResultsCuts(header, AUTHSERV));
    let rest = Buffer.alloc(0);
    let from = 0;
    for (const [start, end] of cuts) {
      check(start >= from && end > start && end <= header.bodyStart, 'Cuts are ascending and within the header');
      rest = Buffer.concat([rest, input.subarray(from, start)]);
      from = end;
    }
    rest = Buffer.concat([rest, input.subarray(from)]);
    const left = parseHeader(rest);
    check(ownFieldCuts(left).length === 0, 'No field that looks like ours is left behind');
    check(ownResultsCuts(left, AUTHSERV).length === 0, 'No result that claims our name is left behind');
    const text = input.toString('latin1');
    parseStructured(text);
    stripComments(text);
    decodeWords(text);
    parseAuthenticationResults(text);
    check(
      !/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(displayText(text)),
      'Text for people holds no control character',
    );
  },
};
