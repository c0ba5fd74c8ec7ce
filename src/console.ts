#!/usr/bin/env node
/**
 * The console process: a numbered menu on a serial line or screen, for whoever stands before the box and pressed a key. Owns
 * nothing; works while gateway, admin, host or the data partition are dead. The shell that waits for the key
 * (rootfs/usr/libexec/sekisho/console) gives it the terminal as stdin and stdout and goes on when it ends.
 *
 *   node src/console.ts --host-socket FILE [--gateway-socket FILE] [--language ja|en] [--licences FILE] [--idle SECONDS]
 *
 * Exit: 0 left, nobody typed, or the line hung up · 10 the same, in Japanese · 64 usage.
 */
import { parseArgs } from 'node:util';
import type { Desk } from './console/desk.ts';
import { runConsole } from './console/menu.ts';
import { createTerminal } from './console/terminal.ts';
import { createControlClient } from './control/client.ts';
import { createHostClient } from './control/host-client.ts';

const USAGE =
  'Usage: console --host-socket FILE [--gateway-socket FILE] [--language ja|en] [--licences FILE] [--idle SECONDS]';
/** For the shell: the banner goes on in this language. */
const JAPANESE = 10;
const IDLE_S = 600;
/** Somebody waits before the screen: what does not answer by then is dead for him. */
const DEADLINE_MS = 65_000;

function readArguments():
  | { host: string; gateway: string; language: 'ja' | 'en'; licences: string; idleMs: number }
  | undefined {
  try {
    const { values } = parseArgs({
      options: {
        'host-socket': { type: 'string' },
        'gateway-socket': { type: 'string', default: '/run/sekisho/console.sock' },
        language: { type: 'string', default: 'en' },
        licences: { type: 'string', default: '/usr/share/sekisho/licences.txt' },
        idle: { type: 'string', default: String(IDLE_S) },
        tty: { type: 'string' },
      },
    });
    const host = values['host-socket'];
    const idle = Number(values.idle);
    if (host === undefined || !Number.isFinite(idle) || idle <= 0) return undefined;
    const language = values.language === 'ja' ? 'ja' : 'en';
    return { host, gateway: values['gateway-socket'], language, licences: values.licences, idleMs: idle * 1_000 };
  } catch {
    return undefined;
  }
}

const given = readArguments();
if (given === undefined) {
  process.stderr.write(`${USAGE}\n`);
  process.exit(64);
}
const terminal = createTerminal(process.stdin, process.stdout, { idleMs: given.idleMs });
process.stdout.on('error', () => process.exit(0)); // the line hung up
process.on('SIGTERM', () => process.exit(0));
const desk: Desk = {
  terminal,
  host: createHostClient({ socket: given.host, deadlineMs: DEADLINE_MS }),
  gateway: createControlClient({ socket: given.gateway, deadlineMs: DEADLINE_MS }),
  licences: given.licences,
  language: given.language,
};
await runConsole(desk);
terminal.close();
process.exit(desk.language === 'ja' ? JAPANESE : 0);
