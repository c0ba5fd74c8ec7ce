#!/usr/bin/env node
/**
 * The console process: a numbered menu on a serial line or screen, for whoever stands before the box. Owns nothing; works
 * while gateway, admin or the data partition are dead. Its unit gives it the terminal as stdin and stdout.
 *
 *   node src/console.ts --host-socket FILE [--gateway-socket FILE] [--language ja|en] [--licences FILE] [--idle SECONDS]
 *
 * Exit: 0 the line hung up · 64 usage.
 */
import { parseArgs } from 'node:util';
import { runConsole } from './console/menu.ts';
import { createTerminal } from './console/terminal.ts';
import { createControlClient } from './control/client.ts';
import { createHostClient } from './control/host-client.ts';

const USAGE =
  'Usage: console --host-socket FILE [--gateway-socket FILE] [--language ja|en] [--licences FILE] [--idle SECONDS]';
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
await runConsole({
  terminal,
  host: createHostClient({ socket: given.host, deadlineMs: DEADLINE_MS }),
  gateway: createControlClient({ socket: given.gateway, deadlineMs: DEADLINE_MS }),
  licences: given.licences,
  language: given.language,
});
terminal.close();
process.exit(0);
