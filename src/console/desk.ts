/** What every screen of the console has at hand: words in the chosen language, the two control sockets, the terminal. */
import { type Language, say } from '../base/i18n.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import type { ControlClient } from '../control/client.ts';
import type { HostClient } from '../control/host-client.ts';
import type { Terminal } from './terminal.ts';
import { type Word, WORDS } from './words.ts';

export interface Desk {
  readonly terminal: Terminal;
  readonly host: Pick<HostClient, 'call'>;
  readonly gateway: Pick<ControlClient, 'call'>;
  /** Licence texts of the image. */
  readonly licences: string;
  language: Language;
}

export function word(desk: Desk, name: Word): string {
  return say(WORDS[name], desk.language);
}

/** Runs what a person asked for and says how it went: a dead host is a sentence, never the end of the console. */
export async function attempt<T>(desk: Desk, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const dead = error instanceof SekishoError && /^(?:HOST|GATEWAY)_(?:NOT_RUNNING|SILENT)$/.test(error.code);
    const owner = error instanceof SekishoError && error.code.startsWith('HOST_') ? 'hostDead' : 'gatewayDead';
    desk.terminal.line(dead ? `! ${word(desk, owner)}` : `! ${word(desk, 'failed')}: ${describeError(error)}`);
    if (error instanceof SekishoError && error.remedy !== undefined && !dead) desk.terminal.line(`  ${error.remedy}`);
    return undefined;
  }
}

export async function confirmed(desk: Desk): Promise<boolean> {
  const answer = await desk.terminal.ask(word(desk, 'sure'));
  if (answer?.toLowerCase() === 'yes') return true;
  desk.terminal.line(word(desk, 'cancelled'));
  return false;
}

/** One of the list by its number; undefined for anything else. */
export async function choose<T>(desk: Desk, prompt: string, list: readonly T[]): Promise<T | undefined> {
  const answer = await desk.terminal.ask(prompt);
  const index = Number(answer) - 1;
  const chosen = answer !== undefined && /^\d{1,3}$/.test(answer) ? list[index] : undefined;
  if (chosen === undefined) desk.terminal.line(word(desk, 'wrongNumber'));
  return chosen;
}

/** The device of a USB stick that is plugged in. */
export async function chooseStick(desk: Desk): Promise<string | undefined> {
  const found = await attempt(desk, () => desk.host.call('usb.list', {}));
  if (found === undefined) return undefined;
  if (found.sticks.length === 0) {
    desk.terminal.line(word(desk, 'noStick'));
    return undefined;
  }
  found.sticks.forEach((one, index) =>
    desk.terminal.line(`${index + 1}  ${one.device}  ${one.label}  ${Math.round(one.octets / 1e6)} MB`),
  );
  return (await choose(desk, word(desk, 'stick'), found.sticks))?.device;
}
