/** The listeners as the configuration wants them: opened together, moved when address or port change, closed in order. */
import { X509Certificate } from 'node:crypto';
import type { Server, Socket } from 'node:net';
import path from 'node:path';
import type { Pipeline, RecipientDirectory } from '../accept/api.ts';
import { type Acceptor, createAcceptor } from '../accept/acceptor.ts';
import type { KnownPeers } from '../accept/known-peers.ts';
import { type Certificate, loadOrCreateCertificate } from '../accept/certificate.ts';
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { describeError } from '../base/errors.ts';
import type { Resolver } from '../base/resolver.ts';
import type { Config } from '../config/schema.ts';
import type { Observe } from '../observe/events.ts';

export const LISTENERS = ['mx', 'relay'] as const;
export type ListenerName = (typeof LISTENERS)[number];

export interface DoorState {
  name: ListenerName;
  address: string;
  port: number;
  open: boolean;
  sessions: number;
}

export interface Doors {
  open(): Promise<Array<{ name: ListenerName; address: string; port: number }>>;
  /** After a change: a new door opens before the old one closes; when it cannot, the change is taken back (rejects). */
  follow(next: Config, previous: Config): Promise<void>;
  /** Reads the certificate files again: they may have been renewed under the same names. Throws and keeps the old one. */
  renew(): Promise<void>;
  /** What STARTTLS shows. */
  certificate(): Promise<Certificate>;
  state(): DoorState[];
  /** While true all doors say 421 to new mail: the battery is running out. */
  refuse(on: boolean): void;
  /** Begins a session on this socket at the first open door; undefined while none is open. */
  probe(): ((socket: Socket) => void) | undefined;
  close(options: { graceMs: number }): Promise<void>;
}

const FOLLOW_GRACE_MS = 30_000;
const REBIND_MS = 50;
const DAY_MS = 86_400_000;
const EXPIRY_DAYS = 21;
const LOOK_AT_CERTIFICATE_MS = 6 * 3_600_000;

function isAt(door: { address: string; port: number } | undefined, wanted: { address: string; port: number }): boolean {
  return door !== undefined && door.port === wanted.port && door.address === wanted.address;
}

export function createDoors(options: {
  config: () => Config;
  data: string;
  configDirectory: string;
  pipeline: Pipeline;
  directory: RecipientDirectory;
  known: KnownPeers;
  observe: Observe;
  clock: Clock;
  resolver: Resolver;
  /** Sockets handed over by systemd, by listener: then no port is opened, moved or closed here; the host does that. */
  inherited?: ReadonlyMap<string, Server>;
}): Doors {
  const { observe } = options;
  const { inherited } = options;
  const open = new Map<ListenerName, { acceptor: Acceptor; address: string; port: number }>();
  let refusing = false;

  async function certificate(config: Config): Promise<Certificate> {
    const loaded = await readCertificate(config);
    watchExpiry(loaded);
    return loaded;
  }

  /** Told from three weeks before: time for whoever has to ask an authority for the next one. */
  function watchExpiry({ cert }: Certificate): void {
    const left = Math.floor((Date.parse(new X509Certificate(cert).validTo) - options.clock.wall()) / DAY_MS);
    if (left > EXPIRY_DAYS) return observe.clear('certificate-expiring', 'mail');
    const when = left < 0 ? `It expired ${-left} days ago` : `It expires in ${left} days`;
    observe.raise('certificate-expiring', 'mail', when);
  }

  const looking = setInterval(() => {
    // files of the owner's may have been renewed, or our own was about to end and was made anew
    renew(options.config()).catch((error: unknown) => {
      observe.log('warn', 'The certificate cannot be read', { error: describeError(error) });
    });
  }, LOOK_AT_CERTIFICATE_MS);
  looking.unref();

  async function readCertificate(config: Config): Promise<Certificate> {
    const own = config.tls;
    const resolve = (file: string): string => path.resolve(options.configDirectory, file);
    return loadOrCreateCertificate({
      dir: options.data,
      hostname: config.hostname,
      now: () => options.clock.wall(),
      ...(own.certificate === undefined ? {} : { certificate: resolve(own.certificate) }),
      ...(own.key === undefined ? {} : { key: resolve(own.key) }),
    });
  }

  async function renew(config: Config): Promise<void> {
    const made = await certificate(config);
    for (const { acceptor } of open.values()) acceptor.updateTls(made);
  }

  async function openOne(name: ListenerName, config: Config): Promise<void> {
    const server = inherited?.get(name);
    if (inherited !== undefined && server === undefined) return;
    const acceptor = await createAcceptor({
      ...options,
      listener: name,
      tls: await certificate(config),
      port: config.listeners[name].port,
      address: config.listeners[name].address,
    });
    acceptor.refuse(refusing);
    const at = server === undefined ? await acceptor.listen() : acceptor.serve(server);
    open.set(name, { acceptor, ...at });
  }

  /** Its sessions may end in peace; the port is free at once. */
  function retire(name: ListenerName, acceptor: Acceptor | undefined): void {
    acceptor?.close({ graceMs: FOLLOW_GRACE_MS }).catch((error: unknown) => {
      observe.log('error', 'Old listener did not close', { listener: name, error: describeError(error) });
    });
  }

  async function moveOne(name: ListenerName, next: Config, previous: Config): Promise<void> {
    const wanted = next.listeners[name];
    const old = open.get(name);
    if (wanted.enabled === (old !== undefined) && (!wanted.enabled || isAt(old, wanted))) return;
    if (!wanted.enabled) {
      open.delete(name);
      retire(name, old?.acceptor);
    } else if (old === undefined || old.port !== wanted.port) {
      await openOne(name, next); // when it cannot, the old one has not moved
      retire(name, old?.acceptor);
    } else {
      // One port, another address: the two may overlap (0.0.0.0), so the old socket goes first.
      retire(name, old.acceptor);
      open.delete(name);
      await pause(REBIND_MS);
      try {
        await openOne(name, next);
      } catch (error) {
        await openOne(name, previous);
        throw error;
      }
    }
    observe.log('info', 'Listener moved', { listener: name, address: wanted.address, port: wanted.port });
  }

  return {
    open: async () => {
      for (const name of LISTENERS) if (options.config().listeners[name].enabled) await openOne(name, options.config());
      return [...open].map(([name, { address, port }]) => ({ name, address, port }));
    },
    follow: async (next, previous) => {
      if (inherited === undefined) for (const name of LISTENERS) await moveOne(name, next, previous);
      if (JSON.stringify(next.tls) === JSON.stringify(previous.tls) && next.hostname === previous.hostname) return;
      await renew(next);
    },
    renew: () => renew(options.config()),
    certificate: () => readCertificate(options.config()),
    state: () =>
      LISTENERS.map((name) => {
        const door = open.get(name);
        const { address, port } = door ?? options.config().listeners[name];
        return { name, address, port, open: door !== undefined, sessions: door?.acceptor.sessions() ?? 0 };
      }),
    refuse: (on) => {
      refusing = on;
      for (const { acceptor } of open.values()) acceptor.refuse(on);
    },
    probe: () => {
      const [door] = open.values();
      return door === undefined ? undefined : (socket) => door.acceptor.take(socket);
    },
    close: async (grace) => {
      clearInterval(looking);
      await Promise.all([...open.values()].map(({ acceptor }) => acceptor.close(grace)));
      open.clear();
    },
  };
}
