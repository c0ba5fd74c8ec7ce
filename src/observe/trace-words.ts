/** The sentences of a trail in both languages; `{name}` marks a value. A new event without words does not compile. */
import type { Text } from '../base/i18n.ts';

export const WHY_WORDS = {
  root: { ja: '元のメール', en: 'the message itself' },
  split: { ja: '宛先ごとの分割', en: 'part of it' },
  release: { ja: '解放した分', en: 'released part' },
  dsn: { ja: '不達通知', en: 'DSN' },
  undeliverable: { ja: '届けられず保留した分', en: 'undeliverable part' },
  resend: { ja: '送り直した写し', en: 'copy sent again' },
} as const satisfies Readonly<Record<string, Text>>;

/** One sentence an event. */
export const EVENT_WORDS = {
  refused: { ja: '{client} からの通信を拒否: {reply}', en: 'Refused {client} at {stage}: {reply}' },
  received: {
    ja: '{client}（{helo}、{protocol}）から受信し、「{reply}」と返答',
    en: 'Received from {client} ({helo}, {protocol}); answered "{reply}"',
  },
  wouldReject: {
    ja: '（見るだけの運転。標準なら拒否: {reason}）',
    en: ' (only watching: it would have been rejected, {reason})',
  },
  wouldQuarantine: {
    ja: '（見るだけの運転。標準なら隔離: {reason}）',
    en: ' (only watching: it would have been quarantined, {reason})',
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
