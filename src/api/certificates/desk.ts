/**
 * The certificates of the box in one place: of the pages, of mail (the gateway keeps and shows it) and of the recipients' page.
 * Where each came from, a request that waits for its answer, the box's own authority, ACME, and what is renewed by itself.
 * Keys lie in files of mode 0600 and leave the box never. A new certificate is shown without a restart.
 * Power cut: each file is replaced whole; a certificate that was issued and not installed is issued again.
 */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { describeError } from '../../base/errors.ts';
import {
  coversNames,
  isDue,
  isOfFuture,
  isSignedBy,
  issueBy,
  type KeyKind,
  makeAuthority,
  makeKey,
  makeRequest,
  type Names,
} from '../../base/issue.ts';
import type { ControlClient } from '../../control/client.ts';
import type { HostClient } from '../../control/host-client.ts';
import { checkPair, type PageCertificates } from '../server/certificate.ts';
import { ApiProblem } from '../server/problems.ts';
import { type AcmeOrder, type AcmeServer, orderCertificate } from './acme-client.ts';

export type Use = 'page' | 'mail' | 'portal';
export type Source = 'own' | 'uploaded' | 'configured' | 'authority' | 'acme';
export interface Shown {
  cert: string;
  source: Source;
}

const usesSchema = z.array(z.enum(['page', 'mail', 'portal']));
const recordSchema = z.object({
  /** SHA-256 of what was installed here, with where it came from: the gateway only knows that it was installed. */
  made: z.record(z.string(), z.enum(['authority', 'acme'])).default({}),
  acme: z
    .object({
      directory: z.string(),
      email: z.string().optional(),
      names: z.array(z.string()),
      uses: usesSchema,
      agreedAt: z.number(),
      agreedBy: z.string(),
      accountKey: z.string(),
      last: z.object({ at: z.number(), ok: z.boolean(), detail: z.string().optional() }).optional(),
    })
    .optional(),
});
type DeskRecord = z.output<typeof recordSchema>;
export type AcmeSettings = NonNullable<DeskRecord['acme']>;

const USES = ['page', 'mail', 'portal'] as const;
/** What lies in the folder, keys too: for a sealed backup. */
export const keptDesk = z.strictObject({
  record: recordSchema,
  authority: z.string().max(50_000).exactOptional(),
  requests: z.partialRecord(z.enum(USES), z.string().max(50_000)),
});
export type KeptDesk = z.output<typeof keptDesk>;

const DAY_MS = 86_400_000;
const AUTHORITY_MS = 3_652 * DAY_MS;
/** Browsers refuse more than 825 days even from an authority of one's own; a year is renewed in good time. */
const ISSUED_MS = 397 * DAY_MS;
const ORDER_MS = 290_000;
/** Authorities count failures: one by itself is not followed by another within this. */
const AFTER_FAILURE_MS = 3_600_000;
const MOST_MADE = 50;

export interface DeskParts {
  folder: string;
  page: PageCertificates;
  portal: PageCertificates;
  /** New connections to the pages see the certificate that is current now. */
  showPage: () => void;
  gateway: ControlClient;
  host: HostClient;
  /** What a certificate is made out to, the first its subject. */
  names: (use: Use) => Promise<Names>;
  /** `http://NAME/.well-known/acme-challenge/…`, by token. */
  challenges: Map<string, string>;
  now: () => number;
  /** One was made anew because it was made while the clock was ahead. */
  mended: (use: Use) => void;
  /** Believed besides the usual authorities; tests. */
  acmeCa?: string | undefined;
}

export class CertificateDesk {
  readonly #parts: DeskParts;
  #record: DeskRecord;
  #renewing: Promise<void> | undefined;

  private constructor(parts: DeskParts, record: DeskRecord) {
    this.#parts = parts;
    this.#record = record;
  }

  static async open(parts: DeskParts): Promise<CertificateDesk> {
    await mkdir(parts.folder, { recursive: true, mode: 0o700 });
    const text = await readFile(path.join(parts.folder, 'certificates.json'), 'utf8').catch(() => '{}');
    // a record that cannot be read is begun anew: what is installed stands in files of its own
    const read = recordSchema.safeParse(parseJson(text));
    return new CertificateDesk(parts, read.success ? read.data : recordSchema.parse({}));
  }

  async shown(use: Use): Promise<Shown> {
    if (use !== 'mail') {
      const { cert, source } = this.#parts[use].current();
      return { cert, source: this.#sourceOf(cert, source) };
    }
    const { certificate, source } = await this.#parts.gateway.call('certificate.show', {});
    return { cert: certificate, source: this.#sourceOf(certificate, source) };
  }

  /** Throws CERTIFICATE_BAD. */
  async install(use: Use, pair: { cert: string; key: string }, source: Source = 'uploaded'): Promise<Shown> {
    const { gateway, now } = this.#parts;
    const { cert, key } = checkPair(pair.cert, pair.key, now());
    if (source === 'authority' || source === 'acme') await this.#note(cert, source);
    if (use === 'mail') await gateway.call('certificate.install', { certificate: cert, key });
    else await this.#parts[use].install(cert, key);
    await this.#showAgain(use);
    return this.shown(use);
  }

  async useOwn(use: Use): Promise<Shown> {
    if (use === 'mail') await this.#parts.gateway.call('certificate.own', {});
    else await this.#parts[use].useOwn();
    await this.#showAgain(use);
    return this.shown(use);
  }

  // ---- a request that somebody else signs

  async request(use: Use, wanted: { names: Names; kind: KeyKind; organisation?: string }): Promise<string> {
    const { names, kind, organisation } = wanted;
    const key = await makeKey(kind);
    const made = await makeRequest({ names, key, ...(organisation === undefined ? {} : { organisation }) });
    await writeFileAtomic(this.#file(`request-${use}.pem`), key + made, { mode: 0o600 });
    return made;
  }

  async requested(use: Use): Promise<string | undefined> {
    return (await this.#pending(use))?.request;
  }

  async forgetRequest(use: Use): Promise<void> {
    await rm(this.#file(`request-${use}.pem`), { force: true });
  }

  /** The signed answer, with the chain behind it. Throws CERTIFICATE_BAD when it is not for the key that waits. */
  async signed(use: Use, cert: string): Promise<Shown> {
    const pending = await this.#pending(use);
    if (pending === undefined) throw new ApiProblem(409, 'WRONG_STATE');
    const shown = await this.install(use, { cert, key: pending.key });
    await this.forgetRequest(use);
    return shown;
  }

  // ---- the box's own authority

  async authority(): Promise<string | undefined> {
    return (await this.#authority())?.cert;
  }

  /** Made at the first wish. Certificates of it are renewed by themselves. */
  async issue(use: Use): Promise<Shown> {
    const { now, names } = this.#parts;
    const wanted = await names(use);
    let authority = await this.#authority();
    if (authority === undefined || (isOfFuture(authority.cert, now()) && (await this.#isSure()))) {
      const [name] = await names('page');
      authority = await makeAuthority({ name: `Sekisho ${name}`, now: now(), validMs: AUTHORITY_MS });
      await writeFileAtomic(this.#file('authority.pem'), authority.key + authority.cert, { mode: 0o600 });
    }
    const pair = await issueBy(authority, { names: wanted, now: now(), validMs: ISSUED_MS });
    return this.install(use, pair, 'authority');
  }

  // ---- ACME

  acme(): Omit<AcmeSettings, 'accountKey'> | undefined {
    if (this.#record.acme === undefined) return undefined;
    const { accountKey: _kept, ...told } = this.#record.acme;
    return told;
  }

  async setAcme(wanted: Omit<AcmeSettings, 'accountKey' | 'last' | 'agreedAt'>): Promise<void> {
    const before = this.#record.acme;
    const accountKey = before?.directory === wanted.directory ? before.accountKey : await makeKey();
    await this.#keep({ ...this.#record, acme: { ...wanted, accountKey, agreedAt: this.#parts.now() } });
  }

  async endAcme(): Promise<void> {
    const { acme: _ended, ...rest } = this.#record;
    await this.#keep(rest);
  }

  acmeServer(directory: string): AcmeServer {
    return { directory, ca: this.#parts.acmeCa };
  }

  /** One order now, for all its uses. The outcome is on record; throws AcmeTrouble. */
  async orderNow(signal: AbortSignal): Promise<void> {
    const { acme } = this.#record;
    if (acme === undefined) throw new ApiProblem(409, 'WRONG_STATE');
    const outcome = await this.#order(acme, AbortSignal.any([signal, AbortSignal.timeout(ORDER_MS)])).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    const detail = outcome === undefined ? undefined : describeError(outcome.error).slice(0, 500);
    const last = { at: this.#parts.now(), ok: outcome === undefined, ...(detail === undefined ? {} : { detail }) };
    if (this.#record.acme !== undefined) await this.#keep({ ...this.#record, acme: { ...this.#record.acme, last } });
    if (outcome !== undefined) throw outcome.error;
  }

  // ---- into a backup, and back

  async keep(): Promise<KeptDesk> {
    const read = (name: string): Promise<string | undefined> =>
      readFile(this.#file(name), 'utf8').catch(() => undefined);
    const authority = await read('authority.pem');
    const requests: KeptDesk['requests'] = {};
    for (const use of USES) {
      const request = await read(`request-${use}.pem`);
      if (request !== undefined) requests[use] = request;
    }
    return { record: this.#record, requests, ...(authority === undefined ? {} : { authority }) };
  }

  /** The record comes last: what it speaks of lies there by then. What stands here and is not in it stays. */
  async putBack({ record, authority, requests }: KeptDesk): Promise<void> {
    if (authority !== undefined) await writeFileAtomic(this.#file('authority.pem'), authority, { mode: 0o600 });
    for (const use of USES) {
      const request = requests[use];
      if (request !== undefined) await writeFileAtomic(this.#file(`request-${use}.pem`), request, { mode: 0o600 });
    }
    await this.#keep(record);
  }

  /** As it was installed there: where it came from stands in the record that was put back before. */
  async putBackPair(use: 'page' | 'portal', { cert, key }: { cert: string; key: string }): Promise<void> {
    await this.#parts[use].install(cert, key);
    await this.#showAgain(use);
  }

  /** What is due, or no longer made out to the right names, is made anew. Everything is tried; throws what failed. */
  renew(signal: AbortSignal): Promise<void> {
    this.#renewing ??= this.#renew(signal).finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { page, portal, now, names, mended } = this.#parts;
    const failures: string[] = [];
    const sure = await this.#isSure();
    const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      await work().catch((error: unknown) => failures.push(`${what}: ${describeError(error)}`));
    };
    for (const [use, kept] of [
      ['page', page],
      ['portal', portal],
    ] as const)
      await attempt(use, async () => {
        const ahead = isOfFuture(kept.current().cert, now());
        if (!(await kept.renewOwn(sure))) return;
        if (sure && ahead) mended(use);
        await this.#showAgain(use);
      });
    const authority = await this.#authority();
    const wrong = sure && authority !== undefined && isOfFuture(authority.cert, now()) ? authority : undefined;
    for (const use of ['page', 'mail', 'portal'] as const)
      await attempt(use, async () => {
        const { cert, source } = await this.shown(use);
        if (source !== 'authority') return;
        const ahead = sure && (isOfFuture(cert, now()) || (wrong !== undefined && isSignedBy(cert, wrong.cert)));
        if (!ahead && !isDue(cert, now()) && coversNames(cert, await names(use))) return;
        await this.issue(use);
        if (ahead) mended(use);
      });
    await attempt('ACME', async () => {
      const { acme } = this.#record;
      if (acme === undefined || !(await this.#acmeIsDue(acme))) return;
      const { last } = acme;
      // either way: a failure of a year to come holds nothing up
      if (last?.ok === false && Math.abs(now() - last.at) < AFTER_FAILURE_MS) return;
      await this.orderNow(signal);
    });
    if (failures.length > 0) throw new Error(failures.join('; '));
  }

  /** Is the time known to be right? Without a host nobody can say. */
  #isSure(): Promise<boolean> {
    const asked = this.#parts.host.call('host.status', {});
    return asked.then(({ clock }) => clock.synchronised).catch(() => false);
  }

  async #acmeIsDue({ uses, names }: AcmeSettings): Promise<boolean> {
    for (const use of uses) {
      const { cert, source } = await this.shown(use);
      if (source !== 'acme' || isDue(cert, this.#parts.now()) || !coversNames(cert, names)) return true;
    }
    return false;
  }

  async #order(acme: AcmeSettings, signal: AbortSignal): Promise<void> {
    const { host, challenges } = this.#parts;
    const [first, ...others] = acme.names;
    if (first === undefined) throw new ApiProblem(409, 'WRONG_STATE');
    const key = await makeKey();
    const request = derOf(await makeRequest({ names: [first, ...others], key }));
    const order: AcmeOrder = {
      names: acme.names,
      request,
      show: (token, content) => challenges.set(token, content),
      hide: (token) => challenges.delete(token),
    };
    const { accountKey, email, directory } = acme;
    // the packet filter lets them look and us ask, until its own clock closes both again; a trial machine has none
    await host.call('challenge.open', {}).catch(() => undefined);
    let cert: string;
    try {
      cert = await orderCertificate(this.acmeServer(directory), { accountKey, email, order, signal });
    } finally {
      await host.call('challenge.close', {}).catch(() => undefined);
    }
    for (const use of acme.uses) await this.install(use, { cert, key }, 'acme');
  }

  async #showAgain(use: Use): Promise<void> {
    if (use === 'page') this.#parts.showPage();
    if (use === 'portal') await renewPortal(this.#parts.host);
  }

  #sourceOf(cert: string, source: 'own' | 'uploaded' | 'configured'): Source {
    return source === 'uploaded' ? (this.#record.made[printOf(cert)] ?? source) : source;
  }

  async #note(cert: string, source: 'authority' | 'acme'): Promise<void> {
    const made = [...Object.entries(this.#record.made), [printOf(cert), source] as const].slice(-MOST_MADE);
    await this.#keep({ ...this.#record, made: Object.fromEntries(made) });
  }

  async #keep(next: DeskRecord): Promise<void> {
    await writeFileAtomic(this.#file('certificates.json'), `${JSON.stringify(next)}\n`, { mode: 0o600 });
    this.#record = next;
  }

  async #pending(use: Use): Promise<{ key: string; request: string } | undefined> {
    const text = await readFile(this.#file(`request-${use}.pem`), 'utf8').catch(() => '');
    const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/.exec(text)?.[0];
    const request = /-----BEGIN CERTIFICATE REQUEST-----[^-]+-----END CERTIFICATE REQUEST-----\n?/.exec(text)?.[0];
    return key === undefined || request === undefined ? undefined : { key, request };
  }

  async #authority(): Promise<{ key: string; cert: string } | undefined> {
    const text = await readFile(this.#file('authority.pem'), 'utf8').catch(() => '');
    const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/.exec(text)?.[0];
    const cert = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/.exec(text)?.[0];
    if (key === undefined || cert === undefined) return undefined;
    const parsed = new X509Certificate(cert);
    const usable = parsed.checkPrivateKey(createPrivateKey(key)) && Date.parse(parsed.validTo) > this.#parts.now();
    return usable ? { key, cert } : undefined;
  }

  #file(name: string): string {
    return path.join(this.#parts.folder, name);
  }
}

/** On a box the portal is handed its certificate at its start (a systemd credential); in a trial it looks at the file itself. */
async function renewPortal(host: HostClient): Promise<void> {
  const { services } = await host.call('services.list', {}).catch(() => ({ services: [] }));
  const runs = services.some(({ name, state }) => name === 'portal' && (state === 'running' || state === 'starting'));
  if (runs) await host.call('services.restart', { name: 'portal' }).catch(() => undefined); // shown at its next start
}

function printOf(cert: string): string {
  return createHash('sha256').update(new X509Certificate(cert).raw).digest('hex');
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
