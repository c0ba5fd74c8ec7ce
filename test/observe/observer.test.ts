import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { LANGUAGES } from '../../src/base/i18n.ts';
import { ALARM_WORDS } from '../../src/observe/alarms.ts';
import { lineOf } from '../../src/observe/event-line.ts';
import { ALARMS, type MailEvent } from '../../src/observe/events.ts';
import { createLogSink } from '../../src/observe/log-sink.ts';
import { createLog } from '../../src/observe/log.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { createObserver, type Observer } from '../../src/observe/observer.ts';
import { NOON, origin, queueId, received, type TestClock, testClock, to } from './support.ts';

interface Bench extends Disposable {
  observe: Observer;
  clock: TestClock;
  lines: Array<{ level: string; message: string; facts: Record<string, unknown> }>;
  rows: Array<{ event: MailEvent; at: number }>;
  text: () => Promise<string>;
}

function bench(changes: { record?: () => void } = {}): Bench {
  const lines: Bench['lines'] = [];
  const rows: Bench['rows'] = [];
  const metrics = createMetrics();
  const clock = testClock();
  const observe = createObserver({
    clock,
    metrics,
    history: { record: changes.record ?? ((event, at) => void rows.push({ event, at })) },
    log: {
      write: (level, message, facts = {}) => void lines.push({ level, message, facts: { ...facts } }),
      setLevel: () => undefined,
      writes: () => true,
      level: () => 'info',
      dropped: () => 7,
      flush: async () => undefined,
    },
  });
  return { observe, clock, lines, rows, text: () => metrics.text(), [Symbol.dispose]: () => metrics.close() };
}

describe('the observer', () => {
  it('makes of one event a log line, a counter and a history row', async () => {
    using b = bench();
    const event = received(queueId());
    b.observe.emit(event);
    assert.deepEqual(b.rows, [{ event, at: NOON }]);
    assert.equal(b.lines.length, 1);
    assert.deepEqual(
      [b.lines[0]?.level, b.lines[0]?.message, b.lines[0]?.facts['id']],
      ['info', 'Received a message', event.id],
    );
    assert.match(await b.text(), /^sekisho_events_total\{event="received"\} 1$/m);
    assert.match(await b.text(), /^sekisho_log_lines_lost 7$/m);
  });

  it('makes the history’s own figures metrics', async () => {
    const metrics = createMetrics();
    const status = {
      state: 'up',
      waiting: 1,
      written: 2,
      dropped: 3,
      skipped: 4,
      restarts: 0,
      messages: 5,
      octets: 6,
    } as const;
    createObserver({
      clock: testClock(),
      metrics,
      history: { record: () => undefined, status: () => status },
      log: createLog({ level: 'error', sink: createLogSink({ write: (octets, done) => done(null, octets.length) }) }),
    });
    const text = await metrics.text();
    metrics.close();
    for (const [state, figure] of [
      ['waiting', 1],
      ['written', 2],
      ['dropped', 3],
      ['skipped', 4],
    ])
      assert.match(text, new RegExp(`^sekisho_history_rows\\{state="${state}"\\} ${figure}$`, 'm'));
    assert.match(text, /^sekisho_history_octets 6$/m);
  });

  it('never throws into the mail path, whatever breaks', () => {
    using b = bench({ record: () => assert.fail('history is broken') });
    b.observe.subscribe(() => assert.fail('page is broken'));
    assert.doesNotThrow(() => b.observe.emit(received(queueId())));
    assert.deepEqual(
      b.lines.map((line) => line.message),
      ['Received a message', 'Observing failed', 'Observing failed'],
    );
    assert.doesNotThrow(() => b.observe.emit({ event: 'refused' } as unknown as MailEvent));
  });

  it('logs an alarm when it begins and when it ends, and counts between', async () => {
    using b = bench();
    b.observe.raise('engine-down', 'clamd', 'no answer');
    b.clock.advance(5_000);
    b.observe.raise('engine-down', 'clamd', 'still none');
    b.observe.raise('engine-down', 'rspamd', 'refused');
    assert.deepEqual(
      b.observe
        .alarms()
        .map(({ name, key, detail, first, last, count }) => ({ name, key, detail, first, last, count })),
      [
        { name: 'engine-down', key: 'clamd', detail: 'still none', first: NOON, last: NOON + 5_000, count: 2 },
        { name: 'engine-down', key: 'rspamd', detail: 'refused', first: NOON + 5_000, last: NOON + 5_000, count: 1 },
      ],
    );
    assert.match(await b.text(), /^sekisho_alarms\{alarm="engine-down"\} 2$/m);
    b.observe.clear('engine-down', 'clamd');
    b.observe.clear('engine-down', 'clamd');
    b.observe.clear('disk-low', '');
    assert.deepEqual(
      b.lines.map((line) => [line.level, line.message, line.facts['key']]),
      [
        ['error', 'Alarm: An inspection engine is down', 'clamd'],
        ['error', 'Alarm: An inspection engine is down', 'rspamd'],
        ['info', 'Alarm over: An inspection engine is down', 'clamd'],
      ],
    );
    assert.deepEqual(
      b.observe.alarms().map((row) => row.key),
      ['rspamd'],
    );
    assert.deepEqual(
      b.observe.pastAlarms().map((row) => [row.key, row.cleared]),
      [['clamd', NOON + 5_000]],
    );
    assert.match(await b.text(), /^sekisho_alarms\{alarm="engine-down"\} 1$/m);
    b.observe.raise('engine-down', 'clamd', 'again');
    assert.equal(b.observe.alarms().at(-1)?.count, 1);
    assert.equal(b.lines.length, 4);
  });

  it('holds a bounded number of alarms', () => {
    using b = bench();
    for (let i = 0; i < 1_500; i += 1) b.observe.raise('mail-server-down', `host ${i}`, 'bad');
    assert.equal(b.observe.alarms().length, 1_001);
    assert.equal(b.observe.alarms().at(-1)?.count, 500);
  });

  it('shows one row for many messages with the same trouble: the newest, and how many; the last one ends it', async () => {
    using b = bench();
    for (let i = 0; i < 3_000; i += 1) b.observe.raise('undeliverable', `id ${i}`, `550 ${i}`);
    for (let i = 0; i < 5; i += 1) b.observe.raise('internal-error', 'delivery', 'a bug');
    const rows = (): unknown[] => b.observe.alarms().map(({ name, key, detail, count }) => [name, key, detail, count]);
    assert.deepEqual(rows(), [
      ['undeliverable', 'id 2999', '550 2999', 1_000],
      ['internal-error', 'delivery', 'a bug', 5],
    ]);
    assert.match(await b.text(), /^sekisho_alarms\{alarm="undeliverable"\} 1000$/m);
    b.observe.clear('undeliverable', 'id 2999');
    b.observe.clear('undeliverable', 'never raised');
    assert.deepEqual(rows()[0], ['undeliverable', 'id 2998', '550 2998', 999]);
    for (let i = 0; i < 3_000; i += 1) b.observe.clear('undeliverable', `id ${i}`);
    assert.deepEqual(
      b.observe.alarms().map(({ name }) => name),
      ['internal-error'],
    );
    assert.match(await b.text(), /^sekisho_alarms\{alarm="undeliverable"\} 0$/m);
  });

  it('ends what happened and is no state when it has not happened again for half a day', async () => {
    using b = bench();
    const hour = 3_600_000;
    const passes = (hours: number): void => {
      b.clock.advance(hours * hour);
      mock.timers.tick(hours * hour);
    };
    const standing = (): string[] => b.observe.alarms().map(({ name, key }) => `${name} ${key}`);
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      b.observe.raise('internal-error', 'bug', 'once');
      b.observe.raise('mail-server-down', 'hop', 'away');
      passes(1);
      b.observe.raise('internal-error', 'delivery', 'and again');
      b.observe.raise('spool-recovered', 'spool', 'rebuilt');
      passes(10);
      b.observe.raise('internal-error', 'bug', 'twice');
      passes(2);
      assert.deepEqual(standing(), ['internal-error bug', 'mail-server-down hop']);
      passes(9);
      assert.deepEqual(standing(), ['internal-error bug', 'mail-server-down hop']);
      passes(1);
      assert.deepEqual(standing(), ['mail-server-down hop']);
      assert.match(await b.text(), /^sekisho_alarms\{alarm="internal-error"\} 0$/m);
      b.observe.raise('internal-error', 'bug', 'a new day');
      assert.deepEqual(standing(), ['mail-server-down hop', 'internal-error bug']);
      for (let at = 0; at < 1_010; at += 1) b.observe.raise('internal-error', `bug ${at}`, 'a storm');
      passes(12);
      assert.deepEqual(standing(), ['mail-server-down hop']);
    } finally {
      mock.timers.reset();
    }
  });

  it('keeps the last events for a page, and tells those who watch', () => {
    using b = bench();
    const seen: number[] = [];
    const stop = b.observe.subscribe((entry) => void seen.push(entry.serial));
    for (let i = 0; i < 510; i += 1) b.observe.emit({ event: 'undeleted', id: queueId(), by: 'x' });
    stop();
    b.observe.emit({ event: 'undeleted', id: queueId(), by: 'x' });
    assert.equal(seen.length, 510);
    assert.equal(b.observe.recentEvents().length, 500);
    assert.deepEqual(
      b.observe.recentEvents({ after: 509 }).map((entry) => entry.serial),
      [510, 511],
    );
    assert.deepEqual(
      b.observe.recentEvents({ limit: 1 }).map((entry) => entry.serial),
      [511],
    );
  });

  it('has words for every alarm in both languages', () => {
    for (const name of ALARMS)
      for (const language of LANGUAGES)
        for (const text of [ALARM_WORDS[name].title, ALARM_WORDS[name].remedy])
          assert.ok(text[language].length > 5, name);
  });
});

describe('lineOf()', () => {
  it('keeps a message for many recipients one readable line', () => {
    const recipients = Array.from({ length: 500 }, (_, at) => to(`r${at}@office.example`));
    const { facts } = lineOf(received(queueId(), { recipients }));
    assert.equal((facts['recipients'] as string[]).length, 20);
    assert.equal(facts['recipientsCount'], 500);
    assert.equal(facts['client'], '192.0.2.7');
    assert.equal(facts['listener'], 'mx');
    assert.deepEqual(facts['findings'], ['spf=pass example.com']);
  });

  it('has one level for each kind of event', () => {
    const id = queueId();
    const [recipients, nextHop, reply] = [[to('one@office.example')], 'h', 'r'];
    assert.equal(lineOf({ event: 'attempt', id, nextHop, recipients }).level, 'debug');
    assert.equal(lineOf({ event: 'delivered', id, recipients, nextHop, reply, delayMs: 1 }).level, 'info');
    assert.equal(lineOf({ event: 'bounced', id, recipients, nextHop, reply }).level, 'warn');
    assert.equal(lineOf({ event: 'corrupt', id, detail: 'x' }).level, 'error');
    assert.equal(lineOf({ event: 'refused', stage: 'mail', origin, reply }).level, 'info');
  });
});
