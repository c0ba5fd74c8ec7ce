/**
 * With `gate-server.ts` and `gate-stream.ts` the only file that touches the insides of smtp-server (3.21.6, pinned). The library
 * keeps what it does well: sockets, command framing, EHLO, the STARTTLS upgrade. We take over, by overriding and without patching it:
 * - the greeting: its fixed 100 ms wait is ours to choose (`greetingDelayMs`);
 * - MAIL, RCPT, DATA: its parameters leak from a refused MAIL into the next, its errors become 550, its 354 goes out before
 *   anybody was asked, and its DATA reader stalls on dot lines (see `DataParser`);
 * - enhanced status codes: on its own replies by its table, on ours in the text;
 * - limits it has not got: errors, junk commands, minimum data rate, total time, TLS handshake time, idle time under pressure;
 * - XCLIENT: its list of peers knows no networks, and it takes a login over.
 * Every command is answered exactly once; what throws becomes 451 4.3.0. `test/accept/library.test.ts` fails when a new
 * version no longer has the methods that are overridden here.
 */
import type { Socket } from 'node:net';
import type { SMTPServer } from 'smtp-server';
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import type { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import { inNetworks } from '../base/network.ts';
import { ownTrouble, REPLY_STOPPING, type Reply, reply, replyText } from '../mail/reply.ts';
import type { Conversation, DataSink, Gate, Peer } from './conversation.ts';
import { readDirectly } from './direct-reads.ts';
import { GateStream } from './gate-stream.ts';
import { RateWatch } from './rate-watch.ts';
import { parseXclient, XCLIENT_OFFER } from './xclient.ts';

/** Commands that bring no message closer; a few are fine. */
const JUNK = new Set(['NOOP', 'RSET', 'VRFY', 'EXPN', 'HELP', 'HELO', 'EHLO']);
export const MAX_COMMAND_OCTETS = 4_096;
/** RFC 5321 §4.2.1: 3yz replies carry no enhanced code. */
const GO_AHEAD = 354;

export type GateOptions = SMTPConnectionOptions & { gate: Gate; live: Set<GateConnection> };

export class GateConnection extends SMTPConnection implements Peer {
  readonly #gate: Gate;
  readonly #conversation: Conversation;
  readonly #live: Set<GateConnection>;
  readonly #openedAt: number;
  #errors = 0;
  #junk = 0;
  #lineSince: number | undefined;
  /** The command at hand ended with LF alone, and this listener does not mend that. */
  #bareLine = false;
  /** When the client last sent something, as far as `watch` saw. */
  #heard: { octets: number; at: number };
  #handshake: { since: number; socket: Socket } | undefined;
  #rate: RateWatch | undefined;
  /** Between the final dot and its reply. */
  #finishing = false;
  /** The socket whose octets come without a stream; after STARTTLS it is another one. */
  #direct: Socket | undefined;
  /** A command of ours waits for somebody. */
  #busy = false;

  constructor(server: SMTPServer, socket: Socket, options: GateOptions) {
    super(server, socket, options);
    this.#gate = options.gate;
    this.#live = options.live;
    this.#openedAt = options.gate.now();
    this.#heard = { octets: 0, at: this.#openedAt };
    this.#conversation = options.gate.open(this);
  }

  get address(): string {
    return this.remoteAddress;
  }

  helo(): string {
    return this.hostNameAppearsAs === false ? '' : this.hostNameAppearsAs;
  }

  protocol(): string {
    return this._transmissionType();
  }

  tls(): { protocol: string; cipher: string } | undefined {
    const cipher = this.tlsOptions;
    if (!this.secure || cipher === false || cipher === undefined) return undefined;
    const protocol = 'getProtocol' in this._socket ? this._socket.getProtocol() : undefined;
    return { protocol: protocol ?? cipher.version, cipher: cipher.standardName ?? cipher.name };
  }

  /** Neither in a transaction nor waiting for an answer of ours. */
  isIdle(): boolean {
    return !this._closing && !this.#busy && !this.#finishing && !this.#conversation.inTransaction();
  }

  /** Sends a reply of ours; a 421 closes the connection behind it. */
  say(answer: Reply): void {
    this.send(answer.code, replyText(answer), false);
  }

  cut(): void {
    this._socket.destroy();
  }

  override init(): void {
    this.#readDirectly();
    this._setListeners(() => {
      const refusal = this.#conversation.connected();
      if (refusal !== undefined) {
        this.say(refusal);
        this.close();
        return;
      }
      const delay = this.#gate.settings().greetingDelayMs;
      if (delay === 0) this.connectionReady();
      else setTimeout(() => this.connectionReady(), delay).unref();
    });
  }

  override connectionReady(next?: () => void): void {
    if (this._closing || this._closed) return;
    super.connectionReady(next);
  }

  override _useEnhancedStatusCodes(): boolean {
    return true; // on the library's own replies; ours come with `context` false and carry theirs in the text
  }

  override _isSupported(command: string): boolean {
    // against the address that connected (or that a listed balancer vouched for), never one that XCLIENT gave
    if (command.trim().toUpperCase() === 'XCLIENT')
      return inNetworks(this._originalRemoteAddress, this.#gate.settings().xclientPeers);
    return super._isSupported(command);
  }

  override _proxyCommandAllowed(command: string): boolean {
    return command === 'XCLIENT' && this._isSupported(command);
  }

  override send(code: number, said?: string | string[] | null, context?: string | false): void {
    // an array is the answer to EHLO; the library would offer LOGIN as well
    const data = Array.isArray(said) ? said.map((line) => (line.startsWith('XCLIENT ') ? XCLIENT_OFFER : line)) : said;
    if (code >= 500) this.#errors += 1;
    if (code >= 500 && this.#errors >= this.#gate.settings().errors && this._ready) {
      this.#dismiss('connect', reply(421, '4.7.0', 'Too many errors, closing'));
      return;
    }
    super.send(code, data, context);
  }

  override _createParser(): SMTPStream {
    const parser = new GateStream({ maxCommandLength: MAX_COMMAND_OCTETS });
    parser.oncommand = (command, callback) => {
      const end = parser.endOf(command);
      if (end === 'none') return callback?.(); // the connection was lost in the middle of a line: that is no command
      this.#bareLine = end === 'lf' && this.#gate.settings().bareLineFeed === 'reject';
      this._onCommand(command, callback);
    };
    parser.on('error', (error: Error) => {
      const tooLong = error.message === 'Command line too long';
      if (!tooLong) this.#gate.failed('Reading commands', error);
      this.#dismiss('connect', tooLong ? reply(421, '4.7.0', 'Command line too long, closing') : REPLY_STOPPING);
    });
    return parser;
  }

  override _onCommand(command: Buffer, callback?: () => void): void {
    this.#lineSince = undefined;
    this._unrecognizedCommands = 0; // counted by us, with a limit that is a setting
    if (!this._ready && !this._upgrading) {
      // only spam engines cannot wait for a greeting (RFC 5321 §4.3.1 has the client wait)
      this.#dismiss('connect', reply(421, '4.7.0', 'You spoke before the greeting, closing'));
      return;
    }
    // RFC 5321 §2.3.8: only CRLF ends a line. Who stands before us and reads on behind a lone LF saw one line where we would
    // see two, and the second would be a command of a stranger's.
    if (this.#bareLine && !this._upgrading) {
      this.say(reply(500, '5.5.2', 'A line ends with CRLF, not with LF alone'));
      callback?.();
      return;
    }
    const verb = command.toString('latin1').split(' ', 1)[0]?.trim().toUpperCase() ?? '';
    if (!this._upgrading && (JUNK.has(verb) || !this._isSupported(verb))) {
      this.#junk += 1;
      if (this.#junk > this.#gate.settings().junkCommands) {
        this.#dismiss('connect', reply(421, '4.7.0', 'Too many commands without a message, closing'));
        return;
      }
    }
    super._onCommand(command, callback);
  }

  override _resetSession(): void {
    super._resetSession();
    this.#conversation.reset();
  }

  override handler_MAIL(command: Buffer, callback: () => void): void {
    this.#answer('MAIL', callback, () => this.#conversation.mail(command));
  }

  override handler_RCPT(command: Buffer, callback: () => void): void {
    this.#answer('RCPT', callback, () => this.#conversation.rcpt(command));
  }

  // RFC 5321 §3.5.3: not telling is allowed, not answering is not
  override handler_VRFY(_command: Buffer, callback: () => void): void {
    this.say(reply(252, '2.5.0', 'Cannot verify, but will take mail for relay domains'));
    callback();
  }

  override handler_HELP(_command: Buffer, callback: () => void): void {
    this.say(reply(214, '2.0.0', 'HELO EHLO MAIL RCPT DATA RSET NOOP QUIT VRFY STARTTLS'));
    callback();
  }

  handler_EXPN(_command: Buffer, callback: () => void): void {
    this.say(reply(502, '5.5.1', 'EXPN is not available'));
    callback();
  }

  // RFC 3030 is not offered; the chunk of who sends it nevertheless must never be read as commands, so nothing more is read
  handler_BDAT(_command: Buffer, callback: () => void): void {
    this.say(reply(502, '5.5.1', 'BDAT was not offered, closing'));
    this.close();
    callback();
  }

  override handler_XCLIENT(command: Buffer, callback: () => void): void {
    this.#answer('XCLIENT', callback, async () => {
      if (this.#conversation.inTransaction())
        return reply(503, '5.5.1', 'XCLIENT is not for the middle of a transaction');
      const client = parseXclient(command);
      if ('code' in client) return client;
      // a client nobody knows is the peer's own affair, and never the client named before
      if (client.address !== undefined) this.remoteAddress = client.address || this._originalRemoteAddress;
      if (client.protocol !== undefined) this.openingCommand = client.protocol === 'ESMTP' ? 'EHLO' : 'HELO';
      this.hostNameAppearsAs = client.helo ?? false;
      const refusal = this.#conversation.forwarded(client.name === false ? '' : client.name);
      if (refusal !== undefined) {
        this.say(refusal);
        this.close();
        return undefined;
      }
      // XCLIENT_README: the session starts over, with the greeting
      this._resetSession();
      this._sendGreeting();
      return undefined;
    });
  }

  override handler_DATA(command: Buffer, callback: () => void): void {
    this.#answer('DATA', callback, async () => {
      if (command.toString('latin1').trim().length > 4) return reply(501, '5.5.4', 'Syntax: DATA');
      const begun = await this.#conversation.data();
      if ('code' in begun) return begun;
      const parser = this._parser;
      if (!(parser instanceof GateStream) || this._closed || this._closing) return ownTrouble();
      this.#rate = new RateWatch(this.#gate.settings().dataRate);
      parser.beginData({
        write: (content) => this.#receive(begun, content),
        end: () => this.#finish(begun),
      });
      this.#readDirectly();
      this.send(GO_AHEAD, 'End data with <CR><LF>.<CR><LF>');
      return undefined;
    });
  }

  override upgrade(callback: () => void, secureCallback?: () => void): void {
    this.#conversation.reset();
    super.upgrade(callback, secureCallback);
  }

  /** The library arms the idle timeout of a TLS socket just before the handshake: that is how we learn of the socket. */
  override _armTimeout(socket?: Socket): void {
    super._armTimeout(socket);
    if (this._upgrading && socket !== undefined) this.#handshake = { since: this.#gate.now(), socket };
  }

  override _onTimeout(): void {
    // the client owes us nothing while we think: RFC 5321 §4.5.3.2.6 has it wait ten minutes
    const blocked = this._parser instanceof GateStream && this._parser.blocked;
    if (this.#finishing || this.#busy || blocked) this._armTimeout();
    else super._onTimeout();
  }

  override _onClose(): void {
    const first = !this._closed;
    super._onClose();
    if (!first) return;
    this.#live.delete(this);
    this.#conversation.closed();
  }

  /** Deadlines; called about once a second. */
  watch(): void {
    if (this._closed || this._closing) return;
    const now = this.#gate.now();
    const settings = this.#gate.settings();
    if (this._upgrading) {
      // the TLS socket, never the raw one underneath: tearing that away in a handshake crashes the process
      if (this.#handshake !== undefined && now - this.#handshake.since > settings.handshakeMs)
        this.#handshake.socket.destroy();
      return;
    }
    const parser = this._parser;
    if (!(parser instanceof GateStream)) return;
    if (this.#finishing || this.#busy) {
      this.#heard.at = now; // it waits for us: that is no idleness
      return;
    }
    if (now - this.#openedAt > settings.totalMs && !parser.blocked)
      return this.#dismiss('connect', reply(421, '4.4.2', 'The session took too long, closing'));
    if (parser.inData) {
      if (this.#rate?.tooSlow(now, parser.received, parser.blocked) === true)
        this.#dismiss('data', reply(421, '4.4.2', 'The data came too slowly, closing'));
      return;
    }
    if (this.#isIdleTooLong(now, settings.idleNowMs))
      return this.#dismiss('connect', reply(421, '4.4.2', 'Idle for too long, closing'));
    if (parser._remainder === '') this.#lineSince = undefined;
    else this.#lineSince ??= now;
    if (this.#lineSince !== undefined && now - this.#lineSince > settings.lineMs)
      this.#dismiss('connect', reply(421, '4.4.2', 'The command took too long, closing'));
  }

  /** The library's own timeout is the socket's and was set when nothing pressed; this one follows the settings. */
  #isIdleTooLong(now: number, limitMs: number): boolean {
    const octets = this._socket.bytesRead;
    if (octets !== this.#heard.octets) this.#heard = { octets, at: now };
    return now - this.#heard.at > limitMs;
  }

  #dismiss(stage: 'connect' | 'data', answer: Reply): void {
    this.#conversation.dismissed(stage, answer);
    this.say(answer);
  }

  #readDirectly(): void {
    if (this.#direct === this._socket) return;
    this.#direct = this._socket;
    readDirectly(this._socket, () => (this._parser instanceof GateStream ? this._parser : undefined));
  }

  #receive(sink: DataSink, content: Buffer): Promise<void> | undefined {
    const writing = sink.write(content);
    if (sink.excessive) this.cut();
    return writing;
  }

  async #finish(sink: DataSink): Promise<void> {
    this.#finishing = true;
    let answer = ownTrouble();
    try {
      answer = await sink.end();
    } catch (error) {
      this.#gate.failed('DATA', error);
    }
    this.#finishing = false;
    if (answer.code < 300) this.#junk = 0;
    this._resetSession();
    this.say(answer);
    if (this.#gate.stopping() && !this._closing && !this._closed) this.say(REPLY_STOPPING);
  }

  /** Runs a handler to its one reply, whatever happens in it. */
  #answer(what: string, callback: () => void, work: () => Promise<Reply | undefined>): void {
    const run = async (): Promise<void> => {
      this.#busy = true;
      let answer: Reply | undefined;
      try {
        answer = await work();
      } catch (error) {
        this.#gate.failed(what, error);
        answer = ownTrouble();
      }
      this.#busy = false;
      if (answer !== undefined) this.say(answer);
      callback();
    };
    run().catch((error: unknown) => {
      this.#gate.failed(what, error);
      this.cut(); // the reply itself could not be written
    });
  }
}
