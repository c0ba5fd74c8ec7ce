/** Words about mail that stand on several pages: states, reasons, directions, engines. The closed lists of the contract. */
export const HISTORY_STATE_NAMES = {
  corrupt: { ja: '破損', en: 'Corrupt' },
  incoming: { ja: '検査待ち', en: 'Being inspected' },
  held: { ja: '保留中', en: 'Held' },
  quarantined: { ja: '隔離中', en: 'Quarantined' },
  deferred: { ja: '再送待ち', en: 'Deferred' },
  queued: { ja: '配送中', en: 'Being delivered' },
  bounced: { ja: '配送不能', en: 'Bounced' },
  expired: { ja: '期限切れ', en: 'Expired' },
  rejected: { ja: '拒否', en: 'Rejected' },
  'not-taken': { ja: '一時的に断った', en: 'Not taken yet' },
  refused: { ja: '接続を断った', en: 'Refused' },
  discarded: { ja: '破棄', en: 'Discarded' },
  deleted: { ja: '削除', en: 'Deleted' },
  delivered: { ja: '配送済み', en: 'Delivered' },
  moved: { ja: '分割', en: 'Split' },
} as const;

export const SPOOL_STATE_NAMES = {
  incoming: { ja: '検査待ち', en: 'Being inspected' },
  active: { ja: '配送中', en: 'Active' },
  deferred: { ja: '再送待ち', en: 'Deferred' },
  held: { ja: '保留中', en: 'Held' },
  quarantined: { ja: '隔離中', en: 'Quarantined' },
  corrupt: { ja: '破損', en: 'Corrupt' },
  retired: { ja: '処理済み', en: 'Retired' },
  rejected: { ja: '拒否', en: 'Rejected' },
} as const;

export const REASON_NAMES = {
  clean: { ja: '問題なし', en: 'Nothing found' },
  virus: { ja: 'ウイルス', en: 'Virus' },
  'spam-reject': { ja: '迷惑メール（拒否の点数）', en: 'Spam (score to reject)' },
  'spam-quarantine': { ja: '迷惑メール', en: 'Spam' },
  'spam-tag': { ja: '迷惑メールの疑い（印付き）', en: 'Perhaps spam (tagged)' },
  allowed: { ja: '許可リスト', en: 'Allow list' },
  blocked: { ja: '拒否リスト', en: 'Block list' },
  'dmarc-reject': { ja: '差出人のなりすまし（DMARC）', en: 'Forged sender (DMARC)' },
  'dmarc-quarantine': { ja: '差出人のなりすましの疑い（DMARC）', en: 'Perhaps a forged sender (DMARC)' },
  'own-domain-from-outside': { ja: '自社ドメインをかたる外部メール', en: 'Our own domain, from outside' },
  'suspicious-from': { ja: '不審な From', en: 'Odd From field' },
  'disguised-executable': { ja: '偽装されたプログラム', en: 'Disguised program' },
  executable: { ja: 'プログラムの添付', en: 'Program attached' },
  'encrypted-archive': { ja: 'パスワード付きの圧縮ファイル', en: 'Archive with a password' },
  unscannable: { ja: '検査できない添付', en: 'Attachment that cannot be scanned' },
  'too-complex': { ja: '構造が複雑すぎる', en: 'Too complex' },
  poison: { ja: '検査を止めてしまうメール', en: 'Stops the inspection' },
  'not-inspected': { ja: '未検査', en: 'Not inspected' },
  undeliverable: { ja: '配送不能通知の保留', en: 'Undeliverable notice' },
  operator: { ja: '担当者の操作', en: 'By an operator' },
} as const;

export const DIRECTION_NAMES = {
  inbound: { ja: '受信', en: 'Inbound' },
  outbound: { ja: '送信', en: 'Outbound' },
} as const;

export const ENGINE_STATE_NAMES = {
  starting: { ja: '起動中', en: 'Starting' },
  up: { ja: '正常', en: 'Up' },
  slow: { ja: '遅れ', en: 'Slow' },
  down: { ja: '停止', en: 'Down' },
  off: { ja: 'オフ', en: 'Off' },
} as const;

export const INSPECTOR_NAMES = {
  authentication: { ja: '送信者認証', en: 'Sender authentication' },
  antivirus: { ja: 'ウイルス検査', en: 'Antivirus' },
  spam: { ja: '迷惑メール判定', en: 'Spam' },
  structure: { ja: '構造と添付', en: 'Structure and attachments' },
} as const;

export const HOP_STATE_NAMES = {
  up: { ja: '応答あり', en: 'Up' },
  down: { ja: '応答なし', en: 'Down' },
  unknown: { ja: '未確認', en: 'Not known yet' },
} as const;

export const FIELD = {
  state: { ja: '状態', en: 'State' },
  subject: { ja: '件名', en: 'Subject' },
  from: { ja: '差出人', en: 'From' },
  to: { ja: '宛先', en: 'To' },
  reversePath: { ja: '封筒の差出人', en: 'Reverse-path' },
  recipients: { ja: '宛先', en: 'Recipients' },
  time: { ja: '時刻', en: 'Time' },
  size: { ja: 'サイズ', en: 'Size' },
  reason: { ja: '理由', en: 'Reason' },
  client: { ja: '送ってきたサーバー', en: 'Client' },
  direction: { ja: '向き', en: 'Direction' },
  id: { ja: '受付番号', en: 'Queue id' },
  messageId: { ja: 'Message-ID', en: 'Message-ID' },
  expires: { ja: '期限', en: 'Expires' },
  attempts: { ja: '試行', en: 'Attempts' },
  nextAttempt: { ja: '次の試行', en: 'Next attempt' },
  lastReply: { ja: '相手の応答', en: 'Last reply' },
  nextHop: { ja: '配送先', en: 'Next hop' },
  age: { ja: '受付', en: 'Arrived' },
  moreRecipients: { ja: 'ほか {n} 名', en: '+{n} more' },
} as const;
