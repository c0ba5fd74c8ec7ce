/** A private rspamd with the rules that ship; names it asks for go to the DNS server given, or to nobody. */
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { type Engine as EngineRecipe, type EngineOptions, rspamdEngine } from '../../scripts/engines/engines.ts';
import { gtubeText } from '../../scripts/engines/starter-signatures.ts';
import type { Layout } from '../../scripts/lib/layout.ts';
import { type Engine, startEngine } from './engine.ts';

export const GTUBE = gtubeText();

export interface Rspamd extends Engine {
  /** The path of its Unix socket, as `engines.rspamd.url` of the configuration takes it. */
  readonly socket: string;
  /** Of its controller, for `engines.rspamd.learnUrl`; there with `learning` only. */
  readonly controller: string;
  readonly layout: Layout;
}

/** `learning`: with a controller and a Bayes store in a file, as an owner would add them. */
export async function startRspamd(options: {
  dir: string;
  dns?: { port: number };
  learning?: boolean;
}): Promise<Rspamd> {
  const engine = await startEngine('rspamd', options, options.learning === true ? learningEngine : rspamdEngine);
  return {
    ...engine,
    socket: engine.layout.rspamdSocket,
    controller: path.join(engine.layout.run, 'controller.sock'),
  };
}

function learningEngine(options: EngineOptions): EngineRecipe {
  const engine = rspamdEngine(options);
  const state = path.join(options.layout.engines, 'rspamd', 'state');
  const store = (name: string, spam: boolean): string =>
    `statfile { symbol = "${name}"; path = "${state}/${name}.sqlite"; spam = ${spam}; }`;
  appendFileSync(
    engine.spec.args[engine.spec.args.indexOf('-c') + 1] ?? '',
    `worker "controller" { bind_socket = "${options.layout.run}/controller.sock mode=0600"; secure_ip = "127.0.0.1"; count = 1; }
classifier "bayes" {
  tokenizer { name = "osb"; }
  backend = "sqlite3";
  cache { path = "${state}/learned.sqlite"; backend = "sqlite3"; }
  min_tokens = 3; min_learns = 1;
  ${store('BAYES_HAM', false)}
  ${store('BAYES_SPAM', true)}
}
`,
  );
  return engine;
}
