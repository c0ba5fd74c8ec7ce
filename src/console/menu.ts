/**
 * The console's numbered menu. Before it, and after it, a banner says what the box is and where: that is a shell's work
 * (rootfs/usr/libexec/sekisho/console), because nobody stands before the box most of its life.
 */
import { assertNever } from '../base/brand.ts';
import type { Desk } from './desk.ts';
import { word } from './desk.ts';
import { encryption } from './encryption.ts';
import * as screens from './screens.ts';
import type { Word } from './words.ts';

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
  'disk',
  'language',
] as const satisfies readonly Word[];
type Entry = (typeof MENU)[number];

/** Ends when somebody leaves, nobody types for ten minutes, or the line hangs up. */
export async function runConsole(desk: Desk): Promise<void> {
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
    case 'disk':
      return encryption(desk);
    case 'language':
      desk.language = desk.language === 'ja' ? 'en' : 'ja';
      return;
    default:
      assertNever(entry);
  }
}
