/** The UPS by NUT's own dummy-ups and upsd (Debian's packages), and the judgement on its values. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createUps, judge, SILENT_MS, type Ups } from '../../src/host/ups.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { freePort } from '../support/net.ts';
import { hasNut, startDummyUps } from '../support/nut.ts';
import { until } from '../support/process.ts';
import { startHost } from './world.ts';

const values = (status: string, charge = 100, runtime = 3_600): Map<string, string> =>
  new Map([
    ['ups.status', status],
    ['battery.charge', String(charge)],
    ['battery.runtime', String(runtime)],
  ]);

test('judge(): a short cut is nothing, a long one is told, a low one stops mail, LB and FSD shut down', () => {
  assert.equal(judge(values('OL CHRG'), 0).power, 'normal');
  assert.equal(judge(values('OB DISCHRG'), 59_000).power, 'normal');
  assert.equal(judge(values('OB DISCHRG'), 61_000).power, 'on-battery');
  assert.equal(judge(values('OB', 49), 1_000).power, 'drain');
  assert.equal(judge(values('OB', 90, 599), 1_000).power, 'drain');
  assert.equal(judge(values('OB LB', 10, 60), 1_000).power, 'shutdown');
  assert.equal(judge(values('FSD OL'), 0).power, 'shutdown', 'a forced shutdown is not taken back by mains');
  assert.equal(judge(new Map([['ups.status', 'OB']]), 0).power, 'normal', 'without figures only time and LB count');
});

function watch(port: number, clock: FakeClock): { ups: Ups; poweredOff: () => number } {
  let count = 0;
  const ups = createUps({
    settings: () => ({ mode: 'auto' }),
    clock,
    port,
    powerOff: () => {
      count += 1;
    },
    log: () => undefined,
  });
  return { ups, poweredOff: () => count };
}

test('no UPS is normal: nothing answers on the port, and nobody is told anything', async () => {
  const { ups } = watch(await freePort(), new FakeClock());
  await ups.look();
  assert.deepEqual(ups.show(), { state: 'none', power: 'normal', events: [] });
});

/** Says of its one UPS what `list` gives at that moment; no driver can be made to stop between two values. */
async function startList(list: () => readonly string[]): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer((socket) => {
    createInterface(socket).on('line', (line) => {
      if (line === 'LIST UPS') socket.write('BEGIN LIST UPS\nUPS one "x"\nEND LIST UPS\n');
      else if (line === 'LIST VAR one')
        socket.write(['BEGIN LIST VAR one', ...list(), 'END LIST VAR one\n'].join('\n'));
      else socket.end();
    });
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: async () => void (await once(server.close(), 'close')) };
}

test('a driver that has not told its state yet is no mains, and a low battery does not wait for the other values', async () => {
  let list = ['VAR one ups.mfr "Test"'];
  await using nut = await startList(() => list);
  const { ups } = watch(nut.port, new FakeClock());
  const look = async (): Promise<readonly string[]> => {
    await ups.look();
    return [ups.show().state, ups.show().power];
  };
  assert.deepEqual(await look(), ['none', 'normal']);
  list = [...list, 'VAR one ups.status "WAIT"'];
  assert.deepEqual(await look(), ['none', 'normal']);
  list = ['VAR one ups.status "OB DISCHRG LB"'];
  assert.deepEqual(await look(), ['low-battery', 'shutdown']);
  list = ['VAR one battery.charge "8"'];
  assert.deepEqual(await look(), ['unreachable', 'shutdown'], 'a driver that was started again says nothing of mains');
});

test('a UPS that falls silent on battery: drained for a while, then mail again; with a low battery off', async () => {
  let list: readonly string[] = ['VAR one ups.status "OB DISCHRG"', 'VAR one battery.charge "40"'];
  await using nut = await startList(() => list);
  const clock = new FakeClock();
  const { ups, poweredOff } = watch(nut.port, clock);
  await ups.look();
  assert.equal(ups.show().power, 'drain');
  const told = list;
  list = [];
  await ups.look();
  clock.advance(SILENT_MS - 1);
  await ups.look();
  assert.deepEqual([ups.show().state, ups.show().power], ['unreachable', 'drain']);
  clock.advance(1);
  await ups.look();
  assert.deepEqual([ups.show().state, ups.show().power], ['unreachable', 'normal'], 'the box still runs');
  list = told;
  await ups.look();
  assert.equal(ups.show().power, 'drain', 'what it says again counts again');
  list = ['VAR one ups.status "OB DISCHRG LB"'];
  await ups.look();
  list = [];
  await ups.look();
  assert.equal(poweredOff(), 0);
  clock.advance(25_000);
  await ups.look();
  assert.deepEqual([ups.show().power, poweredOff()], ['shutdown', 1]);
});

test('mains fail, last, come back, fail for good: told, drained, back to normal, powered off once', {
  skip: !hasNut(),
}, async () => {
  await using nut = await startDummyUps();
  const clock = new FakeClock();
  const { ups, poweredOff } = watch(nut.port, clock);
  await ups.look();
  const online = ups.show();
  assert.equal(online.state, 'online');
  assert.equal(online.model, 'Test Dummy 1000');
  assert.equal(online.chargePercent, 100);
  await nut.set('ups.status', 'OB DISCHRG');
  await ups.look();
  assert.deepEqual([ups.show().state, ups.show().power], ['on-battery', 'normal']);
  clock.advance(61_000);
  await ups.look();
  assert.equal(ups.show().power, 'on-battery');
  await nut.set('battery.charge', '45');
  await ups.look();
  assert.equal(ups.show().power, 'drain');
  await nut.set('ups.status', 'OL CHRG');
  await ups.look();
  assert.deepEqual([ups.show().state, ups.show().power], ['online', 'normal']);
  await nut.set('ups.status', 'OB LB');
  await ups.look();
  assert.equal(ups.show().power, 'shutdown');
  assert.equal(poweredOff(), 0, 'upsmon comes first');
  clock.advance(21_000);
  await ups.look();
  await ups.look();
  assert.equal(poweredOff(), 1);
  assert.ok(ups.show().events.length >= 5);
});

test('the host tells the gateway to drain, and page and console why', { skip: !hasNut() }, async () => {
  await using nut = await startDummyUps();
  await nut.set('battery.charge', '30');
  await nut.set('ups.status', 'OB DISCHRG');
  await using host = await startHost({ flags: ['--ups-port', String(nut.port)] });
  await until('the first look', { ms: 20_000 }, async () =>
    (await host.gateway.call('power.state', {})).power === 'drain' ? true : undefined,
  );
  const status = await host.admin.call('host.status', {});
  assert.ok(status.alarms.some(({ name }) => name === 'on-battery'));
});
