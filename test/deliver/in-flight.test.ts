import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InFlight } from '../../src/deliver/in-flight.ts';
import { newQueueId } from '../../src/mail/queue-id.ts';
import { to } from './support.ts';

const id = newQueueId(1);
const [a, b] = [to('a@office.example'), to('b@office.example')];

test('a step that must be alone waits for everybody served, and keeps new ones out until it ends', async () => {
  const inFlight = new InFlight();
  inFlight.claim(id, [a, b]);
  const steps: string[] = [];
  const alone = inFlight.alone(id, async () => void steps.push('alone'));
  assert.ok(inFlight.isClosed(id));
  inFlight.release(id, [a]);
  await Promise.resolve();
  assert.deepEqual(steps, []);
  assert.ok(inFlight.isClaimed(id, b));
  inFlight.release(id, [b]);
  await alone;
  assert.deepEqual(steps, ['alone']);
  assert.ok(!inFlight.isClosed(id));
});

test('steps of one message go one after the other, also after one that failed', async () => {
  const inFlight = new InFlight();
  const steps: string[] = [];
  const first = inFlight.inTurn(id, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    steps.push('first');
    throw new Error('On purpose');
  });
  const second = inFlight.inTurn(id, async () => void steps.push('second'));
  await assert.rejects(first, /On purpose/);
  await second;
  assert.deepEqual(steps, ['first', 'second']);
});
