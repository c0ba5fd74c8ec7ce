/**
 * The portal: the one page that may face outside. A recipient's own quarantine by the link in his digest; nothing else is here,
 * no login, no script, no cookie. GET shows and never acts (mail scanners follow links); POST acts, from its own pages only.
 * What may be seen and done is the gateway's word for each request; the portal holds no secret and no mail.
 *
 * Limits: 64 connections at once, 10 s for a request, 1 KiB of body, ten wrong links in ten minutes from one address.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { describeError, errorCode } from '../base/errors.ts';
import { type Language, LANGUAGES, type Text } from '../base/i18n.ts';
import type { ControlClient } from '../control/client.ts';
import { listPage, messagePage, notePage, type PageFrame, STYLE } from './pages.ts';
import { WORDS } from './words.ts';

export interface PortalOptions {
  client: Pick<ControlClient, 'call'>;
  now: () => number;
  /** The box's, an IANA name, as it is now. */
  zone: () => string;
  log: (message: string, facts: Readonly<Record<string, unknown>>) => void;
}

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'referrer-policy': 'no-referrer', // the link is the key
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'strict-transport-security': 'max-age=31536000',
  'cache-control': 'no-store',
} as const;
const WRONG_LINKS = 10;
const WRONG_MS = 600_000;
const MOST_ADDRESSES = 10_000;
const ROUTE = /^\/t\/([\w.-]{1,1000})(?:\/m\/([\w.-]{1,100})(?:\/(release|ask))?)?\/?$/;

interface Asked {
  ticket: string;
  id: string | undefined;
  action: 'release' | 'ask' | undefined;
  /** Chosen by `?lang=`; otherwise the office's. */
  language: Language | undefined;
  /** Where the office's is not told. */
  preferred: Language;
  method: string;
}

interface Answer {
  status: number;
  body: string;
}

export function createPortal(options: PortalOptions): RequestListener {
  const wrong = new Map<string, number[]>();

  return (request, response) => {
    request.resume(); // forms carry nothing; what is sent is not read
    serve(request).then(
      ({ status, body }) => answer(response, { status, body }),
      (error: unknown) => {
        options.log('A portal request failed', { error: describeError(error) });
        answer(response, note(503, WORDS.trouble, frameOf(preferred(request), '')));
      },
    );
  };

  async function serve(request: IncomingMessage): Promise<Answer> {
    // `//` and its like are no address; whoever asks for them is no reader of ours, and no trouble to be told in the log
    const likes = preferred(request);
    const url = URL.parse(request.url ?? '/', 'https://portal.invalid');
    if (url === null) return note(404, WORDS.notFound, frameOf(likes, ''));
    const language = LANGUAGES.find((one) => one === url.searchParams.get('lang'));
    const bare = frameOf(language ?? likes, '');
    if (url.pathname === '/portal.css') return { status: 200, body: STYLE };
    const match = ROUTE.exec(url.pathname);
    if (match === null) return note(404, WORDS.notFound, bare);
    const address = request.socket.remoteAddress ?? '';
    if (isBlocked(address)) return note(429, WORDS.tooMany, bare);
    const [, ticket = '', id, action] = match;
    const asked: Asked = {
      ticket,
      id,
      action: action as Asked['action'],
      language,
      preferred: likes,
      method: request.method ?? '',
    };
    // A form belongs to its page; a link to an action (GET) only shows the message.
    if (asked.method === 'POST' && !fromItself(request)) return note(403, WORDS.otherSite, bare);
    try {
      return await act(asked);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'TICKET_INVALID' || code === 'INVALID_REQUEST') {
        remember(address);
        return note(403, WORDS.badLink, bare);
      }
      const frame = frameOf(language ?? likes, `/t/${ticket}`);
      if (code === 'NOT_FOUND' || code === 'UNKNOWN_RECIPIENT' || code === 'WRONG_STATE')
        return note(404, WORDS.gone, frame);
      if (code === 'NOT_PERMITTED' || code === 'RELEASE_NEEDS_FORCE') return note(403, WORDS.notAllowed, frame);
      options.log('The gateway did not answer the portal', { error: describeError(error) });
      return note(503, WORDS.trouble, frame);
    }
  }

  async function act({ ticket, id, action, language, preferred: likes, method }: Asked): Promise<Answer> {
    const { client } = options;
    const base = `/t/${ticket}`;
    if (id === undefined) {
      const own = await client.call('own.list', { ticket });
      return { status: 200, body: listPage(frameOf(language ?? own.language, base), own) };
    }
    if (action !== undefined && method === 'POST') {
      if (action === 'release') {
        const { already } = await client.call('own.release', { ticket, id });
        return note(200, already ? WORDS.releasedBefore : WORDS.released, frameOf(language ?? likes, base));
      }
      await client.call('own.ask', { ticket, id });
      return note(200, WORDS.askedNow, frameOf(language ?? likes, base));
    }
    const own = await client.call('own.show', { ticket, id });
    return { status: 200, body: messagePage(frameOf(language ?? own.language, base), own.entry, own.preview) };
  }

  function frameOf(language: Language, base: string): PageFrame {
    const form = { dateStyle: 'medium', timeStyle: 'short', timeZone: options.zone() } as const;
    const format = new Intl.DateTimeFormat(language, form);
    return { language, base, showTime: (iso) => format.format(new Date(iso)) };
  }

  function isBlocked(address: string): boolean {
    const recent = (wrong.get(address) ?? []).filter((at) => at > options.now() - WRONG_MS);
    return recent.length >= WRONG_LINKS;
  }

  function remember(address: string): void {
    const recent = (wrong.get(address) ?? []).filter((at) => at > options.now() - WRONG_MS);
    wrong.delete(address); // to the young end
    wrong.set(address, [...recent, options.now()]);
    const [oldest] = wrong.keys();
    if (wrong.size > MOST_ADDRESSES && oldest !== undefined) wrong.delete(oldest);
  }
}

/** Browsers say where a form was sent from (Fetch Metadata; Origin where that is missing). One that says neither is refused. */
function fromItself(request: IncomingMessage): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin, host } = request.headers;
  return origin !== undefined && host !== undefined && URL.parse(origin)?.host === host;
}

function preferred(request: IncomingMessage): Language {
  return (request.headers['accept-language'] ?? '').toLowerCase().startsWith('en') ? 'en' : 'ja';
}

function note(status: number, text: Text, frame: PageFrame): Answer {
  return { status, body: notePage(frame, text) };
}

function answer(response: ServerResponse, { status, body }: Answer): void {
  if (response.headersSent || response.destroyed) return;
  const type = body === STYLE ? 'text/css; charset=utf-8' : 'text/html; charset=utf-8';
  response.writeHead(status, { ...HEADERS, 'content-type': type });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
