/**
 * Types for whoever calls the API (the pages do; at run time they need nothing from here). `Input` is what is sent, parts
 * that may be left out are optional; `Answer` is what comes back on 200; trouble is a `Problem`.
 */
import type { z } from 'zod';
import type { OperationId, OPERATIONS } from './operations.ts';

type Table = typeof OPERATIONS;

export type Params<Id extends OperationId> = z.input<Table[Id]['params']>;
export type Query<Id extends OperationId> = z.input<Table[Id]['query']>;
export type Body<Id extends OperationId> = Table[Id]['body'] extends z.ZodType ? z.input<Table[Id]['body']> : undefined;
export type Answer<Id extends OperationId> = z.output<Table[Id]['response']>;

/** Nothing required in it: the part may be left out. */
type Part<Name extends string, T> = [T] extends [undefined]
  ? { [K in Name]?: never }
  : Record<string, never> extends T
    ? { [K in Name]?: T }
    : object extends T
      ? { [K in Name]?: T }
      : { [K in Name]: T };

export type Input<Id extends OperationId> = Part<'params', Params<Id>> &
  Part<'query', Query<Id>> &
  Part<'body', Body<Id>>;

/** `GET /queue/{id}`: the operation as one string, for a table made at build time. */
export type Route<Id extends OperationId> = `${Table[Id]['method']} ${Table[Id]['path']}`;

export type { Permission, Role } from './access.ts';
export type { OperationId } from './operations.ts';
export type { Problem } from './shapes.ts';
