/** Alerts to the owner, on a real spool over memory: told once, bounded, over, again after a day, below the floor, over a restart. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import PostalMime from 'postal-mime';
import { type ConfigInput, configSchema } from '../../src/config/schema.ts';
import type { HostAlarm } from '../../src/control/host-shapes.ts';
import { type AlertParts, createAlertRun } from '../../src/gateway/alert-mail.ts';
import { createAlarmBoard } from '../../src/observe/alarms.ts';
import { type AlarmName, silentObserve } from '../../src/observe/events.ts';
import { memoryRig } from '../support/spool-rigs.ts';

interface Mail {
  subject: string;
  text: string;
  to: string[];
}

async function desk(context: TestContext, settings: ConfigInput = {}) {
  const data = mkdtempSync(path.join(tmpdir(), 'sekisho-alerts-'));
  context.after(() => rmSync(data, { recursive: true, force: true }));
  const rig = await memoryRig();
  const spool = await rig.open();
  context.after(() => spool[Symbol.asyncDispose]());
  const board = createAlarmBoard();
  const { clock } = rig;
  let host: HostAlarm[] | 'away' = [];
  let config = configSchema.parse({ alerts: { to: ['boss@far.example'] }, ...settings });
  const parts: AlertParts = {
    data,
    spool,
    observe: { ...silentObserve, alarms: () => board.active() },
    clock,
    config: () => config,
    host: {
      call: async () => {
        if (host === 'away') throw new Error('no host');
        return { alarms: host };
      },
    },
  };
  let run = createAlertRun(parts);
  const seen = new Set<string>();
  return {
    rig,
    hasRoom: () => spool.hasRoom(0),
    clock,
    raise: (name: AlarmName, key = 'x', detail = '') => board.raise(name, key, { detail, at: clock.wall() }),
    clear: (name: AlarmName, key = 'x') => board.clear(name, key, clock.wall()),
    hostSays: (now: HostAlarm[] | 'away') => {
      host = now;
    },
    set: (next: ConfigInput) => {
      config = configSchema.parse(next);
    },
    restart: () => {
      run = createAlertRun(parts);
    },
    /** So many minutes pass, with a look in each; the mails that were written. */
    minutes: async (count: number): Promise<Mail[]> => {
      const mails: Mail[] = [];
      for (let minute = 0; minute < count; minute += 1) {
        clock.advance(60_000);
        await run();
        for (const { id } of await spool.list('queue')) {
          if (seen.has(id)) continue;
          seen.add(id);
          const message = await spool.read(id);
          assert.ok(message);
          assert.deepEqual(message.preamble.envelope.recipients[0]?.dsn?.notify, ['NEVER']);
          const mail = await PostalMime.parse(await buffer(spool.openBody(message)));
          const to = message.preamble.envelope.recipients.map(({ address }) => String(address));
          mails.push({ subject: mail.subject ?? '', text: mail.text ?? '', to });
        }
      }
      return mails;
    },
  };
}

const BATTERY: HostAlarm = {
  name: 'on-battery',
  key: 'host',
  detail: 'OB DISCHRG',
  since: '2026-11-20T00:00:00.000Z',
  title: { ja: 'UPS のバッテリーで動いています', en: 'Running on the UPS battery' },
  remedy: { ja: '停電です。', en: 'Mains have failed.' },
};

test('who is new on the list hears so at once, with what stands; nobody on it means no mail', async (context) => {
  const d = await desk(context, { alerts: { to: [] } });
  d.raise('engine-down', 'clamd');
  assert.deepEqual(await d.minutes(5), []);
  d.set({
    language: 'en',
    hostname: 'mx.office.example',
    alerts: { to: ['boss@far.example', 'hanako@office.example'] },
  });
  const [welcome, ...more] = await d.minutes(3);
  assert.equal(welcome?.subject, '[mx.office.example] Alerts come to this address from now on');
  assert.match(welcome.text, /An inspection engine is down/);
  assert.deepEqual(welcome.to, ['boss@far.example', 'hanako@office.example']);
  assert.deepEqual(more, []);
  d.set({ alerts: { to: ['boss@far.example', 'new@far.example'] } });
  assert.deepEqual(
    (await d.minutes(2)).map(({ to }) => to),
    [['new@far.example']],
  );
});

test('trouble that lasts a minute is told once, in the owner’s language, with what to do; then that it is over', async (context) => {
  const d = await desk(context, {
    language: 'ja',
    hostname: 'mx.office.example',
    alerts: { to: ['boss@far.example'] },
  });
  assert.equal((await d.minutes(1)).length, 1); // welcome
  await d.minutes(20);
  d.raise('mail-server-down', 'domain:office.example', 'connect ECONNREFUSED');
  const [first, ...none] = await d.minutes(10);
  assert.match(first?.subject ?? '', /^\[mx\.office\.example\] .*メールサーバー/);
  assert.match(first?.text ?? '', /connect ECONNREFUSED/);
  assert.match(first?.text ?? '', /新しい警告/);
  assert.deepEqual(none, []);
  d.clear('mail-server-down', 'domain:office.example');
  const [over, ...nothing] = await d.minutes(30);
  assert.match(over?.subject ?? '', /解消しました/);
  assert.match(over?.text ?? '', /現在、警告はありません/);
  assert.deepEqual(nothing, []);
});

test('what comes and goes within a minute is nobody’s business; a storm is one mail in fifteen minutes', async (context) => {
  const d = await desk(context);
  await d.minutes(20);
  for (let minute = 0; minute < 20; minute += 1) {
    d.raise('engine-down', 'clamd');
    d.clear('engine-down', 'clamd');
    assert.deepEqual(await d.minutes(1), []);
  }
  const mails: Mail[] = [];
  for (let minute = 0; minute < 60; minute += 1) {
    d.raise('undeliverable', `message ${minute}`, `number ${minute}`);
    mails.push(...(await d.minutes(1)));
  }
  assert.equal(mails.length, 1, 'of one kind: told once');
  mails.length = 0;
  for (let minute = 0; minute < 60; minute += 1) {
    d.raise('mail-server-down', `domain:office${minute}.example`, `number ${minute}`);
    mails.push(...(await d.minutes(1)));
  }
  assert.equal(mails.length, 4);
  assert.match(mails[3]?.text ?? '', /ほかに \d+ 件/);
});

test('a day later it is told again; a restart forgets nothing; a silent host’s alarms still stand', async (context) => {
  const d = await desk(context);
  await d.minutes(20);
  d.hostSays([BATTERY]);
  assert.match((await d.minutes(2))[0]?.text ?? '', /OB DISCHRG/);
  d.restart();
  d.hostSays('away');
  assert.deepEqual(await d.minutes(60), []);
  d.hostSays([BATTERY]);
  d.clock.advance(23 * 3_600_000);
  const [again] = await d.minutes(2);
  assert.match(again?.subject ?? '', /続いています/);
  d.hostSays([]);
  assert.match((await d.minutes(20))[0]?.subject ?? '', /解消しました/);
});

test('that the disk is nearly full is told although mail is not taken any more', async (context) => {
  const d = await desk(context);
  await d.minutes(20);
  d.rig.files.freeOctets = -1; // below any floor
  d.hasRoom(); // asks the disk
  await d.minutes(1);
  assert.equal(d.hasRoom(), false);
  d.raise('disk-low', 'spool', 'nothing is free');
  const [mail] = await d.minutes(3);
  assert.match(mail?.text ?? '', /nothing is free/);
});
