/**
 * `./scripts/start` once everything is installed: settings, engines, gateway, and the words that tell a person what to do
 * next. Runs as the owner of the data folder, never as root. SIGINT and SIGTERM stop everything in reverse order; SIGHUP has
 * the gateway read its configuration again. Exit: 0 stopped, or already running · 1 failed · 2 wrong use.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '../../src/base/atomic-file.ts';
import { describeError, SekishoError } from '../../src/base/errors.ts';
import type { Config } from '../../src/config/schema.ts';
import { dataOption } from './command.ts';
import { type Layout, layoutOf, makeFolders } from './layout.ts';
import { tcpFree } from './ports.ts';
import { livingPid, removePidFile, writePidFile } from './process-identity.ts';
import { languageOfLocale, Progress } from './progress.ts';
import { WORDS } from './start-words.ts';
import { Trial } from './trial.ts';
import {
  engineSettings,
  enginesWanted,
  ensureConfig,
  missingEngineKeys,
  readConfig,
  readText,
  type TrialPorts,
  trialPorts,
  WANTED,
} from './trial-config.ts';

interface Options {
  data: string;
  config: string | undefined;
  offline: boolean;
  detach: boolean;
}

/** In the background: told by the parent that waits for our word. */
const BACKGROUND_MARK = 'SEKISHO_START_BACKGROUND';
const DETACH_WAIT_MS = 180_000;

async function main(): Promise<number> {
  const progress = new Progress(languageOfLocale(process.env));
  if (process.getuid?.() === 0) {
    process.stderr.write('scripts/lib/start.ts does not run as root; use ./scripts/start\n');
    return 2;
  }
  process.umask(0o077);
  const options = readOptions();
  const layout = layoutOf(options.data);
  const running = livingPid(layout.pidFile);
  if (running !== undefined) {
    progress.line(WORDS.already, {
      pid: running,
      data: layout.data,
      option: dataOption(layout.data, process.env),
    });
    return 0;
  }
  makeFolders(layout);
  if (options.detach && process.env[BACKGROUND_MARK] === undefined) return detach(layout, progress);
  return runTrial(options, { layout, progress });
}

async function runTrial(
  options: Options,
  { layout, progress }: { layout: Layout; progress: Progress },
): Promise<number> {
  const began = Date.now();
  progress.line(WORDS.starting, { data: layout.data });
  await writePidFile(layout.pidFile);
  // Not sooner: as long as this process lives, whatever holds it, ./scripts/stop must find it.
  process.once('exit', () => removePidFile(layout.pidFile));
  rmSync(layout.readyFile, { force: true });
  const stop = stopSignals();
  let trial: Trial | undefined;
  let status = 0;
  try {
    const { ports, configFile, config } = await settings(options, { layout, progress });
    const running = new Trial({
      layout,
      ports,
      config,
      configFile,
      offline: options.offline,
      env: process.env,
      progress,
    });
    trial = running;
    stop.onReload(() => {
      running.reload();
      progress.line(WORDS.reloaded);
    });
    await Promise.race([running.start(), stop.wanted]);
    if (!stop.isWanted()) {
      await writeFileAtomic(layout.readyFile, `${JSON.stringify({ pids: running.pids() })}\n`, { mode: 0o644 });
      const seconds = ((Date.now() - began) / 1_000).toFixed(1);
      tellWhatNext({
        layout,
        ports,
        config,
        progress,
        seconds,
        background: options.detach,
        fingerprint: running.fingerprint,
      });
      await stop.wanted;
    }
    progress.line(WORDS.stopping);
  } catch (error) {
    tellFailure(error, progress);
    status = error instanceof SekishoError && error.code.startsWith('CONFIG') ? 2 : 1;
  } finally {
    await trial?.stop();
    rmSync(layout.readyFile, { force: true });
  }
  if (status === 0) progress.line(WORDS.stopped);
  return status;
}

/** The ports and the configuration this start works with. Throws CONFIG_… with what to change. */
async function settings(
  options: Options,
  { layout, progress }: { layout: Layout; progress: Progress },
): Promise<{ ports: TrialPorts; config: Config; configFile: string }> {
  const { ports, moved } = await trialPorts(layout);
  for (const name of moved) progress.line(WORDS.portMoved, { wanted: WANTED[name], port: ports[name], what: name });
  const configFile = options.config ?? layout.configFile;
  const made = options.config === undefined && (await ensureConfig(layout, ports, { language: progress.language }));
  progress.line(made ? WORDS.configMade : WORDS.configKept, { file: configFile });
  const { config, written } = readConfig(configFile);
  const missing = missingEngineKeys(written);
  if (missing.length > 0) {
    progress.line(WORDS.configKeys, { file: configFile, keys: missing.join(', ') });
    progress.plain(JSON.stringify(engineSettings(layout, ports), null, 2).split('\n').slice(1, -1).join('\n'));
    throw new SekishoError('CONFIG_INCOMPLETE', `${configFile}: ${missing.join(', ')}`);
  }
  await checkPorts({ config, configFile, layout, ports, progress });
  return { ports, config, configFile };
}

async function checkPorts(options: {
  config: Config;
  configFile: string;
  layout: Layout;
  ports: TrialPorts;
  progress: Progress;
}): Promise<void> {
  const { config, configFile, layout, ports, progress } = options;
  const { mx, relay } = config.listeners;
  const wanted = enginesWanted(config, layout, ports);
  const used: Array<[key: string, port: number, address: string, file: string]> = [];
  if (mx.enabled) used.push(['listeners.mx.port', mx.port, mx.address, configFile]);
  if (relay.enabled) used.push(['listeners.relay.port', relay.port, relay.address, configFile]);
  used.push(['admin', ports.admin, '127.0.0.1', layout.trialFile]);
  if (config.portal.enabled) used.push(['portal', ports.portal, '127.0.0.1', layout.trialFile]);
  if (wanted.unbound) used.push(['dns', ports.dns, '127.0.0.1', layout.trialFile]);
  if (wanted.mailServer) {
    used.push(['mailServer', ports.mailServer, '127.0.0.1', layout.trialFile]);
    used.push(['page', ports.page, '127.0.0.1', layout.trialFile]);
  }
  for (const [key, port, address, file] of used) {
    if (port < 1024 || (await tcpFree(port, address))) continue; // below 1024 the gateway says what is missing
    progress.line(WORDS.portTaken, { port, key, file });
    throw new SekishoError('CONFIG_PORT', `Port ${port} is taken`);
  }
}

function tellWhatNext(options: {
  layout: Layout;
  ports: TrialPorts;
  config: Config;
  progress: Progress;
  seconds: string;
  background: boolean;
  fingerprint: string;
}): void {
  const { layout, ports, config, progress } = options;
  const { mx, relay } = config.listeners;
  const domain = config.domains[0]?.name ?? 'example.com';
  const option = dataOption(layout.data, process.env);
  progress.line(WORDS.up, { seconds: options.seconds });
  if (mx.enabled) progress.line(WORDS.sendTo, { address: mx.address, port: mx.port, domain });
  if (relay.enabled) progress.line(WORDS.relayFrom, { address: relay.address, port: relay.port });
  tellPages({ layout, ports, progress, fingerprint: options.fingerprint });
  const status = `./scripts/sekisho status${option}`;
  if (enginesWanted(config, layout, ports).mailServer) {
    progress.line(WORDS.arrived, { page: ports.page, option });
    progress.line(WORDS.samplesNext, { command: `./scripts/send-samples${option}`.padEnd(status.length) });
    progress.line(WORDS.statusNext, { command: status });
  } else progress.line(WORDS.statusOnly, { command: status }); // the samples need the trial mail server
  if (mx.enabled) {
    progress.line(WORDS.byHand);
    const host = mx.address === '0.0.0.0' || mx.address === '::' ? '127.0.0.1' : mx.address;
    const to = `--url smtp://${host}:${mx.port}/test.example --mail-from me@example.net --mail-rcpt alice@${domain}`;
    progress.plain(`                     printf 'From: me@example.net\\r\\nSubject: hello\\r\\n\\r\\nHello\\r\\n' |`);
    progress.plain(`                       curl ${to} -T -`);
  }
  progress.line(WORDS.logs, { log: layout.log });
  progress.line(options.background ? WORDS.stopBackground : WORDS.stopForeground, { option });
}

/** Where the pages are, how to know that nobody sits in between, and the code that opens them the first time. */
function tellPages(options: { layout: Layout; ports: TrialPorts; progress: Progress; fingerprint: string }): void {
  const { layout, ports, progress, fingerprint } = options;
  progress.line(WORDS.pages, { port: ports.admin });
  progress.line(WORDS.fingerprint, { half: fingerprint.slice(0, 48), rest: fingerprint.slice(48) });
  const code = readText(layout.setupCodeFile)?.trim();
  if (code !== undefined) progress.line(WORDS.setupCode, { code });
}

function tellFailure(error: unknown, progress: Progress): void {
  if (error instanceof SekishoError && error.code === 'CHILD_FAILED') {
    const { name, log, lines } = error.cause as { name: string; log: string; lines: string[] };
    progress.line(name === 'gateway' ? WORDS.gatewayFailed : WORDS.engineFailed, { name, log });
    progress.plain(lines.join('\n'));
    return;
  }
  // These two were told in full already.
  if (error instanceof SekishoError && (error.code === 'CONFIG_INCOMPLETE' || error.code === 'CONFIG_PORT')) return;
  const remedy = error instanceof SekishoError && error.remedy !== undefined ? ` — ${error.remedy}` : '';
  progress.plain(`! ${describeError(error)}${remedy}`);
}

/** Starts itself anew in a session of its own, shows what that one says until it is ready, then leaves it alone. */
async function detach(layout: Layout, progress: Progress): Promise<number> {
  const logFile = path.join(layout.log, 'start.log');
  rmSync(layout.readyFile, { force: true });
  const log = openSync(logFile, 'w', 0o600);
  const child = spawn(process.execPath, process.argv.slice(1), {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, [BACKGROUND_MARK]: '1' },
  });
  closeSync(log);
  let status: number | null | undefined;
  child.once('exit', (code) => {
    status = code ?? 1;
  });
  const interrupt = (): void => void child.kill('SIGTERM');
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  let shown = 0;
  const show = (): void => {
    const text = readFileSync(logFile, 'utf8');
    process.stdout.write(text.slice(shown));
    shown = text.length;
  };
  const end = Date.now() + DETACH_WAIT_MS;
  while (Date.now() < end) {
    const ready = statSync(layout.readyFile, { throwIfNoEntry: false }) !== undefined;
    if (ready) await sleep(200); // its last words are written after the file
    show();
    if (ready) {
      child.unref();
      return 0;
    }
    if (status !== undefined) return status ?? 1;
    await sleep(100);
  }
  child.kill('SIGTERM');
  progress.line(WORDS.gone, { log: logFile });
  return 1;
}

function stopSignals(): { wanted: Promise<void>; isWanted: () => boolean; onReload: (reload: () => void) => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let is = false;
  const stop = (): void => {
    is = true; // a second Ctrl-C changes nothing: the stop is bounded already
    resolve();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  let reload: (() => void) | undefined;
  // Without a terminal SIGHUP is a wish to reload; a terminal that closes means the same as Ctrl-C.
  process.on('SIGHUP', () => (process.stdout.isTTY ? stop() : reload?.()));
  return { wanted: promise, isWanted: () => is, onReload: (action) => (reload = action) };
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      config: { type: 'string' },
      offline: { type: 'boolean', default: false },
      detach: { type: 'boolean', default: false },
    },
  });
  if (values.data === undefined) throw new SekishoError('USAGE', 'The data folder is not named');
  return { data: path.resolve(values.data), config: values.config, offline: values.offline, detach: values.detach };
}

// A pipe that was closed (`| head`), a terminal that is gone: the trial goes on without an audience.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

try {
  process.exitCode = await main();
} catch (error) {
  const remedy = error instanceof SekishoError && error.remedy !== undefined ? ` (${error.remedy})` : '';
  process.stderr.write(`${describeError(error)}${remedy}\n`);
  process.exitCode = 2;
}
// Everything is stopped, or given up with a word about it: a handle that something still holds must not keep us.
process.exit();
