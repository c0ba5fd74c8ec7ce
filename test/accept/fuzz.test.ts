/** Whatever a client sends, cut however: the listener answers or hangs up, forgets the session, and lives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Bench, openBench, until } from './harness.ts';

const WORDS = [
  'EHLO x\r\n',
  'HELO x\r\n',
  'EHLO\r\n',
  'MAIL FROM:<a@example.com>\r\n',
  'MAIL FROM:<> SIZE=10 BODY=8BITMIME\r\n',
  'MAIL FROM:<a@example.com> ',
  'RCPT TO:<taro@office.example>\r\n',
  'RCPT TO:<bug@office.example>\r\n',
  'RCPT TO:<"\\\r\n',
  'DATA\r\n',
  'DATA\n',
  'STARTTLS\r\n',
  'RSET\r\n',
  'QUIT\r\n',
  'BDAT 10 LAST\r\n',
  'AUTH LOGIN\r\n',
  'GET / HTTP/1.1\r\n',
  'XCLIENT ADDR=192.0.2.1\r\n',
  '.\r\n',
  '\r\n.\r\n',
  '\n.\n',
  'Subject: x\r\n',
  '\r\n',
  '\r',
  '\0',
  '\x16\x03\x01\x02\x00',
  'x'.repeat(3_000),
];

const session = fc.array(fc.oneof(fc.constantFrom(...WORDS), fc.string({ unit: 'binary', maxLength: 20 })), {
  maxLength: 25,
});

async function converse(bench: Bench, pieces: readonly string[], rude: boolean): Promise<void> {
  const client = await bench.client({ greeting: false });
  for (const piece of pieces) {
    if (client.ended) break;
    client.write(Buffer.from(piece, 'latin1'));
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (rude) client.socket.resetAndDestroy();
  else client.socket.end();
}

test('no conversation brings the listener down, leaves a session behind or an intake open', async () => {
  for (const listener of ['mx', 'relay'] as const) {
    await using bench = await openBench({ listener });
    await fc.assert(
      fc.asyncProperty(session, fc.boolean(), (pieces, rude) => converse(bench, pieces, rude)),
      { numRuns: 150 },
    );
    await until(() => bench.acceptor.sessions() === 0);
    await until(() => bench.pipeline.messages.every((message) => message.state !== 'open'));
    for (const message of bench.pipeline.messages) assert.ok(message.aborts <= 1);
    assert.deepEqual(
      bench.errors.filter((error) => error !== 'RCPT failed: A bug'),
      [],
    );
    const client = await bench.hello();
    const to = listener === 'mx' ? 'taro@office.example' : 'x@example.net';
    assert.match(await client.send('A: b\r\n\r\n', { to: [to] }), /^250 /);
  }
});
