/**
 * The listening side of smtp-server: which of its parts are on, and what stands between an accepted socket and its session.
 * A peer that is a listed balancer first says whom it speaks for (PROXY protocol); only then does the library see the
 * socket, so that every limit, record and inspector knows the real client. Touches the library's insides, as `library.ts`.
 */
import type { Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import { inNetworks } from '../base/network.ts';
import type { Gate } from './conversation.ts';
import { GateConnection, MAX_COMMAND_OCTETS } from './library.ts';
import { readProxyHeader } from './proxy-header.ts';

/** XCLIENT is judged by each connection. */
const DISABLED = ['AUTH', 'WIZ', 'SHELL', 'KILL', 'XFORWARD'];

export class GateServer extends SMTPServer {
  readonly #gate: Gate;
  /** Sockets of balancers that have not said their header yet. */
  readonly #introducing = new Set<Socket>();
  /** Until the socket is closed; the library's own set forgets a connection as soon as it says goodbye. */
  readonly live = new Set<GateConnection>();

  constructor(gate: Gate, tls: { key: string; cert: string }) {
    const options: SMTPServerOptions = {
      ...tls,
      minVersion: 'TLSv1.2',
      logger: false,
      disabledCommands: DISABLED,
      authOptional: true,
      disableReverseLookup: true,
      lenientAddressParsing: true,
      hideENHANCEDSTATUSCODES: false,
      hideDSN: false,
      hideREQUIRETLS: true,
      heloResponse: '%s',
      banner: '',
      maxCommandLength: MAX_COMMAND_OCTETS,
      useProxy: false,
      useXClient: false,
      useXForward: false,
      maxRecipients: 0,
      onConnect: (_session, callback) => callback(),
    };
    super(options);
    this.#gate = gate;
  }

  override connect(socket: Socket, socketOptions?: SMTPConnectionOptions | null): void {
    if (socket.destroyed) return; // gone before we looked: its `close` will not come again
    const { proxyPeers } = this.#gate.settings();
    if (proxyPeers.length === 0 || !inNetworks(socket.remoteAddress ?? '', proxyPeers))
      return this.#begin(socket, socketOptions);
    this.#introduce(socket, socketOptions).catch((error: unknown) => {
      this.#gate.failed('Reading a PROXY header', error);
      socket.destroy();
    });
  }

  /** Sockets that are no session yet. */
  cutIntroductions(): void {
    for (const socket of this.#introducing) socket.destroy();
  }

  /** Deadlines that the library has not got; to be called about once a second. */
  watch(): void {
    for (const connection of this.live) connection.watch();
  }

  async #introduce(socket: Socket, socketOptions?: SMTPConnectionOptions | null): Promise<void> {
    const late = (): void => undefined; // an error after the header was refused must not end the process
    socket.on('error', late);
    this.#introducing.add(socket);
    const header = await readProxyHeader(socket, { deadlineMs: this.#gate.settings().proxyHeaderMs });
    this.#introducing.delete(socket);
    if (typeof header === 'string') {
      this.#gate.noProxyHeader(socket.remoteAddress ?? '', header);
      socket.destroy();
      return;
    }
    if (socket.destroyed) return;
    const { client } = header;
    this.#begin(socket, { ...socketOptions, ...(client === undefined ? {} : { remoteAddress: client }) });
    socket.off('error', late);
  }

  /** The options that a reload may have changed are read anew for each connection. */
  #begin(socket: Socket, socketOptions?: SMTPConnectionOptions | null): void {
    const settings = this.#gate.settings();
    this.options.name = settings.hostname;
    this.options.size = settings.messageOctets;
    this.options.socketTimeout = settings.idleMs;
    const connection = new GateConnection(this, socket, { ...socketOptions, gate: this.#gate, live: this.live });
    this.connections.add(connection);
    this.live.add(connection);
    connection.on('error', (error: Error) => this.emit('error', error));
    connection.init();
  }
}
