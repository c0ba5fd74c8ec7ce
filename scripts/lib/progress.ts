/** What a command tells a person as it works: one line a fact, a running second counter on a terminal, plain lines elsewhere. */
import { type Language, say, type Text } from '../../src/base/i18n.ts';

export type Values = Readonly<Record<string, string | number>>;

/** As the locale says: Japanese, else English. */
export function languageOfLocale(env: NodeJS.ProcessEnv): Language {
  const locale = [env['LC_ALL'], env['LC_MESSAGES'], env['LANG']].find((value) => value !== undefined && value !== '');
  return locale?.startsWith('ja') === true ? 'ja' : 'en';
}

export class Progress {
  readonly language: Language;
  readonly #out: NodeJS.WriteStream;
  #pending = '';

  constructor(language: Language, out: NodeJS.WriteStream = process.stdout) {
    this.language = language;
    this.#out = out;
  }

  line(text: Text, values: Values = {}): void {
    this.plain(say(text, this.language, values));
  }

  plain(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
    if (this.#pending !== '') this.#out.write(this.#pending);
  }

  /** Shows `text` and the seconds while `work` runs; nothing is left on the screen. Off a terminal: a line each 10 s. */
  async during<T>(text: Text, work: () => Promise<T>): Promise<T> {
    const began = Date.now();
    const label = say(text, this.language);
    const seconds = (): number => Math.round((Date.now() - began) / 1_000);
    const terminal = this.#out.isTTY === true;
    const timer = setInterval(
      () => {
        if (!terminal) return this.plain(`    ${label} ${seconds()}s`);
        this.#pending = `    ${label} ${seconds()}s`;
        this.#out.write(`\r\u001b[K${this.#pending}`);
      },
      terminal ? 500 : 10_000,
    );
    try {
      return await work();
    } finally {
      clearInterval(timer);
      this.#clear();
      this.#pending = '';
    }
  }

  #clear(): void {
    if (this.#pending !== '') this.#out.write('\r\u001b[K');
  }
}
