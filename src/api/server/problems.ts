/**
 * Trouble as the API tells it (RFC 9457): a code for programs, a message and a remedy for people in both languages, the fields
 * of a form it belongs to. What a request did wrong is an ApiProblem; what gateway or host could not do is a SekishoError and
 * keeps its code; anything else is a bug: 500 INTERNAL, with the cause in the log only.
 */
import type { ServerResponse } from 'node:http';
import type { z } from 'zod';
import { SekishoError } from '../../base/errors.ts';
import type { Text } from '../../base/i18n.ts';
import type { Problem } from '../contract/shapes.ts';
import { issueWords } from './issue-words.ts';
import { PROBLEM_WORDS } from './problem-words.ts';

export interface ProblemExtras {
  fields?: Array<{ path: string; message: Text }>;
  retryAfterMs?: number;
  message?: Text;
  remedy?: Text;
  cause?: unknown;
}

export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly extras: ProblemExtras;

  constructor(status: number, code: string, extras: ProblemExtras = {}) {
    super(extras.message?.en ?? PROBLEM_WORDS[code]?.message.en ?? code, { cause: extras.cause });
    this.status = status;
    this.code = code;
    this.extras = extras;
  }
}

/** 400 INVALID_REQUEST with a field for each issue; `where`: params, query, body. */
export function invalid(where: string, error: z.ZodError): ApiProblem {
  const fields = error.issues.slice(0, 20).map((issue) => ({
    path: [where, ...issue.path.map(String)].join('.').slice(0, 300),
    message: issueWords(issue),
  }));
  return new ApiProblem(400, 'INVALID_REQUEST', { fields });
}

export function statusOf(error: SekishoError): number {
  switch (error.code) {
    case 'NOT_FOUND':
    case 'UNKNOWN_RECIPIENT':
      return 404;
    case 'WRONG_STATE':
    case 'CONFIG_CHANGED_ON_DISK':
    case 'LAST_ADMIN':
    case 'NAME_TAKEN':
    case 'RELEASE_NEEDS_FORCE':
    case 'RELEASE_INCOMPLETE':
    case 'READ_ONLY':
      return 409;
    case 'DEADLINE':
      return 504;
    case 'GATEWAY_NOT_RUNNING':
    case 'GATEWAY_NOT_PERMITTED':
    case 'GATEWAY_SILENT':
    case 'GATEWAY_MISMATCH':
    case 'HOST_NOT_RUNNING':
    case 'HOST_NOT_PERMITTED':
    case 'HOST_SILENT':
    case 'HOST_MISMATCH':
    case 'NOT_OFFERED':
    case 'INTERNAL':
      return 503;
    default:
      return error.retryable ? 503 : 422;
  }
}

export function problemOf(error: unknown, requestId: string): Problem {
  if (error instanceof ApiProblem) {
    const words = PROBLEM_WORDS[error.code];
    const { fields, retryAfterMs, message, remedy } = error.extras;
    return body(error.status, error.code, {
      message: message ?? words?.message ?? both(error.code),
      remedy: remedy ?? words?.remedy,
      fields,
      retryAfterMs,
      requestId,
    });
  }
  if (error instanceof SekishoError) {
    const words = PROBLEM_WORDS[error.code];
    const said = words === undefined ? both(error.message) : { ja: words.message.ja, en: error.message };
    const remedy = words?.remedy ?? (error.remedy === undefined ? undefined : both(error.remedy));
    return body(statusOf(error), error.code, { message: said, remedy, requestId });
  }
  const words = PROBLEM_WORDS['INTERNAL'];
  return body(500, 'INTERNAL', { message: words?.message ?? both('Internal error'), remedy: words?.remedy, requestId });
}

/** The part of a problem that stands in lists: what became of one of many. */
export function briefOf(error: unknown): { code: string; message: Text; remedy?: Text } {
  const { code, message, remedy } = problemOf(error, '');
  return { code, message, ...(remedy === undefined ? {} : { remedy }) };
}

export function sendProblem(response: ServerResponse, problem: Problem): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const text = Buffer.from(`${JSON.stringify(problem)}\n`);
  response.writeHead(problem.status, {
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': text.length,
    'cache-control': 'no-store',
    ...(problem.retryAfter === undefined ? {} : { 'retry-after': String(problem.retryAfter) }),
  });
  response.end(text);
}

function body(
  status: number,
  code: string,
  rest: {
    message: Text;
    remedy: Text | undefined;
    requestId: string;
    fields?: ProblemExtras['fields'] | undefined;
    retryAfterMs?: number | undefined;
  },
): Problem {
  const { message, remedy, fields, retryAfterMs, requestId } = rest;
  return {
    type: 'about:blank',
    title: message.en,
    status,
    code,
    message,
    ...(remedy === undefined ? {} : { remedy }),
    ...(fields === undefined ? {} : { fields }),
    requestId,
    ...(retryAfterMs === undefined ? {} : { retryAfter: Math.ceil(retryAfterMs / 1_000) }),
  };
}

function both(text: string): Text {
  return { ja: text, en: text };
}
