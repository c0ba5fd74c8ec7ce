/** Octets straight from the socket, in memory that all connections share: each mail is its own, whatever the others send. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { MOST_AT_ONCE, readDirectly } from '../../src/accept/direct-reads.ts';
import { openBench } from './harness.ts';

test('the runtime still has what is needed to read an accepted socket so, and the stream gets what is not taken', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  try {
    let takes = true;
    const taken: string[] = [];
    const direct = readDirectly(socket, () => ({
      takes,
      take: (octets) => {
        assert.ok(octets.buffer.byteLength === MOST_AT_ONCE);
        taken.push(octets.toString('latin1'));
        takes = false;
        return turn();
      },
    }));
    assert.equal(direct, true, 'another version of the runtime has other fields: see direct-reads.ts');
    client.write('first');
    while (taken.length === 0) await turn();
    client.write('second');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    assert.deepEqual([taken, chunk.toString('latin1')], [['first'], 'second']);
    client.end();
    await once(socket, 'end');
  } finally {
    client.destroy();
    socket.destroy();
    server.close();
  }
});

test('octets that come while earlier ones still wait in the stream go behind them', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  try {
    let takes = false;
    const taken: string[] = [];
    readDirectly(socket, () => ({
      get takes() {
        return takes;
      },
      take: (octets) => void taken.push(octets.toString('latin1')),
    }));
    socket.read(0); // begins to read; nobody takes it out
    client.write('first');
    while (socket.readableLength === 0) await turn();
    takes = true;
    client.write('second');
    while (socket.readableLength < 11 && taken.length === 0) await turn();
    assert.deepEqual([taken, String(socket.read(11))], [[], 'firstsecond']);
  } finally {
    client.destroy();
    socket.destroy();
    server.close();
  }
});

test('twelve clients at once, some over TLS, some held back: no mail has an octet of another', async () => {
  await using bench = await openBench();
  // every third piece is waited for, as a spool with a slow disk would
  let pieces = 0;
  bench.pipeline.onWrite = async () => {
    pieces += 1;
    if (pieces % 3 === 0) for (let turns = pieces % 7; turns >= 0; turns -= 1) await turn();
  };
  const send = async (who: number): Promise<string[]> => {
    const client = await bench.hello();
    if (who % 4 === 0) {
      await client.startTls();
      await client.command('EHLO again.example', 250);
    }
    const sent: string[] = [];
    for (let mail = 0; mail < 3; mail += 1) {
      const line = `mail ${mail} of ${who} `.repeat(1 + (who % 5)).trim();
      const content = `A: ${who}.${mail}\r\n\r\n${`${line}\r\n`.repeat(2_000 + 700 * who)}`;
      await client.envelope();
      await client.command('DATA', 354);
      for (let at = 0; at < content.length; at += 7_001 + who) {
        client.write(content.slice(at, at + 7_001 + who));
        if (at % 5 === 0) await turn();
      }
      // what is pipelined behind the dot is read as a command, after the reply
      client.write('.\r\nNOOP\r\n');
      await client.expect(250);
      await client.expect(250);
      sent.push(content);
    }
    client.socket.destroy();
    return sent;
  };
  const sent = (await Promise.all(Array.from({ length: 12 }, (_, who) => send(who)))).flat();
  const came = bench.pipeline.messages.map(({ content }) => content.toString('latin1'));
  assert.deepEqual(came.toSorted(), sent.toSorted());
});

test('an intake that fails at once is answered 451 at the dot, and the session goes on', async () => {
  await using bench = await openBench();
  bench.pipeline.onWrite = () => Promise.reject(new Error('the disk is gone'));
  const client = await bench.hello();
  assert.match(await client.send(`A: b\r\n\r\n${'text\r\n'.repeat(40_000)}`), /^451 /);
  bench.pipeline.onWrite = undefined;
  assert.match(await client.send('A: b\r\n\r\ntext\r\n'), /^250 /);
  assert.equal(bench.pipeline.last.content.toString('latin1'), 'A: b\r\n\r\ntext\r\n');
});
