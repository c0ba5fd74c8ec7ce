/**
 * The certificate that STARTTLS shows: the owner's, or one we make and keep (never the library's, whose key is public).
 * Self-made: ECDSA P-256, ten years, key and certificate in one file of mode 0600, so that a power cut cannot part them;
 * made anew when the host name changed, when it is about to expire, or when the file is damaged. Durable when it returns.
 * Throws TLS_CERTIFICATE when the owner's own files cannot be used: silently showing another would be worse.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import { makeSelfSigned } from '../base/self-signed.ts';

export interface Certificate {
  /** PEM. */
  key: string;
  /** PEM; the owner's may hold a chain. */
  cert: string;
  /** SHA-256, colons between octets. */
  fingerprint: string;
  selfMade: boolean;
}

const DAY_MS = 86_400_000;
const VALID_MS = 3_652 * DAY_MS;
const RENEW_MS = 30 * DAY_MS;
const FILE = 'self-made-certificate.pem';

export async function loadOrCreateCertificate(options: {
  /** Where the self-made one is kept. */
  dir: string;
  hostname: string;
  /** Files of the owner's own, both or none. */
  certificate?: string;
  key?: string;
  now: () => number;
}): Promise<Certificate> {
  if (options.certificate !== undefined || options.key !== undefined) return loadOwn(options.certificate, options.key);
  const file = path.join(options.dir, FILE);
  const now = options.now();
  const kept = await readFile(file, 'utf8').then(
    (text) => usable(text, options.hostname, now),
    () => undefined,
  );
  if (kept !== undefined) return kept;
  const made = { ...(await makeSelfSigned({ names: [options.hostname], now, validMs: VALID_MS })), selfMade: true };
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  await writeFileAtomic(file, made.key + made.cert, { mode: 0o600 });
  return made;
}

async function loadOwn(certificate: string | undefined, key: string | undefined): Promise<Certificate> {
  const remedy = 'Give PEM files that belong together in "tls.certificate" and "tls.key", or remove both keys';
  if (certificate === undefined || key === undefined)
    throw new SekishoError('TLS_CERTIFICATE', 'Only one of "tls.certificate" and "tls.key" is set', { remedy });
  try {
    const [certText, keyText] = await Promise.all([readFile(certificate, 'utf8'), readFile(key, 'utf8')]);
    const parsed = new X509Certificate(certText);
    if (!parsed.checkPrivateKey(createPrivateKey(keyText))) throw new Error('The key is not the certificate’s');
    return { key: keyText, cert: certText, fingerprint: parsed.fingerprint256, selfMade: false };
  } catch (error) {
    throw new SekishoError('TLS_CERTIFICATE', `Cannot use "${certificate}" with "${key}" (${describeError(error)})`, {
      remedy,
      cause: error,
    });
  }
}

function usable(text: string, hostname: string, now: number): Certificate | undefined {
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/.exec(text)?.[0];
  const cert = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/.exec(text)?.[0];
  if (key === undefined || cert === undefined) return undefined;
  try {
    const parsed = new X509Certificate(cert);
    if (!parsed.checkPrivateKey(createPrivateKey(key))) return undefined;
    if (parsed.checkHost(hostname, { subject: 'never' }) === undefined) return undefined;
    if (Date.parse(parsed.validTo) - now < RENEW_MS) return undefined;
    return { key, cert, fingerprint: parsed.fingerprint256, selfMade: true };
  } catch {
    return undefined; // damaged: made anew
  }
}
