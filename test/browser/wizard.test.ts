import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hasPostfix, type Postfix, startPostfix } from '../support/peers.ts';
import { type PagesWorld, startPagesWorld } from './pages-world.ts';
import { Person } from './person.ts';
import { walkWizard } from './wizard-walk.ts';
import { COMMON } from '../../webui/i18n/words-common.ts';
import { SETUP, STEP_NAMES } from '../../webui/i18n/words-setup.ts';

const mailbox = 'suzuki@office.example';
let world: PagesWorld;
let office: Postfix;

/** A box as it is before anybody was there: no domain, no way out; the office's Postfix waits for its mail. */
before(async () => {
  assert.ok(hasPostfix(), 'scripts/test unpacks Postfix; run it first');
  world = await startPagesWorld({
    host: true,
    config: { domains: [], outbound: {} },
    officePort: async (dir) => {
      office = await startPostfix({ dir, name: 'office', recipients: [mailbox] });
      return office.port;
    },
  });
});
after(async () => {
  await office?.stop();
  await world?.[Symbol.asyncDispose]();
});

for (const [turn, language] of (['ja', 'en'] as const).entries())
  test(`the wizard leads from the first boot to a mail in the office's mailbox, ${language}`, async () => {
    if (turn > 0) await world.asNew();
    const { page, complaints } = await world.open({ language });
    const person = new Person(page, { language });
    const code = await world.setupCode();
    assert.match(code, /^[0-9A-Z-]{10,}$/);

    await walkWizard(
      person,
      {
        setupCode: code.toLowerCase(),
        domain: 'office.example',
        mailServer: { host: '127.0.0.1', port: office.port },
        mailbox,
        smarthost: { host: '127.0.0.1', port: world.mail.outside.port },
      },
      async (step) => {
        if (step === 'outgoing') {
          // back and forward: what was saved stands there
          await person.press(COMMON.back);
          await person.heading(STEP_NAMES.domains);
          await person.sees('office.example');
          await person.press(COMMON.next);
          await person.heading(STEP_NAMES.outgoing);
        }
        if (step === 'protection') {
          // in the middle of it the browser is closed and opened again
          await page.reload();
          await person.heading(STEP_NAMES.protection);
          const elsewhere = await world.open({ language });
          await elsewhere.context.addCookies(await page.context().cookies());
          await elsewhere.page.goto('/setup');
          await elsewhere.page
            .getByRole('heading', { name: person.t(STEP_NAMES.protection) })
            .first()
            .waitFor();
          await elsewhere.context.close();
        }
      },
    );
    const arrived = (await office.received(turn + 1, { recipient: mailbox })).at(-1);
    assert.match(arrived?.raw.toString() ?? '', /^\tby gw\.office\.example with ESMTP$/m);
    assert.match(arrived?.raw.toString() ?? '', /^From: Sekisho <test@sekisho\.invalid>/m);
    const trail = await page.getByRole('link', { name: person.t(SETUP.trail) }).getAttribute('href');
    const told = await world.mail.gateway.cli('trace', trail?.split('/').at(-1) ?? '');
    assert.match(told.stdout, /suzuki@office\.example/);
    await person.press(SETUP.finish);
    await page.locator('nav.nav').waitFor();
    assert.equal(new URL(page.url()).pathname, '/');
    const kept = async (key: string): Promise<unknown> =>
      (await world.mail.gateway.call('config.show', { path: key })).value;
    assert.match(JSON.stringify(await kept('domains')), /"name":"office\.example"/);
    assert.match(JSON.stringify(await kept('outbound.smarthost')), /"host":"127\.0\.0\.1"/);
    assert.deepEqual(complaints, []);
  });
