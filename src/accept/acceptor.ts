/**
 * One SMTP listener: the MX port for the Internet, or the relay port for the office's own servers. Owns the port and the
 * sessions; knows nothing of spool, policy or engines beyond `Pipeline`. `close` stops taking connections, says 421 to
 * whoever is idle, lets open transactions come to their reply for at most `graceMs`, then cuts; it resolves when every
 * message that had its final dot is settled one way or the other (or the grace is over).
 */
import type { AddressInfo, Server, Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import type { Resolver } from '../base/resolver.ts';
import type { Config } from '../config/schema.ts';
import { REPLY_STOPPING } from '../mail/reply.ts';
import type { Observe } from '../observe/events.ts';
import type { Pipeline, RecipientDirectory } from './api.ts';
import { createClientNamer } from './client-name.ts';
import { ConnectionGuard } from './connection-guard.ts';
import type { Gate, GateSettings } from './conversation.ts';
import { createBlocklists } from './dnsbl.ts';
import { GateServer } from './gate-server.ts';
import { HarvestBrake } from './harvest-brake.ts';
import { KnownPeers } from './known-peers.ts';
import { Session } from './session.ts';
import type { SessionContext } from './session-context.ts';

export interface AcceptorOptions {
  /** The configuration of this moment; asked at each connection and each MAIL. */
  config: () => Config;
  listener: 'mx' | 'relay';
  pipeline: Pipeline;
  directory: RecipientDirectory;
  observe: Observe;
  clock: Clock;
  resolver: Resolver;
  /** Whose mail was good; of its own, and only in memory, when none is given. */
  known?: KnownPeers;
  /** PEM. */
  tls: { key: string; cert: string };
  /** Instead of the configured port; 0 lets the system choose. */
  port?: number;
  /** Instead of the configured address. */
  address?: string;
  timing?: Partial<AcceptorTiming>;
  /** Instead of really waiting, for tests. */
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface AcceptorTiming {
  /** Instead of the listener's setting. */
  greetingDelayMs?: number;
  /** A balancer's PROXY header; the specification asks for 3 s at least. */
  proxyHeaderMs: number;
  dnsblMs: number;
  /** Idle and command time when more than four fifths of the sessions are taken. */
  pressedMs: number;
  clientNameMs: number;
  recipientMs: number;
  beginMs: number;
  writeMs: number;
  /** For decide and commit, on top of the inspection's own deadline. */
  finishExtraMs: number;
  commandLineMs: number;
  dataRate: { octetsPerSecond: number; windowMs: number };
  /** How often deadlines are looked at. */
  watchMs: number;
}

/** DEFAULTS: idle 10 s under pressure; a begun command line 60 s; DATA ≥ 500 octets/s over any 60 s. */
const TIMING: AcceptorTiming = {
  proxyHeaderMs: 5_000,
  clientNameMs: 5_000,
  dnsblMs: 5_000,
  recipientMs: 60_000,
  beginMs: 30_000,
  writeMs: 60_000,
  finishExtraMs: 60_000,
  commandLineMs: 60_000,
  pressedMs: 10_000,
  dataRate: { octetsPerSecond: 500, windowMs: 60_000 },
  watchMs: 1_000,
};

export interface Acceptor {
  /** Rejects with LISTEN_FAILED when the port cannot be had. */
  listen(): Promise<{ address: string; port: number }>;
  /** Instead of `listen`: on a listening server that somebody opened before us; its connections are ours from now on. */
  serve(front: Server): { address: string; port: number };
  /** Begins a session of our own on this socket, as if a local client had come. */
  take(socket: Socket): void;
  /** While true every new session and transaction hears 421; what has begun comes to its end. */
  refuse(on: boolean): void;
  /** Sessions open now. */
  sessions(): number;
  /** For handshakes from now on. Throws, and keeps the old one, when the new one cannot be used. */
  updateTls(tls: { key: string; cert: string }): void;
  close(options: { graceMs: number }): Promise<void>;
}

/** Sockets on their way out, or not heard yet; some 20 KB each. */
const TURNED_AWAY = 2_048;

/** Of the sessions; beyond it who is idle makes room sooner. */
const PRESSURE = 0.8;

export async function createAcceptor(options: AcceptorOptions): Promise<Acceptor> {
  const timing: AcceptorTiming = { ...TIMING, ...options.timing };
  const guard = new ConnectionGuard();
  const working = new Set<Promise<unknown>>();
  let stopping = false;
  let refusing = false;

  const context: SessionContext = {
    config: options.config,
    listener: options.listener,
    pipeline: options.pipeline,
    directory: options.directory,
    observe: options.observe,
    clock: options.clock,
    guard,
    nameOf: createClientNamer({ resolver: options.resolver, deadlineMs: timing.clientNameMs }),
    blocklists: createBlocklists({
      resolver: options.resolver,
      deadlineMs: timing.dnsblMs,
      log: (message) => options.observe.log('warn', message),
    }),
    brake: new HarvestBrake(options.clock),
    known: options.known ?? new KnownPeers(options.clock),
    wait: options.wait ?? pause,
    stopping: () => stopping || refusing,
    deadlines: timing,
    track: (work) => {
      const settled = work
        .catch((error: unknown) => options.observe.log('error', `Ending a message failed: ${describeError(error)}`))
        .finally(() => working.delete(settled));
      working.add(settled);
    },
  };
  const gate: Gate = {
    open: (peer) => new Session(context, peer),
    settings: () => settingsOf(options.config(), { listener: options.listener, timing, sessions: guard.size }),
    now: () => options.clock.monotonic(),
    stopping: () => stopping || refusing,
    failed: (what, error) => options.observe.log('error', `${what} failed: ${describeError(error)}`),
    noProxyHeader: (address, why) =>
      // 'gone': a balancer that only looks whether the port is open, every few seconds
      options.observe.log(why === 'gone' ? 'debug' : 'warn', 'A balancer sent no PROXY header, connection closed', {
        address,
        why,
      }),
  };
  const server = new GateServer(gate, options.tls);
  let front: Server = server.server;
  // of single connections: a client that went away, a handshake that failed
  server.on('error', (error: Error) => options.observe.log('debug', `Session ended: ${describeError(error)}`));
  let watching: NodeJS.Timeout | undefined;

  /**
   * Beyond the limit sockets are needed to say 421, and to hear from a balancer whom it speaks for: a known-good peer must not
   * be cut unheard while thousands a second are turned away. Beyond those a cut connection has to do.
   */
  function limitSockets(): void {
    front.maxConnections = options.config().listeners[options.listener].maxSessions + TURNED_AWAY;
  }

  function watch(): { address: string; port: number } {
    watching = setInterval(() => {
      limitSockets();
      server.watch();
    }, timing.watchMs);
    watching.unref();
    const bound = front.address() as AddressInfo;
    return { address: bound.address, port: bound.port };
  }

  async function drain(graceMs: number): Promise<void> {
    const end = performance.now() + graceMs;
    while ((server.live.size > 0 || working.size > 0) && performance.now() < end) {
      for (const connection of server.live) if (connection.isIdle()) connection.say(REPLY_STOPPING);
      await pause(20);
    }
  }

  return {
    listen: async () => {
      const listener = options.config().listeners[options.listener];
      const port = options.port ?? listener.port;
      const address = options.address ?? listener.address;
      limitSockets();
      await new Promise<void>((resolve, reject) => {
        const failed = (error: Error): void => reject(listenError(error, address, port));
        server.server.once('error', failed);
        server.listen({ port, host: address }, () => {
          server.server.off('error', failed);
          resolve();
        });
      });
      return watch();
    },
    serve: (given) => {
      front = given;
      limitSockets();
      front.removeAllListeners('connection');
      front.on('connection', (socket) => server.connect(socket));
      return watch();
    },
    take: (socket) => server.connect(socket, { remoteAddress: '127.0.0.1', remotePort: 0 }),
    refuse: (on) => {
      refusing = on;
    },
    sessions: () => guard.size,
    updateTls: (tls) => {
      // tried first: the library forgets the working one before it looks at the new one
      createSecureContext(tls);
      server.updateSecureContext(tls);
    },
    close: async ({ graceMs }) => {
      stopping = true;
      if (front.listening) front.close();
      await drain(graceMs);
      for (const connection of server.live) connection.cut();
      server.cutIntroductions();
      clearInterval(watching);
      await drain(1_000); // what was cut drops its intake: a moment for that, not more
    },
  };
}

function settingsOf(
  config: Config,
  at: { listener: 'mx' | 'relay'; timing: AcceptorTiming; sessions: number },
): GateSettings {
  const { timing } = at;
  const { mx } = config.listeners;
  const { maxSessions, greetingDelayMs, bareLineFeed } = config.listeners[at.listener];
  const patience = at.sessions > maxSessions * PRESSURE ? timing.pressedMs : Number.POSITIVE_INFINITY;
  return {
    hostname: config.hostname,
    messageOctets: config.limits.messageOctets,
    idleMs: config.timeouts.sessionIdleMs,
    idleNowMs: Math.min(config.timeouts.sessionIdleMs, patience),
    totalMs: config.timeouts.sessionTotalMs,
    handshakeMs: config.timeouts.tlsHandshakeMs,
    lineMs: Math.min(timing.commandLineMs, patience),
    greetingDelayMs: timing.greetingDelayMs ?? greetingDelayMs,
    proxyPeers: at.listener === 'mx' ? mx.proxyPeers : [],
    xclientPeers: at.listener === 'mx' ? mx.xclientPeers : [],
    bareLineFeed,
    proxyHeaderMs: timing.proxyHeaderMs,
    errors: config.limits.errorsPerSession,
    junkCommands: config.limits.junkCommandsPerSession,
    dataRate: timing.dataRate,
  };
}

function listenError(error: Error, address: string, port: number): SekishoError {
  const code = errorCode(error);
  const remedy =
    code === 'EADDRINUSE' ? 'Stop the program that uses the port, or choose another one in "listeners"' : undefined;
  return new SekishoError('LISTEN_FAILED', `Cannot listen on "${address}" port ${port} (${code ?? error.message})`, {
    retryable: true,
    cause: error,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
