/**
 * The express application: security headers, the operations of the contract, the pages. Nothing of another origin is loaded,
 * nothing inline runs, nobody frames us. Pages are files of the build: those with a hash in their name are kept by browsers
 * for good, and any other path is the one page, which finds its way by itself.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { BASE_PATH, OPERATION_IDS, OPERATIONS } from '../contract/operations.ts';
import type { Handler, Handlers } from './call.ts';
import { dispatcher, type DispatchParts } from './dispatch.ts';
import { docsPage, DOCS_POLICY } from './docs-page.ts';
import { checkHost } from './guards.ts';
import { openApiText } from './openapi.ts';
import { PLAIN_PAGE_POLICY, unbuiltPage } from './own-pages.ts';
import { ApiProblem, problemOf, sendProblem } from './problems.ts';

const YEAR_S = 31_536_000;

export function createApp(parts: DispatchParts, options: { handlers: Handlers; pages: string }): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('trust proxy', false);
  app.set('query parser', 'simple');
  app.set('case sensitive routing', true);
  app.use(securityHeaders());
  app.use((request: Request, _response: Response, next: NextFunction) => {
    checkHost(request, parts.names());
    next();
  });
  app.get('/api/openapi.json', (_request, response) => {
    response.type('application/json').set('cache-control', 'no-cache').send(openApiText());
  });
  app.get('/api/docs', (_request, response) => {
    response
      .set('content-security-policy', DOCS_POLICY)
      .set('cache-control', 'no-cache')
      .type('text/html')
      .send(docsPage());
  });
  const serve = dispatcher(parts);
  // fixed paths before those with a parameter in the same place
  const ids = OPERATION_IDS.toSorted(
    (a, b) => Number(OPERATIONS[a].path.includes('{')) - Number(OPERATIONS[b].path.includes('{')),
  );
  for (const id of ids) {
    const operation = OPERATIONS[id];
    const route = `${BASE_PATH}${operation.path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
    const method = operation.method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete';
    app[method](route, serve(id, operation, options.handlers[id] as Handler<typeof id>));
  }
  app.use('/api', () => {
    throw new ApiProblem(404, 'NO_SUCH_OPERATION');
  });
  servePages(app, options.pages);
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    // a path that is no path (%ff) is express's own complaint
    const mine = error instanceof URIError ? new ApiProblem(400, 'INVALID_REQUEST') : error;
    const problem = problemOf(mine, '');
    if (problem.status >= 500) parts.log('error', 'A page failed', { error: String(error) });
    sendProblem(response, problem);
  });
  return app;
}

function securityHeaders() {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'"],
        connectSrc: ["'self'"],
        // the HTML of a mail comes as a document of its own, with a policy of its own
        frameSrc: ["'self'"],
        manifestSrc: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
    // browsers ignore it on a certificate nobody vouches for, and a box must stay reachable after its certificate went wrong
    strictTransportSecurity: false,
  });
}

function servePages(app: Express, pages: string): void {
  const index = path.join(pages, 'index.html');
  app.use(
    '/assets',
    express.static(path.join(pages, 'assets'), {
      immutable: true,
      maxAge: YEAR_S * 1_000,
      index: false,
      fallthrough: true,
    }),
    (_request: Request, response: Response) => void response.status(404).type('text/plain').send('Not found\n'),
  );
  app.use(
    express.static(pages, {
      index: false,
      redirect: false,
      dotfiles: 'ignore',
      setHeaders: (response) => void response.setHeader('cache-control', 'no-cache'),
    }),
  );
  app.use((request: Request, response: Response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new ApiProblem(404, 'NO_SUCH_OPERATION');
    response.setHeader('cache-control', 'no-cache');
    if (!existsSync(index))
      return void response
        .status(503)
        .set('content-security-policy', PLAIN_PAGE_POLICY)
        .type('text/html')
        .send(unbuiltPage());
    response.sendFile(index, { cacheControl: false, etag: false, lastModified: false });
  });
}
