/**
 * Release keys before anything is built with them: check-keys.ts ROOTS SIGNER (PEM).
 * A box believes its updates by the roots it was flashed with, on the day it installs them: roots that end leave every box in the
 * field without updates for ever, and nobody notices before. So both have to outlive the support of what is built now, and the
 * signer the time an update may lie on somebody's stick. Exit: 0 fit · 1 unfit, each reason a line on stderr.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describeError } from '../../src/base/errors.ts';

const YEAR_MS = 365 * 86_400_000;
/** SUPPORT_END is five years after the build (customise.sh). */
const ROOTS_MS = 6 * YEAR_MS;
const SIGNER_MS = YEAR_MS;
/** One may be lost or stolen: the boxes still believe the other. */
const ROOTS = 2;

export function keyTroubles({ roots, signer }: { roots: string; signer: string }, now: number): string[] {
  const known = readAll(roots);
  const [own] = readAll(signer);
  if (own === undefined) return ['There is no certificate of the signer'];
  const troubles = known.flatMap((root) => lifeTroubles(root, { now, leastMs: ROOTS_MS, what: 'root' }));
  const different = new Set(known.map(({ fingerprint256 }) => fingerprint256)).size;
  if (different < ROOTS) troubles.push(`Two roots are wanted, there is ${different}`);
  if (known.some(({ ca }) => !ca)) troubles.push('A root is no certificate authority');
  if (!known.some((root) => own.checkIssued(root) && own.verify(root.publicKey)))
    troubles.push('None of the roots has signed the certificate of the signer');
  return [...troubles, ...lifeTroubles(own, { now, leastMs: SIGNER_MS, what: 'signer' })];
}

function lifeTroubles(
  { subject, validFromDate, validToDate }: X509Certificate,
  { now, leastMs, what }: { now: number; leastMs: number; what: string },
): string[] {
  const name = `The ${what} "${subject.replaceAll('\n', ', ')}"`;
  if (validFromDate.getTime() > now) return [`${name} begins only on ${validFromDate.toISOString().slice(0, 10)}`];
  if (validToDate.getTime() - now >= leastMs) return [];
  return [`${name} ends on ${validToDate.toISOString().slice(0, 10)}; ${leastMs / YEAR_MS} years are wanted`];
}

function readAll(text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

if (import.meta.main) {
  const [roots = '', signer = ''] = process.argv.slice(2);
  let troubles: string[];
  try {
    const read = { roots: readFileSync(roots, 'utf8'), signer: readFileSync(signer, 'utf8') };
    troubles = keyTroubles(read, Date.now());
  } catch (error) {
    troubles = [describeError(error)];
  }
  for (const trouble of troubles) process.stderr.write(`${trouble}\n`);
  process.exitCode = troubles.length === 0 ? 0 : 1;
}
