/**
 * Makes a certificate that vouches for itself: ECDSA P-256, for a server with these names and addresses. Nobody needs to
 * believe it; it keeps a connection private, and its fingerprint can be compared by hand. Keeps nothing.
 */
import 'reflect-metadata';
import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Milliseconds } from './brand.ts';

export interface SelfSigned {
  /** PEM. */
  key: string;
  /** PEM. */
  cert: string;
  /** SHA-256, colons between octets. */
  fingerprint: string;
}

const DAY_MS = 86_400_000;

/** `names`: host names and IP addresses, the first one is the subject's. `now`: wall clock, ms. */
export async function makeSelfSigned(options: {
  names: readonly [string, ...string[]];
  now: number;
  validMs: Milliseconds;
}): Promise<SelfSigned> {
  const { names, now, validMs } = options;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x01; // RFC 5280 §4.1.2.2: positive, at most 20 octets
  // a subject's common name ends at 64 characters (RFC 5280, ub-common-name); the name that counts stands in the SAN
  const made = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial.toString('hex'),
      name: [{ CN: [names[0].slice(0, 64)] }],
      // a day back: clocks of others, and our own before its first synchronisation
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(now + validMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
        ),
      ],
    },
    webcrypto as unknown as Crypto,
  );
  const cert = `${made.toString('pem').trimEnd()}\n`;
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' });
  return { key: String(key), cert, fingerprint: new X509Certificate(cert).fingerprint256 };
}
