/** One item of the overload test: what it does, what it measured, and whether each mark is met. Types and small words only. */
import type { Site } from './site.ts';

export interface Mark {
  what: string;
  figure: string;
  /** What is demanded; empty: reported only. */
  mark: string;
  met: boolean;
  /** How far the figure is from the mark, 1 = just met: on a busy machine times may be worse, and counts may not. */
  strain?: number;
}

export interface ItemOptions {
  short: boolean;
  seed: number;
  million: boolean;
  /** Instead of the item's own number of mails; only where it says so. */
  count?: number;
  tell: (text: string) => void;
}

export interface Item {
  name: string;
  what: string;
  /** `site`: the gateway that the floods and giants share, started at the first call. */
  run: (options: ItemOptions & { site: () => Promise<Site> }) => Promise<Mark[]>;
}

export function atMost(what: string, value: number, { limit, unit = '' }: { limit: number; unit?: string }): Mark {
  return {
    what,
    figure: `${round(value)}${unit}`,
    mark: `≤ ${limit}${unit}`,
    met: value <= limit,
    strain: value / limit,
  };
}

export function atLeast(what: string, value: number, { limit, unit = '' }: { limit: number; unit?: string }): Mark {
  return {
    what,
    figure: `${round(value)}${unit}`,
    mark: `≥ ${limit}${unit}`,
    met: value >= limit,
    strain: limit / value,
  };
}

export function reported(what: string, figure: string): Mark {
  return { what, figure, mark: '', met: true };
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function round(value: number): string {
  return Math.abs(value) >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1);
}
