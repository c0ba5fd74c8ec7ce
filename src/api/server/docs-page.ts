/** A page to read the API by: every operation with its words, parameters and rights, out of the OpenAPI document. No script. */
import { createHash } from 'node:crypto';
import { openApiDocument } from './openapi.ts';

interface Entry {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: unknown;
  requestBody?: unknown;
  responses?: unknown;
  'x-sekisho-access'?: string;
}

let made: string | undefined;

export function docsPage(): string {
  return (made ??= render());
}

const STYLE =
  'body{font:15px/1.6 system-ui,"Hiragino Sans","Noto Sans JP",sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{background:#f4f4f2;padding:.6rem;overflow:auto;max-height:24rem}summary{cursor:pointer}h2{margin-top:2.5rem}';

/** The style sheet is allowed by its hash, and nothing else is. */
export const DOCS_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

function render(): string {
  const groups = new Map<string, string[]>();
  for (const [where, methods] of Object.entries(openApiDocument().paths ?? {})) {
    for (const [method, entry] of Object.entries(methods as Record<string, Entry>)) {
      const tag = entry.tags?.[0] ?? 'System';
      groups.set(tag, [...(groups.get(tag) ?? []), operationOf(method, where, entry)]);
    }
  }
  const sections = [...groups].map(([tag, entries]) => `<h2>${escape(tag)}</h2>${entries.join('')}`).join('');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sekisho API</title><style>${STYLE}</style></head>
<body><h1>Sekisho API</h1><p>The same as data: <a href="/api/openapi.json">/api/openapi.json</a>. Programs use a token
(Account → API tokens): <code>Authorization: Bearer sekisho_…</code>.</p><p lang="ja">プログラムからは API トークン（アカウント → API トークン）を使います。</p>${sections}</body></html>
`;
}

function operationOf(method: string, where: string, entry: Entry): string {
  const { parameters, requestBody, responses } = entry;
  const access = entry['x-sekisho-access'] ?? '';
  const shown = JSON.stringify({ parameters, requestBody, responses }, null, 2);
  return `<details><summary><code>${method.toUpperCase()} ${escape(where)}</code> ${escape(entry.summary ?? '')} <span lang="ja">${escape(entry.description ?? '')}</span></summary><p>${escape(entry.operationId ?? '')} · ${escape(access)}</p><pre>${escape(shown)}</pre></details>`;
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
