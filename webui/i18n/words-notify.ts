/** Words of the card about recipients: the mail that tells them what was kept back, and their own page. */
export const NOTIFY = {
  title: { ja: '利用者へのお知らせ', en: 'Telling the recipients' },
  intro: {
    ja: '隔離したメールを宛先の本人に知らせると、管理者への問い合わせが減ります。新しく隔離したものがある人にだけ送ります。',
    en: 'Recipients who know what was kept back ask less. Only those with something new get this mail.',
  },
  digest: { ja: '隔離のお知らせメールを送る', en: 'Send a digest of quarantined mail' },
  at: { ja: '送る時刻（例: 08:30, 13:00）', en: 'Times of day (08:30, 13:00)' },
  atHint: {
    ja: '「システム」の「時刻」で選んだタイムゾーンの時刻です',
    en: 'In the zone chosen under “System”, “Time”',
  },
  portal: { ja: '利用者ページを使う', en: 'Offer a page of their own' },
  portalText: {
    ja: 'お知らせメールのリンクから、パスワードなしで自分宛の隔離メールだけを見られます。',
    en: 'A link in the digest shows each recipient their own quarantined mail, without a password, and nothing else.',
  },
  reach: { ja: '開ける場所', en: 'Who can open it' },
  reachHint: {
    ja: 'ポート 8443 です。社外でも開けるようにするには、ルーターでもこのポートを本機へ転送してください。',
    en: 'It is port 8443. To open it from outside the office, forward that port to the box at your router too.',
  },
  inside: { ja: '社内のネットワークだけ', en: 'Only the networks inside' },
  everywhere: { ja: 'どこからでも', en: 'Everybody' },
  url: { ja: '利用者ページの URL', en: 'Address of that page' },
  urlHint: {
    ja: '利用者のブラウザーから開ける https:// のアドレスです（例: https://mail.office.example:8443）',
    en: 'As browsers of the recipients reach it, with https:// (https://mail.office.example:8443)',
  },
  urlNeeded: {
    ja: 'URL を入れるまで、お知らせメールにリンクは付きません。',
    en: 'Without an address the digest holds no links.',
  },
  noLinks: {
    ja: 'リンクのないお知らせになります。必要なメールは管理者に頼むことになります。',
    en: 'The digest will hold no links: whoever needs a message asks the administrator.',
  },
  selfRelease: { ja: '本人が受け取れるメール', en: 'What recipients may deliver to themselves' },
  spam: { ja: '点数だけで隔離した迷惑メール', en: 'Mail that only its spam score kept back' },
  none: { ja: 'なし（すべて管理者が決める）', en: 'Nothing: the administrator decides' },
  selfReleaseHint: {
    ja: 'ほかのメールは「受け取り希望」として、隔離の一覧に表示されます。ウイルスは本人には渡しません。',
    en: 'For the rest they can ask, which shows in the quarantine. A virus is never theirs to take.',
  },
} as const;

/** Words of the card about the owner's alert mail. */
export const ALERTS = {
  title: { ja: '管理者への警告メール', en: 'Alert mail to the owner' },
  intro: {
    ja: '本機に異常（検査エンジンやメールサーバーの停止、ディスク不足、停電、更新の失敗など）があると、対処方法とともにメールで知らせます。解消したときも知らせます。',
    en: 'When something is wrong with the box (an engine or the mail server is down, the disk is full, mains fail, an update did not hold) it writes what to do about it, and again when it is over.',
  },
  to: { ja: '宛先（カンマ区切り、10 件まで）', en: 'To (up to ten addresses, separated by commas)' },
  toHint: {
    ja: '自社のメールサーバーが止まったときは、そこにあるアドレスには届きません。社外のアドレス（携帯など）も加えてください。',
    en: 'Addresses on your own mail server hear nothing while that is down: add one elsewhere, of a phone for example.',
  },
  saved: {
    ja: '保存しました。新しい宛先には 1 分以内に確認のメールが届きます。',
    en: 'Saved. New addresses get a mail within a minute, so that you see that it works.',
  },
} as const;
