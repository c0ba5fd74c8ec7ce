import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ForwardPath, parseForwardPath } from '../../src/mail/address.ts';
import type { Origin } from '../../src/mail/envelope.ts';
import { findHeaderEnd, parseHeader } from '../../src/mail/header.ts';
import { newQueueId } from '../../src/mail/queue-id.ts';
import { composeReceived, countHops, dateTime, HopCounter } from '../../src/mail/received.ts';

const id = newQueueId(1, (size) => new Uint8Array(size));
const now = Date.UTC(2026, 10, 21, 1, 2, 3);
const origin: Origin = {
  direction: 'inbound',
  listener: 'mx',
  sessionId: 's',
  clientAddress: '192.0.2.1',
  helo: 'client.example',
  protocol: 'ESMTPS',
  clientName: 'mail.example.net',
  tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
};
const facts = { hostname: 'mx.office.example', id, now };

test('the field says from whom, to whom, how and when (RFC 5321 §4.4)', () => {
  const recipient = parseForwardPath('taro@office.example') as ForwardPath;
  assert.equal(
    composeReceived({ origin }, { ...facts, recipient }),
    'Received: from client.example (mail.example.net [192.0.2.1])\r\n' +
      '\tby mx.office.example with ESMTPS\r\n' +
      '\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n' +
      `\tid ${id} for <taro@office.example>;\r\n` +
      '\tSat, 21 Nov 2026 01:02:03 +0000\r\n',
  );
});

test('without name, TLS and recipient it says less; an IPv6 client is tagged', () => {
  const { clientName: _name, tls: _tls, ...bare } = origin;
  assert.equal(
    composeReceived({ origin: { ...bare, clientAddress: '2001:db8::1', protocol: 'SMTP' } }, facts),
    'Received: from client.example ([IPv6:2001:db8::1])\r\n' +
      '\tby mx.office.example with SMTP\r\n' +
      `\tid ${id};\r\n` +
      '\tSat, 21 Nov 2026 01:02:03 +0000\r\n',
  );
});

test('an address that is not ASCII is shown only in a message that is SMTPUTF8', () => {
  const recipient = parseForwardPath('太郎@office.example') as ForwardPath;
  const field = (smtpUtf8: boolean): string =>
    composeReceived({ origin, envelope: { smtpUtf8 } }, { ...facts, recipient });
  assert.doesNotMatch(field(false), /for </);
  assert.match(field(true), /for <太郎@office\.example>/);
});

test('nothing a client says can end the field, its clauses or its comments', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), fc.string({ unit: 'binary' }), (helo, clientName) => {
      const evil = `${helo}\r\nX-Evil: yes`;
      const field = composeReceived({ origin: { ...origin, helo: evil, clientName, protocol: evil } }, facts);
      const header = parseHeader(Buffer.from(`${field}\r\n`));
      assert.deepEqual(
        header.fields.map((one) => one.key),
        ['received'],
      );
      assert.equal(header.malformed, 0);
      assert.equal(field.split('(').length, field.split(')').length);
      assert.equal(field.split(';').length, 2);
      for (const line of field.split('\r\n')) assert.ok(line.length <= 998);
    }),
    { numRuns: 500 },
  );
});

test('an empty HELO is replaced by the address', () => {
  assert.match(composeReceived({ origin: { ...origin, helo: '' } }, facts), /^Received: from \[192\.0\.2\.1\] \(/);
});

test('dates are RFC 5322 in UTC', () => {
  assert.equal(dateTime(0), 'Thu, 1 Jan 1970 00:00:00 +0000');
});

test('hops are the Received fields of the header, in any spelling, and none of the body', () => {
  const hops = (text: string): number => countHops(Buffer.from(text));
  assert.equal(hops('Received: a\r\n\tb\r\nRECEIVED : c\r\nreceived\t:d\r\n\r\nReceived: e\r\n'), 3);
  assert.equal(hops('Received-SPF: pass\r\nX-Received: x\r\nSubject: Received: y\r\n Received: folded\r\n'), 0);
  assert.equal(hops('Received: a\r\n'), 1);
  assert.equal(hops(''), 0);
  assert.equal(hops('\r\nReceived: a\r\n'), 0);
  assert.equal(hops('Received\r\n: a\r\n'), 0);
});

test('counting in pieces counts the same, and agrees with the header parser', () => {
  const line = fc.constantFrom('Received: x', 'received:', ' folded', 'A: b', 'Received', 'Received : y', 'R', '');
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (lines, step) => {
      const data = Buffer.from(lines.map((one) => `${one}\r\n`).join(''));
      const counter = new HopCounter();
      for (let at = 0; at < data.length; at += step) counter.feed(data.subarray(at, at + step));
      assert.equal(counter.hops, countHops(data));
      const parsed = parseHeader(data).fields.filter((field) => field.key === 'received').length;
      assert.equal(counter.hops, parsed);
      if (findHeaderEnd(data) >= 0) assert.equal(counter.done, true);
    }),
    { numRuns: 1_000 },
  );
});
