/** What the portal says, in both languages. The page opens in the office's language; the other is one link away. */
import type { Text } from '../base/i18n.ts';

export const WORDS = {
  title: { ja: '保管中のメール', en: 'Mail kept for you' },
  intro: {
    ja: '{recipient} 宛で、迷惑メールなどの疑いがあるため届けずに保管しているメールです。',
    en: 'Mail to {recipient} that was not delivered because it looks like spam or worse.',
  },
  nothing: {
    ja: '保管中のメールはありません。届いていないメールがある場合は、システム管理者にお尋ねください。',
    en: 'Nothing is kept for you. If mail is missing, ask your system administrator.',
  },
  more: { ja: '新しいものから 200 通を表示しています。', en: 'The newest 200 are shown.' },
  from: { ja: '差出人', en: 'From' },
  subject: { ja: '件名', en: 'Subject' },
  received: { ja: '受信', en: 'Received' },
  why: { ja: '理由', en: 'Why' },
  deletedAt: { ja: '自動削除', en: 'Deleted on' },
  noSubject: { ja: '（件名なし）', en: '(no subject)' },
  noText: { ja: '表示できる本文がありません。', en: 'There is no text to show.' },
  cut: { ja: '（続きがあります）', en: '(there is more)' },
  content: { ja: '本文（文字だけを表示しています。画像とリンクは無効です）', en: 'Text only: no images, no links' },
  back: { ja: '一覧へ戻る', en: 'Back to the list' },
  release: { ja: '受け取る', en: 'Deliver to me' },
  releaseHint: {
    ja: '押すと、このメールがあなたのメールボックスに届きます。',
    en: 'The message will be delivered to your mailbox.',
  },
  ask: { ja: '管理者に受け取りを頼む', en: 'Ask the administrator for it' },
  askHint: {
    ja: 'このメールは、管理者が確かめてからでないと受け取れません。',
    en: 'An administrator has to look at this message first.',
  },
  asked: { ja: '管理者に依頼済みです。', en: 'You asked the administrator for it.' },
  released: {
    ja: '受け取りました。数分でメールボックスに届きます。',
    en: 'Done. It will be in your mailbox within minutes.',
  },
  releasedBefore: { ja: 'このメールはすでに受け取り済みです。', en: 'This message was delivered to you before.' },
  askedNow: {
    ja: '管理者に伝えました。確認が済むと届きます。',
    en: 'The administrator was told. It will be delivered once it has been looked at.',
  },
  expires: { ja: 'このページのリンクは {time} まで使えます。', en: 'This link works until {time}.' },
  badLink: {
    ja: 'このリンクは使えません。有効期限が切れているか、途中で切れています。最新のお知らせメールのリンクを開いてください。',
    en: 'This link does not work: it is too old, or was cut. Open the link of your newest digest mail.',
  },
  gone: {
    ja: 'このメールはもう保管されていません。受け取り済みか、削除されています。',
    en: 'This message is no longer kept: it was delivered or deleted.',
  },
  notAllowed: {
    ja: 'このメールは管理者だけが配送できます。一覧へ戻り、管理者に頼んでください。',
    en: 'Only the administrator may deliver this message. Go back and ask for it.',
  },
  trouble: {
    ja: '今は表示できません。しばらくしてからもう一度開いてください。メールは失われません。',
    en: 'This cannot be shown right now. Open it again in a few minutes; no mail is lost.',
  },
  tooMany: {
    ja: '正しくないリンクが続けて開かれました。しばらくしてからお試しください。',
    en: 'Too many wrong links. Try again in a few minutes.',
  },
  notFound: { ja: 'このページはありません。', en: 'There is no such page.' },
  otherSite: {
    ja: '別のサイトからの操作は受け付けません。お知らせメールのリンクから開き直してください。',
    en: 'Actions from another site are refused. Open the link of your digest mail again.',
  },
  language: { ja: 'English', en: '日本語' },
} as const satisfies Record<string, Text>;
