/**
 * One transaction: MAIL, RCPT for each recipient, DATA, the octets, the final dot (RFC 5321 §3.3), pipelined where offered
 * (RFC 2920). The result says for each recipient what became of it; it never throws for anything the peer or the network
 * does. Whatever ended it oddly cuts the session, so that a half-sent message can never be taken for a whole one.
 */
import { describeError, errorCode } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { type ForwardPath, needsSmtpUtf8, type ReversePath } from '../mail/address.ts';
import type { Recipient } from '../mail/envelope.ts';
import type { BodyOctets } from '../spool/api.ts';
import { type Classified, classifyReply, connectionLost, type HopReply, ownWord } from './classify.ts';
import type { Session } from './connect.ts';
import { writeData } from './data-phase.ts';

/** Recipients in one transaction (Postfix: default_destination_recipient_limit). */
export const MAX_RECIPIENTS = 50;

export interface Outgoing {
  reversePath: ReversePath;
  /** 1…MAX_RECIPIENTS */
  recipients: readonly Recipient[];
  /** Octets of what `body` yields, for SIZE. */
  size: number;
  eightBit: boolean;
  smtpUtf8: boolean;
  /** Came with SMTPUTF8, and its header does hold more than ASCII (RFC 6532). */
  utf8Header?: boolean;
  ret?: 'FULL' | 'HDRS';
  envid?: string;
  /** Opened only when the peer wants the data. */
  body: () => BodyOctets;
}

export type RecipientResult = Classified & { address: ForwardPath };

export interface Sent {
  results: RecipientResult[];
  /** The source failed: `code` of its error, for the log. Nobody was served. */
  sourceError?: { code: string | undefined; detail: string };
  /** The peer or the network stood in the way of the whole transaction: go easier on it. */
  strained: boolean;
  /** A kept session turned out to be dead (or 421: idle for too long) at the first command: take another one. */
  stale?: boolean;
}

export interface SendOptions {
  config: Config;
  ownServer: boolean;
}

export async function sendMessage(session: Session, message: Outgoing, options: SendOptions): Promise<Sent> {
  const refused = refusedBeforehand(session, message);
  const willing = message.recipients.filter((recipient) => !refused.has(recipient.address));
  const results = [...refused].map(([address, word]) => ({ address, ...word }));
  if (willing.length === 0) return { results, strained: false };
  session.transactions += 1;
  const transaction = new Transaction(session, { ...message, recipients: willing }, options);
  const sent = await transaction.run();
  return { ...sent, results: [...results, ...sent.results] };
}

/** What this peer can never take, by what it said to EHLO. */
function refusedBeforehand(session: Session, message: Outgoing): Map<ForwardPath, Classified> {
  const refused = new Map<ForwardPath, Classified>();
  // RFC 1870 §6: do not even try what is larger than the peer's fixed limit.
  const tooBig = session.maxSize > 0 && message.size > session.maxSize;
  const utf8 = session.offers('SMTPUTF8');
  for (const { address } of message.recipients) {
    if (tooBig) {
      const text = `Message of ${message.size} octets is larger than the next hop takes (${session.maxSize})`;
      refused.set(address, ownWord('bounced', '5.3.4', text));
    } else if (!utf8 && message.utf8Header === true) {
      // RFC 6531 §3.5: not even where all addresses are ASCII; only who said SMTPUTF8 is taken by his word
      refused.set(address, ownWord('bounced', '5.6.7', 'The next hop does not take a UTF-8 header (SMTPUTF8)'));
    } else if (!utf8 && (needsSmtpUtf8(message.reversePath) || needsSmtpUtf8(address))) {
      // RFC 6531 §3.5; the code by RFC 5336's successor: X.6.7
      refused.set(
        address,
        ownWord('bounced', '5.6.7', 'The next hop does not take internationalised addresses (SMTPUTF8)'),
      );
    }
  }
  return refused;
}

/** RFC 3461 §4: printable ASCII but `+` and `=` stands as it is, everything else as +XX. */
export function encodeXtext(text: string): string {
  let out = '';
  for (const octet of Buffer.from(text)) {
    const plain = octet >= 0x21 && octet <= 0x7e && octet !== 0x2b && octet !== 0x3d;
    out += plain ? String.fromCharCode(octet) : `+${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

function mailCommand(session: Session, message: Outgoing): string {
  const words = [`MAIL FROM:<${message.reversePath}>`];
  if (session.offers('SIZE')) words.push(`SIZE=${message.size}`);
  // Without 8BITMIME the octets go as they are: converting would break every signature, and the field takes them.
  if (message.eightBit && session.offers('8BITMIME')) words.push('BODY=8BITMIME');
  const international =
    message.smtpUtf8 || [message.reversePath, ...message.recipients.map((r) => r.address)].some(needsSmtpUtf8);
  if (international && session.offers('SMTPUTF8')) words.push('SMTPUTF8');
  if (session.offers('DSN')) {
    if (message.ret !== undefined) words.push(`RET=${message.ret}`);
    if (message.envid !== undefined) words.push(`ENVID=${encodeXtext(message.envid)}`);
  }
  return words.join(' ');
}

function rcptCommand(session: Session, recipient: Recipient): string {
  const words = [`RCPT TO:<${recipient.address}>`];
  if (session.offers('DSN')) {
    if (recipient.dsn?.notify !== undefined) words.push(`NOTIFY=${recipient.dsn.notify.join(',')}`);
    if (recipient.dsn?.orcpt !== undefined) words.push(`ORCPT=${encodeOrcpt(recipient.dsn.orcpt)}`);
  }
  return words.join(' ');
}

/** RFC 3461 §4.2: the address type stays as it is, the address is xtext. */
function encodeOrcpt(orcpt: string): string {
  const at = orcpt.indexOf(';');
  return at < 0
    ? `rfc822;${encodeXtext(orcpt)}`
    : `${encodeXtext(orcpt.slice(0, at))};${encodeXtext(orcpt.slice(at + 1))}`;
}

class Transaction {
  readonly #session: Session;
  readonly #message: Outgoing;
  readonly #options: SendOptions;
  readonly #results = new Map<ForwardPath, Classified>();
  #sourceError: Sent['sourceError'];
  #strained = false;
  readonly #reused: boolean;
  /** Their RCPT was taken, in order: LMTP answers the data once for each (RFC 2033 §4.2). */
  readonly #accepted: ForwardPath[] = [];
  #answered = false;

  constructor(session: Session, message: Outgoing, options: SendOptions) {
    this.#session = session;
    this.#message = message;
    this.#options = options;
    this.#reused = session.transactions > 1;
  }

  async run(): Promise<Omit<Sent, 'results'> & { results: RecipientResult[] }> {
    try {
      await this.#dialogue();
    } catch (error) {
      this.#session.cut(describeError(error));
      this.#strained = true;
      this.#settleOpen(connectionLost(`${describeError(error)} (${this.#session.target.host})`));
    }
    const results = this.#message.recipients.map(({ address }) => ({
      address,
      ...(this.#results.get(address) ?? connectionLost('No reply')),
    }));
    const stale = this.#reused && !this.#answered;
    return {
      results,
      strained: this.#strained && !stale,
      ...(stale ? { stale } : {}),
      ...(this.#sourceError === undefined ? {} : { sourceError: this.#sourceError }),
    };
  }

  async #dialogue(): Promise<void> {
    const go = this.#session.offers('PIPELINING') ? await this.#envelopePipelined() : await this.#envelopeStepwise();
    if (go) await this.#data();
    else if (!this.#session.lost.aborted) await this.#reset();
  }

  /** All at once; the replies come in order. True when the peer waits for the data of at least one recipient. */
  async #envelopePipelined(): Promise<boolean> {
    const { recipients } = this.#message;
    const lines = [
      mailCommand(this.#session, this.#message),
      ...recipients.map((each) => rcptCommand(this.#session, each)),
      'DATA',
    ];
    const [mail, ...rest] = this.#session.commands(lines, { ms: this.#options.config.timeouts.commandMs });
    const data = rest.pop();
    if (mail === undefined || data === undefined) throw new TypeError('A transaction has no commands');
    const taken = this.#takeMail(await mail);
    let accepted = 0;
    for (const [at, recipient] of recipients.entries()) {
      const answer = rest[at];
      if (answer === undefined) throw new TypeError('A recipient has no reply');
      if (this.#takeRcpt(recipient, await answer, accepted) && taken) accepted += 1;
    }
    const go = await data;
    if (accepted > 0) return this.#takeData(go);
    // RFC 2920 §3.1: it may say 354 although nobody was accepted; without a dot there is no message.
    if (go.code === 354) this.#session.cut('354 without a recipient');
    return false;
  }

  async #envelopeStepwise(): Promise<boolean> {
    const limit = { ms: this.#options.config.timeouts.commandMs };
    if (!this.#takeMail(await this.#one(mailCommand(this.#session, this.#message), limit))) return false;
    let accepted = 0;
    for (const recipient of this.#message.recipients) {
      if (this.#takeRcpt(recipient, await this.#one(rcptCommand(this.#session, recipient), limit), accepted))
        accepted += 1;
    }
    if (accepted === 0) return false;
    return this.#takeData(await this.#one('DATA', { ms: this.#options.config.timeouts.dataMs }));
  }

  async #one(line: string, limit: { ms: number }): Promise<HopReply> {
    const [reply] = this.#session.commands([line], limit);
    if (reply === undefined) throw new TypeError('A command has no reply');
    return reply;
  }

  #takeMail(reply: HopReply): boolean {
    this.#answered = reply.code !== 421;
    const word = this.#classify('mail', reply);
    if (word.verdict === 'delivered') return true;
    if (word.verdict === 'deferred') this.#strained = true;
    this.#settleOpen(word);
    return false;
  }

  #takeRcpt(recipient: Recipient, reply: HopReply, accepted: number): boolean {
    const word = this.#classify('rcpt', reply, accepted);
    if (word.verdict === 'delivered') {
      this.#accepted.push(recipient.address);
      return true;
    }
    // A 421 strains the hop; a full mailbox or a greylisted recipient says nothing about its pace.
    if (reply.code === 421) this.#strained = true;
    if (!this.#results.has(recipient.address)) this.#results.set(recipient.address, word);
    return false;
  }

  #takeData(reply: HopReply): boolean {
    // RFC 5321 §3.3: 354; a 2xx here would leave open who is to speak, so it is no "go on".
    if (reply.code === 354) return true;
    const word =
      reply.code < 400 ? connectionLost(`Unexpected reply to DATA: ${reply.text}`) : this.#classify('data', reply);
    if (word.verdict === 'deferred') this.#strained = true;
    if (reply.code < 400) this.#session.cut('Unexpected reply to DATA');
    this.#settleOpen(word);
    return false;
  }

  async #data(): Promise<void> {
    const { timeouts } = this.#options.config;
    const early = new AbortController();
    // Queued before the first octet: a peer may refuse in the middle of the data (552, 421) and stop reading.
    const deadline = timeouts.finalDotMs + timeouts.dataBlockMs * (2 + Math.ceil(this.#message.size / 65_536));
    const answer = this.#session.reply({ ms: deadline });
    const lmtp = this.#session.target.lmtp === true;
    const others = lmtp ? this.#accepted.slice(1).map(() => this.#session.reply({ ms: deadline })) : [];
    let ended = false;
    const watch = answer.then(
      () => (ended ? undefined : early.abort(new Error('Reply before the final dot'))),
      () => undefined,
    );
    try {
      await writeData(this.#session.socket, this.#message.body(), {
        blockMs: timeouts.dataBlockMs,
        signals: [early.signal, this.#session.lost],
        onEnd: () => {
          ended = true;
        },
      });
    } catch (error) {
      await this.#dataBroke(error, { early: early.signal.aborted ? await answer : undefined });
      await watch;
      return;
    }
    if (lmtp) await this.#finishEach([answer, ...others]);
    else this.#finish(await this.#finalReply(answer, timeouts.finalDotMs));
  }

  /** The final reply has its own deadline, counted from the final dot (RFC 5321 §4.5.3.2.6). */
  async #finalReply(answer: Promise<HopReply>, ms: number): Promise<HopReply> {
    const timer = setTimeout(() => this.#session.cut(`No reply to the final dot in ${ms} ms`), ms);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  #finish(reply: HopReply): void {
    const word = this.#classify('dot', reply);
    if (word.verdict === 'deferred') this.#strained = true;
    // Neither yes nor no: the session is out of step.
    if (reply.code < 200 || (reply.code >= 300 && reply.code < 400))
      this.#session.cut('Unexpected reply to the final dot');
    this.#settleOpen(word);
  }

  /** RFC 2033 §4.2: one reply for each accepted recipient, in the order of RCPT; a lost one leaves the earlier ones settled. */
  async #finishEach(answers: ReadonlyArray<Promise<HopReply>>): Promise<void> {
    for (const [at, address] of this.#accepted.entries()) {
      const answer = answers[at];
      if (answer === undefined) throw new TypeError('A recipient has no reply');
      const reply = await this.#finalReply(answer, this.#options.config.timeouts.finalDotMs);
      const word = this.#classify('dot', reply);
      if (reply.code === 421) this.#strained = true;
      if (reply.code < 200 || (reply.code >= 300 && reply.code < 400))
        this.#session.cut('Unexpected reply to the data');
      this.#results.set(address, word);
    }
  }

  /** In the middle of the data: cut first, whatever it was, so that no dot ever ends what is not the whole message. */
  async #dataBroke(error: unknown, { early }: { early: HopReply | undefined }): Promise<void> {
    const lost = this.#session.lost.aborted;
    this.#session.cut(describeError(error));
    if (early !== undefined) {
      this.#strained = early.code < 500;
      const believed = early.code >= 400;
      this.#settleOpen(
        believed ? this.#classify('dot', early) : connectionLost(`Reply before the final dot: ${early.text}`),
      );
      return;
    }
    if (!lost && errorCode(error) !== 'DEADLINE') {
      this.#sourceError = { code: errorCode(error), detail: describeError(error) };
      this.#settleOpen(ownWord('deferred', '4.3.0', 'Local trouble while reading the message'));
      return;
    }
    this.#strained = true;
    const cause = lost ? (this.#session.lost.reason as unknown) : error;
    this.#settleOpen(
      connectionLost(`${describeError(cause)} while sending the message to ${this.#session.target.host}`),
    );
  }

  /** A transaction that ended before its data may still be open at the peer. */
  async #reset(): Promise<void> {
    const reply = await this.#one('RSET', { ms: Math.min(this.#options.config.timeouts.commandMs, 30_000) });
    if (reply.code !== 250) this.#session.cut(`RSET refused: ${reply.text}`);
  }

  #classify(stage: 'mail' | 'rcpt' | 'data' | 'dot', reply: HopReply, accepted = 0): Classified {
    // RFC 5321 §3.8: it closes the connection after that; whoever goes on would only lose the next message.
    if (reply.code === 421) this.#session.cut(reply.text);
    return classifyReply(stage, reply, { acceptedBefore: accepted, ownServer: this.#options.ownServer });
  }

  /** The word for everybody who has none yet. */
  #settleOpen(word: Classified): void {
    for (const { address } of this.#message.recipients)
      if (!this.#results.has(address)) this.#results.set(address, word);
  }
}
