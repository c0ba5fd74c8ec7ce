import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { inQuarantine } from '../e2e/world.ts';
import { plainMail } from '../support/mime-samples.ts';
import { sendMail } from '../support/smtp-client.ts';
import { claim, login, PASSWORD, type PagesWorld, settled, startPagesWorld, type Window } from './pages-world.ts';

let world: PagesWorld;
let admin: Window;
/** The id of a quarantined message. */
let stopped = '';
const FIRST_PASSWORD = 'four words somebody chose';

before(async () => {
  // nothing here is about verdicts: our own domain from outside is stopped without them
  world = await startPagesWorld({ engines: false });
  admin = await world.open({ language: 'en' });
  await claim(world, admin.page);
  for (const n of [1, 2, 3]) await suspicious(n);
  stopped = (await inQuarantine(world.mail, 3))[0]?.id ?? '';
  for (const role of ['operator', 'helpdesk', 'auditor'] as const) await person(role);
});
after(() => world?.[Symbol.asyncDispose]());

async function suspicious(n: number): Promise<void> {
  const bytes = plainMail({ from: 'president@office.example', subject: `Transfer ${n}`, messageId: `p${n}@x` });
  const reply = await sendMail(world.mail.gateway.mxPort, {
    from: 'boss@nospf.example',
    to: 'suzuki@office.example',
    bytes,
  });
  assert.equal(reply.code, 250);
}

/** As the page itself would ask, with the page's own cookies. */
async function api(page: Page, method: string, where: string, body?: unknown) {
  const answer = await page.request.fetch(`/api/v1${where}`, {
    method,
    headers: { origin: world.url, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { data: JSON.stringify(body) }),
  });
  return { status: answer.status(), text: await answer.text() };
}

/** Made by the admin; chooses a password of their own at the first login, as everybody must. */
async function person(role: string): Promise<void> {
  const body = { name: role, fullName: '', role, contentAllowed: false, language: 'en', password: FIRST_PASSWORD };
  const made = await api(admin.page, 'POST', '/users', body);
  assert.equal(made.status < 300, true, made.text);
  const { page, context } = await world.open({ language: 'en' });
  await page.goto('/');
  await page.getByLabel('User name').fill(role);
  await page.getByLabel('Password').fill(FIRST_PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Choose a new password' }).waitFor();
  const fields = page.locator('input[type="password"]');
  await fields.nth(0).fill(FIRST_PASSWORD);
  await fields.nth(1).fill(PASSWORD);
  await fields.nth(2).fill(PASSWORD);
  await page.getByRole('button', { name: 'Change and go on' }).click();
  await page.locator('nav.nav').waitFor({ state: 'attached' });
  await context.close();
}

async function as(role: string): Promise<Window> {
  const opened = await world.open({ language: 'en' });
  await login(opened.page, role);
  return opened;
}

const DAILY = ['Overview', 'Messages', 'Quarantine', 'Queue'];
/** What each sees, written down here by hand; a second source besides the code's own table. */
const ROLES = [
  { role: 'operator', sees: [...DAILY, 'Policy', 'Domains and routes', 'System', 'Reports', 'Help'], buttons: true },
  { role: 'helpdesk', sees: [...DAILY, 'Help'], buttons: true },
  {
    role: 'auditor',
    sees: [...DAILY, 'Policy', 'Domains and routes', 'System', 'Reports', 'Audit', 'Help'],
    buttons: false,
  },
] as const;
const PLACES = { '/policy': 'Policy', '/users': 'Users', '/audit': 'Audit', '/reports': 'Reports' } as const;

for (const { role, sees, buttons } of ROLES)
  test(`${role} sees only the pages and the buttons of that role, also by typing the address`, async () => {
    const { page, context, complaints } = await as(role);
    const names = await page.locator('nav.nav a').allInnerTexts();
    assert.deepEqual(
      names.map((name) => name.replaceAll(/\s*\d+$/g, '').trim()),
      [...sees],
    );
    for (const [where, name] of Object.entries(PLACES)) {
      if ((sees as readonly string[]).includes(name)) continue;
      await page.goto(where);
      await page.getByText('Your role does not show this page').waitFor();
    }
    await page.goto(`/quarantine/${stopped}`);
    await page.locator('section[aria-label="Why"]').waitFor();
    await page.getByRole('heading', { name: 'What happened' }).first().waitFor();
    const release = page.getByRole('button', { name: 'Release and deliver' });
    if (buttons) await release.waitFor();
    assert.equal(await release.count(), buttons ? 1 : 0);
    const content = page.getByRole('button', { name: 'Show the content' });
    const mayRead = role === 'operator';
    if (mayRead) await content.waitFor();
    assert.equal(await content.count(), mayRead ? 1 : 0);
    await page.goto('/queue');
    await settled(page);
    assert.deepEqual(complaints, []);
    await context.close();
  });

test('what a role does not see it cannot ask for either: another person’s session, password, token or mail', async () => {
  const { page, context } = await as('helpdesk');
  const users = JSON.parse((await api(admin.page, 'GET', '/users')).text) as {
    users: Array<{ id: string; name: string }>;
  };
  const tanaka = users.users.find(({ name }) => name === 'tanaka')?.id ?? '';
  assert.notEqual(tanaka, '');
  const sessions = JSON.parse((await api(admin.page, 'GET', '/account/sessions')).text) as {
    sessions: Array<{ id: string }>;
  };
  const theirs = sessions.sessions[0]?.id ?? '';
  assert.notEqual(theirs, '');
  const tries: Array<[string, string, unknown?]> = [
    ['GET', '/users'],
    ['PATCH', `/users/${tanaka}`, { role: 'auditor' }],
    ['PUT', `/users/${tanaka}/password`, { password: 'an other password of mine' }],
    ['DELETE', `/users/${tanaka}`],
    ['DELETE', `/account/sessions/${theirs}`],
    ['GET', `/messages/${stopped}/content`],
    ['GET', `/messages/${stopped}/html`],
    ['GET', '/audit'],
    ['GET', '/config'],
    ['PUT', '/policy/level', { level: 'watch' }],
    ['POST', '/queue/retry', { all: true }],
  ];
  for (const [method, where, body] of tries) {
    const { status, text } = await api(page, method, where, body);
    assert.ok([403, 404, 405].includes(status), `${method} ${where}: ${status} ${text.slice(0, 200)}`);
    // unknown to this API would prove nothing
    assert.doesNotMatch(text, /NO_SUCH_OPERATION/, `${method} ${where}`);
  }
  // the admin is still in, still admin
  assert.equal((await api(admin.page, 'GET', '/users')).status, 200);
  await context.close();
});

test('with a stolen address of a page but no session nothing is told, and a session of one browser is worth nothing in another', async () => {
  const { page, context } = await world.open({ language: 'en' });
  for (const where of [`/messages/${stopped}`, '/users', '/quarantine', `/messages/${stopped}/content`])
    assert.equal((await api(page, 'GET', where)).status, 401, where);
  await page.goto(`/quarantine/${stopped}`);
  await page.getByLabel('User name').waitFor();
  assert.doesNotMatch(await page.locator('body').innerText(), /Transfer/);
  await context.close();
});

test('what one tab does the other shows, without a reload', async () => {
  const first = admin.page;
  const second = await admin.context.newPage();
  await first.goto('/quarantine');
  await second.goto('/quarantine');
  await second.getByRole('link', { name: 'Transfer 1' }).waitFor();
  await first.locator('tr[data-row]').filter({ hasText: 'Transfer 1' }).focus();
  await first.keyboard.press('d');
  await first.getByText('Deleted; can be undone').waitFor();
  await first.getByRole('link', { name: 'Transfer 1' }).waitFor({ state: 'detached' });
  await second.getByRole('link', { name: 'Transfer 1' }).waitFor({ state: 'detached' });
  await second.getByRole('link', { name: 'Transfer 2' }).waitFor();
  // and back: undone in the first, there again in the second
  await first.keyboard.press('u');
  await first.getByText('Undone', { exact: true }).waitFor();
  await second.getByRole('link', { name: 'Transfer 1' }).waitFor();

  // a setting: whoever comes back to the other tab sees what holds now
  await second.goto('/policy');
  await second.getByText('Now: Normal').waitFor();
  await first.goto('/policy');
  await first.getByRole('radio', { name: 'Strict' }).click();
  await first.getByRole('button', { name: 'Use this level' }).click();
  await first.getByText('The level is now “Strict”').waitFor();
  await second.evaluate(() => {
    const { document } = globalThis as unknown as { document: { dispatchEvent: (event: Event) => void } };
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await second.getByText('Now: Strict').waitFor();
  await second.close();
});

test('logged out in one tab, the other asks for the password too', async () => {
  const { page, context } = await as('operator');
  const other = await context.newPage();
  await other.goto('/queue');
  await settled(other);
  await page.goto('/account');
  await page.locator('main').getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('User name').waitFor();
  await other.getByLabel('Password').waitFor();
  await context.close();
});
