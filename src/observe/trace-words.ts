/** The sentences of a trail in both languages; `{name}` marks a value. A new event or state without words does not compile. */
import type { Text } from '../base/i18n.ts';
import type { HistoryState } from './history-api.ts';

export const STATE_WORDS: Readonly<Record<HistoryState, Text>> = {
  corrupt: { ja: '壊れているため取り分けました', en: 'damaged, set aside' },
  incoming: { ja: '受け取り済み、検査待ち', en: 'taken, waiting for inspection' },
  held: { ja: '保留中', en: 'held' },
  quarantined: { ja: '隔離中', en: 'in quarantine' },
  deferred: { ja: '再送待ち', en: 'deferred, will be tried again' },
  queued: { ja: '配送待ち', en: 'queued for delivery' },
  bounced: { ja: '不達（相手が拒否）', en: 'bounced' },
  expired: { ja: '期限切れ（届かず）', en: 'expired undelivered' },
  rejected: { ja: '受信を拒否', en: 'rejected, never taken' },
  'not-taken': {
    ja: '受け取らず再送を依頼（送信側に残っています）',
    en: 'not taken; the sender keeps it and tries again',
  },
  refused: { ja: '接続時に拒否', en: 'refused before there was a message' },
  discarded: { ja: '規則により破棄', en: 'discarded by rule' },
  deleted: { ja: '削除済み', en: 'deleted' },
  delivered: { ja: '配送済み', en: 'delivered' },
  moved: { ja: '分割されたメールへ移動', en: 'moved to a part of this message' },
};

export const TRAIL_WORDS = {
  message: { ja: '{id}（{direction}、{size} バイト）', en: '{id} ({direction}, {size} octets)' },
  inbound: { ja: '受信', en: 'inbound' },
  outbound: { ja: '送信', en: 'outbound' },
  envelopeFrom: { ja: '差出人（エンベロープ）: {sender}', en: 'Reverse-path: {sender}' },
  headerFrom: { ja: '差出人（ヘッダー）: {from}', en: 'Header From: {from}' },
  subject: { ja: '件名: {subject}', en: 'Subject: {subject}' },
  messageId: { ja: 'Message-ID: {messageId}', en: 'Message-ID: {messageId}' },
  found: { ja: '検査で分かったこと:', en: 'What was found:' },
  foundNothing: { ja: '検査の記録はありません', en: 'No findings are on record' },
  decided: { ja: '判定:', en: 'What was decided:' },
  decision: { ja: '{recipient} → {action}（{reason}）', en: '{recipient} → {action} ({reason})' },
  now: { ja: '現在:', en: 'Where it is now:' },
  recipient: { ja: '{address}: {state}', en: '{address}: {state}' },
  recipientPart: { ja: '{address}: {state}（{id}）', en: '{address}: {state} ({id})' },
  server: { ja: '相手サーバー {hop} の返答: {reply}', en: '{hop} said: {reply}' },
  reply: { ja: '返答: {reply}', en: 'Reply: {reply}' },
  related: { ja: '関連するメール:', en: 'Related messages:' },
  relative: { ja: '{id}（{why}）: {state}', en: '{id} ({why}): {state}' },
  course: { ja: '経過:', en: 'What happened:' },
  nullPath: { ja: '<>（空。エラー通知など）', en: '<> (null: a notice or DSN)' },
} as const satisfies Readonly<Record<string, Text>>;

export const WHY_WORDS = {
  root: { ja: '元のメール', en: 'the message itself' },
  split: { ja: '宛先ごとの分割', en: 'part of it' },
  release: { ja: '解放した分', en: 'released part' },
  dsn: { ja: '不達通知', en: 'DSN' },
  undeliverable: { ja: '届けられず保留した分', en: 'undeliverable part' },
  resend: { ja: '送り直した写し', en: 'copy sent again' },
} as const satisfies Readonly<Record<string, Text>>;

export const ACTION_WORDS = {
  deliver: { ja: '配送', en: 'deliver' },
  quarantine: { ja: '隔離', en: 'quarantine' },
  hold: { ja: '保留', en: 'hold' },
  reject: { ja: '拒否', en: 'reject' },
  defer: { ja: '後で判定', en: 'defer' },
  discard: { ja: '破棄', en: 'discard' },
} as const satisfies Readonly<Record<string, Text>>;

/** One sentence an event. */
export const EVENT_WORDS = {
  refused: { ja: '{client} からの通信を拒否: {reply}', en: 'Refused {client} at {stage}: {reply}' },
  received: {
    ja: '{client}（{helo}、{protocol}）から受信し、「{reply}」と返答',
    en: 'Received from {client} ({helo}, {protocol}); answered "{reply}"',
  },
  receivedLocal: { ja: 'この機器が作成', en: 'Made by this box' },
  decided: { ja: '後から検査し、判定: {reasons}', en: 'Inspected later and decided: {reasons}' },
  attempt: { ja: '{hop} へ {recipients} 宛の配送を試行', en: 'Trying {hop} for {recipients}' },
  delivered: { ja: '{hop} が {recipients} 宛を受け取りました: {reply}', en: '{hop} took it for {recipients}: {reply}' },
  deferred: {
    ja: '{recipients} 宛を延期（約 {minutes} 分後に再送）。{hop}: {reply}',
    en: 'Deferred for {recipients}, again in about {minutes} min. {hop}: {reply}',
  },
  bounced: { ja: '{recipients} 宛は不達。{hop}: {reply}', en: 'Bounced for {recipients}. {hop}: {reply}' },
  expired: { ja: '{recipients} 宛は期限切れ: {reply}', en: 'Expired for {recipients}: {reply}' },
  dsn: { ja: '（不達通知 {dsn}）', en: ' (DSN {dsn})' },
  held: { ja: '{by} が保留: {reason}', en: 'Held by {by}: {reason}' },
  derived: { ja: '{parent} から作成（{reason}）', en: 'Made from {parent} ({reason})' },
  released: { ja: '{by} が {recipients} 宛を解放', en: 'Released by {by} for {recipients}' },
  deletedOperator: { ja: '{by} が削除', en: 'Deleted by {by}' },
  deletedExpired: { ja: '保存期間が過ぎたため削除', en: 'Deleted: its days were over' },
  deletedDiscarded: { ja: '規則により破棄', en: 'Discarded by rule' },
  rerouted: { ja: '{by} が送り先を {hop} に変更', en: 'Sent by way of {hop} from now on, by {by}' },
  reroutedBack: { ja: '{by} が元の経路に戻す', en: 'Its usual way again, by {by}' },
  resent: {
    ja: '{by} が {recipients} 宛に送り直しました（{id}）',
    en: 'Sent again to {recipients} as {id} by {by}',
  },
  reportedSpam: { ja: '{by} が迷惑メールとして報告', en: 'Reported as spam by {by}' },
  reportedHam: { ja: '{by} が迷惑メールではないと報告', en: 'Reported as no spam by {by}' },
  learned: { ja: '（検査エンジンが学習しました）', en: ' (the spam engine learned it)' },
  undeleted: { ja: '{by} が削除を取り消し', en: 'Brought back by {by}' },
  corrupt: { ja: '壊れているため取り分け: {detail}', en: 'Set aside as damaged: {detail}' },
} as const satisfies Readonly<Record<string, Text>>;
