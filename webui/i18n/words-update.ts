/** Words of updates: how far one is, the trial of a new system, a file of one's own, the settings. */
export const UPDATE = {
  fellBack: { ja: '前の版に自動で戻りました', en: 'The box went back to the earlier version' },
  failedText: {
    ja: '何も変わっていません。今の版のまま動いています。ファイルが正しいか確かめて、もう一度お試しください。',
    en: 'Nothing was changed: the present version goes on. Check the file, then try again.',
  },
  rebootText: {
    ja: '新しい版を入れました。下の「再起動する」で切り替わります。問題があれば自動で前の版に戻ります。',
    en: 'The new version is in place. “Restart the box” below switches over; with trouble it goes back by itself.',
  },
  trial: { ja: '新しい版を試しています', en: 'The new version is on trial' },
  trialText: {
    ja: '次の確認がすべて通り続けると、この版に確定します。通らなければ前の版に戻ります。終わり:',
    en: 'It stays once all of these have held; otherwise the earlier version comes back. Ends:',
  },
  noSource: {
    ja: '更新の入手先が決まっていません。ファイルから入れるか、「更新の設定」で入手先を決めてください。',
    en: 'No source is set. Install from a file, or name a source under “Update settings”.',
  },
  file: { ja: 'ファイルから更新する', en: 'Update from a file' },
  fileText: {
    ja: '署名のある更新ファイル（.raucb）だけが入ります。予備の領域に入れるので、途中で止まっても今の版に影響しません。',
    en: 'Only a signed update (.raucb) is taken. It goes into the spare slot: whatever happens, the present version stays.',
  },
  choose: { ja: '更新ファイル', en: 'Update file' },
  sending: { ja: '送っています', en: 'Sending' },
  sendInstall: { ja: '送って入れる', en: 'Send and install' },
  begun: { ja: '更新を始めました', en: 'The update has begun' },
  settings: { ja: '更新の設定', en: 'Update settings' },
  source: { ja: '更新の入手先（https://…）', en: 'Source of updates (https://…)' },
  sourceHint: {
    ja: '空欄なら、更新を探すために外へ通信しません。',
    en: 'Empty: the box asks nobody for updates.',
  },
  automatic: { ja: '新しい版を自動で入れる', en: 'Install new versions by itself' },
  windowFrom: { ja: '再起動してよい時間（から）', en: 'May restart from' },
  windowTo: { ja: '再起動してよい時間（まで）', en: 'May restart until' },
  trialMinutes: { ja: '試す時間（分）', en: 'Minutes on trial' },
  trialHint: {
    ja: 'この間、メールと画面が動き続けたら新しい版に確定します。',
    en: 'The new version stays once mail and pages have worked that long.',
  },
} as const;

export const PHASE_NAMES = {
  idle: { ja: '待機中', en: 'Idle' },
  checking: { ja: '確認しています', en: 'Looking for updates' },
  downloading: { ja: '受け取っています', en: 'Fetching' },
  installing: { ja: '書き込んでいます', en: 'Installing' },
  'waiting-for-reboot': { ja: '再起動待ち', en: 'Waiting for a restart' },
  'on-trial': { ja: '試用中', en: 'On trial' },
  failed: { ja: '更新できませんでした', en: 'The update failed' },
} as const;

export const SLOT_STATES = {
  good: { ja: '正常', en: 'Good' },
  trial: { ja: '試用中', en: 'On trial' },
  bad: { ja: '起動できません', en: 'Does not hold' },
  empty: { ja: '空', en: 'Empty' },
  unknown: { ja: '不明', en: 'Unknown' },
} as const;

/** The host's own checks and reasons; what is not listed is shown as it stands. */
export const CHECK_NAMES = {
  degraded: { ja: '通常運転', en: 'Not degraded' },
  banner: { ja: 'メールの窓口の応答', en: 'The mail listener answers' },
} as const;
export const FALLBACK_REASONS = {
  'The new system did not start, or was restarted before it was proven': {
    ja: '新しい版が起動しなかったか、確定する前に再起動しました。',
    en: 'The new version did not start, or was restarted before it was proven.',
  },
} as const;

/** Known weaknesses of what the box carries. */
export const ADVISORY = {
  title: { ja: '含まれるソフトウェアの既知の弱点', en: 'Known weaknesses of what is inside' },
  off: {
    ja: '更新の入手先が設定されていないため、確かめていません。設定すると、配布元が署名した一覧と本機の部品表を毎日照らし合わせます。',
    en: 'Not looked up: no source of updates is set. With one, a list signed by the makers is held against the parts of this box each day.',
  },
  never: { ja: 'まだ確かめていません（一日に一度）。', en: 'Not looked up yet (once a day).' },
  uncovered: {
    ja: '一覧はこの版のために作られたものではありません。ここに出ていない弱点があるかもしれません。新しい版を入れてください。',
    en: 'The list was made for other versions: there may be weaknesses it does not name. Install a newer version.',
  },
  failed: { ja: '最後の確認に失敗しました', en: 'The last look failed' },
  none: { ja: '直すべきものはありません', en: 'None that should be mended' },
  serious: { ja: '{n} 件', en: '{n} to mend' },
  parts: {
    ja: '{parts} 個の部品を照合（{kinds}）。軽微なもの、まだ修正のないもの: {n} 件。',
    en: '{parts} parts compared ({kinds}). Minor, or with no mended version yet: {n}.',
  },
  published: { ja: '一覧の日付', en: 'List made' },
  checked: { ja: '最後の確認', en: 'Last look' },
  part: { ja: '部品', en: 'Part' },
  carried: { ja: '本機の版', en: 'Carried' },
  fixed: { ja: '直った版', en: 'Mended in' },
  about: { ja: '内容', en: 'What it is' },
} as const;
