import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { plainMail } from '../support/mime-samples.ts';
import { freePort } from '../support/net.ts';
import { smtpConnect } from '../support/smtp-client.ts';
import { startWorld, type World } from './world.ts';

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world?.[Symbol.asyncDispose]());

/** Does anybody answer there? */
function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
  });
}

test('a listener moves to the address that was set, and nothing answers at the old one', async () => {
  const { gateway } = world;
  const port = gateway.mxPort;
  assert.ok(await answers('127.0.0.1', port));
  const moved = await gateway.call('config.set', { path: 'listeners.mx.address', value: '127.0.0.9' });
  assert.ok(moved.ok, JSON.stringify(moved));
  assert.ok(await answers('127.0.0.9', port));
  assert.ok(!(await answers('127.0.0.1', port)), 'the old address is closed');
  const wider = await gateway.call('config.set', { path: 'listeners.mx.address', value: '0.0.0.0' });
  assert.ok(wider.ok, JSON.stringify(wider));
  assert.ok(await answers('127.0.0.1', port));
});

test('a message that is under way while its listener moves to another port is taken', async () => {
  const { gateway } = world;
  const client = await smtpConnect({ port: gateway.mxPort });
  await client.command('MAIL FROM:<hanako@example.com>');
  const to = await client.command('RCPT TO:<postmaster@office.example>');
  assert.equal(to.code, 250, to.text);
  assert.equal((await client.command('DATA')).code, 354);
  const port = await freePort();
  const moved = await gateway.call('config.set', { path: 'listeners.mx.port', value: port });
  assert.ok(moved.ok, JSON.stringify(moved));
  assert.ok(await answers('127.0.0.1', port));
  client.write(Buffer.concat([plainMail(), Buffer.from('.\r\n')]));
  const reply = await client.reply();
  assert.equal(reply.code, 250, reply.text);
});

test('a listener that cannot move stays where it is, and the change is refused', async () => {
  const { gateway } = world;
  const shown = await gateway.call('config.show', { path: 'listeners.mx.port' });
  const refused = await gateway.call('config.set', { path: 'listeners.mx.port', value: world.office.port }).then(
    (answer) => answer.ok,
    () => false,
  );
  assert.equal(refused, false);
  const after = await gateway.call('config.show', { path: 'listeners.mx.port' });
  assert.equal(after.value, shown.value);
  assert.ok(await answers('127.0.0.1', Number(shown.value)));
});
