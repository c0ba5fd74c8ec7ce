/**
 * MTA-STS (RFC 8461): what a domain says about TLS to its mail servers, kept for as long as it says, through restarts too.
 * `of()` gives the policy in force, fetching it when the domain's DNS record names a new one; while that fails the kept one
 * holds until it expires, and a domain without either has none. Never throws; what goes wrong is logged. Fetching and DNS
 * are handed in. The file is a cache: damaged or lost it is begun anew.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, errorCode } from '../base/errors.ts';
import type { Resolver } from '../base/resolver.ts';
import type { Observe } from '../observe/events.ts';

/** RFC 8461 §3.2 */
export interface StsPolicy {
  mode: 'enforce' | 'testing' | 'none';
  /** Host names, `*.` for any one label. */
  mx: string[];
  /** Seconds. */
  maxAge: number;
}

const keptSchema = z.object({
  id: z.string(),
  mode: z.enum(['enforce', 'testing', 'none']),
  mx: z.array(z.string()),
  maxAge: z.number(),
  /** Wall clock, ms. */
  fetchedAt: z.number(),
});
type Kept = z.output<typeof keptSchema>;

/** RFC 8461 §3.2: a year at most. */
const MAX_AGE_S = 31_557_600;
const MAX_MX = 100;
/** Domains kept; the oldest go. */
const MAX_KEPT = 10_000;
/** Mail waits for it; RFC 8461 §3.3 suggests one minute. */
const FETCH_MS = 15_000;
/** RFC 8461 §3.3: after a failure not more often than this. */
const AGAIN_MS = 300_000;

/** RFC 8461 §3.1; more than one such record is none. */
export function parseStsRecord(texts: ReadonlyArray<readonly string[]>): string | undefined {
  const records = texts.map((parts) => parts.join('')).filter((text) => /^v=STSv1[ \t]*;/.test(text));
  const [record] = records;
  if (record === undefined || records.length > 1) return undefined;
  const fields = record.split(';').map((field) => field.trim());
  const ids = fields.filter((field) => field.startsWith('id='));
  return /^id=([A-Za-z0-9]{1,32})$/.exec(ids[0] ?? '')?.[1];
}

/** RFC 8461 §3.2; of a field that may stand once the first counts. Undefined: not a policy. */
export function parseStsPolicy(text: string): StsPolicy | undefined {
  const fields = new Map<string, string>();
  const mx: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, name, value] = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):(.*)$/s.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    // trimmed here: white space at both ends of a pattern would let a stranger's file cost the cube of its length
    const word = value.trim();
    if (name === 'mx') mx.push(word.toLowerCase());
    else if (!fields.has(name)) fields.set(name, word);
  }
  const mode = fields.get('mode');
  const age = fields.get('max_age') ?? '';
  if (fields.get('version') !== 'STSv1' || !/^\d{1,10}$/.test(age)) return undefined;
  if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none') return undefined;
  if (mx.length > MAX_MX || mx.some((each) => !/^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(each))) return undefined;
  if (mode !== 'none' && mx.length === 0) return undefined;
  return { mode, mx, maxAge: Math.min(Number(age), MAX_AGE_S) };
}

/** RFC 8461 §4.1: `*.` stands for exactly one whole label. */
export function isStsHost(host: string, { mx }: Pick<StsPolicy, 'mx'>): boolean {
  const name = host.replace(/\.$/, '').toLowerCase();
  const parent = name.slice(name.indexOf('.') + 1);
  return mx.some((each) => each === name || (name.includes('.') && each === `*.${parent}`));
}

export interface StsOptions {
  resolver: Pick<Resolver, 'txt'>;
  /** The text of the domain's policy file; throws whatever went wrong. */
  fetch: (domain: string, signal: AbortSignal) => Promise<string>;
  clock: Clock;
  observe: Pick<Observe, 'log'>;
  /** Where policies outlive a restart. */
  file: string;
}

export class StsPolicies {
  readonly #options: StsOptions;
  readonly #kept: Map<string, Kept>;
  readonly #failed = new Map<string, { id: string; at: Milliseconds }>();
  readonly #fetching = new Map<string, Promise<void>>();
  #saving: Promise<void> | undefined;
  #dirty = false;

  private constructor(options: StsOptions, kept: Map<string, Kept>) {
    this.#options = options;
    this.#kept = kept;
  }

  static async open(options: StsOptions): Promise<StsPolicies> {
    let kept: Array<[string, Kept]> = [];
    try {
      kept = Object.entries(z.record(z.string(), keptSchema).parse(JSON.parse(await readFile(options.file, 'utf8'))));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT')
        options.observe.log('warn', 'Kept MTA-STS policies cannot be read', { detail: describeError(error) });
    }
    return new StsPolicies(options, new Map(kept));
  }

  async of(domain: string): Promise<StsPolicy | undefined> {
    const id = await this.#publishedId(domain);
    const kept = this.#inForce(domain);
    if (id !== undefined && id !== kept?.id) await this.#fetch(domain, id);
    // RFC 8461 §3.3: renewed before it ends; mail does not wait for it.
    else if (id !== undefined && kept !== undefined && this.#ageOf(kept) > kept.maxAge * 500)
      void this.#fetch(domain, id);
    return this.#inForce(domain);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#fetching.values());
    await this.#saving;
  }

  /** Undefined: it names none, or cannot be asked; what is kept holds either way (RFC 8461 §5.1). */
  async #publishedId(domain: string): Promise<string | undefined> {
    try {
      return parseStsRecord(await this.#options.resolver.txt(`_mta-sts.${domain}`));
    } catch {
      return undefined;
    }
  }

  #ageOf(kept: Kept): Milliseconds {
    return Math.max(0, this.#options.clock.wall() - kept.fetchedAt);
  }

  #inForce(domain: string): Kept | undefined {
    const kept = this.#kept.get(domain);
    return kept !== undefined && this.#ageOf(kept) < kept.maxAge * 1_000 ? kept : undefined;
  }

  /** One at a time for a domain. Never throws. */
  async #fetch(domain: string, id: string): Promise<void> {
    const failed = this.#failed.get(domain);
    const now = this.#options.clock.monotonic();
    if (failed !== undefined && failed.id === id && now - failed.at < AGAIN_MS) return;
    const running = this.#fetching.get(domain);
    if (running !== undefined) return running;
    const work = this.#fetchNow(domain, id).finally(() => this.#fetching.delete(domain));
    this.#fetching.set(domain, work);
    await work;
  }

  async #fetchNow(domain: string, id: string): Promise<void> {
    const { clock, observe } = this.#options;
    try {
      const text = await withDeadline(`MTA-STS policy of "${domain}"`, { ms: FETCH_MS }, (signal) =>
        this.#options.fetch(domain, signal),
      );
      const policy = parseStsPolicy(text);
      if (policy === undefined) throw new TypeError('What was fetched is no policy (RFC 8461 §3.2)');
      this.#failed.delete(domain);
      this.#kept.delete(domain); // the latest stands last
      this.#kept.set(domain, { id, ...policy, fetchedAt: clock.wall() });
      for (const [oldest] of this.#kept) {
        if (this.#kept.size <= MAX_KEPT) break;
        this.#kept.delete(oldest);
      }
      observe.log('info', 'Fetched an MTA-STS policy', { domain, id, mode: policy.mode, mx: policy.mx });
      this.#save();
    } catch (error) {
      if (this.#failed.size >= MAX_KEPT) this.#failed.clear();
      this.#failed.set(domain, { id, at: clock.monotonic() });
      observe.log('warn', 'An MTA-STS policy could not be fetched', { domain, id, detail: describeError(error) });
    }
  }

  /** One write at a time; what changes meanwhile is in the next. */
  #save(): void {
    this.#dirty = true;
    this.#saving ??= this.#write().finally(() => {
      this.#saving = undefined;
    });
  }

  async #write(): Promise<void> {
    const { file, observe } = this.#options;
    while (this.#dirty) {
      this.#dirty = false;
      try {
        await writeFileAtomic(file, JSON.stringify(Object.fromEntries(this.#kept)));
      } catch (error) {
        observe.log('warn', 'MTA-STS policies cannot be kept', { detail: describeError(error) });
      }
    }
  }
}
