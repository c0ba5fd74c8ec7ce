/**
 * Trouble told to the owner by mail (`alerts.to`): nobody looks at a page for years. Looked at every minute: an alarm of the mail path
 * or of the machine that has stood for a minute is told once, with what to do; when it is over that is told too, and what stands for
 * a day is told again. At most one mail in fifteen minutes, whatever happens. Who is new on the list gets a mail at once, and so knows
 * that it works. What was told is on record after the mail is in the spool: a cut at worst tells something twice.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { Text } from '../base/i18n.ts';
import { localTime } from '../base/time-zone.ts';
import type { Config } from '../config/schema.ts';
import type { HostAlarm } from '../control/host-shapes.ts';
import { relayDomainOf } from '../deliver/route.ts';
import { domainOf, type ForwardPath, parseForwardPath, parseReversePath } from '../mail/address.ts';
import { type AlertItem, composeAlert } from '../mail/alert.ts';
import { safeText } from '../mail/safe-text.ts';
import { type AlarmRow, isGrouped } from '../observe/alarms.ts';
import type { Observe } from '../observe/events.ts';
import type { Spool } from '../spool/api.ts';
import { putOwnMail } from '../spool/own-mail.ts';

export interface AlertParts {
  data: string;
  spool: Pick<Spool, 'begin'>;
  observe: Pick<Observe, 'emit'> & { alarms(): AlarmRow[] };
  clock: Clock;
  config: () => Config;
  /** The machine's; undefined where there is none. */
  host: { call(verb: 'host.status', input: object): Promise<{ alarms: HostAlarm[] }> } | undefined;
}

const SETTLE_MS = 60_000;
const GAP_MS = 15 * 60_000;
const SURE_MS = 10 * 60_000;
const REMIND_MS = 24 * 3_600_000;
const MOST_DETAILS = 5;
const MOST_TOLD = 2_000;
/** Comes and goes with each start. */
const UNTOLD: ReadonlySet<string> = new Set(['engine-starting']);

interface Standing {
  /** `mail/engine-down/clamd`, `mail/undeliverable` (one for all of them), `host/on-battery/host` */
  id: string;
  kind: string;
  title: Text;
  remedy: Text;
  detail: string;
  /** Others that this one stands for. */
  more: number;
  since: number;
}

const stateSchema = z.object({
  lastAt: z.number(),
  to: z.array(z.string()),
  told: z.array(z.object({ id: z.string(), kind: z.string(), title: z.object({ ja: z.string(), en: z.string() }) })),
});
type State = z.output<typeof stateSchema>;

/** Mails written by one look. */
export function createAlertRun(parts: AlertParts): () => Promise<number> {
  const file = path.join(parts.data, 'alerts.json');
  const begun = parts.clock.monotonic();
  return async () => {
    const to = parts
      .config()
      .alerts.to.map(parseForwardPath)
      .filter((one) => one !== undefined);
    if (to.length === 0) return 0;
    const state = await readState(file);
    const now = parts.clock.wall();
    const standing = await standingNow(parts, state);
    const added = to.filter((address) => !state.to.includes(address));
    if (added.length > 0) {
      await send(parts, { to: added, fresh: [], standing, over: [], welcome: true });
      // whoever was on the list before has not heard of what is new
      const heard = added.length === to.length;
      await writeState(file, heard ? { lastAt: now, to, told: toldOf(standing) } : { ...state, to });
      return 1;
    }
    const known = new Set(state.told.map(({ id }) => id));
    const present = new Set(standing.map(({ id }) => id));
    const settled = standing.filter(({ id, since }) => known.has(id) || now - since >= SETTLE_MS);
    const fresh = settled.filter(({ id }) => !known.has(id));
    const kinds = new Set(standing.map(({ kind }) => kind));
    // alarms are not kept over a restart: what is still wrong says so within some minutes
    const sure = parts.clock.monotonic() - begun >= SURE_MS;
    const over = sure ? state.told.filter(({ id, kind }) => !present.has(id) && !kinds.has(kind)) : [];
    // a clock that was set back starts anew
    const since = state.lastAt > now ? Number.POSITIVE_INFINITY : now - state.lastAt;
    const remind = settled.length > 0 && since >= REMIND_MS;
    if ((fresh.length === 0 && over.length === 0 && !remind) || since < GAP_MS) return 0;
    const old = settled.filter(({ id }) => known.has(id));
    await send(parts, { to, fresh, standing: old, over: titlesOf(over), welcome: false });
    const unsure = sure ? [] : state.told.filter(({ id }) => !present.has(id));
    await writeState(file, { lastAt: now, to, told: [...toldOf(settled), ...unsure] });
    return 1;
  };
}

/** While the host is away, what was told of it still stands. */
async function standingNow({ observe, host: machine }: AlertParts, state: State): Promise<Standing[]> {
  const own = observe.alarms().map(({ name, key, first, count, ...row }) => {
    const grouped = isGrouped(name);
    const id = grouped ? `mail/${name}` : `mail/${name}/${key}`;
    return { ...row, id, kind: name, more: grouped ? count - 1 : 0, since: first };
  });
  let host: Standing[] = [];
  try {
    const rows = await machine?.call('host.status', {});
    host = (rows?.alarms ?? []).map(({ name, key, since, ...row }) => {
      return { ...row, id: `host/${name}/${key}`, kind: name, more: 0, since: Date.parse(since) };
    });
  } catch {
    const told = state.told.filter(({ id }) => id.startsWith('host/'));
    host = told.map((one) => ({ ...one, remedy: { ja: '', en: '' }, detail: '', more: 0, since: 0 }));
  }
  return [...own, ...host].filter(({ kind }) => !UNTOLD.has(kind));
}

async function send(
  parts: AlertParts,
  about: {
    to: readonly ForwardPath[];
    fresh: readonly Standing[];
    standing: readonly Standing[];
    over: readonly Text[];
    welcome: boolean;
  },
): Promise<void> {
  const { clock } = parts;
  const config = parts.config();
  const { hostname, language } = config;
  const author = parseReversePath(`postmaster@${config.domains[0]?.name ?? hostname}`);
  if (author === undefined) return;
  const message = composeAlert({
    language,
    hostname,
    author,
    recipients: about.to,
    now: new Date(clock.wall()),
    fresh: itemsOf(about.fresh),
    standing: itemsOf(about.standing),
    over: about.over,
    welcome: about.welcome,
    token: randomBytes(16).toString('hex'),
  });
  const ours = about.to.every((address) => relayDomainOf(domainOf(address) ?? '', config) !== undefined);
  await putOwnMail(parts, {
    author,
    recipients: about.to,
    message,
    subject: language === 'ja' ? '管理者への警告メール' : 'Alert to the owner',
    direction: ours ? 'inbound' : 'outbound',
    hostname,
    // "the disk is nearly full" is told while it is
    belowFloor: true,
  });
}

function itemsOf(rows: readonly Standing[]): AlertItem[] {
  return [...Map.groupBy(rows, ({ kind }) => kind).values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const since = Math.min(...group.map((one) => one.since));
    return [
      {
        title: first.title,
        remedy: first.remedy,
        since: localTime(since).text,
        details: group.slice(0, MOST_DETAILS).map(({ detail }) => safeText(detail, 300)),
        more: Math.max(0, group.length - MOST_DETAILS) + group.reduce((sum, { more }) => sum + more, 0),
      },
    ];
  });
}

function toldOf(rows: readonly Standing[]): State['told'] {
  return rows.slice(0, MOST_TOLD).map(({ id, kind, title }) => ({ id, kind, title }));
}

function titlesOf(rows: State['told']): Text[] {
  return [...new Map(rows.map(({ kind, title }) => [kind, title])).values()];
}

/** A record that is missing or torn costs a mail too many, never one too few. */
async function readState(file: string): Promise<State> {
  const nothing: State = { lastAt: 0, to: [], told: [] };
  try {
    return stateSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    const code = errorCode(error);
    if (code !== undefined && code !== 'ENOENT') throw error;
    return nothing;
  }
}

async function writeState(file: string, state: State): Promise<void> {
  await writeFileAtomic(file, JSON.stringify(state), { mode: 0o600 });
}
