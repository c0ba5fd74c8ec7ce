/** What the levels of protection (mail/protection-level.ts) mean for the people in the office, in plain sentences. */
import type { Text } from '../../base/i18n.ts';

export const LEVEL_WORDS: ReadonlyArray<{
  level: 'watch' | 'normal' | 'strict';
  title: Text;
  consequences: readonly Text[];
}> = [
  {
    level: 'watch',
    title: { ja: '見るだけ', en: 'Watch only' },
    consequences: [
      {
        ja: '迷惑メールもすべて届きます。件名に [SPAM] の印が付くだけです',
        en: 'All spam is delivered; it only gets [SPAM] in the subject',
      },
      { ja: 'ウイルスだけは隔離します', en: 'Viruses alone go to the quarantine' },
      {
        ja: 'なりすましや危険な添付ファイルも止めません',
        en: 'Forged senders and dangerous attachments are not stopped',
      },
      {
        ja: '入れ替えの最初の 1 週間など、様子を見るときに使います',
        en: 'For the first week, to see what would happen',
      },
    ],
  },
  {
    level: 'normal',
    title: { ja: '標準', en: 'Normal' },
    consequences: [
      {
        ja: '明らかな迷惑メールとウイルスは受け取らず、送信者にその場で伝えます',
        en: 'Clear spam and viruses are refused while the sender is on the line',
      },
      {
        ja: '疑わしいメールは隔離し、14 日のあいだ解放できます',
        en: 'Doubtful mail is quarantined and can be released for 14 days',
      },
      {
        ja: '実行ファイルの添付は隔離します。パスワード付き ZIP は届きます',
        en: 'Programs as attachments are quarantined; locked archives are delivered',
      },
    ],
  },
  {
    level: 'strict',
    title: { ja: '厳格', en: 'Strict' },
    consequences: [
      {
        ja: '隔離が増えます。必要なメールが隔離されることもあるので、毎日確認してください',
        en: 'More is quarantined, at times what is wanted too: look every day',
      },
      {
        ja: '実行ファイルの添付と、自社を名乗る外からのメールは受け取りません',
        en: 'Programs as attachments, and mail from outside in your own name, are refused',
      },
      {
        ja: 'パスワード付き ZIP など、中を調べられない添付は隔離します',
        en: 'Attachments that cannot be looked into, as locked archives, are quarantined',
      },
    ],
  },
];
