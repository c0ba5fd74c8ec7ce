/**
 * The shape of one operation of the API. The server's routes, the OpenAPI document, the contract tests and the pages' typed
 * client are all made from a table of these. `change` operations are audited; `content` marks those that show what is
 * written in a mail, which is audited too; `confirm` asks for the password again (POST /session/confirm, good for 5 minutes).
 */
import { z } from 'zod';
import type { Milliseconds } from '../../base/brand.ts';
import type { Text } from '../../base/i18n.ts';
import type { Access } from './access.ts';

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type Method = (typeof METHODS)[number];

/** What is answered other than JSON. */
export const MEDIA = [
  'text/event-stream',
  'text/html',
  'text/plain',
  'text/csv',
  'application/x-ndjson',
  'application/octet-stream',
  'application/x-x509-ca-cert',
  'message/rfc822',
] as const;
export type Media = (typeof MEDIA)[number];

export interface OperationDefinition {
  method: Method;
  /** Below /api/v1, with `{name}` for each of `params`. */
  path: string;
  summary: Text;
  access: Access;
  params: z.ZodObject;
  query: z.ZodObject;
  /** Undefined: a request without a body. */
  body: z.ZodType | undefined;
  response: z.ZodType;
  /** Undefined: JSON. */
  media: Media | undefined;
  change: boolean;
  content: boolean;
  confirm: boolean;
  /** Long work may take this long before it is answered 504. */
  deadlineMs: Milliseconds;
  bodyOctets: number;
}

export const DEFAULT_BODY_OCTETS = 100 * 1024;
export const DEFAULT_DEADLINE_MS = 35_000;

const nothing = z.strictObject({});
type Nothing = typeof nothing;

interface Given {
  summary: Text;
  access: Access;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  response?: z.ZodType;
  media?: Media;
  change?: boolean;
  content?: boolean;
  confirm?: boolean;
  deadlineMs?: Milliseconds;
  bodyOctets?: number;
}

type Or<T, Otherwise> = T extends z.ZodType ? T : Otherwise;

/** As given, with what was left out filled in; every method but GET is a change unless it says that it is none. */
export function operation<const M extends Method, const P extends string, const G extends Given>(
  method: M,
  path: P,
  given: G,
): Omit<OperationDefinition, 'method' | 'path' | 'params' | 'query' | 'body' | 'response'> & {
  method: M;
  path: P;
  params: G['params'] extends z.ZodObject ? G['params'] : Nothing;
  query: G['query'] extends z.ZodObject ? G['query'] : Nothing;
  body: Or<G['body'], undefined>;
  response: Or<G['response'], typeof done>;
} {
  const filled = {
    params: nothing,
    query: nothing,
    body: undefined,
    response: done,
    media: undefined,
    change: method !== 'GET',
    content: false,
    confirm: false,
    deadlineMs: DEFAULT_DEADLINE_MS,
    bodyOctets: DEFAULT_BODY_OCTETS,
    ...given,
    method,
    path,
  };
  return filled as unknown as ReturnType<typeof operation<M, P, G>>;
}

/** Of operations that have nothing to tell but that they were done. */
export const done = z.object({ ok: z.literal(true) });
