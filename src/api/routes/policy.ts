/** Policy: levels, single rules, forecast. The rules are the gateway's settings under `policy`. */
import type { ControlClient } from '../../control/client.ts';
import { LEVEL_RULES } from '../../mail/protection-level.ts';
import type { Answer } from '../contract/client.ts';
import type { LEVELS } from '../contract/policy.ts';
import type { Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import { iso, type RouteParts } from './parts.ts';
import { setAll, settingAt, UNCHANGED } from './settings.ts';
import { LEVEL_WORDS } from './policy-levels.ts';

type Rules = Answer<'policy.show'>['rules'];
type Level = (typeof LEVELS)[number];

const FORECAST_MS = 7 * 86_400_000;

export function policyHandlers({ now }: RouteParts): Some<`policy.${'show' | 'level' | 'update' | 'forecast'}`> {
  return {
    'policy.show': async ({ gateway }) => {
      const rules = await settingAt<Rules>(gateway, 'policy');
      const level = levelOf(rules);
      return {
        level,
        ...(level === 'watch' ? { watchingSince: iso(await levelSince(gateway)) } : {}),
        rules: pick(rules),
        levels: LEVEL_WORDS.map(({ level, title, consequences }) => ({
          level,
          title,
          consequences: [...consequences],
          rules: { ...pick(rules), ...LEVEL_RULES[level], spam: { ...rules.spam, ...LEVEL_RULES[level].spam } },
        })),
      };
    },
    'policy.level': async ({ gateway, body, note }) => {
      note(body.level);
      const rules = await settingAt<Rules>(gateway, 'policy');
      if (levelOf(rules) === body.level) return UNCHANGED;
      return setAll(gateway, settingsOf(LEVEL_RULES[body.level], rules));
    },
    'policy.update': async ({ gateway, body }) => {
      const rules = await settingAt<Rules>(gateway, 'policy');
      const settings = settingsOf(body, rules);
      return settings.length === 0 ? UNCHANGED : setAll(gateway, settings);
    },
    'policy.forecast': async ({ gateway, query }) => {
      const { tag, quarantine, reject } = query;
      if (tag > quarantine || quarantine > reject)
        throw new ApiProblem(400, 'INVALID_REQUEST', {
          fields: [
            {
              path: 'query.quarantine',
              message: { ja: '印 ≦ 隔離 ≦ 拒否 の順にしてください', en: 'Keep tag ≤ quarantine ≤ reject' },
            },
          ],
        });
      const { spam } = await settingAt<Rules>(gateway, 'policy');
      const from = now() - FORECAST_MS;
      const { scores } = await gateway.call('history.scores', { from });
      return {
        since: iso(from),
        messages: scores.length,
        current: split(scores, spam),
        proposed: split(scores, { tag, quarantine, reject }),
        histogram: histogram(scores),
      };
    },
  };
}

/** When the rules of the level were last touched: the newest kept generation that did, else the oldest that is known. */
export async function levelSince(gateway: ControlClient): Promise<number> {
  const { generations } = await gateway.call('config.generations', {});
  const rules = Object.keys(LEVEL_RULES.watch).map((key) => `policy.${key}`);
  const touched = generations.filter(({ changed }) =>
    changed.some((path) => rules.some((rule) => path === rule || path.startsWith(`${rule}.`))),
  );
  const times = (touched.length > 0 ? touched : generations).map(({ at }) => Date.parse(at));
  return touched.length > 0 ? Math.max(...times) : Math.min(...times);
}

export async function isWatching(gateway: ControlClient): Promise<boolean> {
  return levelOf(await settingAt<Rules>(gateway, 'policy')) === 'watch';
}

function levelOf(rules: Rules): Level | 'custom' {
  return LEVEL_WORDS.find(({ level }) => settingsOf(LEVEL_RULES[level], rules).length === 0)?.level ?? 'custom';
}

/** The settings in which `wanted` differs from what stands; spam in one piece, whose parts must fit together. */
function settingsOf(wanted: object, rules: Rules): Array<[string, unknown]> {
  return Object.entries(wanted).flatMap(([key, value]): Array<[string, unknown]> => {
    const before = rules[key as keyof Rules];
    const next =
      key === 'spam' && typeof value === 'object' && !Array.isArray(value) ? { ...rules.spam, ...value } : value;
    return same(next, before) ? [] : [[`policy.${key}`, next]];
  });
}

/** Whatever the order of the keys. */
function same(a: unknown, b: unknown): boolean {
  if (
    typeof a !== 'object' ||
    a === null ||
    typeof b !== 'object' ||
    b === null ||
    Array.isArray(a) ||
    Array.isArray(b)
  )
    return JSON.stringify(a) === JSON.stringify(b);
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  return left.size === right.size && [...left].every(([key, value]) => same(value, right.get(key)));
}

function pick(rules: Rules): Rules {
  const { spam, virus, dmarc, ownDomainFromOutside, suspiciousFrom, disguisedExecutable, executable } = rules;
  const { encryptedArchive, unscannable, trustedForwarders, trustedSealers, spamFor } = rules;
  return {
    spam,
    spamFor,
    virus,
    dmarc,
    ownDomainFromOutside,
    suspiciousFrom,
    disguisedExecutable,
    executable,
    encryptedArchive,
    unscannable,
    trustedForwarders,
    trustedSealers,
  };
}

function split(
  scores: readonly number[],
  at: { tag: number; quarantine: number; reject: number },
): { passed: number; tagged: number; quarantined: number; rejected: number } {
  const sum = { passed: 0, tagged: 0, quarantined: 0, rejected: 0 };
  for (const score of scores) {
    if (score >= at.reject) sum.rejected += 1;
    else if (score >= at.quarantine) sum.quarantined += 1;
    else if (score >= at.tag) sum.tagged += 1;
    else sum.passed += 1;
  }
  return sum;
}

/** Steps of one, what is far out gathered at the ends. */
function histogram(scores: readonly number[]): Array<{ score: number; messages: number }> {
  const steps = new Map<number, number>();
  for (const score of scores) {
    const step = Math.max(-10, Math.min(30, Math.floor(score)));
    steps.set(step, (steps.get(step) ?? 0) + 1);
  }
  return [...steps].map(([score, messages]) => ({ score, messages })).toSorted((a, b) => a.score - b.score);
}
