/** The library is overridden from inside: these fail when a new version no longer has what we build on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFile } from 'node:fs/promises';
import { SMTPServer } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import { GateStream } from '../../src/accept/gate-stream.ts';
import { GateConnection } from '../../src/accept/library.ts';
import { openBench } from './harness.ts';

const CONNECTION_METHODS = [
  'init',
  'connectionReady',
  'send',
  'close',
  'upgrade',
  'handler_MAIL',
  'handler_RCPT',
  'handler_DATA',
  'handler_VRFY',
  'handler_HELP',
  'handler_XCLIENT',
  '_proxyCommandAllowed',
  '_sendGreeting',
  '_armTimeout',
  '_createParser',
  '_isSupported',
  '_onClose',
  '_onCommand',
  '_onTimeout',
  '_resetSession',
  '_setListeners',
  '_transmissionType',
  '_useEnhancedStatusCodes',
];

test('the version is the one that was read', async () => {
  const manifest: unknown = JSON.parse(
    await readFile(new URL('../../node_modules/smtp-server/package.json', import.meta.url), 'utf8'),
  );
  assert.ok(typeof manifest === 'object' && manifest !== null && 'version' in manifest);
  assert.equal(manifest.version, '3.21.6', 'Read the library’s source again before you raise its version');
});

test('every method we override or call is there', () => {
  const methods = new Set(Object.getOwnPropertyNames(SMTPConnection.prototype));
  assert.deepEqual(
    CONNECTION_METHODS.filter((name) => !methods.has(name)),
    [],
  );
  const stream = new Set(Object.getOwnPropertyNames(SMTPStream.prototype));
  for (const name of ['_write', '_feedDataStream']) assert.ok(stream.has(name), name);
  for (const name of ['connect', 'updateSecureContext']) assert.ok(name in SMTPServer.prototype, name);
});

test('the library’s own sources still work the way ours expect', () => {
  const init = SMTPConnection.prototype.init.toString();
  assert.match(init, /connectionReady\(\), 100\)/, 'the greeting delay that `init` replaces has changed');
  assert.match(SMTPStream.prototype._write.toString(), /this\._feedDataStream\(chunk, done\)/);
  assert.match(
    SMTPConnection.prototype.upgrade.toString(),
    /this\._upgrading = true[\s\S]*this\._armTimeout\(tlsSocket\)/,
  );
  assert.ok(GateConnection.prototype instanceof SMTPConnection);
  assert.ok(GateStream.prototype instanceof SMTPStream);
});

test('without a delay the greeting comes at once', async () => {
  await using bench = await openBench({ listener: 'relay' });
  // The fastest of many: a busy machine slows some down, a delay of 100 ms would slow down all.
  let fastest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i += 1) {
    const began = performance.now();
    await bench.client();
    fastest = Math.min(fastest, performance.now() - began);
  }
  assert.ok(fastest < 90);
});
