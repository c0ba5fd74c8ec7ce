/**
 * The ClamAV database of the first minutes, and of machines without a network: the EICAR test file and a test string of our
 * own, in ClamAV's extended format (.ndb: name, target, offset, hexadecimal). It protects from nothing and says so.
 *
 * The texts are put together here from pieces, so that scanners leave the checkout alone.
 */

/** The EICAR test file (68 octets): a DOS program that prints its own name; every scanner reports it by agreement. */
export function eicarText(): string {
  return ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$', 'EICAR-STANDARD-', 'ANTIVIRUS-', 'TEST-FILE', '!$H+H*'].join('');
}

/** Found in any file, at any place. */
export function ownTestText(): string {
  return ['SEKISHO', 'STARTER', 'TEST', 'SIGNATURE', '7F3A91C5E2'].join('-');
}

/** GTUBE, which spam filters report by agreement. */
export function gtubeText(): string {
  return ['XJS*C4JDBQADN1.NSBN3*2IDNEN*', 'GTUBE-STANDARD-', 'ANTI-UBE-', 'TEST-EMAIL', '*C.34X'].join('');
}

export function starterSignatures(): string {
  const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
  return [`Eicar-Test-Signature:0:0:${hex(eicarText())}`, `Sekisho.Test.Starter:0:*:${hex(ownTestText())}`, ''].join(
    '\n',
  );
}
