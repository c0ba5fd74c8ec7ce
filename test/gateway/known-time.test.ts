import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostClient } from '../../src/control/host-client.ts';
import { createKnownTime } from '../../src/gateway/known-time.ts';
import { until } from '../support/process.ts';

const WRITTEN = Date.UTC(2026, 10, 22);

function hostSaying(synchronised: () => boolean): Pick<HostClient, 'call'> {
  // one verb of the client, with the one field that is read
  return { call: async () => ({ clock: { synchronised: synchronised() } }) } as unknown as Pick<HostClient, 'call'>;
}

test('without a host a time before the program was written is not believed', () => {
  let wall = 0;
  const time = createKnownTime({ host: undefined, notBefore: WRITTEN, wall: () => wall });
  assert.equal(time.synchronised(), false);
  wall = WRITTEN + 1;
  assert.equal(time.synchronised(), true);
  time.stop();
});

test('with a host the clock is right once the host has said so, and not before', async () => {
  let yes = false;
  const host = hostSaying(() => yes);
  const time = createKnownTime({ host, notBefore: WRITTEN, wall: () => WRITTEN + 1 });
  assert.equal(time.synchronised(), false);
  yes = true;
  await until('the host to be asked again', { ms: 20_000 }, () => time.synchronised() || undefined);
  time.stop();
});

test('a host that is not there is no proof of a right clock', async () => {
  const host: Pick<HostClient, 'call'> = { call: () => Promise.reject(new Error('ECONNREFUSED')) };
  const time = createKnownTime({ host, notBefore: WRITTEN, wall: () => WRITTEN + 1 });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(time.synchronised(), false);
  time.stop();
});
