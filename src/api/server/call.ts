/** What a handler of the API gets, and what it may give back besides JSON. */
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import type { ControlClient } from '../../control/client.ts';
import type { HostClient } from '../../control/host-client.ts';
import type { Permission } from '../contract/access.ts';
import type { Media } from '../contract/operation.ts';
import type { OperationId, OPERATIONS } from '../contract/operations.ts';
import type { Session } from '../auth/sessions.ts';
import type { Token } from '../auth/tokens.ts';
import type { User } from '../auth/users.ts';

type Table = typeof OPERATIONS;

export interface Principal {
  user: User;
  permissions: ReadonlySet<Permission>;
  session: Session | undefined;
  token: Token | undefined;
  /** For records: `hanako`, `token backup of hanako`. */
  actor: string;
}

export interface Client {
  /** The one spelling; never a mapped IPv4. */
  address: string;
  /** For limits: IPv6 by its /64. */
  bucket: string;
  userAgent: string;
}

export interface Call<Id extends OperationId = OperationId> {
  params: z.output<Table[Id]['params']>;
  query: z.output<Table[Id]['query']>;
  body: Table[Id]['body'] extends z.ZodType ? z.output<Table[Id]['body']> : undefined;
  who: Principal | undefined;
  client: Client;
  cookies: ReadonlyMap<string, string>;
  /** Sent with the answer. */
  setCookie: (cookie: string) => void;
  /** For the audit: what it was done to, and what is worth knowing besides the request. */
  note: (target: string, detail?: Record<string, unknown>) => void;
  /** For the audit, of somebody who is not logged in yet: whose login is tried. */
  actsAs: (name: string) => void;
  /** On record as this person. */
  gateway: ControlClient;
  /** Throws HOST_NOT_RUNNING where there is none. */
  host: HostClient;
  /** Aborts at the deadline and when the caller hangs up. */
  signal: AbortSignal;
}

/** Something other than JSON. `name`: it is saved as a file of this name. */
export class Content {
  readonly media: Media;
  readonly body: string | Buffer | Readable;
  readonly name: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    media: Media,
    body: string | Buffer | Readable,
    rest: { name?: string; headers?: Readonly<Record<string, string>> } = {},
  ) {
    this.media = media;
    this.body = body;
    this.name = rest.name;
    this.headers = rest.headers ?? {};
  }
}

/** Server-sent events: `begin` gets a way to send and is told when the reader is gone. */
export class EventFeed {
  readonly begin: (send: (event: string, data: unknown) => void, gone: AbortSignal) => void;

  constructor(begin: (send: (event: string, data: unknown) => void, gone: AbortSignal) => void) {
    this.begin = begin;
  }
}

type Plain<Id extends OperationId> = z.input<Table[Id]['response']>;
export type Handler<Id extends OperationId> = (
  call: Call<Id>,
) => Promise<Plain<Id> | Content | EventFeed> | Plain<Id> | Content | EventFeed;
/** One for each operation: what the contract promises and nobody does is no program. */
export type Handlers = { [Id in OperationId]: Handler<Id> };
export type Some<Id extends OperationId> = { [K in Id]: Handler<K> };
