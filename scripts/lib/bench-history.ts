/**
 * Search over a full history: fills a database with made-up traffic of a year (subjects in Japanese and English, 20,000 senders,
 * 200 recipients), starts the real gateway and admin on it, and times each kind of question from the request of a logged-in
 * page to its answer. The first ask of each is told apart (cold); then the median and the worst of the rounds.
 */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openHistoryDatabase } from '../../src/observe/history-database.ts';
import { startAdmin, type Visitor } from '../../test/api/support.ts';
import { startWorld } from '../../test/e2e/world.ts';

const LIMIT_MS = 300;
const YEAR_MS = 365 * 86_400_000;
/** Rows a transaction: large, so that the index is merged seldom. */
const BATCH = 20_000;
const WORDS =
  '会議 見積書 請求書 ご案内 invoice meeting report 納品 出荷 お知らせ newsletter 確認 資料 契約 更新'.split(' ');
const ID_LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

const QUESTIONS: ReadonlyArray<[what: string, query: string]> = [
  ['newest', ''],
  ['Japanese word, common', 'text=会議'],
  ['Japanese, two words', 'text=請求書 会議'],
  ['Japanese and a number', 'text=見積書 4711'],
  ['English word and a number', 'text=meeting 4711'],
  ['nothing is found', 'text=zzqxj'],
  ['part of an address', 'text=s1234@dom'],
  ['author’s name', 'text=山田'],
  ['sender, part', 'sender=s1234'],
  ['sender, whole address', 'sender=s1234@dom77.example'],
  ['sender, domain', 'sender=@dom77.example'],
  ['recipient, whole address', 'recipient=user7@office.example'],
  ['recipient, part', 'recipient=user7'],
  ['state, common', 'state=delivered'],
  ['state, rare', 'state=quarantined'],
  ['word, recipient and state', 'text=会議&recipient=user7@office.example&state=quarantined'],
  ['word in one week', `text=会議&from=${ago(30)}&to=${ago(23)}`],
  ['rare number in one week', `text=99999&from=${ago(30)}&to=${ago(23)}`],
  ['client', 'client=198.51.7.7'],
  ['Message-ID', 'messageId=m4242@x'],
];

function ago(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString();
}

/** The same traffic at each run. */
function randomness(): (below: number) => number {
  let state = 42;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function fill(file: string, rows: number): void {
  for (const part of ['', '-wal', '-shm']) rmSync(`${file}${part}`, { force: true });
  const database = openHistoryDatabase(file, { days: 4_000, subjects: true, floorOctets: 0 });
  const random = randomness();
  const begun = Date.now() - YEAR_MS;
  const word = (): string => WORDS[random(WORDS.length)] ?? '';
  for (let made = 0, number = 1; made < rows; number += 1) {
    const batch: Array<{ at: number; json: string }> = [];
    for (; batch.length < BATCH && made < rows; made += 1) {
      const id = idOf(made, random);
      const to = `user${random(200)}@office.example`;
      const from = `s${random(20_000)}@dom${random(5_000)}.example`;
      const aside = random(50) === 0;
      const at = Math.floor(begun + (made / rows) * YEAR_MS);
      const received = {
        event: 'received',
        id,
        direction: 'inbound',
        origin: {
          direction: 'inbound',
          listener: 'mx',
          sessionId: 's',
          clientAddress: `198.51.${random(100)}.${random(250)}`,
          helo: 'x',
          protocol: 'ESMTP',
        },
        reversePath: from,
        recipients: [to],
        size: random(50_000),
        subject: `${word()} ${word()} ${random(100_000)}`,
        messageId: `<m${made}@x>`,
        from: `山田 <${from}>`,
        findings: [{ kind: 'spam', engine: 'rspamd', score: random(20), symbols: [] }],
        decisions: [
          { recipient: to, action: aside ? 'quarantine' : 'deliver', reason: aside ? 'executable' : 'clean' },
        ],
        state: aside ? 'quarantine' : 'queue',
        reply: '250 2.0.0 Ok',
      };
      batch.push({ at, json: JSON.stringify(received) });
      if (aside) continue;
      const delivered = {
        event: 'delivered',
        id,
        recipients: [to],
        nextHop: '192.0.2.1',
        reply: '250 Ok',
        delayMs: 90,
      };
      batch.push({ at, json: JSON.stringify(delivered) });
    }
    database.apply({ run: 'bench', number, rows: batch });
    if (number % 10 === 0) process.stderr.write(`${made} rows\n`);
  }
  database.close();
}

function idOf(serial: number, random: (below: number) => number): string {
  let head = '';
  for (let at = 0, left = serial; at < 7; at += 1, left = Math.floor(left / 32))
    head = `${ID_LETTERS[left % 32]}${head}`;
  return `${head}-${Array.from({ length: 13 }, () => ID_LETTERS[random(32)]).join('')}`;
}

async function timed(visitor: Visitor, query: string): Promise<{ ms: number; found: number }> {
  const begun = performance.now();
  const { status, json, text } = await visitor.api(
    'GET',
    `/messages?limit=50${query === '' ? '' : `&${encodeURI(query)}`}`,
  );
  const ms = performance.now() - begun;
  if (status !== 200) throw new Error(`${query}: ${status} ${text.slice(0, 300)}`);
  return { ms, found: (json['entries'] as unknown[]).length };
}

function written(file: string, rows: number): void {
  const begun = performance.now();
  fill(file, rows);
  process.stdout.write(`${rows} rows written in ${Math.round((performance.now() - begun) / 1_000)} s\n`);
}

/** A filled file in `keep`, made now or by an earlier run. */
function keptFile(keep: string, rows: number): string {
  const file = path.join(keep, `history-${rows}.sqlite`);
  if (existsSync(file)) return file;
  written(`${file}.draft`, rows);
  renameSync(`${file}.draft`, file);
  return file;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '10' },
      keep: { type: 'string' },
    },
  });
  const rows = Number(values.rows);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rows) || rows < 1 || !Number.isInteger(rounds) || rounds < 0)
    throw new TypeError('Usage: bench-history [--rows N] [--rounds N] [--keep DIR]');
  if (rounds === 0 && values.keep !== undefined) return void keptFile(values.keep, rows);
  await using world = await startWorld();
  const folder = path.join(world.gateway.dataFolder, 'history');
  await world.gateway.stop();
  rmSync(folder, { recursive: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, 'history.sqlite');
  if (values.keep === undefined) written(file, rows);
  else copyFileSync(keptFile(values.keep, rows), file);
  await world.gateway.start();
  await using box = await startAdmin({
    data: path.join(world.dir, 'admin'),
    gatewaySocket: path.join(world.gateway.dataFolder, 'run/admin.sock'),
  });
  const visitor = await box.claim();
  let slow = 0;
  for (const [what, query] of QUESTIONS) {
    const cold = await timed(visitor, query);
    const warm: number[] = [];
    for (let round = 0; round < rounds; round += 1) warm.push((await timed(visitor, query)).ms);
    warm.sort((a, b) => a - b);
    const worst = Math.max(cold.ms, warm.at(-1) ?? 0);
    if (worst > LIMIT_MS) slow += 1;
    const figures = [cold.ms, warm[Math.floor(warm.length / 2)] ?? 0, worst].map((ms) =>
      String(Math.round(ms)).padStart(6),
    );
    process.stdout.write(
      `${what.padEnd(28)} first ${figures[0]}  median ${figures[1]}  worst ${figures[2]} ms  (${cold.found})\n`,
    );
  }
  process.exitCode = slow === 0 ? 0 : 1;
}

await main();
