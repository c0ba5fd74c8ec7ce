/**
 * What accept needs of the others, handed in by the entry: it knows no spool layout, no policy, no engine.
 */
import type { ForwardPath } from '../mail/address.ts';
import type { Origin, Transaction } from '../mail/envelope.ts';
import type { Reply } from '../mail/reply.ts';

/** One message on its way through the pipeline. Exactly one of `finish` and `abort` ends it. */
export interface Intake {
  /**
   * CRLF-clean octets, dots undone; lent: nothing of `chunk` is kept when it returns. Backpressure by the promise, if there is one;
   * throws or rejects with SekishoError (answer `ownTrouble`, or 452 for SPOOL_FULL).
   */
  write(chunk: Buffer): Promise<void> | undefined;
  /** After the final dot: inspects, decides, commits. Resolves with the reply to give; a 250 is durable. Never rejects. */
  finish(): Promise<Reply>;
  /** After `finish`: it goes to all its recipients, and nothing was found that the policy minds. */
  clean(): boolean;
  /** Connection lost, too large, refused line ending: no trace is left. Never rejects. */
  abort(): Promise<void>;
}

export interface Pipeline {
  /**
   * At DATA. A reply instead of an intake refuses the DATA (engine down: 451, disk full: 452). `precedence`: of somebody known to be
   * good, or the office's own: looked at before strangers' mail.
   */
  begin(transaction: Transaction, options?: { precedence: boolean }): Promise<Intake | Reply>;
  /** At MAIL: room for the announced octets, engines up? undefined = go on. */
  admits(origin: Origin, announcedSize: number | undefined): Reply | undefined;
}

/** Is there such a mailbox? Never 'no' for a server that could not be asked. */
export type RecipientAnswer = { known: 'yes' | 'no' | 'unknown'; detail: string };

export interface RecipientDirectory {
  /** For a recipient in one of our relay domains. */
  check(recipient: ForwardPath): Promise<RecipientAnswer>;
}
