/** Every sentence of `./scripts/start` after the installation, in both languages. */
import type { Text } from '../../src/base/i18n.ts';

export const WORDS = {
  starting: {
    ja: '[3/3] 専用のエンジンとゲートウェイを起動します（データ: {data}）',
    en: '[3/3] Starting the private engines and the gateway (data: {data})',
  },
  already: {
    ja: 'もう動いています（pid {pid}、データ: {data}）。止めるには ./scripts/stop{option}',
    en: 'Already running (pid {pid}, data: {data}). ./scripts/stop{option} ends it.',
  },
  portMoved: {
    ja: '    ポート {wanted} は使われているので {port} にしました（{what}）',
    en: '    Port {wanted} is taken, using {port} instead ({what})',
  },
  portTaken: {
    ja: 'ポート {port} は別のプログラムが使っています。{file} の {key} を変えるか、そのプログラムを止めてください。',
    en: 'Port {port} is taken by another program. Change {key} in {file}, or stop that program.',
  },
  configMade: { ja: '    試用の設定を作りました: {file}', en: '    Made a configuration for the trial: {file}' },
  configKept: { ja: '    設定: {file}', en: '    Configuration: {file}' },
  configKeys: {
    ja: '{file} に {keys} がありません。このコマンドが動かすエンジンを使うには、次の行を加えてください:',
    en: '{file} does not set {keys}. To use the engines that this command runs, add these lines:',
  },
  engineOwn: {
    ja: '    {name}: 設定が指すものを使います（ここでは起動しません）',
    en: '    {name}: using the one the configuration names (not started here)',
  },
  ready: { ja: '    {name}: 準備完了（{seconds} 秒）', en: '    {name}: ready ({seconds} s)' },
  slow: {
    ja: '    {name}: まだ準備中です。そのあいだのメールは預かり、準備ができしだい検査します。',
    en: '    {name}: still loading. Mail is kept meanwhile and inspected as soon as it is ready.',
  },
  waiting: { ja: 'エンジンとゲートウェイの準備を待っています', en: 'waiting for the engines and the gateway' },
  starter: {
    ja: '    clamd のシグネチャは「お試し用のみ」（EICAR とテスト用）です。ウイルスからは守れません。',
    en: '    clamd has starter signatures only (EICAR and a test string): it protects from nothing yet.',
  },
  fetching: {
    ja: '    freshclam が本物のシグネチャを取りに行っています（数百 MB、メモリーは約 1.5 GB 使うようになります）。',
    en: '    freshclam is fetching the real ones (hundreds of MB; clamd will then use about 1.5 GB of memory).',
  },
  full: { ja: '    clamd は本物のシグネチャを使っています。', en: '    clamd now uses the real signatures.' },
  offline: { ja: '    --offline: この機械の外へは何も送りません。', en: '    --offline: nothing leaves this machine.' },
  died: {
    ja: '! {name} が止まりました（{status}）。{seconds} 秒後に起動し直します。記録: {log}',
    en: '! {name} ended ({status}). Starting it again in {seconds} s. Log: {log}',
  },
  gatewayFailed: {
    ja: 'ゲートウェイを起動できませんでした。最後の記録（{log}）:',
    en: 'The gateway could not be started. The end of its log ({log}):',
  },
  engineFailed: {
    ja: '{name} を起動できませんでした。最後の記録（{log}）:',
    en: '{name} could not be started. The end of its log ({log}):',
  },
  portalUp: {
    ja: '    利用者ページが動いています: https://127.0.0.1:{port}/ （お知らせメールのリンクから開きます）',
    en: '    The page of recipients runs: https://127.0.0.1:{port}/ (opened by the links of the digest)',
  },
  stopping: { ja: '止めています…', en: 'Stopping…' },
  killed: {
    ja: '    {name}: 時間内に止まらなかったので強制終了しました',
    en: '    {name}: did not stop in time and was killed',
  },
  stopped: { ja: '止めました。', en: 'Stopped.' },
  reloaded: { ja: '設定の読み直しを伝えました。', en: 'Told the gateway to read its configuration again.' },
  up: { ja: '\n動いています（{seconds} 秒で起動）。\n', en: '\nRunning (started in {seconds} s).\n' },
  sendTo: {
    ja: '  メールの送り先     {address} ポート {port}（外からのメール。例: alice@{domain}）',
    en: '  Send mail to       {address} port {port} (mail from outside; for example to alice@{domain})',
  },
  relayFrom: { ja: '  社内からの中継     {address} ポート {port}', en: '  Relay for inside   {address} port {port}' },
  arrived: {
    ja: '  届いたメール       http://127.0.0.1:{page}/ または ./scripts/trial-mail{option}',
    en: '  See what arrived   http://127.0.0.1:{page}/ or ./scripts/trial-mail{option}',
  },
  pages: {
    ja: '  管理ページ         https://127.0.0.1:{port}/ （証明書は自分で作ったものなので、ブラウザーが最初に警告します）',
    en: '  Administration     https://127.0.0.1:{port}/ (its certificate is its own: the browser warns once)',
  },
  fingerprint: {
    ja: '    その SHA-256     {half}\n                     {rest}',
    en: '    its SHA-256      {half}\n                     {rest}',
  },
  setupCode: {
    ja: '    セットアップコード  {code} （1 時間有効。最初の管理者を登録するときに入力します）',
    en: '    setup code       {code} (good for an hour: it makes the first admin)',
  },
  pagesBuilding: { ja: '    管理ページを作っています', en: '    Building the administration pages' },
  pagesFailed: {
    ja: '! 管理ページを作れませんでした。ほかはすべて動きます: {detail}',
    en: '! The administration pages could not be built; everything else works: {detail}',
  },
  samplesNext: {
    ja: '  次に試すこと       {command}  見本のメールを送り、どうなったかを表にします',
    en: '  Try next           {command}  sends sample mails and shows what became of each',
  },
  statusNext: {
    ja: '                     {command}  様子を見ます（queue、quarantine list、trace <id> も）',
    en: '                     {command}  how it is doing (also: queue, quarantine list, trace <id>)',
  },
  statusOnly: {
    ja: '  次に試すこと       {command}  様子を見ます（queue、quarantine list、trace <id> も）',
    en: '  Try next           {command}  how it is doing (also: queue, quarantine list, trace <id>)',
  },
  byHand: { ja: '  手で送る           ', en: '  By hand            ' },
  logs: { ja: '  記録               {log}', en: '  Logs               {log}' },
  stopForeground: {
    ja: '  止める             Ctrl-C、または別の端末で ./scripts/stop{option}\n',
    en: '  Stop               Ctrl-C, or ./scripts/stop{option} in another terminal\n',
  },
  stopBackground: {
    ja: '  止める             ./scripts/stop{option}\n',
    en: '  Stop               ./scripts/stop{option}\n',
  },
  gone: { ja: '裏での起動に失敗しました。記録: {log}', en: 'The start in the background failed. Log: {log}' },
  notRunning: { ja: '動いていません（データ: {data}）。', en: 'Not running (data: {data}).' },
  notRunningDefault: {
    ja: '動いていません（既定のデータフォルダー: {data}）。--data を付けて起動したものには、同じ --data を付けてください。',
    en: 'Not running (default data folder: {data}). If you started with --data, name that folder here too.',
  },
  notStarted: {
    ja: 'ゲートウェイが動いていません（データ: {data}）。先に ./scripts/start{option} を実行してください。',
    en: 'The gateway is not running (data: {data}). Run ./scripts/start{option} first.',
  },
  notStartedDefault: {
    ja: '既定のデータフォルダー {data} では何も動いていません。--data を付けて起動したときは、ここでも同じ --data を付けてください。まだなら、先に ./scripts/start を実行してください。',
    en: 'Nothing runs at the default data folder {data}. If you started with --data, name that folder here too; otherwise run ./scripts/start first.',
  },
  stopFailed: {
    ja: '{seconds} 秒たっても止まりません（pid {pid}）。',
    en: 'Still there after {seconds} s (pid {pid}).',
  },
} as const satisfies Record<string, Text>;
