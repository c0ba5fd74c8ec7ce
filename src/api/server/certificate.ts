/**
 * The certificate of the pages: the owner's where one was installed, else one made here and kept for ten years, so that its
 * fingerprint can be compared once and stays. Key and certificate lie in one file (0600): a power cut cannot part them.
 * Throws CERTIFICATE_BAD for a pair that cannot be used; a damaged file of our own is made anew.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { describeError } from '../../base/errors.ts';
import { isOfFuture } from '../../base/issue.ts';
import { makeSelfSigned } from '../../base/self-signed.ts';
import { ApiProblem } from './problems.ts';

export interface PageCertificate {
  /** PEM. */
  key: string;
  /** PEM, the server's first. */
  cert: string;
  /** SHA-256, colons between octets. */
  fingerprint: string;
  source: 'own' | 'uploaded';
}

const OWN = 'own-certificate.pem';
const UPLOADED = 'certificate.pem';
const VALID_MS = 3_652 * 86_400_000;
const RENEW_MS = 30 * 86_400_000;

export interface PageCertificates {
  current(): PageCertificate;
  /** Durable when it resolves. */
  install(cert: string, key: string): Promise<PageCertificate>;
  useOwn(): Promise<PageCertificate>;
  /** Makes our own anew when it is about to end, or with `sure` of the time begins later; true when that is what is shown now. */
  renewOwn(sure?: boolean): Promise<boolean>;
}

/** `names`: what the self-made one is made out to, host name first. */
export async function openPageCertificates(options: {
  directory: string;
  names: readonly [string, ...string[]];
  now: () => number;
  /** Whatever is current lies in this file too, for the process that shows it. */
  publish?: string;
}): Promise<PageCertificates> {
  const { directory, names, now, publish } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = (name: string): string => path.join(directory, name);
  const own = async (sure = false): Promise<PageCertificate> => {
    const kept = await readPair(file(OWN), 'own');
    const lasts = kept !== undefined && Date.parse(new X509Certificate(kept.cert).validTo) - now() > RENEW_MS;
    if (lasts && !(sure && isOfFuture(kept.cert, now()))) return kept;
    const made = await makeSelfSigned({ names, now: now(), validMs: VALID_MS });
    await writeFileAtomic(file(OWN), made.key + made.cert, { mode: 0o600 });
    return { ...made, source: 'own' };
  };
  const show = async (pair: PageCertificate): Promise<PageCertificate> => {
    if (publish !== undefined) await writeFileAtomic(file(publish), pair.key + pair.cert, { mode: 0o600 });
    return pair;
  };
  let current = await show((await readPair(file(UPLOADED), 'uploaded')) ?? (await own()));
  return {
    current: () => current,
    install: async (cert, key) => {
      const pair = checkPair(cert, key, now());
      await writeFileAtomic(file(UPLOADED), pair.key + pair.cert, { mode: 0o600 });
      return (current = await show(pair));
    },
    useOwn: async () => {
      current = await show(await own());
      await rm(file(UPLOADED), { force: true });
      return current;
    },
    renewOwn: async (sure) => {
      if (current.source !== 'own') return false;
      const next = await own(sure);
      if (next.fingerprint === current.fingerprint) return false;
      current = await show(next);
      return true;
    },
  };
}

/** Throws CERTIFICATE_BAD with the reason. */
export function checkPair(cert: string, key: string, now: number): PageCertificate {
  const bad = (en: string, ja: string, field: string): ApiProblem =>
    new ApiProblem(422, 'CERTIFICATE_BAD', { fields: [{ path: `body.${field}`, message: { ja, en } }] });
  const blocks = cert.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(blocks[0] ?? '');
    for (const block of blocks) void new X509Certificate(block);
  } catch {
    throw bad('This is not a certificate in PEM', 'PEM 形式の証明書ではありません', 'certificate');
  }
  if (Date.parse(parsed.validTo) < now) throw bad('It has expired', '有効期限が切れています', 'certificate');
  let pem: string;
  try {
    const parsedKey = createPrivateKey(key);
    if (!parsed.checkPrivateKey(parsedKey))
      throw bad('The key does not belong to the certificate', '鍵がこの証明書のものではありません', 'key');
    pem = String(parsedKey.export({ type: 'pkcs8', format: 'pem' }));
  } catch (error) {
    if (error instanceof ApiProblem) throw error;
    throw bad(
      `This is not a private key without a passphrase (${describeError(error)})`,
      'パスフレーズのない PEM 形式の秘密鍵ではありません',
      'key',
    );
  }
  return { key: pem, cert: `${blocks.join('\n')}\n`, fingerprint: parsed.fingerprint256, source: 'uploaded' };
}

async function readPair(file: string, source: PageCertificate['source']): Promise<PageCertificate | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/.exec(text)?.[0];
  const cert = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g)?.join('') ?? '';
  try {
    const parsed = new X509Certificate(cert);
    if (key === undefined || !parsed.checkPrivateKey(createPrivateKey(key))) return undefined;
    return { key, cert, fingerprint: parsed.fingerprint256, source };
  } catch {
    return undefined; // damaged
  }
}
