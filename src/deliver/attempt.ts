/**
 * One round of a message: reads it, sends it to the recipients of this hop in as few transactions as variants and sizes allow,
 * and writes down what became of each. The attempt is on record before the first command; a delivery is settled durably
 * before anything else happens. Throws only for trouble of our own: `SettlingFailed` when a delivery could not be recorded
 * (delivery must stop, or it would send twice), or what the spool threw before anybody was claimed.
 */
import { isAscii } from 'node:buffer';
import type { Milliseconds } from '../base/brand.ts';
import { ageOf, type Clock } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { Recipient } from '../mail/envelope.ts';
import type { Observe } from '../observe/events.ts';
import type { Spool, StoredMessage } from '../spool/api.ts';
import type { FailedRecipient } from './bounce.ts';
import { type Classified, ownWord } from './classify.ts';
import type { Session } from './connect.ts';
import type { Detours } from './detours.ts';
import { failRecipients, isExpired, isGone } from './give-up.ts';
import type { InFlight } from './in-flight.ts';
import { readHeader } from './notice.ts';
import type { Reached } from './reach.ts';
import { settleTaken } from './relayed.ts';
import { isOwnServer, type RouteKey, routeKey, routingDomain, type Target } from './route.ts';
import { type Again, type Batch, batchesOf, recipientsFor, variantSize } from './round.ts';
import { type Job, retryPause, troublePause } from './schedule.ts';
import { type Outgoing, type RecipientResult, type Sent, sendMessage } from './send.ts';

export interface AttemptContext {
  spool: Spool;
  observe: Observe;
  clock: Clock;
  config: Config;
  random: () => number;
  token: () => string;
  inFlight: InFlight;
  detours: Detours;
  /** The hop's key this job stands at. */
  key: RouteKey;
  /** A session ready for MAIL: a kept one, or a new one. */
  acquire: () => Promise<Reached>;
  release: (session: Session) => void;
  /** How a transaction went, for the hop's concurrency. */
  onSent: (sent: Sent) => void;
}

/** What becomes of the jobs of a round; a domain that is in neither list has nobody left to serve. */
export interface AttemptEnd {
  again: Again;
  /** Some of their recipients were not tried: these jobs stand where they stood, after a pause if there is one. */
  back?: readonly string[];
  pauseMs?: Milliseconds;
  /** No server of the hop was willing. */
  unreachable?: string;
  /** Of our own, and no settlement: those in `back` come later. */
  trouble?: unknown;
}

/** A settlement that could not be made durable. */
export class SettlingFailed extends Error {
  override readonly name = 'SettlingFailed';
}

const NOTHING: AttemptEnd = { again: [] };
/** A message whose file is being split is left alone for this long. */
const CLOSED_MS = 1_000;

/** The jobs are of one message, one for each domain that is due here. */
export async function attemptJobs(jobs: readonly [Job, ...Job[]], context: AttemptContext): Promise<AttemptEnd> {
  const [{ id }] = jobs;
  if (context.inFlight.isClosed(id)) return { again: [], back: namesOf(jobs), pauseMs: CLOSED_MS };
  const message = await context.spool.read(id);
  // Held, deleted or finished in the meantime: whoever did that is in charge of it.
  if (message === undefined || message.folder !== 'queue' || message.progress.deleted !== undefined) return NOTHING;
  // Behind the last await: an operator may have sent it elsewhere meanwhile, and then nobody here is its recipient.
  const via = context.detours.of(id);
  const strays = namesOf(jobs.filter(({ domain }) => routeKey(domain, context.config, via) !== context.key));
  const here = jobs.filter(({ domain }) => !strays.includes(domain));
  const { mine, early } = recipientsFor(here, message, context);
  if (mine.length === 0) return { again: early, back: strays };
  context.inFlight.claim(id, mine);
  const attempt = new Attempt(jobs[0], message, context);
  let end: AttemptEnd;
  try {
    end = await attempt.run(mine);
  } catch (error) {
    if (error instanceof SettlingFailed) throw error;
    end = await attempt.abandon(mine, error);
  } finally {
    context.inFlight.release(id, mine);
  }
  return { ...end, again: [...early, ...end.again], back: [...strays, ...(end.back ?? [])] };
}

function namesOf(jobs: readonly Job[]): string[] {
  return jobs.map(({ domain }) => domain);
}

/** Who answered: for the record, for notices, and whether it sends notices itself (RFC 3461). */
interface Where {
  nextHop: string;
  remoteMta?: string;
  passesDsn?: boolean;
}

export function hopName(target: Target): string {
  return `${target.host}[${target.address}]:${target.port}`;
}

class Attempt {
  readonly #job: Job;
  readonly #message: StoredMessage;
  readonly #context: AttemptContext;
  readonly #failed: FailedRecipient[] = [];
  readonly #again = new Map<string, Milliseconds>();
  /** Of whom something is known now. */
  readonly #told = new Set<ForwardPath>();
  /** Whose attempt is on record. */
  readonly #recorded = new Set<ForwardPath>();
  /** One for the message: who was deferred together comes back together. */
  readonly #jitter: number;
  #session: Session | undefined;

  constructor(job: Job, message: StoredMessage, context: AttemptContext) {
    this.#job = job;
    this.#message = message;
    this.#context = context;
    this.#jitter = context.random();
  }

  async run(mine: readonly ForwardPath[]): Promise<AttemptEnd> {
    let unreachable: string | undefined;
    const { batches, orphans } = batchesOf(this.#message, mine);
    if (orphans.length > 0) {
      // Cannot be: then it stays where it is, and a person looks, who is told for as long as it does; the others get their mail.
      this.#context.observe.raise('internal-error', this.#message.id, `No variant for ${orphans.join(', ')}`);
      this.#tell(orphans.map((address) => ({ address })));
      const wait = Math.max(...this.#context.config.delivery.retryMs);
      for (const address of orphans) this.#again.set(this.#domainOf(address), wait);
    }
    try {
      for (const [at, batch] of batches.entries()) {
        const reached = await this.#sendSomewhere(batch);
        if (reached === 'sent') continue;
        if (reached === 'corrupt') return NOTHING; // its file is out of the queue
        const rest = batches.slice(at).flatMap((each) => each.recipients);
        if (reached.failed === 'servers' || reached.word.verdict === 'deferred') unreachable = reached.word.reply;
        await this.#withoutServer(rest, reached);
        break;
      }
    } finally {
      if (this.#session !== undefined) this.#context.release(this.#session);
    }
    await this.#giveUp(mine);
    return { ...this.#end(mine), ...(unreachable === undefined ? {} : { unreachable }) };
  }

  /** Who was not tried stands where he stood. */
  #end(mine: readonly ForwardPath[]): AttemptEnd {
    const back = new Set(mine.filter((address) => !this.#told.has(address)).map((address) => this.#domainOf(address)));
    const waits = Array.from(this.#again, ([domain, wait]) => ({ domain, wait }));
    return { again: waits.filter(({ domain }) => !back.has(domain)), back: [...back] };
  }

  /** Trouble of our own: nobody stays on record as being served, or the message could be neither held nor deleted. */
  async abandon(mine: readonly ForwardPath[], error: unknown): Promise<AttemptEnd> {
    const { spool, config, random, key } = this.#context;
    const pauseMs = troublePause({ retryMs: config.delivery.retryMs, random });
    const said = new Map(this.#failed.map(({ address, reply }) => [address, reply]));
    const own = ownWord('deferred', '4.3.0', `Trouble of our own: ${describeError(error)}`).reply;
    const open = [...this.#recorded].filter((address) => !this.#told.has(address));
    const deferred = open.map((address) => ({ address, reply: said.get(address) ?? own, nextHop: key, wait: pauseMs }));
    // a spool that is in trouble itself says so by the error we have already
    if (open.length > 0) await spool.defer(this.#message.id, deferred).catch(() => undefined);
    return { ...this.#end(mine), pauseMs, trouble: error };
  }

  #domainOf(address: ForwardPath): string {
    return routingDomain(address, this.#context.config) ?? '';
  }

  async #reach(): Promise<Reached> {
    if (this.#session !== undefined && !this.#session.lost.aborted) return { session: this.#session };
    const reached = await this.#context.acquire();
    this.#session = 'session' in reached ? reached.session : undefined;
    return reached;
  }

  /** Over a kept session, and when that has died meanwhile over the next; a new one is never stale, so this ends. */
  async #sendSomewhere(batch: Batch): Promise<'sent' | 'corrupt' | Exclude<Reached, { session: Session }>> {
    for (let first = true; ; first = false) {
      const reached = await this.#reach();
      if (!('session' in reached)) {
        if (!first) await this.#endAttempt(batch, reached);
        return reached;
      }
      if (first) await this.#recordAttempt(batch, hopName(reached.session.target));
      const done = await this.#send(reached.session, batch);
      if (done !== 'stale') return done;
      reached.session.cut('Stale');
    }
  }

  async #recordAttempt(batch: Batch, nextHop: string): Promise<void> {
    const recipients = batch.recipients.map((recipient) => recipient.address);
    await this.#context.spool.recordAttempt(this.#message.id, recipients, nextHop);
    for (const address of recipients) this.#recorded.add(address);
    this.#context.observe.emit({ event: 'attempt', id: this.#message.id, nextHop, recipients });
  }

  /** The attempt on record came to nothing, and no other session was to be had: the message is nobody's again. */
  async #endAttempt(batch: Batch, reached: Exclude<Reached, { session: Session }>): Promise<void> {
    const { reply } = reached.word;
    await this.#context.spool.defer(
      this.#message.id,
      batch.recipients.map(({ address }) => ({ address, reply, nextHop: this.#context.key, wait: 0 })),
    );
  }

  async #send(session: Session, batch: Batch): Promise<'sent' | 'corrupt' | 'stale'> {
    const { observe, config, key } = this.#context;
    const outgoing = this.#outgoing(batch);
    if (outgoing.smtpUtf8 && !session.offers('SMTPUTF8')) outgoing.utf8Header = await this.#hasUtf8Header();
    const sent = await sendMessage(session, outgoing, { config, ownServer: isOwnServer(key) });
    if (sent.stale === true) return 'stale';
    if (sent.sourceError !== undefined) {
      const { code, detail } = sent.sourceError;
      observe.log('error', 'Reading a message for delivery failed', { id: this.#message.id, code, detail });
      if (code === 'CORRUPT') return 'corrupt';
    } else {
      this.#context.onSent(sent);
    }
    const { host } = session.target;
    const passesDsn = session.offers('DSN');
    await this.#record(sent.results, { nextHop: hopName(session.target), remoteMta: host, passesDsn });
    return 'sent';
  }

  /** A header that cannot be read is not judged here: sending the message finds out, and says so. */
  async #hasUtf8Header(): Promise<boolean> {
    try {
      return !isAscii(await readHeader(this.#context.spool.openBody(this.#message)));
    } catch {
      return false;
    }
  }

  #outgoing(batch: Batch): Outgoing {
    const { envelope } = this.#message.preamble;
    const variant = this.#message.trailer.variants[batch.variant];
    if (variant === undefined) throw new TypeError(`Message ${this.#message.id} has no variant ${batch.variant}`);
    return {
      reversePath: envelope.reversePath,
      recipients: batch.recipients,
      size: variantSize(this.#message, variant),
      eightBit: envelope.eightBit,
      smtpUtf8: envelope.smtpUtf8,
      ...(envelope.ret === undefined ? {} : { ret: envelope.ret }),
      ...(envelope.envid === undefined ? {} : { envid: envelope.envid }),
      body: () => this.#context.spool.openVariant(this.#message, batch.variant),
    };
  }

  /**
   * No session to be had. A server of our own is waited for, and the message stays untouched unless its time is up; any
   * other destination has been tried by this.
   */
  async #withoutServer(rest: readonly Recipient[], reached: Exclude<Reached, { session: Session }>): Promise<void> {
    const { spool, key } = this.#context;
    const addresses = rest.map((recipient) => recipient.address);
    if (isOwnServer(key) && !this.#isExpired()) return;
    const fresh = addresses.filter((address) => !this.#recorded.has(address));
    if (!isOwnServer(key) && fresh.length > 0) await spool.recordAttempt(this.#message.id, fresh, key);
    const results = addresses.map((address) => ({ address, ...reached.word }));
    const remote = reached.remoteMta === undefined ? {} : { remoteMta: reached.remoteMta };
    await this.#record(results, { nextHop: key, ...remote });
  }

  /** Delivered ones first and durably; then the rest is told to the spool or kept for `#giveUp`. */
  async #record(results: readonly RecipientResult[], where: Where): Promise<void> {
    const delivered = results.filter((each) => each.verdict === 'delivered');
    if (delivered.length > 0) await this.#settleDelivered(delivered, where);
    const deferred = results.filter((each) => each.verdict === 'deferred');
    const expired = this.#isExpired() ? deferred : [];
    if (expired.length === 0 && deferred.length > 0) {
      await this.#defer(deferred, { nextHop: where.nextHop, progress: delivered.length > 0 });
    }
    const fail =
      (outcome: 'bounced' | 'expired') =>
      (each: RecipientResult): void => {
        // A word of our own (5.6.7, DNS, lost connection) is not something the peer said.
        const spoken = /^\d{3}(?: |$)/.test(each.reply) && where.remoteMta !== undefined;
        this.#failed.push({
          ...wordsOf(each),
          outcome,
          nextHop: where.nextHop,
          ...(spoken && where.remoteMta !== undefined ? { remoteMta: where.remoteMta } : {}),
        });
      };
    expired.forEach(fail('expired'));
    results.filter((each) => each.verdict === 'bounced').forEach(fail('bounced'));
  }

  async #settleDelivered(delivered: readonly RecipientResult[], where: Where): Promise<void> {
    const { observe } = this.#context;
    const { id, preamble } = this.#message;
    const { nextHop, remoteMta = nextHop, passesDsn = false } = where;
    try {
      await settleTaken(this.#message, delivered, { ...this.#context, nextHop, remoteMta, passesDsn });
    } catch (error) {
      // Taken away while it was on the wire: the delivery stands, there is nothing left to record it in.
      if (!isGone(error))
        throw new SettlingFailed(`Settling message ${id} failed: ${describeError(error)}`, { cause: error });
      observe.log('warn', 'A message was taken away while it was delivered', { id });
    }
    this.#tell(delivered);
    const delayMs = ageOf(preamble.arrival, this.#context.clock);
    for (const [reply, group] of Map.groupBy(delivered, (each) => each.reply)) {
      observe.emit({ event: 'delivered', id, recipients: group.map((each) => each.address), nextHop, reply, delayMs });
    }
  }

  async #defer(deferred: readonly RecipientResult[], options: { nextHop: string; progress: boolean }): Promise<void> {
    const { spool, observe, config } = this.#context;
    const { id, progress } = this.#message;
    const attempts = new Map(progress.recipients.map((recipient) => [recipient.address, recipient.attempts]));
    const waits = deferred.map((each) => {
      // The peer takes so many at once and no more: the next ones follow, as long as each round serves somebody.
      const atOnce = each.fewer === true && options.progress;
      const pause = { retryMs: config.delivery.retryMs, random: () => this.#jitter };
      const wait = atOnce ? 0 : retryPause((attempts.get(each.address) ?? 0) + 1, pause);
      // Not sooner than the peer said; but a stranger's word never delays mail beyond our own longest pause.
      const said = Math.min(each.retryAfter ?? 0, Math.max(...config.delivery.retryMs));
      return { ...each, wait: Math.max(wait, said) };
    });
    const { nextHop } = options;
    await spool.defer(
      id,
      waits.map(({ address, reply, wait }) => ({ address, reply, wait, nextHop })),
    );
    this.#tell(waits);
    for (const { address, wait } of waits) {
      const domain = this.#domainOf(address);
      this.#again.set(domain, Math.min(wait, this.#again.get(domain) ?? Number.POSITIVE_INFINITY));
    }
    for (const [reply, group] of Map.groupBy(waits, (each) => each.reply)) {
      const waitMs = Math.min(...group.map((each) => each.wait));
      observe.emit({ event: 'deferred', id, recipients: group.map((each) => each.address), nextHop, reply, waitMs });
    }
  }

  #isExpired(): boolean {
    return isExpired(this.#job, this.#message, this.#context);
  }

  async #giveUp(mine: readonly ForwardPath[]): Promise<void> {
    if (this.#failed.length === 0) return;
    // Their fate is known: they are in nobody's way any more (a split waits for all who are).
    this.#context.inFlight.release(this.#message.id, mine);
    await failRecipients(this.#message.id, this.#failed, this.#context);
    this.#tell(this.#failed);
  }

  #tell(settled: ReadonlyArray<{ address: ForwardPath }>): void {
    for (const { address } of settled) this.#told.add(address);
  }
}

function wordsOf(result: RecipientResult): Pick<FailedRecipient, 'address'> & Pick<Classified, 'status' | 'reply'> {
  return { address: result.address, status: result.status, reply: result.reply };
}
