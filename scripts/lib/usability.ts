/**
 * `./scripts/usability`: the wizard and ten daily tasks as a person does them, simulated: real pages, processes and mail, keys
 * and decisions at human pace. Clicks, keys and seconds go into the table of docs/usability.md. Exits 1 when a limit is passed.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { login, type PagesWorld, settled, startPagesWorld } from '../../test/browser/pages-world.ts';
import { Person } from '../../test/browser/person.ts';
import { walkWizard } from '../../test/browser/wizard-walk.ts';
import { type Postfix, startPostfix } from '../../test/support/peers.ts';
import { until } from '../../test/support/process.ts';
import { SETUP } from '../../webui/i18n/words-setup.ts';
import { morningMail, outwardMail, TASKS } from './usability-tasks.ts';

const PACE = { keyMs: 300, decisionMs: 2_000 };
const WIZARD_LIMIT_S = 600;
const TASK_LIMIT_S = 30;
const DOC = path.resolve(import.meta.dirname, '../../docs/usability.md');
const MARKS = { begin: '<!-- figures begin -->', end: '<!-- figures end -->' };
const MAILBOX = 'suzuki@office.example';
const LANGUAGES = ['ja', 'en'] as const;
type Language = (typeof LANGUAGES)[number];

interface Measured {
  name: string;
  clicks: number;
  keys: number;
  seconds: number;
  limit: number;
}

async function main(): Promise<number> {
  await using stack = new AsyncDisposableStack();
  let office: Postfix | undefined;
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
  const found = new Map<Language, Measured[]>();
  for (const language of LANGUAGES) {
    if (found.size > 0) await world.asNew();
    found.set(language, await oneLanguage({ world, office, language }));
  }
  await write(found);
  const late = [...found.values()].flat().filter((one) => one.seconds > one.limit);
  for (const one of late) process.stderr.write(`Too long: ${one.name}: ${one.seconds.toFixed(1)} s\n`);
  return late.length === 0 ? 0 : 1;
}

async function oneLanguage(place: { world: PagesWorld; office: Postfix; language: Language }): Promise<Measured[]> {
  const { world, office, language } = place;
  const rows = [await wizard(world, office, language)];
  await morningMail(world.mail.gateway.mxPort);
  const { page, context } = await world.open({ language });
  await login(page);
  for (const task of TASKS) {
    if (task.needs === 'way-out-closed') await queueUp(world);
    await page.goto('/');
    await settled(page);
    const person = new Person(page, { language, pace: PACE });
    rows.push(await measure(person, { name: task.question[language], limit: TASK_LIMIT_S, work: task.run }));
    if (task.needs === 'way-out-closed') await world.mail.outside.start();
  }
  await context.close();
  return rows;
}

async function wizard(world: PagesWorld, office: Postfix, language: Language): Promise<Measured> {
  const { page, context } = await world.open({ language });
  const setupCode = await world.setupCode();
  const place = {
    setupCode,
    domain: 'office.example',
    mailServer: { host: '127.0.0.1', port: office.port },
    mailbox: MAILBOX,
    smarthost: { host: '127.0.0.1', port: world.mail.outside.port },
  };
  const measured = await measure(new Person(page, { language, pace: PACE }), {
    name: SETUP.title[language],
    limit: WIZARD_LIMIT_S,
    work: async (person) => {
      await walkWizard(person, place);
      await person.press(SETUP.finish);
      await page.locator('nav.nav').waitFor();
    },
  });
  await office.received(1, { recipient: MAILBOX });
  await context.close();
  return measured;
}

async function queueUp(world: PagesWorld): Promise<void> {
  await world.mail.outside.stop();
  await outwardMail(world.mail.gateway.relayPort);
  await until('a waiting mail', { ms: 30_000 }, async () => {
    const { entries } = await world.mail.gateway.call('queue.list', {});
    return entries.length > 0 ? true : undefined;
  });
}

async function measure(
  person: Person,
  options: { name: string; limit: number; work: (person: Person) => Promise<void> },
): Promise<Measured> {
  const { name, limit, work } = options;
  const began = performance.now();
  await work(person);
  const seconds = (performance.now() - began) / 1_000;
  process.stdout.write(`${name}: ${person.clicks} clicks, ${person.keys} keys, ${seconds.toFixed(1)} s\n`);
  return { name, clicks: person.clicks, keys: person.keys, seconds, limit };
}

async function write(found: ReadonlyMap<Language, readonly Measured[]>): Promise<void> {
  const ja = found.get('ja') ?? [];
  const en = found.get('en') ?? [];
  const lines = en.map((one, index) => {
    const other = ja[index];
    const cells = [other, one].map((cell) =>
      cell === undefined ? '–' : `${cell.clicks} / ${cell.keys} / ${cell.seconds.toFixed(1)} s`,
    );
    return `| ${one.name} (${other?.name ?? ''}) | ${cells.join(' | ')} | ${one.limit} s |`;
  });
  const table = [
    '| What (simulated) | ja: clicks / keys / time | en: clicks / keys / time | limit |',
    '| --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
  const text = await readFile(DOC, 'utf8');
  const from = text.indexOf(MARKS.begin) + MARKS.begin.length;
  const to = text.indexOf(MARKS.end);
  if (from < MARKS.begin.length || to < from) throw new Error(`${DOC} has no place for the figures`);
  await writeFile(DOC, `${text.slice(0, from)}\n\n${table}\n\n${text.slice(to)}`);
}

process.exitCode = await main();
