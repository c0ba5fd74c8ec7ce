import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type MimeNode, Splitter } from '@zone-eu/mailsplit';
import fc from 'fast-check';
import { MimeWalk } from '../../src/inspect/mime-walk.ts';

const CORPUS = path.resolve(import.meta.dirname, '../corpus');

interface Seen {
  type: string;
  depth: number;
  content: string;
}

/** Types, depths and contents of the leaves; a part without a header or content is not told. */
function walked(message: Buffer, cut = message.length): Seen[] {
  const walk = new MimeWalk({ headerOctets: 262_144 });
  const leaves: Seen[] = [];
  let leaf: Seen | undefined;
  const take = (events: ReturnType<MimeWalk['feed']>): void => {
    for (const event of events) {
      if ('content' in event) {
        if (leaf !== undefined) leaf.content += event.content.toString('latin1');
        continue;
      }
      leaf = undefined;
      if (!('part' in event) || !event.part.leaf) continue;
      leaf = { type: event.part.type.value, depth: event.part.depth, content: '' };
      leaves.push(leaf);
    }
  };
  for (let at = 0; at < message.length; at += cut) take(walk.feed(message.subarray(at, at + cut)));
  take(walk.end());
  return leaves;
}

/** The same by the library that was used before. */
async function split(message: Buffer): Promise<Seen[]> {
  const leaves: Seen[] = [];
  let leaf: { node: MimeNode; seen: Seen } | undefined;
  const splitter = new Splitter({ ignoreEmbedded: true, maxChildNodes: 10_000 });
  splitter.end(message);
  for await (const chunk of splitter as AsyncIterable<MimeNode>) {
    if (chunk.type === 'node') {
      leaf = undefined;
      if (chunk.multipart !== false && chunk._boundary !== false) continue;
      let depth = 0;
      for (let parent = chunk.parentNode; parent !== false; parent = parent.parentNode) depth += 1;
      const type = chunk.headers === false ? '' : chunk.headers.getFirst('Content-Type');
      leaf = { node: chunk, seen: { type: type.split(';')[0]?.trim().toLowerCase() ?? '', depth, content: '' } };
      leaves.push(leaf.seen);
      continue;
    }
    const { node, value, type } = chunk as unknown as { node: MimeNode; value: Buffer; type: string };
    if (leaf !== undefined && leaf.node === node && (type === 'body' || node.multipart !== false))
      leaf.seen.content += value.toString('latin1');
  }
  return leaves;
}

interface Tree {
  type: string;
  children?: Tree[];
  lines?: string[];
  preamble?: boolean;
}

const line = fc.oneof(
  fc.constantFrom('', '--', '-- ', '--x', '---', '--b', '--b1--x', 'text', '-', '.', '--b0-', 'a'.repeat(300)),
  fc.base64String({ maxLength: 40 }),
);
const leafOf = fc.record({
  type: fc.constantFrom('text/plain', 'image/png', 'message/rfc822'),
  lines: fc.array(line, { maxLength: 5 }),
});
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    leafOf,
    fc.record({
      type: fc.constant('multipart/mixed'),
      children: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }),
      preamble: fc.boolean(),
    }),
  ),
}));

function written(node: Tree, counter: { next: number }): string {
  if (node.children === undefined) return `Content-Type: ${node.type}\r\n\r\n${(node.lines ?? []).join('\r\n')}`;
  const boundary = `=_${(counter.next += 1)}_b`;
  const parts = node.children.map((child) => `--${boundary}\r\n${written(child, counter)}\r\n`).join('');
  const around = node.preamble === true ? 'This is MIME.\r\n-- \r\n' : '';
  return `Content-Type: ${node.type}; boundary="${boundary}"\r\n\r\n${around}${parts}--${boundary}--\r\n${around}`;
}

test('well-formed trees come apart as the splitter took them apart, however they are cut', async () => {
  await fc.assert(
    fc.asyncProperty(tree, fc.integer({ min: 1, max: 90 }), async (node, cut) => {
      const message = Buffer.from(`From: a@b.example\r\n${written(node, { next: 0 })}\r\n`);
      // the splitter leaves the line end in a content that is nothing else
      const nothing = (seen: Seen): Seen => ({ ...seen, content: seen.content === '\r\n' ? '' : seen.content });
      const whole = walked(message);
      assert.deepEqual(whole.map(nothing), (await split(message)).map(nothing));
      assert.deepEqual(walked(message, cut), whole);
    }),
    { numRuns: 200 },
  );
});

test('whatever the octets: how they are cut changes nothing', () => {
  const piece = fc.constantFrom(
    ...'\r\n|\n|\r|--|-|b|--b|--b--|\r\n--b|\r\n--bb\r\n|\r\n\r\n|Content-Type: multipart/mixed; boundary=b\r\n|Content-Type: multipart/x; boundary="bb"\r\n\r\n| |x|a: b\r\n'.split(
      '|',
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.integer({ min: 1, max: 20 }), (pieces, cut) => {
      const message = Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n${pieces.join('')}`);
      assert.deepEqual(walked(message, cut), walked(message));
    }),
    { numRuns: 2_000 },
  );
});

test('the corpus, cut at every width up to 70', () => {
  for (const name of readdirSync(CORPUS).filter((file) => file.endsWith('.eml'))) {
    const message = readFileSync(path.join(CORPUS, name)).subarray(0, 100_000);
    const whole = walked(message);
    for (const cut of [1, 2, 3, 7, 64, 70, 1_000]) {
      if (message.length / cut < 20_000) assert.deepEqual(walked(message, cut), whole, `${name} in pieces of ${cut}`);
    }
  }
});

function contents(text: string): string[] {
  return walked(Buffer.from(text.replaceAll('\n', '\r\n'))).map(({ content }) => content);
}

const MIXED = 'Content-Type: multipart/mixed; boundary=o\n\n';
const INNER = 'Content-Type: multipart/mixed; boundary=i\n\n';
for (const [sentence, text, expected] of [
  ['an outer delimiter ends what is open within', `${MIXED}--o\n${INNER}--i\n\nx\n--o\n\ny\n--o--\n`, ['x', 'y']],
  ['so does the end of the outer one', `${MIXED}--o\n${INNER}--i\n\nx\n--o--\nz\n`, ['x']],
  ['white space behind a delimiter is padding', `${MIXED}--o \t\n\nx\n--o-- \n`, ['x']],
  ['a delimiter within a line is none', `${MIXED}--o\n\nx --o\n--oo\n--o-\n--o--\n`, ['x --o\r\n--oo\r\n--o-']],
  ['the last line needs no end', `${MIXED}--o\n\nx\n--o--`, ['x']],
  ['without a closing delimiter the last line end stays', `${MIXED}--o\n\nx\n`, ['x\r\n']],
  ['a delimiter in a header ends it', `${MIXED}--o\nContent-Type: a/b\n--o\n\ny\n--o--\n`, ['', 'y']],
  ['text behind the end is not shown', `${MIXED}--o\n\nx\n--o--\nz\n`, ['x']],
  ['a part behind the end is: some programs go on there', `${MIXED}--o\n\nx\n--o--\ny\n--o\n\nz\n`, ['x', 'z\r\n']],
  ['an end before the first part is text', `${MIXED}--o--\n--o\n\nx\n--o--\n`, ['x']],
  [
    'a boundary as encoded word counts as it stands',
    MIXED.replace('=o', '="=?utf-8?q?p?="') + '--=?utf-8?q?p?=\n\nx\n',
    ['x\r\n'],
  ],
  ['and as it reads', MIXED.replace('=o', '="=?utf-8?q?p?="') + '--p\n\nx\n', ['x\r\n']],
] as const) {
  test(`parts: ${sentence}`, () => {
    assert.deepEqual(contents(text), expected);
  });
}

test('a megabyte of dashes, of empty lines or of lines like a delimiter costs no more than a moment', () => {
  const head = `Content-Type: multipart/mixed; boundary=${'b'.repeat(60)}\r\n\r\n--${'b'.repeat(60)}\r\n\r\n`;
  for (const filler of ['-', '\r\n', '--\r\n', `--${'b'.repeat(59)}\r\n`, '--\r']) {
    const message = Buffer.from(head + filler.repeat(Math.ceil(1_000_000 / filler.length)));
    const { user, system } = process.cpuUsage();
    walked(message, 65_536);
    const spent = process.cpuUsage({ user, system });
    assert.ok(spent.user + spent.system < 2_000_000, `${JSON.stringify(filler)}: ${spent.user} µs`);
  }
});
