import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_PAYLOAD } from '../../src/inspect/frames.ts';
import { Slabs } from '../../src/inspect/slabs.ts';

test('memory that was given back is lent again, at the length that is asked for', () => {
  const slabs = new Slabs();
  const first = slabs.take(10);
  slabs.give(first);
  const second = slabs.take(MAX_PAYLOAD);
  assert.equal(second.buffer, first.buffer);
  assert.equal(second.length, MAX_PAYLOAD);
  assert.notEqual(slabs.take(1).buffer, second.buffer);
});

test('a message without octets leaves no memory behind that is too small for the next one', () => {
  const slabs = new Slabs();
  slabs.give(Buffer.alloc(0));
  assert.equal(slabs.take(1_000).length, 1_000);
});
