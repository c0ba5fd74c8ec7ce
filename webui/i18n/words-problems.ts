/** Problems of the API that deserve words of the page: code → what happened, what to do. Others say their own. */
export const PROBLEMS = {
  LOGIN_FAILED: {
    title: { ja: 'ユーザー名かパスワードが違います', en: 'The name or the password is wrong' },
    remedy: {
      ja: '大文字と小文字を確かめてください。忘れたときは、別の管理者か本機のコンソールで再設定できます。',
      en: 'Mind upper and lower case. If it is forgotten, another admin or the console of the box can set a new one.',
    },
  },
  CODE_WRONG: {
    title: { ja: 'コードが違います', en: 'The code is wrong' },
    remedy: { ja: '表示されているとおりに、もう一度入力してください。', en: 'Enter it again as it is shown.' },
  },
  CODE_EXPIRED: {
    title: { ja: 'セットアップコードの期限が切れました', en: 'The setup code has expired' },
    remedy: {
      ja: '本機を再起動するか、コンソールの「新しいセットアップコード」を選んでください。',
      en: 'Restart the box, or choose “New setup code” on its console.',
    },
  },
  LOCKED: {
    title: { ja: '試行回数が多すぎるため、一時的に受け付けていません', en: 'Too many tries: locked for a while' },
    remedy: { ja: '15 分ほど待ってから、もう一度お試しください。', en: 'Wait about 15 minutes, then try again.' },
  },
  PASSWORD_WEAK: {
    title: { ja: 'このパスワードは推測されやすいものです', en: 'This password is easy to guess' },
    remedy: {
      ja: '12 文字以上で、よくある言葉や名前を含まないものにしてください。言葉を 4 つ並べると覚えやすくなります。',
      en: 'Take 12 characters or more, no common word or name. Four random words are easy to remember.',
    },
  },
  READ_ONLY: {
    title: { ja: 'この環境では変更できません', en: 'This cannot be changed here' },
    remedy: {
      ja: '試用環境では機械そのものの設定（ネットワーク、時刻、電源）は読み取り専用です。実際の機器では変更できます。',
      en: 'In the trial the machine’s own settings (network, time, power) are read-only. On the box they can be changed.',
    },
  },
} as const;
