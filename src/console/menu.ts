/**
 * The console's loop: a banner that says what the box is and where, until a key is pressed; then the numbered menu, until
 * somebody leaves or nobody types for ten minutes. The banner is sent again only when it changed: a 9600 baud line is slow.
 */
import { assertNever } from '../base/brand.ts';
import type { Desk } from './desk.ts';
import { word } from './desk.ts';
import * as screens from './screens.ts';
import type { Word } from './words.ts';

const BANNER_MS = 15_000;

const MENU = [
  'state',
  'network',
  'access',
  'code',
  'diagnostics',
  'logs',
  'bundle',
  'queue',
  'services',
  'slot',
  'reset',
  'reboot',
  'powerOff',
  'licences',
  'language',
] as const satisfies readonly Word[];
type Entry = (typeof MENU)[number];

/** Ends when the line hangs up. */
export async function runConsole(desk: Desk): Promise<void> {
  let shown = '';
  for (;;) {
    const text = await banner(desk);
    if (text !== shown) for (const line of ['', ...text.split('\n')]) desk.terminal.line(line);
    shown = text;
    const what = await desk.terminal.key(BANNER_MS);
    if (what === 'closed') return;
    if (what === 'time') continue;
    await menu(desk);
    shown = '';
  }
}

async function banner(desk: Desk): Promise<string> {
  const lines = ['---- Sekisho ----'];
  const status = await desk.host.call('host.status', {}).catch(() => undefined);
  const network = await desk.host.call('network.show', {}).catch(() => undefined);
  if (status === undefined) lines.push(word(desk, 'hostDead'));
  else lines.push(`${status.hostname}  ${status.version}`);
  const addresses = (network?.interfaces ?? []).flatMap((one) =>
    one.addresses.map((address) => address.split('/')[0] ?? ''),
  );
  const pages = addresses
    .filter((address) => !address.startsWith('fe80'))
    .map((address) => `https://${address.includes(':') ? `[${address}]` : address}/`);
  lines.push(
    ...(pages.length === 0 ? [word(desk, 'noAddress')] : pages.map((page) => `${word(desk, 'page')}: ${page}`)),
  );
  if (status?.degraded !== undefined) lines.push(`! DEGRADED: ${status.degraded.detail}`);
  const setup = await desk.host.call('setup-code.show', {}).catch(() => undefined);
  if (setup?.claimed === true) lines.push(word(desk, 'owner'));
  if (setup?.code !== undefined) lines.push(word(desk, 'unclaimed'), `    ${screens.grouped(setup.code)}`);
  lines.push(word(desk, 'press'));
  return lines.join('\n');
}

async function menu(desk: Desk): Promise<void> {
  for (;;) {
    desk.terminal.line();
    MENU.forEach((entry, index) => desk.terminal.line(`${String(index + 1).padStart(2)}  ${word(desk, entry)}`));
    desk.terminal.line(` 0  ${word(desk, 'leave')}`);
    const answer = await desk.terminal.ask(word(desk, 'choose'));
    if (answer === undefined || answer === '0') return;
    const entry = /^\d{1,2}$/.test(answer) ? MENU[Number(answer) - 1] : undefined;
    if (entry === undefined) desk.terminal.line(word(desk, 'wrongNumber'));
    else await open(desk, entry);
  }
}

async function open(desk: Desk, entry: Entry): Promise<void> {
  switch (entry) {
    case 'state':
      return screens.showState(desk);
    case 'network':
      return screens.setNetwork(desk);
    case 'access':
      return screens.resetAccess(desk);
    case 'code':
      return screens.newCode(desk);
    case 'diagnostics':
      return screens.diagnose(desk);
    case 'logs':
      return screens.showLogs(desk);
    case 'bundle':
      return screens.bundleToUsb(desk);
    case 'queue':
      return screens.showQueue(desk);
    case 'services':
      return screens.restartService(desk);
    case 'slot':
      return screens.power(desk, 'other-slot');
    case 'reset':
      return screens.factoryReset(desk);
    case 'reboot':
      return screens.power(desk, 'reboot');
    case 'powerOff':
      return screens.power(desk, 'off');
    case 'licences':
      return screens.showLicences(desk);
    case 'language':
      desk.language = desk.language === 'ja' ? 'en' : 'ja';
      return;
    default:
      assertNever(entry);
  }
}
