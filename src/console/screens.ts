/** The console's screens: what each menu entry shows or does. Every one returns; trouble is a sentence on the screen. */
import { readFile } from 'node:fs/promises';
import type { AdvisoriesAnswer } from '../control/advisory-shapes.ts';
import { FACTORY_RESET_WORDS } from '../control/host-contract.ts';
import { groupSetupCode } from '../control/setup-code.ts';
import { DIAGNOSTICS, interfaceKey, type NetworkSettings, SERVICES } from '../control/host-shapes.ts';
import { padColumns } from '../base/terminal.ts';
import { attempt, choose, chooseStick, confirmed, type Desk, word } from './desk.ts';
import { prose } from './terminal.ts';
import { stateWord, type Word } from './words.ts';

/** The page of state must stay one page of 24 lines. */
const CONSOLE_EVENTS = 3;
/** Of syslog's priorities. */
const WARNING = 4;
/** Of one entry: the rest of a long one is for the page. */
const LOG_ROWS = 3;

export async function showState(desk: Desk): Promise<void> {
  const { terminal, host, gateway } = desk;
  const status = await attempt(desk, () => host.call('host.status', {}));
  const say = (name: Word): string => word(desk, name);
  const value = (state: string): string => stateWord(state, desk.language);
  const lines: string[] = [];
  if (status !== undefined) {
    const { degraded, watchdog, ups, update, clock } = status;
    const { reason, at: startedAt } = watchdog.lastReset;
    lines.push(`Sekisho ${status.version}  ${status.hostname}  ${status.mode}`);
    if (degraded !== undefined) lines.push(`! ${say('degradedSince')} ${degraded.since}: ${degraded.detail}`);
    lines.push(`${say('lastStart')}: ${value(reason)} ${startedAt}`);
    lines.push(
      `${say('watchdog')}: ${value(watchdog.kind)} ${watchdog.identity ?? ''}  ${say('crashes')} ${watchdog.crashes}  ${say('resets')} ${watchdog.resets}`,
    );
    const charge = ups.chargePercent === undefined ? '' : ` ${ups.chargePercent} %`;
    const left = ups.runtimeMs === undefined ? '' : ` ${Math.floor(ups.runtimeMs / 60_000)} ${say('minutes')}`;
    lines.push(`UPS: ${value(ups.state)}${charge}${left} ${ups.status ?? ''}`);
    for (const { at, event, detail } of ups.events.slice(0, CONSOLE_EVENTS)) lines.push(`  ${at} ${event} (${detail})`);
    lines.push(`${say('update')}: ${value(update.phase)} ${update.available ?? ''}`);
    const known = await attempt(desk, () => host.call('advisories.show', {}));
    const support = status.supportedUntil === undefined ? '' : `  ${say('support')} ${status.supportedUntil}`;
    if (known !== undefined) lines.push(`${say('weaknesses')}: ${weaknessWords(desk, known)}${support}`);
    lines.push(`${say('clock')}: ${say(clock.synchronised ? 'clockRight' : 'clockWrong')} ${clock.timeZone}`);
    if (status.disk.text !== undefined) lines.push(...prose(status.disk.text[desk.language]));
    for (const alarm of status.alarms)
      lines.push(...prose(`! ${alarm.title[desk.language]}`), ...prose(`  ${alarm.remedy[desk.language]}`));
  }
  const services = await attempt(desk, () => host.call('services.list', {}));
  for (const one of services?.services ?? [])
    if (one.state !== 'absent') lines.push(`  ${one.name.padEnd(10)} ${value(one.state)}`);
  const mail = await attempt(desk, () => gateway.call('status', {}));
  if (mail !== undefined) {
    lines.push(`${say('gateway')}: ${value(mail.state)}  ${mail.spool.fault ?? ''}`);
    for (const alarm of mail.alarms) lines.push(`! ${alarm.title[desk.language]} (${alarm.detail})`);
  }
  await terminal.page(lines, word(desk, 'more'));
}

/** `none serious, 12 others (2026-11-22)`; without a list it says so: unknown is not well. */
function weaknessWords(desk: Desk, { state, serious, others, publishedAt }: AdvisoriesAnswer): string {
  if (publishedAt === undefined) return `${word(desk, 'unlisted')} (${state})`;
  const count = serious.length === 0 ? word(desk, 'noneSerious') : `${serious.length} ${word(desk, 'serious')}`;
  const list = `${word(desk, 'listOf')} ${publishedAt.slice(0, 10)}`;
  return `${count}, ${others} ${word(desk, 'others')} (${state}, ${list})`;
}

export async function showQueue(desk: Desk): Promise<void> {
  const status = await attempt(desk, () => desk.gateway.call('status', {}));
  if (status === undefined) return;
  const { counts } = status.spool;
  const lines = Object.entries(counts).map(
    ([name, count]) => `${padColumns(stateWord(name, desk.language), 12)} ${count}`,
  );
  for (const hop of status.hops)
    lines.push(`${hop.hop}  ${hop.state}  ${word(desk, 'waiting')} ${hop.waiting}  ${hop.detail ?? ''}`);
  await desk.terminal.page(lines, word(desk, 'more'));
}

export async function setNetwork(desk: Desk): Promise<void> {
  const { terminal, host } = desk;
  const shown = await attempt(desk, () => host.call('network.show', {}));
  if (shown === undefined) return;
  shown.interfaces.forEach((one, index) => {
    terminal.line(`${index + 1}  ${one.name}  ${one.mac}  ${one.up ? 'up' : 'down'}`);
    for (const address of one.addresses) terminal.line(`     ${address}`);
  });
  terminal.line(`gateway ${shown.gateways.join(' ') || '-'}   DNS ${shown.resolvers.join(' ') || '-'}`);
  const chosen = await choose(desk, word(desk, 'interface'), shown.interfaces);
  if (chosen === undefined) return;
  const address = await terminal.ask(word(desk, 'ask4'));
  if (address === undefined) return;
  const gateway = address === '' ? '' : ((await terminal.ask(word(desk, 'askGateway'))) ?? '');
  const dns = (await terminal.ask(word(desk, 'askDns'))) ?? '';
  const before = shown.settings.interfaces.find((one) => interfaceKey(one) === chosen.name);
  const next: NetworkSettings['interfaces'][number] = {
    ...(before ?? { name: chosen.name, ipv6: { method: 'auto' } }),
    ipv4:
      address === ''
        ? { method: 'dhcp' }
        : { method: 'static', addresses: [address], ...(gateway === '' ? {} : { gateway }) },
  };
  const interfaces = [...shown.settings.interfaces.filter((one) => one !== before), next];
  const settings = { ...shown.settings, interfaces, dns: dns.split(/\s+/).filter((one) => one !== '') };
  const pending = await attempt(desk, () => host.call('network.set', { settings }));
  if (pending === undefined) return;
  const answer = await terminal.ask(word(desk, 'keep'));
  if (answer?.toLowerCase() === 'keep') {
    if ((await attempt(desk, () => host.call('network.confirm', { id: pending.id }))) !== undefined)
      terminal.line(word(desk, 'done'));
    return;
  }
  await attempt(desk, () => host.call('network.revert', {}));
  terminal.line(word(desk, 'cancelled'));
}

export async function newCode(desk: Desk): Promise<void> {
  const made = await attempt(desk, () => desk.host.call('setup-code.renew', {}));
  if (made !== undefined) desk.terminal.line(`${word(desk, 'newCode')}: ${groupSetupCode(made.code)}`);
}

export async function resetAccess(desk: Desk): Promise<void> {
  if (!(await confirmed(desk))) return;
  const made = await attempt(desk, () => desk.host.call('access.reset', {}));
  if (made === undefined) return;
  desk.terminal.line(word(desk, 'accessTold'));
  desk.terminal.line(`    ${groupSetupCode(made.code)}`);
}

export async function diagnose(desk: Desk): Promise<void> {
  DIAGNOSTICS.forEach((name, index) => desk.terminal.line(`${index + 1}  ${name}`));
  const test = await choose(desk, word(desk, 'choose'), DIAGNOSTICS);
  if (test === undefined) return;
  const needs = ['ping', 'dns', 'route', 'smtp'].includes(test);
  const target = needs ? ((await desk.terminal.ask(word(desk, 'target'))) ?? '') : '';
  const result = await attempt(desk, () =>
    desk.host.call('diagnostics.run', { test, ...(target === '' ? {} : { target }) }),
  );
  if (result === undefined) return;
  desk.terminal.line(`${result.ok ? 'OK' : 'NG'}  ${result.summary[desk.language]}`);
  await desk.terminal.page(result.lines, word(desk, 'more'));
}

export async function showLogs(desk: Desk): Promise<void> {
  const answer = await attempt(desk, () => desk.host.call('logs.read', { lines: 200, priority: 6 }));
  if (answer === undefined) return;
  // The newest first: whoever reads at 9600 baud wants them.
  const lines = answer.lines.toReversed().flatMap(({ at, unit, priority, message }) => {
    const mark = priority <= WARNING ? '!' : ' ';
    const text = `${mark} ${at.slice(5, 19)}Z ${unit.replace('.service', '')}: ${message}`;
    return prose(text).slice(0, LOG_ROWS);
  });
  await desk.terminal.page(lines, word(desk, 'more'));
}

export async function bundleToUsb(desk: Desk): Promise<void> {
  const { terminal, host } = desk;
  const stick = await chooseStick(desk);
  if (stick === undefined) return;
  const passphrase = (await terminal.ask(word(desk, 'passphrase'))) ?? '';
  const made = await attempt(desk, () => host.call('bundle.create', { passphrase, usb: stick }));
  if (made !== undefined) terminal.line(`${word(desk, 'done')}: ${made.name} (${made.octets})`);
}

export async function restartService(desk: Desk): Promise<void> {
  SERVICES.forEach((name, index) => desk.terminal.line(`${index + 1}  ${name}`));
  const name = await choose(desk, word(desk, 'choose'), SERVICES);
  if (name === undefined || !(await confirmed(desk))) return;
  // the gateway may be held back by the brake: then this is the way to end that
  const status = await attempt(desk, () => desk.host.call('host.status', {}));
  const end = name === 'gateway' && status?.degraded !== undefined;
  const result = await attempt(desk, () =>
    end ? desk.host.call('degraded.end', {}) : desk.host.call('services.restart', { name }),
  );
  if (result !== undefined) desk.terminal.line(word(desk, 'done'));
}

export async function power(desk: Desk, what: 'reboot' | 'off' | 'other-slot'): Promise<void> {
  if (!(await confirmed(desk))) return;
  const result = await attempt(desk, () =>
    what === 'off'
      ? desk.host.call('power.off', {})
      : desk.host.call('power.reboot', what === 'other-slot' ? { otherSlot: true } : {}),
  );
  if (result !== undefined) desk.terminal.line(word(desk, 'done'));
}

export async function factoryReset(desk: Desk): Promise<void> {
  const { terminal, host } = desk;
  terminal.line(`! ${word(desk, 'resetWarning')}`);
  terminal.line(`${word(desk, 'resetType')} ${FACTORY_RESET_WORDS}`);
  const answer = await terminal.ask('>');
  if (answer !== FACTORY_RESET_WORDS) return terminal.line(word(desk, 'cancelled'));
  const result = await attempt(desk, () => host.call('factory-reset', { confirmation: FACTORY_RESET_WORDS }));
  if (result !== undefined) terminal.line(word(desk, 'done'));
}

export async function showLicences(desk: Desk): Promise<void> {
  const text = await attempt(desk, () => readFile(desk.licences, 'utf8'));
  if (text !== undefined) await desk.terminal.page(text.split('\n'), word(desk, 'more'));
}
