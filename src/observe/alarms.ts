/**
 * Trouble of our own while it lasts: raised, counted, cleared, each with what to do about it in both languages. A name
 * without words does not compile. Nothing here is durable: after a restart what is still wrong raises itself again. What is no
 * state ends by time (`stumbles.ts`).
 */
import type { Text } from '../base/i18n.ts';
import type { AlarmName } from './events.ts';

export interface AlarmRow {
  name: AlarmName;
  /** Which instance: an engine, a host, a queue id. */
  key: string;
  /** The latest detail. */
  detail: string;
  /** Wall clock, ms. */
  first: number;
  last: number;
  count: number;
  title: Text;
  remedy: Text;
  /** Set in a row of the past. */
  cleared?: number;
}

export const ALARM_WORDS: Readonly<Record<AlarmName, { title: Text; remedy: Text }>> = {
  'engine-down': {
    title: { ja: '検査エンジンが停止しています', en: 'An inspection engine is down' },
    remedy: {
      ja: '新着メールは 451 で待ってもらっています（失われません）。エンジンの状態とメモリ・ディスクの空きを確認し、エンジンを再起動してください。',
      en: 'New mail is asked to come again (451); nothing is lost. Look at the engine’s state, free memory and disk, then restart the engine.',
    },
  },
  'engine-starting': {
    title: { ja: '検査エンジンを起動しています', en: 'An inspection engine is starting' },
    remedy: {
      ja: '通常は 5 分以内に終わります。その間のメールは受け取って検査待ちにします。終わらないときはエンジンのログを確認してください。',
      en: 'Usually over within 5 minutes; mail is taken meanwhile and inspected later. If it lasts, read the engine’s log.',
    },
  },
  'certificate-expiring': {
    title: { ja: 'メールの証明書の期限が近づいています', en: 'The certificate for mail expires soon' },
    remedy: {
      ja: '新しい証明書を取得し、システム → 証明書 で入れ替えてください。切れると、証明書を確かめる相手からのメールが遅れることがあります。',
      en: 'Get a new one and install it under System → Certificates. Once it is over, senders that check it may hold their mail back.',
    },
  },
  'signatures-old': {
    title: { ja: 'ウイルス定義が古くなっています', en: 'The virus signatures are old' },
    remedy: {
      ja: '毎日届くはずの新しい定義が、1 日以上遅れています。検査は続いていますが、新しいウイルスを見逃すおそれがあります。外への接続（DNS と HTTPS）、時計、freshclam のログを確認してください。',
      en: 'New ones come every day and are more than a day late. Mail is still scanned, but new viruses may pass. Check the way out (DNS and HTTPS), the clock, and the log of freshclam.',
    },
  },
  'disk-low': {
    title: { ja: 'ディスクの空きが足りません', en: 'The disk is nearly full' },
    remedy: {
      ja: '受信を 452 で止めています（配送は続きます）。不要なファイルや隔離メールを削除するか、ディスクを増やしてください。',
      en: 'New mail is answered 452; delivery goes on. Remove files or quarantined mail that nobody needs, or give it a larger disk.',
    },
  },
  'spool-fault': {
    title: { ja: 'スプールに書き込めません', en: 'The spool cannot be written' },
    remedy: {
      ja: 'ゲートウェイは再起動して確認をやり直します。繰り返すときはディスクの故障を疑い、カーネルのログと S.M.A.R.T. を調べて交換してください。',
      en: 'The gateway restarts and checks again. If it comes back suspect the disk: read the kernel log and S.M.A.R.T. values, and replace it.',
    },
  },
  'spool-recovered': {
    title: { ja: 'スプールの索引を作り直しました', en: 'The spool’s index was rebuilt' },
    remedy: {
      ja: '残っていたメールはすべて再び送信待ちになりました。配送済みの宛先に同じメールがもう一度届くことがあります。1 通ごとに変えた送り先は元に戻ったので、必要ならもう一度指定してください。ほかに操作は不要です。',
      en: 'All mail still present is queued again; recipients already served may get a second copy. Messages sent their own way (queue route ID) go their usual way again: say it anew if you need it. There is nothing else to do.',
    },
  },
  'corrupt-message': {
    title: { ja: '壊れたメールを取り分けました', en: 'A damaged message was set aside' },
    remedy: {
      ja: 'スプールの corrupt フォルダにあります。送信者に再送を頼んでください。続くときはディスクとメモリを検査してください。',
      en: 'It lies in the spool’s folder corrupt. Ask the sender to send it again. If more follow, test disk and memory.',
    },
  },
  'poison-message': {
    title: { ja: '検査を二度止めたメールを隔離しました', en: 'A message that stopped inspection twice is quarantined' },
    remedy: {
      ja: '不用意に解放しないでください。内容を確かめ、必要なら開発元に報告してください。',
      en: 'Do not release it lightly. Look at what it is, and report it to the makers if you can.',
    },
  },
  undeliverable: {
    title: { ja: '届けられないメールを保留しました', en: 'Undeliverable mail is held' },
    remedy: {
      ja: '差出人が確認できないか、通知そのものが戻ってきた（二重不達）ため、不達通知は送っていません。保留中のメールを見て、削除するか宛先を直して解放してください。',
      en: 'No DSN was sent: its sender is not verified, or it is a notice that came back itself (double bounce). Look at the held mail: delete it, or mend the route and release it.',
    },
  },
  'mail-server-down': {
    title: { ja: '社内メールサーバーに接続できません', en: 'The mail server cannot be reached' },
    remedy: {
      ja: 'メールはこの機器で預かっています（既定 7 日）。サーバーの電源、ネットワーク、ポートを確認してください。復帰すればすぐに配送します。',
      en: 'The box keeps the mail (7 days by default). Check the server’s power, network and port; delivery goes on as soon as it is back.',
    },
  },
  'smarthost-login': {
    title: { ja: '送信サーバー（スマートホスト）にログインできません', en: 'The smarthost refuses our login' },
    remedy: {
      ja: '外あてのメールはこの機器で預かっています（失われません）。「ドメイン」画面の「外への送り方」で、プロバイダーから渡されたユーザー名とパスワードを入れ直してください。保存するとすぐに送り直します。アカウントの停止や、パスワードの期限切れがないかも確かめてください。',
      en: 'Outgoing mail is kept here; nothing is lost. Enter user and password anew as your provider gave them (Domains, the way out): delivery goes on as soon as they are saved. Ask the provider whether the account is locked or the password has expired.',
    },
  },
  'inspection-late': {
    title: { ja: '検査が遅れています', en: 'Inspection is late' },
    remedy: {
      ja: '検査待ちのメールは検査が終わるまで届きません。エンジンの負荷とメモリを確認してください。24 時間を超えたものは保留されます。',
      en: 'Mail waiting for inspection is not delivered before it. Look at the engines’ load and memory. What waits 24 hours is held.',
    },
  },
  'config-refused': {
    title: { ja: '設定を読み込めませんでした', en: 'The configuration was refused' },
    remedy: {
      ja: '前の設定のまま動いています。表示された項目と値を直して、もう一度読み込んでください。',
      en: 'The one before stays in force. Mend the key and value named, and load it again.',
    },
  },
  'history-fault': {
    title: { ja: '履歴を記録できません', en: 'The history cannot be written' },
    remedy: {
      ja: 'メールの受信と配送には影響しません。ディスクの空きと履歴フォルダの権限を確認してください。欠けた分はログに残っています。',
      en: 'Mail is not touched by it. Check free space and the rights of the history folder; what is missing stands in the log.',
    },
  },
  'internal-error': {
    title: { ja: '内部エラーが起きました', en: 'An internal error happened' },
    remedy: {
      ja: '該当のメールは 451 で再送を待っています（失われません）。ログの該当箇所を添えて開発元に報告してください。',
      en: 'The mail concerned was answered 451 and comes again. Report it to the makers with the lines of the log around it.',
    },
  },
  'release-requested': {
    title: { ja: '利用者が隔離メールの受け取りを希望しています', en: 'Somebody asks for a quarantined message' },
    remedy: {
      ja: '隔離の画面で内容を確かめ、問題がなければ配送（解放）し、危険なら削除してください。',
      en: 'Look at it in the quarantine: release it if it is harmless, delete it if not.',
    },
  },
};

/**
 * Of these there may be hundreds at once, one for each message: one row stands for all of them. It names the newest, and
 * `count` is how often it happened to those that stand.
 */
const GROUPED: readonly AlarmName[] = ['undeliverable', 'corrupt-message', 'poison-message', 'internal-error'];

/** Do all instances of it share one row, whose key and detail are the newest's? */
export function isGrouped(name: AlarmName): boolean {
  return GROUPED.includes(name);
}

/** More instances than this at once share one row with the key `…`. */
const MAX_ACTIVE = 1_000;
const MAX_PAST = 100;

interface Standing {
  detail: string;
  times: number;
}

function timesIn(group: ReadonlyMap<string, Standing>): number {
  return group.values().reduce((sum, { times }) => sum + times, 0);
}

export interface AlarmBoard {
  /** The row when it was not standing before, undefined when it was only counted. */
  raise(name: AlarmName, key: string, told: { detail: string; at: number }): AlarmRow | undefined;
  /** The row that ended, undefined when none stood. */
  clear(name: AlarmName, key: string, at: number): AlarmRow | undefined;
  /** Standing now, oldest first. Copies. */
  active(): AlarmRow[];
  /** Cleared ones, newest first, the last 100. */
  past(): AlarmRow[];
  count(name: AlarmName): number;
}

export function createAlarmBoard(): AlarmBoard {
  const active = new Map<string, AlarmRow>();
  const past: AlarmRow[] = [];
  const groups = new Map<AlarmName, Map<string, Standing>>();
  const label = (name: AlarmName, key: string): string => `${name}\u0000${isGrouped(name) ? '' : key}`;

  /** The standing ones of a group, the newest last. */
  function groupOf(name: AlarmName): Map<string, Standing> {
    const group = groups.get(name) ?? new Map<string, Standing>();
    groups.set(name, group);
    return group;
  }

  function raiseGrouped(
    name: AlarmName,
    key: string,
    { detail, at }: { detail: string; at: number },
  ): AlarmRow | undefined {
    const group = groupOf(name);
    const times = (group.get(key)?.times ?? 0) + 1;
    group.delete(key);
    group.set(key, { detail, times });
    for (const [oldest] of group) if (group.size > MAX_ACTIVE) group.delete(oldest);
    const standing = active.get(label(name, key));
    const said = { key, detail, last: at, count: timesIn(group) };
    if (standing !== undefined) {
      Object.assign(standing, said);
      return undefined;
    }
    const row: AlarmRow = { name, first: at, ...said, ...ALARM_WORDS[name] };
    active.set(label(name, key), row);
    return { ...row };
  }

  /** True when none of the group stands any more. */
  function clearGrouped(row: AlarmRow, key: string): boolean {
    const group = groupOf(row.name);
    if (!group.delete(key)) return false; // asked for each message that leaves
    const newest = [...group].at(-1);
    if (newest !== undefined) Object.assign(row, { key: newest[0], detail: newest[1].detail, count: timesIn(group) });
    return newest === undefined;
  }

  return {
    raise: (name, asked, { detail, at }) => {
      if (isGrouped(name)) return raiseGrouped(name, asked, { detail, at });
      const key = active.has(label(name, asked)) || active.size < MAX_ACTIVE ? asked : '…';
      const standing = active.get(label(name, key));
      if (standing !== undefined) {
        Object.assign(standing, { detail, last: at, count: standing.count + 1 });
        return undefined;
      }
      const row: AlarmRow = { name, key, detail, first: at, last: at, count: 1, ...ALARM_WORDS[name] };
      active.set(label(name, key), row);
      return { ...row };
    },
    clear: (name, key, at) => {
      const row = active.get(label(name, key));
      if (row === undefined) return undefined;
      if (isGrouped(name) && !clearGrouped(row, key)) return undefined;
      active.delete(label(name, key));
      row.cleared = at;
      past.unshift(row);
      past.length = Math.min(past.length, MAX_PAST);
      return { ...row };
    },
    active: () => [...active.values()].map((row) => ({ ...row })),
    past: () => past.map((row) => ({ ...row })),
    count: (name) => groups.get(name)?.size ?? [...active.values()].filter((row) => row.name === name).length,
  };
}
