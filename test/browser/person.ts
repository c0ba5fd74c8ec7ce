/**
 * Somebody at the pages: clicks, types, looks. In a test at once; at human pace (a pause a key, a pause a decision) for the
 * figures of docs/usability.md. Counts what was done either way. Everything is found by what a person reads, never by a class.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Locator, Page } from 'playwright-core';

export interface Pace {
  keyMs: number;
  decisionMs: number;
}

export type Said = Readonly<Record<'ja' | 'en', string>>;

export class Person {
  readonly page: Page;
  readonly language: 'ja' | 'en';
  readonly #pace: Pace;
  clicks = 0;
  keys = 0;

  constructor(page: Page, options: { language: 'ja' | 'en'; pace?: Pace }) {
    this.page = page;
    this.language = options.language;
    this.#pace = options.pace ?? { keyMs: 0, decisionMs: 0 };
  }

  /** The words in this person's language. */
  t(words: Said, values: Readonly<Record<string, string>> = {}): string {
    return words[this.language].replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
  }

  async click(what: Locator): Promise<void> {
    await what.waitFor();
    await this.#decide();
    await what.click();
    this.clicks++;
  }

  button(words: Said | string): Locator {
    const name = typeof words === 'string' ? words : this.t(words);
    return this.page.getByRole('button', { name, exact: true });
  }

  async press(words: Said): Promise<void> {
    await this.click(this.button(words).first());
  }

  /** A click into the field, then key by key; what stood there is replaced. */
  async type(field: Locator, text: string): Promise<void> {
    await this.click(field);
    await field.selectText();
    await this.page.keyboard.type(text, { delay: this.#pace.keyMs });
    this.keys += text.length;
  }

  async fill(label: Said, text: string): Promise<void> {
    await this.type(this.page.getByLabel(this.t(label), { exact: true }).first(), text);
  }

  async key(name: string): Promise<void> {
    await this.#decide();
    await this.page.keyboard.press(name);
    this.keys++;
  }

  /** Chosen in a select or among radio buttons: open, choose. */
  async choose(label: Said, option: Said): Promise<void> {
    const field = this.page.getByLabel(this.t(label), { exact: true }).first();
    await this.#decide();
    await field.selectOption({ label: this.t(option) });
    this.clicks += 2;
  }

  async choice(words: Said): Promise<void> {
    await this.click(this.page.getByRole('radio', { name: this.t(words) }).first());
  }

  /** `exact`: as a whole; "Undone" stands in "can be undone for 10 minutes" too. */
  async sees(text: Said | string | RegExp, waiting: { ms?: number; exact?: boolean } = {}): Promise<void> {
    const wanted = typeof text === 'string' || text instanceof RegExp ? text : this.t(text);
    await this.page
      .getByText(wanted, { exact: waiting.exact ?? false })
      .filter({ visible: true })
      .first()
      .waitFor(waiting.ms === undefined ? {} : { timeout: waiting.ms });
  }

  async heading(words: Said | string): Promise<void> {
    await this.page
      .getByRole('heading', { name: typeof words === 'string' ? words : this.t(words) })
      .first()
      .waitFor();
  }

  async #decide(): Promise<void> {
    if (this.#pace.decisionMs > 0) await sleep(this.#pace.decisionMs);
  }
}
