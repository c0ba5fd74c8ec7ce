/**
 * Screenshots of every page for the README and for critical eyes: two languages, 360 and 1,280 pixels, taken from the real
 * gateway, engines and admin after real mail came through. Each is a WebP of at most 60 kB in docs/screens. Throws on errors.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { hostileMail, japaneseMail } from '../../test/browser/odd-mail.ts';
import { NAVIGATION_PATHS } from '../../test/browser/page-paths.ts';
import { claim, login, type PagesWorld, settled, startPagesWorld } from '../../test/browser/pages-world.ts';
import { eicarMail, gtubeMail, plainMail } from '../../test/support/mime-samples.ts';
import { sendMail } from '../../test/support/smtp-client.ts';

const OUT = path.resolve(import.meta.dirname, '../../docs/screens');
const WIDTHS = [360, 1_280] as const;
const LANGUAGES = ['ja', 'en'] as const;
const MOST_OCTETS = 60_000;

async function main(): Promise<void> {
  mkdirSync(OUT, { recursive: true });
  await using world = await startPagesWorld({ host: true });
  await beforeTheClaim(world);
  const { page } = await world.open({ language: 'ja' });
  await claim(world, page);
  await someMail(world);
  const { entries } = await world.mail.gateway.call('quarantine.list', {});
  const opened = entries[0]?.id ?? '';
  const paths = [...NAVIGATION_PATHS, '/setup', `/messages/${opened}`, `/quarantine/${opened}`];
  for (const language of LANGUAGES)
    for (const width of WIDTHS) {
      const { page: here, context } = await world.open({ language, width });
      await login(here);
      for (const place of paths) {
        await here.goto(place);
        await settled(here);
        await keep(here, `${nameOf(place.replace(opened, 'one'))}-${language}-${width}`);
      }
      await context.close();
    }
  const dark = await world.open({ language: 'ja', dark: true });
  await login(dark.page);
  await settled(dark.page);
  await keep(dark.page, 'overview-ja-dark');
}

async function beforeTheClaim(world: PagesWorld): Promise<void> {
  for (const language of LANGUAGES)
    for (const width of WIDTHS) {
      const { page, context } = await world.open({ language, width });
      await page.goto('/');
      await page.locator('form.card').waitFor();
      await keep(page, `claim-${language}-${width}`);
      await context.close();
    }
}

async function someMail(world: PagesWorld): Promise<void> {
  const port = world.mail.gateway.mxPort;
  const friend = { from: 'hanako@example.com', to: 'suzuki@office.example' };
  const stranger = { from: 'boss@nospf.example', to: ['suzuki@office.example', 'sato@office.example'] };
  const subjects = [
    '十一月の見積書について',
    '会議室の予約を変更しました',
    '請求書（2026年11月分）をお送りします',
    'Re: 納期のご相談',
  ];
  await sendMail(port, { ...stranger, bytes: hostileMail('screen.o@x') });
  for (const [index, subject] of subjects.entries())
    await sendMail(port, { ...friend, bytes: japaneseMail(subject, `screen.${index}@example.com`) });
  await sendMail(port, { ...friend, bytes: plainMail({ subject: 'Meeting on Friday', messageId: 'screen.en@x' }) });
  await sendMail(port, { ...stranger, bytes: eicarMail({ messageId: 'screen.v@x' }) });
  await sendMail(port, { ...stranger, bytes: gtubeMail({ messageId: 'screen.s@x' }) });
  const president = { from: 'President <president@office.example>', subject: 'Urgent transfer' };
  for (const n of [1, 2, 3])
    await sendMail(port, {
      ...stranger,
      bytes: plainMail({ ...president, subject: `Urgent transfer ${n}`, messageId: `p${n}@x` }),
    });
}

/** As small as the limit asks for. */
async function keep(page: Page, name: string): Promise<void> {
  // the drawing of a chart is loaded when one is shown
  await page.waitForFunction("[...document.querySelectorAll('.chart')].every((one) => one.querySelector('canvas'))");
  const session = await page.context().newCDPSession(page);
  for (const quality of [80, 60, 40, 20]) {
    const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality });
    const octets = Buffer.from(data, 'base64');
    if (octets.length > MOST_OCTETS && quality > 20) continue;
    writeFileSync(path.join(OUT, `${name}.webp`), octets);
    break;
  }
  await session.detach();
}

function nameOf(place: string): string {
  return place === '/' ? 'overview' : place.slice(1).replaceAll('/', '-');
}

await main();
