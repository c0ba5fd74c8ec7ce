/** What each code of the API means, and what to do about it, in both languages. */
import type { Text } from '../../base/i18n.ts';

interface Words {
  message: Text;
  remedy?: Text;
}

const gone = (who: Text): Words => ({
  message: { ja: `${who.ja}が応答しません`, en: `The ${who.en} does not answer` },
  remedy: {
    ja: '数秒で自動的に再起動します。続く場合は「システム」のログを確認してください',
    en: 'It restarts by itself within seconds; if this lasts look at the logs under System',
  },
});
const GATEWAY: Text = { ja: 'ゲートウェイ', en: 'gateway' };
const HOST: Text = { ja: '機器の管理プロセス', en: 'host process' };

export const PROBLEM_WORDS: Readonly<Record<string, Words>> = {
  // ---- requests
  INVALID_REQUEST: {
    message: { ja: '入力に誤りがあります', en: 'Some of what was given is not valid' },
    remedy: { ja: '印の付いた項目を直してください', en: 'Correct the fields that are named' },
  },
  BAD_JSON: { message: { ja: 'JSON として読めません', en: 'This is not JSON' } },
  TOO_DEEP: { message: { ja: 'JSON の入れ子が深すぎます', en: 'The JSON is nested too deeply' } },
  TOO_LARGE: { message: { ja: '送られた内容が大きすぎます', en: 'The request is too large' } },
  WRONG_TYPE: {
    message: { ja: '変更は application/json で送ってください', en: 'Send changes as application/json' },
  },
  NO_SUCH_OPERATION: { message: { ja: 'そのような操作はありません', en: 'There is no such operation' } },
  WRONG_HOST: {
    message: { ja: 'この名前ではページを表示しません', en: 'The pages do not answer to this name' },
    remedy: {
      ja: 'IP アドレスか、本機のホスト名で開いてください。別の名前を使うには設定 pages.names に加えます',
      en: 'Open them by IP address or by the box’s host name; other names go into the setting pages.names',
    },
  },
  WRONG_ORIGIN: {
    message: { ja: '別のサイトからの操作を拒否しました', en: 'Refused: the request came from another site' },
    remedy: { ja: 'このページを開き直してから操作してください', en: 'Open these pages themselves and try there' },
  },
  BUSY: {
    message: { ja: '混み合っています', en: 'Too much at once' },
    remedy: { ja: 'しばらくしてからもう一度お試しください', en: 'Try again in a moment' },
  },
  // ---- who
  LOGIN_NEEDED: { message: { ja: 'ログインしてください', en: 'Log in first' } },
  SESSION_ENDED: {
    message: { ja: 'セッションが終わりました', en: 'The session has ended' },
    remedy: { ja: 'もう一度ログインしてください', en: 'Log in again' },
  },
  LOGIN_FAILED: {
    message: { ja: 'ユーザー名かパスワードが違います', en: 'User name or password is wrong' },
    remedy: {
      ja: 'パスワードを忘れた場合は、他の管理者に再設定を頼むか、本機のコンソールで再設定してください',
      en: 'If the password is forgotten, another admin can set a new one, or the box’s console can',
    },
  },
  CODE_NEEDED: { message: { ja: '二段階認証のコードを入力してください', en: 'Give the code of the second factor' } },
  CODE_REJECTED: {
    message: { ja: 'コードが違うか、すでに使われました', en: 'The code is wrong, or was used before' },
    remedy: {
      ja: '端末の時刻が合っているか確認し、次のコードが出るまで待ってください。回復コードも使えます',
      en: 'Check the clock of the device and wait for its next code; a recovery code does too',
    },
  },
  LOCKED: {
    message: { ja: '試行が多すぎるため、しばらく受け付けません', en: 'Too many tries: nothing is taken for a while' },
    remedy: {
      ja: '表示された時間が過ぎてからお試しください。コンソールは影響を受けません',
      en: 'Try again after the time told; the console is not affected',
    },
  },
  NOT_ALLOWED: {
    message: { ja: 'この操作の権限がありません', en: 'You are not allowed to do this' },
    remedy: { ja: '管理者に依頼してください', en: 'Ask an admin' },
  },
  PERSON_NEEDED: {
    message: { ja: 'この操作は API トークンではできません', en: 'An API token cannot do this' },
    remedy: { ja: 'ページにログインして操作してください', en: 'Log in to the pages for it' },
  },
  CONFIRM_NEEDED: { message: { ja: 'パスワードをもう一度入力してください', en: 'Give your password once more' } },
  PASSWORD_CHANGE_NEEDED: {
    message: { ja: '先に新しいパスワードを設定してください', en: 'Set a new password first' },
  },
  PASSWORD_WEAK: { message: { ja: 'パスワードが弱すぎます', en: 'The password is too weak' } },
  NAME_TAKEN: {
    message: { ja: 'その名前はすでに使われています', en: 'That name is taken' },
    remedy: { ja: '別の名前にしてください', en: 'Choose another name' },
  },
  LAST_ADMIN: {
    message: { ja: '最後の管理者なので、できません', en: 'This is the last admin' },
    remedy: { ja: '先に別の利用者を管理者にしてください', en: 'Make somebody else an admin first' },
  },
  TOTP_NOT_BEGUN: {
    message: { ja: '二段階認証の準備ができていません', en: 'The second factor was not prepared' },
    remedy: { ja: '最初からやり直してください', en: 'Begin again' },
  },
  SCOPE_TOO_WIDE: {
    message: { ja: '自分にない権限は与えられません', en: 'You cannot give away what you may not do yourself' },
  },
  EXPIRY_WRONG: {
    message: { ja: '期限は今から 1 年以内にしてください', en: 'The expiry must lie within the next year' },
  },
  // ---- claim
  NOT_CLAIMED: {
    message: { ja: 'まだ初期設定が済んでいません', en: 'The box is not claimed yet' },
    remedy: {
      ja: 'コンソールのセットアップコードで登録してください',
      en: 'Claim it with the setup code of its console',
    },
  },
  CLAIMED: { message: { ja: 'すでに登録されています', en: 'The box is claimed already' } },
  CODE_WRONG: {
    message: { ja: 'セットアップコードが違います', en: 'The setup code is wrong' },
    remedy: {
      ja: 'コンソールに表示された 10 文字を入力してください',
      en: 'Type the ten characters shown on the console',
    },
  },
  CODE_EXPIRED: {
    message: { ja: 'セットアップコードの期限が切れました', en: 'The setup code has expired' },
    remedy: {
      ja: 'コンソールで新しいコードを表示するか、本機を再起動してください',
      en: 'Have the console show a new one, or restart the box',
    },
  },
  // ---- the rest
  AUDIT_UNAVAILABLE: {
    message: { ja: '監査記録に書き込めません', en: 'The audit cannot be written' },
    remedy: {
      ja: '記録できない間は変更も本文の閲覧もできません。ディスクの空きを確認してください',
      en: 'While it cannot, nothing is changed and no mail is shown; look at the free space of the disk',
    },
  },
  CONTENT_UNREADABLE: {
    message: { ja: 'このメールは表示できません', en: 'The mail cannot be shown' },
    remedy: {
      ja: '必要なら原本をダウンロードし、注意して開いてください',
      en: 'Download it if you must, and open it with care',
    },
  },
  NOT_FOUND: { message: { ja: '見つかりません', en: 'Not found' } },
  WRONG_STATE: {
    message: { ja: '今の状態ではこの操作はできません', en: 'Not possible in its present state' },
    remedy: {
      ja: '他の人が先に操作した可能性があります。表示を更新してください',
      en: 'Somebody may have been faster; look again',
    },
  },
  RELEASE_NEEDS_FORCE: {
    message: {
      ja: '危険なメールのため、そのままでは解放できません',
      en: 'Dangerous mail: it is not released without force',
    },
    remedy: {
      ja: '危険を承知で配送する場合は、設定を変える権限のある人が「それでも解放」を選んでください',
      en: 'Somebody who may change settings can release it all the same',
    },
  },
  RELEASE_INCOMPLETE: {
    message: { ja: '検査が終わっていないため、解放できません', en: 'Not inspected yet: it cannot be released' },
    remedy: { ja: 'エンジンの状態を確認してください', en: 'Look at the engines' },
  },
  CONFIG_PATH: { message: { ja: '設定のパスが正しくありません', en: 'No such setting' } },
  CONFIG_CHANGED_ON_DISK: {
    message: { ja: '設定ファイルが手作業で変更されています', en: 'The settings file was edited by hand' },
    remedy: { ja: '「読み直す」か「以前の世代に戻す」を選んでください', en: 'Reload it, or go back to a generation' },
  },
  HISTORY_UNAVAILABLE: {
    message: { ja: '履歴を検索できません', en: 'The history cannot be searched' },
    remedy: { ja: 'しばらくしてからもう一度お試しください', en: 'Try again in a moment' },
  },
  SPOOL_FULL: {
    message: { ja: 'ディスクの空きが足りません', en: 'The disk is too full' },
    remedy: {
      ja: '不要な隔離メールを削除するか、ディスクを増やしてください',
      en: 'Delete quarantined mail, or add disk',
    },
  },
  SPOOL_FAULT: {
    message: { ja: 'スプールに書き込めません', en: 'The spool cannot be written' },
    remedy: { ja: 'ディスクの状態とログを確認してください', en: 'Look at the disk and the logs' },
  },
  DEADLINE: {
    message: { ja: '時間内に終わりませんでした', en: 'It took too long' },
    remedy: {
      ja: '操作は実行された可能性があります。状態を確認してからやり直してください',
      en: 'It may still take effect; look before asking again',
    },
  },
  BACKUP_BAD: {
    message: {
      ja: '合言葉が違うか、バックアップのファイルが壊れています',
      en: 'The passphrase is wrong, or the file is damaged or no backup',
    },
    remedy: {
      ja: '合言葉を確かめ、ファイルをもう一度選んでください',
      en: 'Check the passphrase and choose the file again',
    },
  },
  ACME_FAILED: {
    message: { ja: '発行者から証明書を受け取れませんでした', en: 'The issuer did not give a certificate' },
    remedy: {
      ja: '発行者は、証明書に書く名前のポート 80 へインターネットから接続します。DNS がその名前を指し、ルーターがポート 80 を本機へ転送している必要があります',
      en: 'The issuer connects to port 80 of each name from the Internet: the DNS has to name this office, and the router has to forward port 80 to the box',
    },
  },
  CERTIFICATE_BAD: {
    message: { ja: 'この証明書と鍵は使えません', en: 'This certificate and key cannot be used' },
    remedy: {
      ja: 'PEM 形式で、サーバー証明書を先頭に中間証明書を続け、対になる秘密鍵を貼ってください',
      en: 'Give PEM: the server’s certificate first, then intermediates, and the private key that belongs to it',
    },
  },
  READ_ONLY: {
    message: { ja: 'この環境では機器の設定を変えられません', en: 'The machine cannot be changed here' },
    remedy: { ja: 'これは試用環境です。実際の機器では変更できます', en: 'This is a trial; on a box it works' },
  },
  GATEWAY_NOT_RUNNING: gone(GATEWAY),
  GATEWAY_NOT_PERMITTED: gone(GATEWAY),
  GATEWAY_SILENT: gone(GATEWAY),
  GATEWAY_MISMATCH: gone(GATEWAY),
  HOST_NOT_RUNNING: gone(HOST),
  HOST_NOT_PERMITTED: gone(HOST),
  HOST_SILENT: gone(HOST),
  HOST_MISMATCH: gone(HOST),
  NOT_OFFERED: {
    message: { ja: '今はこの操作ができません', en: 'This cannot be done now' },
    remedy: { ja: 'ゲートウェイの起動が終わるまでお待ちください', en: 'Wait until the gateway has started' },
  },
  INTERNAL: {
    message: { ja: '内部でエラーが起きました', en: 'An error of our own' },
    remedy: {
      ja: '原因はログにあります。続く場合は下の番号を添えてお知らせください',
      en: 'The log names the cause; if it happens again, please report it with the number given',
    },
  },
};
