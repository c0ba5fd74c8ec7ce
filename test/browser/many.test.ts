import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { inQuarantine } from '../e2e/world.ts';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { plantMany } from './many-rows.ts';
import { AXE, violations } from './axe.ts';
import { claim, login, type PagesWorld, settled, startPagesWorld } from './pages-world.ts';

const ROWS = 10_000;
const MOST_ROWS = 1_100;
/** A page, and what comes by itself when its foot is in view. */
const FEW = 250;
const MOST_ELEMENTS = 40_000;
let world: PagesWorld;

before(async () => {
  world = await startPagesWorld({ engines: false });
  const { page, context } = await world.open({ language: 'en' });
  await claim(world, page);
  await context.close();
  const bytes = plainMail({ from: 'president@office.example', subject: 'The model', messageId: 'model@x' });
  const spoofed = { from: 'boss@nospf.example', to: 'suzuki@office.example', bytes };
  assert.equal((await sendMail(world.mail.gateway.mxPort, spoofed)).code, 250);
  await inQuarantine(world.mail, 1);
  await plantMany(world, ROWS);
});
after(() => world?.[Symbol.asyncDispose]());

const rows = (page: Page) => page.locator('tr[data-row]');

async function elements(page: Page): Promise<number> {
  return page.evaluate(() => {
    const { document } = globalThis as unknown as {
      document: { querySelectorAll: (what: string) => ArrayLike<unknown> };
    };
    return document.querySelectorAll('*').length;
  });
}

/** Looks at every change from now on; the answer: whether the words have stood on the page. */
async function watched(page: Page, words: string): Promise<() => Promise<boolean>> {
  interface Watcher {
    seen?: boolean;
    document: { body: { textContent: string } };
    MutationObserver: new (look: () => void) => { observe: (what: unknown, how: object) => void };
  }
  await page.evaluate((wanted) => {
    const here = globalThis as unknown as Watcher;
    const { body } = here.document;
    const look = (): void => {
      if (body.textContent.includes(wanted)) here.seen = true;
    };
    new here.MutationObserver(look).observe(body, { subtree: true, childList: true, characterData: true });
  }, words);
  return async () => page.evaluate(() => (globalThis as { seen?: boolean }).seen === true);
}

const LISTS = [
  {
    path: '/messages',
    first: '大量の履歴 09999',
    total: false,
    find: { field: 'Subject, from, address or queue id', text: '大量の履歴 04711' },
  },
  {
    path: '/quarantine',
    first: '大量のメール 09999',
    total: true,
    find: { field: 'Subject, from or recipient', text: '大量のメール 04711' },
  },
  { path: '/queue', first: 'many', total: true, find: undefined },
  { path: '/audit', first: 'tanaka', total: true, find: { field: 'On what', text: 'many-04711' } },
] as const;

for (const { path, first, total, find } of LISTS)
  test(`${path} with ten thousand rows: pages, the keyboard, a thousand at most in the page, and back to the beginning`, async () => {
    const { page, context, complaints } = await world.open({ language: 'en' });
    await context.addInitScript(AXE);
    await login(page);
    await page.goto(path);
    await rows(page).nth(49).waitFor();
    assert.ok((await rows(page).count()) <= FEW, 'a page, or what comes by itself');
    await rows(page).filter({ hasText: first }).first().waitFor();

    // by keyboard to the end of what is loaded: more comes by itself
    await rows(page).nth(48).focus();
    for (const key of ['j', 'k', 'j', 'j']) await page.keyboard.press(key);
    await rows(page).nth(149).waitFor();
    assert.ok((await rows(page).count()) >= 150);

    const more = page.getByRole('button', { name: 'Show more' });
    const next = page.getByRole('button', { name: 'Next rows' });
    for (let turn = 0; turn < 20 && !(await next.isVisible()); turn++) {
      const before_ = await rows(page).count();
      await more.or(next).first().scrollIntoViewIfNeeded();
      if (await more.isVisible()) await more.click({ timeout: 5_000 }).catch(() => undefined); // it may have come by itself
      await rows(page).nth(before_).or(next).first().waitFor(); // the last ones may have come since we looked
    }
    await next.waitFor();
    const full = await rows(page).count();
    assert.ok(full >= 1_000 && full <= MOST_ROWS, `${full} rows`);
    assert.ok((await elements(page)) < MOST_ELEMENTS, `${await elements(page)} elements`);
    // one key, one step, also among a thousand
    await rows(page)
      .nth(full - 10)
      .focus();
    await page.keyboard.press('j');
    assert.equal(
      await page.locator(':focus').getAttribute('data-row'),
      await rows(page)
        .nth(full - 9)
        .getAttribute('data-row'),
    );

    await next.click();
    await page.getByText(`Rows ${(full + 1).toLocaleString('en')} to`).waitFor();
    assert.ok((await rows(page).count()) <= FEW, 'those before are gone from the page');
    if (total) await page.getByText('10,0').filter({ hasText: 'in all' }).first().waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Back to the first rows' }).click();
    await until('the first rows alone', { ms: 30_000 }, async () =>
      (await rows(page).count()) <= FEW ? true : undefined,
    );
    await rows(page).filter({ hasText: first }).first().waitFor();

    if (find !== undefined) {
      await page.getByLabel(find.field, { exact: true }).last().fill(find.text);
      await page.keyboard.press('Enter');
      await rows(page).filter({ hasText: find.text }).waitFor();
      assert.equal(await rows(page).count(), 1);
      assert.match(decodeURIComponent(page.url()), new RegExp(find.text.replaceAll(' ', '.')), 'the search is a link');
    }
    assert.deepEqual(complaints, []);
    await context.close();
  });

test('hundreds of quarantined messages are deleted at once, told how far, and one undo brings them back; API and CLI agree', async () => {
  const { page, context } = await world.open({ language: 'ja' });
  await login(page);
  await page.goto('/quarantine');
  await rows(page).first().waitFor();
  const more = page.getByRole('button', { name: '続きを表示' });
  while ((await rows(page).count()) < 550) {
    const before_ = await rows(page).count();
    await more.click();
    await rows(page).nth(before_).waitFor();
  }
  const total = async (): Promise<number> => (await world.mail.gateway.call('quarantine.list', { limit: 1 })).total;
  assert.equal(await total(), ROWS + 1);
  await page.getByRole('checkbox', { name: 'すべて選ぶ' }).click();
  // a page may have come by itself meanwhile: the bar says how many were chosen
  const bar = page.getByRole('region', { name: '件を選択中' });
  const shown = Number(/(\d+) 件を選択中/.exec((await bar.innerText()).replaceAll(',', ''))?.[1]);
  assert.ok(shown >= 550, String(shown));
  const told = await watched(page, '実行中:'); // a quick box is through with it before one look from outside and the next
  await page.getByRole('button', { name: '削除する', exact: true }).click();
  await page.getByText(`${shown} 件を削除しました`).waitFor({ timeout: 300_000 });
  assert.ok(await told(), 'it tells how far it is');
  assert.equal(await total(), ROWS + 1 - shown, 'what was deleted is not counted, though it can come back');
  const overview = await page.request.get('/api/v1/quarantine?limit=1');
  assert.equal(((await overview.json()) as { total: number }).total, ROWS + 1 - shown);
  await page.getByRole('button', { name: '元に戻す' }).click();
  await page.getByText('元に戻しました').waitFor({ timeout: 300_000 });
  assert.equal(await total(), ROWS + 1);
  await page.reload();
  await settled(page);
  await rows(page).filter({ hasText: '大量のメール 09999' }).waitFor();
  assert.match((await world.mail.gateway.cli('quarantine', 'list')).stdout, /09999/);
  await context.close();
});
