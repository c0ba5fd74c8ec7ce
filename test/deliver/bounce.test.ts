import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { isReversePathVerified, MAX_RETURNED_HEADER, readHeader } from '../../src/deliver/notice.ts';
import type { Domain } from '../../src/mail/address.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { FakeSpool, testClock } from './support.ts';

function verified(reversePath: string, findings: Finding[], listener: 'mx' | 'relay' | 'local' = 'mx'): boolean {
  const spool = new FakeSpool(testClock());
  const id = spool.add({ from: reversePath, to: ['x@office.example'], findings, listener });
  const entry = spool.entries.get(id);
  assert.ok(entry);
  return isReversePathVerified(entry.message);
}

function spf(domain: string, result: 'pass' | 'softfail' = 'pass'): Finding {
  return { kind: 'spf', result, domain, helo: 'mx.sender.example' };
}

function dkim(aligned: boolean, result: 'pass' | 'fail' = 'pass'): Finding {
  return { kind: 'dkim', result, domain: 'sender.example' as Domain, selector: 's', aligned };
}

function author(...domains: string[]): Finding {
  return { kind: 'from', count: 1, domains, malformed: false, text: '' };
}

test('a reverse-path is verified by SPF for its own domain, and only by "pass"', () => {
  assert.equal(verified('a@sender.example', [spf('sender.example')]), true);
  assert.equal(verified('a@sender.example', [spf('Sender.Example')]), true);
  assert.equal(verified('a@sender.example', [spf('sender.example', 'softfail')]), false);
  assert.equal(verified('a@sender.example', [spf('other.example')]), false);
  assert.equal(verified('a@sender.example', []), false);
});

test('an aligned signature vouches for reverse-paths at or under the one author domain', () => {
  assert.equal(verified('a@sender.example', [dkim(true), author('sender.example')]), true);
  assert.equal(verified('a@bounces.sender.example', [dkim(true), author('sender.example')]), true);
  assert.equal(verified('a@victim.example', [dkim(true), author('sender.example')]), false);
  assert.equal(verified('a@evilsender.example', [dkim(true), author('sender.example')]), false);
  assert.equal(verified('a@sender.example', [dkim(false), author('sender.example')]), false);
  assert.equal(verified('a@sender.example', [dkim(true, 'fail'), author('sender.example')]), false);
  assert.equal(verified('a@sender.example', [dkim(true), author('sender.example', 'other.example')]), false);
  assert.equal(verified('a@sender.example', [dkim(true)]), false);
});

test('our own networks and our own notices need nobody to vouch', () => {
  assert.equal(verified('a@sender.example', [], 'relay'), true);
  assert.equal(verified('a@sender.example', [], 'local'), true);
});

test('readHeader() returns whole lines of the header only, at most 64 KiB', async () => {
  const read = async (...chunks: string[]): Promise<string> =>
    (
      await readHeader(
        Readable.from(
          chunks.map((chunk) => Buffer.from(chunk)),
          { objectMode: false },
        ),
      )
    ).toString();
  assert.equal(await read('A: b\r\n c\r\nD: e\r', '\n\r\nbody\r\n\r\nmore'), 'A: b\r\n c\r\nD: e\r\n');
  assert.equal(await read('\r\nbody'), '');
  assert.equal(await read('A: b\r\n'), 'A: b\r\n');
  const large = await read('A: b\r\n', `X: ${'x'.repeat(70)}\r\n`.repeat(2_000), '\r\nbody');
  assert.ok(large.length <= MAX_RETURNED_HEADER && large.length > MAX_RETURNED_HEADER - 80);
  assert.ok(large.endsWith('x\r\n'));
});
