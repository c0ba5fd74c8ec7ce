/**
 * `./scripts/usability`: the wizard and ten daily tasks as a person does them, simulated: real pages, processes and mail, keys
 * and decisions at human pace. Clicks, keys and seconds go into the table of docs/usability.md, each as soon as it is measured, so
 * that a run that is cut can go on where it stopped (`--only en/7`). Exits 1 when a limit is passed or a task cannot be done.
 */
import { parseArgs } from 'node:util';
import { login, type PagesWorld, settled, startPagesWorld } from '../../test/browser/pages-world.ts';
import { Person } from '../../test/browser/person.ts';
import { walkWizard } from '../../test/browser/wizard-walk.ts';
import { type Postfix, startPostfix } from '../../test/support/peers.ts';
import { until } from '../../test/support/process.ts';
import { SETUP } from '../../webui/i18n/words-setup.ts';
import { type Cell, keepFigure, type Language, LANGUAGES } from './usability-table.ts';
import { MORNING_STOPPED, morningMail, outwardMail, TASKS } from './usability-tasks.ts';

const PACE = { keyMs: 300, decisionMs: 2_000 };
const WIZARD_LIMIT_S = 600;
const TASK_LIMIT_S = 30;
const MAILBOX = 'suzuki@office.example';
const ROWS = [
  { name: SETUP.title, limit: WIZARD_LIMIT_S },
  ...TASKS.map((task) => ({ name: task.question, limit: TASK_LIMIT_S })),
];
const USAGE = `Usage: ./scripts/usability [--only LANGUAGE[/ROW],...]
  --only ja        the wizard and every task in Japanese
  --only en/0,en/7 in English the wizard (0) and the seventh task
${ROWS.map((row, index) => `  ${String(index).padStart(2)} ${row.name.en}\n`).join('')}`;

interface Place {
  world: PagesWorld;
  office: Postfix;
  language: Language;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { only: { type: 'string' }, help: { type: 'boolean', default: false } } });
  const wanted = values.help ? undefined : chosen(values.only);
  if (wanted === undefined) {
    process.stdout.write(USAGE);
    return values.help ? 0 : 2;
  }
  let office: Postfix | undefined;
  await using stack = new AsyncDisposableStack();
  const world = stack.use(
    await startPagesWorld({
      host: true,
      config: { domains: [], outbound: {} },
      officePort: async (dir) => {
        office = await startPostfix({ dir, name: 'office', recipients: [MAILBOX] });
        return office.port;
      },
    }),
  );
  stack.defer(() => office?.stop());
  if (office === undefined) throw new Error('The office has no mail server');
  let missed = 0;
  let turn = 0;
  for (const [language, rows] of wanted) {
    if (turn++ > 0) await world.asNew();
    missed += await oneLanguage({ world, office, language }, rows);
  }
  return missed === 0 ? 0 : 1;
}

/** Which rows of the table in which language; undefined when the wish is not understood. */
function chosen(only: string | undefined): Map<Language, Set<number>> | undefined {
  const all = ROWS.map((_, index) => index);
  if (only === undefined) return new Map(LANGUAGES.map((language) => [language, new Set(all)]));
  const wanted = new Map<Language, Set<number>>();
  for (const one of only.split(',')) {
    const [, name, row] = /^(\w\w)(?:\/(\d{1,2}))?$/.exec(one) ?? [];
    const language = LANGUAGES.find((known) => known === name);
    if (language === undefined || (row !== undefined && ROWS[Number(row)] === undefined)) return undefined;
    const rows = wanted.get(language) ?? new Set<number>();
    for (const index of row === undefined ? all : [Number(row)]) rows.add(index);
    wanted.set(language, rows);
  }
  return wanted;
}

/** Resolves with how many of the rows failed or took too long. */
async function oneLanguage(place: Place, rows: ReadonlySet<number>): Promise<number> {
  const { world, language } = place;
  let missed = 0;
  await wizard(place, rows.has(0) ? 'measured' : 'at-once').then((ok) => (missed += ok ? 0 : 1));
  if (![...rows].some((row) => row > 0)) return missed;
  await morningComes(world);
  const { page, context } = await world.open({ language });
  await login(page);
  for (const [index, task] of TASKS.entries()) {
    if (!rows.has(index + 1)) continue;
    if (task.needs === 'way-out-closed') await queueUp(world);
    await page.goto('/');
    await settled(page);
    const person = new Person(page, { language, pace: PACE });
    if (!(await measured({ person, row: index + 1, work: () => task.run(person) }))) missed++;
    if (task.needs === 'way-out-closed') await world.mail.outside.start();
  }
  await context.close();
  return missed;
}

/** At once: where only later rows are wanted. Throws when it cannot be gone through: nothing after it could be measured. */
async function wizard({ world, office, language }: Place, pace: 'measured' | 'at-once'): Promise<boolean> {
  const { page, context } = await world.open({ language });
  const place = {
    setupCode: await world.setupCode(),
    domain: 'office.example',
    mailServer: { host: '127.0.0.1', port: office.port },
    mailbox: MAILBOX,
    smarthost: { host: '127.0.0.1', port: world.mail.outside.port },
  };
  const person = new Person(page, { language, ...(pace === 'measured' ? { pace: PACE } : {}) });
  const walk = async (): Promise<void> => {
    await walkWizard(person, place);
    await person.press(SETUP.finish);
    await page.locator('nav.nav').waitFor();
  };
  const before = (await office.received(0, { recipient: MAILBOX })).length;
  let ok = true;
  if (pace === 'measured') ok = await measured({ person, row: 0, work: walk });
  else await walk();
  await office.received(before + 1, { recipient: MAILBOX });
  await context.close();
  return ok;
}

/** The mail is there, its engines have said what they say, and history has it: only then does a person come to work. */
async function morningComes(world: PagesWorld): Promise<void> {
  const { gateway } = world.mail;
  const total = async (): Promise<number> => (await gateway.call('quarantine.list', {})).total;
  const before = await total();
  await morningMail(gateway.mxPort);
  await until('the morning’s mail to be sorted', { ms: 180_000, every: 500 }, async () =>
    (await total()) >= before + MORNING_STOPPED ? true : undefined,
  );
}

async function queueUp(world: PagesWorld): Promise<void> {
  await world.mail.outside.stop();
  await outwardMail(world.mail.gateway.relayPort);
  await until('a waiting mail', { ms: 180_000, every: 500 }, async () => {
    const { entries } = await world.mail.gateway.call('queue.list', {});
    return entries.some((entry) => entry.state !== 'incoming') ? true : undefined;
  });
}

/** False: could not be done, or not within its limit. */
async function measured(what: { person: Person; row: number; work: () => Promise<void> }): Promise<boolean> {
  const { person, row, work } = what;
  const { name, limit } = ROWS[row] ?? { name: SETUP.title, limit: 0 };
  const told = `${person.language} ${row} ${name[person.language]}`;
  const began = performance.now();
  try {
    await work();
  } catch (error) {
    process.stderr.write(`${told}: failed: ${String(error)}\n`);
    const picture = `${process.env['TMPDIR'] ?? '/tmp'}/sekisho-usability-${person.language}-${row}.png`;
    await person.page.screenshot({ path: picture });
    process.stderr.write(`What stood there: ${picture}\n`);
    return false;
  }
  const seconds = (performance.now() - began) / 1_000;
  const cell: Cell = { clicks: person.clicks, keys: person.keys, seconds };
  process.stdout.write(`${told}: ${cell.clicks} clicks, ${cell.keys} keys, ${seconds.toFixed(1)} s\n`);
  await keepFigure({ rows: ROWS, row, language: person.language, cell });
  if (seconds > limit) process.stderr.write(`Too long: ${told}: more than ${limit} s\n`);
  return seconds <= limit;
}

process.exitCode = await main();
