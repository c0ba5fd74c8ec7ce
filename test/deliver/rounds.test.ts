/**
 * One hop for many domains: a message has one job for each of them, and a recipient is tried once each time it is due, whatever
 * happens in between. Time passes by hand, so that "due" is exact.
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { stampOf } from '../../src/base/clock.ts';
import { SekishoError } from '../../src/base/errors.ts';
import type { Config, ConfigInput } from '../../src/config/schema.ts';
import type { DeliveryOptions } from '../../src/deliver/api.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { type FakeServer, type Script, startServer } from './fake-server.ts';
import { freePort } from '../support/net.ts';
import { fakeResolver, type Stage, stage, testClock, testConfig, to, until } from './support.ts';

const cleanups: Array<() => Promise<void>> = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function server(script: Script): Promise<FakeServer> {
  const started = await startServer(script);
  cleanups.push(() => started.close());
  return started;
}

function begin(config: () => Config, options: Partial<DeliveryOptions> = {}): Stage {
  const clock = testClock();
  const exact = clock.monotonic.bind(clock);
  clock.monotonic = () => Math.floor(exact()); // as the real one: what is due now is due at once
  const staged = stage(config, { ...options, clock });
  cleanups.push(() => staged.delivery.stop({ graceMs: 0 }));
  staged.delivery.start();
  return staged;
}

const DOMAINS = ['one.example', 'two.example', 'three.example', 'four.example'];
const PAUSE = 650_000;
const EXPIRY = 3_650_000;

function configFor(port: number, delivery: ConfigInput['delivery']): Config {
  return testConfig({
    outbound: { smarthost: { host: 'localhost', port } },
    delivery: { retryMs: [PAUSE], probeMs: 5, expireOutboundMs: EXPIRY, delayNoticeMs: 0, ...delivery },
  });
}

/** Time has passed: delivery looks at what is due now. */
function look(staged: Stage): void {
  staged.delivery.retryNow({ domain: 'nobody.example' });
}

function isStill(staged: Stage): boolean {
  return staged.delivery.status().hops.every((hop) => hop.active === 0);
}

function isQuiet(staged: Stage): boolean {
  return staged.delivery.status().due === 0 && isStill(staged);
}

function attemptsOf(staged: Stage): Map<string, number> {
  const counts = new Map<string, number>();
  for (const event of staged.seen.events) {
    if (event.event !== 'attempt') continue;
    for (const address of event.recipients) {
      const key = `${event.id} ${address}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return counts;
}

test('a busy smarthost: who comes along with another domain is tried once a round, for ever', async () => {
  const smart = await server({ rcpt: () => '450 4.2.0 Later' });
  const staged = begin(() => configFor(smart.port, { concurrencyPerHop: 1 }));
  const people = ['a@one.example', 'b@two.example', 'c@three.example'];
  for (let at = 0; at < 3; at += 1) staged.spool.add({ listener: 'relay', to: people });
  for (let round = 1; round <= 5; round += 1) {
    await until(`round ${round}`, () => isQuiet(staged));
    const counts = attemptsOf(staged);
    assert.equal(counts.size, 9);
    assert.deepEqual([...new Set(counts.values())], [round]);
    assert.equal(staged.delivery.status().waiting, 9);
    staged.clock.advance(PAUSE + 50_000);
    look(staged);
  }
});

test('recipients deferred together come back together', async () => {
  const smart = await server({ rcpt: () => '450 4.2.0 Later' });
  let calls = 0;
  const random = (): number => [0, 0.99][(calls += 1) % 2] as number;
  const staged = begin(() => configFor(smart.port, {}), { random });
  staged.spool.add({ listener: 'relay', to: DOMAINS.map((domain) => `a@${domain}`) });
  for (let round = 1; round <= 6; round += 1) {
    await until(`round ${round}`, () => isQuiet(staged));
    assert.equal(new Set(attemptsOf(staged).values()).size, 1);
    staged.clock.advance(PAUSE);
    look(staged);
  }
});

test('a kept session that died, and no other to be had: one attempt is one attempt', async () => {
  let away = false;
  const far = await server({
    greeting: () => (away ? '421 4.3.2 Not now' : '220 far.example ESMTP'),
    mail: () => (away ? 'cut' : undefined),
  });
  const resolver = fakeResolver({ 'far.example': { a: ['127.0.0.1'] } });
  const config = testConfig({ delivery: { retryMs: [PAUSE] } });
  const staged = begin(() => config, { resolver, tuning: { mxPort: far.port } });
  staged.spool.add({ listener: 'relay', to: ['a@far.example'] });
  await until('delivered', () => staged.spool.entries.size === 0 && isStill(staged));
  away = true;
  const id = staged.spool.add({ listener: 'relay', to: ['b@far.example'] });
  await until('deferred', () => staged.delivery.status().waiting === 1 && isQuiet(staged));
  assert.equal(staged.spool.progressOf(id).recipients[0]?.attempts, 1);
});

test('what is held is not among what "retry now" makes due', async () => {
  const smart = await server({ rcpt: () => '450 4.2.0 Later' });
  const staged = begin(() => configFor(smart.port, {}));
  const [held] = [1, 2].map(() => staged.spool.add({ listener: 'relay', to: ['a@one.example'] }));
  await until('both wait', () => isQuiet(staged));
  await staged.spool.move(held as QueueId, 'held');
  assert.equal(staged.delivery.retryNow({}), 1);
  await until('tried', () => isQuiet(staged));
  assert.equal(staged.delivery.status().waiting, 1);
});

test('a bounce that cannot be written leaves the message free to be held or deleted, and says what the peer said', async () => {
  const smart = await server({ rcpt: () => '550 5.1.1 Nobody' });
  const staged = begin(() => configFor(smart.port, {}));
  const { spool } = staged;
  const write = spool.bounce.bind(spool);
  spool.bounce = async () => {
    throw new SekishoError('SPOOL_FULL', 'Disk is full');
  };
  const id = spool.add({ listener: 'relay', to: ['a@one.example'] });
  await until('tried', () => isQuiet(staged));
  assert.equal(spool.progressOf(id).recipients[0]?.lastReply, '550 5.1.1 Nobody');
  assert.equal(await spool.move(id, 'held'), id);
  (spool.entries.get(id) as { message: { folder: string } }).message.folder = 'queue';
  spool.bounce = write;
  staged.clock.advance(PAUSE + 50_000);
  look(staged);
  await until('bounced', () => spool.outcome(id, 'a@one.example') === 'bounced');
});

test('trouble while mail is looked at for its age, and its hop is forgotten meanwhile: it stands at the hop of its domain', async () => {
  const away = await freePort();
  const other = await server({});
  const office = (overrides: NonNullable<ConfigInput['delivery']>['overrides']): Config =>
    testConfig({
      domains: [{ name: 'office.example', servers: [{ host: 'localhost', port: away }] }],
      delivery: { retryMs: [PAUSE], probeMs: PAUSE, overrides },
    });
  let current = office([]);
  const staged = begin(() => current, { tuning: { sweepMs: 2 } });
  const { spool, clock } = staged;
  const day = 86_400_000;
  const arrival = stampOf(clock);
  const old = spool.add({
    to: ['a@office.example'],
    arrival: { ...arrival, mono: arrival.mono - 6 * day, wall: arrival.wall - 6 * day },
  });
  const young = spool.add({ to: ['b@office.example'] });
  await until('away', () => staged.seen.alarms.size === 1 && isStill(staged));
  const read = spool.read.bind(spool);
  const looked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  spool.read = async (id) => {
    if (id === old) {
      spool.read = read;
      looked.resolve();
      await go.promise;
      throw new SekishoError('SPOOL_READ', 'Not now', { retryable: true });
    }
    return read(id);
  };
  clock.advance(2 * day);
  await looked.promise;
  current = office([{ domain: 'office.example', host: 'localhost', port: other.port }]);
  staged.delivery.retryNow({ domain: 'office.example' });
  await until('the other one is delivered', () => !spool.entries.has(young));
  go.resolve();
  await until('told', () => staged.seen.logs.some((line) => line.includes('Not now')));
  clock.advance(PAUSE + 50_000);
  spool.add({ to: ['c@office.example'] });
  await until('nobody is forgotten', () => spool.entries.size === 0);
  assert.equal(spool.outcome(old, 'a@office.example'), 'delivered');
});

/** What is expected of the queue, worked out by hand beside it. */
interface Expected {
  state: 'queue' | 'held' | 'deleted';
  born: number;
  domains: Map<string, { due: number; open: Set<string> }>;
}

type Outcome = 'delivered' | 'deferred' | 'bounced';

class World {
  readonly #random: () => number;
  readonly #mail = new Map<QueueId, Expected>();
  readonly #outcomes = new Map<string, Outcome>();
  readonly #detoured = new Set<string>();
  #counts = new Map<string, number>();
  #now = 0;
  #away = false;
  /** The server goes away at this MAIL. */
  #mailsLeft = Number.POSITIVE_INFINITY;
  #staged!: Stage;
  readonly story: string[] = [];

  constructor(seed: number) {
    let state = seed * 2_654_435_761;
    this.#random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
  }

  async begin(): Promise<void> {
    const smart = await server({
      greeting: () => (this.#away ? '421 4.3.2 Not now' : '220 smart.example ESMTP'),
      mail: () => {
        this.#mailsLeft -= 1;
        if (this.#mailsLeft <= 0) this.#away = true;
        return this.#away ? 'cut' : undefined;
      },
      rcpt: (line) => {
        const outcome = this.#outcomes.get(/<(.+?)>/.exec(line)?.[1] ?? '');
        return outcome === 'deferred' ? '450 4.2.0 Later' : outcome === 'bounced' ? '550 5.1.1 Nobody' : undefined;
      },
    });
    const concurrencyPerHop = 1 + Math.floor(this.#random() * 3);
    this.story.push(`${concurrencyPerHop} at once`);
    this.#staged = begin(() => {
      const overrides = [...this.#detoured].map((domain) => ({ domain, host: 'localhost', port: smart.port }));
      return configFor(smart.port, { concurrencyPerHop, overrides });
    });
  }

  async step(): Promise<void> {
    this.#draw();
    const ids = [...this.#mail].filter(([, { domains }]) => domains.size > 0).map(([id]) => id);
    const id = this.#one(ids);
    const domain = this.#one(DOMAINS) as string;
    const dice = this.#random();
    if (id === undefined || dice < 0.1) await this.#add();
    else if (dice < 0.45) await this.#pass(this.#one([100, 300, 700]) as number);
    else if (dice < 0.55) await this.#ask(`retry ${domain}`, { domain });
    else if (dice < 0.65) await this.#ask(`retry ${id}`, { id });
    else if (dice < 0.75) await this.#holdOrRelease(id);
    else if (dice < 0.85) await this.#deleteOrBring(id);
    else if (dice < 0.92) await this.#detour(domain);
    else await this.#lose();
  }

  /** Everybody is let go and served: nobody stands in the queue without a job. */
  async end(): Promise<void> {
    for (const [id, { state }] of this.#mail) {
      if (state === 'held') await this.#holdOrRelease(id);
      if (state === 'deleted') await this.#deleteOrBring(id);
    }
    this.#draw(1);
    await this.#pass(700);
    assert.equal(this.#staged.spool.entries.size, 0, this.story.join('\n'));
  }

  #one<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)];
  }

  #draw(delivered = 0.15): void {
    for (const domain of DOMAINS) {
      for (const name of ['a', 'b']) {
        const dice = this.#random();
        const outcome = dice < delivered ? 'delivered' : dice < delivered + 0.05 ? 'bounced' : 'deferred';
        this.#outcomes.set(`${name}@${domain}`, outcome);
      }
    }
  }

  /** What is due, or asked for, is tried once; nobody else is. */
  async #round(what: string, isAsked: (id: QueueId, domain: string) => boolean = () => false): Promise<void> {
    this.story.push(what);
    for (const [id, mail] of this.#mail) {
      if (mail.state !== 'queue') continue;
      for (const [domain, job] of mail.domains) {
        if (job.due <= this.#now || isAsked(id, domain)) this.#attempted(id, mail, { domain, ...job });
      }
    }
    await until(`quiet after\n${this.story.join('\n')}`, () => isQuiet(this.#staged));
    this.#compare();
  }

  #attempted(id: QueueId, mail: Expected, { domain, open }: { domain: string; open: Set<string> }): void {
    const isOver = this.#now - mail.born >= EXPIRY;
    for (const address of open) {
      const key = `${id} ${address}`;
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
      if (isOver || this.#outcomes.get(address) !== 'deferred') open.delete(address);
    }
    if (open.size === 0) mail.domains.delete(domain);
    else mail.domains.set(domain, { due: this.#now + PAUSE, open });
  }

  #compare(): void {
    assert.deepEqual(
      Object.fromEntries(attemptsOf(this.#staged)),
      Object.fromEntries(this.#counts),
      this.story.join('\n'),
    );
    assert.deepEqual(this.#open(), this.#expectedOpen(), this.story.join('\n'));
  }

  #open(): string[] {
    const open = [...this.#staged.spool.entries].flatMap(([id, { message }]) =>
      message.progress.recipients.filter((each) => each.outcome === undefined).map(({ address }) => `${id} ${address}`),
    );
    return open.toSorted();
  }

  #expectedOpen(): string[] {
    const open = [...this.#mail].flatMap(([id, { domains }]) =>
      [...domains.values()].flatMap((job) => [...job.open].map((address) => `${id} ${address}`)),
    );
    return open.toSorted();
  }

  async #add(): Promise<void> {
    const people = DOMAINS.flatMap((domain) => ['a', 'b'].map((name) => `${name}@${domain}`)).filter(
      () => this.#random() < 0.5,
    );
    if (people.length === 0) return;
    const domainOf = (address: string): string => address.slice(2);
    const domains = Map.groupBy(people, domainOf);
    const groups = this.#random() < 0.5 ? [people] : [...domains.values()];
    const variants = groups.map((group) => ({ recipients: group.map(to), prefix: '', cuts: [] }));
    const id = this.#staged.spool.add({ listener: 'relay', to: people, variants });
    const jobs = Array.from(domains, ([domain, open]) => [domain, { due: this.#now, open: new Set(open) }] as const);
    this.#mail.set(id, { state: 'queue', born: this.#now, domains: new Map(jobs) });
    await this.#round(`add ${id} to ${people.join(' ')}, ${groups.length} variants`);
  }

  async #pass(seconds: number): Promise<void> {
    this.#now += seconds * 1_000;
    this.#staged.clock.advance(seconds * 1_000);
    look(this.#staged);
    await this.#round(`${seconds} s pass`);
  }

  async #ask(what: string, filter: { id?: QueueId; domain?: string }): Promise<void> {
    this.#staged.delivery.retryNow(filter);
    const { id, domain } = filter;
    await this.#round(what, (mail, to) => (id === undefined || mail === id) && (domain === undefined || to === domain));
  }

  async #holdOrRelease(id: QueueId): Promise<void> {
    const mail = this.#mail.get(id);
    const message = this.#staged.spool.entries.get(id)?.message;
    if (mail === undefined || message === undefined || mail.state === 'deleted') return;
    if (mail.state === 'queue') {
      await this.#staged.spool.move(id, 'held');
      mail.state = 'held';
      return this.#round(`hold ${id}`);
    }
    mail.state = message.folder = 'queue';
    for (const each of message.progress.recipients) each.wait = 0;
    for (const job of mail.domains.values()) job.due = this.#now;
    this.#staged.spool.announce(id);
    return this.#round(`release ${id}`);
  }

  async #deleteOrBring(id: QueueId): Promise<void> {
    const mail = this.#mail.get(id);
    const message = this.#staged.spool.entries.get(id)?.message;
    if (mail === undefined || message === undefined || mail.state === 'held') return;
    if (mail.state === 'queue') {
      mail.state = 'deleted';
      message.progress.deleted = message.preamble.arrival;
      return this.#round(`delete ${id}`);
    }
    mail.state = 'queue';
    delete message.progress.deleted;
    this.#staged.spool.announce(id);
    return this.#round(`undelete ${id}`);
  }

  async #detour(domain: string): Promise<void> {
    if (!this.#detoured.delete(domain)) this.#detoured.add(domain);
    await this.#ask(`send ${domain} another way`, { domain });
  }

  /** In the middle of whatever goes out; when it is back everything is due at once, and whom it met is counted anew. */
  async #lose(): Promise<void> {
    this.#mailsLeft = 1 + Math.floor(this.#random() * 4);
    this.story.push(`700 s pass, the server goes away at MAIL ${this.#mailsLeft}`);
    this.#now += 700_000;
    this.#staged.clock.advance(700_000);
    look(this.#staged);
    const stands = (): boolean => {
      const { hops, due } = this.#staged.delivery.status();
      return isStill(this.#staged) && (due === 0 || hops.some((hop) => hop.state !== 'up'));
    };
    await until(`lost after\n${this.story.join('\n')}`, stands);
    this.#mailsLeft = Number.POSITIVE_INFINITY;
    this.#away = false;
    const back = (): boolean =>
      isQuiet(this.#staged) && this.#staged.delivery.status().hops.every((hop) => hop.state === 'up');
    await until(`back after\n${this.story.join('\n')}`, back);
    const open = new Set(this.#open());
    for (const [id, mail] of this.#mail) {
      for (const [domain, job] of mail.domains) {
        for (const address of job.open) if (!open.has(`${id} ${address}`)) job.open.delete(address);
        if (job.open.size === 0) mail.domains.delete(domain);
        else if (mail.state === 'queue') job.due = this.#now + PAUSE;
      }
    }
    const before = this.#counts;
    this.#counts = attemptsOf(this.#staged);
    for (const key of this.#expectedOpen()) {
      const [id] = key.split(' ') as [QueueId];
      const tried = (this.#counts.get(key) ?? 0) - (before.get(key) ?? 0);
      if (this.#mail.get(id)?.state === 'queue')
        assert.ok(tried >= 1 && tried <= 3, `${key}: ${tried}\n${this.story.join('\n')}`);
      else assert.equal(tried, 0, this.story.join('\n'));
    }
    this.#compare();
  }
}

for (let seed = 1; seed <= 12; seed += 1) {
  test(`whatever happens, a recipient is tried once each time it is due, and nobody is forgotten (story ${seed})`, async () => {
    const world = new World(seed);
    await world.begin();
    for (let at = 0; at < 40; at += 1) await world.step();
    await world.end();
  });
}
