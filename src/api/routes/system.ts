/** The box besides mail and machine: what leaves the box, what is kept of people, uploads of updates. */
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { HostClient } from '../../control/host-client.ts';
import type { Answer } from '../contract/client.ts';
import type { Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import type { RouteParts } from './parts.ts';
import { setAll, settingAt, UNCHANGED } from './settings.ts';

type Ids = 'outward.list' | `privacy.${'show' | 'update'}` | 'update.upload';

const CLAMAV = 'database.clamav.net';
/** Of one uploaded update, in all. */
const MOST_UPDATE_OCTETS = 2 * 1024 * 1024 * 1024;
/** One that nobody wrote on for so long was given up, or was no use: each may be as large as a system. */
const GIVEN_UP_MS = 86_400_000;

export function systemHandlers(parts: RouteParts, inbox: string): Some<Ids> {
  const { desk } = parts;
  return {
    'outward.list': async ({ gateway, host }) => {
      const [zones, servers, smarthost, machine] = await Promise.all([
        settingAt<Array<{ zone: string }>>(gateway, 'accept.dnsbl.zones'),
        settingAt<string[]>(gateway, 'dns.servers'),
        settingAt<{ host: string } | undefined>(gateway, 'outbound.smarthost'),
        machineSources(host),
      ]);
      return {
        items: outwardItems({
          zones: zones.map(({ zone }) => zone),
          servers,
          smarthost: smarthost?.host,
          acme: desk.acme()?.directory,
          ...machine,
        }),
      };
    },
    'privacy.show': async ({ gateway }) => {
      const [history, quarantine] = await Promise.all([
        settingAt<{ days: number; subjects: boolean }>(gateway, 'history'),
        settingAt<{ days: number }>(gateway, 'quarantine'),
      ]);
      return {
        historyDays: history.days,
        quarantineDays: quarantine.days,
        auditDays: 0,
        subjects: history.subjects,
        kept: keptItems(history, quarantine.days),
      };
    },
    'privacy.update': async ({ gateway, body }) => {
      const { historyDays, quarantineDays, subjects } = body;
      const settings: Array<[string, unknown]> = [
        ['history.days', historyDays],
        ['quarantine.days', quarantineDays],
        ['history.subjects', subjects],
      ];
      const wanted = settings.filter(([, value]) => value !== undefined);
      return wanted.length === 0 ? UNCHANGED : setAll(gateway, wanted);
    },
    'update.upload': async ({ body }) => {
      const octets = Buffer.from(body.data, 'base64');
      if (body.offset + octets.length > MOST_UPDATE_OCTETS) throw new ApiProblem(413, 'TOO_LARGE');
      await mkdir(inbox, { recursive: true, mode: 0o750 });
      if (body.offset === 0) await forgetUploads(inbox, parts.now());
      // the name is checked by the contract: one plain component
      const file = await open(path.join(inbox, body.file), body.offset === 0 ? 'w' : 'r+', 0o640);
      try {
        const { size } = await file.stat();
        if (size < body.offset) throw new ApiProblem(409, 'WRONG_STATE');
        await file.truncate(body.offset);
        await file.write(octets, 0, octets.length, body.offset);
        await file.sync();
      } finally {
        await file.close();
      }
      return { octets: body.offset + octets.length };
    },
  };
}

/** What was laid there and never used. */
export async function forgetUploads(inbox: string, now: number): Promise<void> {
  for (const name of await readdir(inbox)) {
    const about = await stat(path.join(inbox, name)).catch(() => undefined);
    if (about !== undefined && now - about.mtimeMs > GIVEN_UP_MS) await rm(path.join(inbox, name), { force: true });
  }
}

/** Where the machine itself reads; while the host does not answer, what a new box does. */
async function machineSources(
  host: HostClient,
): Promise<{ signatures: string | undefined; updates: string; maps: string }> {
  try {
    const [{ settings: antivirus }, update, maps] = await Promise.all([
      host.call('signatures.show', {}),
      host.call('update.show', {}),
      host.call('maps.show', {}),
    ]);
    const offline = antivirus.source === 'offline';
    const own = antivirus.source === 'mirror' ? antivirus.mirror : undefined;
    return {
      signatures: offline ? undefined : (own ?? CLAMAV),
      updates: update.settings.source,
      maps: maps.settings.source,
    };
  } catch {
    return { signatures: CLAMAV, updates: '', maps: '' };
  }
}

function outwardItems(known: {
  zones: string[];
  servers: string[];
  smarthost: string | undefined;
  acme: string | undefined;
  signatures: string | undefined;
  updates: string;
  maps: string;
}): Answer<'outward.list'>['items'] {
  const { zones, servers, smarthost, acme, signatures, updates, maps } = known;
  return [
    {
      name: 'dns',
      title: { ja: 'DNS の問い合わせ', en: 'DNS questions' },
      text: {
        ja: 'メールの配送先、SPF・DKIM・DMARC の確認のため、ドメイン名と接続元の IP アドレスを問い合わせます',
        en: 'Domains and client addresses are asked about, to deliver mail and to check SPF, DKIM and DMARC',
      },
      to: servers,
      on: true,
      setting: 'dns.servers',
    },
    {
      name: 'dnsbl',
      title: { ja: 'DNS ブロックリスト', en: 'DNS blocklists' },
      text: {
        ja: '接続してきた相手の IP アドレスを、選んだリストの運営者に知らせます',
        en: 'The address of each client is told to the lists you chose',
      },
      to: zones,
      on: zones.length > 0,
      setting: 'accept.dnsbl.zones',
    },
    {
      name: 'smarthost',
      title: { ja: '送信の中継サーバー', en: 'Smarthost' },
      text: { ja: '外へ出るメールはすべてここを通ります', en: 'All outgoing mail goes through it' },
      to: smarthost === undefined ? [] : [smarthost],
      on: smarthost !== undefined,
      setting: 'outbound.smarthost',
    },
    {
      name: 'acme',
      title: { ja: '証明書の自動発行 (ACME)', en: 'Certificates by ACME' },
      text: {
        ja: '本機の名前とメールアドレスを発行者に知らせ、証明書を受け取ります。「システム」の「証明書」で切り替えます',
        en: 'The names of the box and your address are told to the issuer; switched under “System”, “Certificates”',
      },
      to: acme === undefined ? [] : [acme],
      on: acme !== undefined,
    },
    {
      name: 'signatures',
      title: { ja: 'ウイルス定義の更新', en: 'Virus signatures' },
      text: {
        ja: 'freshclam が ClamAV の配布元から定義を取得します。メールの内容は送りません',
        en: 'freshclam fetches them from ClamAV’s mirrors; nothing of any mail is sent',
      },
      to: signatures === undefined ? [] : [signatures],
      on: signatures !== undefined,
    },
    {
      name: 'updates',
      title: { ja: '本体の更新と既知の弱点の一覧', en: 'Updates, and the list of known weaknesses' },
      text: {
        ja: '一日に一度、入手先から新しい版の知らせと一覧を読みます。本機について何も送りません',
        en: 'Once a day the source is read for a newer version and for the list; nothing about the box is sent',
      },
      to: updates === '' ? [] : [updates],
      on: updates !== '',
    },
    {
      name: 'maps',
      title: { ja: '迷惑メール判定の自社リスト', en: 'Own lists for the spam filter' },
      text: {
        ja: '一時間に一度、設定した場所からリストを読みます。メールの内容は送りません',
        en: 'Once an hour the lists are read from the place you chose; nothing of any mail is sent',
      },
      to: maps === '' ? [] : [maps],
      on: maps !== '',
    },
  ];
}

function keptItems(
  history: { days: number; subjects: boolean },
  quarantineDays: number,
): Answer<'privacy.show'>['kept'] {
  return [
    {
      what: {
        ja: `履歴: 日時、差出人、宛先${history.subjects ? '、件名' : ''}、サイズ、判定、相手のサーバー`,
        en: `History: time, sender, recipients${history.subjects ? ', subject' : ''}, size, verdict, the other server`,
      },
      days: history.days,
      setting: 'history.days',
    },
    {
      what: { ja: '隔離したメールの全文', en: 'Quarantined mail, whole' },
      days: quarantineDays,
      setting: 'quarantine.days',
    },
    {
      what: {
        ja: '判定の誤りとして報告されたメールの見本（種類ごとに新しい順で 500 通まで）',
        en: 'Samples of mail reported as wrongly judged (the newest 500 of each kind)',
      },
    },
    { what: { ja: '配送待ちのメールの全文（配送が終わるまで）', en: 'Mail on its way, whole, until it is delivered' } },
    {
      what: {
        ja: '監査記録: 誰がいつ何を変え、どのメールの本文を読んだか（消せません）',
        en: 'Audit: who changed what, and who read which mail; it cannot be deleted',
      },
    },
  ];
}
