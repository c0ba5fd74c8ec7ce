/** The portal over HTTP as a browser, a mail scanner and an attacker meet it; behind it a gateway that only remembers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { it } from 'node:test';
import { SekishoError } from '../../src/base/errors.ts';
import type { VerbName } from '../../src/control/contract.ts';
import { createPortal } from '../../src/portal/server.ts';

const ID = '0000K3M-7Q2ABCDEFGHJK';
const TICKET = 'v1.abc.def';
const EVIL = '<script>alert(1)</script>"\'\u202e';

interface Answer {
  status: number;
  body: string;
  headers: Record<string, string | string[] | undefined>;
}

interface Rig {
  calls: Array<[VerbName, unknown]>;
  now: { ms: number };
  fail: { code?: string };
  ask: (path: string, options?: { method?: string; headers?: Record<string, string> }) => Promise<Answer>;
}

const entry = {
  id: ID,
  arrivedAt: '2026-11-22T00:00:00.000Z',
  size: 10,
  from: EVIL,
  subject: EVIL,
  reason: { ja: '迷惑メール', en: 'spam' },
  right: 'release' as const,
};

async function withPortal(work: (rig: Rig) => Promise<void>): Promise<void> {
  const calls: Rig['calls'] = [];
  const now = { ms: 0 };
  const fail: Rig['fail'] = {};
  const call = async (verb: VerbName, input: { ticket: string }): Promise<unknown> => {
    calls.push([verb, input]);
    if (fail.code !== undefined) throw new SekishoError(fail.code, 'x');
    if (input.ticket !== TICKET) throw new SekishoError('TICKET_INVALID', 'x');
    if (verb === 'own.list')
      return {
        recipient: 'a@office.example',
        expiresAt: entry.arrivedAt,
        language: 'ja',
        entries: [entry],
        more: false,
      };
    if (verb === 'own.show')
      return { recipient: 'a@office.example', language: 'en', entry, preview: { text: EVIL, cut: true } };
    return { already: false };
  };
  const server = createServer(
    createPortal({
      client: { call: call as never },
      now: () => now.ms,
      zone: () => 'Asia/Tokyo',
      log: () => undefined,
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ask: Rig['ask'] = async (path, options = {}) => {
    const request = httpRequest({ port, host: '127.0.0.1', path, agent: false, ...options });
    request.end();
    const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
    return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
  };
  try {
    await work({ calls, now, fail, ask });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const FORM = { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } };

it('GET shows and never acts, whatever a scanner follows', () =>
  withPortal(async ({ calls, ask }) => {
    for (const path of [
      `/t/${TICKET}`,
      `/t/${TICKET}/m/${ID}`,
      `/t/${TICKET}/m/${ID}/release`,
      `/t/${TICKET}/m/${ID}/ask`,
    ])
      for (const method of ['GET', 'HEAD']) assert.equal((await ask(path, { method })).status, 200, path);
    assert.ok(calls.every(([verb]) => verb === 'own.list' || verb === 'own.show'));
  }));

it("a form of the portal's own page acts, one from elsewhere does not", () =>
  withPortal(async ({ calls, ask }) => {
    const path = `/t/${TICKET}/m/${ID}/release`;
    for (const headers of [
      {},
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ])
      assert.equal((await ask(path, { method: 'POST', headers: headers as Record<string, string> })).status, 403);
    assert.equal(calls.length, 0);
    assert.equal((await ask(path, FORM)).status, 200);
    assert.equal((await ask(`/t/${TICKET}/m/${ID}/ask`, FORM)).status, 200);
    assert.deepEqual(
      calls.map(([verb]) => verb),
      ['own.release', 'own.ask'],
    );
  }));

it('what strangers wrote is text, in the list, the message and the title', () =>
  withPortal(async ({ ask }) => {
    for (const path of [`/t/${TICKET}`, `/t/${TICKET}/m/${ID}`]) {
      const { body, headers } = await ask(path);
      assert.doesNotMatch(body, /<script/);
      assert.match(body, /&#60;script&#62;/);
      assert.match(String(headers['content-security-policy']), /default-src 'none'/);
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.equal(headers['cache-control'], 'no-store');
    }
  }));

it('speaks the office language, and the other one when asked', () =>
  withPortal(async ({ ask }) => {
    assert.match((await ask(`/t/${TICKET}`)).body, /<html lang="ja">/);
    assert.match((await ask(`/t/${TICKET}?lang=en`)).body, /<html lang="en">[^]*Mail kept for you/);
  }));

it('what the office chose, or the reader, goes on with every link and button', () =>
  withPortal(async ({ ask }) => {
    const { body } = await ask(`/t/${TICKET}/m/${ID}`);
    assert.match(body, /<html lang="en">/);
    const [, action = ''] = /action="([^"]+)"/.exec(body) ?? [];
    assert.match((await ask(action, FORM)).body, /<html lang="en">[^]*Done\./);
    const [, back = ''] = /<p><a href="([^"]+)"/.exec(body) ?? [];
    const list = await ask(back);
    assert.match(list.body, /<html lang="en">/);
    const [, message = ''] = /<div><a href="([^"]+)"/.exec(list.body) ?? [];
    assert.match((await ask(message)).body, /<html lang="en">/);
    // a link without a word for it: as the reader's browser would have it
    const headers = { ...FORM.headers, 'accept-language': 'en-GB' };
    assert.match((await ask(`/t/${TICKET}/m/${ID}/ask`, { ...FORM, headers })).body, /<html lang="en">/);
  }));

it('times are those of the box, whatever zone the process was started in', () =>
  withPortal(async ({ ask }) => {
    assert.match((await ask(`/t/${TICKET}?lang=ja`)).body, /2026\/11\/22 9:00/);
  }));

it('ten wrong links from one address close the door for ten minutes, and a full quarantine of others is none of ours', () =>
  withPortal(async ({ ask, now, calls }) => {
    for (let at = 0; at < 10; at += 1) assert.equal((await ask(`/t/v1.guess.${at}`)).status, 403);
    assert.equal((await ask(`/t/${TICKET}`)).status, 429);
    assert.equal(calls.length, 10);
    now.ms += 600_001;
    assert.equal((await ask(`/t/${TICKET}`)).status, 200);
  }));

it('every refusal of the gateway is a sentence, and its silence a 503', () =>
  withPortal(async ({ ask, fail }) => {
    for (const [code, status] of [
      ['NOT_FOUND', 404],
      ['NOT_PERMITTED', 403],
      ['RELEASE_NEEDS_FORCE', 403],
      ['GATEWAY_NOT_RUNNING', 503],
      ['BUSY', 503],
    ] as const) {
      fail.code = code;
      const { status: seen, body } = await ask(`/t/${TICKET}/m/${ID}/release`, FORM);
      assert.equal(seen, status, code);
      assert.match(body, /class="note"/);
    }
  }));

it('nothing else is here', () =>
  withPortal(async ({ ask, calls }) => {
    for (const path of [
      '/',
      '/api/v1/status',
      '/t/',
      '/t/../etc/passwd',
      '/t/%2e%2e',
      `/t/${TICKET}/m/${ID}/delete`,
      '/favicon.ico',
      '//',
    ])
      assert.equal((await ask(path)).status, 404, path);
    assert.equal((await ask('/portal.css')).headers['content-type'], 'text/css; charset=utf-8');
    assert.equal(calls.length, 0);
  }));
