/**
 * The certificate that STARTTLS shows: the owner's, or one we make and keep (never the library's, whose key is public).
 * Self-made: ECDSA P-256, ten years, key and certificate in one file of mode 0600, so that a power cut cannot part them;
 * made anew when the host name changed, when it is about to expire, or when the file is damaged. Durable when it returns.
 * Throws TLS_CERTIFICATE when the owner's own files cannot be used: silently showing another would be worse.
 * One that was installed by the pages lies beside it in one file; the one before stays as `…previous.pem`.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncDirectory, writeFileAtomic } from '../base/atomic-file.ts';
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
  source: CertificateSource;
}

/** own: made here · uploaded: installed by the pages · configured: files that the settings name. */
export type CertificateSource = 'own' | 'uploaded' | 'configured';

const DAY_MS = 86_400_000;
const VALID_MS = 3_652 * DAY_MS;
const RENEW_MS = 30 * DAY_MS;
const FILE = 'self-made-certificate.pem';
const INSTALLED = 'mail-certificate.pem';
const PREVIOUS = 'mail-certificate.previous.pem';

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
  const installed = await readInstalled(options.dir);
  if (installed !== undefined) return installed;
  const file = path.join(options.dir, FILE);
  const now = options.now();
  const kept = await readFile(file, 'utf8').then(
    (text) => usable(text, options.hostname, now),
    () => undefined,
  );
  if (kept !== undefined) return kept;
  const made = { ...(await makeSelfSigned({ names: [options.hostname], now, validMs: VALID_MS })), ...SELF_MADE };
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  await writeFileAtomic(file, made.key + made.cert, { mode: 0o600 });
  return made;
}

const SELF_MADE = { selfMade: true, source: 'own' } as const;

/** Durable when it returns; the one that stood is kept under another name. Throws TLS_CERTIFICATE for what is no pair. */
export async function installCertificate(dir: string, given: { certificate: string; key: string }): Promise<void> {
  const pair = mustBePair(given);
  const file = path.join(dir, INSTALLED);
  const standing = await readFile(file).catch(() => undefined);
  if (standing !== undefined) await writeFileAtomic(path.join(dir, PREVIOUS), standing, { mode: 0o600 });
  await writeFileAtomic(file, pair, { mode: 0o600 });
}

/** As a file. Throws TLS_CERTIFICATE. */
function mustBePair({ certificate, key }: { certificate: string; key: string }): string {
  if (parsePair(certificate, key) === undefined)
    throw new SekishoError('TLS_CERTIFICATE', 'This is not a certificate with its own key, both in PEM', {
      remedy: 'Give the chain, the server’s own certificate first, and the key without a passphrase',
    });
  return `${key.trimEnd()}\n${certificate.trimEnd()}\n`;
}

/** Our own from a backup takes the place of the one made here, so that who pinned it (DANE) finds it again. */
export async function restoreSelfMade(dir: string, given: { certificate: string; key: string }): Promise<void> {
  const pair = mustBePair(given);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeFileAtomic(path.join(dir, FILE), pair, { mode: 0o600 });
}

/** Back to the one we made; the installed one is kept under its other name. */
export async function removeInstalledCertificate(dir: string): Promise<void> {
  const file = path.join(dir, INSTALLED);
  const standing = await readFile(file).catch(() => undefined);
  if (standing === undefined) return;
  await writeFileAtomic(path.join(dir, PREVIOUS), standing, { mode: 0o600 });
  await rm(file, { force: true });
  await syncDirectory(dir);
}

async function readInstalled(dir: string): Promise<Certificate | undefined> {
  const text = await readFile(path.join(dir, INSTALLED), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----\n?/.exec(text)?.[0] ?? '';
  const cert = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g)?.join('') ?? '';
  const fingerprint = parsePair(cert, key);
  return fingerprint === undefined ? undefined : { key, cert, fingerprint, selfMade: false, source: 'uploaded' };
}

/** The fingerprint of a pair that belongs together. */
function parsePair(cert: string, key: string): string | undefined {
  try {
    const parsed = new X509Certificate(cert);
    return parsed.checkPrivateKey(createPrivateKey(key)) ? parsed.fingerprint256 : undefined;
  } catch {
    return undefined;
  }
}

async function loadOwn(certificate: string | undefined, key: string | undefined): Promise<Certificate> {
  const remedy = 'Give PEM files that belong together in "tls.certificate" and "tls.key", or remove both keys';
  if (certificate === undefined || key === undefined)
    throw new SekishoError('TLS_CERTIFICATE', 'Only one of "tls.certificate" and "tls.key" is set', { remedy });
  try {
    const [certText, keyText] = await Promise.all([readFile(certificate, 'utf8'), readFile(key, 'utf8')]);
    const parsed = new X509Certificate(certText);
    if (!parsed.checkPrivateKey(createPrivateKey(keyText))) throw new Error('The key is not the certificate’s');
    return { key: keyText, cert: certText, fingerprint: parsed.fingerprint256, selfMade: false, source: 'configured' };
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
    return { key, cert, fingerprint: parsed.fingerprint256, ...SELF_MADE };
  } catch {
    return undefined; // damaged: made anew
  }
}
