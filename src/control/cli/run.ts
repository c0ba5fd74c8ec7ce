/**
 * The `sekisho` command: finds the command, checks its words and options, runs it, and turns whatever happens into an exit
 * code and a sentence in the reader's language. Knows nothing of process, files or sockets but what `CliIo` gives.
 */
import path from 'node:path';
import { errorCode, SekishoError } from '../../base/errors.ts';
import { type Language, LANGUAGES } from '../../base/i18n.ts';
import { escapeForTerminal, jsonForTerminal } from '../../base/terminal.ts';
import { type ParsedArguments, parseArguments, unknownOption, UsageError } from './arguments.ts';
import { type CliIo, type Command, EXIT, type ExitCode } from './command.ts';
import { ADMIN_COMMANDS } from './commands-admin.ts';
import { CERTIFICATE_COMMANDS } from './commands-certificate.ts';
import { CONFIG_COMMANDS } from './commands-config.ts';
import { HISTORY_COMMANDS } from './commands-history.ts';
import { MESSAGE_COMMANDS } from './commands-message.ts';
import { QUARANTINE_COMMANDS } from './commands-quarantine.ts';
import { QUEUE_COMMANDS } from './commands-queue.ts';
import { SPOOL_COMMANDS } from './commands-spool.ts';
import { STATUS_COMMANDS } from './commands-status.ts';
import { errorWords } from './error-words.ts';
import { commandHelp, exitCodesHelp, GLOBAL_OPTIONS, groupHelp, overview } from './help.ts';

export const COMMANDS: readonly Command[] = [
  ...STATUS_COMMANDS.slice(0, 1),
  ...QUEUE_COMMANDS,
  ...QUARANTINE_COMMANDS,
  ...MESSAGE_COMMANDS,
  ...HISTORY_COMMANDS,
  ...CONFIG_COMMANDS,
  ...CERTIFICATE_COMMANDS,
  ...ADMIN_COMMANDS,
  ...SPOOL_COMMANDS,
  ...STATUS_COMMANDS.slice(1),
];

const ALL_OPTIONS = [...GLOBAL_OPTIONS, ...COMMANDS.flatMap((command) => command.options ?? [])];

/** Never rejects but for a bug. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  const json = argv.includes('--json');
  // Known before the rest is understood, so that even a usage error is told in the language asked for.
  const asked = /^(?:--lang=)?(ja|en)$/.exec(
    argv.find((word, at) => word.startsWith('--lang=') || argv[at - 1] === '--lang') ?? '',
  );
  let language = languageOf(asked?.[1], io.env);
  try {
    const parsed = parseArguments(argv, ALL_OPTIONS);
    language = languageOf(parsed.options.get('lang'), io.env);
    return await dispatch(parsed, language, io);
  } catch (error) {
    return tellError(error, { json, language, io });
  }
}

async function dispatch(parsed: ParsedArguments, language: Language, io: CliIo): Promise<ExitCode> {
  const { words } = parsed;
  if (parsed.flags.has('version') || words[0] === 'version') return tellVersion(parsed, io);
  if (words[0] === 'help') return help(words.slice(1), language, io);
  if (parsed.flags.has('help')) return help(words, language, io);
  if (words.length === 0) {
    io.err(overview(COMMANDS, language));
    return EXIT.usage;
  }
  const command = findCommand(words);
  const args = words.slice(command.name.split(' ').length);
  checkOptions(command, parsed);
  checkCount(command, args);
  return command.run({
    language,
    look: { language, columns: io.columns },
    args,
    options: parsed.options,
    flags: parsed.flags,
    io,
    client: io.connect({ socket: socketOf(parsed, io), by: io.user }),
    print: (answer, text) => io.out(parsed.flags.has('json') ? `${jsonForTerminal(answer)}\n` : text()),
  });
}

function tellVersion(parsed: ParsedArguments, io: CliIo): ExitCode {
  io.out(parsed.flags.has('json') ? `${JSON.stringify({ version: io.version })}\n` : `sekisho ${io.version}\n`);
  return EXIT.ok;
}

function help(words: readonly string[], language: Language, io: CliIo): ExitCode {
  if (words.length === 0) io.out(overview(COMMANDS, language));
  else if (words[0] === 'exit-codes') io.out(exitCodesHelp(language));
  else {
    const group = COMMANDS.filter((command) => command.name.startsWith(`${words[0]} `));
    const exact = words.length === 1 && group.length > 0 ? undefined : findCommand(words);
    io.out(exact === undefined ? groupHelp(group, language) : commandHelp(exact, language));
  }
  return EXIT.ok;
}

/** The longest name that the words begin with. */
function findCommand(words: readonly string[]): Command {
  const two = words.slice(0, 2).join(' ');
  const found =
    COMMANDS.find((command) => command.name === two) ?? COMMANDS.find((command) => command.name === words[0]);
  if (found !== undefined) return found;
  const group = COMMANDS.filter((command) => command.name.startsWith(`${words[0]} `)).map((command) => command.name);
  if (group.length > 0 && words.length === 1)
    throw new UsageError({
      en: `Say which: ${group.join(', ')}`,
      ja: `どれか 1 つを指定してください: ${group.join('、')}`,
    });
  throw new UsageError({
    en: `Unknown command "${two}"${group.length > 0 ? `: there are ${group.join(', ')}` : ''}`,
    ja: `コマンド「${two}」はありません${group.length > 0 ? `（${group.join('、')}）` : ''}`,
  });
}

function checkOptions(command: Command, parsed: ParsedArguments): void {
  const allowed = new Set([...GLOBAL_OPTIONS, ...(command.options ?? [])].map((option) => option.name));
  for (const name of [...parsed.options.keys(), ...parsed.flags])
    if (!allowed.has(name)) throw new UsageError(unknownOption(`--${name}`));
}

function checkCount(command: Command, args: readonly string[]): void {
  const wanted = command.args === '' ? [] : command.args.split(' ');
  const least = wanted.filter((word) => !word.startsWith('[')).length;
  const most = command.args.includes('…') ? Number.POSITIVE_INFINITY : wanted.length;
  if (args.length >= least && args.length <= most) return;
  const usage = `sekisho ${command.name} ${command.args}`.trimEnd();
  throw new UsageError({ en: `Usage: ${usage}`, ja: `使い方: ${usage}` });
}

function socketOf(parsed: ParsedArguments, io: CliIo): string {
  const data = parsed.options.get('data');
  const given = parsed.options.get('socket') ?? (data === undefined ? io.env['SEKISHO_SOCKET'] : undefined);
  if (given !== undefined && given !== '') return given;
  return path.join(data ?? (io.env['SEKISHO_DATA'] || 'data'), 'run', 'control.sock');
}

function languageOf(option: string | undefined, env: CliIo['env']): Language {
  if (option !== undefined) {
    const language = LANGUAGES.find((one) => one === option);
    if (language !== undefined) return language;
    throw new UsageError({ en: `Unknown language "${option}": ja, en`, ja: `言語「${option}」はありません: ja, en` });
  }
  const locale = env['SEKISHO_LANG'] || env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || '';
  return locale.startsWith('ja') ? 'ja' : 'en';
}

function tellError(error: unknown, { json, language, io }: { json: boolean; language: Language; io: CliIo }): ExitCode {
  if (error instanceof UsageError) {
    const see = { en: 'See "sekisho help"', ja: '「sekisho help」をご覧ください' }[language];
    if (json) io.err(`${jsonForTerminal({ code: 'USAGE', message: error.text[language] })}\n`);
    else io.err(`${escapeForTerminal(error.text[language])}\n${see}\n`);
    return EXIT.usage;
  }
  if (!(error instanceof SekishoError)) throw error;
  const words = errorWords(error, language);
  if (json) io.err(`${jsonForTerminal({ code: error.code, message: error.message, remedy: error.remedy })}\n`);
  else io.err(words.map((line) => `${escapeForTerminal(line)}\n`).join(''));
  return exitCodeOf(error);
}

function exitCodeOf(error: SekishoError): ExitCode {
  switch (errorCode(error)) {
    case 'NOT_FOUND':
    case 'UNKNOWN_RECIPIENT':
      return EXIT.notFound;
    case 'INVALID_REQUEST':
    case 'INVALID':
    case 'CONFIG_PATH':
      return EXIT.usage;
    case 'GATEWAY_NOT_RUNNING':
    case 'GATEWAY_NOT_PERMITTED':
    case 'GATEWAY_SILENT':
    case 'HOST_NOT_RUNNING':
    case 'HOST_NOT_PERMITTED':
    case 'HOST_SILENT':
    case 'ADMIN_NOT_RUNNING':
    case 'ADMIN_NOT_PERMITTED':
    case 'ADMIN_SILENT':
      return EXIT.unreachable;
    default:
      return EXIT.refused;
  }
}
