/**
 * The forms of "Composition Kills" (Chen, Paxson, Jiang: USENIX Security 2020): ways to make the program that checks and the
 * program that shows read two different authors. The attacker owns attacker.example and everything that passes for it; the
 * person is to believe that admin@bank.example wrote. Whatever we cannot read in one way only must not be a pass for the bank.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { defaultConfig } from '../../src/config/schema.ts';
import { decide } from '../../src/decide/decide.ts';
import { inspectStructure } from '../../src/inspect/structure.ts';
import { parseReversePath } from '../../src/mail/address.ts';
import { envelope, inspection, origin } from '../decide/findings.ts';
import { authenticateBytes } from './authenticate.ts';
import { fakeResolver, newKey, of, settings, signed, type Zone } from './support.ts';

const key = newKey();
const ZONE: Zone = {
  'attacker.example': { TXT: [['v=spf1 ip4:192.0.2.10 -all']] },
  'helo.attacker.example': { TXT: [['v=spf1 ip4:192.0.2.10 -all']] },
  's._domainkey.attacker.example': { TXT: key.record },
  '_dmarc.attacker.example': { TXT: [['v=DMARC1; p=reject']] },
  'bank.example': { A: ['198.51.100.1'], TXT: [['v=spf1 ip4:198.51.100.0/24 -all']] },
  '_dmarc.bank.example': { TXT: [['v=DMARC1; p=reject']] },
};

interface Evasion {
  name: string;
  /** Lines of the header about the author. */
  from: string[];
  reversePath?: string;
  helo?: string;
  /** `attacker` (default): signed by him; `none`; or this field as it stands. */
  dkim?: string;
  /** What the policy does with it; `shown`: the author that is checked is the one that is shown, nobody is fooled by us. */
  outcome: 'refused' | 'quarantined' | 'shown';
}

const BANK = 'admin@bank.example';
const ATTACKER = 'any@attacker.example';
const NUL = '\u0000';

const EVASIONS: Evasion[] = [
  // Between the programs of one server
  {
    name: 'A1 a subdomain of the bank that does not exist, as reverse-path',
    from: [`From: <${BANK}>`],
    reversePath: 'any@notexist.bank.example',
    outcome: 'refused',
  },
  {
    name: 'A2 the null reverse-path, so that SPF looks at a HELO name of the attacker',
    from: [`From: <${BANK}>`],
    reversePath: '',
    helo: 'helo.attacker.example',
    outcome: 'refused',
  },
  {
    name: 'A3 a NUL in the selector, so that the key is asked for at the attacker’s',
    from: [`From: <${BANK}>`],
    dkim: `v=1; a=rsa-sha256; c=relaxed/relaxed; d=bank.example; s=attacker.example.${NUL}.any; h=from; bh=x; b=x`,
    outcome: 'refused',
  },
  {
    name: 'A4 a parenthesis in d=, to be written into the results as a comment',
    from: [`From: <${BANK}>`],
    dkim: 'v=1; a=rsa-sha256; c=relaxed/relaxed; d=bank.example(.attacker.example; s=s; h=from; bh=x; b=x',
    outcome: 'refused',
  },
  // A5, A6 are refused or undone at MAIL: see "forms of the reverse-path" below
  // Between server and reader
  {
    name: 'A7 two From fields, the attacker first',
    from: [`From: <${ATTACKER}>`, `From: <${BANK}>`],
    outcome: 'quarantined',
  },
  {
    name: 'A7 two From fields, the bank first',
    from: [`From: <${BANK}>`, `From: <${ATTACKER}>`],
    outcome: 'quarantined',
  },
  { name: 'A8 a space before the colon', from: [`From : <${BANK}>`, `From: <${ATTACKER}>`], outcome: 'quarantined' },
  {
    name: 'A8 a From at the very top that looks like a fold',
    from: [` From: <${BANK}>`, `From: <${ATTACKER}>`],
    outcome: 'shown',
  },
  { name: 'A8 a From folded into another', from: [`From: <${ATTACKER}>`, ` From: <${BANK}>`], outcome: 'refused' },
  { name: 'A8 a From in other letters', from: [`FROM: <${BANK}>`, `From: <${ATTACKER}>`], outcome: 'quarantined' },
  { name: 'A8 a From behind a fold', from: [`From\r\n : <${BANK}>`, `From: <${ATTACKER}>`], outcome: 'quarantined' },
  {
    name: 'A9 Sender and Resent-From name the bank',
    from: [`Sender: <${BANK}>`, `Resent-From: <${BANK}>`, `From: <${ATTACKER}>`],
    outcome: 'shown',
  },
  { name: 'A9 only Sender, no From', from: [`Sender: <${BANK}>`], dkim: 'none', outcome: 'quarantined' },
  { name: 'A10 two authors', from: [`From: <${ATTACKER}>, <${BANK}>`], outcome: 'quarantined' },
  { name: 'A10 two authors in a group', from: [`From: x: <${ATTACKER}>, <${BANK}>;`], outcome: 'quarantined' },
  {
    name: 'A11 the bank as an encoded word where an address belongs',
    from: [`From: =?utf-8?B?${Buffer.from(`<${BANK}>`).toString('base64')}?=, <${ATTACKER}>`],
    outcome: 'quarantined',
  },
  { name: 'A12 a source route', from: [`From: <@attacker.example,@any.example:${BANK}>`], outcome: 'refused' },
  { name: 'A13 a quoted pair instead of a comma', from: [`From: <${ATTACKER}>\\, <${BANK}>`], outcome: 'quarantined' },
  {
    name: 'A14 a comment inside the address',
    from: [`From: <admin@bank.example(,any@attacker.example)>`],
    outcome: 'quarantined',
  },
  { name: 'A14 two angle addresses', from: [`From: <${ATTACKER}><${BANK}>`], outcome: 'quarantined' },
  { name: 'A14 a NUL in the address', from: [`From: <${BANK}${NUL}@attacker.example>`], outcome: 'quarantined' },
  { name: 'A15 an address behind the address', from: [`From: <${ATTACKER}> ${BANK}`], outcome: 'quarantined' },
  {
    name: 'A15 an address before the address, without quotes',
    from: [`From: ${BANK} <${ATTACKER}>`],
    outcome: 'quarantined',
  },
  { name: 'A15 an angle that is not closed', from: [`From: <${ATTACKER}`], outcome: 'quarantined' },
  { name: 'A15 nested angles', from: [`From: <<${BANK}>${ATTACKER}>`], outcome: 'refused' },
  {
    name: 'A18 an attacker who signs for the bank with his own key',
    from: [`From: <${BANK}>`],
    dkim: 'attacker',
    outcome: 'refused',
  },
];

async function judge(evasion: Evasion): Promise<{ author: string; vouched: string[]; action: string }> {
  const reversePath = evasion.reversePath ?? ATTACKER;
  const rest = ['To: hanako@office.example', 'Subject: x', 'Message-ID: <1@x.example>', '', 'Please pay.', ''];
  const plain = [...evasion.from, ...rest].join('\r\n');
  const { dkim = 'attacker' } = evasion;
  const own = { key, domain: 'attacker.example', selector: 's' };
  const message =
    dkim === 'attacker' ? await signed(plain, own) : dkim === 'none' ? plain : `DKIM-Signature: ${dkim}\r\n${plain}`;
  const session = { reversePath, helo: evasion.helo ?? 'mail.attacker.example', ip: '192.0.2.10' };
  const findings = await authenticateBytes(Buffer.from(message, 'utf8'), { resolver: fakeResolver(ZONE), ...session });
  assert.notEqual(parseReversePath(reversePath), undefined);
  const [decision] = decide({
    envelope: envelope(['hanako@office.example'], reversePath),
    origin: origin(),
    inspection: inspection(findings),
    policy: defaultConfig().policy,
    domains: [],
    relayClient: false,
  });
  const [dmarc] = of(findings, 'dmarc');
  const vouched = findings.flatMap((finding) =>
    (finding.kind === 'spf' || finding.kind === 'dkim' || finding.kind === 'dmarc') && finding.result === 'pass'
      ? [`${finding.kind} ${finding.domain}`]
      : [],
  );
  return { author: dmarc?.domain ?? '', vouched, action: String(decision?.action) };
}

describe('evasions of "Composition Kills"', () => {
  for (const evasion of EVASIONS) {
    it(`${evasion.name}: ${evasion.outcome}, and nothing passes for the bank`, async () => {
      const { author, vouched, action } = await judge(evasion);
      assert.deepEqual(
        vouched.filter((text) => text.includes('bank.example')),
        [],
      );
      if (evasion.outcome === 'shown') {
        assert.deepEqual([author, action], ['attacker.example', 'deliver']);
        return;
      }
      assert.equal(
        action,
        evasion.outcome === 'refused' ? 'reject' : 'quarantine',
        JSON.stringify({ author, vouched }),
      );
      assert.ok(!vouched.some((text) => text.startsWith('dmarc')), vouched.join());
    });
  }
});

describe('evasions of "Composition Kills", forms of the reverse-path', () => {
  const forms: Array<[name: string, path: string, becomes: string | undefined]> = [
    ['A5 a parenthesis, to be written into the results as a comment', 'any@bank.example(.attacker.example', undefined],
    ['A5 a quote in the domain', 'any@bank.example".attacker.example', undefined],
    ['A3 a NUL in the domain', `any@bank.example${NUL}.attacker.example`, undefined],
    ['A6 a source route that was not stripped', '@bank.example,@any.example:any@attacker.example', undefined],
    ['A6 two at signs', 'any@bank.example@attacker.example', undefined],
  ];
  for (const [name, path, becomes] of forms) {
    it(`${name}: no reverse-path`, () => assert.equal(parseReversePath(path), becomes));
  }
});

describe('evasions of the MIME walk', () => {
  const outer = 'From: a@b.example\r\nContent-Type: multipart/mixed; boundary=O\r\n\r\n--O\r\n';
  const text = 'Content-Type: text/plain\r\n\r\nhello\r\n';
  const tool = `Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=tool.exe\r\n\r\nMZ\r\n`;
  const forms: Array<[name: string, message: string]> = [
    [
      'behind a multipart that is never closed',
      `${outer}Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n${text}--O\r\n${tool}--O--\r\n`,
    ],
    [
      'behind two of them, the inner boundary a longer form of the outer',
      `${outer}Content-Type: multipart/mixed; boundary=OO\r\n\r\n--OO\r\n` +
        `Content-Type: multipart/alternative; boundary="O--"\r\n\r\n--O--\r\n${text}--O\r\n${tool}--O--\r\n`,
    ],
    ['behind a delimiter with white space', `${outer}${text}--O \t\r\n${tool}--O--\r\n`],
    [
      'in a message with bare line feeds in base64',
      `${outer}Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n` +
        `${Buffer.from(`${outer}${text}--O\r\n${tool}--O--\r\n`.replaceAll('\r', '')).toString('base64')}\r\n--O--\r\n`,
    ],
  ];
  for (const [name, message] of forms) {
    it(`a program ${name} is found (RFC 2046 §5.1)`, async () => {
      const options = { limits: settings().limits, signal: new AbortController().signal };
      const findings = await inspectStructure(Readable.from([Buffer.from(message)]), options);
      const programs = findings.filter(
        (finding) => finding.kind === 'attachment' && finding.traits.includes('executable'),
      );
      assert.equal(programs.length, 1, JSON.stringify(findings));
    });
  }
});

describe('evasions of "Composition Kills", replays of an honest signature', () => {
  const honest = [`From: <${BANK}>`, 'To: hanako@office.example', 'Subject: x', '', 'Your balance is fine.', ''].join(
    '\r\n',
  );
  const zone: Zone = { ...ZONE, 's._domainkey.bank.example': { TXT: key.record } };
  const run = async (message: string): Promise<string> => {
    const session = { reversePath: ATTACKER, helo: 'mail.attacker.example', ip: '192.0.2.10' };
    const findings = await authenticateBytes(Buffer.from(message, 'latin1'), {
      resolver: fakeResolver(zone),
      ...session,
    });
    return String(of(findings, 'dmarc')[0]?.result);
  };

  it('A16 a From put above a signed message: the signature may hold, DMARC does not', async () => {
    const message = await signed(honest, { key, domain: 'bank.example', selector: 's' });
    assert.equal(await run(message), 'pass');
    assert.notEqual(await run(`From: <${ATTACKER}>\r\n${message}`), 'pass');
  });

  it('A17 a body put behind one that is signed with l=: not a pass', async () => {
    const message = await signed(honest, { key, domain: 'bank.example', selector: 's', maxBodyLength: 10 });
    assert.equal(await run(`${message}Now pay to the new account.\r\n`), 'fail');
    assert.equal(await run(message), 'fail');
  });
});
