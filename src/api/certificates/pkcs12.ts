/**
 * Reads a PKCS#12 file (.p12, .pfx) as Windows, browsers and authorities write it: one private key, its certificate, the chain
 * behind it. Old files (3DES, RC2) are read as well as new ones (AES), by node-forge; Node's own OpenSSL refuses the old ones and
 * does not hand out what it read. Pure. Throws Pkcs12Trouble.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import forge from 'node-forge';

export class Pkcs12Trouble extends Error {
  readonly kind: 'passphrase' | 'no-file' | 'no-pair';

  constructor(kind: Pkcs12Trouble['kind']) {
    super(kind);
    this.kind = kind;
  }
}

/** One that asks for millions of rounds would keep the pages busy. */
const MOST_OCTETS = 200_000;
const MOST_ROUNDS = 300_000;

/** PEM both; the server's own certificate first. */
export function readPkcs12(file: Buffer, passphrase: string): { key: string; cert: string } {
  if (file.length > MOST_OCTETS) throw new Pkcs12Trouble('no-file');
  let asn1: forge.asn1.Asn1;
  try {
    asn1 = forge.asn1.fromDer(file.toString('binary'));
  } catch {
    throw new Pkcs12Trouble('no-file');
  }
  if (askedRounds(asn1) > MOST_ROUNDS) throw new Pkcs12Trouble('no-file');
  const bags = opened(asn1, passphrase).safeContents.flatMap(({ safeBags }) => safeBags);
  const keys = bags.flatMap((bag) => keyOf(bag) ?? []);
  const certificates = bags.flatMap((bag) => certificateOf(bag) ?? []);
  for (const key of keys) {
    const own = certificates.find((one) => one.checkPrivateKey(createPrivateKey(key)));
    if (own !== undefined) return { key, cert: chainOf(own, certificates).map(String).join('') };
  }
  throw new Pkcs12Trouble('no-pair');
}

/**
 * The library knows one spelling of a passphrase. Outside of ASCII there are two: seal and old ciphers take UTF-16
 * (RFC 7292 B.1), PBES2 takes UTF-8 (RFC 8018 §3); there the seal is left out, and the padding tells a wrong one.
 */
function opened(asn1: forge.asn1.Asn1, passphrase: string): forge.pkcs12.Pkcs12Pfx {
  try {
    return forge.pkcs12.pkcs12FromAsn1(asn1, false, passphrase);
  } catch (error) {
    const kind = /password|MAC|decrypt|padding/i.test(String(error)) ? 'passphrase' : 'no-file';
    const utf8 = forge.util.encodeUtf8(passphrase);
    if (kind === 'no-file' || utf8 === passphrase || !Array.isArray(asn1.value)) throw new Pkcs12Trouble(kind);
    try {
      return forge.pkcs12.pkcs12FromAsn1({ ...asn1, value: asn1.value.slice(0, 2) }, false, utf8);
    } catch {
      throw new Pkcs12Trouble('passphrase');
    }
  }
}

/** Without the root: whoever believes it has it. */
function chainOf(own: X509Certificate, all: readonly X509Certificate[]): X509Certificate[] {
  const chain = [own];
  for (let at = own; chain.length <= all.length; ) {
    const above = all.find((one) => !chain.includes(one) && at.checkIssued(one) && !one.checkIssued(one));
    if (above === undefined) break;
    chain.push(above);
    at = above;
  }
  return chain;
}

/** Keys other than RSA are only ASN.1 to the library: a PKCS#8 structure as it is. */
function keyOf(bag: forge.pkcs12.Bag): string | undefined {
  const { oids } = forge.pki;
  if (bag.type !== oids['keyBag'] && bag.type !== oids['pkcs8ShroudedKeyBag']) return undefined;
  try {
    if (bag.key) return toPkcs8(forge.pki.privateKeyToPem(bag.key));
    const der = Buffer.from(forge.asn1.toDer(bag.asn1).getBytes(), 'binary');
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    return String(key.export({ type: 'pkcs8', format: 'pem' }));
  } catch {
    return undefined;
  }
}

function toPkcs8(pem: string): string {
  return String(createPrivateKey(pem).export({ type: 'pkcs8', format: 'pem' }));
}

function certificateOf(bag: forge.pkcs12.Bag): X509Certificate | undefined {
  if (bag.type !== forge.pki.oids['certBag']) return undefined;
  try {
    const asn1 = bag.cert ? forge.pki.certificateToAsn1(bag.cert) : bag.asn1;
    return new X509Certificate(Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'binary'));
  } catch {
    return undefined;
  }
}

/** The largest small number in it that could be a count of rounds: looked at before anything is derived. */
function askedRounds(asn1: forge.asn1.Asn1): number {
  if (Array.isArray(asn1.value)) return asn1.value.reduce((most, one) => Math.max(most, askedRounds(one)), 0);
  if (asn1.type === forge.asn1.Type.OCTETSTRING) {
    try {
      return askedRounds(forge.asn1.fromDer(asn1.value)); // the safes lie in octet strings
    } catch {
      return 0;
    }
  }
  if (asn1.type !== forge.asn1.Type.INTEGER || asn1.value.length > 6) return 0;
  return Number.parseInt(Buffer.from(asn1.value, 'binary').toString('hex') || '0', 16);
}
