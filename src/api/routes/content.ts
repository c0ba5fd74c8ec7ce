/** What is written in a mail. Each reading is on record before it is shown (dispatch.ts). */
import { Readable } from 'node:stream';
import { headOf, readContent, wholeOf } from '../content/content.ts';
import { Content, type Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';

/**
 * `sandbox` makes it a document of no origin without scripts, forms and popups, wherever it is opened; nothing may be loaded.
 * Only our own pages may frame it.
 */
const HTML_HEADERS = {
  'content-security-policy':
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
  'x-frame-options': 'SAMEORIGIN',
};

export function contentHandlers(): Some<`messages.${'content' | 'html' | 'download'}`> {
  return {
    'messages.content': async ({ gateway, params: { id } }) => {
      const { octets, size } = await headOf(gateway, id);
      const { headers, text, html, attachments } = await readContent(octets);
      return { id, size, headers, text, hasHtml: html !== undefined, attachments, partial: octets.length < size };
    },
    'messages.html': async ({ gateway, params: { id } }) => {
      const { html } = await readContent((await headOf(gateway, id)).octets);
      if (html === undefined) throw new ApiProblem(404, 'NOT_FOUND');
      const page = `<!doctype html><html><head><meta charset="utf-8"><style>body{font:15px/1.6 system-ui,sans-serif;margin:12px;color:#222;background:#fff;overflow-wrap:anywhere}a{text-decoration:underline dotted}table{max-width:100%}</style></head><body>${html}</body></html>`;
      return new Content('text/html', page, { headers: HTML_HEADERS });
    },
    'messages.download': async ({ gateway, params: { id } }) => {
      const parts = wholeOf(gateway, id);
      // the first part before any header: a message that is gone is a 404, not a broken file
      const first = await parts.next();
      const all = async function* (): AsyncGenerator<Buffer> {
        if (first.done !== true) yield first.value;
        yield* parts;
      };
      return new Content('message/rfc822', Readable.from(all()), { name: `${id}.eml` });
    },
  };
}
