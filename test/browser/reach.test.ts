import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { AXE, violations } from './axe.ts';
import { NAVIGATION_PATHS } from './page-paths.ts';
import { hostileMail, japaneseMail } from './odd-mail.ts';
import { claim, login, type PagesWorld, settled, startPagesWorld } from './pages-world.ts';
import { sendMail } from '../support/smtp-client.ts';

let world: PagesWorld;

before(async () => {
  world = await startPagesWorld();
  const first = await world.open({ language: 'ja' });
  await claim(world, first.page);
  const port = world.mail.gateway.mxPort;
  const friend = { from: 'hanako@example.com', to: 'suzuki@office.example' };
  await sendMail(port, { ...friend, bytes: japaneseMail('会議の件', 'axe.1@example.com') });
  await sendMail(port, { from: 'boss@nospf.example', to: 'suzuki@office.example', bytes: hostileMail('axe.2@x') });
});
after(() => world?.[Symbol.asyncDispose]());

async function tooWide(page: Page): Promise<number> {
  return await page.evaluate(() => {
    const { document } = globalThis as unknown as {
      document: { documentElement: { scrollWidth: number; clientWidth: number } };
    };
    return document.documentElement.scrollWidth - document.documentElement.clientWidth;
  });
}

for (const language of ['ja', 'en'] as const)
  for (const look of ['light', 'dark'] as const)
    test(`axe finds nothing on any page, ${language}, ${look}`, async () => {
      const { page, context, complaints } = await world.open({ language, dark: look === 'dark' });
      await context.addInitScript(AXE);
      await page.goto('/');
      await page.locator('input[type="password"]').waitFor();
      const found = (await violations(page)).map((one) => `login ${one}`);
      await login(page);
      for (const path of NAVIGATION_PATHS) {
        await page.goto(path);
        await settled(page);
        assert.equal(await page.locator('html').getAttribute('lang'), language);
        found.push(...(await violations(page)).map((one) => `${path} ${one}`));
      }
      assert.deepEqual(found, []);
      assert.deepEqual(complaints, []);
    });

test('no page is wider than the window, from a phone to a wide desk', async () => {
  const found: string[] = [];
  for (const width of [360, 768, 1_280, 2_560]) {
    const { page, context } = await world.open({ language: 'ja', width });
    await login(page);
    for (const path of NAVIGATION_PATHS) {
      await page.goto(path);
      await settled(page);
      const wide = await tooWide(page);
      if (wide > 0) found.push(`${path} at ${width}: ${wide} px too wide`);
    }
    await context.close();
  }
  assert.deepEqual(found, []);
});

test('the keys are listed by ?, and every focused element can be seen', async () => {
  const { page } = await world.open({ language: 'en' });
  await login(page);
  await page.keyboard.press('?');
  await page.getByRole('heading', { name: 'Keys' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('heading', { name: 'Keys' }).waitFor({ state: 'detached' });
  await page.keyboard.press('Tab');
  assert.equal(await page.locator(':focus').getAttribute('class'), 'skip');
});
