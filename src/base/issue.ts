/**
 * Certificates that others believe: a request that an authority signs (PKCS#10), and an authority of our own with the
 * certificates it signs. ECDSA P-256 unless an authority wants RSA. Everything is handed over as PEM; keeps nothing.
 */
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Milliseconds } from './brand.ts';

const DAY_MS = 86_400_000;
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
const CRYPTO = webcrypto as unknown as Crypto;

export type KeyKind = 'ec' | 'rsa';

export interface KeyPem {
  key: string;
  cert: string;
}

export type Names = readonly [string, ...string[]];

/** PKCS#8, PEM. */
export async function makeKey(kind: KeyKind = 'ec'): Promise<string> {
  const algorithm = kind === 'ec' ? EC : { ...RSA, modulusLength: 2_048, publicExponent: new Uint8Array([1, 0, 1]) };
  const pair = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', pair.privateKey));
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}

/** A request for these names, signed by the key it is for (RFC 2986). PEM. */
export async function makeRequest(options: { names: Names; key: string; organisation?: string }): Promise<string> {
  const { names, key, organisation } = options;
  const { pair, algorithm } = await pairOf(key);
  const made = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name: [{ CN: [names[0].slice(0, 64)] }, ...(organisation === undefined ? [] : [{ O: [organisation] }])],
      keys: pair,
      signingAlgorithm: algorithm,
      extensions: [alternativeNames(names)],
    },
    CRYPTO,
  );
  return `${made.toString('pem').trimEnd()}\n`;
}

/** An authority that may sign for servers, and nobody below it. */
export async function makeAuthority(options: { name: string; now: number; validMs: Milliseconds }): Promise<KeyPem> {
  const { name, now, validMs } = options;
  const key = await makeKey();
  const { pair } = await pairOf(key);
  const made = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: freshSerial(),
      name: [{ CN: [name.slice(0, 64)] }],
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(now + validMs),
      signingAlgorithm: EC,
      keys: pair,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(pair.publicKey, false, CRYPTO),
      ],
    },
    CRYPTO,
  );
  return { key, cert: `${made.toString('pem').trimEnd()}\n` };
}

/** A key of its own with a certificate for these names, signed by the authority; never longer than the authority's own. */
export async function issueBy(
  authority: KeyPem,
  options: { names: Names; now: number; validMs: Milliseconds },
): Promise<KeyPem> {
  const { names, now, validMs } = options;
  const above = new x509.X509Certificate(authority.cert);
  const { pair: signing, algorithm } = await pairOf(authority.key);
  const key = await makeKey();
  const { pair } = await pairOf(key);
  const made = await x509.X509CertificateGenerator.create(
    {
      serialNumber: freshSerial(),
      subject: [{ CN: [names[0].slice(0, 64)] }],
      issuer: above.subject,
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(Math.min(now + validMs, above.notAfter.getTime())),
      signingAlgorithm: algorithm,
      publicKey: pair.publicKey,
      signingKey: signing.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        alternativeNames(names),
        await x509.AuthorityKeyIdentifierExtension.create(above.publicKey, false, CRYPTO),
        await x509.SubjectKeyIdentifierExtension.create(pair.publicKey, false, CRYPTO),
      ],
    },
    CRYPTO,
  );
  return { key, cert: `${made.toString('pem').trimEnd()}\n` };
}

/** What a certificate is made out to: DNS names and addresses, as they stand in it. */
export function namesIn(cert: string): string[] {
  const { subjectAltName = '' } = new X509Certificate(cert);
  return subjectAltName
    .split(', ')
    .map((name) => name.replace(/^(?:DNS|IP Address):/, ''))
    .filter((name) => name !== '');
}

/** Does it hold for each of these? Addresses are compared as addresses. */
export function coversNames(cert: string, names: readonly string[]): boolean {
  const parsed = new X509Certificate(cert);
  return names.every((name) =>
    isIP(name) === 0 ? parsed.checkHost(name, { subject: 'never' }) !== undefined : parsed.checkIP(name) !== undefined,
  );
}

/** Two thirds of its life are over: time to make the next, with a third left for whatever goes wrong. */
export function isDue(cert: string, now: number): boolean {
  const { validFrom, validTo } = new X509Certificate(cert);
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  return now >= from + ((to - from) * 2) / 3;
}

/** Made while the clock was ahead: nobody whose clock is right believes it. Ours begin a day back. */
export function isOfFuture(cert: string, now: number): boolean {
  return Date.parse(new X509Certificate(cert).validFrom) - now > DAY_MS;
}

export function isSignedBy(cert: string, above: string): boolean {
  return new X509Certificate(cert).verify(new X509Certificate(above).publicKey);
}

function alternativeNames(names: readonly string[]): x509.SubjectAlternativeNameExtension {
  return new x509.SubjectAlternativeNameExtension(
    names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
  );
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets. */
function freshSerial(): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x01;
  return serial.toString('hex');
}

/** Throws for a key that is neither RSA nor on P-256. */
async function pairOf(
  pem: string,
): Promise<{ pair: { privateKey: CryptoKey; publicKey: CryptoKey }; algorithm: typeof EC | typeof RSA }> {
  const key = createPrivateKey(pem);
  const algorithm = key.asymmetricKeyType === 'rsa' ? RSA : EC;
  const [pkcs8, spki] = [
    key.export({ type: 'pkcs8', format: 'der' }),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
  ];
  const { subtle } = webcrypto;
  const privateKey = await subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']);
  const publicKey = await subtle.importKey('spki', spki, algorithm, true, ['verify']);
  return { pair: { privateKey: privateKey as CryptoKey, publicKey: publicKey as CryptoKey }, algorithm };
}
