/** The resolver's trust anchor before each start: what it cannot read goes aside for the one of the system, all else is left alone. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const STEP = path.resolve(import.meta.dirname, '../../rootfs/usr/libexec/sekisho/root-key');
const [OLD, NEW] = ['AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJz', 'AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLG'];
const SHIPPED = `. IN DNSKEY 257 3 8 ${OLD} ; keytag 20326\n`;
const kept = (key: string, state: string): string =>
  `.\t3600\tIN\tDNSKEY\t257 3 8 ${key} ;{id = 20326 (ksk), size = 2048b} ;;${state} ;;count=0 ;;lastchange=1779511169\n`;
const HEAD = '; autotrust trust anchor file\n;;id: . 1\n;;last_queried: 1779511169 ;;Sat May 23 04:39:29 2026\n\n';

test('a trust anchor that unbound cannot read is set aside for the one of the system', (context) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-root-key-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  const [file, shipped] = [path.join(dir, 'root.key'), path.join(dir, 'shipped.key')];
  writeFileSync(shipped, SHIPPED);
  const after = (text: string | undefined): string => {
    rmSync(file, { force: true });
    if (text !== undefined) writeFileSync(file, text);
    execFileSync('/bin/sh', [STEP, file, shipped]);
    return readFileSync(file, 'utf8');
  };
  const younger = HEAD + kept(OLD, 'state=3 [ MISSING ]') + kept(NEW, 'state=2 [  VALID  ]');
  assert.equal(after(younger), younger, 'keys younger than the system stay');
  assert.equal(after(SHIPPED), SHIPPED);
  assert.ok(!existsSync(`${file}.damaged`));
  // as unbound 1.22 of Debian 13 leaves it now and then (NLnetLabs/unbound issue 1453)
  const twice =
    HEAD + kept(NEW, 'state=2 [  VALID  ]') + kept(OLD, 'state=2 [  VALID  ]') + kept(NEW, 'state=3 [ MISSING ]');
  assert.equal(after(twice), SHIPPED);
  assert.equal(readFileSync(`${file}.damaged`, 'utf8'), twice);
  for (const bad of ['', HEAD, `${younger}\u0001\u0002 garbage\n`, undefined]) assert.equal(after(bad), SHIPPED);
});
