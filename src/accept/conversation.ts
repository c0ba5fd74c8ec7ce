/**
 * The seam between the library and our rules: what a connection asks of a session, and what a session may ask of its
 * connection. Types only; `library.ts` stands on one side, `session.ts` on the other, and neither knows the other.
 */
import type { LineEndingMode } from '../mail/line-endings.ts';
import type { Reply } from '../mail/reply.ts';

/** What a session may ask about its connection. */
export interface Peer {
  readonly id: string;
  /** Numeric, IPv4 never mapped. */
  readonly address: string;
  helo(): string;
  /** SMTP, ESMTP, ESMTPS (RFC 3848). */
  protocol(): string;
  tls(): { protocol: string; cipher: string } | undefined;
}

/** Where the octets of one message go; neither method rejects. */
export interface DataSink {
  /** Keeps nothing of `content` when it returns: its memory is used again. A promise: more when it resolves. */
  write(content: Buffer): Promise<void> | undefined;
  end(): Promise<Reply>;
  /** The client sends far more than it may: cut it. */
  readonly excessive: boolean;
}

/** One session's side of the conversation; nothing here rejects. */
export interface Conversation {
  /** Before the greeting: a reply refuses the connection. */
  connected(): Reply | undefined;
  /**
   * XCLIENT: the peer's address is another client's now. `name`: as the peer confirmed it, '' when there is none. A reply
   * refuses that client.
   */
  forwarded(name: string | undefined): Reply | undefined;
  mail(line: Buffer): Promise<Reply>;
  rcpt(line: Buffer): Promise<Reply>;
  data(): Promise<Reply | DataSink>;
  /** RSET, HELO, EHLO, a finished STARTTLS: the transaction is forgotten. */
  reset(): void;
  /** Is there a MAIL that was accepted? */
  inTransaction(): boolean;
  /** The connection ends the session with this 421: too many errors, too slow, too early. */
  dismissed(stage: 'connect' | 'data', answer: Reply): void;
  closed(): void;
}

export interface GateSettings {
  hostname: string;
  messageOctets: number;
  idleMs: number;
  /** The same, less while sessions are scarce. */
  idleNowMs: number;
  totalMs: number;
  handshakeMs: number;
  /** A begun command line must be complete within this. */
  lineMs: number;
  greetingDelayMs: number;
  /** Networks that must say, or may say, whom they speak for. */
  proxyPeers: readonly string[];
  xclientPeers: readonly string[];
  /** A command line that LF alone ends. */
  bareLineFeed: LineEndingMode;
  /** A balancer's PROXY header must be complete within this. */
  proxyHeaderMs: number;
  errors: number;
  junkCommands: number;
  dataRate: { octetsPerSecond: number; windowMs: number };
}

/** What the listener gives every connection. */
export interface Gate {
  open(peer: Peer): Conversation;
  /** As configured at this moment. */
  settings(): GateSettings;
  /** Monotonic milliseconds. */
  now(): number;
  stopping(): boolean;
  failed(what: string, error: unknown): void;
  /** A listed balancer connected and did not say its header: on record, the connection is closed. */
  noProxyHeader(address: string, why: 'invalid' | 'late' | 'gone'): void;
}
