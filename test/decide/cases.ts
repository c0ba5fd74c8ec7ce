/**
 * What the policy does, as a mail admin reads it: what was found → action and reason. Defaults of the configuration, mail
 * from the Internet to taro@office.example, whose domain office.example is ours; each row says what differs.
 */
import type { ConfigInput } from '../../src/config/schema.ts';
import type { Action, Reason } from '../../src/mail/decision.ts';
import type { Finding, InspectorName } from '../../src/mail/finding.ts';
import { attachment, badMime, complex, dkim, dmarc, from, poison, spam, spf, virus } from './findings.ts';

export interface Case {
  name: string;
  found: Finding[];
  missing?: InspectorName[];
  /** Where it came from; default: the Internet. */
  by?: 'office' | 'office-by-mx' | 'ourselves';
  reversePath?: string;
  policy?: ConfigInput['policy'];
  outcome: `${Action} ${Reason}`;
  tag?: string;
}

const ours = 'office.example';
/** Claims to be ours; nothing vouches for it. */
const spoof = [spf('fail', 'evil.example'), from(ours), dmarc('none', ours)];

export const CASES: Case[] = [
  { name: 'nothing found', found: [], outcome: 'deliver clean' },
  {
    name: 'an ordinary mail that passes everything',
    found: [
      spf('pass', 'example.com'),
      dkim('pass', 'example.com'),
      dmarc('pass', 'example.com'),
      from('example.com'),
      spam(0.5),
    ],
    outcome: 'deliver clean',
  },

  // Lists
  {
    name: 'a blocked envelope sender is refused, whatever the score',
    found: [spam(0), from('example.com')],
    policy: { lists: { block: [{ match: 'Hanako@Example.com' }] } },
    outcome: 'reject blocked',
  },
  {
    name: 'a blocked domain counts for the author too, and for what lies below it',
    found: [from('news.shop.example')],
    policy: { lists: { block: [{ match: 'shop.example' }] } },
    outcome: 'reject blocked',
  },
  {
    name: 'a comment behind his address hides no blocked author',
    found: [{ ...from('shop.example'), text: 'Shop <news@shop.example> (no reply)' }],
    policy: { lists: { block: [{ match: 'news@shop.example' }] } },
    outcome: 'reject blocked',
  },
  {
    name: 'nor does one that is opened in the name and never closed',
    found: [{ ...from('shop.example'), text: 'Shop ( <news@shop.example>' }],
    policy: { lists: { block: [{ match: 'news@shop.example' }] } },
    outcome: 'reject blocked',
  },
  {
    name: 'an allowed address in the name, before a comment, allows nobody else of that domain',
    found: [
      { ...from('shop.example'), text: '<info@shop.example> ( <x@shop.example>' },
      dkim('pass', 'shop.example'),
      spam(9),
    ],
    policy: { lists: { allow: [{ match: 'info@shop.example' }] } },
    outcome: 'quarantine spam-quarantine',
  },
  {
    name: 'a name that only ends like the blocked one is another',
    found: [from('myshop.example')],
    policy: { lists: { block: [{ match: '@shop.example' }] } },
    outcome: 'deliver clean',
  },
  {
    name: 'the block list can quarantine',
    found: [],
    policy: { lists: { block: [{ match: '192.0.2.0/24' }], blocked: 'quarantine' } },
    outcome: 'quarantine blocked',
  },
  {
    name: 'the block list is stronger than the allow list',
    found: [spf('pass', 'example.com'), spam(20)],
    policy: { lists: { allow: [{ match: '@example.com' }], block: [{ match: 'hanako@example.com' }] } },
    outcome: 'reject blocked',
  },
  {
    name: 'the office may write what it likes: the block list is for mail from outside',
    found: [],
    by: 'office',
    policy: { lists: { block: [{ match: '@example.com' }] } },
    outcome: 'deliver clean',
  },
  {
    name: 'an allowed sender with SPF is spared the spam score',
    found: [spf('pass', 'example.com'), spam(20)],
    policy: { lists: { allow: [{ match: 'hanako@example.com' }] } },
    outcome: 'deliver allowed',
  },
  {
    name: 'an allowed author with an aligned signature is spared the spam score',
    found: [spf('fail', 'example.com'), dkim('pass', 'shop.example'), from('shop.example'), spam(9)],
    policy: { lists: { allow: [{ match: '@shop.example' }] } },
    outcome: 'deliver allowed',
  },
  {
    name: 'an allowed sender nobody proves is not spared',
    found: [spf('softfail', 'example.com'), dkim('pass', 'evil.example', false), from('example.com'), spam(9)],
    policy: { lists: { allow: [{ match: '@example.com' }] } },
    outcome: 'quarantine spam-quarantine',
  },
  {
    name: 'SPF of the HELO name proves nothing of the envelope sender',
    found: [spf('pass', 'client.example'), from('example.com'), spam(9)],
    policy: { lists: { allow: [{ match: '@example.com' }] } },
    outcome: 'quarantine spam-quarantine',
  },
  {
    name: 'an allowed network is spared the spam score',
    found: [spam(9)],
    policy: { lists: { allow: [{ match: '192.0.2.1' }] } },
    outcome: 'deliver allowed',
  },
  {
    name: 'a virus of an allowed sender is refused',
    found: [spf('pass', 'example.com'), spam(20), virus('X')],
    policy: { lists: { allow: [{ match: '@example.com' }] } },
    outcome: 'reject virus',
  },
  {
    name: 'a forgery of DMARC through an allowed network is refused',
    found: [spf('fail', 'bank.example'), from('bank.example'), dmarc('fail', 'bank.example', 'reject'), spam(9)],
    policy: { lists: { allow: [{ match: '192.0.2.0/24' }] } },
    outcome: 'reject dmarc-reject',
  },

  // Viruses
  { name: 'a virus is refused', found: [virus('Eicar-Test-Signature')], outcome: 'reject virus' },
  {
    name: 'a virus is quarantined when the owner says so',
    found: [virus('Eicar-Test-Signature')],
    policy: { virus: 'quarantine' },
    outcome: 'quarantine virus',
  },
  { name: 'a virus from the office is refused too', found: [virus('X')], by: 'office', outcome: 'reject virus' },
  { name: 'a virus in a message of our own', found: [virus('X')], by: 'ourselves', outcome: 'reject virus' },
  {
    name: 'a virus is refused even if the spam engine is down',
    found: [virus('X')],
    missing: ['spam'],
    outcome: 'reject virus',
  },
  { name: 'a virus in a bounce (null reverse-path)', found: [virus('X')], reversePath: '', outcome: 'reject virus' },
  {
    name: 'a virus to quarantine while the spam engine is down waits for the whole inspection',
    found: [virus('X')],
    missing: ['spam'],
    policy: { virus: 'quarantine' },
    outcome: 'defer not-inspected',
  },

  // Engines that could not look
  { name: 'no antivirus: not delivered', found: [spam(0)], missing: ['antivirus'], outcome: 'defer not-inspected' },
  { name: 'no spam engine: not delivered', found: [], missing: ['spam'], outcome: 'defer not-inspected' },
  {
    name: 'no antivirus for mail of the office',
    found: [],
    missing: ['antivirus'],
    by: 'office',
    outcome: 'defer not-inspected',
  },
  {
    name: 'spam at 15 is refused although clamd is down',
    found: [spam(15)],
    missing: ['antivirus'],
    outcome: 'reject spam-reject',
  },
  { name: 'spam at 8 waits for clamd', found: [spam(8)], missing: ['antivirus'], outcome: 'defer not-inspected' },
  {
    name: 'a score that is no number counts as not inspected',
    found: [spam(Number.NaN)],
    outcome: 'defer not-inspected',
  },

  // Messages that cannot be inspected
  { name: 'a message that killed a worker twice', found: [poison()], outcome: 'quarantine poison' },
  {
    name: 'poison does not wait for the inspectors it killed',
    found: [poison()],
    missing: ['structure', 'authentication'],
    outcome: 'quarantine poison',
  },
  { name: 'poison with a virus is refused', found: [poison(), virus('X')], outcome: 'reject virus' },
  { name: '1,001 parts', found: [complex()], outcome: 'quarantine too-complex' },
  {
    name: 'too complex does not wait for an engine either',
    found: [complex()],
    missing: ['spam'],
    outcome: 'quarantine too-complex',
  },
  {
    name: 'too complex under our own name is quarantined, however strict the owner is',
    found: [complex(), from('ceo@office.example')],
    policy: { ownDomainFromOutside: 'reject', suspiciousFrom: 'reject' },
    outcome: 'quarantine too-complex',
  },
  { name: 'poison comes before too complex', found: [complex(), poison()], outcome: 'quarantine poison' },
  { name: 'MIME that cannot be parsed is unscannable', found: [badMime()], outcome: 'quarantine unscannable' },
  {
    name: 'MIME that cannot be parsed, owner takes it',
    found: [badMime()],
    policy: { unscannable: 'deliver' },
    outcome: 'deliver clean',
  },

  // Attachments
  {
    name: 'invoice.pdf that is an .exe',
    found: [attachment('invoice.pdf', ['executable', 'disguised'])],
    outcome: 'quarantine disguised-executable',
  },
  { name: 'setup.exe', found: [attachment('setup.exe', ['executable'])], outcome: 'quarantine executable' },
  { name: 'macro.js', found: [attachment('macro.js', ['script'])], outcome: 'quarantine executable' },
  {
    name: 'setup.exe, refused by setting',
    found: [attachment('a', ['executable'])],
    policy: { executable: 'reject' },
    outcome: 'reject executable',
  },
  {
    name: 'setup.exe, allowed by setting',
    found: [attachment('a', ['executable'])],
    policy: { executable: 'deliver' },
    outcome: 'deliver clean',
  },
  {
    name: 'programs allowed, but not behind a false name',
    found: [attachment('invoice.pdf', ['executable', 'disguised'])],
    policy: { executable: 'deliver' },
    outcome: 'quarantine disguised-executable',
  },
  {
    name: 'programs refused, disguised ones quarantined: the stronger action wins',
    found: [attachment('invoice.pdf', ['executable', 'disguised'])],
    policy: { executable: 'reject' },
    outcome: 'reject executable',
  },
  {
    name: 'a locked zip goes through by default',
    found: [attachment('a.zip', ['archive', 'encrypted'])],
    outcome: 'deliver clean',
  },
  {
    name: 'a locked zip, quarantined by setting',
    found: [attachment('a.zip', ['archive', 'encrypted'])],
    policy: { encryptedArchive: 'quarantine' },
    outcome: 'quarantine encrypted-archive',
  },
  { name: 'a zip bomb', found: [attachment('a.zip', ['archive', 'unscannable'])], outcome: 'quarantine unscannable' },
  { name: 'a plain zip', found: [attachment('a.zip', ['archive'])], outcome: 'deliver clean' },
  {
    name: 'a disguised program from the office',
    found: [attachment('a.pdf', ['disguised'])],
    by: 'office',
    outcome: 'quarantine disguised-executable',
  },

  // Spam score: tag 5, quarantine 8, reject 15
  { name: 'score 4.99', found: [spam(4.99)], outcome: 'deliver clean' },
  { name: 'score 5', found: [spam(5)], outcome: 'deliver spam-tag', tag: '[SPAM]' },
  { name: 'score 5, no tag text', found: [spam(5)], policy: { spam: { subjectTag: '' } }, outcome: 'deliver spam-tag' },
  { name: 'score 7.99', found: [spam(7.99)], outcome: 'deliver spam-tag', tag: '[SPAM]' },
  { name: 'score 8', found: [spam(8)], outcome: 'quarantine spam-quarantine' },
  { name: 'score 14.99', found: [spam(14.99)], outcome: 'quarantine spam-quarantine' },
  { name: 'score 15', found: [spam(15)], outcome: 'reject spam-reject' },
  {
    name: 'score 15, threshold moved to 20',
    found: [spam(15)],
    policy: { spam: { reject: 20 } },
    outcome: 'quarantine spam-quarantine',
  },
  { name: 'spam in a bounce (null reverse-path)', found: [spam(15)], reversePath: '', outcome: 'reject spam-reject' },
  {
    name: 'the office sends what scores 14: nothing happens',
    found: [spam(14)],
    by: 'office',
    outcome: 'deliver clean',
  },
  {
    name: 'the office sends what scores 15: kept, not bounced to its user',
    found: [spam(15)],
    by: 'office',
    outcome: 'quarantine spam-reject',
  },
  { name: 'the same over the MX listener', found: [spam(15)], by: 'office-by-mx', outcome: 'quarantine spam-reject' },
  {
    name: 'spam and a locked zip by setting: the stronger action wins',
    found: [spam(15), attachment('a.zip', ['encrypted'])],
    policy: { encryptedArchive: 'quarantine' },
    outcome: 'reject spam-reject',
  },
  {
    name: 'spam at 8 and a program: same action, the earlier rule names the reason',
    found: [spam(8), attachment('a', ['executable'])],
    outcome: 'quarantine executable',
  },

  // DMARC
  {
    name: 'DMARC fail, p=reject',
    found: [from('bank.example'), dmarc('fail', 'bank.example', 'reject')],
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'DMARC fail, p=quarantine',
    found: [from('bank.example'), dmarc('fail', 'bank.example', 'quarantine')],
    outcome: 'quarantine dmarc-quarantine',
  },
  {
    name: 'DMARC fail, p=none',
    found: [from('bank.example'), dmarc('fail', 'bank.example', 'none')],
    outcome: 'deliver clean',
  },
  {
    name: 'DMARC pass, p=reject',
    found: [from('bank.example'), dmarc('pass', 'bank.example', 'reject')],
    outcome: 'deliver clean',
  },
  {
    name: 'the DMARC policy could not be looked up: not a fail',
    found: [from('bank.example'), dmarc('temperror', 'bank.example', 'none')],
    outcome: 'deliver clean',
  },
  {
    name: 'DMARC left open by DNS, p=reject: neither refused nor delivered, asked again later',
    found: [from('bank.example'), dmarc('temperror', 'bank.example', 'reject')],
    outcome: 'defer not-inspected',
  },
  {
    name: 'DMARC left open by DNS, owner ignores DMARC',
    found: [from('bank.example'), dmarc('temperror', 'bank.example', 'reject')],
    policy: { dmarc: 'ignore' },
    outcome: 'deliver clean',
  },
  {
    name: 'DMARC permerror is not a fail',
    found: [from('bank.example'), dmarc('permerror', 'bank.example', 'reject')],
    outcome: 'deliver clean',
  },
  {
    name: 'DMARC fail while the key of an aligned signature could not be looked up: asked again later',
    found: [from('bank.example'), dkim('temperror', 'bank.example'), dmarc('fail', 'bank.example', 'reject')],
    outcome: 'defer not-inspected',
  },
  {
    name: 'DMARC fail while aligned SPF could not be looked up: asked again later',
    found: [from('bank.example'), spf('temperror', 'mail.bank.example'), dmarc('fail', 'bank.example', 'quarantine')],
    outcome: 'defer not-inspected',
  },
  {
    name: "a stranger's DNS trouble does not save a forgery",
    found: [
      from('bank.example'),
      spf('temperror', 'evil.example'),
      dkim('temperror', 'evil.example', false),
      dmarc('fail', 'bank.example', 'reject'),
    ],
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'DMARC p=reject, owner never refuses for it',
    found: [from('bank.example'), dmarc('fail', 'bank.example', 'reject')],
    policy: { dmarc: 'quarantine' },
    outcome: 'quarantine dmarc-quarantine',
  },
  {
    name: 'DMARC p=reject, owner ignores it',
    found: [from('bank.example'), dmarc('fail', 'bank.example', 'reject')],
    policy: { dmarc: 'ignore' },
    outcome: 'deliver clean',
  },
  {
    name: 'DMARC does not apply to what the office sends',
    found: [from('bank.example'), dmarc('fail', 'bank.example', 'reject')],
    by: 'office',
    outcome: 'deliver clean',
  },
  {
    name: 'DMARC is refused although an engine is down',
    found: [from('bank.example'), dmarc('fail', 'bank.example', 'reject')],
    missing: ['spam'],
    outcome: 'reject dmarc-reject',
  },

  // Own domain from outside
  {
    name: 'own domain in the header From, nothing vouches',
    found: spoof,
    outcome: 'quarantine own-domain-from-outside',
  },
  {
    name: 'own sub-domain in the header From',
    found: [spf('none', 'evil.example'), from(`hr.${ours}`)],
    outcome: 'quarantine own-domain-from-outside',
  },
  { name: 'a domain that only ends like ours', found: [from(`not${ours}`)], outcome: 'deliver clean' },
  {
    name: 'own domain as reverse-path',
    found: [spf('fail', ours), from('evil.example')],
    reversePath: `boss@${ours}`,
    outcome: 'quarantine own-domain-from-outside',
  },
  {
    name: 'own domain, SPF passes for another domain',
    found: [spf('pass', 'evil.example'), from(ours)],
    outcome: 'quarantine own-domain-from-outside',
  },
  {
    name: 'own domain, DKIM of another domain',
    found: [dkim('pass', 'evil.example', false), from(ours)],
    outcome: 'quarantine own-domain-from-outside',
  },
  {
    name: 'own domain, DKIM of ours is broken',
    found: [dkim('fail', ours), from(ours)],
    outcome: 'quarantine own-domain-from-outside',
  },
  { name: 'own domain, aligned SPF', found: [spf('pass', ours), from(ours)], outcome: 'deliver clean' },
  { name: 'own domain, aligned DKIM', found: [dkim('pass', ours), from(ours)], outcome: 'deliver clean' },
  { name: 'own domain, DMARC pass', found: [dmarc('pass', ours, 'none'), from(ours)], outcome: 'deliver clean' },
  {
    name: 'two authors, one of them ours: the pass of the other vouches for nothing',
    found: [dmarc('pass', 'evil.example'), dkim('pass', 'evil.example'), from(ours, 'evil.example')],
    policy: { suspiciousFrom: 'deliver' },
    outcome: 'quarantine own-domain-from-outside',
  },
  {
    name: 'own domain, refused by setting',
    found: spoof,
    policy: { ownDomainFromOutside: 'reject' },
    outcome: 'reject own-domain-from-outside',
  },
  {
    name: 'own domain, allowed by setting',
    found: spoof,
    policy: { ownDomainFromOutside: 'deliver' },
    outcome: 'deliver clean',
  },
  {
    name: 'own domain, refused by setting, but its DNS does not answer: never for good',
    found: [spf('temperror', ours), from(ours), dmarc('temperror', ours)],
    policy: { ownDomainFromOutside: 'reject' },
    outcome: 'quarantine own-domain-from-outside',
  },
  {
    name: 'own domain, authentication could not look',
    found: [from(ours)],
    missing: ['authentication'],
    policy: { ownDomainFromOutside: 'reject' },
    outcome: 'defer not-inspected',
  },
  { name: 'own domain from the office is what mail looks like', found: spoof, by: 'office', outcome: 'deliver clean' },
  {
    name: 'own domain from the office over the MX listener',
    found: spoof,
    by: 'office-by-mx',
    outcome: 'deliver clean',
  },
  {
    name: 'own domain in a bounce from outside',
    found: spoof,
    reversePath: '',
    outcome: 'quarantine own-domain-from-outside',
  },

  // The From field
  { name: 'no From field', found: [from()], outcome: 'quarantine suspicious-from' },
  { name: 'two From fields', found: [{ ...from('example.com'), count: 2 }], outcome: 'quarantine suspicious-from' },
  {
    name: 'a malformed From field',
    found: [{ ...from('example.com'), malformed: true }],
    outcome: 'quarantine suspicious-from',
  },
  {
    name: 'authors of two domains',
    found: [from('example.com', 'example.net')],
    outcome: 'quarantine suspicious-from',
  },
  { name: 'two authors of one domain', found: [from('example.com', 'example.com')], outcome: 'deliver clean' },
  {
    name: 'no From field, refused by setting',
    found: [from()],
    policy: { suspiciousFrom: 'reject' },
    outcome: 'reject suspicious-from',
  },
  {
    name: 'no From field, allowed by setting',
    found: [from()],
    policy: { suspiciousFrom: 'deliver' },
    outcome: 'deliver clean',
  },
  { name: 'a scanner in the office without a From field', found: [from()], by: 'office', outcome: 'deliver clean' },
];
