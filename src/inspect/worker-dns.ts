/**
 * The worker's way to DNS: questions to the gateway, answers back, in the shape mailauth asks for. A void answer rejects with
 * ENOTFOUND or ENODATA; everything else (trouble, no more time, the message cancelled) with ETIMEOUT, which mailauth makes a
 * temperror. One question a name and type for a message: SPF, DKIM and DMARC ask the same ones.
 */
import type { Milliseconds } from '../base/brand.ts';
import { RECORD_TYPES, type RecordType } from '../base/resolver.ts';
import type { ToWorker } from './protocol.ts';

/** As `dns.promises.resolve`. */
export type MailauthResolver = (name: string, type: string) => Promise<never>;

export interface RecordingResolver {
  resolve: MailauthResolver;
  /** Names whose answer could not be had. */
  failed: Set<string>;
}

type Answer = Extract<ToWorker, { type: 'answer' }>;

export class QuestionDesk {
  readonly #send: (message: unknown) => void;
  readonly #open = new Map<number, (answer: Answer) => void>();
  #counter = 0;

  constructor(send: (message: unknown) => void) {
    this.#send = send;
  }

  answered(answer: Answer): void {
    this.#open.get(answer.question)?.(answer);
  }

  /** `ms`: from now on; later questions fail at once, so that what is known by then can still be told. */
  resolverFor(job: number, options: { ms: Milliseconds; signal: AbortSignal }): RecordingResolver {
    const until = performance.now() + options.ms;
    // Made with the first question: most mail of our own people asks none, and a timer for each would outlive it by seconds
    let end: AbortSignal | undefined;
    const left = (): AbortSignal => AbortSignal.timeout(Math.max(1, Math.ceil(until - performance.now())));
    const failed = new Set<string>();
    const asked = new Map<string, Promise<Answer | undefined>>();
    const resolve = async (name: string, type: string): Promise<never> => {
      const key = `${type} ${name.toLowerCase()}`;
      let answer = asked.get(key);
      if (answer === undefined) {
        end ??= AbortSignal.any([options.signal, left()]);
        answer = this.#ask(job, { name, type, end });
        asked.set(key, answer);
      }
      return unpack(await answer, { name, failed });
    };
    return { resolve, failed };
  }

  #ask(job: number, query: { name: string; type: string; end: AbortSignal }): Promise<Answer | undefined> {
    const { name, type, end } = query;
    const recordType = RECORD_TYPES.find((known): known is RecordType => known === type);
    const question = (this.#counter += 1);
    if (recordType === undefined || name.length > 253) {
      return Promise.resolve({ type: 'answer', question, outcome: 'no-name', records: [] });
    }
    if (end.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const done = (answer?: Answer): void => {
        this.#open.delete(question);
        end.removeEventListener('abort', stop);
        resolve(answer);
      };
      const stop = (): void => done();
      end.addEventListener('abort', stop, { once: true });
      this.#open.set(question, done);
      this.#send({ type: 'ask', job, question, name, recordType });
    });
  }
}

function unpack(answer: Answer | undefined, query: { name: string; failed: Set<string> }): never {
  switch (answer?.outcome) {
    case 'found':
      return structuredClone(answer.records) as never; // mailauth sorts in place
    case 'no-data':
      throw dnsError('ENODATA', query.name);
    case 'no-name':
      throw dnsError('ENOTFOUND', query.name);
    case 'trouble':
    case undefined:
      query.failed.add(query.name.toLowerCase());
      throw dnsError('ETIMEOUT', query.name);
  }
}

function dnsError(code: string, name: string): Error {
  return Object.assign(new Error(`DNS answered ${code} for "${name.slice(0, 100)}"`), { code });
}
