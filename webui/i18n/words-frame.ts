/** Words of the frame: names of pages, the bar on top, keys, login. */
export const PAGES = {
  overview: { ja: '概要', en: 'Overview' },
  messages: { ja: 'メール', en: 'Messages' },
  quarantine: { ja: '隔離', en: 'Quarantine' },
  queue: { ja: 'キュー', en: 'Queue' },
  policy: { ja: 'ポリシー', en: 'Policy' },
  domains: { ja: 'ドメインと経路', en: 'Domains and routes' },
  system: { ja: 'システム', en: 'System' },
  users: { ja: '利用者', en: 'Users' },
  reports: { ja: 'レポート', en: 'Reports' },
  audit: { ja: '監査記録', en: 'Audit' },
  help: { ja: 'ヘルプ', en: 'Help' },
} as const;

export const FRAME = {
  skip: { ja: '本文へ移動', en: 'Skip to the page' },
  menu: { ja: 'メニュー', en: 'Menu' },
  pages: { ja: 'ページ', en: 'Pages' },
  search: { ja: 'メールを検索', en: 'Search messages' },
  searchHint: { ja: '件名、アドレス、受付番号…（/）', en: 'Subject, address, queue id… ( / )' },
  account: { ja: 'アカウント', en: 'Account' },
  logout: { ja: 'ログアウト', en: 'Log out' },
  theme: { ja: '明るさ: {name}', en: 'Theme: {name}' },
  languageSwitch: { ja: 'English', en: '日本語' },
  keys: { ja: 'キー操作', en: 'Keys' },
  box: { ja: 'この機器', en: 'This box' },
  notFoundTitle: { ja: 'このページはありません', en: 'There is no such page' },
  notFoundText: {
    ja: 'リンクが古いか、アドレスが間違っています。',
    en: 'The link is old or the address is mistyped.',
  },
  notAllowed: { ja: 'このページを見る権限がありません', en: 'Your role does not show this page' },
  notAllowedText: {
    ja: '必要なときは管理者に権限の変更を依頼してください。',
    en: 'Ask an administrator if you need it.',
  },
  read: { ja: '読む', en: 'Read' },
  toOverview: { ja: '概要へ', en: 'To the overview' },
  unconfirmed: { ja: 'ライブ更新', en: 'Live' },
} as const;

export const THEME_NAMES = {
  auto: { ja: '自動', en: 'automatic' },
  light: { ja: 'ライト', en: 'light' },
  dark: { ja: 'ダーク', en: 'dark' },
} as const;

export const ROLE_NAMES = {
  admin: { ja: '管理者', en: 'Admin' },
  operator: { ja: '運用担当', en: 'Operator' },
  helpdesk: { ja: 'ヘルプデスク', en: 'Helpdesk' },
  auditor: { ja: '監査担当', en: 'Auditor' },
} as const;

export const LOGIN = {
  title: { ja: 'ログイン', en: 'Log in' },
  user: { ja: 'ユーザー名', en: 'User name' },
  password: { ja: 'パスワード', en: 'Password' },
  code: { ja: '確認コード', en: 'Code' },
  codeHint: {
    ja: '認証アプリの 6 桁の数字。端末をなくしたときは回復コードを入力します。',
    en: 'Six digits of your authenticator app. If the phone is lost, a recovery code.',
  },
  go: { ja: 'ログイン', en: 'Log in' },
  forgot: { ja: 'ログインできないとき', en: 'If you cannot log in' },
  forgotText: {
    ja: '別の管理者が「利用者」の画面で新しいパスワードを設定できます。管理者が全員ログインできないときは、本機につないだ画面とキーボード（コンソール）で「アクセスの再設定」を選んでください。',
    en: 'Another admin can set a new password on the page “Users”. If no admin can log in, choose “Reset access” on the console: the screen and keyboard connected to the box.',
  },
  newPassword: { ja: '新しいパスワード', en: 'New password' },
  newPasswordHint: {
    ja: '12 文字以上。関係のない言葉を 4 つ並べると、強くて覚えやすくなります。',
    en: '12 characters or more. Four random words are strong and easy to remember.',
  },
  repeat: { ja: '新しいパスワード（確認）', en: 'New password again' },
  differ: { ja: '2 つのパスワードが違います。', en: 'The two passwords differ.' },
  mustChange: { ja: '新しいパスワードを決めてください', en: 'Choose a new password' },
  mustChangeText: {
    ja: '今のパスワードは管理者が決めたものです。ご自分だけが知るものに変えると、続けられます。',
    en: 'Your password was set by an admin. Choose one that only you know to go on.',
  },
  change: { ja: '変更して続ける', en: 'Change and go on' },
  confirmTitle: { ja: '本人確認', en: 'Confirm that it is you' },
  confirm: { ja: '確認する', en: 'Confirm' },
  endedTitle: { ja: 'もう一度ログインしてください', en: 'Log in again' },
} as const;

export const KEYS = {
  title: { ja: 'キー操作', en: 'Keys' },
  search: { ja: '検索欄へ', en: 'Go to the search field' },
  down: { ja: '次の行', en: 'Next row' },
  up: { ja: '前の行', en: 'Previous row' },
  open: { ja: '行を開く', en: 'Open the row' },
  select: { ja: '行を選ぶ（Shift で範囲）', en: 'Select the row (Shift: a range)' },
  release: { ja: '隔離から解放する', en: 'Release from the quarantine' },
  remove: { ja: '削除する', en: 'Delete' },
  retry: { ja: '今すぐ再試行する（キュー）', en: 'Try again now (queue)' },
  hold: { ja: '保留する（キュー）', en: 'Hold (queue)' },
  undo: { ja: '直前の操作を元に戻す', en: 'Undo the last action' },
  close: { ja: '閉じる', en: 'Close' },
  help: { ja: 'この一覧', en: 'This list' },
  go: {
    ja: '「g」に続けて o 概要、m メール、q 隔離、u キュー',
    en: '“g”, then o overview, m messages, q quarantine, u queue',
  },
} as const;
