/** Keys that a release must not be built with: boxes in the field would refuse every later update, and nobody would see it coming. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { keyTroubles } from '../../scripts/image/check-keys.ts';

const YEAR_MS = 365 * 86_400_000;

test('release keys must outlive the support of what they sign: roots six years, their signer one', (context) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-keys-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  const at = (name: string): string => path.join(dir, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
  const root = (name: string, years: number): string => {
    const pair = ['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)];
    openssl('req', '-x509', ...curve, '-days', String(years * 365), '-subj', `/CN=${name}`, ...pair);
    return readFileSync(at(`${name}.pem`), 'utf8');
  };
  const signer = (by: string, years: number): string => {
    openssl('req', ...curve, '-subj', '/CN=signer', '-keyout', at('signer.key'), '-out', at('signer.csr'));
    writeFileSync(at('ext'), 'basicConstraints=critical,CA:FALSE\n');
    const ca = ['-CA', at(`${by}.pem`), '-CAkey', at(`${by}.key`), '-set_serial', '2', '-extfile', at('ext')];
    openssl('x509', '-req', '-in', at('signer.csr'), ...ca, '-days', String(years * 365), '-out', at('signer.pem'));
    return readFileSync(at('signer.pem'), 'utf8');
  };
  const [one, two, short] = [root('one', 20), root('two', 20), root('short', 3)];
  const own = signer('one', 3);
  const now = Date.now();
  assert.deepEqual(keyTroubles({ roots: one + two, signer: own }, now), []);
  assert.match(
    keyTroubles({ roots: one + short, signer: own }, now).join('\n'),
    /^The root "CN=short" ends on .*6 years/,
  );
  assert.match(keyTroubles({ roots: one + one, signer: own }, now).join('\n'), /^Two roots are wanted, there is 1$/);
  assert.match(keyTroubles({ roots: two + short, signer: own }, now).join('\n'), /None of the roots has signed/);
  assert.match(keyTroubles({ roots: one + two + own, signer: own }, now).join('\n'), /no certificate authority/);
  // two and a half years later
  const later = now + 2.5 * YEAR_MS;
  assert.match(keyTroubles({ roots: one + two, signer: own }, later).join('\n'), /^The signer "CN=signer" ends on/);
  assert.match(keyTroubles({ roots: one + two, signer: own }, now - YEAR_MS).join('\n'), /begins only on/);
  assert.deepEqual(keyTroubles({ roots: one + two, signer: 'none' }, now), ['There is no certificate of the signer']);
});
