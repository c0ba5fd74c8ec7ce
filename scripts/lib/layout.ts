/**
 * Where everything of one trial lies: one data folder, private to its owner. Unix socket paths end at 107 octets
 * (sun_path), so a folder whose name is too long is refused before anything is started.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { SekishoError } from '../../src/base/errors.ts';

export interface Layout {
  data: string;
  /** The copy or checkout the programs run from. */
  app: string;
  run: string;
  log: string;
  engines: string;
  trialMail: string;
  configFile: string;
  trialFile: string;
  pidFile: string;
  readyFile: string;
  controlSocket: string;
  adminSocket: string;
  /** Where the host process has its sockets. */
  hostRun: string;
  /** Of the process admin: users, audit, certificate; the setup code until the box is claimed. */
  adminData: string;
  setupCodeFile: string;
  /** Of the recipients' own page: where it asks the gateway, and its key with certificate. */
  portalSocket: string;
  portalTls: string;
  clamdSocket: string;
  rspamdSocket: string;
  clamdDatabase: string;
}

const SOCKET_PATH_LIMIT = 107;

export function layoutOf(data: string, app = path.resolve(import.meta.dirname, '../..')): Layout {
  const run = path.join(data, 'run');
  const engines = path.join(data, 'engines');
  const layout: Layout = {
    data,
    app,
    run,
    log: path.join(data, 'log'),
    engines,
    trialMail: path.join(data, 'trial-mail'),
    configFile: path.join(data, 'config.json'),
    trialFile: path.join(data, 'trial.json'),
    pidFile: path.join(run, 'start.pid'),
    readyFile: path.join(run, 'ready.json'),
    controlSocket: path.join(run, 'control.sock'),
    adminSocket: path.join(run, 'admin.sock'),
    hostRun: path.join(run, 'host'),
    adminData: path.join(data, 'admin'),
    setupCodeFile: path.join(data, 'admin', 'setup-code'),
    portalSocket: path.join(run, 'portal', 'sock'),
    portalTls: path.join(data, 'admin', 'portal-tls', 'in-use.pem'),
    clamdSocket: path.join(run, 'clamd.sock'),
    rspamdSocket: path.join(run, 'rspamd.sock'),
    clamdDatabase: path.join(engines, 'clamd', 'database'),
  };
  const longest = path.join(run, 'rspamd-control.sock');
  if (Buffer.byteLength(longest) > SOCKET_PATH_LIMIT)
    throw new SekishoError('PATH_TOO_LONG', `The data folder "${data}" has too long a name for Unix sockets`, {
      remedy: `Name a shorter folder with --data (at most ${SOCKET_PATH_LIMIT - '/run/rspamd-control.sock'.length} octets)`,
    });
  if (/["\n\r\\]/.test(data))
    throw new SekishoError('PATH_UNSAFE', `The data folder "${data}" has a quote, backslash or line end in its name`, {
      remedy: 'Name another folder with --data',
    });
  return layout;
}

/** All folders, mode 0700: mail lies in them. */
export function makeFolders(layout: Layout): void {
  for (const folder of [
    layout.data,
    layout.run,
    layout.log,
    layout.trialMail,
    layout.adminData,
    layout.clamdDatabase,
    path.join(layout.engines, 'clamd', 'temporary'),
    path.join(layout.engines, 'rspamd', 'state'),
    path.join(layout.engines, 'rspamd', 'local'),
    path.join(layout.engines, 'unbound'),
  ])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
}
