/**
 * One message between 354 and the reply to its final dot. Octets come without dot-stuffing; they are checked (line ends,
 * size, hops) and handed to the intake with its backpressure. From the first problem on the intake is aborted, once, and
 * the rest is read and dropped, because SMTP has no way to say "stop" in DATA; past twice the size limit the connection is
 * cut. A 250 comes out of here only if `Intake.finish` gave it. Nothing here rejects.
 */
import { withDeadline } from '../base/deadline.ts';
import { describeError, errorCode } from '../base/errors.ts';
import { LineEndings, type LineEndingMode, type LineEndingProblem } from '../mail/line-endings.ts';
import { HopCounter } from '../mail/received.ts';
import { ownTrouble, REPLY_FULL, type Reply, reply } from '../mail/reply.ts';
import type { Observe } from '../observe/events.ts';
import type { Intake } from './api.ts';

export interface ReceptionOptions {
  bareLineFeed: LineEndingMode;
  messageOctets: number;
  receivedHops: number;
  /** A write that takes longer is our own trouble. */
  writeMs: number;
  /** The whole of inspect, decide, commit. */
  finishMs: number;
  observe: Observe;
}

const BAD_LINES: Record<LineEndingProblem, Reply> = {
  'bare-cr': reply(554, '5.6.0', 'Message refused: bare CR (a carriage return without line feed)'),
  'bare-lf': reply(554, '5.6.0', 'Message refused: bare LF (a line feed without carriage return)'),
  nul: reply(554, '5.6.0', 'Message refused: NUL octet'),
};

export class Reception {
  readonly #intake: Intake;
  readonly #options: ReceptionOptions;
  readonly #lines: LineEndings;
  readonly #hops = new HopCounter();
  #octets = 0;
  #refusal: Reply | undefined;
  #ended = false;
  /** The write in flight; never rejects. */
  #writing: Promise<void> = Promise.resolve();

  constructor(intake: Intake, options: ReceptionOptions) {
    this.#intake = intake;
    this.#options = options;
    this.#lines = new LineEndings(options.bareLineFeed);
  }

  /** Set when the reply at the final dot is our own refusal, not the pipeline's word. */
  get refusal(): Reply | undefined {
    return this.#refusal;
  }

  /** Taken, and nothing was found in it. */
  get clean(): boolean {
    return this.#intake.clean();
  }

  /** Past this the client is not listening: cut the connection. */
  get excessive(): boolean {
    return this.#octets > this.#options.messageOctets * 2;
  }

  /** `chunk` is lent until it returns; a promise is there only when somebody has to wait. */
  write(chunk: Buffer): Promise<void> | undefined {
    this.#octets += chunk.length;
    if (this.#refusal !== undefined || this.#ended || chunk.length === 0) return undefined;
    const content = this.#lines.feed(chunk);
    const problem = this.#examine(content);
    if (problem !== undefined) return this.#refuse(problem);
    const writing = this.#hand(content);
    if (writing !== undefined) this.#writing = writing;
    return writing;
  }

  async end(): Promise<Reply> {
    if (this.#refusal === undefined && !this.#ended) {
      const last = this.#lines.end();
      const problem = this.#lines.problem;
      if (problem !== undefined) await this.#refuse(BAD_LINES[problem]);
      else if (last.length > 0) await this.#hand(last);
    }
    if (this.#refusal !== undefined) return this.#refusal;
    if (this.#ended) return ownTrouble();
    this.#ended = true;
    try {
      return await withDeadline('Finishing a message', { ms: this.#options.finishMs }, () => this.#intake.finish());
    } catch (error) {
      // The result may still become a delivery: then the client's next try is a duplicate, the lesser evil (promise 2).
      this.#complain('Finishing a message failed', error);
      return ownTrouble();
    }
  }

  /** The connection is gone. After the final dot the result stands, before it no trace is left. */
  async abort(): Promise<void> {
    if (this.#refusal !== undefined || this.#ended) return;
    this.#ended = true;
    await this.#writing; // an intake is not asked two things at once
    await this.#abortIntake();
  }

  #examine(content: Buffer): Reply | undefined {
    const { messageOctets, receivedHops } = this.#options;
    if (this.#lines.problem !== undefined) return BAD_LINES[this.#lines.problem];
    // RFC 1870 §6.3: refused at the end of DATA
    if (this.#lines.octets > messageOctets)
      return reply(552, '5.3.4', `Message exceeds the size limit of ${messageOctets} octets`);
    if (!this.#hops.done) this.#hops.feed(content);
    // RFC 5321 §6.3
    if (this.#hops.hops > receivedHops) return reply(554, '5.4.6', 'Too many hops, this message is going in circles');
    return undefined;
  }

  #hand(content: Buffer): Promise<void> | undefined {
    let writing: Promise<void> | undefined;
    try {
      writing = this.#intake.write(content);
    } catch (error) {
      return this.#notStored(error);
    }
    if (writing === undefined) return undefined;
    const written = writing;
    return withDeadline('Storing a message', { ms: this.#options.writeMs }, () => written).catch((error: unknown) =>
      this.#notStored(error),
    );
  }

  async #notStored(error: unknown): Promise<void> {
    const full = errorCode(error) === 'SPOOL_FULL' || errorCode(error) === 'ENOSPC';
    if (!full) this.#complain('Storing a message failed', error);
    await this.#refuse(full ? REPLY_FULL : ownTrouble());
  }

  async #refuse(refusal: Reply): Promise<void> {
    if (this.#refusal !== undefined || this.#ended) return;
    this.#refusal = refusal;
    this.#ended = true;
    await this.#abortIntake();
  }

  async #abortIntake(): Promise<void> {
    try {
      await withDeadline('Dropping a message', { ms: this.#options.writeMs }, () => this.#intake.abort());
    } catch (error) {
      this.#complain('Dropping a message failed', error);
    }
  }

  #complain(what: string, error: unknown): void {
    this.#options.observe.log('error', `${what}: ${describeError(error)}`, { code: errorCode(error) });
  }
}
