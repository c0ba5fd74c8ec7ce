/** DATA over a real socket: what ends it, what is undone, what is refused, and what happens when things break. */
import { DataParser } from '../../src/accept/data-parser.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SekishoError } from '../../src/base/errors.ts';
import { reply } from '../../src/mail/reply.ts';
import { openBench, until } from './harness.ts';

const HEAD = 'From: a@example.com\r\nSubject: x\r\n\r\n';

test('a message comes through octet for octet and the reply is the pipeline’s', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  bench.pipeline.onFinish = async () => reply(250, '2.0.0', 'Queued as 0000001-ABC');
  assert.equal(await client.send(`${HEAD}one\r\n..two\r\n...\r\n.x\r\n`), '250 2.0.0 Queued as 0000001-ABC');
  assert.equal(bench.pipeline.last.content.toString(), `${HEAD}one\r\n.two\r\n..\r\nx\r\n`);
  assert.equal(bench.pipeline.last.state, 'finished');
  assert.deepEqual(bench.events, []);
});

test('8-bit and ISO-2022-JP octets are not touched', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  const octets = Buffer.concat([
    Buffer.from(HEAD),
    Buffer.from('会議', 'utf8'),
    Buffer.from([0x1b, 0x24, 0x42, 0x32, 0x71, 0x1b, 0x28, 0x42, 0xff, 0x80, 0x7f, 0x0c]),
    Buffer.from('\r\n'),
  ]);
  await client.envelope();
  await client.command('DATA', 354);
  client.write(octets);
  client.write('.\r\n');
  await client.expect(250);
  assert.ok(bench.pipeline.last.content.equals(octets));
});

test('where places at the engines are short the office’s own mail goes before a stranger’s', async () => {
  for (const [listener, precedence] of [
    ['relay', true],
    ['mx', false],
  ] as const) {
    await using bench = await openBench({ listener });
    const client = await bench.hello();
    await client.send(HEAD);
    assert.equal(bench.pipeline.last.precedence, precedence, listener);
  }
});

test('an empty message is a message', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  assert.match(await client.send(''), /^250 /);
  assert.equal(bench.pipeline.last.content.length, 0);
});

test('a message in single octets ends at the same place', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  client.socket.setNoDelay(true);
  await client.envelope();
  await client.command('DATA', 354);
  for (const octet of `${HEAD}..\r\na\r\n.\r\nNOOP\r\n`) {
    client.write(octet);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.expect(250);
  await client.expect(250);
  assert.equal(bench.pipeline.last.content.toString(), `${HEAD}.\r\na\r\n`);
});

// VU#302671 and relatives: what some server takes for the end of data must not end it here, and must not get out again
const NOT_AN_END = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r\n.\r',
  '\r.\r\n',
  '\r\r\n.\r\r\n',
  '\n.\r',
  '\r\n.\0\r\n',
  '\r\n.\r\r\n',
  '\r\n\0.\r\n',
  '\n..\r\n',
];
for (const ending of NOT_AN_END) {
  test(`${JSON.stringify(ending)} does not end DATA, and the message is refused on the MX listener`, async () => {
    await using bench = await openBench();
    const client = await bench.hello();
    const smuggled = 'MAIL FROM:<evil@example.com>\r\nRCPT TO:<taro@office.example>\r\nDATA\r\nevil\r\n';
    const answer = await client.send(`${HEAD}body${ending}${smuggled}`);
    assert.match(answer, /^554 5\.6\.0 /);
    await client.command('NOOP', 250);
    assert.equal(bench.pipeline.messages.length, 1);
    assert.equal(bench.pipeline.last.state, 'aborted');
    assert.equal(bench.pipeline.last.aborts, 1);
    assert.equal(bench.events.length, 1);
    assert.equal(bench.events[0]?.event === 'refused' && bench.events[0].stage, 'data');
  });
}

for (const ending of NOT_AN_END) {
  test(`${JSON.stringify(ending)} hides no second message in mail from the office either`, async () => {
    await using bench = await openBench({ listener: 'relay' });
    const client = await bench.hello();
    const smuggled = 'MAIL FROM:<evil@example.com>\r\nRCPT TO:<taro@office.example>\r\nDATA\r\nevil\r\n';
    const answer = await client.send(`${HEAD}body${ending}${smuggled}`, { to: ['x@example.net'] });
    await client.command('NOOP', 250);
    assert.equal(bench.pipeline.messages.length, 1);
    const { state, content } = bench.pipeline.last;
    assert.equal(state, answer.startsWith('250') ? 'finished' : 'aborted');
    // what is taken is one message with the rest of it as plain text, and nothing but CRLF line ends to smuggle with
    const whole = /\r\n\r\nbody\r\n\.{0,2}\r\nMAIL FROM:[^\0]*evil\r\n$/;
    if (state === 'finished') assert.match(content.toString('latin1'), whole);
    assert.equal(/(?<!\r)\n|\r(?!\n)/.test(content.toString('latin1')), false);
  });
}

test('what some servers take for an end, cut in every place, is still none', async () => {
  for (const ending of NOT_AN_END)
    for (let cut = 1; cut < ending.length; cut += 1) {
      const parser = new DataParser();
      assert.equal(parser.feed(Buffer.from(`body${ending.slice(0, cut)}`)).rest, undefined);
      assert.equal(parser.feed(Buffer.from(`${ending.slice(cut)}x`)).rest, undefined);
    }
});

test('bare LF is mended on the relay listener, and a dot behind it is not undone', async () => {
  await using bench = await openBench({ listener: 'relay' });
  const client = await bench.hello();
  assert.match(await client.send('A: b\n\nx\n..y\n.\nz\r\n', { to: ['x@example.net'] }), /^250 /);
  assert.equal(bench.pipeline.last.content.toString(), 'A: b\r\n\r\nx\r\n..y\r\n.\r\nz\r\n');
});

for (const [name, octet] of [
  ['bare CR', 'a\rb\r\n'],
  ['NUL', 'a\0b\r\n'],
] as const) {
  for (const listener of ['mx', 'relay'] as const) {
    test(`${name} is refused on the ${listener} listener`, async () => {
      await using bench = await openBench({ listener });
      const client = await bench.hello();
      assert.match(await client.send(HEAD + octet), /^554 5\.6\.0 /);
      assert.equal(bench.pipeline.last.aborts, 1);
    });
  }
}

test('bareLineFeed is a setting', async () => {
  await using bench = await openBench({ config: { listeners: { mx: { bareLineFeed: 'mend' } } } });
  const client = await bench.hello();
  assert.match(await client.send(`${HEAD}a\nb\r\n`), /^250 /);
  assert.equal(bench.pipeline.last.content.toString(), `${HEAD}a\r\nb\r\n`);
});

test('the SMTP session goes on after a refused message', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  assert.match(await client.send('a\0\r\n'), /^554 /);
  assert.match(await client.send(HEAD), /^250 /);
});

test('more hops than allowed are a loop, as many as allowed are not', async () => {
  await using bench = await openBench({ config: { limits: { receivedHops: 5 } } });
  const client = await bench.hello();
  const hops = (count: number): string => 'Received: from x\r\n\tby y; date\r\n'.repeat(count);
  assert.match(await client.send(`${hops(5)}\r\nReceived: in the body\r\n`), /^250 /);
  assert.match(await client.send(`${hops(3)}RECEIVED : z\r\n${hops(2)}\r\n`), /^554 5\.4\.6 /);
  assert.equal(bench.pipeline.last.aborts, 1);
});

test('a message over the limit gets 552 at the final dot and reaches nobody', async () => {
  await using bench = await openBench({ config: { limits: { messageOctets: 65_536 } } });
  const client = await bench.hello();
  assert.match(await client.send(HEAD + `${'x'.repeat(998)}\r\n`.repeat(80)), /^552 5\.3\.4 /);
  assert.equal(bench.pipeline.last.aborts, 1);
  assert.ok(bench.pipeline.last.content.length <= 65_536);
  await client.command('NOOP', 250);
});

test('a message past twice the limit is cut', async () => {
  await using bench = await openBench({ config: { limits: { messageOctets: 65_536 } } });
  const client = await bench.hello();
  await client.envelope();
  await client.command('DATA', 354);
  for (let i = 0; i < 300 && !client.ended; i += 1) {
    client.write(`${'x'.repeat(998)}\r\n`);
    if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(await client.hungUp());
  await until(() => bench.acceptor.sessions() === 0);
  assert.equal(bench.pipeline.last.aborts, 1);
});

test('a message of dot lines costs as many steps as plain text of its length, never one a line', async () => {
  const steps = async (line: string): Promise<number> => {
    await using bench = await openBench();
    let writes = 0;
    bench.pipeline.onWrite = async () => void (writes += 1);
    const client = await bench.hello();
    assert.match(await client.send(line.repeat(800_000 / line.length)), /^250 /);
    return writes;
  };
  // a step is one hand-over to the pipeline; TCP may cut the octets a little differently each time
  const [dots, text] = [await steps('..\r\n'), await steps(`${'x'.repeat(78)}\r\n`)];
  assert.ok(dots < 400 && dots < text * 8 + 40, `${dots} steps for 200,000 dot lines, ${text} for text`);
});

test('a message of nothing but stuffed dots costs little more than text and passes unchanged', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  const lines = 400_000;
  const began = performance.now();
  assert.match(await client.send('..\r\n'.repeat(lines)), /^250 /);
  assert.equal(bench.pipeline.last.content.length, lines * 3);
  assert.ok(performance.now() - began < 20_000); // the library alone: one event-loop turn a line, and minutes for 25 MB
});

test('a connection lost before the dot leaves no trace, once', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.envelope();
  await client.command('DATA', 354);
  client.write(`${HEAD}half a mess`);
  await until(() => (bench.pipeline.messages[0]?.content.length ?? 0) > 0);
  client.socket.resetAndDestroy();
  await until(() => bench.acceptor.sessions() === 0);
  assert.equal(bench.pipeline.last.state, 'aborted');
  assert.equal(bench.pipeline.last.aborts, 1);
});

test('a half-closed connection without the dot leaves no trace either', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.envelope();
  await client.command('DATA', 354);
  client.write(`${HEAD}half\r\n.`);
  client.socket.end();
  await until(() => bench.acceptor.sessions() === 0);
  assert.equal(bench.pipeline.last.aborts, 1);
});

test('a connection lost after the dot changes nothing: the result stands', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  const { promise, resolve } = Promise.withResolvers<void>();
  bench.pipeline.onFinish = async () => {
    await promise;
    return reply(250, '2.0.0', 'Queued');
  };
  await client.envelope();
  await client.command('DATA', 354);
  client.write(`${HEAD}.\r\n`);
  await until(() => bench.pipeline.messages[0]?.state === 'finished');
  client.socket.resetAndDestroy();
  await until(() => bench.acceptor.sessions() === 0);
  resolve();
  await new Promise((done) => setTimeout(done, 20));
  assert.equal(bench.pipeline.last.aborts, 0);
  assert.equal(bench.pipeline.last.state, 'finished');
});

test('no reply goes out before the pipeline has answered', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  const { promise, resolve } = Promise.withResolvers<void>();
  bench.pipeline.onFinish = async () => {
    await promise;
    return reply(250, '2.0.0', 'Queued');
  };
  await client.envelope();
  await client.command('DATA', 354);
  client.write(`${HEAD}.\r\nNOOP\r\n`);
  const early = await Promise.race([client.reply(), new Promise((done) => setTimeout(() => done('none'), 150))]);
  assert.equal(early, 'none');
  resolve();
});

test('a pipeline that refuses DATA is heard instead of 354', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  bench.pipeline.onBegin = async () => reply(451, '4.3.0', 'Engine down');
  await client.envelope();
  assert.equal(await client.command('DATA', 451), '451 4.3.0 Engine down');
  assert.equal(bench.events[0]?.event === 'refused' && bench.events[0].stage, 'data');
  // RFC 5321 §4.1.1.4: the transaction is still there, RSET clears it
  await client.command('RSET', 250);
  await client.command('MAIL FROM:<alice@example.com>', 250);
});

for (const [what, arrange] of [
  ['begin() throws', (bench: { pipeline: { onBegin?: unknown } }) => (bench.pipeline.onBegin = failing)],
  ['write() throws', (bench: { pipeline: { onWrite?: unknown } }) => (bench.pipeline.onWrite = failing)],
  ['finish() throws', (bench: { pipeline: { onFinish?: unknown } }) => (bench.pipeline.onFinish = failing)],
] as const) {
  test(`451 when ${what}`, async () => {
    await using bench = await openBench();
    const client = await bench.hello();
    arrange(bench);
    await client.envelope();
    client.write('DATA\r\n');
    const first = await client.reply();
    if (first.startsWith('354')) {
      client.write(`${HEAD}.\r\n`);
      assert.equal(await client.reply(), '451 4.3.0 Local trouble, please try again later');
    } else assert.equal(first, '451 4.3.0 Local trouble, please try again later');
    assert.equal(bench.errors.length, 1);
    await client.command('NOOP', 250);
  });
}

async function failing(): Promise<never> {
  throw new TypeError('A bug');
}

test('a full spool in mid-message is 452, and the intake is dropped', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  bench.pipeline.onWrite = async () => {
    throw new SekishoError('SPOOL_FULL', 'Full', { retryable: true });
  };
  assert.match(await client.send(HEAD), /^452 4\.3\.1 /);
  assert.equal(bench.pipeline.last.aborts, 1);
});

test('a pipeline that hangs is answered 451 in time, and told to forget the message when it wakes up', async () => {
  await using bench = await openBench({ timing: { beginMs: 50 } });
  const client = await bench.hello();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  bench.pipeline.onBegin = () => promise;
  await client.envelope();
  assert.match(await client.command('DATA', 451), /^451 4\.3\.0 /);
  resolve(undefined);
  await until(() => bench.pipeline.messages[0]?.aborts === 1);
});

test('a finish that hangs is answered 451 in time', async () => {
  await using bench = await openBench({ timing: { finishExtraMs: 50 }, config: { timeouts: { inspectionMs: 1 } } });
  const client = await bench.hello();
  bench.pipeline.onFinish = () => new Promise(() => undefined);
  assert.match(await client.send(HEAD), /^451 4\.3\.0 /);
});

test('backpressure: a slow intake slows the client down', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  const gate = Promise.withResolvers<void>();
  let writes = 0;
  bench.pipeline.onWrite = async () => {
    writes += 1;
    await gate.promise;
  };
  await client.envelope();
  await client.command('DATA', 354);
  for (let i = 0; i < 200; i += 1) client.write(`${'x'.repeat(8_000)}\r\n`.repeat(4));
  await until(() => writes === 1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(writes, 1);
  gate.resolve();
  client.write('.\r\n');
  await client.expect(250);
  assert.equal(bench.pipeline.last.content.length, 200 * 4 * 8_002);
});

test('a connection lost while the intake is writing: the write ends first, then the intake is dropped, once', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  const gate = Promise.withResolvers<void>();
  let writing = false;
  bench.pipeline.onWrite = async () => {
    writing = true;
    await gate.promise;
    writing = false;
  };
  await client.envelope();
  await client.command('DATA', 354);
  client.write(`${HEAD}.\r\n`); // the dot is already there, but its reply cannot be heard any more
  await until(() => writing);
  client.socket.resetAndDestroy();
  await until(() => bench.acceptor.sessions() === 0);
  assert.equal(bench.pipeline.last.aborts, 0);
  gate.resolve();
  await until(() => bench.pipeline.last.aborts === 1);
  assert.equal(bench.pipeline.last.state, 'aborted');
});

test('a connection lost while the pipeline begins: the intake that comes too late is dropped', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  const gate = Promise.withResolvers<undefined>();
  let asked = false;
  bench.pipeline.onBegin = () => {
    asked = true;
    return gate.promise;
  };
  await client.envelope();
  client.write('DATA\r\n');
  await until(() => asked);
  client.socket.resetAndDestroy();
  await until(() => bench.acceptor.sessions() === 0);
  gate.resolve(undefined);
  await until(() => bench.pipeline.messages[0]?.aborts === 1);
});
