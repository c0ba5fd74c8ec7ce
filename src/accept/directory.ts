/**
 * Is there such a mailbox? Three ways, chosen for each relay domain: `any` (all are), `list` (a file), `call-ahead` (ask
 * the mail server, and remember). Never `no` unless a list or a server said no: whatever cannot be asked is `unknown`, and
 * the caller's setting decides. Call-ahead asks about an invented address first; a server that takes that one takes all, so
 * its yes means nothing and everybody passes. Answers: good for 31 days and asked again after 7, bad for 3 days and asked
 * again after 3 hours. Saved at most once a minute and at dispose.
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError } from '../base/errors.ts';
import { Limiter } from '../base/limiter.ts';
import type { Config } from '../config/schema.ts';
import { addressKey, type Domain, domainOf, type ForwardPath, parseDomain, parseForwardPath } from '../mail/address.ts';
import type { Observe } from '../observe/events.ts';
import { AnswerCache } from './answer-cache.ts';
import type { RecipientAnswer, RecipientDirectory } from './api.ts';
import { RecipientLists } from './recipient-list.ts';
import { relayDomainOf } from './relay.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const GOOD = { refreshMs: 7 * DAY_MS, expireMs: 31 * DAY_MS };
const BAD = { refreshMs: 3 * HOUR_MS, expireMs: 3 * DAY_MS };
const TAKES_ALL_MS = DAY_MS;
/** Questions at once to all mail servers together, and waiting behind them. */
const ASKING_MAX = 20;
const WAITING_MAX = 1_000;

/** Asks the domain's mail server by RCPT; `no` only for a server that said so about this mailbox. */
export type CallAhead = (address: ForwardPath) => Promise<RecipientAnswer>;

export interface RecipientDirectoryService extends RecipientDirectory, AsyncDisposable {
  /** Answers in the cache, for status. */
  cached(): number;
}

export interface RecipientDirectoryOptions {
  config: () => Config;
  callAhead: CallAhead;
  clock: Clock;
  cacheFile: string;
  observe: Observe;
  /** What list files with a relative path are relative to: the folder of the config file. */
  baseDirectory?: string;
  /** One question to a mail server. */
  deadlineMs?: number;
  cacheMax?: number;
  /** A localpart nobody has. */
  invent?: () => string;
}

export async function createRecipientDirectory(options: RecipientDirectoryOptions): Promise<RecipientDirectoryService> {
  const { config, clock, observe } = options;
  const file = options.cacheFile;
  const max = options.cacheMax;
  const cache = await AnswerCache.open({ clock, observe, file, ...(max === undefined ? {} : { max }) });
  const asker = new Asker(options, cache);
  const lists = new RecipientLists(observe);

  return {
    cached: () => cache.size,
    [Symbol.asyncDispose]: () => cache.save(),
    check: async (recipient) => {
      const domain = relayDomainOf(config(), recipient);
      const name = domain === undefined ? undefined : parseDomain(domain.name);
      if (domain === undefined || name === undefined) return { known: 'unknown', detail: 'Not a relay domain' };
      const { check, file: named } = domain.recipients;
      const list =
        check === 'list' && named !== undefined ? path.resolve(options.baseDirectory ?? '.', named) : undefined;
      lists.settle(name, list);
      switch (check) {
        case 'any':
          return { known: 'yes', detail: 'This domain takes all recipients' };
        case 'list': {
          if (list === undefined) {
            observe.raise('config-refused', `recipients:${name}`, `Domain "${domain.name}" has no recipient list file`);
            return { known: 'unknown', detail: 'No recipient list is configured' };
          }
          return lists.check(recipient, { file: list, domain: name });
        }
        case 'call-ahead':
          return asker.check(recipient);
      }
    },
  };
}

/** Call-ahead with its memory. */
class Asker {
  readonly #callAhead: CallAhead;
  readonly #cache: AnswerCache;
  readonly #observe: Observe;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #invent: () => string;
  readonly #limiter = new Limiter(ASKING_MAX);
  readonly #asking = new Map<string, Promise<RecipientAnswer>>();
  /** Does the server of this domain take an invented address? Not kept over a restart: it is one question. */
  readonly #takesAll = new Map<Domain, { yes: boolean; at: number }>();

  constructor(options: RecipientDirectoryOptions, cache: AnswerCache) {
    this.#callAhead = options.callAhead;
    this.#cache = cache;
    this.#observe = options.observe;
    this.#clock = options.clock;
    this.#deadlineMs = options.deadlineMs ?? 25_000;
    this.#invent = options.invent ?? (() => `sekisho-${randomBytes(9).toString('hex')}`);
  }

  async check(recipient: ForwardPath): Promise<RecipientAnswer> {
    const domain = domainOf(recipient);
    if (domain === undefined) return { known: 'unknown', detail: 'No domain' };
    const key = addressKey(recipient);
    if (this.#knownToTakeAll(domain) === true) return takesAll();
    const kept = this.#cache.get(key);
    const life = kept?.known === true ? GOOD : BAD;
    const usable = kept !== undefined && kept.age < life.expireMs ? kept : undefined;
    if (usable !== undefined && usable.age < life.refreshMs) return fromCache(usable.known);
    const asked = this.#ask(recipient, key, domain);
    if (usable?.known === true) {
      // a good answer goes on serving while it is refreshed: nobody waits
      asked.catch((error: unknown) => this.#complain(error));
      return fromCache(true);
    }
    // an old "no" is asked anew before it refuses somebody again: the mailbox may have been made since
    const answer = await asked;
    return answer.known === 'unknown' && usable !== undefined ? fromCache(usable.known) : answer;
  }

  /** One question in flight for each address. */
  #ask(recipient: ForwardPath, key: string, domain: Domain): Promise<RecipientAnswer> {
    return this.#once(key, async () => {
      const all = await this.#askTakesAll(domain);
      if (all.known === 'unknown') return all;
      if (all.known === 'yes') return takesAll();
      const answer = await this.#question(recipient);
      if (answer.known !== 'unknown') this.#cache.set(key, answer.known === 'yes');
      return answer;
    });
  }

  #askTakesAll(domain: Domain): Promise<RecipientAnswer> {
    const remembered = this.#knownToTakeAll(domain);
    if (remembered !== undefined)
      return Promise.resolve({ known: remembered ? 'yes' : 'no', detail: 'Asked within a day' });
    return this.#once(`@${domain}`, async () => {
      const invented = parseForwardPath(`${this.#invent()}@${domain}`);
      if (invented === undefined) throw new TypeError('The invented address is none');
      const answer = await this.#question(invented);
      if (answer.known !== 'unknown')
        this.#takesAll.set(domain, { yes: answer.known === 'yes', at: this.#clock.monotonic() });
      if (answer.known === 'yes')
        this.#observe.log('info', `The mail server of "${domain}" takes any recipient: call-ahead cannot tell`);
      return answer;
    });
  }

  #knownToTakeAll(domain: Domain): boolean | undefined {
    const remembered = this.#takesAll.get(domain);
    if (remembered === undefined || this.#clock.monotonic() - remembered.at >= TAKES_ALL_MS) return undefined;
    return remembered.yes;
  }

  #once(key: string, work: () => Promise<RecipientAnswer>): Promise<RecipientAnswer> {
    const running = this.#asking.get(key);
    if (running !== undefined) return running;
    const asking = work().finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  /** Trouble on the way is `unknown`, never `no`. */
  async #question(address: ForwardPath): Promise<RecipientAnswer> {
    if (this.#limiter.waiting >= WAITING_MAX) return { known: 'unknown', detail: 'Too many questions are waiting' };
    try {
      return await this.#limiter.run(() =>
        withDeadline('Asking the mail server about a recipient', { ms: this.#deadlineMs }, () =>
          this.#callAhead(address),
        ),
      );
    } catch (error) {
      this.#complain(error);
      return { known: 'unknown', detail: describeError(error) };
    }
  }

  #complain(error: unknown): void {
    this.#observe.log('warn', `Cannot ask the mail server about a recipient: ${describeError(error)}`);
  }
}

function takesAll(): RecipientAnswer {
  return { known: 'yes', detail: 'The mail server takes any recipient' };
}

function fromCache(known: boolean): RecipientAnswer {
  return { known: known ? 'yes' : 'no', detail: 'The mail server said so before' };
}
