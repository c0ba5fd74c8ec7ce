/** The machine's own alarms: what is wrong now, seen from its state, each with what to do about it. Nothing is kept. */
import type { Text } from '../base/i18n.ts';
import type { DataTrouble } from './data-watch.ts';
import type { AdvisoryTrouble } from './advisory-watch.ts';
import type { DiskTrouble } from './disk-handlers.ts';
import type { DegradedAnswer, HostAlarm, UpdateAnswer, UpsAnswer, WatchdogAnswer } from '../control/host-shapes.ts';
import type { SignatureTrouble } from './signature-trouble.ts';
import type { ClockTrouble } from './time.ts';

interface Words {
  title: Text;
  remedy: Text;
}

const WORDS = {
  degraded: {
    title: {
      ja: '縮退運転中です（メールは 421 で待ってもらっています）',
      en: 'Degraded: mail is asked to come later (421)',
    },
    remedy: {
      ja: '理由とログを確かめ、原因を取り除いてから「システム」→「機器」の「通常運転に戻す」を選んでください。しばらくすると自動でも試します。',
      en: 'Read the reason and the log, mend the cause, then choose “Start in full” at System → Machine. The box also tries again by itself.',
    },
  },
  'no-data': {
    title: {
      ja: 'データ領域が使えません（メールは 421 で待ってもらっています）',
      en: 'The data partition cannot be used: mail is asked to come later (421)',
    },
    remedy: {
      ja: '本機を再起動してください。直らなければディスクの故障です。コンソールの「工場出荷状態に戻す」で作り直すか、ディスクを交換してイメージを書き込み、設定をバックアップから復元してください。',
      en: 'Restart the box. If it stays so the disk is broken: a factory reset at the console makes the partition anew, or replace the disk and write the image; then restore the settings from a backup.',
    },
  },
  'on-battery': {
    title: { ja: 'UPS のバッテリーで動いています', en: 'Running on the UPS battery' },
    remedy: {
      ja: '停電か、UPS への電源が切れています。残りが少なくなると受信を止め、安全に電源を切ります。',
      en: 'Mains have failed, or the UPS is unplugged. When little is left the box stops taking mail and powers off safely.',
    },
  },
  'ups-unreachable': {
    title: { ja: 'UPS と通信できません', en: 'The UPS does not answer' },
    remedy: { ja: 'UPS のケーブルを確かめてください。', en: 'Check the cable to the UPS.' },
  },
  'watchdog-reset': {
    title: { ja: '前回は異常停止から自動で再起動しました', en: 'The box was restarted after it hung or crashed' },
    remedy: {
      ja: '一度だけなら操作は不要です。繰り返すときはサポートバンドルを作り、開発元に相談してください。',
      en: 'Once needs nothing. If it comes back make a support bundle and ask the makers.',
    },
  },
  'update-fell-back': {
    title: {
      ja: '更新した版が正しく動かなかったため、前の版に戻しました',
      en: 'An update did not hold, and the box went back to the version before',
    },
    remedy: {
      ja: '前の版で正常に動いています。同じ版は自動では入れません。理由は「システム」→「更新と電源」にあります。続くときはサポートバンドルを作り、開発元に相談してください。',
      en: 'The version before runs as it did. The same version is not installed again by itself. The reason stands at System → Updates and power; tell the makers, with a support bundle.',
    },
  },
  'signatures-unasked': {
    title: {
      ja: '一日以上、新しいウイルス定義を確かめられていません',
      en: 'For more than a day nobody could say whether there are newer virus signatures',
    },
    remedy: {
      ja: 'インターネット（またはミラー）への接続とプロキシの設定を確かめてください。つながらない場所では「手動で入れる」を選べます。',
      en: 'Check the way to the Internet (or to your mirror) and the proxy. Where there is none, choose to upload them by hand.',
    },
  },
  'signatures-unfit': {
    title: {
      ja: '新しいウイルス定義に問題があったため、使っていません',
      en: 'New virus signatures are unfit and are not used',
    },
    remedy: {
      ja: '前回の正しい定義で動いています。操作は不要です。次の定義が出ると自動で試します。',
      en: 'The last good ones are in use. Nothing is to be done: the next ones are tried by themselves.',
    },
  },
  'antivirus-memory': {
    title: {
      ja: 'メモリーが足りず、ウイルス検査は試験用の定義だけで動いています',
      en: 'Too little memory: the antivirus runs with test signatures only',
    },
    remedy: {
      ja: 'メモリーを 4 GB 以上にするか、「システム」→「サービス」→「ウイルス検査」で別の機械の clamd を使うか、検査なしを選んでください。',
      en: 'Give the box 4 GB or more, or choose an antivirus on another machine, or none, at System → Services → Antivirus.',
    },
  },
  'advisory-serious': {
    title: {
      ja: '本機に含まれるソフトウェアに、直すべき弱点が見つかっています',
      en: 'Weaknesses that should be mended are known in what the box carries',
    },
    remedy: {
      ja: '「システム」→「更新と電源」で内容を確かめ、新しい版があれば入れてください。まだなければ配布元にお尋ねください。',
      en: 'Read them at System → Updates and power and install the newer version; if there is none yet, ask the makers.',
    },
  },
  'support-ended': {
    title: { ja: 'この版のサポート期限が過ぎました', en: 'The support of this version has ended' },
    remedy: {
      ja: '新しい弱点が見つかっても直されません。「システム」→「更新と電源」で新しい版を入れてください。',
      en: 'New weaknesses are not mended any more. Install a newer version at System → Updates and power.',
    },
  },
  'recovery-key-unnoted': {
    title: {
      ja: '暗号化したディスクの回復キーが、まだ書き留められていません',
      en: 'The recovery key of the encrypted disk has not been written down',
    },
    remedy: {
      ja: '本機の画面かシリアルのメニュー「ディスクの暗号化」で回復キーを書き留めてください。これがないと、鍵を失ったときにメールを取り出せません。',
      en: 'Write it down at the screen or serial line of the box, “Disk encryption” in the menu. Without it a lost key is lost mail.',
    },
  },
  'disk-key-missing': {
    title: {
      ja: 'ディスクを回復キーで開きました（いつもの鍵が使えません）',
      en: 'The disk was opened with the recovery key: its usual key is missing',
    },
    remedy: {
      ja: '鍵の USB メモリーか TPM を確かめてください。直すまでは、再起動のたびに回復キーの入力が必要です。',
      en: 'Look after the USB stick with the key, or the TPM. Until then each restart asks for the recovery key.',
    },
  },
  'update-waits-for-key': {
    title: {
      ja: '更新が、ディスクの鍵の USB メモリーを待っています',
      en: 'An update waits for the USB stick with the key of the disk',
    },
    remedy: {
      ja: 'USB メモリーを本機に挿してください。次の更新の時間帯に再起動します。挿さっていないと、再起動の途中で止まってしまうため待っています。',
      en: 'Put the stick in: the box restarts in the next hours for updates. Without it the start would stop and ask for the key.',
    },
  },
  'data-read-only': {
    title: {
      ja: 'ディスクのエラーで書き込めません（メールは一時エラーで待ってもらっています）',
      en: 'The disk has failed and takes no data: mail is asked to come later',
    },
    remedy: {
      ja: '数分後に自動で再起動し、ディスクを検査して直します（一日に一度まで）。鍵の USB メモリーを使う箱では挿してください。直らないときや繰り返すときは、設定を書き出してディスクを交換してください。',
      en: 'The box restarts by itself in a few minutes, at most once a day, and checks and mends the disk. Put the stick in if its key is on one. If that does not help or comes back, export the settings and replace the disk.',
    },
  },
  'disk-restart': {
    title: {
      ja: 'ディスクのエラーのため、自動で再起動しました',
      en: 'The box restarted itself because of a disk error',
    },
    remedy: {
      ja: 'いまは動いていますが、ディスクが壊れかけているかもしれません。設定を書き出し、ディスクの状態を確かめて、交換の準備をしてください。',
      en: 'It works again, but the disk may be dying: export the settings, look at the state of the disk, and have another ready.',
    },
  },
  'clock-untold': {
    title: {
      ja: '一日以上、どの時刻サーバーからも時刻を得られていません',
      en: 'For more than a day no time server has told the box the time',
    },
    remedy: {
      ja: 'ファイアウォールで外向きの UDP 123 番（NTP）を許すか、「システム」→「ネットワーク」で社内の時刻サーバーを指定してください。時計がずれると、証明書と署名の確認ができなくなります。',
      en: 'Let UDP port 123 (NTP) out of the firewall, or name a time server of the office at System → Network. A clock that goes wrong ends certificates and the checking of signatures.',
    },
  },
  'record-damaged': {
    title: { ja: '本体の設定ファイルが壊れていました', en: 'The machine’s own settings were damaged' },
    remedy: {
      ja: '壊れたファイルは取り分け、既定値で起動しました。ネットワークと更新の設定を見直し、ディスクを検査してください。',
      en: 'The damaged file was set aside and defaults are used. Look at network and update settings, and test the disk.',
    },
  },
} as const satisfies Record<string, Words>;

/** A fallback is news for a week; the page shows it after that too. */
const FALLBACK_NEWS_MS = 7 * 86_400_000;

interface FallbackTrouble {
  name: 'update-fell-back';
  detail: string;
  since: number;
}

export function fallbackTrouble({ lastFallback }: Pick<UpdateAnswer, 'lastFallback'>, now: number): FallbackTrouble[] {
  if (lastFallback === undefined) return [];
  const { at, version = '', reason } = lastFallback;
  const since = Date.parse(at);
  if (now - since > FALLBACK_NEWS_MS) return [];
  return [{ name: 'update-fell-back', detail: `${version} ${reason}`.trim(), since }];
}

export function hostAlarms(state: {
  degraded: DegradedAnswer | undefined;
  ups: UpsAnswer;
  watchdog: WatchdogAnswer;
  damage: string | undefined;
  startedAt: string;
  more: readonly (SignatureTrouble | AdvisoryTrouble | FallbackTrouble | DiskTrouble | DataTrouble | ClockTrouble)[];
}): HostAlarm[] {
  const { degraded, ups, watchdog, damage, startedAt } = state;
  const alarms: HostAlarm[] = [];
  const add = (name: keyof typeof WORDS, detail: string, since: string): number =>
    alarms.push({ name, key: 'host', detail, since, ...WORDS[name] });
  if (degraded !== undefined)
    add(degraded.cause === 'no-data' ? 'no-data' : 'degraded', degraded.detail, degraded.since);
  if (ups.power !== 'normal') add('on-battery', ups.status ?? '', ups.since ?? startedAt);
  if (ups.state === 'unreachable') add('ups-unreachable', ups.detail ?? '', ups.since ?? startedAt);
  const { reason, at } = watchdog.lastReset;
  if (reason === 'watchdog' || reason === 'panic') add('watchdog-reset', reason, at);
  if (reason === 'disk-error') add('disk-restart', '', at);
  if (damage !== undefined) add('record-damaged', damage, startedAt);
  for (const { name, detail, since } of state.more) add(name, detail, new Date(since).toISOString());
  return alarms;
}
