/** MTA-STS (RFC 8461): record and policy file to the letter; the fetch against a real HTTPS server; what is kept, and for how long. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, test } from 'node:test';
import { pause } from '../../src/base/deadline.ts';
import { isStsHost, parseStsPolicy, parseStsRecord, StsPolicies, type StsPolicy } from '../../src/deliver/mta-sts.ts';
import { createStsFetch } from '../../src/deliver/mta-sts-fetch.ts';
import { issue } from '../support/own-ca.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { silentObserve } from '../../src/observe/events.ts';

const cleanups: Array<() => Promise<unknown>> = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const POLICY = 'version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n';

test('the DNS record: one, with an id; anything else is none (RFC 8461 §3.1)', () => {
  assert.equal(parseStsRecord([['v=STSv1; id=20160831085700Z;']]), '20160831085700Z');
  assert.equal(parseStsRecord([['v=STSv1; ', 'id=a1']]), 'a1');
  assert.equal(parseStsRecord([['v=spf1 -all'], ['v=STSv1;id=x;future=1']]), 'x');
  for (const bad of [
    [],
    [['v=STSv1;']],
    [['v=STSv1; id=a-b']],
    [['v=STSv2; id=a']],
    [['v=STSv1; id=a'], ['v=STSv1; id=b']],
  ])
    assert.equal(parseStsRecord(bad), undefined, JSON.stringify(bad));
  assert.equal(parseStsRecord([[`v=STSv1; id=${'a'.repeat(33)}`]]), undefined);
});

test("the RFC's own policy is read; what lacks a field or lies about one is no policy (RFC 8461 §3.2)", () => {
  assert.deepEqual(parseStsPolicy(POLICY), {
    mode: 'enforce',
    mx: ['mail.example.com', '*.example.net'],
    maxAge: 604_800,
  });
  assert.deepEqual(parseStsPolicy('version: STSv1\nmode: none\nmax_age: 60\nnew_field: x\n'), {
    mode: 'none',
    mx: [],
    maxAge: 60,
  });
  assert.equal(parseStsPolicy(POLICY.replace('604800', '9999999999'))?.maxAge, 31_557_600);
  assert.equal(parseStsPolicy(`${POLICY}mode: none\r\n`)?.mode, 'enforce');
  for (const [from, to] of [
    ['STSv1', 'STSv2'],
    ['mode: enforce', 'mode: maybe'],
    ['max_age: 604800', 'max_age: soon'],
    ['mx: mail.example.com', 'mx: mail..example'],
    [/mx: .*\r\n/g, ''],
  ] as const)
    assert.equal(parseStsPolicy(POLICY.replace(from, to)), undefined, String(from));
});

test('a wildcard stands for exactly one label (RFC 8461 §4.1)', () => {
  const policy = { mx: ['mail.example.com', '*.example.net'] };
  for (const host of ['mail.example.com', 'MAIL.example.com.', 'mx1.example.net'])
    assert.ok(isStsHost(host, policy), host);
  for (const host of ['example.net', 'a.b.example.net', 'xmail.example.com', 'mx1.example.net.evil.example', ''])
    assert.ok(!isStsHost(host, policy), host);
});

type Answer = (response: import('node:http').ServerResponse) => void;

async function policyHost(answer: Answer): Promise<{ port: number; ca: string; asked: string[] }> {
  const { key, certificate, ca } = await issue(['mta-sts.far.example']);
  const asked: string[] = [];
  const server = https.createServer({ key, cert: certificate }, (request, response) => {
    asked.push(`${request.headers.host} ${request.url}`);
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as { port: number }).port, ca, asked };
}

const plain: Answer = (response) => response.setHeader('content-type', 'text/plain; charset=utf-8').end(POLICY);
const resolver = { a: async () => ['127.0.0.1'], aaaa: async () => [] };
const never = new AbortController().signal;

test('the policy is fetched by HTTPS from mta-sts.<domain>, whose certificate must be valid for that name', async () => {
  const { asked, ...host } = await policyHost(plain);
  assert.equal(await createStsFetch({ resolver, ...host })('far.example', never), POLICY);
  assert.deepEqual(asked, ['mta-sts.far.example /.well-known/mta-sts.txt']);
  await assert.rejects(createStsFetch({ resolver, ...host })('other.example', never), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
  await assert.rejects(createStsFetch({ resolver, port: host.port })('far.example', never), {
    code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  });
  assert.equal(asked.length, 1);
});

test('a redirect, another type, too much and a host without an address are no policy', async () => {
  const answers: Array<[Answer, RegExp]> = [
    [(response) => response.writeHead(301, { location: 'https://evil.example/' }).end(), /answered 301/],
    [(response) => response.setHeader('content-type', 'text/html').end(POLICY), /text\/html/],
    [(response) => response.setHeader('content-type', 'text/plain').end('x'.repeat(70_000)), /larger than/],
  ];
  for (const [answer, words] of answers) {
    const { port, ca } = await policyHost(answer);
    await assert.rejects(createStsFetch({ resolver, port, ca })('far.example', never), words);
  }
  const nobody = { a: async () => [], aaaa: async () => [] };
  await assert.rejects(createStsFetch({ resolver: nobody })('far.example', never), /has no address/);
});

interface World {
  policies: StsPolicies;
  clock: FakeClock;
  file: string;
  /** What DNS says; undefined: it cannot be asked. */
  id: string | undefined;
  /** What the policy host says; undefined: it is away. */
  text: string | undefined;
  fetched: number;
}

async function world(file?: string): Promise<World> {
  const at = file ?? path.join(await mkdtemp(path.join(tmpdir(), 'sekisho-sts-')), 'mta-sts.json');
  if (file === undefined) cleanups.push(() => rm(path.dirname(at), { recursive: true, force: true }));
  const made: Omit<World, 'policies'> & { policies?: StsPolicies } = {
    clock: new FakeClock(),
    file: at,
    id: 'a1',
    text: POLICY,
    fetched: 0,
  };
  made.policies = await StsPolicies.open({
    resolver: {
      txt: async () => {
        if (made.id === undefined) throw new Error('SERVFAIL');
        return made.id === '' ? [] : [[`v=STSv1; id=${made.id};`]];
      },
    },
    fetch: async () => {
      made.fetched += 1;
      if (made.text === undefined) throw new Error('away');
      return made.text;
    },
    clock: made.clock,
    observe: silentObserve,
    file: at,
  });
  const { policies } = made;
  cleanups.push(() => policies[Symbol.asyncDispose]());
  return made as World;
}

const mode = async (at: World): Promise<StsPolicy['mode'] | undefined> => (await at.policies.of('far.example'))?.mode;

test('a policy is fetched once, and again only when the id changes', async () => {
  const at = await world();
  assert.deepEqual([await mode(at), await mode(at), at.fetched], ['enforce', 'enforce', 1]);
  at.id = 'a2';
  at.text = POLICY.replace('enforce', 'testing');
  assert.deepEqual([await mode(at), at.fetched], ['testing', 2]);
});

test('who stops DNS or the policy host does not switch an unexpired policy off; without one there is none', async () => {
  const at = await world();
  assert.equal(await mode(at), 'enforce');
  at.text = undefined;
  for (const id of ['a2', '', undefined]) {
    at.id = id;
    assert.equal(await mode(at), 'enforce', String(id));
  }
  at.clock.advance(604_800_000);
  assert.equal(await mode(at), undefined);
});

test('a policy host that is away is asked once in five minutes, not for each message', async () => {
  const at = await world();
  at.text = undefined;
  for (let tries = 0; tries < 5; tries += 1) assert.equal(await mode(at), undefined);
  assert.equal(at.fetched, 1);
  at.text = POLICY;
  at.clock.advance(300_000);
  assert.deepEqual([await mode(at), at.fetched], ['enforce', 2]);
});

test('past half of its time a policy is renewed in the background', async () => {
  const at = await world();
  await mode(at);
  at.clock.advance(400_000_000);
  assert.equal(await mode(at), 'enforce');
  for (let turns = 0; turns < 10_000 && at.fetched < 2; turns += 1) await pause(5);
  await at.policies[Symbol.asyncDispose]();
  at.clock.advance(400_000_000);
  at.id = undefined;
  assert.deepEqual([await mode(at), at.fetched], ['enforce', 2]);
});

test('policies outlive a restart; a damaged file is begun anew', async () => {
  const at = await world();
  await mode(at);
  await at.policies[Symbol.asyncDispose]();
  const again = await world(at.file);
  again.text = undefined;
  again.id = undefined;
  assert.equal(await mode(again), 'enforce');
  assert.match(await readFile(at.file, 'utf8'), /"far\.example"/);
  await writeFile(at.file, '{"far.example":{"mode":"enf');
  const anew = await world(at.file);
  anew.text = undefined;
  assert.equal(await mode(anew), undefined);
});
