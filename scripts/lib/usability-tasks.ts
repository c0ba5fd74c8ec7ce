/**
 * The ten daily tasks of the usability figures. Each begins on the first page, logged in, and ends when the answer can be read
 * there. Everything is found by its words, in the person's language. A task that cannot be done throws.
 */
import type { Locator } from 'playwright-core';
import type { Person, Said } from '../../test/browser/person.ts';
import { eicarMail, plainMail } from '../../test/support/mime-samples.ts';
import { sendMail } from '../../test/support/smtp-client.ts';
import { japaneseMail } from '../../test/browser/odd-mail.ts';
import { USERS } from '../../webui/i18n/words-account.ts';
import { COMMON } from '../../webui/i18n/words-common.ts';
import { FRAME, PAGES } from '../../webui/i18n/words-frame.ts';
import { HISTORY_STATE_NAMES } from '../../webui/i18n/words-mail.ts';
import { MESSAGE, QUEUE } from '../../webui/i18n/words-messages.ts';
import { OVERVIEW } from '../../webui/i18n/words-overview.ts';
import { SYSTEM, TABS } from '../../webui/i18n/words-system.ts';

export interface Task {
  question: Said;
  run: (person: Person) => Promise<void>;
  /** What must be so before: the provider's smarthost down, for a queue. */
  needs?: 'way-out-closed';
}

const ESTIMATE = '十一月の見積書について';
const STOPPED = ['Urgent transfer 1', 'Urgent transfer 2', 'Urgent transfer 3'] as const;
const friend = { from: 'hanako@example.com', to: 'suzuki@office.example' };
const stranger = { from: 'boss@nospf.example', to: 'suzuki@office.example' };

/** How many of the morning's mails end in the quarantine. */
export const MORNING_STOPPED = STOPPED.length;

/** A morning's mail: one that arrived, three that look like the president's but are not, a virus. */
export async function morningMail(port: number): Promise<void> {
  await sendMail(port, { ...friend, bytes: japaneseMail(ESTIMATE, 'morning.1@example.com') });
  for (const [index, subject] of STOPPED.entries()) {
    const bytes = plainMail({ from: 'President <president@office.example>', subject, messageId: `m${index}@x` });
    await sendMail(port, { ...stranger, bytes });
  }
  await sendMail(port, { ...stranger, bytes: eicarMail({ messageId: 'morning.v@x' }) });
}

export async function outwardMail(relayPort: number): Promise<void> {
  const from = 'suzuki@office.example';
  const bytes = plainMail({ from, subject: 'Our estimate', messageId: 'outward.1@office.example' });
  const { code } = await sendMail(relayPort, { from, to: 'hanako@example.com', bytes });
  if (code !== 250) throw new Error(`The relay did not take the mail: ${code}`);
}

const nav = (person: Person, words: Said): Promise<void> =>
  person.click(person.page.locator('nav.nav').getByRole('link', { name: new RegExp(`^${person.t(words)}`) }));
const row = (person: Person, text: string): Locator => person.page.locator('tr[data-row]').filter({ hasText: text });
const link = (person: Person, text: string): Locator => person.page.getByRole('link', { name: text }).first();

export const TASKS: readonly Task[] = [
  {
    question: { ja: '「見積」のメールは届いたか', en: 'Did the mail about the estimate arrive?' },
    run: async (person) => {
      await person.type(person.page.getByRole('searchbox', { name: person.t(FRAME.search) }), '見積');
      await person.key('Enter');
      await row(person, ESTIMATE)
        .filter({ hasText: person.t(HISTORY_STATE_NAMES.delivered) })
        .first()
        .waitFor();
    },
  },
  {
    question: { ja: 'このメールはなぜ止まったか', en: 'Why was this one stopped?' },
    run: async (person) => {
      await nav(person, PAGES.quarantine);
      await person.click(link(person, STOPPED[0]));
      await person.heading(MESSAGE.why);
    },
  },
  {
    question: { ja: '問題のないメールを通す', en: 'Let a good one through' },
    run: async (person) => {
      await nav(person, PAGES.quarantine);
      await person.click(link(person, STOPPED[0]));
      await person.press(MESSAGE.release);
      await person.sees(MESSAGE.released);
    },
  },
  {
    question: { ja: '差出人を拒否リストに入れる', en: 'Block a sender' },
    run: async (person) => {
      await nav(person, PAGES.quarantine);
      await person.click(link(person, STOPPED[1]));
      await person.press(MESSAGE.block);
      await person.click(person.page.getByRole('dialog').getByRole('button', { name: person.t(MESSAGE.block) }));
      await person.sees(person.t(MESSAGE.listed, { match: stranger.from }));
    },
  },
  {
    question: { ja: 'たまったメールを今すぐ再送する', en: 'Send what waits now' },
    needs: 'way-out-closed',
    run: async (person) => {
      await nav(person, PAGES.queue);
      await person.press(QUEUE.retryAll);
      await person.sees(person.t(MESSAGE.retried, { n: '1' }));
    },
  },
  {
    question: { ja: '同僚を利用者に加える', en: 'Add a colleague as a user' },
    run: async (person) => {
      await nav(person, PAGES.users);
      await person.press(USERS.add);
      await person.fill(USERS.name, 'sato');
      await person.fill(USERS.password, 'four words of sato');
      await person.click(
        person.page.getByRole('dialog').getByRole('button', { name: person.t(USERS.add), exact: true }),
      );
      await person.sees(person.t(USERS.added, { name: 'sato' }));
    },
  },
  {
    question: { ja: '今日のウイルスの数を見る', en: 'How many viruses today?' },
    run: async (person) => {
      await person.click(person.page.getByRole('link', { name: person.t(PAGES.overview), exact: true }).first());
      await person.page
        .locator('dl.figures div')
        .filter({ hasText: person.t(OVERVIEW.virus) })
        .filter({ hasText: /[1-9]/ })
        .first()
        .waitFor();
    },
  },
  {
    question: { ja: '今週の集計を CSV で保存する', en: 'Save this week’s figures as CSV' },
    run: async (person) => {
      await nav(person, PAGES.reports);
      await person.click(person.page.locator('main').getByRole('link', { name: WEEK[person.language], exact: true }));
      await person.page.waitForURL(/period=week/);
      const saving = person.page.waitForEvent('download');
      await person.click(person.page.getByRole('link', { name: person.t(COMMON.csv), exact: true }));
      await saving;
    },
  },
  {
    question: { ja: '誤って消した隔離メールを元に戻す', en: 'Take back a deletion from the quarantine' },
    run: async (person) => {
      await nav(person, PAGES.quarantine);
      await person.click(link(person, STOPPED[2]));
      await person.press(MESSAGE.delete);
      await person.press(COMMON.undo);
      await person.sees(COMMON.undone, { exact: true });
    },
  },
  {
    question: { ja: '証明書の期限を調べる', en: 'When does the certificate expire?' },
    run: async (person) => {
      await nav(person, PAGES.system);
      await person.click(person.page.getByRole('link', { name: person.t(TABS.certificates), exact: true }));
      await person.sees(SYSTEM.validTo);
    },
  },
];

const WEEK = { ja: '週', en: 'Week' };
