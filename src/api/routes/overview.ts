/** The first page: is mail flowing, what was today like, what needs somebody. One card that fails spoils none of the others. */
import type { VerbAnswer } from '../../control/contract.ts';
import type { StatusAnswer } from '../../control/shapes.ts';
import type { ControlClient } from '../../control/client.ts';
import type { Answer } from '../contract/client.ts';
import { countersOf, seriesOf } from '../live/figures.ts';
import { spanOf } from '../live/zone.ts';
import type { Some } from '../server/call.ts';
import { briefOf } from '../server/problems.ts';
import { certificateNeeds } from './certificates.ts';
import { iso, type RouteParts } from './parts.ts';
import { isWatching, levelSince } from './policy.ts';

type Overview = Answer<'overview.show'>;
type Need = Overview['needs'][number];
type Card<T> = { ok: true; value: T } | ({ ok: false } & ReturnType<typeof briefOf>);

export function overviewHandlers(parts: RouteParts): Some<'overview.show'> {
  return {
    'overview.show': async ({ gateway }) => {
      const [status, queue, today, last, watch, certificates] = await Promise.all([
        card(gateway.call('status', {})),
        card(gateway.call('queue.summary', {})),
        card(todayOf(parts, gateway)),
        card(gateway.call('history.search', { state: 'delivered', limit: 1 })),
        card(watchOf(parts, gateway)),
        card(certificateNeeds(parts, gateway)),
      ]);
      const lastDelivered = last.ok ? last.value.entries[0]?.arrivedAt : undefined;
      const of = <T>(read: (value: StatusAnswer) => T): Card<T> =>
        status.ok ? { ok: true, value: read(status.value) } : status;
      return {
        at: iso(parts.now()),
        flow: of((value) => ({ ...flowOf(value), ...(lastDelivered === undefined ? {} : { lastDelivered }) })),
        engines: of(({ engines }) => engines),
        alarms: of(({ alarms }) => alarms),
        queue: queue.ok ? of((value) => queueOf(value, queue.value)) : queue,
        today,
        disk: of(({ spool }) => ({
          freeOctets: spool.freeOctets,
          floorOctets: spool.floorOctets,
          spoolOctets: spool.octets,
        })),
        watch,
        needs: byUrgency([...(status.ok ? needsOf(status.value) : []), ...(certificates.ok ? certificates.value : [])]),
      };
    },
  };
}

const DAY_MS = 86_400_000;
const WATCH_DAYS = 7;
const MOST_DAYS = 31;

/** What was let in that the normal level would have stopped, since the owner only watches. */
async function watchOf(
  { now, zone }: RouteParts,
  gateway: ControlClient,
): Promise<Extract<Overview['watch'], { ok: true }>['value']> {
  if (!(await isWatching(gateway))) return undefined;
  const since = Math.min(await levelSince(gateway), now());
  const { span } = spanOf('day', Math.max(since, now() - (MOST_DAYS - 1) * DAY_MS), zone());
  const { groups } = await gateway.call('history.watched', { from: span.from, to: now() + DAY_MS, step: DAY_MS });
  const sum = (wanted: (group: (typeof groups)[number]) => boolean): number =>
    groups.filter(wanted).reduce((all, { messages }) => all + messages, 0);
  const days = Math.max(1, Math.ceil((now() - span.from) / DAY_MS));
  return {
    since: iso(since),
    wouldHaveBlocked: sum(() => true),
    wouldReject: sum(({ action }) => action === 'reject'),
    wouldQuarantine: sum(({ action }) => action === 'quarantine'),
    byReason: [...new Set(groups.map(({ reason }) => reason))]
      .map((reason) => ({ reason, messages: sum((group) => group.reason === reason) }))
      .toSorted((a, b) => b.messages - a.messages),
    days: Array.from({ length: days }, (_, step) => ({
      at: iso(span.from + step * DAY_MS),
      messages: sum((group) => group.step === step),
    })),
    offerSwitch: now() - since >= WATCH_DAYS * DAY_MS,
  };
}

async function card<T>(asked: Promise<T>): Promise<Card<T>> {
  try {
    return { ok: true, value: await asked };
  } catch (error) {
    return { ok: false, ...briefOf(error) };
  }
}

function queueOf(
  { spool, hops }: StatusAnswer,
  { states, oldestMs }: VerbAnswer<'queue.summary'>,
): Extract<Overview['queue'], { ok: true }>['value'] {
  const { incoming, queue, held, quarantine, corrupt } = spool.counts;
  const deferred = Math.min(queue, states.deferred);
  return {
    incoming,
    active: queue - deferred,
    deferred,
    held,
    quarantine,
    corrupt,
    ...(oldestMs === undefined ? {} : { oldestMs: Math.round(oldestMs) }),
    hopsDown: hops
      .filter(({ state }) => state === 'down')
      .map(({ hop, waiting, detail }) => ({ hop, waiting, ...(detail === undefined ? {} : { detail }) })),
  };
}

async function todayOf(
  { now, zone }: RouteParts,
  gateway: ControlClient,
): Promise<Extract<Overview['today'], { ok: true }>['value']> {
  const { span, before } = spanOf('day', now(), zone());
  const [found, earlier] = await Promise.all([
    gateway.call('history.report', span),
    gateway.call('history.report', before),
  ]);
  return {
    totals: countersOf(found.groups),
    yesterday: countersOf(earlier.groups),
    hours: seriesOf(found.groups, span).map(({ at, delivered, spam, virus, rejected }) => ({
      at: iso(at),
      delivered,
      spam,
      virus,
      rejected,
    })),
  };
}

function flowOf(status: StatusAnswer): Extract<Overview['flow'], { ok: true }>['value'] {
  const open = status.listeners.filter((listener) => listener.open);
  const lame = status.engines.filter(({ state }) => state === 'down' || state === 'starting');
  const down = status.hops.filter(({ state }) => state === 'down');
  if (status.state === 'starting')
    return { state: 'starting', text: { ja: '起動しています', en: 'Starting' }, since: status.startedAt };
  if (status.state !== 'running' || open.length === 0)
    return {
      state: 'stopped',
      text: { ja: 'メールを受け付けていません', en: 'No mail is taken' },
    };
  if (lame.length > 0)
    return {
      state: 'degraded',
      text: {
        ja: `検査エンジン（${lame.map(({ engine }) => engine).join('、')}）が使えません。メールは失われません`,
        en: `An engine is not available (${lame.map(({ engine }) => engine).join(', ')}); no mail is lost`,
      },
    };
  if (down.length > 0)
    return {
      state: 'degraded',
      text: {
        ja: `届け先のサーバー（${down.map(({ hop }) => hop).join('、')}）につながりません。メールは預かっています`,
        en: `A next server does not answer (${down.map(({ hop }) => hop).join(', ')}); its mail is kept`,
      },
    };
  return { state: 'flowing', text: { ja: 'メールは流れています', en: 'Mail is flowing' }, since: status.startedAt };
}

const URGENT: ReadonlySet<string> = new Set([
  'spool-fault',
  'disk-low',
  'engine-down',
  'mail-server-down',
  'smarthost-login',
  'internal-error',
]);

function needsOf(status: StatusAnswer): Need[] {
  const needs: Need[] = status.alarms.map(({ name, key, title, remedy }) => ({
    kind: `${name}:${key}`,
    level: URGENT.has(name) ? 'urgent' : 'soon',
    title,
    remedy,
    page: pageOf(name),
  }));
  if (status.config.problems.length > 0)
    needs.push({
      kind: 'config-problems',
      level: 'soon',
      title: {
        ja: '設定ファイルに誤りがあり、以前の設定で動いています',
        en: 'The settings file has errors; older settings run',
      },
      remedy: { ja: '設定の履歴を開いて直してください', en: 'Open the history of settings and correct it' },
      page: '/system/config',
    });
  const { corrupt, held } = status.spool.counts;
  if (corrupt > 0)
    needs.push({
      kind: 'corrupt',
      level: 'soon',
      title: { ja: `壊れたメールが ${corrupt} 通あります`, en: `${corrupt} damaged messages` },
      remedy: { ja: 'キューで確かめてください', en: 'Look at them in the queue' },
      page: '/queue?state=corrupt',
    });
  if (held > 0)
    needs.push({
      kind: 'held',
      level: 'hint',
      title: { ja: `保留中のメールが ${held} 通あります`, en: `${held} messages are on hold` },
      remedy: { ja: '送るか削除するか決めてください', en: 'Let them go or delete them' },
      page: '/queue?state=held',
    });
  return needs;
}

function byUrgency(needs: readonly Need[]): Need[] {
  return needs.toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
}

const LEVELS = ['urgent', 'soon', 'hint'];

function pageOf(alarm: string): string {
  if (alarm.startsWith('engine') || alarm === 'inspection-late' || alarm === 'signatures-old') return '/system/engines';
  if (alarm === 'mail-server-down' || alarm === 'smarthost-login') return '/domains';
  if (alarm === 'undeliverable') return '/queue?state=held';
  return '/system';
}
