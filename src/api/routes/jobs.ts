/** What the gateway does by the clock: when it ran last, how that went, when it comes again. */
import type { VerbAnswer } from '../../control/contract.ts';
import type { Answer } from '../contract/client.ts';
import type { Some } from '../server/call.ts';

type Job = VerbAnswer<'jobs.list'>['jobs'][number];
type Row = Answer<'jobs.list'>['jobs'][number];

const TITLES: Readonly<Record<string, Row['title']>> = {
  'expire-quarantine': { ja: '期限の過ぎた隔離メールの削除', en: 'Delete expired quarantined mail' },
  'expire-history': { ja: '期限の過ぎた記録の削除', en: 'Delete expired history' },
  'send-digest': { ja: '隔離のお知らせメール', en: 'Digest of quarantined mail' },
};

export function jobHandlers(): Some<'jobs.list'> {
  return {
    'jobs.list': async ({ gateway }) => ({ jobs: (await gateway.call('jobs.list', {})).jobs.map(rowOf) }),
  };
}

function rowOf({ name, schedule, running, nextAt, runs }: Job): Row {
  const [last] = runs;
  return {
    name,
    title: TITLES[name] ?? { ja: name, en: name },
    schedule,
    state: running ? 'running' : last === undefined ? 'never' : last.ok ? 'ok' : 'failed',
    ...(last === undefined ? {} : { lastStartedAt: last.startedAt }),
    ...(last?.endedAt === undefined ? {} : { lastEndedAt: last.endedAt }),
    ...(last?.detail === undefined ? {} : { detail: last.detail }),
    ...(nextAt === undefined ? {} : { nextAt }),
  };
}
