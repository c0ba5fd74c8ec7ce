import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Domain } from '../../src/mail/address.ts';
import { composeAuthenticationResults } from '../../src/mail/authentication-results.ts';
import {
  type AuthenticationResults,
  parseAuthenticationResults,
} from '../../src/mail/authentication-results-parser.ts';
import { ARC_RESULTS, DKIM_RESULTS, DMARC_RESULTS, type Finding, SPF_RESULTS } from '../../src/mail/finding.ts';

/** `method=result property=value …`, for reading. */
function short(read: AuthenticationResults | undefined): string[] | undefined {
  return read?.results.map(({ method, result, properties }) =>
    [`${method}=${result}`, ...Object.entries(properties).map(([name, value]) => `${name}=${value}`)].join(' '),
  );
}

describe('parseAuthenticationResults()', () => {
  const table: Array<[name: string, value: string, ...results: string[]]> = [
    ['RFC 8601 appendix B.2: none', ' example.org 1; none'],
    [
      'RFC 8601 appendix B.3',
      ' example.com;\r\n       spf=pass smtp.mailfrom=example.net',
      'spf=pass smtp.mailfrom=example.net',
    ],
    [
      'RFC 8601 appendix B.4',
      ' example.com;\r\n          auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n          spf=pass smtp.mailfrom=example.net',
      'auth=pass smtp.auth=sender@example.net',
      'spf=pass smtp.mailfrom=example.net',
    ],
    [
      'RFC 8601 appendix B.5',
      ' example.com;\r\n      dkim=pass (good signature) header.d=example.com',
      'dkim=pass header.d=example.com',
    ],
    [
      'RFC 8601 appendix B.6',
      ' example.com;\r\n      dkim=pass reason="good signature"\r\n        header.i=@mail-router.example.net;\r\n      dkim=fail reason="bad signature"\r\n        header.i=@newyork.example.com',
      'dkim=pass header.i=@mail-router.example.net',
      'dkim=fail header.i=@newyork.example.com',
    ],
    [
      'RFC 8601 appendix B.7: comments wherever they may be',
      " foo.example.net (foobar) 1 (baz);\r\n    dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n      policy (A dot can go here) . (like that) expired\r\n      (this surprised me) = (as I wasn't expecting it) 1362471462",
      'dkim=fail policy.expired=1362471462',
    ],
    [
      'Google',
      ' mx.google.com;\r\n       dkim=pass header.i=@example.com header.s=s1 header.b=Ab/c+9dE;\r\n       spf=pass (google.com: domain of a@example.com designates 192.0.2.1 as permitted sender) smtp.mailfrom=a@example.com;\r\n       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=example.com',
      'dkim=pass header.i=@example.com header.s=s1 header.b=Ab/c+9dE',
      'spf=pass smtp.mailfrom=a@example.com',
      'dmarc=pass header.from=example.com',
    ],
    [
      'Microsoft',
      ' mx.microsoft.com 1; spf=pass (sender ip is 192.0.2.1) smtp.rcpttodomain=office.example smtp.mailfrom=example.com; dmarc=pass (p=none sp=none pct=100) action=none header.from=example.com; dkim=none (message not signed); arc=none (0)',
      'spf=pass smtp.rcpttodomain=office.example smtp.mailfrom=example.com',
      'dmarc=pass header.from=example.com',
      'dkim=none',
      'arc=none',
    ],
  ];
  for (const [name, value, ...results] of table) {
    it(`reads ${name}`, () => assert.deepEqual(short(parseAuthenticationResults(value)), results));
  }

  const wrong: string[] = [
    '',
    ' example.com',
    ' example.com; spf',
    ' example.com; spf=',
    ' example.com; =pass',
    ' example.com; spf=pass (not closed',
    ' example.com; spf=pass smtp.mailfrom="not closed',
    ' example.com; spf=pass header.from=a.example header.from=b.example',
    ' example.com; spf=pass, dkim=pass',
    ' example.com; none; spf=pass',
    ' example.com x; spf=pass',
    ' example.com; spf=pass\r\nSubject: x',
    ' example.com; spf=pass \u0000',
  ];
  for (const value of wrong) {
    it(`reads nothing of ${JSON.stringify(value)}`, () => assert.equal(parseAuthenticationResults(value), undefined));
  }

  it('never throws, also on long runs of each mark', () => {
    const unit = fc.constantFrom(...'a.=;/"\\() \t\r\n'.split(''), 'spf=pass', 'header.from=');
    fc.assert(fc.property(fc.string({ unit, maxLength: 80 }), (text) => void parseAuthenticationResults(text)));
    for (const piece of ['(', '"', '\\', ';', 'a=b ', '(a)', ' ']) {
      assert.doesNotThrow(() => parseAuthenticationResults(`x;${piece.repeat(100_000)}`));
    }
  });
});

describe('what we write, read back by the grammar', () => {
  const word = fc.string({ unit: fc.constantFrom(...'ab1.-_ ;=()"\\\r\n\0é@/'.split('')), maxLength: 40 });
  const arbitrary: fc.Arbitrary<Finding[]> = fc
    .record({
      spf: fc.constantFrom(...SPF_RESULTS),
      dkim: fc.array(fc.constantFrom(...DKIM_RESULTS.filter((result) => result !== 'none')), { maxLength: 3 }),
      dmarc: fc.constantFrom(...DMARC_RESULTS),
      arc: fc.constantFrom(...ARC_RESULTS.filter((result) => result !== 'permerror')),
      texts: fc.tuple(word, word, word, word),
    })
    .map(({ spf, dkim, dmarc, arc, texts: [helo, selector, explanation, sealer] }) => [
      { kind: 'spf', result: spf, domain: helo, helo, explanation },
      ...dkim.map((result) => ({
        kind: 'dkim' as const,
        result,
        domain: 'example.com' as Domain,
        selector,
        aligned: true,
        explanation,
      })),
      { kind: 'dmarc', result: dmarc, policy: 'reject', domain: 'example.com', explanation },
      { kind: 'arc', result: arc, chain: 1, sealer },
    ]);

  it('holds every result in order, whatever a stranger wrote', () => {
    const property = fc.property(arbitrary, word, (findings, override) => {
      const options = { hostname: 'mx.office.example', findings, reversePath: 'a@b.example', override };
      const field = composeAuthenticationResults(options);
      const read = parseAuthenticationResults(field.slice(field.indexOf(':') + 1, -2));
      assert.ok(read !== undefined, field);
      assert.equal(read.authservId, 'mx.office.example');
      const dkim = findings.filter(({ kind }) => kind === 'dkim');
      const expected = findings.map((finding) => `${finding.kind}=${'result' in finding ? finding.result : ''}`);
      if (dkim.length === 0) expected.splice(1, 0, 'dkim=none');
      assert.deepEqual(
        read.results.map(({ method, result }) => `${method}=${result}`),
        expected,
      );
      assert.equal(read.results.find(({ method }) => method === 'dmarc')?.properties['header.from'], 'example.com');
    });
    fc.assert(property, { numRuns: 500 });
  });
});
