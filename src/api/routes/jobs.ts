/** What gateway, host and admin do by the clock: when it ran last, how that went, when it comes again; and one run now. */
import type { VerbAnswer } from '../../control/contract.ts';
import type { HostClient } from '../../control/host-client.ts';
import type { Answer } from '../contract/client.ts';
import type { Some } from '../server/call.ts';
import type { RouteParts } from './parts.ts';

type Job = VerbAnswer<'jobs.list'>['jobs'][number];
type Row = Answer<'jobs.list'>['jobs'][number];

const TITLES: Readonly<Record<string, Row['title']>> = {
  'expire-quarantine': { ja: '期限の過ぎた隔離メールの削除', en: 'Delete expired quarantined mail' },
  'expire-history': { ja: '期限の過ぎた記録の削除', en: 'Delete expired history' },
  'send-alerts': { ja: '管理者への警告メール', en: 'Alert mail to the owner' },
  'send-digest': { ja: '隔離のお知らせメール', en: 'Digest of quarantined mail' },
  certificates: { ja: '証明書の更新', en: 'Renew certificates' },
  'update-signatures': { ja: 'ウイルス定義の更新と確認', en: 'Fetch and prove virus signatures' },
  'update-maps': { ja: '迷惑メール判定の自社リストの取り寄せ', en: 'Fetch own lists for the spam filter' },
  'check-advisories': { ja: '既知の弱点の確認', en: 'Look for known weaknesses' },
  'check-update': { ja: '本体の更新の確認', en: 'Look for an update of the box' },
};

export function jobHandlers({ jobs: ours }: RouteParts): Some<'jobs.list' | 'jobs.run'> {
  return {
    'jobs.list': async ({ gateway, host }) => {
      const [mail, machine] = await Promise.all([gateway.call('jobs.list', {}), hostJobs(host)]);
      return { jobs: [...mail.jobs, ...(ours()?.list() ?? []), ...machine].map(rowOf) };
    },
    'jobs.run': async ({ gateway, host, params, note }) => {
      note(params.name);
      const own = ours();
      const known = (): Job | undefined => own?.list().find(({ name }) => name === params.name);
      if (own !== undefined && known() !== undefined) {
        await own.runNow(params.name);
        const after = known();
        if (after !== undefined) return rowOf(after);
      }
      const atHost = (await hostJobs(host)).some(({ name }) => name === params.name);
      return rowOf(atHost ? await host.call('jobs.run', params) : await gateway.call('jobs.run', params));
    },
  };
}

/** Without a host, or with one that does not answer, mail's jobs are still shown. */
async function hostJobs(host: HostClient): Promise<Job[]> {
  try {
    return (await host.call('jobs.list', {})).jobs;
  } catch {
    return [];
  }
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
