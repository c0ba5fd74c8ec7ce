import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Domain } from '../../src/mail/address.ts';
import { composeAuthenticationResults, ownResultsCuts } from '../../src/mail/authentication-results.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { parseHeader } from '../../src/mail/header.ts';

const FINDINGS: Finding[] = [
  { kind: 'spf', result: 'pass', domain: 'example.com', helo: 'mail.example.com' },
  { kind: 'dkim', result: 'pass', domain: 'example.com' as Domain, selector: 's1', aligned: true },
  { kind: 'dmarc', result: 'pass', policy: 'reject', domain: 'example.com' },
  { kind: 'arc', result: 'none', chain: 0 },
  { kind: 'spam', engine: 'rspamd', score: 1, symbols: [] },
];

function compose(findings: Finding[], reversePath = 'a@example.com'): string {
  return composeAuthenticationResults({ hostname: 'mx.office.example', findings, reversePath });
}

test('composeAuthenticationResults() writes one folded field', () => {
  assert.equal(
    compose(FINDINGS),
    [
      'Authentication-Results: mx.office.example;',
      '\tspf=pass smtp.mailfrom=example.com;',
      '\tdkim=pass header.d=example.com header.s=s1;',
      '\tdmarc=pass (p=reject) header.from=example.com;',
      '\tarc=none',
      '',
    ].join('\r\n'),
  );
});

test('composeAuthenticationResults() names the HELO identity for the null reverse-path, and says when nothing was signed', () => {
  const text = compose([{ kind: 'spf', result: 'fail', domain: 'x.example', helo: 'x.example' }], '');
  assert.match(text, /spf=fail smtp\.helo=x\.example/);
  assert.match(text, /dkim=none/);
});

test('composeAuthenticationResults() says none when nothing was checked', () => {
  assert.equal(compose([]), 'Authentication-Results: mx.office.example; none\r\n');
});

test('composeAuthenticationResults() lets no text of a stranger end a line, a comment or the field', () => {
  const nasty = fc.string({ unit: fc.constantFrom('a', '\r', '\n', '\0', ')', '(', '"', '\\', ';', ' ', 'é', '=') });
  const property = fc.property(nasty, nasty, (one, two) => {
    const text = compose([
      { kind: 'spf', result: 'fail', domain: one, helo: two, explanation: `${two}${one}` },
      {
        kind: 'dkim',
        result: 'fail',
        domain: 'example.com' as Domain,
        selector: two,
        aligned: false,
        explanation: one,
      },
      { kind: 'dmarc', result: 'temperror', policy: 'none', domain: one, explanation: two },
    ]);
    const header = parseHeader(Buffer.from(`${text}\r\n`, 'latin1'));
    assert.deepEqual(
      header.fields.map(({ key }) => key),
      ['authentication-results'],
    );
    assert.equal(header.malformed, 0);
    assert.match(text, /^[\t\r\n -~]*$/);
    assert.ok(text.split('\r\n').every((line) => line.length <= 998 && (line === '' || line.trim() !== '')));
    assert.match(text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').replaceAll(/\([^()]*\)/g, ''), /^[^()"]*(?:""[^()"]*)*$/);
  });
  fc.assert(property, { numRuns: 300 });
});

function cuts(...values: string[]): number {
  const fields = values.map((value) => `Authentication-Results:${value}\r\n`).join('');
  return ownResultsCuts(
    parseHeader(Buffer.from(`From: a@example.com\r\n${fields}To: b@example.com\r\n\r\n`, 'latin1')),
    'mx.office.example',
  ).length;
}

const forged = [
  ' mx.office.example; spf=pass',
  ' MX.Office.EXAMPLE; spf=pass',
  ' mx.office.example. ; spf=pass',
  '\r\n\tmx.office.example;\r\n\tspf=pass',
  ' (a comment) mx.office.example; spf=pass',
  ' (nested (comment)) mx.office.example(x); spf=pass',
  ' "mx.office.example"; spf=pass',
  ' "mx.office\\.example"; spf=pass',
  ' mx.office.example 1; spf=pass',
  ' mx.office.example/1; spf=pass',
  ' mx.office.example',
  ' "mx.office.example; spf=pass',
  ' (mx.office.example; spf=pass',
  ' mx.office.example=; spf=pass',
];
for (const value of forged) {
  test(`ownResultsCuts() finds the forged ${JSON.stringify(value)}`, () => assert.equal(cuts(value), 1));
}

const foreign = [
  ' other.example; spf=pass',
  ' x.mx.office.example; spf=pass',
  ' other.example; reason="mx.office.example"',
  '',
];
for (const value of foreign) {
  test(`ownResultsCuts() leaves ${JSON.stringify(value)} alone`, () => assert.equal(cuts(value), 0));
}

test('ownResultsCuts() gives the octet range of the whole field, folds included, in any spelling of its name', () => {
  const head = 'From: a@example.com\r\n';
  const one = 'AUTHENTICATION-results :\r\n mx.office.example; spf=pass;\r\n dkim=pass\r\n';
  const message = Buffer.from(`${head}${one}Subject: x\r\n\r\nAuthentication-Results: mx.office.example; x\r\n`);
  assert.deepEqual(ownResultsCuts(parseHeader(message), 'mx.office.example'), [
    [head.length, head.length + one.length],
  ]);
});

test('what is composed is recognised as ours', () => {
  const header = parseHeader(Buffer.from(`${compose(FINDINGS)}\r\n`));
  assert.equal(ownResultsCuts(header, 'mx.office.example').length, 1);
});
