/** Words of the wizard, from the first visit to the test message at its end. */
export const SETUP = {
  title: { ja: '初期設定', en: 'Setup' },
  stepOf: { ja: '手順 {n} / {all}', en: 'Step {n} of {all}' },
  later: { ja: 'あとで続ける', en: 'Go on later' },
  skip: { ja: '今は飛ばす', en: 'Skip for now' },
  saveNext: { ja: '保存して次へ', en: 'Save and go on' },
  keepNext: { ja: 'このまま次へ', en: 'Keep it and go on' },
  already: {
    ja: '設定済みです。変更しなければ「次へ」で進めます。',
    en: 'Done before. “Next” goes on without a change.',
  },
  // claim
  welcome: { ja: 'ようこそ', en: 'Welcome' },
  welcomeText: {
    ja: '10 分ほどで、最初のメールが検査されて届くところまで設定します。途中でやめても、続きから始められます。',
    en: 'In about ten minutes the first mail will be checked and delivered. You can stop at any time and go on later.',
  },
  noData: { ja: 'データ領域が使えません', en: 'The data partition cannot be used' },
  noDataText: {
    ja: '本機には所有者がいますが、設定もメールも読めないため、メモリー上で動いています。メールは受け付けず（421）、送信側は待って再送します。まず本機を再起動してください。直らなければ、コンソールの「工場出荷状態に戻す」で作り直すか、ディスクを交換します。状態やログを見るには、コンソールの「管理者の再設定」で出るコードを下に入れてください（次の起動までの登録です）。',
    en: 'This box has an owner, but neither settings nor mail can be read, so it runs from memory. It takes no mail (421); senders wait and try again. Restart it first. If it stays so, “Factory reset” at the console makes the partition anew, or the disk has to be replaced. To see state and logs enter the code that “Reset admin access” at the console shows; that account lasts until the next start.',
  },
  chooseLanguage: { ja: '表示言語 / Language', en: 'Language / 表示言語' },
  code: { ja: 'セットアップコード', en: 'Setup code' },
  codeHint: {
    ja: '本機につないだ画面に表示されています（試用環境では起動したコマンドの表示）。大文字と小文字、ハイフンは区別しません。',
    en: 'Shown on the screen of the box (in the trial: by the command that started it). Case and hyphens do not matter.',
  },
  triesLeft: { ja: 'あと {n} 回入力できます', en: '{n} {n|try|tries} left' },
  codeExpired: {
    ja: 'コードの期限が切れました。本機を再起動するか、コンソールで新しいコードを作ってから、この画面を再読み込みしてください。',
    en: 'The code has expired. Restart the box or make a new one on its console, then reload this page.',
  },
  codeLocked: {
    ja: '試行回数を超えたため、しばらく受け付けません。',
    en: 'Too many tries: no code is taken for a while.',
  },
  user: { ja: '管理者のユーザー名', en: 'Name of the admin' },
  userHint: { ja: '小文字の英数字。例: tanaka', en: 'Lower-case letters and digits, for example: tanaka' },
  password: { ja: 'パスワード', en: 'Password' },
  again: { ja: 'パスワード（確認）', en: 'Password again' },
  claim: { ja: 'この機器の管理者になる', en: 'Claim this box' },
  fingerprint: { ja: '証明書の指紋 (SHA-256)', en: 'Fingerprint of the certificate (SHA-256)' },
  fingerprintText: {
    ja: '本機の画面に表示されたものと同じなら、この画面は本物の機器につながっています。',
    en: 'If the screen of the box shows the same, this page really comes from it.',
  },
  // account
  accountText: {
    ja: '管理者を登録しました。二段階認証を設定すると、パスワードが漏れても本機を守れます（あとからでも設定できます）。',
    en: 'You are the admin now. A second factor protects the box even if the password leaks; it can be set up later too.',
  },
  restore: { ja: 'バックアップから復元する場合', en: 'Restoring from a backup?' },
  // the steps
  networkText: {
    ja: '本機のアドレスと名前です。今の設定でこの画面が見えているので、固定アドレスにする必要がなければそのまま進めます。',
    en: 'Address and name of the box. You see this page with the present ones: go on unless you want a fixed address.',
  },
  timeText: {
    ja: '記録と画面の時刻に使います。',
    en: 'Used for records and for the times on these pages.',
  },
  domainsText: {
    ja: 'メールアドレスの @ の後ろと、いまのメールサーバーです。本機が実際に接続して確かめます。',
    en: 'What stands behind the @ of your addresses, and your mail server. The box tries it for real.',
  },
  domainAdded: { ja: '登録済みのドメイン', en: 'Domains so far' },
  addAnother: { ja: '別のドメインを追加する', en: 'Add another domain' },
  outgoingText: { ja: '社内から外へ送るメールの送り方です。', en: 'How mail from your office gets out.' },
  protectionText: {
    ja: '迷ったら「標準」を選んでください。いつでも「ポリシー」で変えられます。',
    en: 'If in doubt take “Normal”. It can be changed under “Policy” at any time.',
  },
  dnsText: {
    ja: '外の世界に本機を知らせる登録です。今すべてを登録しなくても先に進めます。MX を向けた時点から、外のメールが流れ始めます。',
    en: 'They tell the world about the box. You can go on without all of them; mail from outside flows once the MX points here.',
  },
  dnsOf: { ja: '{name} のレコード', en: 'Records of {name}' },
  certificate: { ja: '証明書', en: 'Certificate' },
  certificateText: {
    ja: '今は本機が自分で作った証明書を使っています。そのままでもメールは暗号化されます。会社の証明書があれば登録できます。',
    en: 'The box made a certificate of its own; mail is encrypted with it. If you have one for its name, install it.',
  },
  needDomain: {
    ja: '先に「ドメイン」の手順でドメインを登録してください。',
    en: 'Add a domain first, in the step “Domains”.',
  },
  roundTripText: {
    ja: '本物のメールを 1 通、本機に送ります。受け付け、検査、メールサーバーへの配送までを確かめます。',
    en: 'A real message goes through the box: taken, inspected, delivered to your mail server.',
  },
  recipient: { ja: '受け取れるメールアドレス', en: 'A mailbox you can read' },
  send: { ja: '試験メールを送る', en: 'Send the test message' },
  sending: { ja: '送っています…', en: 'Under way…' },
  roundTripOk: { ja: '届きました', en: 'It arrived' },
  roundTripOkText: {
    ja: 'メールボックスを開いて、試験メールが届いていることを確かめてください。',
    en: 'Open the mailbox and see the test message there.',
  },
  roundTripFailed: { ja: '届きませんでした', en: 'It did not arrive' },
  trail: { ja: 'この 1 通の経過を見る', en: 'See what became of it' },
  finish: { ja: '初期設定を終える', en: 'Finish' },
} as const;

export const STEP_NAMES = {
  account: { ja: '登録', en: 'Claim' },
  network: { ja: 'ネットワーク', en: 'Network' },
  time: { ja: '時刻', en: 'Time' },
  domains: { ja: 'ドメイン', en: 'Domains' },
  outgoing: { ja: '送信', en: 'Outgoing' },
  protection: { ja: '保護', en: 'Protection' },
  dns: { ja: 'DNS', en: 'DNS' },
  'round-trip': { ja: '試験', en: 'Test' },
} as const;
