/** Limits, deadlines and the stop of a listener, over real sockets and with a clock moved by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reply } from '../../src/mail/reply.ts';
import { handClock, openBench, silentResolver, until } from './harness.ts';

const HEAD = 'A: b\r\n\r\n';

test('recipients over the limit are 452, the others keep their place', async () => {
  await using bench = await openBench({ config: { limits: { recipientsPerMessage: 2 } } });
  const client = await bench.hello();
  await client.envelope({ to: ['a@office.example', 'b@office.example'] });
  assert.match(await client.command('RCPT TO:<c@office.example>', 452), /^452 4\.5\.3 /);
  await client.command('RCPT TO:<A@office.example>', 250);
  await client.command('DATA', 354);
  client.write(`${HEAD}.\r\n`);
  await client.expect(250);
  assert.equal(bench.pipeline.last.transaction.envelope.recipients.length, 2);
});

test('after messagesPerSession messages the next MAIL is 421', async () => {
  await using bench = await openBench({ config: { limits: { messagesPerSession: 2 } } });
  const client = await bench.hello();
  await client.send(HEAD);
  await client.send(HEAD);
  assert.match(await client.command('MAIL FROM:<a@example.com>', 421), /^421 4\.7\.0 /);
  assert.ok(await client.hungUp());
});

test('after errorsPerSession errors the session ends with 421', async () => {
  await using bench = await openBench({ config: { limits: { errorsPerSession: 3 } } });
  const client = await bench.hello();
  await client.command('MAIL FROM:<a@example.com>', 250);
  await client.command('RCPT TO:<nobody@office.example>', 550);
  await client.command('RCPT TO:<nobody@office.example>', 550);
  assert.match(await client.command('RCPT TO:<nobody@office.example>', 421), /^421 4\.7\.0 /);
  assert.ok(await client.hungUp());
});

test('our own trouble is not counted as the client’s error', async () => {
  await using bench = await openBench({ config: { limits: { errorsPerSession: 2 } } });
  const client = await bench.hello();
  await client.command('MAIL FROM:<a@example.com>', 250);
  for (let i = 0; i < 5; i += 1) await client.command('RCPT TO:<unsure@office.example>', 450);
});

test('junk commands are limited, a message taken starts the count anew', async () => {
  await using bench = await openBench({ config: { limits: { junkCommandsPerSession: 3 } } });
  const client = await bench.hello(); // EHLO is one
  await client.command('NOOP', 250);
  await client.command('RSET', 250);
  await client.send(HEAD);
  for (let i = 0; i < 3; i += 1) await client.command('NOOP', 250);
  assert.match(await client.command('NOOP', 421), /^421 4\.7\.0 /);
  assert.ok(await client.hungUp());
});

test('over maxSessions a client is told 421 4.3.2 at once, and let in when there is room', async () => {
  await using bench = await openBench({ config: { listeners: { mx: { maxSessions: 2 } } } });
  const first = await bench.client();
  await bench.client();
  const third = await bench.client({ greeting: false });
  assert.match(await third.reply(), /^421 4\.3\.2 /);
  assert.ok(await third.hungUp());
  first.socket.destroy();
  await until(() => bench.acceptor.sessions() === 1);
  await bench.client();
});

test('over the limit of an address or a network a client is told 421 4.7.0', async () => {
  for (const limit of ['maxSessionsPerAddress', 'maxSessionsPerNetwork']) {
    await using bench = await openBench({ config: { listeners: { mx: { [limit]: 1 } } } });
    await bench.client();
    const second = await bench.client({ greeting: false });
    assert.match(await second.reply(), /^421 4\.7\.0 /);
    assert.equal(bench.events[0]?.event === 'refused' && bench.events[0].stage, 'connect');
  }
});

test('connections that vanish before the greeting do not stay in the count', async () => {
  await using bench = await openBench({ timing: { greetingDelayMs: 1_000 } });
  for (let i = 0; i < 30; i += 1) (await bench.client({ greeting: false })).socket.resetAndDestroy();
  await until(() => bench.acceptor.sessions() === 0);
});

test('an idle session is closed with 421', async () => {
  await using bench = await openBench({ config: { timeouts: { sessionIdleMs: 1_500 } } });
  const client = await bench.hello();
  assert.match(await client.expect(421), /^421 4\.4\.2 /);
  assert.ok(await client.hungUp());
});

test('waiting for us is not idling', async () => {
  await using bench = await openBench({ config: { timeouts: { sessionIdleMs: 1_500 } } });
  const client = await bench.hello();
  bench.pipeline.onFinish = async () => {
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    return reply(250, '2.0.0', 'Queued');
  };
  assert.match(await client.send(HEAD), /^250 /);
});

test('a session has an end even if it is never idle', async () => {
  const clock = handClock();
  await using bench = await openBench({ clock });
  const client = await bench.hello();
  clock.advance(1_800_001);
  assert.match(await client.expect(421), /^421 4\.4\.2 The session took too long/);
});

test('a command line that never ends is cut after its minute', async () => {
  const clock = handClock();
  await using bench = await openBench({ clock });
  const client = await bench.hello();
  // one segment: with the reply to the first line the beginning of the second has come
  client.write('NOOP\r\nMAIL FRO');
  await client.expect(250);
  await new Promise((resolve) => setTimeout(resolve, 80));
  clock.advance(60_001);
  assert.match(await client.expect(421), /^421 4\.4\.2 The command took too long/);
});

test('a command line over 4,096 octets ends the session', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  assert.match(await client.command(`NOOP ${'x'.repeat(5_000)}`, 421), /^421 /);
});

test('DATA that trickles is cut, and its intake dropped', async () => {
  const clock = handClock();
  await using bench = await openBench({ clock });
  const client = await bench.hello();
  await client.envelope();
  await client.command('DATA', 354);
  client.write(`${HEAD}slow`);
  await until(() => (bench.pipeline.messages[0]?.content.length ?? 0) > 0);
  await new Promise((resolve) => setTimeout(resolve, 80));
  clock.advance(60_001);
  assert.match(await client.expect(421), /^421 4\.4\.2 The data came too slowly/);
  await until(() => bench.pipeline.last.aborts === 1);
});

test('DATA at its pace is not cut, however long it takes', async () => {
  const clock = handClock();
  await using bench = await openBench({ clock });
  const client = await bench.hello();
  await client.envelope();
  await client.command('DATA', 354);
  for (let step = 1; step <= 8; step += 1) {
    client.write(`${'x'.repeat(998)}\r\n`.repeat(31));
    await until(() => (bench.pipeline.messages[0]?.content.length ?? 0) >= step * 31_000);
    await new Promise((resolve) => setTimeout(resolve, 60));
    clock.advance(30_000);
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  client.write('.\r\n');
  await client.expect(250);
});

test('the greeting waits on the MX listener, and who talks first is told 421', async () => {
  // so long that a busy machine, too, reads the words before it greets
  await using long = await openBench({ timing: { greetingDelayMs: 10_000 } });
  const client = await long.client({ greeting: false });
  client.write('EHLO early.example\r\n');
  assert.match(await client.reply(), /^421 /);
  await using bench = await openBench({ timing: { greetingDelayMs: 100 } });
  const patient = await bench.client({ greeting: false });
  const began = performance.now();
  await patient.expect(220);
  assert.ok(performance.now() - began > 50);
});

test('the client’s name is confirmed in the background and kept with the message', async () => {
  const asked: string[] = [];
  await using bench = await openBench({
    resolver: {
      ...silentResolver,
      ptr: async (address) => {
        asked.push(address);
        return ['bad name\r\nX: y', 'liar.example', 'client.example.net'];
      },
      a: async (name) => (name === 'client.example.net' ? ['127.0.0.1'] : ['192.0.2.9']),
    },
  });
  const client = await bench.hello();
  await client.send(HEAD);
  assert.deepEqual(asked, ['127.0.0.1']);
  assert.equal(bench.pipeline.last.transaction.origin.clientName, 'client.example.net');
});

test('nobody waits for DNS, and DNS refuses nobody', async () => {
  await using bench = await openBench({ resolver: { ...silentResolver, ptr: () => new Promise(() => undefined) } });
  const client = await bench.hello();
  assert.match(await client.send(HEAD), /^250 /);
  assert.equal(bench.pipeline.last.transaction.origin.clientName, undefined);
  await using other = await openBench({
    resolver: {
      ...silentResolver,
      ptr: async () => {
        throw new Error('SERVFAIL');
      },
    },
  });
  assert.match(await (await other.hello()).send(HEAD), /^250 /);
});

test('close(): idle sessions hear 421, an open transaction comes to its reply, nobody new gets in', async () => {
  const bench = await openBench();
  const idle = await bench.hello();
  const busy = await bench.hello();
  await busy.envelope();
  await busy.command('DATA', 354);
  const closing = bench.acceptor.close({ graceMs: 5_000 });
  assert.match(await idle.expect(421), /^421 4\.3\.2 /);
  await assert.rejects(bench.client());
  busy.write(`${HEAD}.\r\n`);
  await busy.expect(250);
  await busy.expect(421);
  await closing;
  assert.equal(bench.acceptor.sessions(), 0);
  assert.equal(bench.pipeline.last.state, 'finished');
});

test('close(): after the grace open transactions are cut and their intakes dropped', async () => {
  const bench = await openBench();
  const client = await bench.hello();
  await client.envelope();
  await client.command('DATA', 354);
  client.write('half');
  await bench.acceptor.close({ graceMs: 50 });
  assert.ok(await client.hungUp());
  assert.equal(bench.pipeline.last.aborts, 1);
});

test('a port that is taken is an error with a name', async () => {
  await using bench = await openBench();
  const { createAcceptor } = await import('../../src/accept/acceptor.ts');
  const { testCertificate } = await import('./harness.ts');
  const { silentObserve } = await import('../../src/observe/events.ts');
  const second = await createAcceptor({
    config: () => bench.config,
    listener: 'mx',
    pipeline: bench.pipeline,
    directory: bench.directory,
    observe: silentObserve,
    clock: handClock(),
    resolver: silentResolver,
    tls: await testCertificate(),
    port: bench.port,
  });
  await assert.rejects(second.listen(), { code: 'LISTEN_FAILED', message: /EADDRINUSE/ });
  await second.close({ graceMs: 0 });
});

test('every dismissal is on record', async () => {
  const clock = handClock();
  await using bench = await openBench({
    clock,
    config: { limits: { errorsPerSession: 2, junkCommandsPerSession: 2 } },
  });
  const replies = (): string[] => bench.events.map((event) => (event.event === 'refused' ? event.reply : '?'));
  const junk = await bench.hello();
  junk.write('NOOP\r\nNOOP\r\n');
  await junk.expect(250);
  await junk.expect(421);
  const errors = await bench.hello();
  errors.write('RCPT TO:<x>\r\nRCPT TO:<x>\r\n');
  await errors.expect(503);
  await errors.expect(421);
  const slow = await bench.hello();
  clock.advance(1_800_001);
  await slow.expect(421);
  assert.deepEqual(replies(), [
    '421 4.7.0 Too many commands without a message, closing',
    '503 5.5.1 Say MAIL first',
    '503 5.5.1 Say MAIL first',
    '421 4.7.0 Too many errors, closing',
    '421 4.4.2 The session took too long, closing',
  ]);
});

test('the record of a refused MAIL names its sender', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  bench.pipeline.admission = () => reply(452, '4.3.1', 'Full');
  await client.command('MAIL FROM:<alice@example.com>', 452);
  assert.equal(bench.events[0]?.event === 'refused' && bench.events[0].reversePath, 'alice@example.com');
});
