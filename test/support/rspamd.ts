/** A private rspamd with the rules that ship; names it asks for go to the DNS server given, or to nobody. */
import { rspamdEngine } from '../../scripts/engines/engines.ts';
import { gtubeText } from '../../scripts/engines/starter-signatures.ts';
import { type Engine, startEngine } from './engine.ts';

export const GTUBE = gtubeText();

export interface Rspamd extends Engine {
  /** The path of its Unix socket, as `engines.rspamd.url` of the configuration takes it. */
  readonly socket: string;
}

export async function startRspamd(options: { dir: string; dns?: { port: number } }): Promise<Rspamd> {
  const engine = await startEngine('rspamd', options, rspamdEngine);
  return { ...engine, socket: engine.layout.rspamdSocket };
}
