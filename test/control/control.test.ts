import assert from 'node:assert/strict';
import { once } from 'node:events';
import { lstat, mkdir, mkdtemp, rm, stat, symlink, writeFile, chmod } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { SekishoError } from '../../src/base/errors.ts';
import { createControlClient } from '../../src/control/client.ts';
import {
  type Caller,
  type GatewayHandlers,
  type VerbInput,
  type VerbName,
  VERB_NAMES,
  VERBS,
} from '../../src/control/contract.ts';
import { type ControlServer, type ControlServerOptions, createControlServer } from '../../src/control/server.ts';
import { childQueueId, dsnQueueId, newQueueId, parseQueueId } from '../../src/mail/queue-id.ts';
import { until } from '../support/process.ts';
import { BUG, type Call, fakeHandlers, ID } from './fake-handlers.ts';

async function folder(context: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'sekisho-control-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function serve(context: TestContext, options: Partial<ControlServerOptions> = {}): Promise<ControlServer> {
  const socket = options.socket ?? path.join(await folder(context), 'run', 'control.sock');
  const server = await createControlServer({ caller: 'cli', handlers: fakeHandlers(), ...options, socket });
  context.after(() => server.close());
  return server;
}

interface Raw {
  status: number;
  type: string | undefined;
  body: unknown;
}

/** A request without the client's help. */
function raw(
  socket: string,
  method: string,
  url: string,
  body?: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath: socket, method, path: url, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'], body: JSON.parse(text) }),
      );
      response.once('error', reject);
    });
    request.once('error', reject);
    request.end(body);
  });
}

function codeOf(answer: Raw): unknown {
  return (answer.body as { code?: unknown }).code;
}

/** One valid input for each verb: a new verb breaks the build here. */
const INPUTS: { [V in VerbName]: VerbInput<V> } = {
  status: {},
  'engines.list': {},
  'alarms.list': {},
  'queue.list': { state: 'deferred', domain: 'office.example', limit: 1, cursor: 'abc' },
  'queue.show': { id: ID.toLowerCase() },
  'queue.retry': { hop: 'mail.office.example' },
  'queue.hold': { id: ID },
  'queue.unhold': { id: ID },
  'queue.hold-domain': { domain: 'office.example' },
  'queue.unhold-domain': { domain: 'office.example', cursor: 'abc' },
  'queue.route': { domain: 'office.example', to: '192.0.2.9:25', protocol: 'lmtp' },
  'queue.reroute': { id: ID, to: '192.0.2.9:24', protocol: 'lmtp' },
  'message.resend': { id: ID, recipients: ['info@office.example'], force: true },
  'message.report': { id: ID, as: 'ham' },
  'certificate.show': {},
  'certificate.install': { certificate: '-'.repeat(60), key: '-'.repeat(60) },
  'certificate.own': {},
  'backup.collect': {},
  'backup.list': { domain: 'office.example', file: 'staff.txt', text: 'alice\n' },
  'backup.certificate': { own: true, certificate: '-'.repeat(60), key: '-'.repeat(60) },
  'history.person': { address: 'info@office.example', after: 7 },
  'history.forget': { address: 'info@office.example', pseudonym: 'forgotten-1@office.example' },
  'history.watched': { from: 0, to: 86_400_000, step: 86_400_000 },
  'queue.summary': {},
  'queue.delete': { id: ID },
  'queue.undelete': { id: ID },
  'quarantine.list': { text: '会議', sender: '@example.com', recipient: 'info', limit: 500 },
  'quarantine.show': { id: ID },
  'quarantine.release': { id: ID, recipients: ['info@office.example'] },
  'quarantine.delete': { id: ID },
  'quarantine.undelete': { id: ID },
  'history.search': { text: '会議 & 100%', from: '2026-11-01T00:00:00Z', to: 1_795_000_000_000, state: 'delivered' },
  trace: { id: ID, language: 'ja' },
  explain: { id: ID },
  'config.show': { path: 'hostname' },
  'config.check': { candidate: { version: 1 } },
  'config.set': { path: 'hostname', value: 'mx.example.com' },
  'config.change': { settings: [{ path: 'hostname', value: 'mx.example.com' }, { path: 'language' }] },
  'config.unset': { path: 'hostname' },
  'config.reload': {},
  'config.generations': {},
  'config.diff': { from: 1, to: 2 },
  'config.rollback': { generation: 1 },
  'message.body': { id: ID },
  'history.report': { from: 0, to: 86_400_000, step: 3_600_000 },
  'config.reference': {},
  'history.scores': { from: 0 },
  'metrics.text': {},
  'own.list': { ticket: 'v1.x.y' },
  'own.show': { ticket: 'v1.x.y', id: ID },
  'own.release': { ticket: 'v1.x.y', id: ID },
  'own.ask': { ticket: 'v1.x.y', id: ID },
  'jobs.list': {},
  'jobs.run': { name: 'expire-history' },
  'probe.run': {},
  'antivirus.hold': { ms: 60_000 },
  'log.level': { level: 'debug' },
};

test('every verb goes through a real socket: the handler gets what the contract says and its answer comes back', async (context) => {
  const calls: Call[] = [];
  const clients = new Map<Caller, ReturnType<typeof createControlClient>>();
  for (const caller of ['cli', 'portal', 'admin'] as const) {
    const server = await serve(context, { caller, handlers: fakeHandlers(calls) });
    clients.set(caller, createControlClient({ socket: server.socket, by: 'root' }));
  }
  const direct = fakeHandlers();
  for (const verb of VERB_NAMES) {
    const caller = (['cli', 'portal', 'admin'] as const).find((one) =>
      (VERBS[verb].callers as readonly Caller[]).includes(one),
    );
    assert.ok(caller);
    const answer: unknown = await clients.get(caller)?.call(verb, INPUTS[verb] as never);
    const call = calls.at(-1);
    assert.deepEqual([call?.verb, call?.by], [verb, `${caller} (root)`]);
    assert.deepEqual(call?.request, VERBS[verb].request.parse(INPUTS[verb]));
    const expected: unknown = await direct[verb](call?.request as never, {
      caller: 'cli',
      by: '',
      signal: AbortSignal.timeout(1_000),
    });
    // what the handler gives beyond the contract does not leave
    assert.deepEqual(answer, JSON.parse(JSON.stringify(VERBS[verb].response.parse(expected))));
  }
  assert.equal(calls.length, VERB_NAMES.length);
});

test('ids are taken in either case, times as text or milliseconds, defaults filled in', async (context) => {
  const calls: Call[] = [];
  const server = await serve(context, { handlers: fakeHandlers(calls) });
  const client = createControlClient({ socket: server.socket });
  await assert.rejects(client.call('trace', { id: ` ${ID.toLowerCase()}.D2 ` }), { code: 'NOT_FOUND' });
  await client.call('history.search', { from: '2026-11-01T00:00:00Z', to: 5 });
  assert.deepEqual(
    calls.map((call) => call.request),
    [
      { id: `${ID}.d2`, language: 'en' },
      { from: Date.UTC(2026, 10, 1), to: 5, limit: 50 },
    ],
  );
});

const INVALID: ReadonlyArray<[string, string, string, string | undefined, RegExp]> = [
  ['a missing id', 'GET', '/v1/queue/show', undefined, /"id"/],
  ['an id that is none', 'GET', '/v1/queue/show?id=../etc/passwd', undefined, /queue id like/],
  ['an unknown field', 'GET', `/v1/queue/show?id=${ID}&force=1`, undefined, /force/],
  ['a limit beyond 500', 'GET', '/v1/queue/list?limit=501', undefined, /"limit".*500/],
  ['a limit that is no number', 'GET', '/v1/queue/list?limit=many', undefined, /"limit"/],
  ['an unknown state', 'GET', '/v1/queue/list?state=lost', undefined, /"state"/],
  ['a wrong time', 'GET', '/v1/history?from=yesterday', undefined, /2026-11-21T09:00:00Z/],
  ['nothing to try again', 'POST', '/v1/queue/retry', '{}', /exactly one/],
  ['two ways to name what to try again', 'POST', '/v1/queue/retry', '{"all":true,"hop":"a.example"}', /exactly one/],
  ['a body that is not JSON', 'POST', '/v1/config/set', '{"path":', /not JSON/],
  ['a body that is a list', 'POST', '/v1/config/set', '[]', /object/],
  ['a set without a value', 'POST', '/v1/config/set', '{"path":"hostname"}', /"value"/],
  ['a prototype as parameter', 'GET', '/v1/status?__proto__=1', undefined, /__proto__/],
];

for (const [what, method, url, body, message] of INVALID)
  test(`${what} is refused with 400 before any handler runs`, async (context) => {
    const calls: Call[] = [];
    const server = await serve(context, { handlers: fakeHandlers(calls) });
    const answer = await raw(server.socket, method, url, body);
    assert.deepEqual(
      [answer.status, answer.type, codeOf(answer)],
      [400, 'application/problem+json', 'INVALID_REQUEST'],
    );
    assert.match((answer.body as { message: string }).message, message);
    assert.equal(calls.length, 0);
  });

test('an unknown verb is 404, a wrong method 405, another caller 403, a verb without handler 501', async (context) => {
  const server = await serve(context, { caller: 'console', handlers: { status: fakeHandlers().status } });
  const answers = await Promise.all([
    raw(server.socket, 'GET', '/v1/nothing'),
    raw(server.socket, 'GET', '/v1/queue/retry'),
    raw(server.socket, 'GET', '/v1/queue/list'),
    raw(server.socket, 'GET', '/v1/engines'),
    raw(server.socket, 'GET', '/v1/status'),
  ]);
  assert.deepEqual(
    answers.map((answer) => [answer.status, codeOf(answer)]),
    [
      [404, 'UNKNOWN_VERB'],
      [405, 'WRONG_METHOD'],
      [403, 'NOT_PERMITTED'],
      [501, 'NOT_OFFERED'],
      [200, undefined],
    ],
  );
});

test("the portal socket offers a recipient's own quarantine and nothing else, and nobody else is offered that", () => {
  assert.deepEqual(
    VERB_NAMES.filter((name) => (VERBS[name].callers as readonly string[]).includes('portal')),
    VERB_NAMES.filter((name) => name.startsWith('own.')),
  );
  for (const name of VERB_NAMES.filter((one) => one.startsWith('own.')))
    assert.deepEqual(VERBS[name].callers, ['portal']);
});

for (const declared of [true, false])
  test(`a body beyond 1 MiB is refused with 413 when its length is ${declared ? 'declared' : 'not declared'}, and the next call works`, async (context) => {
    const calls: Call[] = [];
    const server = await serve(context, { handlers: fakeHandlers(calls) });
    const body = Buffer.alloc(1024 * 1024 + 1, 32);
    const headers: Record<string, string> = declared
      ? { 'content-length': String(body.length) }
      : { 'transfer-encoding': 'chunked' };
    const answer = await raw(server.socket, 'POST', '/v1/config/check', body, headers);
    assert.deepEqual([answer.status, codeOf(answer)], [413, 'BODY_TOO_LARGE']);
    assert.equal(calls.length, 0);
    assert.equal((await raw(server.socket, 'GET', '/v1/status')).status, 200);
  });

test('a body of just 1 MiB is taken, and the client refuses more before sending', async (context) => {
  const server = await serve(context);
  const client = createControlClient({ socket: server.socket });
  const room = 1024 * 1024 - Buffer.byteLength('{"candidate":""}');
  assert.equal((await client.call('config.check', { candidate: 'x'.repeat(room) })).ok, true);
  await assert.rejects(client.call('config.check', { candidate: 'x'.repeat(room + 1) }), { code: 'BODY_TOO_LARGE' });
});

test('a SekishoError reaches the caller with code, message and remedy; its code decides the status', async (context) => {
  const throwing = (code: string, retryable = false): GatewayHandlers['status'] => {
    return () => {
      throw new SekishoError(code, `Trouble ${code}`, { remedy: 'Do this', retryable });
    };
  };
  for (const [code, retryable, status] of [
    ['NOT_FOUND', false, 404],
    ['WRONG_STATE', false, 409],
    ['SPOOL_FULL', true, 503],
    ['CONFIG_NOT_APPLIED', false, 422],
  ] as const) {
    const server = await serve(context, { handlers: { status: throwing(code, retryable) } });
    const answer = await raw(server.socket, 'GET', '/v1/status');
    assert.deepEqual(answer.body, { code, message: `Trouble ${code}`, remedy: 'Do this' });
    assert.equal(answer.status, status);
    await assert.rejects(createControlClient({ socket: server.socket }).call('status', {}), {
      code,
      remedy: 'Do this',
    });
  }
});

test('a bug in a handler is 500 INTERNAL: the cause is in the log and nowhere else', async (context) => {
  const logged: Array<Readonly<Record<string, unknown>> | undefined> = [];
  const server = await serve(context, { observe: { log: (_level, _message, facts) => void logged.push(facts) } });
  const answer = await raw(server.socket, 'GET', `/v1/trace?id=${BUG}`);
  assert.deepEqual([answer.status, codeOf(answer)], [500, 'INTERNAL']);
  assert.equal(JSON.stringify(answer.body).includes('secret detail'), false);
  assert.equal(logged[0]?.['error'], 'secret detail of a bug');
  assert.equal((await raw(server.socket, 'GET', '/v1/status')).status, 200);
});

test('an answer that breaks the contract is a bug, and fields beyond the contract never leave', async (context) => {
  const handlers = fakeHandlers();
  const server = await serve(context, {
    handlers: {
      'log.level': (() => ({ level: 'loud' })) as unknown as GatewayHandlers['log.level'],
      'metrics.text': () => ({ contentType: 'text/plain', text: 'x', password: 'hunter2' }),
      status: handlers.status,
    },
  });
  assert.equal(codeOf(await raw(server.socket, 'POST', '/v1/log/level', '{}')), 'INTERNAL');
  assert.deepEqual((await raw(server.socket, 'GET', '/v1/metrics')).body, { contentType: 'text/plain', text: 'x' });
});

test('a handler beyond its deadline is answered 504, its signal aborts, and its turn is free again', async (context) => {
  let aborted = 0;
  const server = await serve(context, {
    handlers: {
      ...fakeHandlers(),
      'engines.list': (_request, { signal }) =>
        new Promise(() => signal.addEventListener('abort', () => void (aborted += 1), { once: true })),
    },
    limits: { deadlineMs: 50, concurrent: 1 },
  });
  for (let i = 0; i < 3; i += 1) {
    const answer = await raw(server.socket, 'GET', '/v1/engines');
    assert.deepEqual([answer.status, codeOf(answer)], [504, 'DEADLINE']);
  }
  assert.equal(aborted, 3);
  assert.equal((await raw(server.socket, 'GET', '/v1/status')).status, 200);
});

test('the signal aborts when the caller hangs up', async (context) => {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const server = await serve(context, {
    handlers: {
      'engines.list': (_request, { signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => resolve(), { once: true });
          begin();
        }),
    },
  });
  const connection = createConnection(server.socket);
  connection.write('GET /v1/engines HTTP/1.1\r\nhost: x\r\n\r\n');
  await begun;
  connection.destroy();
  await aborted;
});

test('300 calls at once are all answered: done, or BUSY, never left hanging', async (context) => {
  let most = 0;
  let running = 0;
  const server = await serve(context, {
    handlers: {
      'engines.list': async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running -= 1;
        return { engines: [] };
      },
    },
    limits: { concurrent: 4, waiting: 20, connections: 1_000 },
  });
  const answers = await Promise.all(Array.from({ length: 300 }, () => raw(server.socket, 'GET', '/v1/engines')));
  const statuses = answers.map((answer) => answer.status);
  assert.deepEqual(new Set(statuses), new Set([200, 503]));
  assert.ok(statuses.filter((status) => status === 200).length >= 24);
  assert.equal(most, 4);
  assert.equal((await raw(server.socket, 'GET', '/v1/engines')).status, 200);
});

test('a caller that never finishes its request is cut off', async (context) => {
  const server = await serve(context, { limits: { receiveMs: 100 } });
  const connection = createConnection(server.socket);
  connection.on('error', () => undefined);
  connection.resume();
  connection.write('POST /v1/config/check HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
  await once(connection, 'close');
  // a busy machine may not get a whole request through in a tenth of a second itself
  await until('an answer', { ms: 20_000 }, async () =>
    (await raw(server.socket, 'GET', '/v1/status').catch(() => undefined))?.status === 200 ? true : undefined,
  );
});

test('the socket is 0600, or 0660 when asked, in a folder that is ours alone', async (context) => {
  const server = await serve(context);
  assert.equal((await stat(server.socket)).mode & 0o777, 0o600);
  assert.equal((await stat(path.dirname(server.socket))).mode & 0o777, 0o700);
  const shared = await serve(context, { mode: 0o660 });
  assert.equal((await stat(shared.socket)).mode & 0o777, 0o660);
});

test('a folder where others may write is refused', async (context) => {
  const run = path.join(await folder(context), 'run');
  await mkdir(run);
  await chmod(run, 0o777);
  await assert.rejects(serve(context, { socket: path.join(run, 'control.sock') }), { code: 'CONTROL_UNSAFE_FOLDER' });
});

test('a socket left behind by a dead gateway is replaced, a live one is left alone', async (context) => {
  const run = path.join(await folder(context), 'run');
  await mkdir(run, { mode: 0o700 });
  const socket = path.join(run, 'control.sock');
  const dead = createServer().listen(path.join(run, 'dead'));
  await once(dead, 'listening');
  await import('node:fs/promises').then(({ rename }) => rename(path.join(run, 'dead'), socket));
  await new Promise((resolve) => dead.close(resolve)); // its file stays under the new name
  assert.ok((await lstat(socket)).isSocket());
  const server = await serve(context, { socket });
  assert.equal((await raw(socket, 'GET', '/v1/status')).status, 200);
  await assert.rejects(serve(context, { socket }), { code: 'CONTROL_IN_USE' });
  assert.equal((await raw(socket, 'GET', '/v1/status')).status, 200);
  await server.close();
  await assert.rejects(lstat(socket), { code: 'ENOENT' });
});

test('a file that is no socket is never removed', async (context) => {
  const run = path.join(await folder(context), 'run');
  await mkdir(run, { mode: 0o700 });
  await writeFile(path.join(run, 'control.sock'), 'precious');
  await assert.rejects(serve(context, { socket: path.join(run, 'control.sock') }), { code: 'CONTROL_PATH' });
  await symlink('/nowhere', path.join(run, 'link.sock'));
  await assert.rejects(serve(context, { socket: path.join(run, 'link.sock') }), { code: 'CONTROL_PATH' });
  assert.equal((await stat(path.join(run, 'control.sock'))).size, 8);
});

test('a path too long for a socket is refused with a sentence', async (context) => {
  const long = path.join(await folder(context), 'x'.repeat(100), 'control.sock');
  await assert.rejects(serve(context, { socket: long }), { code: 'CONTROL_PATH' });
});

test('close() lets a call in flight finish', async (context) => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const server = await serve(context, {
    handlers: {
      'engines.list': async () => {
        begin();
        await gate;
        return { engines: [] };
      },
    },
  });
  const answer = raw(server.socket, 'GET', '/v1/engines');
  await begun;
  const closed = server.close();
  open();
  assert.equal((await answer).status, 200);
  await closed;
  await assert.rejects(createControlClient({ socket: server.socket }).call('status', {}), {
    code: 'GATEWAY_NOT_RUNNING',
  });
});

test('the client tells a gateway that is not running, silent, or not understood', async (context) => {
  const directory = await folder(context);
  await assert.rejects(
    createControlClient({ socket: path.join(directory, 'none.sock') }).call('status', {}),
    (error) => {
      assert.ok(error instanceof SekishoError);
      assert.equal(error.code, 'GATEWAY_NOT_RUNNING');
      assert.match(error.remedy ?? '', /scripts\/start/);
      return true;
    },
  );
  const silent = createServer().listen(path.join(directory, 'silent.sock'));
  context.after(() => silent.close());
  await once(silent, 'listening');
  await assert.rejects(
    createControlClient({ socket: path.join(directory, 'silent.sock'), deadlineMs: 50 }).call('status', {}),
    {
      code: 'GATEWAY_SILENT',
    },
  );
  const odd = createServer((socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}')).listen(
    path.join(directory, 'odd.sock'),
  );
  context.after(() => odd.close());
  await once(odd, 'listening');
  await assert.rejects(createControlClient({ socket: path.join(directory, 'odd.sock') }).call('status', {}), {
    code: 'GATEWAY_MISMATCH',
  });
});

test('the contract knows an id as mail/queue-id.ts does', () => {
  const id = VERBS['queue.show'].request;
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 0, max: 9_999 }), (sequence, part) => {
      const plain = newQueueId(sequence);
      for (const text of [plain, childQueueId(plain, part), dsnQueueId(childQueueId(plain, part), part)]) {
        assert.equal(parseQueueId(text), text);
        assert.deepEqual(id.parse({ id: text.toLowerCase() }), { id: text });
      }
    }),
    { numRuns: 200 },
  );
  for (const wrong of ['', 'x', `${ID}.`, `${ID}.x1`, `${ID}/..`, ID.replace('K', 'U')])
    assert.deepEqual([id.safeParse({ id: wrong }).success, parseQueueId(wrong)], [false, undefined], wrong);
});
