/** The console's words. Lines are short: 80 columns, and 9600 baud. Terminals without Japanese use English. */
import type { Text } from '../base/i18n.ts';

const words = {
  hostDead: { ja: '本体管理（host）が応答しません', en: 'The machine service (host) does not answer' },
  gatewayDead: { ja: 'ゲートウェイが応答しません', en: 'The gateway does not answer' },
  choose: { ja: '番号を入れて Enter', en: 'Number, then Enter' },
  back: { ja: '戻る', en: 'Back' },
  more: { ja: '-- 続き: Enter、終わり: q --', en: '-- more: Enter, end: q --' },
  done: { ja: '実行しました', en: 'Done' },
  failed: { ja: 'できませんでした', en: 'Not done' },
  cancelled: { ja: '取りやめました', en: 'Nothing was done' },
  sure: { ja: '実行しますか？ yes と入力', en: 'Sure? Type yes' },
  state: { ja: '状態', en: 'State' },
  network: { ja: 'ネットワーク', en: 'Network' },
  access: { ja: '管理者の再設定（記録されます）', en: 'Reset admin access (audited)' },
  code: { ja: '新しいセットアップコード', en: 'New setup code' },
  diagnostics: { ja: '診断', en: 'Diagnostics' },
  logs: { ja: 'ログ', en: 'Logs' },
  bundle: { ja: 'サポートバンドルを USB へ', en: 'Support bundle to USB' },
  queue: { ja: '送信待ち', en: 'Queue' },
  services: { ja: 'サービスの再起動', en: 'Restart services' },
  slot: { ja: 'もう一方のシステムで起動', en: 'Start the other system slot' },
  reset: { ja: '工場出荷状態に戻す', en: 'Factory reset' },
  reboot: { ja: '再起動', en: 'Reboot' },
  powerOff: { ja: '電源を切る', en: 'Power off' },
  licences: { ja: 'ライセンス', en: 'Licences' },
  disk: { ja: 'ディスクの暗号化', en: 'Disk encryption' },
  language: { ja: 'English', en: 'Nihongo (UTF-8 terminal)' },
  leave: { ja: '終了', en: 'Leave' },
  newCode: { ja: 'セットアップコード', en: 'Setup code' },
  accessTold: {
    ja: 'このセットアップコードで、管理画面から新しいパスワードを設定できます（1 時間）:',
    en: 'With this setup code a new password can be set on the page (for 1 hour):',
  },
  resetWarning: {
    ja: 'メール、鍵、設定、履歴がすべて消えます。元に戻せません。',
    en: 'Mail, keys, settings and history are erased. There is no way back.',
  },
  resetType: { ja: '続けるには次の語句をそのまま入力:', en: 'To go on type exactly:' },
  diskWays: {
    ja: '1  USB メモリーを鍵に暗号化   2  TPM を鍵に暗号化   0  戻る',
    en: '1  Encrypt, key on a USB stick   2  Encrypt, key in the TPM   0  Back',
  },
  recoveryShown: {
    ja: '回復キーです。書き留めて、本機とは別の所に保管してください（もう一度は表示できません）:',
    en: 'The recovery key. Write it down and keep it apart from the box; it is not shown again:',
  },
  recoveryLast: { ja: '書き留めたら、最後の 5 文字を入力', en: 'Written down? Type its last five signs' },
  recoveryRenew: {
    ja: '新しい回復キーを作りますか？ 古いものは使えなくなり、再起動します。',
    en: 'Make a new recovery key? The old one ends, and the box restarts.',
  },
  stickStays: {
    ja: '再起動が終わるまで、USB メモリーを挿したままにしてください',
    en: 'Leave the stick in until the box is up again',
  },
  target: { ja: '相手（空欄は既定）', en: 'Target (empty: the usual one)' },
  passphrase: { ja: 'パスフレーズ（12 文字以上）', en: 'Passphrase (12 characters at least)' },
  noStick: { ja: 'USB メモリーがありません', en: 'There is no USB stick' },
  stick: { ja: 'USB メモリーの番号', en: 'Number of the stick' },
  keep: {
    ja: '2 分以内に keep と入力しないと、元の設定に戻ります',
    en: 'Type keep within 2 minutes, or the old network comes back',
  },
  ask4: { ja: 'IPv4 アドレス/長さ（空欄は DHCP）', en: 'IPv4 address/length (empty: DHCP)' },
  askGateway: { ja: 'ゲートウェイ', en: 'Gateway' },
  askDns: {
    ja: 'DNS サーバー（空白区切り、空欄は自分で引く）',
    en: 'DNS servers (spaces between; empty: ask the roots)',
  },
  interface: { ja: 'インターフェースの番号', en: 'Number of the interface' },
  wrongNumber: { ja: 'その番号はありません', en: 'There is no such number' },
} as const satisfies Record<string, Text>;

export type Word = keyof typeof words;
export const WORDS: Readonly<Record<Word, Text>> = words;
