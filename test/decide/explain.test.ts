import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LANGUAGES } from '../../src/base/i18n.ts';
import { defaultConfig } from '../../src/config/schema.ts';
import { decide } from '../../src/decide/decide.ts';
import * as words from '../../src/decide/explain-words.ts';
import { explain, type ExplainInput } from '../../src/decide/explain.ts';
import { ACTION_WORDS, REASON_WORDS } from '../../src/decide/reasons.ts';
import { ACTIONS, type Decision, REASONS } from '../../src/mail/decision.ts';
import type { Finding, InspectorName } from '../../src/mail/finding.ts';
import { newQueueId } from '../../src/mail/queue-id.ts';
import { attachment, dkim, dmarc, domain, envelope, from, inspection, origin, spam, spf, virus } from './findings.ts';

const id = newQueueId(7, (size) => new Uint8Array(size));
const summary: Finding = {
  kind: 'summary',
  subject: '会議の件',
  messageId: '<1@x>',
  from: '花子 <hanako@example.com>',
};

function story(
  found: Finding[],
  options: { missing?: InspectorName[]; listener?: 'mx' | 'relay'; recipients?: string[]; decisions?: Decision[] } = {},
): ExplainInput {
  const { policy } = defaultConfig();
  const listener = options.listener ?? 'mx';
  const input = {
    envelope: envelope(options.recipients ?? ['taro@office.example']),
    origin: origin(listener),
    inspection: inspection(found, options.missing),
    policy,
    domains: [domain('office.example')],
    relayClient: listener === 'relay',
  };
  return { ...input, id, decisions: options.decisions ?? decide(input) };
}

describe('explain()', () => {
  it('does not advise to release what somebody has released already', () => {
    const spammy = story([summary, spam(9)]);
    assert.match(explain(spammy, 'en').join('\n'), /sekisho quarantine release/);
    for (const language of LANGUAGES) {
      const told = explain({ ...spammy, released: true }, language).join('\n');
      assert.doesNotMatch(told, /quarantine release/);
      assert.match(told, /sekisho trace/);
    }
  });

  it('does not blame the published policy when the From field has no one author', () => {
    const odd: Finding[] = [{ ...from('bank.example'), count: 2 }, dmarc('permerror', 'bank.example')];
    const told = explain(story([summary, ...odd]), 'en').join('\n');
    assert.match(told, /cannot be read in one way only/);
    assert.doesNotMatch(told, /has a mistake in it/);
    const own = explain(story([summary, from('bank.example'), dmarc('permerror', 'bank.example')]), 'en').join('\n');
    assert.match(own, /has a mistake in it/);
  });

  it('says of a header beyond the limits that nobody looked, and blames no domain and no forwarder', () => {
    const detail = 'The header has 1200 fields, more than 1000';
    const complex: Finding = { kind: 'structure', problem: 'too-complex', detail };
    const en = explain(story([summary, from('example.net'), complex]), 'en').join('\n');
    assert.match(en, /\(SPF, DKIM, DMARC\) was not looked at/);
    assert.match(en, /not checked for viruses and spam/);
    assert.doesNotMatch(en, /permerror|has a mistake|forwarder|""/);
    const ja = explain(story([summary, from('example.net'), complex]), 'ja').join('\n');
    assert.match(ja, /送信元の確認（SPF・DKIM・DMARC）は行っていません/);
    assert.match(ja, /ウイルス検査と迷惑メール判定は行っていません/);
    // many parts below a short header: authentication was looked at
    const body = explain(story([summary, from('example.net'), spf('pass', 'example.net'), complex]), 'en').join('\n');
    assert.doesNotMatch(body, /was not looked at/);
  });

  it('does not say that a message was not scanned when an engine was asked', () => {
    const complex: Finding = { kind: 'structure', problem: 'too-complex', detail: '1,001 parts' };
    const input = story([summary, complex]);
    const asked = { ...input, inspection: { findings: [complex], missing: [], elapsed: { antivirus: 12 } } };
    assert.doesNotMatch(explain(asked, 'en').join('\n'), /not checked for viruses/);
    assert.doesNotMatch(explain(story([virus('Eicar'), complex]), 'en').join('\n'), /not checked for viruses/);
  });

  it('tells the story of a forged mail with a program in it, in English', () => {
    const input = story([
      summary,
      from('bank.example'),
      spf('fail', 'evil.example'),
      dkim('none', 'bank.example'),
      dmarc('fail', 'bank.example', 'reject'),
      {
        kind: 'spam',
        engine: 'rspamd',
        score: 9.26,
        symbols: [
          { name: 'SMALL', score: 0.1 },
          { name: 'GOOD', score: -3 },
          { name: 'PHISHING', score: 6, description: 'Phished URL' },
        ],
      },
      {
        ...attachment('invoice.pdf', ['executable', 'disguised']),
        inside: ['a.zip'],
        trueType: 'application/x-msdownload',
      },
    ]);
    assert.deepEqual(explain(input, 'en'), [
      'It came from [192.0.2.1], sender "hanako@example.com" (From field: 花子 <hanako@example.com>), for 1 recipient(s). Subject: 会議の件',
      'Attachment "invoice.pdf" (inside "a.zip"): a program behind a harmless name, its true type is application/x-msdownload.',
      '"evil.example" says that this computer may not send in its name (SPF fail).',
      'The message carries no signature (no DKIM).',
      'The author\'s domain "bank.example" could not be shown to be genuine (DMARC fail). "bank.example" asks for such mail to be refused.',
      'Its spam score is 9.3 (tagged from 5, quarantined from 8, refused from 15).',
      'What counted most: PHISHING (+6: Phished URL), SMALL (+0.1)',
      "[taro@office.example] The author's domain asks everyone to refuse mail that cannot be shown to be its own, and this mail could not.",
      'It was refused. The sending server knows of it and tells the sender.',
      'What you can do: if it was wanted, reach the sender another way, or review the settings and ask for it to be sent again.',
    ]);
  });

  it('tells the story of a tagged mail in Japanese', () => {
    const lines = explain(
      story([summary, spf('pass', 'example.com'), dkim('pass', 'other.example', false), spam(6)]),
      'ja',
    );
    assert.deepEqual(lines, [
      '[192.0.2.1] から、送信者「hanako@example.com」（差出人欄: 花子 <hanako@example.com>）、宛先 1 件で届きました。件名: 会議の件',
      '送信元のコンピューターは、「example.com」が自分の送信元として公開しているものです（SPF 合格）。',
      '「other.example」の電子署名は正しく、署名された部分は途中で書き換えられていません（DKIM 合格）。ただし、表示される差出人のドメインとは別のドメインの署名です。',
      '迷惑メールの点数は 6 点です（件名に印 5 点、隔離 8 点、拒否 15 点から）。',
      '点数の主な理由: TEST (+6)',
      '【taro@office.example】迷惑メールの点数が、件名に印を付ける基準以上でした。',
      '受信者のメールサーバーへ届けます。件名の前に「[SPAM]」を付けます。',
      `できること: 届いたかどうかは「sekisho trace ${id}」で確認できます。`,
    ]);
  });

  it('warns that a quarantined virus leaves only by force', () => {
    const decisions: Decision[] = [
      { recipient: envelope(['taro@office.example']).recipients[0]!.address, action: 'quarantine', reason: 'virus' },
    ];
    const text = explain(story([virus('Eicar')], { decisions }), 'en').join('\n');
    assert.match(text, /The virus "Eicar" was found \(clamd\)/);
    assert.match(text, new RegExp(`quarantine release --force ${id}`));
  });

  it('says that outbound spam points to misuse inside', () => {
    const text = explain(story([spam(15)], { listener: 'relay' }), 'en').join('\n');
    assert.match(text, /may be misused/);
    assert.match(text, /change the password/);
    assert.doesNotMatch(text, /It was refused/);
  });

  it('names the engine that could not look, and that nothing is delivered unchecked', () => {
    const text = explain(story([], { missing: ['antivirus'] }), 'en').join('\n');
    assert.match(text, /the virus check \(the engine is down\)/);
    assert.match(text, /Nothing is delivered unchecked/);
  });

  it('says of an incoming message that it waits', () => {
    const input: ExplainInput = { ...story([]), inspection: undefined, decisions: [] };
    assert.deepEqual(explain(input, 'en').slice(1), [
      'It has not been inspected yet.',
      'What happens to it is not decided yet.',
    ]);
  });

  it('says of a rejected share that it is in quarantine when others got the message', () => {
    const [one, other] = envelope(['a@office.example', 'b@office.example']).recipients;
    assert.ok(one !== undefined && other !== undefined);
    const decisions: Decision[] = [
      { recipient: one.address, action: 'deliver', reason: 'clean' },
      { recipient: other.address, action: 'reject', reason: 'spam-reject' },
    ];
    const text = explain(story([], { decisions }), 'en').join('\n');
    assert.match(text, /\[a@office\.example\] Nothing was found/);
    assert.match(text, /\[b@office\.example\] The spam score reached[^\n]*\nBecause it was taken for other recipients/);
    assert.doesNotMatch(text, /It was refused/);
  });

  it('shortens a long list of recipients', () => {
    const recipients = Array.from({ length: 500 }, (_, index) => `r${index}@office.example`);
    const text = explain(story([], { recipients }), 'en').join('\n');
    assert.match(text, /r4@office\.example and 495 more\]/);
    assert.ok(text.length < 2_000);
  });

  it('lets no stranger turn a sentence round or drive a terminal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom(...LANGUAGES), (text, language) => {
        const nasty = `\u202efdp.exe\u001b[2J${text}`;
        const input = story([
          { kind: 'summary', subject: nasty, from: nasty, messageId: nasty },
          { ...attachment(nasty, ['unscannable']), inside: [nasty], trueType: nasty },
          { kind: 'virus', engine: 'clamd', name: nasty },
          { kind: 'from', count: 1, domains: [], malformed: true, text: nasty },
          { kind: 'spam', engine: 'rspamd', score: 3, symbols: [{ name: nasty, score: 1, description: nasty }] },
          { kind: 'structure', problem: 'malformed', detail: nasty },
          { kind: 'poison', detail: nasty },
          { kind: 'arc', result: 'pass', chain: 1, sealer: nasty },
          { kind: 'spf', result: 'permerror', domain: nasty, helo: nasty },
        ]);
        for (const line of explain(input, language)) {
          assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
          assert.ok(line.length < 1_500);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('the words', () => {
  const texts = [
    ...Object.values(REASON_WORDS).flatMap(({ label, sentence }) => [label, sentence]),
    ...Object.values(ACTION_WORDS).flatMap(({ label, sentence }) => [label, sentence]),
    ...[
      words.WORDS,
      words.ADVICE,
      words.SPF_SENTENCES,
      words.DKIM_SENTENCES,
      words.DMARC_SENTENCES,
      words.DMARC_WISHES,
      words.INSPECTOR_NAMES,
      words.TRAIT_WORDS,
      words.MISSING_WORDS,
    ].flatMap((dictionary) => Object.values(dictionary)),
    words.VIRUS_ADVICE,
    words.OUTBOUND_SPAM_ADVICE,
  ];

  it('are there for every reason and action', () => {
    assert.deepEqual(Object.keys(REASON_WORDS).toSorted(), [...REASONS].toSorted());
    assert.deepEqual(Object.keys(ACTION_WORDS).toSorted(), [...ACTIONS].toSorted());
  });

  it('carry the same values in both languages, and Japanese only in Japanese', () => {
    for (const text of texts) {
      const marks = (line: string): string[] => [...new Set(line.match(/\{\w+\}/g) ?? [])].toSorted();
      assert.deepEqual(marks(text.ja), marks(text.en), text.en);
      assert.doesNotMatch(text.en, /[\u3040-\u30ff\u4e00-\u9fff]/u);
    }
  });

  it('leave no mark unfilled, for every reason in both languages', () => {
    const [recipient] = envelope(['taro@office.example']).recipients;
    assert.ok(recipient !== undefined);
    for (const language of LANGUAGES) {
      for (const reason of REASONS) {
        for (const action of ACTIONS) {
          const decisions: Decision[] = [{ recipient: recipient.address, action, reason }];
          const lines = explain(
            story([spf('pass', 'example.com'), dmarc('fail', 'x.example')], { decisions }),
            language,
          );
          assert.doesNotMatch(lines.join('\n'), /\{\w+\}/);
        }
      }
    }
  });
});
