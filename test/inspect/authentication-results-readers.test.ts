/**
 * Our Authentication-Results field as other software reads it: every word of every method, and texts of strangers in each
 * place they can reach, given to Perl's Mail::AuthenticationResults (the parser of a widely used milter), which must find
 * exactly the methods, results and properties that were meant (RFC 8601 §2.2).
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Domain } from '../../src/mail/address.ts';
import { composeAuthenticationResults } from '../../src/mail/authentication-results.ts';
import {
  ARC_RESULTS,
  DKIM_RESULTS,
  DMARC_POLICIES,
  DMARC_RESULTS,
  type Finding,
  SPF_RESULTS,
} from '../../src/mail/finding.ts';
import { peerEnvironment, perlFolders } from '../support/peers.ts';
import { startChild } from '../support/process.ts';
import { goldenCases } from './golden.ts';

const HOSTNAME = 'mx.office.example';

/** Says a line a field: the server's name, then each method with its result and properties; or why it could not be read. */
const READER = `
use strict; use warnings; use JSON; use Mail::AuthenticationResults::Parser;
my ($file) = @ARGV; open(my $in, '<', $file) or die; local $/; my $fields = decode_json(<$in>);
for my $field (@$fields) {
  my $said = eval {
    my $read = Mail::AuthenticationResults::Parser->new()->parse($field);
    my @methods = map { my $one = $_; {
      method => $one->key, result => $one->value,
      properties => { map { $_->key => $_->value } grep { ref($_) =~ /SubEntry$/ } @{ $one->children } },
    } } grep { ref($_) =~ /Header::Entry$/ } @{ $read->children };
    { server => $read->value->value, methods => \\@methods };
  };
  print JSON->new->canonical->encode($said // { trouble => "$@" }), "\\n";
}`;

interface Read {
  trouble?: string;
  server?: string;
  methods?: Array<{ method: string; result: string; properties: Record<string, string> }>;
}

/** The fields' values, without their name, unfolded or not as they are. */
async function readByPerl(fields: readonly string[]): Promise<Read[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sekisho-results-'));
  try {
    const file = path.join(folder, 'fields.json');
    await writeFile(file, JSON.stringify(fields.map((field) => field.replace(/^Authentication-Results: /, ''))));
    const child = await startChild('/usr/bin/perl', ['-e', READER, file], {
      env: { ...peerEnvironment(), PERL5LIB: perlFolders().join(':') },
    });
    const guard = setTimeout(() => child.signalGroup('SIGKILL'), 60_000);
    const { code } = await child.ended;
    clearTimeout(guard);
    assert.equal(code, 0, child.output());
    const lines = child.output().trim().split('\n');
    assert.equal(lines.length, fields.length);
    return lines.map((line) => JSON.parse(line) as Read);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('every result word of SPF, DKIM, DMARC and ARC is read by another parser as it was meant', async () => {
  const cases: Array<{ finding: Finding; method: string; properties: Record<string, string> }> = [
    ...SPF_RESULTS.map((result) => ({
      finding: { kind: 'spf', result, domain: 'example.com', helo: 'mail.example.com' } satisfies Finding,
      method: 'spf',
      properties: { 'smtp.mailfrom': 'example.com' },
    })),
    ...DKIM_RESULTS.map((result) => ({
      finding: {
        kind: 'dkim',
        result,
        domain: 'example.com' as Domain,
        selector: 's1._x',
        aligned: true,
        explanation: 'body hash (of 2) did not verify; see "log"',
      } satisfies Finding,
      method: 'dkim',
      properties: { 'header.d': 'example.com', 'header.s': 's1._x' },
    })),
    ...DMARC_RESULTS.flatMap((result) =>
      DMARC_POLICIES.map((policy) => ({
        finding: { kind: 'dmarc', result, policy, domain: 'example.com' } satisfies Finding,
        method: 'dmarc',
        properties: { 'header.from': 'example.com' },
      })),
    ),
    ...ARC_RESULTS.map((result) => ({
      finding: { kind: 'arc', result, chain: 2, sealer: 'list.example' } satisfies Finding,
      method: 'arc',
      properties: {},
    })),
  ];
  const read = await readByPerl(
    cases.map(({ finding }) =>
      composeAuthenticationResults({ hostname: HOSTNAME, findings: [finding], reversePath: 'a@example.com' }),
    ),
  );
  for (const [index, { finding, method, properties }] of cases.entries()) {
    const result = 'result' in finding ? finding.result : '';
    const said = read[index];
    assert.equal(said?.server, HOSTNAME, `${JSON.stringify(finding)}: ${JSON.stringify(said)}`);
    const own = said?.methods?.find((one) => one.method === method);
    assert.deepEqual(own, { method, result, properties }, JSON.stringify(said));
  }
});

test('no text of a stranger makes another parser find a method, a result or a server that was not meant', async () => {
  const hostile = fc.string({
    unit: fc.constantFrom(
      'a',
      'dkim=pass',
      ';',
      ' ',
      '(',
      ')',
      '"',
      '\\',
      '=',
      '.',
      '@',
      '\r',
      '\n',
      '\t',
      'é',
      '/',
      '1',
    ),
    maxLength: 40,
  });
  const several = fc.sample(fc.tuple(hostile, hostile, hostile), { seed: 20_261_122, numRuns: 400 });
  const read = await readByPerl(
    several.map(([one, two, three]) =>
      composeAuthenticationResults({
        hostname: HOSTNAME,
        reversePath: 'a@example.com',
        override: three,
        findings: [
          { kind: 'spf', result: 'fail', domain: one, helo: two, explanation: three },
          {
            kind: 'dkim',
            result: 'fail',
            domain: 'example.com' as Domain,
            selector: two,
            aligned: false,
            explanation: one,
          },
          { kind: 'dmarc', result: 'temperror', policy: 'none', domain: `x${three}`, explanation: two },
        ],
      }),
    ),
  );
  for (const [index, said] of read.entries()) {
    assert.equal(said.server, HOSTNAME, `${JSON.stringify(several[index])}: ${JSON.stringify(said)}`);
    const methods = said.methods?.map(({ method, result }) => `${method}=${result}`);
    assert.deepEqual(methods, ['spf=fail', 'dkim=fail', 'dmarc=temperror'], JSON.stringify([several[index], said]));
  }
});

test('the fields of the golden cases are read whole', async () => {
  const fields = goldenCases().flatMap(({ name, checks }) =>
    checks.flatMap(({ header }) => (header === undefined ? [] : [{ name, text: `${header.join('\r\n')}\r\n` }])),
  );
  assert.ok(fields.length > 0);
  const read = await readByPerl(fields.map(({ text }) => text));
  for (const [index, { name, text }] of fields.entries()) {
    const said = read[index];
    assert.equal(said?.trouble, undefined, `${name}: ${said?.trouble ?? ''}`);
    const meant = [...text.matchAll(/^\t(?! )([a-z]+)=([a-z]+)/gm)].map(([, method, result]) => `${method}=${result}`);
    assert.deepEqual(
      said?.methods?.map(({ method, result }) => `${method}=${result}`),
      meant,
      name,
    );
  }
});
