/** Answers on their way out: JSON held against the contract, files, streams of events. A handler that breaks the contract is a bug. */
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { OperationDefinition } from '../contract/operation.ts';
import { Content, EventFeed } from './call.ts';

/** So that proxies and browsers see that the stream lives. */
const KEEP_ALIVE_MS = 15_000;
/** A reader that is this far behind is let go; its browser comes back by itself. */
const MOST_BEHIND_OCTETS = 256 * 1024;

export async function sendAnswer(
  response: ServerResponse,
  told: { answer: unknown; operation: OperationDefinition; id: string; gone: AbortSignal },
): Promise<void> {
  const { answer, operation, id, gone } = told;
  if (answer instanceof EventFeed) return sendEvents(response, answer, gone);
  if (answer instanceof Content) return sendContent(response, answer);
  const checked = operation.response.safeParse(answer);
  if (!checked.success) {
    const why = checked.error.issues.slice(0, 5).map((issue) => `"${issue.path.join('.')}": ${issue.message}`);
    throw new TypeError(`The handler of "${id}" breaks the contract: ${why.join('; ')}`);
  }
  const body = Buffer.from(`${JSON.stringify(checked.data)}\n`);
  response.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  response.end(body);
}

async function sendContent(response: ServerResponse, { media, body, name, headers }: Content): Promise<void> {
  const charset = media.startsWith('text/') || media === 'application/x-ndjson' ? '; charset=utf-8' : '';
  response.writeHead(200, {
    'content-type': `${media}${charset}`,
    'cache-control': 'no-store',
    ...(name === undefined ? {} : { 'content-disposition': disposition(name) }),
    ...headers,
  });
  if (typeof body === 'string' || Buffer.isBuffer(body)) return void response.end(body);
  await pipeline(body, response);
}

/** RFC 6266; what is not a plain character never reaches the header, so that no name can add one. */
export function disposition(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 100);
  return `attachment; filename="${plain}"`;
}

function sendEvents(response: ServerResponse, feed: EventFeed, gone: AbortSignal): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  });
  const write = (text: string): void => {
    if (response.destroyed) return;
    if (response.writableLength > MOST_BEHIND_OCTETS) return void response.destroy();
    response.write(text);
  };
  write('retry: 3000\n\n');
  const timer = setInterval(() => write(': alive\n\n'), KEEP_ALIVE_MS);
  gone.addEventListener('abort', () => clearInterval(timer), { once: true });
  feed.begin((event, data) => {
    // JSON has no raw line end, so that data cannot end the event
    write(`event: ${event.replaceAll(/[^a-z.-]/g, '')}\ndata: ${JSON.stringify(data)}\n\n`);
    if (event === 'bye') response.end();
  }, gone);
}
