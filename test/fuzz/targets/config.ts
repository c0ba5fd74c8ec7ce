/** Configuration texts and paths: read or refused with words in both languages, the same a second time, and nothing else touched. */
import { checkConfigText } from '../../../src/config/check.ts';
import { getAt, parsePath, setAt, unsetAt } from '../../../src/config/path.ts';
import { problemLine } from '../../../src/config/problems.ts';
import { redact } from '../../../src/config/redact.ts';
import { check, compose, mutate, type Planted, type Random, type Target } from '../engine.ts';

const SAMPLE = Buffer.from(
  JSON.stringify({
    hostname: 'mx.office.example',
    domains: [{ name: 'office.example', servers: [{ host: '192.0.2.25', port: 25 }] }],
    policy: { spam: { reject: 15 } },
  }),
);
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  '\\',
  '"__proto__":',
  '"constructor":',
  '{"a":1}',
  '"hostname":',
  '"domains":',
  'null',
  'true',
  '-1',
  '1e999',
  '0.1',
  '99999999999999999999',
  '"\\ud800"',
  '\u0000',
  '//',
  '/*',
  '"servers":',
  '"192.0.2.25"',
  '"."',
  '[[[[[[',
  '"日本語.example"',
  'policy.spam.reject',
  '.',
  '[0]',
  '[office.example]',
  '.+',
  '+',
  '__proto__',
  'a',
].map((token) => Buffer.from(token).toString('latin1'));

export const planted: Planted = {
  file: 'src/config/path.ts',
  find: 'const copy: unknown = structuredClone(root ?? {});',
  replace: 'const copy: unknown = root ?? {};',
};

export const target: Target = {
  name: 'config',
  make: (random: Random) =>
    random.chance(3)
      ? compose(random, TOKENS, 12)
      : mutate(random, SAMPLE, { tokens: TOKENS.map((token) => Buffer.from(token, 'latin1')), max: 8_192 }),
  run(input) {
    const text = input.toString();
    const result = checkConfigText(text);
    if (!result.ok) {
      check(result.problems.length > 0, 'What is refused has a problem');
      for (const problem of result.problems)
        for (const language of ['ja', 'en'] as const)
          check(problemLine(problem, language).length > 5, 'A problem has words');
    } else {
      redact(result.value);
      const again = checkConfigText(JSON.stringify(result.value));
      check(again.ok, 'What was taken is taken again');
    }
    pathsHold(text.slice(0, 200));
    check(({} as Record<string, unknown>)['polluted'] === undefined, 'No prototype was touched');
  },
};

function pathsHold(path: string): void {
  const root = { policy: { spam: { reject: 15 } }, domains: [{ name: 'office.example', servers: [] as unknown[] }] };
  const before = JSON.stringify(root);
  let next: unknown;
  try {
    parsePath(path);
    next = setAt(root, path, 'polluted');
  } catch (error) {
    // A path that cannot be is refused by a code of its own.
    check((error as { code?: string }).code === 'CONFIG_PATH', `Refused by name, not by accident: ${String(error)}`);
    return;
  }
  check(JSON.stringify(root) === before, 'The old value is left alone');
  if (!path.includes('+')) check(getAt(next, path) === 'polluted', `What was set is there: ${JSON.stringify(path)}`);
  try {
    unsetAt(next, path);
  } catch (error) {
    check((error as { code?: string }).code === 'CONFIG_PATH', `Refused by name, not by accident: ${String(error)}`);
  }
}
