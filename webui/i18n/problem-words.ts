/** A problem of the API in the reader's language: known codes and statuses have words here, the rest says its own. */
import type { ApiProblem } from '../api/problem.ts';
import { t, type Text } from './language.ts';
import { PROBLEMS } from './words-problems.ts';
import { TROUBLE } from './words-common.ts';

export function wordsOfProblem(problem: ApiProblem): { title: string; remedy: string } {
  const known: Readonly<Record<string, { title: Text; remedy: Text }>> = PROBLEMS;
  const own = Object.hasOwn(known, problem.code) ? known[problem.code] : undefined;
  if (own !== undefined) return { title: t(own.title), remedy: t(own.remedy) };
  switch (problem.status) {
    case 0:
      return problem.code === 'PAGE_FAULT'
        ? { title: t(TROUBLE.fault), remedy: `${t(TROUBLE.faultRemedy)} (${problem.message})` }
        : { title: t(TROUBLE.lostShort), remedy: t(TROUBLE.lostRemedy) };
    case 401:
      return { title: t(TROUBLE.ended), remedy: problem.remedy ?? '' };
    case 403:
      return { title: t(TROUBLE.forbidden), remedy: t(TROUBLE.forbiddenRemedy) };
    case 404:
      return { title: t(TROUBLE.notFound), remedy: t(TROUBLE.notFoundRemedy) };
    case 429:
      return { title: t(TROUBLE.tooMany), remedy: problem.remedy ?? t(TROUBLE.tooManyRemedy) };
    default:
      return { title: problem.message, remedy: problem.remedy ?? '' };
  }
}
