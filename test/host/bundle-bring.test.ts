/**
 * What comes to the box from a server or a page is held to what may be taken: a bundle to the room that mail leaves, a document to
 * its size, whatever the server says and however long it talks.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { createBringer } from '../../src/host/bundle-bring.ts';
import { fetchBounded } from '../../src/host/fetch-bounded.ts';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

interface Endless {
  body: ReadableStream<Uint8Array>;
  /** Mebibytes. */
  sent: () => number;
  ended: () => boolean;
}

function endless(): Endless {
  let sent = 0;
  let ended = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (stream) => {
      sent += 1;
      stream.enqueue(new Uint8Array(MIB));
    },
    cancel: () => {
      ended = true;
    },
  });
  return { body, sent: () => sent, ended: () => ended };
}

/** A disk of 10 GiB, of which one is the spool's: ten percent. */
async function bringer(context: TestContext, options: { free: () => number; answer?: Response }) {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-bring-'));
  context.after(() => rm(dir, { recursive: true, force: true }));
  const parts = createBringer({
    bundle: path.join(dir, 'update/update.raucb'),
    usb: { list: async () => [], use: async () => assert.fail('no stick') },
    get: async () => options.answer ?? assert.fail('nothing is fetched'),
    progress: () => undefined,
    room: async () => ({ free: options.free(), total: 10 * GIB }),
  });
  await parts.begin();
  return { dir, parts };
}

test('an upload that leaves mail its room is taken, and one octet more is not', async (context) => {
  for (const [spare, fits] of [
    [6, true],
    [5, false],
  ] as const) {
    const { dir, parts } = await bringer(context, { free: () => GIB + spare });
    const file = path.join(dir, 'new.raucb');
    await writeFile(file, 'bundle');
    if (fits) await parts.fromUpload(file);
    else await assert.rejects(parts.fromUpload(file), { code: 'UPDATE_NO_ROOM' });
    assert.equal(existsSync(path.join(dir, 'update/update.raucb')), fits);
    assert.equal(existsSync(file), !fits, 'what was refused can be taken later');
  }
});

test('a server that says how large it is, and too large, is left before its first octet, and the connection with it', async (context) => {
  const stream = endless();
  const answer = new Response(stream.body, { headers: { 'content-length': String(200 * MIB) } });
  const { parts } = await bringer(context, { free: () => GIB + 100 * MIB, answer });
  await assert.rejects(parts.fromUrl('https://updates.example/x.raucb'), { code: 'UPDATE_NO_ROOM' });
  assert.ok(stream.ended());
});

test('a server that says nothing of its size, or little, is left when it takes the room of mail', async (context) => {
  for (const headers of [{}, { 'content-length': '1000' }]) {
    const stream = endless();
    const answer = new Response(stream.body, { headers });
    const { parts } = await bringer(context, { free: () => GIB + (40 - stream.sent()) * MIB, answer });
    await assert.rejects(parts.fromUrl('https://updates.example/x.raucb'), { code: 'UPDATE_NO_ROOM' });
    assert.ok(stream.ended());
    assert.ok(stream.sent() < 100, `${stream.sent()} MiB were taken`);
  }
});

test('a document is read up to its size and not further', async () => {
  const stream = endless();
  const options = { most: 65_536, ms: 30_000, code: 'SOURCE', get: async () => new Response(stream.body) };
  await assert.rejects(fetchBounded('https://updates.example/latest.json', options), { code: 'SOURCE' });
  assert.ok(stream.ended());
  assert.ok(stream.sent() < 10);
});
