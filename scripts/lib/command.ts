/**
 * What the small commands of scripts/ have in common: a wrong option is exit 2 with a sentence, a failure exit 1 without a
 * stack, a reader that leaves (`| head`) no error; and how a hint names the data folder, so that it can be copied as it is.
 */
import { describeError, errorCode, SekishoError } from '../../src/base/errors.ts';
import { say } from '../../src/base/i18n.ts';
import { languageOfLocale } from './progress.ts';

const WRONG_USE = {
  ja: '使い方が正しくありません（--help で説明）: {what}',
  en: 'Wrong use (see --help): {what}',
} as const;

/** Sets by `main` or by its failure the exit code. A reader that left ends a command that only shows; others go on. */
export async function runCommand(
  main: () => Promise<number>,
  options: { whenReaderLeaves: 'end' | 'go-on' },
): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' && options.whenReaderLeaves === 'go-on') return;
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`${describeError(error)}\n`); // a full disk under `> file`
    process.exit(1);
  });
  process.stderr.on('error', () => undefined); // nobody to tell
  try {
    process.exitCode = await main();
  } catch (error) {
    if (errorCode(error) === 'EPIPE') return; // a pipeline into the same standard output
    const wrongUse = errorCode(error)?.startsWith('ERR_PARSE_ARGS') === true;
    const remedy = error instanceof SekishoError && error.remedy !== undefined ? ` (${error.remedy})` : '';
    const what = error instanceof Error && wrongUse ? error.message : `${describeError(error)}${remedy}`;
    process.stderr.write(`${wrongUse ? say(WRONG_USE, languageOfLocale(process.env), { what }) : what}\n`);
    process.exitCode = wrongUse ? 2 : 1;
  }
}

/** Was a folder named that is not the default? The bash part knows, and says so in the environment. */
export function dataWasNamed(env: NodeJS.ProcessEnv): boolean {
  return env['SEKISHO_DATA_NAMED'] === '1';
}

/** ` --data DIR` for a command in a hint, quoted for a shell; empty when the command finds the folder by itself. */
export function dataOption(data: string, env: NodeJS.ProcessEnv): string {
  return dataWasNamed(env) ? ` --data ${quotedForShell(data)}` : '';
}

function quotedForShell(word: string): string {
  return /^[\p{L}\p{N}@%+=:,./_-]+$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
