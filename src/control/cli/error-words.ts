/**
 * Errors for people. The gateway's own messages are English sentences for the log; a Japanese reader gets a sentence of ours
 * for every code a person can meet, with the original beneath, so that nothing of the cause is lost. Pure.
 */
import type { SekishoError } from '../../base/errors.ts';
import type { Language } from '../../base/i18n.ts';

const JAPANESE: Readonly<Record<string, { message: string; remedy?: string }>> = {
  GATEWAY_NOT_RUNNING: {
    message: 'ゲートウェイが起動していません',
    remedy:
      '機器では数秒以内に自動で起動します。試用環境では ./scripts/start で起動してください。別の場所で動いている場合は --data でデータフォルダー、--socket でソケットを指定してください',
  },
  GATEWAY_NOT_PERMITTED: {
    message: '制御ソケットを使う権限がありません',
    remedy: '使えるのはゲートウェイの実行ユーザー、そのグループ、root だけです。sudo を付けてお試しください',
  },
  GATEWAY_SILENT: {
    message: 'ゲートウェイが応答しません',
    remedy:
      'しばらくしてからもう一度お試しください。続く場合はログを確認してください。操作は実行された可能性があります',
  },
  HOST_NOT_RUNNING: { message: 'host プロセスが動いていません', remedy: '機器では数秒以内に自動で起動します' },
  HOST_NOT_PERMITTED: {
    message: 'host プロセスのソケットを使う権限がありません',
    remedy: 'sudo を付けてお試しください',
  },
  HOST_SILENT: { message: 'host プロセスが応答しません', remedy: 'しばらくしてからもう一度お試しください' },
  ADMIN_NOT_RUNNING: {
    message: '管理画面のプロセスが動いていません',
    remedy:
      '機器では数秒以内に自動で起動します。試用環境では ./scripts/start で起動してください。別の場所にある場合は --admin-socket でソケットを指定してください',
  },
  ADMIN_NOT_PERMITTED: {
    message: '管理画面のプロセスのソケットを使う権限がありません',
    remedy: 'sudo を付けてお試しください',
  },
  ADMIN_SILENT: {
    message: '管理画面のプロセスが応答しません',
    remedy: 'しばらくしてからもう一度お試しください。操作は実行された可能性があります',
  },
  GATEWAY_MISMATCH: {
    message: 'ゲートウェイの応答を解釈できません',
    remedy: 'ゲートウェイと同じ版の sekisho コマンドを使ってください',
  },
  SPOOL_IN_USE: {
    message: 'スプールは動作中のゲートウェイが使っています',
    remedy: '先にゲートウェイを停止してください。動作中の様子は「sekisho status」「sekisho queue list」で確認できます',
  },
  SPOOL_MISSING: {
    message: 'このフォルダーはスプールではありません',
    remedy: 'queue や quarantine のあるフォルダーを --spool で指定してください（通常はデータフォルダーの下の spool）',
  },
  NOT_FOUND: { message: '見つかりません' },
  WRONG_STATE: {
    message: '今の状態ではこの操作はできません',
    remedy: '他の人が先に操作した可能性があります。現在の状態を確認してください',
  },
  RELEASE_NEEDS_FORCE: {
    message: '危険なメールのため、そのままでは配送できません',
    remedy: '危険を承知で配送する場合は --force を付けてください',
  },
  RELEASE_INCOMPLETE: {
    message: '検査と判定が終わっていない宛先があるため、配送できません',
    remedy: 'エンジンを起動して検査をやり直すか、削除してください',
  },
  UNKNOWN_RECIPIENT: {
    message: 'その宛先はこのメールにありません',
    remedy: '「sekisho quarantine show ID」で宛先を確認してください',
  },
  INVALID: { message: '指定された値が正しくありません' },
  INVALID_REQUEST: { message: '指定された値が正しくありません' },
  NOT_PERMITTED: { message: 'この操作は許可されていません' },
  NOT_OFFERED: { message: 'このゲートウェイはその操作に対応していません' },
  UNKNOWN_VERB: {
    message: 'このゲートウェイはその操作を知りません',
    remedy: 'ゲートウェイと同じ版の sekisho コマンドを使ってください',
  },
  BUSY: { message: 'ゲートウェイが混み合っています', remedy: 'しばらくしてからもう一度お試しください' },
  DEADLINE: {
    message: '時間内に終わりませんでした',
    remedy: '操作は実行された可能性があります。状態を確認してからやり直してください',
  },
  INTERNAL: {
    message: 'ゲートウェイの内部でエラーが起きました',
    remedy: '原因はログに記録されています。お知らせください',
  },
  SPOOL_FULL: {
    message: 'スプールの空き容量が足りません',
    remedy: '不要なメールを削除するか、ディスクを増やしてください',
  },
  SPOOL_FAULT: { message: 'スプールに書き込めません', remedy: 'ディスクとログを確認してください' },
  HISTORY_UNAVAILABLE: { message: '履歴を検索できません', remedy: 'しばらくしてからもう一度お試しください' },
  CONFIG_PATH: {
    message: '設定のパスが正しくありません',
    remedy: '「policy.spam.tag」「domains[office.example].recipients.check」のように書いてください',
  },
  CONFIG_CHANGED_ON_DISK: {
    message: '設定ファイルが手作業で変更されています',
    remedy: '変更を反映するには「sekisho config reload」、捨てるには「sekisho config rollback」を実行してください',
  },
  CONFIG_NOT_APPLIED: { message: '設定を反映できませんでした', remedy: '以前の設定のまま動作しています' },
  CONFIG_NOT_WRITTEN: {
    message: '設定ファイルに書き込めませんでした',
    remedy: '何も変更していません。ディスクの空きと権限を確認してください',
  },
};

/** What to print, line by line. */
export function errorWords(error: SekishoError, language: Language): string[] {
  const words = language === 'ja' ? JAPANESE[error.code] : undefined;
  if (words === undefined) return [error.message, ...(error.remedy === undefined ? [] : [`→ ${error.remedy}`])];
  const remedy = words.remedy ?? error.remedy;
  return [words.message, `  (${error.message})`, ...(remedy === undefined ? [] : [`→ ${remedy}`])];
}
