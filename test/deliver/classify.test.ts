import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifyReply, connectionLost, parseHopReply, readRecipientReply } from '../../src/deliver/classify.ts';

function verdict(stage: Parameters<typeof classifyReply>[0], raw: string, options = {}): string {
  const { verdict: word, status } = classifyReply(stage, parseHopReply(raw), options);
  return `${word} ${status}`;
}

test('parseHopReply() reads code, enhanced code and all lines, and makes the text safe', () => {
  assert.deepEqual(parseHopReply('550-5.1.1 No such\n550 5.1.1 user here'), {
    code: 550,
    enhanced: '5.1.1',
    text: '550 5.1.1 No such user here',
  });
  assert.deepEqual(parseHopReply('250'), { code: 250, text: '250' });
  assert.equal(parseHopReply('550 a\u0007b\u009bc\td').text, '550 a b c d');
  assert.equal(parseHopReply('550 5.7.1 日本語').text, '550 5.7.1 日本語');
  assert.equal(parseHopReply(`550 ${'x'.repeat(5_000)}`).text.length, 1_000);
  for (const junk of ['', 'hello', '25', '2500 x', '199 x', '600 x', '999'])
    assert.equal(parseHopReply(junk).code, 0, junk);
});

test('classifyReply() goes by the class of the code', () => {
  assert.equal(verdict('dot', '250 2.0.0 Ok'), 'delivered 2.0.0');
  assert.equal(verdict('dot', '250 Ok'), 'delivered 2.0.0');
  assert.equal(verdict('rcpt', '251 User not local, will forward'), 'delivered 2.0.0');
  assert.equal(verdict('dot', '451 4.3.0 Later'), 'deferred 4.3.0');
  assert.equal(verdict('mail', '421 4.3.2 Closing'), 'deferred 4.3.2');
  assert.equal(verdict('rcpt', '550 5.1.1 No such user'), 'bounced 5.1.1');
  assert.equal(verdict('dot', '554 5.7.1 Spam'), 'bounced 5.7.1');
  assert.equal(verdict('mail', '552 5.3.4 Too big'), 'bounced 5.3.4');
  assert.equal(verdict('data', '554 No'), 'bounced 5.0.0');
});

const DISAGREEING: Array<[reply: string, meaning: string]> = [
  ['250 4.0.0 Ok', 'delivered 2.0.0'],
  ['250 5.0.0 Ok', 'delivered 2.0.0'],
  ['450 2.1.5 Hm', 'deferred 4.1.5'],
  ['450 5.1.1 Unknown right now', 'deferred 4.1.1'],
  ['451 5.7.1 Not today', 'deferred 4.7.1'],
  ['550 4.7.1 Greylisted', 'deferred 4.7.1'],
  ['552 4.2.2 Mailbox full', 'deferred 4.2.2'],
  ['554 4.4.2 Bad connection', 'deferred 4.4.2'],
  ['550 2.1.5 Hm', 'bounced 5.1.5'],
];

for (const [reply, meaning] of DISAGREEING) {
  test(`code and enhanced code disagree: "${reply}" is ${meaning}`, () => {
    assert.equal(verdict('dot', reply), meaning);
    assert.equal(verdict('rcpt', reply), meaning);
  });
}

const HINTS: Array<[reply: string, seconds: number | undefined]> = [
  ['450 4.7.1 Greylisted, try again in 300 seconds', 300],
  ['451 4.7.1 Greylisting in action, please come back in 00:05:00', 300],
  ['450 4.2.0 <a@b.example>: Recipient address rejected: Greylisted for 5 minutes', 300],
  ['450 Graylisted, please retry in 60s', 60],
  ['421 4.7.0 Try again later, in 2 hours', 7_200],
  ['451 4.7.1 Please wait 10 min and retry', 600],
  ['450 4.2.0 Greylisted, see http://postgrey.example/help/office.example.html', undefined],
  ['451 4.3.0 Try again later', undefined],
  ['452 4.2.2 Mailbox has 300 messages too many', undefined],
];

for (const [reply, seconds] of HINTS) {
  test(`the peer says when to come back: "${reply}"`, () => {
    const { retryAfter } = classifyReply('rcpt', parseHopReply(reply));
    assert.equal(retryAfter, seconds === undefined ? undefined : seconds * 1_000);
  });
}

test('a greeting never bounces, whatever it says', () => {
  assert.equal(verdict('connect', '554 5.7.1 Go away'), 'deferred 4.7.1');
  assert.equal(verdict('connect', '521 We take no mail'), 'deferred 4.0.0');
  assert.equal(verdict('connect', '421 Busy'), 'deferred 4.0.0');
  assert.equal(verdict('connect', '250 Hello?'), 'deferred 4.0.0');
});

test('552 after accepted recipients means "too many", unless it speaks of the mailbox (RFC 5321 §4.5.3.1.10)', () => {
  const some = { acceptedBefore: 3 };
  assert.deepEqual(classifyReply('rcpt', parseHopReply('552 Too many recipients'), some), {
    verdict: 'deferred',
    status: '4.0.0',
    reply: '552 Too many recipients',
    fewer: true,
  });
  assert.equal(classifyReply('rcpt', parseHopReply('452 4.5.3 Too many'), some).fewer, true);
  assert.equal(classifyReply('rcpt', parseHopReply('452 4.5.3 Too many'), { acceptedBefore: 0 }).fewer, undefined);
  assert.equal(classifyReply('rcpt', parseHopReply('452 4.2.2 Full'), some).fewer, undefined);
  assert.equal(verdict('rcpt', '552 5.2.2 Mailbox full', some), 'bounced 5.2.2');
  assert.equal(verdict('rcpt', '552 Mailbox full', { acceptedBefore: 0 }), 'bounced 5.0.0');
  assert.equal(verdict('dot', '552 5.3.4 Too big', some), 'bounced 5.3.4');
});

test('what is about our dialogue or our settings is deferred, not bounced', () => {
  assert.equal(verdict('rcpt', '503 5.5.1 Bad sequence'), 'deferred 4.5.1');
  assert.equal(verdict('mail', '530 5.7.0 Must issue STARTTLS first', { ownServer: true }), 'deferred 4.7.0');
  assert.equal(verdict('mail', '530 5.7.0 Must issue STARTTLS first'), 'bounced 5.7.0');
  assert.equal(verdict('dot', 'gibberish'), 'deferred 4.0.0');
  assert.equal(connectionLost('Cut').verdict, 'deferred');
});

test('readRecipientReply() says no only to a plain "no such mailbox"', () => {
  const read = (raw: string): string => readRecipientReply(parseHopReply(raw));
  for (const yes of ['250 Ok', '251 2.1.5 Will forward', '252 2.1.5 Cannot verify'])
    assert.equal(read(yes), 'yes', yes);
  for (const no of ['550 No such user', '551 Not local', '553 Bad name', '550 5.1.1 x', '552 5.1.1 x', '553 5.1.3 x']) {
    assert.equal(read(no), 'no', no);
  }
  const unknown = [
    '450 4.2.0 Grey',
    '421 Bye',
    '552 Full',
    '550 5.7.1 Blocked',
    '554 5.7.1 No',
    '554 x',
    '503 x',
    '5',
    '',
    '220 hm',
  ];
  for (const raw of unknown) assert.equal(read(raw), 'unknown', raw);
});
