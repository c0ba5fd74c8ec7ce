/**
 * Splits a command line into words and options. An option may stand anywhere: `--name value`, `--name=value`, `--flag`; `--`
 * ends the options; a negative number is a word. Unknown and incomplete options are usage errors, told with the nearest
 * known one. Pure.
 */
import type { Text } from '../../base/i18n.ts';

export interface OptionDefinition {
  name: string;
  short?: string;
  /** Name of its value in the help; absent for a flag. */
  value?: string;
  help: Text;
}

export interface ParsedArguments {
  words: string[];
  options: Map<string, string>;
  flags: Set<string>;
}

/** The command line is not understood: exit code 2. */
export class UsageError extends Error {
  readonly text: Text;

  constructor(text: Text) {
    super(text.en);
    this.text = text;
  }
}

export function parseArguments(argv: readonly string[], definitions: readonly OptionDefinition[]): ParsedArguments {
  const parsed: ParsedArguments = { words: [], options: new Map(), flags: new Set() };
  const rest = [...argv];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--') {
      parsed.words.push(...rest);
      break;
    }
    if (!argument.startsWith('-') || argument === '-' || /^-\d/.test(argument)) {
      parsed.words.push(argument);
      continue;
    }
    const [, dashes = '', name = '', , inline] = /^(--?)([^=]*)(=(.*))?$/s.exec(argument) ?? [];
    const definition = definitions.find((one) => (dashes === '--' ? one.name === name : one.short === name));
    if (definition === undefined) throw new UsageError(unknownOption(`${dashes}${name}`));
    if (definition.value === undefined) {
      if (inline !== undefined) throw new UsageError(noValueTaken(definition.name));
      parsed.flags.add(definition.name);
      continue;
    }
    const value = inline ?? rest.shift();
    if (value === undefined || value === '') throw new UsageError(valueMissing(definition));
    if (parsed.options.has(definition.name)) throw new UsageError(givenTwice(definition.name));
    parsed.options.set(definition.name, value);
  }
  return parsed;
}

export function unknownOption(option: string): Text {
  return { en: `Unknown option "${option}"`, ja: `オプション「${option}」はありません` };
}

function noValueTaken(name: string): Text {
  return { en: `The option "--${name}" takes no value`, ja: `オプション「--${name}」に値は指定できません` };
}

function valueMissing(definition: OptionDefinition): Text {
  return {
    en: `The option "--${definition.name}" needs a value: --${definition.name} ${definition.value}`,
    ja: `オプション「--${definition.name}」には値が必要です: --${definition.name} ${definition.value}`,
  };
}

function givenTwice(name: string): Text {
  return { en: `The option "--${name}" stands there twice`, ja: `オプション「--${name}」が 2 回指定されています` };
}
