/** Words for what inspectors saw in a message, beside RFC 8601's own names, which stay as they are. */
export const FINDING = {
  virus: { ja: 'ウイルス', en: 'Virus' },
  attachment: { ja: '添付ファイル', en: 'Attachment' },
  structure: { ja: '構造', en: 'Structure' },
  'too-complex': { ja: '複雑すぎます', en: 'too complex' },
  malformed: { ja: '壊れています', en: 'malformed' },
  poison: { ja: '検査を止めるメール', en: 'Stops the inspection' },
  oddFrom: { ja: '不審な書き方', en: 'written oddly' },
} as const;

export const TRAIT_NAMES = {
  executable: { ja: 'プログラム', en: 'program' },
  script: { ja: 'スクリプト', en: 'script' },
  disguised: { ja: '偽装', en: 'disguised' },
  encrypted: { ja: 'パスワード付き', en: 'with a password' },
  unscannable: { ja: '検査できない', en: 'cannot be scanned' },
  archive: { ja: '圧縮ファイル', en: 'archive' },
} as const;
