/**
 * The console's screen of disk encryption: what it is now, the recovery key until somebody wrote it down, and the way to have
 * all erased and encrypted. It stands here and not on the page: who asks for it must be able to read the recovery key in private.
 */
import { FACTORY_RESET_WORDS } from '../control/host-contract.ts';
import { attempt, chooseStick, confirmed, type Desk, word } from './desk.ts';
import { prose } from './terminal.ts';

export async function encryption(desk: Desk): Promise<void> {
  const { terminal, host } = desk;
  const status = await attempt(desk, () => host.call('host.status', {}));
  if (status === undefined) return;
  const { encrypted, opened, text } = status.disk;
  if (text !== undefined) for (const line of prose(text[desk.language])) terminal.line(line);
  if (encrypted !== true) return encrypt(desk);
  if (opened !== undefined) terminal.line(`${word(desk, 'encryptionOpened')}: ${opened}`);
  const shown = await attempt(desk, () => host.call('recovery-key.show', {}));
  if (shown === undefined) return;
  if (shown.key !== undefined) return note(desk, shown.key);
  terminal.line(word(desk, 'recoveryRenew'));
  if (!(await confirmed(desk))) return;
  if ((await attempt(desk, () => host.call('recovery-key.renew', {}))) !== undefined) terminal.line(word(desk, 'done'));
}

async function note(desk: Desk, key: string): Promise<void> {
  desk.terminal.line(word(desk, 'recoveryShown'));
  desk.terminal.line(`    ${(key.match(/.{1,5}/g) ?? []).join('-')}`);
  const last = (await desk.terminal.ask(word(desk, 'recoveryLast'))) ?? '';
  if (last === '') return desk.terminal.line(word(desk, 'cancelled'));
  if ((await attempt(desk, () => desk.host.call('recovery-key.noted', { last }))) !== undefined)
    desk.terminal.line(word(desk, 'done'));
}

async function encrypt(desk: Desk): Promise<void> {
  const { terminal, host } = desk;
  const way = await terminal.ask(word(desk, 'diskWays'));
  const key = way === '1' ? 'usb' : way === '2' ? 'tpm2' : undefined;
  if (key === undefined) return terminal.line(word(desk, 'cancelled'));
  let usb: string | undefined;
  if (key === 'usb') {
    usb = await chooseStick(desk);
    if (usb === undefined) return;
  }
  terminal.line(word(desk, 'resetWarning'));
  terminal.line(`${word(desk, 'resetType')} ${FACTORY_RESET_WORDS}`);
  if ((await terminal.ask('>')) !== FACTORY_RESET_WORDS) return terminal.line(word(desk, 'cancelled'));
  const done = await attempt(desk, () =>
    host.call('disk.encrypt', { confirmation: FACTORY_RESET_WORDS, key, ...(usb === undefined ? {} : { usb }) }),
  );
  if (done === undefined) return;
  terminal.line(word(desk, 'done'));
  if (key === 'usb') terminal.line(word(desk, 'stickStays'));
}
