/**
 * The OpenAPI 3.1 document, made from the table of operations: whoever writes a client, and our own contract tests, read the
 * same thing that the server checks requests by. Made once; the same in every process of one release.
 */
import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import { BASE_PATH, OPERATION_IDS, OPERATIONS } from '../contract/operations.ts';
import type { OperationDefinition } from '../contract/operation.ts';
import { problem } from '../contract/shapes.ts';

const TAGS: Readonly<Record<string, string>> = {
  setup: 'First visit and wizard',
  wizard: 'First visit and wizard',
  'round-trip': 'First visit and wizard',
  session: 'Login and account',
  account: 'Login and account',
  users: 'Users and tokens',
  tokens: 'Users and tokens',
  overview: 'Overview',
  status: 'Overview',
  engines: 'Overview',
  alarms: 'Overview',
  events: 'Overview',
  messages: 'Messages',
  queue: 'Queue',
  quarantine: 'Quarantine',
  policy: 'Policy',
  lists: 'Policy',
  domains: 'Domains and routes',
  outgoing: 'Domains and routes',
  config: 'Settings',
  reports: 'Reports',
  audit: 'Audit',
};

let made: string | undefined;

export function openApiText(): string {
  return (made ??= JSON.stringify(openApiDocument()));
}

export function openApiDocument(): ReturnType<typeof createDocument> {
  const problemSchema = problem.meta({ id: 'Problem' });
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const id of OPERATION_IDS) {
    const operation: OperationDefinition = OPERATIONS[id];
    const at = (paths[`${BASE_PATH}${operation.path}`] ??= {});
    at[operation.method.toLowerCase()] = describe(id, operation, problemSchema);
  }
  return createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'Sekisho',
        version: 'v1',
        description:
          'Everything the pages and the command line do. Programs use a token: `Authorization: Bearer sekisho_…`. Errors are `application/problem+json` with a code, a message and a remedy in Japanese and English. `x-sekisho-access` names the permission an operation needs, `x-sekisho-confirm` those that want the password again and so a person.',
      },
      components: {
        securitySchemes: {
          session: { type: 'apiKey', in: 'cookie', name: '__Host-sekisho' },
          token: { type: 'http', scheme: 'bearer' },
        },
      },
      paths: paths as ZodOpenApiPathsObject,
    },
    { allowEmptySchema: { unknown: true, custom: { input: true, output: true } } },
  );
}

function describe(id: string, operation: OperationDefinition, problemSchema: z.ZodType): ZodOpenApiOperationObject {
  const { params, query, body, response, media, access, change, content, confirm } = operation;
  const has = (shape: z.ZodObject): boolean => Object.keys(shape.shape).length > 0;
  return {
    operationId: id,
    summary: operation.summary.en,
    description: operation.summary.ja,
    tags: [TAGS[id.split('.')[0] ?? ''] ?? 'System'],
    security:
      access === 'public' ? [] : access === 'login' ? [{ session: [] }] : [{ session: [] }, { token: [access] }],
    'x-sekisho-access': access,
    ...(change ? { 'x-sekisho-audited': 'change' } : content ? { 'x-sekisho-audited': 'content' } : {}),
    ...(confirm ? { 'x-sekisho-confirm': true } : {}),
    ...(has(params) || has(query)
      ? { requestParams: { ...(has(params) ? { path: params } : {}), ...(has(query) ? { query } : {}) } }
      : {}),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: {
      '200': {
        description: 'Done',
        content:
          media === undefined
            ? { 'application/json': { schema: response } }
            : { [media]: { schema: { type: 'string' as const } } },
      },
      default: { description: 'Trouble', content: { 'application/problem+json': { schema: problemSchema } } },
    },
  };
}
