/**
 * The recipients' own page in a trial: runs while the configuration offers it, as the host does it on a box. The file is
 * looked at every second: the gateway writes it anew with each change.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Layout } from './layout.ts';
import { type Death, SupervisedChild } from './supervise.ts';
import { readConfig } from './trial-config.ts';

const LOOK_MS = 1_000;
const STOP_MS = 5_000;

export interface TrialPortalOptions {
  layout: Layout;
  configFile: string;
  port: number;
  env: NodeJS.ProcessEnv;
  onDeath: (death: Death) => void;
  onReady: () => void;
}

export class TrialPortal {
  readonly #options: TrialPortalOptions;
  #child: SupervisedChild | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: TrialPortalOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#work = this.#look();
    }, LOOK_MS).unref();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#work;
    await this.#child?.stop();
  }

  async #look(): Promise<void> {
    const wanted = this.#isOffered();
    if (wanted && this.#child === undefined && existsSync(this.#options.layout.portalTls)) {
      this.#child = this.#made();
      this.#child.start();
    } else if (!wanted && this.#child !== undefined && !this.#stopped) {
      const child = this.#child;
      this.#child = undefined;
      await child.stop();
    }
  }

  #isOffered(): boolean {
    try {
      return readConfig(this.#options.configFile).config.portal.enabled;
    } catch {
      return this.#child !== undefined; // being edited: as it was
    }
  }

  #made(): SupervisedChild {
    const { layout, port, env, onDeath, onReady } = this.#options;
    const spec = {
      name: 'portal',
      command: path.join(layout.app, 'node_modules/.bin/node'),
      args: [
        path.join(layout.app, 'src/portal.ts'),
        '--socket',
        layout.portalSocket,
        '--tls',
        layout.portalTls,
        '--address',
        '127.0.0.1',
        '--port',
        String(port),
      ],
      logFile: path.join(layout.log, 'portal.log'),
      stopMs: STOP_MS,
      env,
      onLine: (line: string) => {
        if (line.includes('"Portal is ready"')) onReady();
      },
    };
    return new SupervisedChild(spec, { onDeath });
  }
}
