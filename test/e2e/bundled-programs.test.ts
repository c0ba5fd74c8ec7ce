/** The programs as the box has them, each one file: they find each other, their threads and their natives, and do their work. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import vm from 'node:vm';
import { asciiOf, bundlePrograms, ENTRIES } from '../../scripts/image/bundle-programs.ts';
import { startChild, until } from '../support/process.ts';
import { plainMail } from '../support/mime-samples.ts';
import { sendMail } from '../support/smtp-client.ts';
import { startWorld, type World } from './world.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const app = mkdtempSync(path.join(os.tmpdir(), 'sekisho-bundle-'));
let lists: Awaited<ReturnType<typeof bundlePrograms>>;
let world: World;
before(async () => {
  lists = await bundlePrograms(path.join(app, 'src'));
  mkdirSync(path.join(app, 'node_modules'));
  for (const name of lists.external)
    cpSync(path.join(ROOT, 'node_modules', name), path.join(app, 'node_modules', name), { recursive: true });
  cpSync(path.join(ROOT, 'package.json'), path.join(app, 'package.json'));
  world = await startWorld({ clamd: true, program: path.join(app, 'src/gateway.js') });
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
  rmSync(app, { recursive: true, force: true });
});

test('each program is one file that stands where its source stood', () => {
  const files = readdirSync(path.join(app, 'src'), { recursive: true, encoding: 'utf8' });
  const programs = files.filter((name) => name.endsWith('.js')).toSorted();
  assert.deepEqual(programs, ENTRIES.map((entry) => `${entry}.js`).toSorted());
});

test('the files are ASCII, and an escape means the letter wherever one can stand', () => {
  for (const entry of ENTRIES) assert.match(readFileSync(path.join(app, `src/${entry}.js`), 'latin1'), /^[\0-\x7f]*$/);
  const code = '({ 髙: "関所 𠮷", 𠮷: `${1}—`, re: [/^[ぁ-ん]+$/.test("あい"), /^[𠮷]$/u.test("𠮷")] }) // 終';
  const meant = (text: string): unknown => vm.runInNewContext(`JSON.stringify(${text}\n)`);
  assert.equal(meant(asciiOf(code)), meant(code));
  assert.throws(() => asciiOf('/[\\、]/'), /No escape/);
  assert.throws(() => asciiOf('String.raw`関所`'), /No escape/);
});

test('what was joined is known by name, for the licences; what has native parts lies beside', () => {
  for (const name of ['smtp-server', 'nodemailer', 'mailauth', 'express', 'zod', '@zip.js/zip.js'])
    assert.ok(lists.bundled.includes(name), name);
  assert.ok(lists.external.includes('classic-level'));
  for (const name of [...lists.bundled, ...lists.external])
    assert.ok(existsSync(path.join(ROOT, 'node_modules', name, 'package.json')), name);
});

for (const [name, exit, says] of [
  ['gateway', 64, /^Usage: gateway/],
  ['admin', 64, /^Usage: admin/],
  ['host', 64, /^Usage: host/],
  ['console', 64, /^Usage: console/],
  ['portal', 75, /Usage: portal/],
  ['cli', 2, /--nonsense/],
] as const)
  test(`${name} starts from its file and says how it is used`, async () => {
    const child = await startChild(process.execPath, [path.join(app, `src/${name}.js`), '--nonsense']);
    const { code } = await child.ended;
    assert.equal(code, exit, child.output());
    assert.match(child.output(), says);
  });

test('a mail passes the joined gateway, its inspect worker and clamd, and stands in the history thread', async () => {
  const bytes = plainMail({ subject: 'In one piece', messageId: 'bundled.1@example.com' });
  const reply = await sendMail(world.gateway.mxPort, {
    from: 'hanako@example.com',
    to: 'suzuki@office.example',
    bytes,
  });
  assert.equal(reply.code, 250, reply.text);
  const [arrived] = await world.office.received(1);
  assert.match(arrived?.bytes.toString('latin1') ?? '', /Authentication-Results: [^]*spf=pass/);
  await until('the history to know it', { ms: 10_000 }, async () => {
    const found = await world.gateway.call('history.search', { text: 'In one piece' });
    return found.entries.length === 1 ? true : undefined;
  });
});

test('the trace of a bug names the source and its line', async () => {
  const file = path.join(app, 'src/host.js');
  const code = readFileSync(file, 'utf8');
  const at = code.indexOf('throw new Error(`There is no file');
  assert.ok(at > 0, 'the line this test goes by is gone');
  const before = code.slice(0, at).split('\n');
  const trace = `Error: x\n    at printBundle (file://${file}:${before.length}:${(before.at(-1) ?? '').length + 1})`;
  writeFileSync(path.join(app, 'trace.txt'), trace);
  const { sourceStack } = await import('../../src/base/source-stack.ts');
  const told = sourceStack(Object.assign(new Error('x'), { stack: trace })) ?? '';
  const source = readFileSync(path.join(ROOT, 'src/host.ts'), 'utf8').split('\n');
  const line = source.findIndex((text) => text.includes('There is no file')) + 1;
  assert.ok(told.includes(`(src/host.ts:${line}:`), told);
});
