/**
 * The configuration's file: found, read, made at a first installation; and what is said when one of these fails. Writing is
 * base/atomic-file.ts's work: the old content or the new, also after a power cut.
 */
import { mkdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import { checkConfig, unreadable } from './check.ts';
import type { CrossCheckOptions } from './cross-check.ts';
import { type ConfigProblem, problemLine } from './problems.ts';
import type { ConfigInput } from './schema.ts';

const MAX_FILE_OCTETS = 4 * 1024 * 1024;

/** Thrown by `openConfigStore` when there is nothing valid to run. */
export class ConfigRefused extends SekishoError {
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map((problem) => `\n  ${problemLine(problem, 'en')}`).join('');
    super('CONFIG_INVALID', `The configuration "${file}" has ${problems.length} problem(s):${lines}`, {
      remedy: 'Correct the file; "sekisho config check FILE" tells all problems without starting anything',
    });
    this.problems = problems;
  }
}

export async function readText(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > MAX_FILE_OCTETS)
    throw new SekishoError('CONFIG_INVALID', `The file has ${size} octets, more than ${MAX_FILE_OCTETS}`);
  return readFile(file, 'utf8');
}

/** A symbolic link stays one: what it points to is replaced. */
export async function resolveFile(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw new ConfigRefused(file, [unreadable(file, error)]);
    throw new SekishoError('CONFIG_MISSING', `No configuration file at "${path.resolve(file)}"`, {
      cause: error,
      remedy: 'Give another place with --config, or let a first start make one',
    });
  }
}

export async function createIfMissing(
  options: CrossCheckOptions & { file: string; create?: boolean | ConfigInput },
): Promise<void> {
  const content = typeof options.create === 'object' ? { version: 1, ...options.create } : { version: 1 };
  const exists = await stat(options.file).then(
    () => true,
    (error: unknown) => {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    },
  );
  if (exists) return;
  const checked = checkConfig(content, options);
  if (!checked.ok) throw new ConfigRefused(options.file, checked.problems);
  await mkdir(path.dirname(path.resolve(options.file)), { recursive: true, mode: 0o700 });
  await writeFileAtomic(options.file, `${JSON.stringify(content, null, 2)}\n`);
}

export function notWritten(file: string, error: unknown): SekishoError {
  return new SekishoError(
    'CONFIG_NOT_WRITTEN',
    `The configuration could not be written to "${file}": ${describeError(error)}`,
    {
      cause: error,
      retryable: true,
      remedy: 'Nothing was changed; check free space and the permissions of the folder',
    },
  );
}

export function notApplied(error: unknown): ConfigProblem {
  const cause = describeError(error);
  return {
    path: '',
    message: { en: cause, ja: `設定を反映できませんでした: ${cause}` },
    remedy: {
      en: 'The previous configuration keeps running; correct the file and reload',
      ja: '以前の設定のまま動作しています。ファイルを訂正して再読み込みしてください',
    },
  };
}
