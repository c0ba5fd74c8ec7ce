import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { queueEmpty } from '../e2e/world.ts';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { COMMON } from '../../webui/i18n/words-common.ts';
import { MESSAGE, MESSAGES, QUEUE } from '../../webui/i18n/words-messages.ts';
import { ALERTS, NOTIFY } from '../../webui/i18n/words-notify.ts';
import { OVERVIEW } from '../../webui/i18n/words-overview.ts';
import { POLICY } from '../../webui/i18n/words-policy.ts';
import { SYSTEM } from '../../webui/i18n/words-system.ts';
import { claim, login, type PagesWorld, settled, startPagesWorld } from './pages-world.ts';
import { Person } from './person.ts';

const stranger = 'boss@nospf.example';
let world: PagesWorld;

before(async () => {
  world = await startPagesWorld({ engines: false, host: true });
  const { page, context } = await world.open({ language: 'en' });
  await claim(world, page);
  await context.close();
});
after(() => world?.[Symbol.asyncDispose]());

async function at(where: string, language: 'ja' | 'en' = 'en') {
  const opened = await world.open({ language });
  await login(opened.page);
  await opened.page.goto(where);
  await settled(opened.page);
  return { ...opened, person: new Person(opened.page, { language }) };
}

const kept = async (key: string): Promise<unknown> =>
  (await world.mail.gateway.call('config.show', { path: key })).value;
const send = (to: string, subject: string) =>
  sendMail(world.mail.gateway.mxPort, {
    from: stranger,
    to,
    bytes: plainMail({ from: stranger, subject, messageId: `${subject.replaceAll(' ', '.')}@x` }),
  });
const card = (page: Page, title: string) => page.locator('section, article, .card').filter({ hasText: title }).last();

test('the digest and the recipients’ page: a wrong hour is told at its field, what is saved holds for page, API and CLI', async () => {
  const { page, context, person, complaints } = await at('/policy');
  await page.getByRole('checkbox', { name: NOTIFY.digest.en }).check();
  const hours = page.getByLabel(NOTIFY.at.en);
  await hours.fill('08:30, 25:00');
  const form = page.locator('form').filter({ has: hours });
  await form.getByRole('button', { name: COMMON.save.en }).click();
  await form.locator('.error').first().waitFor();
  assert.deepEqual(await kept('quarantine.digest.enabled'), false, 'nothing of it was taken');
  await hours.fill('08:30, 16:30');
  await page.getByRole('checkbox', { name: NOTIFY.portal.en }).check();
  await page.getByText(NOTIFY.urlNeeded.en).waitFor();
  await page.getByLabel(NOTIFY.url.en).fill('https://mail.office.example:8443');
  await form.getByRole('button', { name: COMMON.save.en }).click();
  await person.sees(COMMON.saved, { exact: true });
  assert.deepEqual(await kept('quarantine.digest'), { enabled: true, at: ['08:30', '16:30'] });
  await page.reload();
  await settled(page);
  await page.getByRole('checkbox', { name: NOTIFY.digest.en, checked: true }).waitFor();
  assert.equal(await page.getByLabel(NOTIFY.url.en).inputValue(), 'https://mail.office.example:8443');
  assert.match((await world.mail.gateway.cli('config', 'get', 'portal')).stdout, /mail\.office\.example:8443/);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('limits and a mark of single recipients: what does not rise is told in its row, what is saved holds for page, API and CLI', async () => {
  const { page, context, person, complaints } = await at('/policy');
  const form = page.locator('form').filter({ has: page.getByText(POLICY.spamForText.en) });
  await form.getByText(POLICY.spamForNone.en).waitFor();
  await form.getByRole('button', { name: COMMON.add.en }).click();
  const row = (n: string) => form.getByRole('group', { name: person.t(POLICY.spamForRow, { n }) });
  await row('1').getByLabel(POLICY.spamForWho.en).fill('@branch.office.example\nboss@office.example');
  await row('1').getByLabel(POLICY.tag.en).fill('9');
  await form.getByRole('button', { name: COMMON.save.en }).click();
  await row('1').locator('.error').waitFor();
  assert.deepEqual(await kept('policy.spamFor'), [], 'nothing of it was taken');
  await row('1').getByLabel(POLICY.tag.en).fill('4');
  await row('1').getByLabel(POLICY.subjectTag.en, { exact: true }).fill('【注意】');
  await form.getByRole('button', { name: COMMON.add.en }).click();
  await row('2').getByLabel(POLICY.spamForWho.en).fill('desk@office.example');
  await row('2').getByRole('checkbox', { name: POLICY.noMark.en }).check();
  await form.getByRole('button', { name: COMMON.save.en }).click();
  await person.sees(COMMON.saved, { exact: true });
  assert.deepEqual(await kept('policy.spamFor'), [
    { recipients: ['@branch.office.example', 'boss@office.example'], tag: 4, subjectTag: '【注意】' },
    { recipients: ['desk@office.example'], subjectTag: '' },
  ]);
  await page.reload();
  await settled(page);
  assert.equal(await row('1').getByLabel(POLICY.subjectTag.en, { exact: true }).inputValue(), '【注意】');
  await row('2').getByRole('checkbox', { name: POLICY.noMark.en, checked: true }).waitFor();
  assert.match((await world.mail.gateway.cli('config', 'get', 'policy.spamFor')).stdout, /desk@office\.example/);
  await row('1').getByRole('button', { name: COMMON.remove.en }).click();
  await row('1').getByRole('button', { name: COMMON.remove.en }).click();
  await form.getByRole('button', { name: COMMON.save.en }).click();
  await form.getByText(POLICY.spamForNone.en).waitFor();
  await until('no rows', { ms: 20_000 }, async () =>
    ((await kept('policy.spamFor')) as unknown[]).length === 0 ? true : undefined,
  );
  assert.deepEqual(complaints, []);
  await context.close();
});

test('the alert mail: a slip is told at the field, and whoever is new on the list gets a mail', async () => {
  const { page, context, person, complaints } = await at('/policy');
  const to = page.getByLabel(ALERTS.to.en);
  const form = page.locator('form').filter({ has: to });
  await to.fill('suzuki@office.example, nobody');
  await form.getByRole('button', { name: COMMON.save.en }).click();
  await form.locator('.error').first().waitFor();
  await to.fill('suzuki@office.example');
  await form.getByRole('button', { name: COMMON.save.en }).click();
  await person.sees(ALERTS.saved, { exact: true });
  assert.deepEqual(await kept('alerts.to'), ['suzuki@office.example']);
  await world.mail.gateway.call('jobs.run', { name: 'send-alerts' });
  const written = await until('the mail', { ms: 60_000 }, async () => {
    const { entries } = await world.mail.gateway.call('history.search', { recipient: 'suzuki@office.example' });
    return entries.find(({ reversePath }) => reversePath === 'postmaster@office.example');
  });
  assert.match(written.subject, /Alert to the owner|管理者への警告メール/);
  await to.fill('');
  await form.getByRole('button', { name: COMMON.save.en }).click();
  await person.sees(COMMON.saved, { exact: true });
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a blocked sender is refused from then on; taken off the list it comes in; the removal can be undone', async () => {
  const { page, context, person, complaints } = await at('/policy');
  const form = page.locator('form').filter({ has: page.getByLabel(POLICY.match.en) });
  const add = async (list: 'allow' | 'block', match: string): Promise<void> => {
    await form.getByLabel(POLICY.lists.en, { exact: true }).selectOption({ label: POLICY[list].en });
    await form.getByLabel(POLICY.match.en).fill(match);
    await form.getByRole('button', { name: COMMON.add.en }).click();
  };
  await add('block', 'not an address');
  await form.locator('.notice.bad, .error').first().waitFor();
  await add('block', stranger);
  await person.sees(person.t(MESSAGE.listed, { match: stranger }));
  assert.equal((await send('suzuki@office.example', 'Blocked one')).code, 550);
  const list = page.getByRole('region', { name: POLICY.block.en });
  await list.getByRole('button', { name: `${COMMON.remove.en}: ${stranger}` }).click();
  await person.sees(person.t(POLICY.removed, { match: stranger }));
  assert.equal((await send('suzuki@office.example', 'Let in')).code, 250);
  await page.getByRole('button', { name: COMMON.undo.en }).click();
  await person.sees(COMMON.undone, { exact: true });
  assert.equal((await send('suzuki@office.example', 'Blocked two')).code, 550);
  await add('allow', '@example.com');
  await page.getByRole('region', { name: POLICY.allow.en }).getByText('example.com').waitFor();
  await page.reload();
  await settled(page);
  await list.getByText(stranger).waitFor();
  const shown = await world.mail.gateway.cli('config', 'get', 'policy.lists');
  assert.match(shown.stdout, /boss@nospf\.example/);
  assert.match(shown.stdout, /@example\.com/);
  // so that the other tests' mail comes in
  await list.getByRole('button', { name: `${COMMON.remove.en}: ${stranger}` }).click();
  await person.sees(person.t(POLICY.removed, { match: stranger }));
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a backup is saved, opens with its passphrase only, says what is in it, and brings the settings back', async () => {
  const { page, context, person, complaints } = await at('/system/backup');
  const passphrase = 'seven herons over the lake';
  const make = page.locator('form').filter({ has: page.getByRole('button', { name: SYSTEM.backupMake.en }) });
  await make.getByLabel(SYSTEM.passphrase.en).fill(passphrase);
  const saving = page.waitForEvent('download');
  await make.getByRole('button', { name: SYSTEM.backupMake.en }).click();
  const saved = await saving;
  const file = path.join(world.mail.dir, 'one.backup');
  await saved.saveAs(file);
  assert.match(saved.suggestedFilename(), /^sekisho-[\w.-]+\.backup$/);
  const octets = await readFile(file);
  assert.ok(octets.length > 500 && !octets.includes('office.example'), 'nobody reads in it');

  assert.equal((await world.mail.gateway.call('config.set', { path: 'language', value: 'ja' })).ok, true);
  const restore = page.locator('form').filter({ has: page.locator('input[type="file"]') });
  await restore.locator('input[type="file"]').setInputFiles(file);
  await restore.getByLabel(SYSTEM.passphrase.en).fill('not the passphrase at all');
  await restore.getByRole('button', { name: SYSTEM.restoreLook.en }).click();
  await restore.locator('.notice.bad').waitFor();
  await restore.getByLabel(SYSTEM.passphrase.en).fill(passphrase);
  await restore.getByRole('button', { name: SYSTEM.restoreLook.en }).click();
  await restore.getByText('gw.office.example').waitFor();
  await restore.getByRole('checkbox', { name: SYSTEM.users.en }).uncheck();
  await restore.getByRole('button', { name: SYSTEM.restoreGo.en }).click();
  await person.sees(SYSTEM.restored, { exact: true });
  assert.equal(await kept('language'), 'en');

  // one octet altered: it is not opened at all
  octets[octets.length - 40] = (octets[octets.length - 40] ?? 0) ^ 1;
  await writeFile(file, octets);
  await page.reload();
  await settled(page);
  await restore.locator('input[type="file"]').setInputFiles(file);
  await restore.getByLabel(SYSTEM.passphrase.en).fill(passphrase);
  await restore.getByRole('button', { name: SYSTEM.restoreLook.en }).click();
  await restore.locator('.notice.bad').waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a job runs now when asked, says so, and page and API agree about when it ran', async () => {
  const { page, context, complaints } = await at('/system/services');
  const buttons = page.getByRole('button', { name: /^Run now: / });
  await buttons.first().waitFor();
  const title = ((await buttons.first().getAttribute('aria-label')) ?? '').replace('Run now: ', '');
  await buttons.first().click();
  await page
    .getByText(title)
    .filter({ hasText: /was run|failed/i })
    .first()
    .waitFor();
  const answer = await page.request.get('/api/v1/jobs');
  const { jobs } = (await answer.json()) as { jobs: Array<{ title: { en: string }; lastStartedAt?: string }> };
  const ran = jobs.find((one) => one.title.en === title);
  assert.ok(Math.abs(Date.now() - Date.parse(ran?.lastStartedAt ?? '')) < 600_000, JSON.stringify(jobs));
  await card(page, title).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

for (const language of ['ja', 'en'] as const)
  test(`a form that was changed is not left by a slip: stay keeps what was typed, leave drops it, ${language}`, async () => {
    const { page, context, person } = await at('/policy', language);
    const hours = page.getByLabel(NOTIFY.at[language]);
    await hours.fill('09:15');
    const link = page.locator('nav.nav a[href="/reports"]');
    await link.click();
    await person.heading(COMMON.leaveTitle);
    await person.press(COMMON.stay);
    assert.equal(await hours.inputValue(), '09:15');
    assert.equal(new URL(page.url()).pathname, '/policy');
    await link.click();
    await person.press(COMMON.leave);
    await page.waitForURL('**/reports');
    await page.goto('/policy');
    assert.notEqual(await hours.inputValue(), '09:15');
    await context.close();
  });

test('a queued mail: deletion says what will happen first, and deleting and holding are taken back; CLI and page agree', async () => {
  await queueEmpty(world.mail); // what the tests before sent on its way must not wait here, too
  await world.mail.office.stop();
  assert.equal((await send('suzuki@office.example', 'Waits here')).code, 250);
  const queued = async (): Promise<string[]> =>
    (await world.mail.gateway.call('queue.list', {})).entries.map(({ state }) => state);
  await until('the mail to wait', { ms: 60_000 }, async () => {
    const [state = 'incoming'] = await queued();
    const { alarms } = await world.mail.gateway.call('status', {});
    // untouched, for its server is away: before that it may be on its way
    return state !== 'incoming' && alarms.some(({ name }) => name === 'mail-server-down') ? true : undefined;
  });
  const { page, context, person, complaints } = await at('/queue');
  const row = page.locator('tr[data-row]').filter({ hasText: 'suzuki' }).first();
  await row.focus();
  await page.keyboard.press('d');
  await person.sees(QUEUE.deleteText);
  await page.getByRole('dialog').getByRole('button', { name: COMMON.cancel.en }).click();
  assert.equal((await queued()).length, 1, 'no is no');
  await row.focus();
  await page.keyboard.press('d');
  await page.getByRole('dialog').getByRole('button', { name: MESSAGE.delete.en }).click();
  await person.sees(MESSAGE.deleted);
  await row.waitFor({ state: 'detached' });
  await page.keyboard.press('u');
  await person.sees(COMMON.undone, { exact: true });
  await row.waitFor();
  await row.focus();
  await page.keyboard.press('h');
  await person.sees(person.t(MESSAGE.held, { n: '1' }));
  await until('held', { ms: 20_000 }, async () => ((await queued())[0] === 'held' ? true : undefined));
  assert.match((await world.mail.gateway.cli('queue', 'list')).stdout, /held/);
  await page.keyboard.press('u');
  await person.sees(COMMON.undone, { exact: true });
  await until('not held', { ms: 20_000 }, async () => ((await queued())[0] === 'held' ? undefined : true));
  await world.mail.office.start();
  await row.focus();
  await page.keyboard.press('t');
  await until('delivered', { ms: 60_000 }, async () => ((await queued()).length === 0 ? true : undefined));
  await row.waitFor({ state: 'detached' });
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a place is a link: a search, a message, a tab of the settings; back leads to the search again', async () => {
  const { entries } = await world.mail.gateway.call('history.search', { text: 'Waits' });
  const id = entries[0]?.id ?? '';
  const { page, context } = await at('/messages?text=Waits&state=delivered');
  await page.getByRole('link', { name: 'Waits here' }).click();
  await page.waitForURL(`**/messages/${id}`);
  await page.goBack();
  await page.getByRole('link', { name: 'Waits here' }).waitFor();
  assert.match(page.url(), /text=Waits&state=delivered/);
  // a pause in the middle of typing: the space before the next word stays
  await page.getByLabel(MESSAGES.text.en).fill('');
  await page.waitForURL((url) => !url.search.includes('text='));
  await page.getByLabel(MESSAGES.text.en).pressSequentially('Waits ');
  await page.waitForURL(/text=Waits&?/);
  await page.getByLabel(MESSAGES.text.en).pressSequentially('here');
  await page.waitForURL(/text=Waits(?:\+|%20)here/);
  await page.goto(`/messages/${id}`);
  await page.getByText('Waits here').first().waitFor();
  await page.goto('/messages/0000000-0000000000000');
  await page.getByRole('alert').or(page.locator('.notice')).first().waitFor();
  for (const where of ['/system/logs', '/system/network', '/help/bypass']) {
    await page.goto(where);
    await settled(page);
    assert.equal(new URL(page.url()).pathname, where);
  }
  await page.goto('/no-such-page');
  await page.locator('main h1').waitFor();
  assert.equal(await page.locator('nav.nav').count(), 1, 'the way on stands there');
  await context.close();
});

test('one card that fails says so in its place, and the others stand', async () => {
  const { page, context } = await world.open({ language: 'en' });
  await login(page);
  const message = { ja: '時間内に分かりませんでした', en: 'It was not known in time' };
  await page.route('**/api/v1/overview', async (route) => {
    const answer = await route.fetch();
    const picture = (await answer.json()) as Record<string, unknown>;
    await route.fulfill({ response: answer, json: { ...picture, queue: { ok: false, code: 'LATE', message } } });
  });
  await page.goto('/');
  await settled(page);
  const part = (title: string) => page.getByRole('region', { name: title, exact: true });
  await part(OVERVIEW.queue.en).getByText(message.en).waitFor();
  for (const title of [OVERVIEW.today.en, OVERVIEW.engines.en, OVERVIEW.disk.en]) {
    await part(title).waitFor();
    assert.equal(await part(title).locator('.notice').count(), 0, title);
  }
  await context.close();
});

test('of two networks on one cable the one that was edited is changed, and a card that is gone can be taken away', async () => {
  const { page, context } = await world.open({ language: 'en' });
  await login(page);
  const both = { ipv4: { method: 'dhcp' }, ipv6: { method: 'auto' } };
  const interfaces = [
    { name: 'eth0', ...both },
    { name: 'eth0', vlan: 5, ...both },
    { name: 'eth7', ...both },
  ];
  const links = ['eth0', 'eth0.5'].map((name) => ({ name, mac: '', up: name === 'eth0', addresses: [] }));
  let asked: { settings: { interfaces: unknown } } | undefined;
  // the machine of the test has neither such a cable nor leave to change its own network
  await page.route('**/api/v1/system/network', async (route) => {
    if (route.request().method() === 'PUT') {
      asked = route.request().postDataJSON() as typeof asked;
      await route.fulfill({ status: 409, json: { code: 'READ_ONLY', message: { ja: 'x', en: 'x' } } });
      return;
    }
    const answer = await route.fetch();
    const { settings, ...rest } = (await answer.json()) as { settings: object };
    await route.fulfill({
      response: answer,
      json: { ...rest, interfaces: links, settings: { ...settings, interfaces } },
    });
  });
  await page.goto('/system/network');
  await settled(page);
  await page.getByText(SYSTEM.linkDown.en, { exact: true }).waitFor();
  const fields = (name: string) =>
    page.getByRole('group', { name: SYSTEM.interface.en.replace('{name}', name), exact: true });
  await fields('eth7').getByText(SYSTEM.linkMissing.en).waitFor();
  assert.equal(await page.getByText(SYSTEM.linkMissing.en).count(), 1);
  await fields('eth7').getByRole('button').click();
  await fields('eth7').waitFor({ state: 'detached' });
  await fields('eth0.5').getByLabel(SYSTEM.ipv4.en).selectOption('off');
  await page.getByRole('button', { name: SYSTEM.networkTry.en }).click();
  await until('the settings are sent', { ms: 10_000 }, () => asked);
  assert.deepEqual(asked?.settings.interfaces, [interfaces[0], { ...interfaces[1], ipv4: { method: 'off' } }]);
  await context.close();
});
