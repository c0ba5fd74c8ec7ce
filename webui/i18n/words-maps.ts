/** The words of the card for own lists for the spam filter: what they are, whether they are in use, where they come from. */
export const MAPS = {
  title: { ja: '迷惑メール判定の自社リスト', en: 'Own lists for the spam filter' },
  text: {
    ja: '自社のサーバーに置いたドメインのリストを一時間ごとに取り寄せ、載っているものに 8 点を加えます。正しく働くことを確かめてから使い、だめなら前のものに戻します。',
    en: 'Lists of domains on a server of your own, fetched each hour; what stands on them gets 8 points. They are proven before they stay; otherwise the last good ones come back.',
  },
  inUse: { ja: '使用中', en: 'In use' },
  none: { ja: 'なし', en: 'None' },
  entries: { ja: '{name}: {n} 件', en: '{name}: {n}' },
  changed: { ja: '入れ替えた日時', en: 'Changed' },
  lastFetch: { ja: '最後の確認', en: 'Last look' },
  settings: { ja: '設定', en: 'Settings' },
  source: { ja: 'リストを置いた場所', en: 'Where the lists are' },
  sourceHint: {
    ja: 'ウェブサーバーのフォルダーです。この下の、下に示す名前のファイルを読みます（一行に一つのドメイン、# から後は注釈）。空欄なら取り寄せません。',
    en: 'A folder on a web server; below it the files named here are read (one domain a line, remarks after #). Empty: nothing is fetched.',
  },
  'link-domains': { ja: 'リンク先のドメイン', en: 'Domains of links' },
  'sender-domains': { ja: '差出人のドメイン', en: 'Domains of senders' },
} as const;
