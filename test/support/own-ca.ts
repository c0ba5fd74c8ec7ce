/** A certificate authority of the test's own, by openssl(1): it signs a certificate for the names it is given. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Issued {
  /** PEM, of the certificate for `names`. */
  key: string;
  certificate: string;
  /** PEM, of the authority. */
  ca: string;
}

export async function issue(
  names: readonly string[],
  options: { days?: number; kind?: 'ec' | 'rsa' } = {},
): Promise<Issued> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-ca-'));
  const openssl = (...args: string[]): void => {
    const done = spawnSync('openssl', args, { cwd: dir, encoding: 'utf8', timeout: 20_000 });
    if (done.status !== 0) throw new Error(`openssl ${args.join(' ')}: ${done.stderr}`);
  };
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const days = ['-days', String(options.days ?? 3_650)];
  try {
    openssl('req', '-x509', ...fresh, ...days, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Test CA');
    const kind = options.kind === 'rsa' ? ['-newkey', 'rsa:2048', '-nodes'] : fresh;
    openssl('req', ...kind, '-keyout', 'own.key', '-out', 'own.csr', '-subj', `/CN=${names[0] ?? 'test'}`);
    await writeFile(path.join(dir, 'ext'), `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}\n`);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'ext'];
    openssl('x509', '-req', '-in', 'own.csr', ...by, ...days, '-out', 'own.pem');
    const read = (name: string): Promise<string> => readFile(path.join(dir, name), 'utf8');
    return { key: await read('own.key'), certificate: await read('own.pem'), ca: await read('ca.pem') };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
