/** A private clamd with the starter signatures only (EICAR and a text of our own): up in seconds, not minutes. */
import { clamdEngine } from '../../scripts/engines/engines.ts';
import { eicarText } from '../../scripts/engines/starter-signatures.ts';
import { type Engine, startEngine } from './engine.ts';

export const EICAR = eicarText();

export interface Clamd extends Engine {
  readonly socket: string;
}

export async function startClamd(options: { dir: string }): Promise<Clamd> {
  const engine = await startEngine('clamd', options, clamdEngine);
  return { ...engine, socket: engine.layout.clamdSocket };
}
