/** What SMTP said about a message: who it came from and for whom, and how it came. JSON as it stands, kept in the spool. */
import type { Stamp } from '../base/clock.ts';
import type { ForwardPath, ReversePath } from './address.ts';

export const DIRECTIONS = ['inbound', 'outbound'] as const;
/** inbound: from the Internet to a relay domain (MX listener). outbound: from the office's own server (relay listener). */
export type Direction = (typeof DIRECTIONS)[number];

/** RFC 3461 §4.1, one recipient. */
export interface RecipientDsn {
  /** Upper case: NEVER, or any of SUCCESS, FAILURE, DELAY. */
  notify?: string[];
  /** `rfc822;address`, xtext-decoded. */
  orcpt?: string;
}

export interface Recipient {
  address: ForwardPath;
  dsn?: RecipientDsn;
}

export interface Envelope {
  reversePath: ReversePath;
  recipients: Recipient[];
  /** RFC 6531: the client said SMTPUTF8 in the accepted MAIL. */
  smtpUtf8: boolean;
  /** RFC 6152 BODY=8BITMIME. */
  eightBit: boolean;
  /** RFC 3461 §4.3, §4.4. */
  ret?: 'FULL' | 'HDRS';
  envid?: string;
}

/** The session a message came by; facts for headers, inspectors, log and history. */
export interface Origin {
  direction: Direction;
  /** 'mx' | 'relay', or 'local' for what we write ourselves (DSN, notices). */
  listener: 'mx' | 'relay' | 'local';
  sessionId: string;
  /** Numeric address, IPv4 never in its mapped form; empty for 'local'. */
  clientAddress: string;
  /** What HELO/EHLO said, unverified. */
  helo: string;
  /** FCrDNS name, or undefined. */
  clientName?: string;
  /** RFC 3848 keyword: SMTP, ESMTP, ESMTPS, … */
  protocol: string;
  tls?: { protocol: string; cipher: string };
}

/** One MAIL … DATA, as it stands when DATA begins. */
export interface Transaction {
  origin: Origin;
  envelope: Envelope;
  /** Octets announced by SIZE=, if any. */
  announcedSize?: number;
  arrival: Stamp;
}
