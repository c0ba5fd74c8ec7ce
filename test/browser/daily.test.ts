import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { inQuarantine } from '../e2e/world.ts';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { hostileMail, japaneseMail } from './odd-mail.ts';
import { claim, login, PASSWORD, type PagesWorld, startPagesWorld } from './pages-world.ts';

let world: PagesWorld;
const from = 'hanako@example.com';
const spoof = { from: 'boss@nospf.example', to: 'suzuki@office.example' };

before(async () => {
  world = await startPagesWorld();
});
after(() => world?.[Symbol.asyncDispose]());

const quarantined = async (): Promise<number> => (await world.mail.gateway.call('quarantine.list', {})).total;
const mx = (): number => world.mail.gateway.mxPort;

test('a first visitor claims the box with the setup code, and afterwards only the password opens it', async () => {
  const { page, complaints } = await world.open({ language: 'ja' });
  await page.goto('/messages');
  await page.getByText('ようこそ').waitFor();
  await page.locator('input[autocomplete="off"]').first().fill('WRONG-CODE0');
  await page.locator('input[type="password"]').nth(0).fill(PASSWORD);
  await page.locator('input[type="password"]').nth(1).fill(PASSWORD);
  await page.getByRole('button', { name: 'この機器の管理者になる' }).click();
  await page.getByRole('alert').waitFor();
  await claim(world, page);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.goto('/');
  await page.locator('nav.nav').waitFor();

  const second = await world.open({ language: 'en' });
  await second.page.goto('/queue');
  await second.page.getByLabel('User name').fill('tanaka');
  await second.page.getByLabel('Password').fill('not the password');
  await second.page.getByRole('button', { name: 'Log in' }).click();
  await second.page.getByText('The name or the password is wrong').waitFor();
  await second.page.getByLabel('Password').fill(PASSWORD);
  await second.page.getByRole('button', { name: 'Log in' }).click();
  await second.page.locator('nav.nav').waitFor();
  assert.equal(new URL(second.page.url()).pathname, '/queue', 'a deep link survives the login');
  assert.deepEqual([...complaints, ...second.complaints], []);
});

test('a mail is found by two characters of Japanese, its trail says what happened, and the row appears without a reload', async () => {
  const { page, complaints } = await world.open({ language: 'ja' });
  await login(page);
  await page.goto('/messages');
  const bytes = japaneseMail('十一月の見積書について', 'daily.1@example.com');
  assert.equal((await sendMail(mx(), { from, to: 'suzuki@office.example', bytes })).code, 250);
  await page.getByRole('link', { name: '十一月の見積書について' }).first().waitFor();

  await page.keyboard.press('/');
  await page.keyboard.type('見積');
  await page.keyboard.press('Enter');
  await page.waitForURL(/text=/);
  await page.getByRole('link', { name: '十一月の見積書について' }).first().click();
  await page.getByRole('heading', { name: 'メールの経過' }).waitFor();
  await page.getByText('配送済み').first().waitFor();
  const id = new URL(page.url()).pathname.split('/').at(-1) ?? '';
  const told = await world.mail.gateway.cli('trace', id);
  assert.equal(told.code, 0, told.stderr);
  await page.reload();
  await page.getByText('配送済み').first().waitFor();
  assert.deepEqual(complaints, []);
});

test('triage by keyboard alone: open, release, delete, undo; page, API and CLI agree after a reload', async () => {
  const { page, complaints } = await world.open({ language: 'en' });
  for (const n of [1, 2]) {
    const bytes = plainMail({
      from: 'President <president@office.example>',
      subject: `Urgent transfer ${n}`,
      messageId: `t${n}@x`,
    });
    assert.equal((await sendMail(mx(), { ...spoof, bytes })).code, 250);
  }
  assert.equal((await inQuarantine(world.mail, 2)).length, 2);
  await login(page);
  await page.goto('/quarantine');
  await page.getByRole('link', { name: 'Urgent transfer 2' }).waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator('section[aria-label="Why"]').waitFor();
  await page.keyboard.press('d');
  await page.getByText('Deleted; can be undone').waitFor();
  await page.getByRole('button', { name: 'Show 1 deleted' }).waitFor();
  await page.getByRole('link', { name: 'Urgent transfer 2' }).waitFor({ state: 'detached' });
  assert.equal(await page.locator('tr[data-row]').count(), 1, 'what was deleted leaves the list');
  await page.keyboard.press('u');
  await page.getByText('Undone', { exact: true }).waitFor();
  assert.equal(await quarantined(), 2);
  await page.locator('tr[data-row]').filter({ hasText: 'Urgent transfer 1' }).focus();
  await page.keyboard.press('r');
  await page.getByText('Released: it is being delivered').waitFor();
  await until('the released mail at the mail server', { ms: 20_000 }, () =>
    world.mail.office.messages.some((one) => one.bytes.includes('Urgent transfer 1')) ? true : undefined,
  );
  await page.reload();
  await page.getByRole('link', { name: 'Urgent transfer 2' }).waitFor();
  assert.equal(await page.getByRole('link', { name: 'Urgent transfer 1' }).count(), 0);
  assert.equal(await quarantined(), 1);
  const cli = await world.mail.gateway.cli('quarantine', 'list');
  assert.match(cli.stdout, /Urgent transfer 2/);
  assert.doesNotMatch(cli.stdout, /Urgent transfer 1/);
  assert.deepEqual(complaints, []);
});

test('several are selected and deleted at once, and one undo brings all back', async () => {
  const { page } = await world.open({ language: 'ja' });
  for (const n of [3, 4]) {
    const bytes = plainMail({ from: 'president@office.example', subject: `Bulk ${n}`, messageId: `b${n}@x` });
    assert.equal((await sendMail(mx(), { ...spoof, bytes })).code, 250);
  }
  const before_ = 3;
  assert.equal((await inQuarantine(world.mail, before_)).length, before_);
  await login(page);
  await page.goto('/quarantine?text=Bulk');
  await page.getByRole('link', { name: 'Bulk 4' }).waitFor();
  await page.getByRole('checkbox', { name: 'すべて選ぶ' }).click();
  await page.getByText('2 件を選択中').first().waitFor();
  await page.getByRole('button', { name: '削除する' }).click();
  await page.getByText('2 件を削除しました').waitFor();
  // gone from the list first: or the row that is waited for is still the one before
  await page.getByRole('link', { name: 'Bulk 4' }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: '元に戻す' }).click();
  await page.getByText('元に戻しました').waitFor();
  await page.getByRole('link', { name: 'Bulk 4' }).waitFor();
  assert.equal(await quarantined(), before_);
});

test('markup in subject, From, HTML and file name of a real mail stays text, and hidden characters are written out', async () => {
  const { page, complaints } = await world.open({ language: 'en' });
  assert.equal((await sendMail(mx(), { ...spoof, bytes: hostileMail('odd.1@x') })).code, 250);
  await login(page);
  const pwned = (): Promise<unknown> => page.evaluate(() => (globalThis as { __pwned?: number }).__pwned);
  await page.goto('/messages');
  await page.getByText('onerror').first().waitFor();
  assert.equal(await page.locator('main img, main script').count(), 0);
  await inQuarantine(world.mail, 4);
  await page.goto('/quarantine?text=exe');
  await page.locator('tr[data-row] a').first().click();
  await page.getByRole('button', { name: 'Show the content' }).click();
  await page.getByRole('listitem').filter({ hasText: 'fdp.txt' }).waitFor();
  assert.doesNotMatch(await page.locator('main').innerText(), /\u202e/, 'nothing turns the writing around');
  await page.getByRole('button', { name: 'HTML (safe)' }).click();
  const frame = page.locator('iframe.mail');
  await frame.waitFor();
  assert.equal(await frame.getAttribute('sandbox'), '');
  await frame.contentFrame().getByText('Hello').first().waitFor();
  assert.equal(await frame.contentFrame().locator('script, img, [onclick]').count(), 0);
  assert.equal(await pwned(), undefined);
  assert.deepEqual(
    complaints.filter((one) => !one.includes('sandbox')),
    [],
  );
  const audit = await page.request.get('/api/v1/audit?action=messages.content');
  assert.match(await audit.text(), /messages\.content/, 'reading it is on record');
});

test('a lost connection is said, mail keeps flowing, and the page goes on by itself', async () => {
  const { page } = await world.open({ language: 'ja' });
  await login(page);
  await page.goto('/messages');
  await page.locator('tr[data-row]').first().waitFor();
  await world.stopAdmin();
  await page.getByText('本機との通信が切れました').waitFor();
  const bytes = japaneseMail('切断中に届いたメール', 'lost.1@example.com');
  assert.equal((await sendMail(mx(), { from, to: 'suzuki@office.example', bytes })).code, 250);
  await world.startAdmin();
  await page.getByText('本機との通信が切れました').waitFor({ state: 'detached' });
  await page.getByRole('link', { name: '切断中に届いたメール' }).first().waitFor();
});

test('a session that was ended elsewhere asks for the password and keeps the page', async () => {
  const first = await world.open({ language: 'en' });
  const second = await world.open({ language: 'en' });
  await login(first.page);
  await first.page.goto('/messages?text=Urgent');
  await first.page.locator('tr[data-row]').first().waitFor();
  await login(second.page);
  await second.page.goto('/account');
  await second.page.getByRole('button', { name: 'End all others' }).click();
  await second.page.getByText('The session was ended').waitFor();
  await first.page.getByRole('heading', { name: 'Log in again' }).waitFor();
  await first.page.getByLabel('Password').fill(PASSWORD);
  await first.page.getByRole('dialog').getByRole('button', { name: 'Log in' }).click();
  await first.page.getByRole('heading', { name: 'Log in again' }).waitFor({ state: 'detached' });
  assert.match(first.page.url(), /text=Urgent/);
});
