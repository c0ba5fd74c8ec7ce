/**
 * What a verb of a control socket is, for any of our processes: the table it stands in (contract.ts: the gateway's,
 * host-contract.ts: the machine's) types server, client and handlers. Over the wire it is HTTP on a Unix socket: GET with
 * query parameters or POST with a JSON object; errors are `application/problem+json` {code, message, remedy} (RFC 9457).
 */
import { z } from 'zod';
import type { Milliseconds } from '../base/brand.ts';

export const DEFAULT_DEADLINE_MS = 30_000;

export interface VerbDefinition {
  method: 'GET' | 'POST';
  path: string;
  callers: readonly string[];
  deadlineMs: Milliseconds;
  request: z.ZodType;
  response: z.ZodType;
}

export type VerbTable = Readonly<Record<string, VerbDefinition>>;

export interface CallContext {
  caller: string;
  /** For records: `cli (root)`. What is in parentheses is the caller's own word. */
  by: string;
  /** Aborts at the deadline, and when the caller hangs up. */
  signal: AbortSignal;
}

/** One function a verb. Throws SekishoError (`NOT_FOUND`, `WRONG_STATE`, …); anything else is a bug. */
export type HandlersOf<T extends VerbTable> = {
  [V in keyof T]: (
    request: z.output<T[V]['request']>,
    context: CallContext,
  ) => Promise<z.output<T[V]['response']>> | z.output<T[V]['response']>;
};

/** What an error looks like on the wire. */
export const problemSchema = z.object({ code: z.string(), message: z.string(), remedy: z.string().optional() });
export type Problem = z.output<typeof problemSchema>;

export function verb<Caller extends string, Request extends z.ZodType, Response extends z.ZodType>(
  method: 'GET' | 'POST',
  path: string,
  rest: { callers: readonly Caller[]; deadlineMs?: Milliseconds; request: Request; response: Response },
): {
  method: 'GET' | 'POST';
  path: string;
  callers: readonly Caller[];
  deadlineMs: Milliseconds;
  request: Request;
  response: Response;
} {
  return { method, path, deadlineMs: DEFAULT_DEADLINE_MS, ...rest };
}
