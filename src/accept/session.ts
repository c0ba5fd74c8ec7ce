/**
 * One session's rules: what MAIL, RCPT and DATA may say, and what is kept of them. Parameters belong to the MAIL that was
 * accepted and to no other. The configuration is read at connect and at each MAIL, so that a reload needs no restart and a
 * transaction sees one configuration from end to end. No method rejects: what throws is logged and answered 451 4.3.0.
 */
import { stampOf } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import { inNetworks } from '../base/network.ts';
import type { Config } from '../config/schema.ts';
import { addressKey, parseReversePath, type ReversePath } from '../mail/address.ts';
import type { Origin, Recipient, Transaction } from '../mail/envelope.ts';
import { ownTrouble, REPLY_STOPPING, type Reply, reply } from '../mail/reply.ts';
import { entryFor } from '../mail/sender-list.ts';
import type { Intake } from './api.ts';
import type { Conversation, DataSink, Peer } from './conversation.ts';
import type { Listing } from './dnsbl.ts';
import { mergeRecipientDsn, readRecipientDsn } from './dsn-parameters.ts';
import { type MailParameters, readMailParameters } from './mail-parameters.ts';
import { parsePathCommand } from './path-command.ts';
import { Reception } from './reception.ts';
import { judgeRecipient, type WelcomeRecipient } from './relay.ts';
import type { SessionContext } from './session-context.ts';

/** What is known of the client; XCLIENT begins a new one. */
interface Visit {
  clientName?: string;
  listing?: Promise<Listing>;
}

type Stage = 'connect' | 'mail' | 'rcpt' | 'data';

interface OpenTransaction extends MailParameters {
  config: Config;
  reversePath: ReversePath;
  recipients: Recipient[];
  /** The same, by the key under which two spellings of one mailbox meet. */
  byKey: Map<string, Recipient>;
  /** How often one of them was said again. */
  repeated: number;
}

/** A reason made once: without one each goodbye would build an exception with its stack. */
const LEFT = new SekishoError('ABORTED', 'The client has left');
const ACCEPTED_SENDER = reply(250, '2.1.0', 'Sender accepted');
const ACCEPTED_RECIPIENT = reply(250, '2.1.5', 'Recipient accepted');
// RFC 5321 §4.5.3.1.10
const TOO_MANY_RECIPIENTS = reply(452, '4.5.3', 'Too many recipients, send the rest in another transaction');
const BLOCKED_SENDER = reply(550, '5.7.1', 'The sender is on the block list of this site');

export class Session implements Conversation {
  readonly #context: SessionContext;
  readonly #peer: Peer;
  /** Made for who waits for it: most clients leave while nobody does. */
  #left: AbortController | undefined;
  #visit: Visit = {};
  #unknownRecipients = 0;
  #transaction: OpenTransaction | undefined;
  #reception: Reception | undefined;
  /** Of the last MAIL, accepted or not: for the record of a refusal. */
  #said: ReversePath | undefined;
  #messages = 0;
  #closed = false;

  constructor(context: SessionContext, peer: Peer) {
    this.#context = context;
    this.#peer = peer;
  }

  connected(): Reply | undefined {
    return this.#enter();
  }

  forwarded(name: string | undefined): Reply | undefined {
    this.#transaction = undefined;
    this.#context.guard.leave(this.#peer.id);
    return this.#enter(name);
  }

  #enter(givenName?: string): Reply | undefined {
    const refusal = this.#admit();
    if (refusal !== undefined) {
      this.#refused('connect', refusal);
      return refusal;
    }
    const { listener, nameOf, blocklists } = this.#context;
    const { address } = this.#peer;
    const visit: Visit = {};
    this.#visit = visit;
    if (givenName !== undefined && givenName !== '') visit.clientName = givenName;
    // in the background: nobody waits for a name; the office's own servers are known by their network
    if (givenName === undefined && listener === 'mx')
      nameOf(address)
        .then((name) => {
          if (name !== undefined) visit.clientName = name;
        })
        .catch((error: unknown) => this.#complain('Confirming the client name failed', error));
    const config = this.#context.config();
    // who speaks for others is not asked about; the client it names will be
    if (listener === 'mx' && !inNetworks(address, config.listeners.mx.xclientPeers))
      visit.listing = blocklists(address, config.accept.dnsbl);
    return undefined;
  }

  mail(line: Buffer): Promise<Reply> {
    return this.#run('mail', () => this.#mail(line));
  }

  rcpt(line: Buffer): Promise<Reply> {
    return this.#run('rcpt', () => this.#rcpt(line), line);
  }

  async data(): Promise<Reply | DataSink> {
    try {
      return await this.#data();
    } catch (error) {
      this.#complain('DATA failed', error);
      const answer = ownTrouble();
      this.#refused('data', answer);
      return answer;
    }
  }

  reset(): void {
    this.#transaction = undefined;
  }

  inTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  dismissed(stage: 'connect' | 'data', answer: Reply): void {
    // misbehaviour, not slowness (4.4.2)
    if (answer.enhanced === '4.7.0') this.#context.known.dismissed(this.#peer.address);
    this.#refused(stage, answer);
  }

  closed(): void {
    this.#closed = true;
    this.#left?.abort(LEFT);
    this.#context.guard.leave(this.#peer.id);
    if (this.#reception !== undefined) this.#context.track(this.#reception.abort());
    this.#reception = undefined;
    this.#transaction = undefined;
  }

  #admit(): Reply | undefined {
    const { listener, guard } = this.#context;
    if (this.#context.stopping()) return REPLY_STOPPING;
    const { mx, relay } = this.#context.config().listeners;
    const { id, address } = this.#peer;
    // before the counting: strangers must not be able to fill the office's places
    if (listener === 'relay' && !inNetworks(address, relay.networks))
      return reply(554, '5.7.1', 'This service is for our own mail servers only');
    if (listener === 'relay') return guard.enter(id, address, { total: relay.maxSessions });
    const { maxSessions, maxSessionsPerAddress: perAddress, maxSessionsPerNetwork: perNetwork } = mx;
    const { known } = this.#context;
    // DEFAULTS: the last tenth is for those whose mail was good before
    const total = known.knows(address) ? maxSessions : maxSessions - known.reserve(maxSessions);
    const limits = { total, perAddress, perNetwork };
    return guard.enter(id, address, limits);
  }

  #mail(line: Buffer): Reply {
    this.#said = undefined;
    if (this.#context.stopping()) return REPLY_STOPPING;
    if (this.#transaction !== undefined) return reply(503, '5.5.1', 'A transaction is already open');
    const config = this.#context.config();
    if (this.#messages >= config.limits.messagesPerSession)
      return reply(421, '4.7.0', 'Enough messages in one session, please connect anew');
    const command = parsePathCommand('MAIL', line);
    if ('code' in command) return command;
    const parameters = readMailParameters(command, config.limits);
    if ('code' in parameters) return parameters;
    // RFC 6531 §3.7.4.2
    if (/[^\u0000-\u007f]/.test(command.path) && !parameters.smtpUtf8)
      return reply(553, '5.6.7', 'This address needs the SMTPUTF8 parameter');
    const reversePath = parseReversePath(command.path);
    if (reversePath === undefined) return reply(553, '5.1.7', 'Bad sender address syntax');
    this.#said = reversePath;
    const refusal = this.#context.pipeline.admits(this.#origin(), parameters.announcedSize);
    if (refusal !== undefined) return refusal;
    this.#transaction = { config, reversePath, ...parameters, recipients: [], byKey: new Map(), repeated: 0 };
    return ACCEPTED_SENDER;
  }

  async #rcpt(line: Buffer): Promise<Reply> {
    const transaction = this.#transaction;
    if (transaction === undefined) return reply(503, '5.5.1', 'Say MAIL first');
    const command = parsePathCommand('RCPT', line);
    if ('code' in command) return command;
    // RFC 5321 §4.1.1.11
    const unknown = [...command.parameters.keys()].find((keyword) => keyword !== 'NOTIFY' && keyword !== 'ORCPT');
    if (unknown !== undefined) return reply(555, '5.5.4', `Parameter ${unknown} is not supported`);
    const { config, smtpUtf8 } = transaction;
    const dsn = readRecipientDsn(command.parameters, { smtpUtf8 });
    if (dsn !== undefined && 'code' in dsn) return dsn;
    const judged = judgeRecipient(command.path, { config, listener: this.#context.listener, smtpUtf8 });
    if ('code' in judged) return judged;
    // elsewhere two spellings may be two mailboxes (RFC 5321 §2.4), with us they are one
    const key = judged.domain === undefined ? judged.address : addressKey(judged.address);
    const known = transaction.byKey.get(key);
    const most = config.limits.recipientsPerMessage;
    if (known !== undefined) {
      // a list may name somebody twice; who goes on and on about it keeps a session busy for nothing
      transaction.repeated += 1;
      if (transaction.repeated > most) return TOO_MANY_RECIPIENTS;
      const merged = mergeRecipientDsn(known.dsn, dsn);
      if (merged !== undefined) known.dsn = merged;
      return ACCEPTED_RECIPIENT;
    }
    if (transaction.recipients.length >= most) return TOO_MANY_RECIPIENTS;
    const unwanted = this.#unwanted(transaction);
    if (unwanted !== undefined) return unwanted;
    // postmaster and abuse hear also from those who are on a list, to complain about it
    const refusal = (judged.reserved ? undefined : await this.#blocked(config)) ?? (await this.#ask(judged));
    if (refusal !== undefined) return refusal;
    const recipient: Recipient = { address: judged.address, ...(dsn === undefined ? {} : { dsn }) };
    transaction.byKey.set(key, recipient);
    transaction.recipients.push(recipient);
    return ACCEPTED_RECIPIENT;
  }

  /** Is there such a mailbox? Undefined: take it. */
  async #ask(recipient: WelcomeRecipient): Promise<Reply | undefined> {
    if (recipient.domain === undefined || recipient.reserved) return undefined;
    const { directory, deadlines } = this.#context;
    const answer = await withDeadline('Checking a recipient', { ms: deadlines.recipientMs }, () =>
      directory.check(recipient.address),
    );
    if (answer.known === 'yes') return undefined;
    if (answer.known === 'no') return this.#unknown();
    if (recipient.domain.recipients.whenUnknown === 'accept') return undefined;
    return reply(450, '4.4.3', 'Cannot check this recipient now, please try again later');
  }

  /** Who guesses addresses waits for each answer; who means a real mailbox never does. */
  async #unknown(): Promise<Reply> {
    const { brake, listener } = this.#context;
    if (listener === 'mx') {
      const limit = this.#context.config().limits.unknownRecipientsPerSession;
      this.#unknownRecipients += 1;
      const { pauseMs, enough } = brake.guessed(this.#peer.address, { inSession: this.#unknownRecipients, limit });
      this.#left ??= new AbortController();
      if (pauseMs > 0 && !this.#closed) await this.#context.wait(pauseMs, this.#left.signal);
      if (enough) {
        this.#context.known.dismissed(this.#peer.address);
        return reply(421, '4.7.0', 'Too many unknown recipients, closing');
      }
    }
    return reply(550, '5.1.1', 'No such mailbox here');
  }

  /** Whom the owner's block list names is told before the data, unless the owner wants to look at his mail. */
  #unwanted({ config, reversePath }: OpenTransaction): Reply | undefined {
    const { block, blocked } = config.policy.lists;
    if (this.#context.listener !== 'mx' || blocked !== 'reject' || block.length === 0) return undefined;
    const addresses = reversePath === '' ? [] : [reversePath];
    const entry = entryFor(block, { clientAddress: this.#peer.address, addresses });
    return entry === undefined ? undefined : BLOCKED_SENDER;
  }

  async #blocked({ accept: { dnsbl } }: Config): Promise<Reply | undefined> {
    const listing = await this.#visit.listing;
    if (listing === undefined || listing.zones.length === 0 || listing.sum < dnsbl.threshold) return undefined;
    return reply(554, '5.7.1', `Client [${this.#peer.address}] is listed at ${listing.zones.join(', ')}`);
  }

  async #data(): Promise<Reply | DataSink> {
    const open = this.#transaction;
    if (open === undefined || open.recipients.length === 0) {
      const answer = reply(503, '5.5.1', open === undefined ? 'Say MAIL first' : 'No valid recipients');
      this.#refused('data', answer);
      return answer;
    }
    const transaction: Transaction = {
      origin: this.#origin(),
      envelope: {
        reversePath: open.reversePath,
        recipients: [...open.recipients],
        smtpUtf8: open.smtpUtf8,
        eightBit: open.eightBit,
        ...(open.ret === undefined ? {} : { ret: open.ret }),
        ...(open.envid === undefined ? {} : { envid: open.envid }),
      },
      ...(open.announcedSize === undefined ? {} : { announcedSize: open.announcedSize }),
      arrival: stampOf(this.#context.clock),
    };
    const begun = await this.#begin(transaction);
    if ('code' in begun) {
      this.#refused('data', begun);
      return begun;
    }
    return this.#receive(begun, open);
  }

  /** A pipeline that answers after its deadline, or to a client that left, is told to forget the message. */
  async #begin(transaction: Transaction): Promise<Intake | Reply> {
    const { pipeline, deadlines, known } = this.#context;
    const { listener, clientAddress } = transaction.origin;
    const begin = pipeline.begin(transaction, { precedence: listener === 'relay' || known.knows(clientAddress) });
    let intake: Intake | Reply;
    try {
      intake = await withDeadline('Beginning a message', { ms: deadlines.beginMs }, () => begin);
    } catch (error) {
      const forget = (late: Intake | Reply): unknown => ('code' in late ? undefined : late.abort());
      this.#context.track(begin.then(forget, () => undefined)); // what it threw is told once, by our caller
      throw error;
    }
    if (this.#closed && !('code' in intake)) {
      this.#context.track(intake.abort());
      return ownTrouble();
    }
    return intake;
  }

  #receive(intake: Intake, open: OpenTransaction): DataSink {
    const { listener, observe, deadlines } = this.#context;
    const { limits, listeners, timeouts } = open.config;
    const reception = new Reception(intake, {
      bareLineFeed: listeners[listener].bareLineFeed,
      messageOctets: limits.messageOctets,
      receivedHops: limits.receivedHops,
      writeMs: deadlines.writeMs,
      finishMs: timeouts.inspectionMs + deadlines.finishExtraMs,
      observe,
    });
    this.#reception = reception;
    return {
      write: (content) => reception.write(content),
      end: () => this.#finish(reception),
      get excessive() {
        return reception.excessive;
      },
    };
  }

  async #finish(reception: Reception): Promise<Reply> {
    const ending = reception.end();
    this.#context.track(ending);
    const answer = await ending;
    if (reception.refusal !== undefined) this.#refused('data', answer);
    this.#reception = undefined;
    this.#messages += 1;
    if (answer.code < 300 && reception.clean) this.#context.known.taken(this.#peer.address);
    return answer;
  }

  #origin(): Origin {
    const { listener } = this.#context;
    const tls = this.#peer.tls();
    const protocol = this.#peer.protocol();
    return {
      direction: listener === 'mx' ? 'inbound' : 'outbound',
      listener,
      sessionId: this.#peer.id,
      clientAddress: this.#peer.address,
      helo: this.#peer.helo(),
      // RFC 6531 §4.3 registers the UTF8 forms of RFC 3848's keywords
      protocol: this.#transaction?.smtpUtf8 === true ? protocol.replace(/^ESMTP/, 'UTF8SMTP') : protocol,
      ...(this.#visit.clientName === undefined ? {} : { clientName: this.#visit.clientName }),
      ...(tls === undefined ? {} : { tls }),
    };
  }

  async #run(stage: 'mail' | 'rcpt', work: () => Reply | Promise<Reply>, line?: Buffer): Promise<Reply> {
    let answer: Reply;
    try {
      answer = await work();
    } catch (error) {
      this.#complain(`${stage.toUpperCase()} failed`, error);
      answer = ownTrouble();
    }
    if (answer.code >= 400) this.#refused(stage, answer, line);
    return answer;
  }

  #refused(stage: Stage, answer: Reply, line?: Buffer): void {
    const reversePath = this.#transaction?.reversePath ?? (stage === 'mail' ? this.#said : undefined);
    this.#context.observe.emit({
      event: 'refused',
      stage,
      origin: this.#origin(),
      ...(reversePath === undefined ? {} : { reversePath }),
      ...(line === undefined ? {} : { recipient: quoted(line) }),
      reply: `${answer.code} ${answer.enhanced} ${answer.text}`,
    });
  }

  #complain(what: string, error: unknown): void {
    this.#context.observe.log('error', `${what}: ${describeError(error)}`, { session: this.#peer.id });
  }
}

/** What the client wrote behind `RCPT TO:`, fit for a log. */
function quoted(line: Buffer): string {
  const text = line.toString('utf8').replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?');
  return text.replace(/^[^:]*:\s*/, '').slice(0, 320);
}
