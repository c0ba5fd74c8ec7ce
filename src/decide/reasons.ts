/**
 * The words for every reason and action, in both languages: a short label for tables and headers of pages, and a sentence
 * that a person without knowledge of mail understands. A new reason without words does not compile. Pure.
 */
import type { Language, Text } from '../base/i18n.ts';
import type { Action, Reason } from '../mail/decision.ts';

interface Words {
  /** A few words, no full stop. */
  label: Text;
  /** Which rule decided, as a full sentence. */
  sentence: Text;
}

export const REASON_WORDS: Readonly<Record<Reason, Words>> = {
  clean: {
    label: { ja: '問題なし', en: 'nothing wrong' },
    sentence: {
      ja: '設定で問題とされているものは何も見つかりませんでした。',
      en: 'Nothing was found that the settings object to.',
    },
  },
  virus: {
    label: { ja: 'ウイルス', en: 'virus' },
    sentence: { ja: 'ウイルスが見つかりました。', en: 'A virus was found.' },
  },
  'spam-reject': {
    label: { ja: '迷惑メール（受信拒否の基準以上）', en: 'spam, at or over the refusal threshold' },
    sentence: {
      ja: '迷惑メールの点数が受信拒否の基準以上でした。',
      en: 'The spam score reached the threshold for refusing.',
    },
  },
  'spam-quarantine': {
    label: { ja: '迷惑メール（隔離の基準以上）', en: 'spam, at or over the quarantine threshold' },
    sentence: {
      ja: '迷惑メールの点数が隔離の基準以上でした。',
      en: 'The spam score reached the threshold for quarantine.',
    },
  },
  'spam-tag': {
    label: { ja: '迷惑メールの疑い（件名に印）', en: 'possible spam, tagged' },
    sentence: {
      ja: '迷惑メールの点数が、件名に印を付ける基準以上でした。',
      en: 'The spam score reached the threshold for tagging the subject.',
    },
  },
  allowed: {
    label: { ja: '許可リスト', en: 'on the allow list' },
    sentence: {
      ja: '迷惑メールの点数は基準以上でしたが、差出人が許可リストにあり、本物と確認できたので届けました。',
      en: 'The spam score was high, but its sender is on the allow list and shown to be genuine.',
    },
  },
  blocked: {
    label: { ja: '拒否リスト', en: 'on the block list' },
    sentence: { ja: '差出人が拒否リストにあります。', en: 'Its sender is on the block list.' },
  },
  'dmarc-reject': {
    label: { ja: 'DMARC により拒否', en: 'refused by DMARC' },
    sentence: {
      ja: '差出人のドメインは「本物と確認できないメールは拒否してほしい」と公開していて、このメールは確認できませんでした。',
      en: "The author's domain asks everyone to refuse mail that cannot be shown to be its own, and this mail could not.",
    },
  },
  'dmarc-quarantine': {
    label: { ja: 'DMARC により隔離', en: 'quarantined by DMARC' },
    sentence: {
      ja: '差出人のドメインは本物と確認できないメールを信用しないよう公開していて、このメールは確認できませんでした。',
      en: "The author's domain asks everyone to distrust mail that cannot be shown to be its own, and this mail could not.",
    },
  },
  'own-domain-from-outside': {
    label: { ja: '自社ドメインのなりすましの疑い', en: 'own domain, sent from outside' },
    sentence: {
      ja: '差出人は自社のドメインを名乗っていますが、外部から届き、本物と確認できるものがありませんでした。',
      en: 'It claims to come from your own domain, but it came from outside and nothing shows that it is genuine.',
    },
  },
  'suspicious-from': {
    label: { ja: '差出人の欄が不正', en: 'suspicious From field' },
    sentence: {
      ja: '差出人（From）の欄がない、複数ある、または壊れています。なりすましに使われる手口です。',
      en: 'Its From field is missing, doubled or malformed, which is a way to fake an author.',
    },
  },
  'disguised-executable': {
    label: { ja: '偽装された実行ファイル', en: 'disguised program' },
    sentence: {
      ja: '添付ファイルの一つは、無害な名前を付けたプログラムです。',
      en: 'One attachment is a program that hides behind a harmless name.',
    },
  },
  executable: {
    label: { ja: '実行ファイル', en: 'program or script' },
    sentence: {
      ja: '添付ファイルの一つは、開くと動作するプログラムまたはスクリプトです。',
      en: 'One attachment is a program or script that runs when it is opened.',
    },
  },
  'encrypted-archive': {
    label: { ja: 'パスワード付き圧縮ファイル', en: 'locked archive' },
    sentence: {
      ja: '添付の圧縮ファイルにパスワードがかかっていて、中を検査できません。',
      en: 'An attached archive is locked with a password, so its content cannot be checked.',
    },
  },
  unscannable: {
    label: { ja: '検査できない添付', en: 'unscannable content' },
    sentence: {
      ja: '検査の上限を超えているか壊れているため、中を検査できない部分があります。',
      en: 'Part of it is beyond the limits of checking, or damaged, so its content cannot be checked.',
    },
  },
  'too-complex': {
    label: { ja: '構造が複雑すぎる', en: 'too complex' },
    sentence: {
      ja: 'メールの構造が複雑すぎて、最後まで検査できません。',
      en: 'The message is built in too complex a way to be checked to its end.',
    },
  },
  poison: {
    label: { ja: '検査プログラムを停止させるメール', en: 'poison' },
    sentence: {
      ja: 'このメールを検査すると、検査プログラムが二度止まりました。',
      en: 'The checking program stopped twice on this message.',
    },
  },
  'not-inspected': {
    label: { ja: '未検査', en: 'not inspected' },
    sentence: {
      ja: '必要な検査がまだ終わっていません。検査が済むまで届けません。',
      en: 'A check that is needed could not be made yet. Nothing is delivered unchecked.',
    },
  },
  undeliverable: {
    label: { ja: '配送不能', en: 'undeliverable' },
    sentence: {
      ja: '届けられませんでした。送信者が本物と確認できないため、不達通知は送らず保留しています。',
      en: 'It could not be delivered, and its sender is not verified, so it is held instead of answered.',
    },
  },
  operator: {
    label: { ja: '管理者の操作', en: 'by an operator' },
    sentence: { ja: '管理者の操作によるものです。', en: 'An operator said so.' },
  },
};

export const ACTION_WORDS: Readonly<Record<Action, Words>> = {
  deliver: {
    label: { ja: '配送', en: 'deliver' },
    sentence: { ja: '受信者のメールサーバーへ届けます。', en: "It goes to the recipient's mail server." },
  },
  quarantine: {
    label: { ja: '隔離', en: 'quarantine' },
    sentence: {
      ja: '隔離しました。受信者には届きません。送信者には知らせません。',
      en: 'It is in quarantine. The recipient does not get it, and the sender is not told.',
    },
  },
  hold: {
    label: { ja: '保留', en: 'hold' },
    sentence: {
      ja: '保留しています。管理者が決めるまで届かず、期限で消えることもありません。',
      en: 'It is held until an operator decides. Held mail never expires.',
    },
  },
  reject: {
    label: { ja: '拒否', en: 'reject' },
    sentence: {
      ja: '受け取りを拒否しました。相手の送信サーバーが送信者に知らせます。',
      en: 'It was refused. The sending server knows of it and tells the sender.',
    },
  },
  defer: {
    label: { ja: '延期', en: 'defer' },
    sentence: {
      ja: '今は受け取らず、あとで送り直すよう相手に求めました。受け取り済みの分は、検査できるまで手元に置きます。',
      en: 'The sending server was asked to try again later; what was already taken is kept until it can be checked.',
    },
  },
  discard: {
    label: { ja: '破棄', en: 'discard' },
    sentence: {
      ja: '受け取ったうえで破棄しました。記録は残っています。',
      en: 'It was taken and thrown away. The record of it remains.',
    },
  },
};

export function reasonLabel(reason: Reason, language: Language): string {
  return REASON_WORDS[reason].label[language];
}

export function reasonSentence(reason: Reason, language: Language): string {
  return REASON_WORDS[reason].sentence[language];
}

export function actionLabel(action: Action, language: Language): string {
  return ACTION_WORDS[action].label[language];
}

export function actionSentence(action: Action, language: Language): string {
  return ACTION_WORDS[action].sentence[language];
}
