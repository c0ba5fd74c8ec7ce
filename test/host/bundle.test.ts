/** The support bundle: fifty secrets seeded wherever a box keeps or logs them, none of them in it; and its encryption. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { openBundle } from '../../src/host/bundle.ts';
import { redact } from '../../src/host/redact.ts';
import { startHost } from './world.ts';

const PASSPHRASE = '正しい馬 電池 staple';

/** How a secret may stand in a log line: our own lines, other programs', half a file. */
const SHAPES: ReadonlyArray<(secret: string) => string> = [
  (secret) => JSON.stringify({ level: 'info', msg: 'Configuration was read again', password: secret }),
  (secret) => JSON.stringify({ level: 'info', msg: 'x', facts: { nested: { token: secret } } }),
  (secret) => JSON.stringify({ level: 'info', msg: 'x', subject: `Angebot ${secret}`, from: secret }),
  (secret) => `login failed: password=${secret} for user`,
  (secret) => `passphrase: "${secret}"`,
  (secret) => `Authorization: Bearer ${secret}`,
  (secret) => `C: AUTH PLAIN ${Buffer.from(`\0user\0${secret}`).toString('base64')}`,
  (secret) => `smtp://user:${secret}@smarthost.example/`,
  (secret) => `Set-Cookie: session=${secret}; HttpOnly`,
  (secret) => `パスワード：${secret}`,
  (secret) => `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`,
  (secret) => `setup code is ${secret}`,
];

test('fifty seeded secrets are not in the bundle: not in its preview, not in the opened file', async () => {
  await using host = await startHost();
  const secrets = Array.from({ length: 50 }, () => `S3c${randomBytes(12).toString('hex')}`);
  const lines = secrets.slice(0, 40).map((secret, index) => SHAPES[index % SHAPES.length]?.(secret) ?? '');
  const entries = lines.map((MESSAGE, index) =>
    JSON.stringify({
      __REALTIME_TIMESTAMP: String(index),
      _SYSTEMD_UNIT: 'sekisho-gateway.service',
      PRIORITY: '6',
      MESSAGE,
    }),
  );
  await writeFile(path.join(host.dir, 'journal'), entries.join('\n'));
  await host.fake('journalctl', `cat ${path.join(host.dir, 'journal')}`);
  // what lies on the data partition
  const files = [
    'sekisho/config/config.json',
    'sekisho/tls/key.pem',
    'sekisho-admin/admin.sqlite',
    'sekisho-host/extra',
    'sekisho/spool/mail',
  ];
  for (const [index, file] of files.entries()) {
    const full = path.join(host.dir, 'data', file);
    await mkdir(path.dirname(full), { recursive: true });
    await writeFile(full, secrets.slice(40 + index * 2, 42 + index * 2).join('\n'));
  }
  const { code = '' } = await host.console.call('setup-code.show', {});
  const { files: preview } = await host.admin.call('bundle.preview', {});
  const made = await host.admin.call('bundle.create', { passphrase: PASSPHRASE });
  const parts: Buffer[] = [];
  for (let offset: number | undefined = 0; offset !== undefined; ) {
    const step: { base64: string; next?: number | undefined } = await host.admin.call('bundle.read', {
      id: made.id,
      offset,
    });
    parts.push(Buffer.from(step.base64, 'base64'));
    offset = step.next;
  }
  const sealed = Buffer.concat(parts);
  assert.equal(createHash('sha256').update(sealed).digest('hex'), made.sha256);
  const opened = await openBundle(sealed, PASSPHRASE);
  assert.ok(opened.some(({ name }) => name === 'journal.txt'));
  const text = `${JSON.stringify(preview)}\n${JSON.stringify(opened)}`;
  const everything = `${text}\n${sealed.toString('latin1')}`;
  const leaked = [...secrets, code].filter((secret) => {
    const plain = Buffer.from(`\0user\0${secret}`).toString('base64');
    return everything.includes(secret) || everything.includes(plain);
  });
  assert.deepEqual(leaked, []);
  assert.match(text, /login failed/, 'what helps is still there');
  await assert.rejects(openBundle(sealed, 'another passphrase'), { code: 'BUNDLE_UNREADABLE' });
  const flipped = Buffer.from(sealed);
  flipped[flipped.length - 5] = (flipped[flipped.length - 5] ?? 0) ^ 1;
  await assert.rejects(openBundle(flipped, PASSPHRASE), { code: 'BUNDLE_UNREADABLE' });
});

test('redact() leaves what a maker needs to read', () => {
  for (const text of [
    'Listener cannot open yet EADDRINUSE 0.0.0.0:25',
    'sekisho-gateway.service: Failed with result exit-code',
    '2026-11-22T03:28:48.955Z',
  ])
    assert.equal(redact(text), text);
});
