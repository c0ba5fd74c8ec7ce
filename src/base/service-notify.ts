/**
 * Tells systemd how this process is (sd_notify(3): READY, WATCHDOG, STATUS, STOPPING). Node has no datagram sockets on Unix
 * paths, and a spawn from a large Node process blocks its loop for 17 ms: so one small shell is started early, lives as long
 * as we do, and calls systemd-notify for each line it reads. The unit needs NotifyAccess=all. Without NOTIFY_SOCKET (a trial
 * machine, a test) nothing is started and nothing is said. Never throws; a helper that died is started again.
 */
import { type ChildProcess, spawn } from 'node:child_process';

export interface ServiceNotifier {
  /** True when somebody listens. */
  readonly active: boolean;
  ready(): void;
  /** Before `ready`: the start goes on and may take this much longer from now on. */
  extend(ms: number): void;
  watchdog(): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
  stopping(): void;
  close(): void;
}

// SIGTERM goes to the whole unit: the helper ignores it, says the last words and ends with its input.
const HELPER = `trap '' TERM INT HUP; while IFS= read -r line; do systemd-notify "$line" || :; done`;
const RESTART_MS = 1_000;
/** What may wait for a helper that does not read: more than this is old news. */
const MAX_WAITING_OCTETS = 4_096;

export function createServiceNotifier(options: {
  /** NOTIFY_SOCKET of the environment, if any. */
  socket: string | undefined;
  onTrouble: (detail: string) => void;
}): ServiceNotifier {
  const { socket } = options;
  let helper: ChildProcess | undefined;
  let restart: NodeJS.Timeout | undefined;
  let closed = false;

  function start(): void {
    const child = spawn('/bin/sh', ['-c', HELPER], {
      env: { PATH: '/usr/bin:/bin', NOTIFY_SOCKET: socket },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    helper = child;
    let ended = false;
    const again = (why: string): void => {
      if (ended) return;
      ended = true;
      if (helper === child) helper = undefined;
      if (closed) return;
      options.onTrouble(why);
      restart = setTimeout(start, RESTART_MS).unref();
    };
    child.once('error', (error) => again(error.message));
    child.once('exit', (code, signal) => again(`The notify helper ended (${signal ?? code})`));
    child.stdin.on('error', () => undefined); // its exit tells
    child.unref();
  }

  function say(line: string): void {
    const input = helper?.stdin;
    if (input === null || input === undefined || input.writableLength > MAX_WAITING_OCTETS) return;
    input.write(`${line}\n`);
  }

  if (socket !== undefined && socket !== '') start();
  return {
    active: socket !== undefined && socket !== '',
    ready: () => say('READY=1'),
    extend: (ms) => say(`EXTEND_TIMEOUT_USEC=${ms * 1_000}`),
    watchdog: () => say('WATCHDOG=1'),
    status: (text) => say(`STATUS=${text.replaceAll(/[^\P{Cc}]/gu, ' ').slice(0, 200)}`),
    stopping: () => say('STOPPING=1'),
    close: () => {
      closed = true;
      clearTimeout(restart);
      helper?.stdin?.end();
    },
  };
}
