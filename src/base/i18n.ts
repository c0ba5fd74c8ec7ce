/** Two languages, every text in both: a dictionary whose entry lacks one does not compile. */
export const LANGUAGES = ['ja', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];

/** One text in both languages; `{name}` marks a value. */
export type Text = Readonly<Record<Language, string>>;

/** Fills `{name}` in the text of the language; a value that is missing leaves its mark standing, so that a test sees it. */
export function say(text: Text, language: Language, values: Readonly<Record<string, string | number>> = {}): string {
  return text[language].replaceAll(/\{(\w+)\}/g, (mark, name: string) => String(values[name] ?? mark));
}
