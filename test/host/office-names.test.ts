/**
 * Names of the office's own network by the box's validating resolver: real unbound with the box's configuration, which asks the office's
 * name server, as an owner sets it. What that server says of the Internet has to be signed as ever.
 */
import assert from 'node:assert/strict';
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createResolver } from '../../src/base/resolver.ts';
import { networkFiles } from '../../src/host/network-files.ts';
import { freePort } from '../support/net.ts';
import { startChild, until } from '../support/process.ts';
import { startUnbound } from '../support/unbound.ts';

const TEMPLATE = path.resolve(import.meta.dirname, '../../scripts/engines/unbound.conf');
const NOBODY = 65_534;
/** The root's key of 2024; nobody here signs with it. */
const ROOT_KEY =
  '. IN DNSKEY 257 3 8 AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLGXVaC6rXTsDc449/cidltpkyGwCJNnOAlFNKF2jBosZBU5eeHspaQWOmOElZsjICMQMC3aeHbGiShvZsx4wMYSjH8e7Vrhbu6irwCzVBApESjbUdpWWmEnhathWu1jo+siFUiRAAxm9qyJNg/wOZqqzL/dL/q8PkcRU5oUKEpUge71M3ej2/7CPqpdVwuMoTvoB+ZOT4YeGyxMvHmbrxlFzGOHOijtzN+u1TQNatX2XBuzZNQ1K+s2CXkPIZo7s6JgZyvaBevYtxPvYLw4z9mR7K2vaF18UYH9Z9GNUUeayffKC73PYc=\n';

test('a mail server in the office’s own domain is found by its name; an unsigned answer for the Internet is not believed', async (context) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-office-names-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  chownSync(dir, NOBODY, NOBODY);
  await using office = await startUnbound({
    dir,
    records: [
      'exchange.office.local. 300 IN A 192.0.2.5',
      'mail.corp. 300 IN A 192.0.2.6',
      'forged.example. 300 IN A 192.0.2.7',
    ],
  });
  const { unbound } = networkFiles({ hostname: 'mail', interfaces: [], dns: ['127.0.0.1'], ntp: [], inside: [] });
  const port = await freePort();
  const [file, key] = [path.join(dir, 'box.conf'), path.join(dir, 'root.key')];
  writeFileSync(key, ROOT_KEY);
  writeFileSync(path.join(dir, 'forward.conf'), unbound.replace('127.0.0.1', `127.0.0.1@${office.port}`));
  const text = readFileSync(TEMPLATE, 'utf8')
    .replace('@STATE@', dir)
    .replace('@DNS_PORT@', String(port))
    .replace('@LOG_QUERIES@', 'no')
    .replace(/^@TRUST_ANCHOR@/m, `  do-not-query-localhost: no\n  do-ip6: no\n  trust-anchor-file: "${key}"`)
    .replace(/^@ZONES@/m, `include: "${dir}/forward.conf"`);
  writeFileSync(file, text);
  const box = await startChild('/usr/sbin/unbound', ['-d', '-c', file], { cwd: dir, uid: NOBODY, gid: NOBODY });
  try {
    const resolver = createResolver({ servers: [`127.0.0.1:${port}`], timeoutMs: 5_000, tries: 2 });
    const asked = async (name: string): Promise<string> => JSON.stringify(await resolver.query(name, 'A'));
    await until('the resolver', { ms: 20_000 }, async () => {
      if (!box.running()) throw new Error(box.output());
      return asked('exchange.office.local').then(
        () => true,
        () => undefined,
      );
    });
    assert.match(await asked('exchange.office.local'), /192\.0\.2\.5/);
    assert.match(await asked('mail.corp'), /192\.0\.2\.6/);
    assert.doesNotMatch(await asked('forged.example').catch((error: unknown) => String(error)), /192\.0\.2\.7/);
  } finally {
    await box.stop();
  }
});
