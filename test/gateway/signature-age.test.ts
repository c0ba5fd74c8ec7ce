/** Old virus signatures are told, from the day clamd names, and no longer once newer ones are loaded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signaturesMadeAt, watchSignatures } from '../../src/gateway/signature-age.ts';
import type { EngineHealth } from '../../src/inspect/api.ts';
import { clamdVersion } from '../../src/inspect/clamd.ts';
import { FakeClock } from '../support/fake-clock.ts';

const HOUR_MS = 3_600_000;

/** As clamd prints a time: ctime(3), in the zone of the machine. */
function versionOf(at: number): string {
  const [week, month, day, year] = new Date(at).toDateString().split(' ');
  return clamdVersion(`ClamAV 1.4.6/27500/${week} ${month} ${day} ${new Date(at).toTimeString().slice(0, 8)} ${year}`);
}

function staged(clock: FakeClock): {
  look: () => Map<string, string>;
  become: (version: string, state?: EngineHealth['state']) => void;
} {
  let version = '';
  let state: EngineHealth['state'] = 'up';
  const alarms = new Map<string, string>();
  const watch = watchSignatures({
    health: () => [
      { inspector: 'spam', engine: 'rspamd', state: 'up', version: '3.12', misses: 0 },
      { inspector: 'antivirus', engine: 'clamd', state, version, misses: 0 },
    ],
    observe: {
      raise: (name, key, detail) => void alarms.set(`${name} ${key}`, detail),
      clear: (name, key) => void alarms.delete(`${name} ${key}`),
    },
    clock,
  });
  watch.stop();
  return {
    look: () => {
      watch.look();
      return alarms;
    },
    become: (next, as = 'up') => {
      version = next;
      state = as;
    },
  };
}

test('signatures that should have been renewed a day ago raise the alarm, newer ones end it', () => {
  const clock = new FakeClock();
  const { look, become } = staged(clock);
  become(versionOf(clock.wall()));
  clock.advance(47 * HOUR_MS);
  assert.equal(look().size, 0);
  clock.advance(2 * HOUR_MS);
  assert.match(look().get('signatures-old antivirus') ?? '', /^They are 49 hours old: ClamAV 1\.4\.6\/27500/);
  become(versionOf(clock.wall() - HOUR_MS));
  assert.equal(look().size, 0);
});

test('a box that never got any is told after a day, and an engine that is off is nobody’s trouble', () => {
  const clock = new FakeClock();
  const { look, become } = staged(clock);
  become(clamdVersion('ClamAV 1.4.6'));
  assert.equal(look().size, 0, 'the first download takes its time');
  clock.advance(25 * HOUR_MS);
  assert.match(look().get('signatures-old antivirus') ?? '', /starter signatures only$/);
  become('', 'off');
  assert.equal(look().size, 0);
});

test('a clock that is not known to be right judges nothing', () => {
  const clock = new FakeClock();
  const { look, become } = staged(clock);
  become(versionOf(clock.wall()));
  clock.isSynchronised = false;
  clock.step(400 * 24 * HOUR_MS);
  assert.equal(look().size, 0);
  clock.isSynchronised = true;
  assert.equal(look().size, 1);
});

test('only a full answer of clamd has a day', () => {
  assert.equal(signaturesMadeAt('ClamAV 1.4.6, starter signatures only'), undefined);
  assert.equal(signaturesMadeAt('ClamAV 1.4.6/27500'), undefined);
  assert.equal(signaturesMadeAt('ClamAV 1.4.6/27500/yesterday'), undefined);
  assert.equal(signaturesMadeAt('ClamAV 1.4.6/27500/Sat Nov 21 10:00:00 2026'), new Date(2026, 10, 21, 10).getTime());
});
