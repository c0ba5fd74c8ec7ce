/** Checks a configuration file without a gateway: `sekisho config check FILE`. Reads only. Throws NOT_FOUND. */
import { readFile } from 'node:fs/promises';
import { errorCode, SekishoError } from '../base/errors.ts';
import { checkConfigText, unreadable } from './check.ts';
import type { ConfigProblem } from './problems.ts';

export async function checkConfigFile(file: string): Promise<{ ok: boolean; problems: ConfigProblem[] }> {
  try {
    const { ok, problems } = checkConfigText(await readFile(file, 'utf8'));
    return { ok, problems };
  } catch (error) {
    if (errorCode(error) === 'ENOENT')
      throw new SekishoError('NOT_FOUND', `There is no file "${file}"`, { cause: error });
    return { ok: false, problems: [unreadable(file, error)] };
  }
}
