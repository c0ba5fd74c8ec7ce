/**
 * One running trial: engines, trial mail server and gateway, begun together and stopped in reverse order. The gateway does
 * not wait for the engines; it knows what to do while they load. Throws when something ends before it was ever ready;
 * what dies later is started again with growing pauses, and said.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { describeError, SekishoError } from '../../src/base/errors.ts';
import type { Config } from '../../src/config/schema.ts';
import {
  clamdEngine,
  type Engine,
  freshclamEngine,
  hasFullDatabase,
  rspamdEngine,
  settleSignatures,
  unboundEngine,
} from '../engines/engines.ts';
import { startTrialMailServer } from '../lab/mail-server.ts';
import type { Layout } from './layout.ts';
import type { Progress } from './progress.ts';
import { WORDS } from './start-words.ts';
import { type Death, SupervisedChild } from './supervise.ts';
import { enginesWanted, type TrialPorts } from './trial-config.ts';
import { TrialPortal } from './trial-portal.ts';
import { MAIL_PROCESS_ENV, GATEWAY_FLAGS } from '../../src/base/runtime-flags.ts';

/** An engine with all of ClamAV's signatures may load for longer: then we go on and say so. */
const ENGINE_WAIT_MS = 45_000;
const GATEWAY_WAIT_MS = 60_000;
const GATEWAY_STOP_MS = 25_000;
const ADMIN_STOP_MS = 5_000;
const SIGNATURE_CHECK_MS = 15_000;
/** freshclam itself would ask again only after two hours. */
const FETCH_AGAIN_MS = 900_000;

export interface TrialOptions {
  layout: Layout;
  ports: TrialPorts;
  config: Config;
  configFile: string;
  offline: boolean;
  env: NodeJS.ProcessEnv;
  progress: Progress;
}

interface Part {
  child: SupervisedChild;
  ready: () => Promise<boolean>;
  isReady: boolean;
}

export class Trial {
  readonly #options: TrialOptions;
  readonly #parts: Part[] = [];
  readonly #stopping = new AbortController();
  #closeMailServer: (() => Promise<void>) | undefined;
  #gatewayReady = false;
  #adminReady = false;
  /** Of the certificate of the administration pages, once they answer. */
  fingerprint = '';
  #signatureTimer: NodeJS.Timeout | undefined;
  readonly #portal: TrialPortal;

  constructor(options: TrialOptions) {
    this.#options = options;
    const { layout, ports, configFile, env, progress } = options;
    this.#portal = new TrialPortal({
      layout,
      configFile,
      port: ports.portal,
      env,
      onDeath: (death) => this.#tellDeath(death),
      onReady: () => progress.line(WORDS.portalUp, { port: ports.portal }),
    });
  }

  async start(): Promise<void> {
    const { layout, ports, config, progress, offline, env } = this.#options;
    const wanted = enginesWanted(config, layout, ports);
    const engineOptions = { layout, dnsPort: ports.dns, offline, lab: wanted.mailServer || offline, env };
    const engines: Engine[] = [];
    if (wanted.unbound) engines.push(unboundEngine(engineOptions));
    if (wanted.clamd) engines.push(clamdEngine(engineOptions));
    if (wanted.rspamd) engines.push(rspamdEngine(engineOptions));
    for (const name of ['unbound', 'clamd', 'rspamd'] as const)
      if (!wanted[name]) progress.line(WORDS.engineOwn, { name });
    if (offline) progress.line(WORDS.offline);
    for (const engine of engines) this.#add(engine);
    if (wanted.mailServer) await this.#startMailServer();
    await this.#buildPages();
    const gateway = this.#add(this.#gateway());
    this.#add(this.#host());
    this.#add(this.#admin());
    const began = Date.now();
    await progress.during(WORDS.waiting, async () => {
      await Promise.all(this.#parts.map((part) => this.#untilReady(part, { began, gateway: part === gateway })));
    });
    this.#portal.start();
    if (wanted.clamd) this.#watchSignatures({ fetch: !offline, engine: () => freshclamEngine(engineOptions) });
  }

  /** The gateway reads its configuration again. */
  reload(): void {
    this.#parts.find((part) => part.child.spec.name === 'gateway')?.child.signal('SIGHUP');
  }

  /** Pids of what runs, by name. */
  pids(): Record<string, number> {
    const entries = this.#parts.flatMap(({ child }) =>
      child.pid === undefined ? [] : [[child.spec.name, child.pid] as const],
    );
    return { ...Object.fromEntries(entries), ...(this.#portal.pid === undefined ? {} : { portal: this.#portal.pid }) };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#signatureTimer);
    await this.#portal.stop();
    const backwards = [...this.#parts].reverse();
    for (const { child } of backwards) {
      const outcome = await child.stop();
      if (outcome === 'killed') this.#options.progress.line(WORDS.killed, { name: child.spec.name });
      if (child.spec.name === 'gateway') await this.#closeMailServer?.();
    }
  }

  #tellDeath(death: Death): void {
    const { progress, layout } = this.#options;
    progress.line(WORDS.died, {
      name: death.name,
      status: death.status,
      seconds: death.restartInMs / 1_000,
      log: path.join(layout.log, `${death.name}.log`),
    });
  }

  #add(engine: Engine): Part {
    const child = new SupervisedChild(engine.spec, { onDeath: (death) => this.#tellDeath(death) });
    const part: Part = { child, ready: engine.ready, isReady: false };
    this.#parts.push(part);
    part.child.start();
    return part;
  }

  #gateway(): Engine {
    const { layout, configFile, env } = this.#options;
    return {
      spec: {
        name: 'gateway',
        command: path.join(layout.app, 'node_modules/.bin/node'),
        args: [
          ...GATEWAY_FLAGS,
          path.join(layout.app, 'src/gateway.ts'),
          '--config',
          configFile,
          '--data',
          layout.data,
        ],
        logFile: path.join(layout.log, 'gateway.log'),
        stopMs: GATEWAY_STOP_MS,
        // Compiled once: a start that need not strip types is quicker and 25 MB smaller (measured).
        env: {
          ...env,
          ...MAIL_PROCESS_ENV,
          UV_THREADPOOL_SIZE: '16',
          NODE_COMPILE_CACHE: path.join(layout.data, 'node-cache'),
        },
        onLine: (line) => {
          if (line.includes('"Gateway is ready"')) this.#gatewayReady = true;
        },
      },
      ready: async () => this.#gatewayReady,
    };
  }

  /** The pages are built where they are served from; without them the process answers and says what is missing. */
  async #buildPages(): Promise<void> {
    const { progress } = this.#options;
    try {
      const { buildPages } = await import('./build-webui.ts');
      await progress.during(WORDS.pagesBuilding, () => buildPages({ onlyIfNeeded: true, quiet: true }));
    } catch (error) {
      progress.line(WORDS.pagesFailed, { detail: describeError(error) });
    }
  }

  /** Shows the machine, changes nothing; mail and pages work without it, so nobody waits for it. */
  #host(): Engine {
    const { layout, env } = this.#options;
    return {
      spec: {
        name: 'host',
        command: path.join(layout.app, 'node_modules/.bin/node'),
        args: [
          path.join(layout.app, 'src/host.ts'),
          '--mode',
          'trial',
          '--data',
          path.join(layout.data, 'host'),
          '--run',
          layout.hostRun,
        ],
        logFile: path.join(layout.log, 'host.log'),
        stopMs: ADMIN_STOP_MS,
        env,
      },
      ready: async () => true,
    };
  }

  #admin(): Engine {
    const { layout, ports, env } = this.#options;
    const { adminData, adminSocket } = layout;
    const where = ['--data', adminData, '--gateway-socket', adminSocket, '--address', '127.0.0.1'];
    const host = ['--host-socket', path.join(layout.hostRun, 'admin.sock'), '--own-setup-code'];
    return {
      spec: {
        name: 'admin',
        command: path.join(layout.app, 'node_modules/.bin/node'),
        args: [path.join(layout.app, 'src/admin.ts'), ...where, ...host, '--port', String(ports.admin)],
        logFile: path.join(layout.log, 'admin.log'),
        stopMs: ADMIN_STOP_MS,
        env,
        onLine: (line) => {
          if (!line.includes('"Admin is ready"')) return;
          this.#adminReady = true;
          this.fingerprint = /"fingerprint":"([0-9A-F:]+)"/.exec(line)?.[1] ?? '';
        },
      },
      ready: async () => this.#adminReady,
    };
  }

  async #startMailServer(): Promise<void> {
    const { layout, ports, progress } = this.#options;
    const server = await startTrialMailServer({
      folder: layout.trialMail,
      smtpPort: ports.mailServer,
      pagePort: ports.page,
      language: progress.language,
      onError: (text) => progress.plain(`! trial mail server: ${text}`),
    });
    this.#closeMailServer = () => server.close();
  }

  async #untilReady(part: Part, options: { began: number; gateway: boolean }): Promise<void> {
    const { progress, layout } = this.#options;
    const { name } = part.child.spec;
    const end = options.began + (options.gateway ? GATEWAY_WAIT_MS : ENGINE_WAIT_MS);
    while (!this.#stopping.signal.aborted) {
      if (await part.ready()) {
        part.isReady = true;
        progress.line(WORDS.ready, { name, seconds: ((Date.now() - options.began) / 1_000).toFixed(1) });
        return;
      }
      // It ended twice before it ever answered: it will not get better by itself.
      if (part.child.deaths >= 2 || (options.gateway && Date.now() > end)) {
        const lines = part.child.lastLines.slice(-12).map((line) => `    ${line}`);
        throw new SekishoError('CHILD_FAILED', `"${name}" could not be started`, {
          cause: { name, log: path.join(layout.log, `${name}.log`), lines },
        });
      }
      if (Date.now() > end) return progress.line(WORDS.slow, { name });
      await sleep(100);
    }
  }

  /** Starter signatures are said aloud until the real ones stand. */
  #watchSignatures(options: { fetch: boolean; engine: () => Engine }): void {
    const { layout, progress } = this.#options;
    let full = hasFullDatabase(layout);
    if (!full) progress.line(WORDS.starter);
    let freshclam: SupervisedChild | undefined;
    if (options.fetch) {
      if (!full) progress.line(WORDS.fetching);
      freshclam = this.#add(options.engine()).child;
    }
    let asked = Date.now();
    const check = (): void => {
      if (!full && Date.now() - asked > FETCH_AGAIN_MS) {
        asked = Date.now();
        freshclam?.signal('SIGUSR1'); // freshclam(1): update now
      }
      settleSignatures(layout).then(
        (now) => {
          if (now === 'full' && !full) progress.line(WORDS.full);
          full = now === 'full';
        },
        () => undefined, // a folder that cannot be read now is looked at again in a moment
      );
    };
    this.#signatureTimer = setInterval(check, SIGNATURE_CHECK_MS);
  }
}
