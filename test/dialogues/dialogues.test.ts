/** Plays each `.dialogue` file of this folder against a listener on a real socket; README.md tells the notation. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '../../src/config/schema.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type Bench, type Client, openBench, silentResolver, until } from '../accept/harness.ts';
import type { TakenMessage } from '../accept/harness.ts';

interface Step {
  line: number;
  word: string;
  text: string;
}

const SPOKEN = ['C:', 'C~', 'C+', 'C*', 'S:', 'TLS', 'HANGUP', 'OTHER:', 'PASSES:'];
const CHECKED = ['TAKEN:', 'BODY:', 'DSN:', 'CLIENT:', 'DROPPED', 'WAITED:', 'NAME:'];
const WORDS = [...SPOKEN, ...CHECKED, 'LISTENER:', 'CONFIG:', 'DNS:', 'PTR:'];
const folder = import.meta.dirname;
const files = readdirSync(folder).filter((name) => name.endsWith('.dialogue'));

test('there are dialogues', () => {
  assert.ok(files.length > 0);
});

for (const name of files) {
  test(`dialogue: ${name.replace('.dialogue', '').replaceAll('-', ' ')}`, async () => {
    await play(parse(readFileSync(path.join(folder, name), 'utf8')));
  });
}

function parse(text: string): Step[] {
  const steps: Step[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const word = WORDS.find((one) => line === one || line.startsWith(`${one} `));
    assert.ok(word, `Line ${index + 1} is no step: "${line}"`);
    steps.push({ line: index + 1, word, text: line.slice(word.length + 1) });
  }
  return steps;
}

async function play(steps: readonly Step[]): Promise<void> {
  const setting = (word: string): string | undefined => steps.find((step) => step.word === word)?.text;
  const config = JSON.parse(setting('CONFIG:') ?? '{}') as Partial<ConfigInput>;
  const known = steps.filter((step) => step.word === 'DNS:').map((step) => step.text.split(' '));
  const named = steps.filter((step) => step.word === 'PTR:').map((step) => step.text.split(' '));
  const clock = new FakeClock();
  const waited: number[] = [];
  await using bench = await openBench({
    listener: setting('LISTENER:') === 'relay' ? 'relay' : 'mx',
    config,
    clock,
    resolver: {
      ...silentResolver,
      a: async (name) => known.filter(([listed]) => listed === name).map(([, address = '']) => address),
      ptr: async (address) => named.filter(([listed]) => listed === address).map(([, name = '']) => name),
    },
    timing: { greetingDelayMs: config.listeners?.mx?.greetingDelayMs ?? 0 },
    wait: async (ms) => void waited.push(ms),
  });
  const client = await bench.client({ greeting: false });
  const heard: string[] = [];
  let held = '';
  for (const step of steps) {
    if (step.word === 'C+') held += `${step.text}\r\n`;
    else if (step.word === 'C*') {
      const [, times, text] = /^(\d+) (.*)$/.exec(step.text) ?? assert.fail(`line ${step.line}: C* number text`);
      held += `${text}\r\n`.repeat(Number(times));
    } else if (step.word === 'C:' || step.word === 'C~') {
      const said = step.word === 'C:' ? `${step.text}\r\n` : unescape(step.text);
      client.write(Buffer.from(held + said, 'latin1'));
      held = '';
    } else if (step.word === 'S:') await hear(client, heard, step);
    else if (step.word === 'TLS') await client.secure();
    else if (step.word === 'HANGUP') await hangUp(client, bench);
    else if (step.word === 'OTHER:') await hear(await bench.client({ greeting: false }), [], step);
    else if (step.word === 'PASSES:') {
      await letPass(bench, client, { clock, ms: Number(step.text) });
    }
  }
  assert.deepEqual(heard, [], 'the server said more than the dialogue');
  assert.deepEqual(waited.join(' '), setting('WAITED:') ?? '', 'pauses made, in ms');
  await checkTaken(bench, steps);
}

async function hear(client: Client, heard: string[], step: Step): Promise<void> {
  if (step.text === '(closed)') {
    assert.ok(await client.hungUp(), `line ${step.line}: the server did not hang up`);
    return;
  }
  const whole = /^(\d{3}) \(lines\)$/.exec(step.text);
  if (whole !== null) {
    assert.deepEqual(heard, [], `line ${step.line}: an earlier reply is not heard to its end`);
    assert.ok((await client.reply()).startsWith(whole[1] as string), `line ${step.line}`);
    return;
  }
  if (heard.length === 0) heard.push(...(await client.reply()).split('\n'));
  const line = heard.shift() ?? '';
  const pattern = new RegExp(
    `^${step.text
      .split('*')
      .map((part) => RegExp.escape(part))
      .join('.*')}$`,
  );
  assert.match(line, pattern, `line ${step.line}`);
}

/** The listener looks at its deadlines every 20 ms, from its first look on: the time passes again until it had one before. */
async function letPass(bench: Bench, client: Client, { clock, ms }: { clock: FakeClock; ms: number }): Promise<void> {
  await until(() => bench.pipeline.messages.every(({ content }) => content.length > 0));
  for (let turn = 0; turn < 40 && !client.heard; turn += 1) {
    await sleep(100);
    clock.advance(ms);
    await sleep(100);
  }
}

async function hangUp(client: Client, bench: Bench): Promise<void> {
  await until(() => (bench.pipeline.messages[0]?.content.length ?? 0) > 0);
  client.socket.resetAndDestroy();
  await until(() => bench.acceptor.sessions() === 0);
}

async function checkTaken(bench: Bench, steps: readonly Step[]): Promise<void> {
  const finished = bench.pipeline.messages.filter((message) => message.state === 'finished');
  const envelopes = finished.map(({ transaction: { envelope } }) => {
    const to = envelope.recipients.map((recipient) => recipient.address).join(', ');
    return `${envelope.reversePath === '' ? '<>' : envelope.reversePath} -> ${to}`;
  });
  const expected = (word: string): string[] => steps.filter((step) => step.word === word).map((step) => step.text);
  assert.deepEqual(envelopes, expected('TAKEN:'));
  for (const [index, body] of expected('BODY:').entries())
    assert.equal(finished[index]?.content.toString('latin1'), unescape(body));
  for (const [index, dsn] of expected('DSN:').entries()) assert.equal(dsnOf(finished[index]), dsn);
  for (const [index, address] of expected('CLIENT:').entries())
    assert.equal(finished[index]?.transaction.origin.clientAddress, address);
  for (const [index, name] of expected('NAME:').entries())
    assert.equal(finished[index]?.transaction.origin.clientName, name);
  const dropped = bench.pipeline.messages.filter((message) => message.aborts === 1);
  assert.equal(dropped.length, expected('DROPPED').length, 'messages dropped');
  assert.equal(bench.pipeline.messages.length, finished.length + dropped.length);
  assert.deepEqual(bench.errors, []);
}

/** `RET=HDRS ENVID=x | address NOTIFY=DELAY ORCPT=rfc822;y`, decoded; a part for each recipient who has any. */
function dsnOf(message: TakenMessage | undefined): string {
  const { ret, envid, recipients = [] } = message?.transaction.envelope ?? {};
  const said = (words: Record<string, string | undefined>): string[] =>
    Object.entries(words).flatMap(([word, value]) => (value === undefined ? [] : [`${word}=${value}`]));
  return [
    said({ RET: ret, ENVID: envid }),
    ...recipients
      .filter(({ dsn }) => dsn !== undefined)
      .map(({ address, dsn }) => [address, ...said({ NOTIFY: dsn?.notify?.join(','), ORCPT: dsn?.orcpt })]),
  ]
    .map((words) => words.join(' '))
    .join(' | ');
}

const ESCAPES: Record<string, string> = { r: '\r', n: '\n', 0: '\0', t: '\t', '\\': '\\' };

function unescape(text: string): string {
  return text.replaceAll(/\\(?:x([0-9a-f]{2})|([rn0t\\]))/gi, (_all, hex: string | undefined, letter: string) =>
    hex === undefined ? (ESCAPES[letter] ?? '') : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
