/** The record of a probe: what was tried, in order, how it ended, how long it took, and what to do about it. */
import type { Milliseconds } from '../../base/brand.ts';
import type { Text } from '../../base/i18n.ts';
import type { Answer } from '../contract/client.ts';

export type Step = Answer<'domains.probe'>['steps'][number];

export class Steps {
  readonly all: Step[] = [];
  readonly #now: () => Milliseconds;
  #began: number;

  constructor(now: () => Milliseconds) {
    this.#now = now;
    this.#began = now();
  }

  add(name: string, state: Step['state'], text: Text, rest: { detail?: string; remedy?: Text } = {}): void {
    const now = this.#now();
    this.all.push({ name, state, text, ...rest, tookMs: Math.max(0, Math.round(now - this.#began)) });
    this.#began = now;
  }

  get ok(): boolean {
    return this.all.every(({ state }) => state !== 'failed');
  }
}
