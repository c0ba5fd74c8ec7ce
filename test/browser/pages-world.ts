/**
 * What a test of the pages stands in: the real gateway with real engines, the real admin process serving the built pages,
 * and Debian's Chromium. No fixture data: whatever a page shows came through the MX listener or the API. Chromium trusts the
 * box's own certificate only here, by a flag of the test.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { buildPages } from '../../scripts/lib/build-webui.ts';
import { startWorld, type World, type WorldOptions } from '../e2e/world.ts';
import { freePort } from '../support/net.ts';
import { type Child, startChild, until } from '../support/process.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const CHROMIUM = '/usr/bin/chromium';
export const PASSWORD = 'correct-staple-horse-battery';
export const USER = 'tanaka';

export interface PagesWorld {
  readonly mail: World;
  readonly browser: Browser;
  readonly url: string;
  readonly setupCode: () => Promise<string>;
  /** A window of its own: own cookies, language, size. Fails the test on what the page reports as an error. */
  open(options?: { language?: 'ja' | 'en'; width?: number; dark?: boolean }): Promise<Window>;
  stopAdmin(): Promise<void>;
  startAdmin(): Promise<void>;
  /** Where admin keeps users and audit. */
  adminData(): string;
  /** As it was before anybody claimed it: nobody's pages, and the settings this world began with. */
  asNew(): Promise<void>;
  adminLog(): string;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Window {
  page: Page;
  context: BrowserContext;
  /** What the console said that a page should never say. */
  complaints: string[];
}

export interface PagesWorldOptions extends Pick<WorldOptions, 'config' | 'officePort' | 'records'> {
  /** The host process as a trial runs it: the pages then show this machine's network and clock. */
  host?: boolean;
  /** Programs of the machine that this test brings itself; in a folder the host finds them in first. */
  programs?: Readonly<Record<string, string>>;
  /** False: no clamd and no rspamd, where a test is not about what they find. */
  engines?: boolean;
  /** What admin is given besides; asked once the gateway runs. */
  admin?: (mail: World) => Promise<{ args: readonly string[]; env: Readonly<Record<string, string>> }>;
}

export async function startPagesWorld(options: PagesWorldOptions = {}): Promise<PagesWorld> {
  const stack = new AsyncDisposableStack();
  const engines = options.engines ?? true;
  try {
    await buildPages({ onlyIfNeeded: true, quiet: true });
    const mail = stack.use(await startWorld({ clamd: engines, rspamd: engines, ...options }));
    let data = path.join(mail.dir, 'admin');
    const hostSocket =
      options.host === true ? await startHostProcess(mail.dir, { stack, programs: options.programs ?? {} }) : undefined;
    const more = (await options.admin?.(mail)) ?? { args: [], env: {} };
    const port = await freePort(); // not the kernel's: while admin is stopped another might be given it
    let child: Child | undefined;
    const startAdmin = async (): Promise<void> => {
      child = await startAdminProcess({ data, gateway: mail.gateway.dataFolder, hostSocket, port, more });
    };
    await startAdmin();
    stack.defer(() => child?.stop());
    const browser = await launch();
    stack.defer(() => browser.close());
    const url = `https://127.0.0.1:${port}`;
    const owned = stack.move();
    return {
      mail,
      browser,
      url,
      setupCode: async () => (await readFile(path.join(data, 'setup-code'), 'utf8')).trim(),
      open: (wanted = {}) => openWindow(browser, url, wanted),
      stopAdmin: async () => child?.stop(),
      startAdmin,
      adminData: () => data,
      asNew: async () => {
        await child?.stop();
        data = `${data}-new`;
        await mail.gateway.writeConfig(mail.config);
        await mail.gateway.call('config.reload', {});
        await startAdmin();
      },
      adminLog: () => child?.output() ?? '',
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Resolves with the socket that is admin's. */
async function startHostProcess(
  dir: string,
  { stack, programs }: { stack: AsyncDisposableStack; programs: Readonly<Record<string, string>> },
): Promise<string> {
  const run = path.join(dir, 'host-run');
  const bin = path.join(dir, 'host-bin');
  await mkdir(bin);
  for (const [name, text] of Object.entries(programs)) await writeFile(path.join(bin, name), text, { mode: 0o755 });
  const args = [path.join(ROOT, 'src/host.ts'), '--mode', 'trial', '--data', path.join(dir, 'host'), '--run', run];
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  const child = await startChild(process.execPath, args, { cwd: ROOT, env });
  stack.defer(() => child.stop());
  await until('the host to be ready', { ms: 30_000 }, () => {
    if (!child.running()) throw new Error(`The host has ended: ${child.output()}`);
    return child.output().includes('Host is ready') || undefined;
  });
  return path.join(run, 'admin.sock');
}

async function startAdminProcess(options: {
  data: string;
  gateway: string;
  hostSocket: string | undefined;
  port: number;
  more: { args: readonly string[]; env: Readonly<Record<string, string>> };
}) {
  const { data, gateway, hostSocket, port, more } = options;
  const host = hostSocket === undefined ? [] : ['--host-socket', hostSocket, '--own-setup-code'];
  const where = ['--data', data, '--gateway-socket', path.join(gateway, 'run/admin.sock'), ...host];
  const child = await startChild(
    process.execPath,
    [path.join(ROOT, 'src/admin.ts'), ...where, '--address', '127.0.0.1', '--port', String(port), ...more.args],
    { cwd: ROOT, env: { ...process.env, NODE_ENV: 'production', TZ: 'Asia/Tokyo', ...more.env } },
  );
  await until('the admin process to be ready', { ms: 60_000 }, () => {
    if (child.output().includes('"Admin is ready"')) return true;
    if (!child.running()) throw new Error(`Admin has ended: ${child.output()}`);
    return undefined;
  });
  return child;
}

function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox', // tests run as root, where Chromium's own sandbox cannot start
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--force-color-profile=srgb',
    ],
  });
}

const HEIGHTS = { phone: 740, desk: 900 };

async function openWindow(
  browser: Browser,
  url: string,
  wanted: { language?: 'ja' | 'en'; width?: number; dark?: boolean },
): Promise<Window> {
  const width = wanted.width ?? 1_280;
  const settings: BrowserContextOptions = {
    ignoreHTTPSErrors: true,
    baseURL: url,
    locale: wanted.language === 'en' ? 'en-US' : 'ja-JP',
    colorScheme: wanted.dark === true ? 'dark' : 'light',
    viewport: { width, height: width < 600 ? HEIGHTS.phone : HEIGHTS.desk },
    reducedMotion: 'reduce',
  };
  const context = await browser.newContext(settings);
  context.setDefaultTimeout(120_000); // only a hang takes so long
  // as if chosen with the button before; without it the user's own language holds
  if (wanted.language !== undefined)
    await context.addInitScript(`localStorage.setItem('sekisho.language', '${wanted.language}')`);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // an answer of 4xx or 5xx is the page's own business
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
  return { page, context, complaints };
}

/** The wizard's first step, as a person does it. */
export async function claim(world: PagesWorld, page: Page): Promise<void> {
  await page.goto('/');
  await page
    .locator('input[autocomplete="off"]')
    .first()
    .fill(await world.setupCode());
  await page.locator('input[autocomplete="username"]').fill(USER);
  const passwords = page.locator('input[type="password"]');
  await passwords.nth(0).fill(PASSWORD);
  await passwords.nth(1).fill(PASSWORD);
  await page.locator('form.card button[type="submit"]').click();
  await page.waitForURL('**/setup');
}

export async function login(page: Page, user = USER): Promise<void> {
  await page.goto('/');
  await page.locator('input[autocomplete="username"]').fill(user);
  await page.locator('input[type="password"]').fill(PASSWORD);
  await page.locator('button[type="submit"]').click();
  await page.locator('nav.nav').waitFor({ state: 'attached' });
}

/** Nothing on the page is still loading. Without eval, which the pages' own policy forbids. */
export async function settled(page: Page): Promise<void> {
  await page.locator('main h1').waitFor();
  await page.locator('main [aria-busy="true"]').first().waitFor({ state: 'detached' });
}
