/**
 * The sentences of explain(), in both languages, for people who do not know how mail works. `{name}` marks a value; values
 * that come from strangers are escaped by the caller. No logic here.
 */
import type { Text } from '../base/i18n.ts';
import type { Action } from '../mail/decision.ts';
import type { AttachmentTrait, DkimResult, DmarcResult, InspectorName, SpfResult } from '../mail/finding.ts';

export const SPF_SENTENCES: Readonly<Record<SpfResult, Text>> = {
  pass: {
    ja: '送信元のコンピューターは、「{domain}」が自分の送信元として公開しているものです（SPF 合格）。',
    en: 'The sending computer is one that "{domain}" names as its own (SPF pass).',
  },
  fail: {
    ja: '「{domain}」は、この送信元のコンピューターからの送信を認めていません（SPF 不合格）。',
    en: '"{domain}" says that this computer may not send in its name (SPF fail).',
  },
  softfail: {
    ja: '「{domain}」は、この送信元はおそらく自分のものではないと公開しています（SPF softfail）。',
    en: '"{domain}" says that this computer is probably not one of its own (SPF softfail).',
  },
  neutral: {
    ja: '「{domain}」は、この送信元について何も断言していません（SPF neutral）。',
    en: '"{domain}" says nothing definite about this computer (SPF neutral).',
  },
  none: {
    ja: '「{domain}」は、どのコンピューターから送るかを公開していません（SPF なし）。',
    en: '"{domain}" does not publish which computers send for it (no SPF).',
  },
  temperror: {
    ja: '「{domain}」の送信元の一覧を調べましたが、DNS から返事がありませんでした（SPF temperror）。不合格とは扱いません。',
    en: 'The list of computers of "{domain}" could not be looked up just now (SPF temperror). This does not count as a failure.',
  },
  permerror: {
    ja: '「{domain}」が公開している送信元の一覧に誤りがあり、判定できません（SPF permerror）。',
    en: 'The list of computers that "{domain}" publishes has a mistake in it and cannot be used (SPF permerror).',
  },
  policy: {
    ja: '「{domain}」の SPF は、こちらの方針により採用していません（SPF policy）。',
    en: 'The SPF result of "{domain}" is not used here by local policy (SPF policy).',
  },
};

export const DKIM_SENTENCES: Readonly<Record<DkimResult, Text>> = {
  pass: {
    ja: '「{domain}」の電子署名は正しく、署名された部分は途中で書き換えられていません（DKIM 合格）。',
    en: 'The signature of "{domain}" is valid: what it covers was not changed on the way (DKIM pass).',
  },
  fail: {
    ja: '「{domain}」の電子署名が合いません。途中で書き換えられたか、偽物です（DKIM 不合格）。',
    en: 'The signature of "{domain}" does not match: the message was changed on the way, or it is a fake (DKIM fail).',
  },
  none: { ja: '電子署名はありません（DKIM なし）。', en: 'The message carries no signature (no DKIM).' },
  policy: {
    ja: '「{domain}」の電子署名は、こちらの基準を満たさないため採用していません（DKIM policy）。',
    en: 'The signature of "{domain}" is not good enough to be used here (DKIM policy).',
  },
  neutral: {
    ja: '「{domain}」の電子署名は、書式に問題があり判定できません（DKIM neutral）。',
    en: 'The signature of "{domain}" cannot be judged, because something in its form is wrong (DKIM neutral).',
  },
  temperror: {
    ja: '「{domain}」の署名の鍵を調べましたが、DNS から返事がありませんでした（DKIM temperror）。不合格とは扱いません。',
    en: 'The key for the signature of "{domain}" could not be looked up just now (DKIM temperror). This does not count as a failure.',
  },
  permerror: {
    ja: '「{domain}」の署名の鍵が見つからないか、使えません（DKIM permerror）。',
    en: 'The key for the signature of "{domain}" is missing or unusable (DKIM permerror).',
  },
};

export const DMARC_SENTENCES: Readonly<Record<DmarcResult, Text>> = {
  pass: {
    ja: '差出人のドメイン「{domain}」は本物と確認できました（DMARC 合格）。',
    en: 'The author\'s domain "{domain}" is genuine (DMARC pass).',
  },
  fail: {
    ja: '差出人のドメイン「{domain}」が本物と確認できませんでした（DMARC 不合格）。{wish}',
    en: 'The author\'s domain "{domain}" could not be shown to be genuine (DMARC fail). {wish}',
  },
  none: {
    ja: '「{domain}」は、なりすましメールの扱いを公開していません（DMARC なし）。',
    en: '"{domain}" does not publish what to do with forged mail (no DMARC).',
  },
  temperror: {
    ja: 'DNS から返事がなく、「{domain}」が本物かどうか判定できませんでした（DMARC temperror）。不合格とは扱いません。',
    en: 'DNS did not answer, so it is open whether "{domain}" is genuine (DMARC temperror). This does not count as a failure.',
  },
  permerror: {
    ja: '「{domain}」が公開している DMARC に誤りがあり、使えません（DMARC permerror）。',
    en: 'The DMARC policy that "{domain}" publishes has a mistake in it and cannot be used (DMARC permerror).',
  },
};

export const DMARC_WISHES = {
  none: {
    ja: '「{domain}」は、その場合も特別な扱いを求めていません。',
    en: '"{domain}" asks for nothing special in that case.',
  },
  quarantine: {
    ja: '「{domain}」は、その場合は隔離するよう求めています。',
    en: '"{domain}" asks for such mail to be quarantined.',
  },
  reject: {
    ja: '「{domain}」は、その場合は拒否するよう求めています。',
    en: '"{domain}" asks for such mail to be refused.',
  },
} as const satisfies Record<string, Text>;

export const INSPECTOR_NAMES: Readonly<Record<InspectorName, Text>> = {
  authentication: {
    ja: '送信元の確認（SPF・DKIM・DMARC）',
    en: 'the check of where it comes from (SPF, DKIM, DMARC)',
  },
  antivirus: { ja: 'ウイルス検査', en: 'the virus check' },
  spam: { ja: '迷惑メール判定', en: 'the spam check' },
  structure: { ja: '添付ファイルの検査', en: 'the check of the attachments' },
};

/** How a file is dangerous or hides. An archive that could be listed is nothing to explain. */
export const TRAIT_WORDS: Readonly<Record<Exclude<AttachmentTrait, 'archive'>, Text>> = {
  disguised: {
    ja: '無害な名前を付けているが、中身はプログラム',
    en: 'a program behind a harmless name',
  },
  executable: { ja: 'プログラム', en: 'a program' },
  script: { ja: '開くと動作するスクリプト', en: 'a script that runs when opened' },
  encrypted: { ja: 'パスワード付きで中を検査できない', en: 'locked with a password, so it cannot be checked' },
  unscannable: {
    ja: '検査の上限を超えているか壊れていて検査できない',
    en: 'beyond the limits of checking, or damaged',
  },
};

export const WORDS = {
  came: {
    ja: '{client} から、送信者「{reverse}」（差出人欄: {from}）、宛先 {count} 件で届きました。件名: {subject}',
    en: 'It came from {client}, sender "{reverse}" (From field: {from}), for {count} recipient(s). Subject: {subject}',
  },
  wentOut: {
    ja: '自社のサーバー {client} から、送信者「{reverse}」（差出人欄: {from}）、宛先 {count} 件で外へ送られました。件名: {subject}',
    en: 'Your own server {client} sent it outward, sender "{reverse}" (From field: {from}), for {count} recipient(s). Subject: {subject}',
  },
  ownMessage: {
    ja: 'Sekisho 自身が作成した通知です。宛先 {count} 件。件名: {subject}',
    en: 'Sekisho itself wrote it, for {count} recipient(s). Subject: {subject}',
  },
  unknown: { ja: '（不明）', en: '(unknown)' },
  nullPath: { ja: '<>（自動応答や不達通知）', en: '<> (an automatic reply or bounce)' },
  notAligned: {
    ja: 'ただし、表示される差出人のドメインとは別のドメインの署名です。',
    en: 'But that is not the domain shown as the author.',
  },
  moreSignatures: { ja: 'ほかに署名が {count} 件あります。', en: 'It carries {count} more signature(s).' },
  fromMissing: { ja: '差出人（From）の欄がありません。', en: 'It has no From field.' },
  fromSeveral: {
    ja: '差出人（From）の欄が {count} 個あります。正しいメールには一つだけです。',
    en: 'It has {count} From fields; a proper message has exactly one.',
  },
  fromMalformed: { ja: '差出人（From）の欄が壊れています: {from}', en: 'Its From field is malformed: {from}' },
  fromDomains: {
    ja: '差出人（From）の欄に複数のドメインが並んでいます: {domains}',
    en: 'Its From field names several domains: {domains}',
  },
  arc: {
    ja: '途中の転送サーバー（{sealer}）が付けた確認結果の記録があります（ARC {result}）。判定には使っていません。',
    en: 'A forwarder on the way ({sealer}) left a record of its own checks (ARC {result}). It was not used to decide.',
  },
  arcUsed: {
    ja: '途中の転送サーバー（{sealer}）が付けた確認結果の記録があります（ARC {result}）。信頼する相手の記録なので、判定に使いました。',
    en: 'A forwarder on the way ({sealer}) left a record of its own checks (ARC {result}). You trust it, so it was used to decide.',
  },
  dmarcNoAuthor: {
    ja: '差出人（From）の欄を一通りに読めないため、本物かどうかを DMARC で判定できません（DMARC permerror）。合格とは扱いません。',
    en: 'Its From field cannot be read in one way only, so DMARC cannot tell whether it is genuine (DMARC permerror). This never counts as a pass.',
  },
  trustedSealer: {
    ja: '設定で信頼している「{name}」が、転送の前に差出人を本物と確認していました。そのため、DMARC の結果だけを理由に止めることはしません。',
    en: '"{name}", which your settings trust, saw that the author was genuine before it passed the message on. So the DMARC result alone does not stop it.',
  },
  trustedForwarder: {
    ja: '設定で信頼している転送サービス「{name}」から届きました。転送で確認が崩れることがあるため、DMARC の結果だけを理由に止めることはしません。',
    en: 'It was handed over by "{name}", a forwarder your settings trust. Forwarding can break these checks, so the DMARC result alone does not stop it.',
  },
  spam: {
    ja: '迷惑メールの点数は {score} 点です（件名に印 {tag} 点、隔離 {quarantine} 点、拒否 {reject} 点から）。',
    en: 'Its spam score is {score} (tagged from {tag}, quarantined from {quarantine}, refused from {reject}).',
  },
  spamFor: {
    ja: '{recipients} には別のしきい値を使います（件名に印 {tag} 点、隔離 {quarantine} 点、拒否 {reject} 点から）。',
    en: 'Other limits hold for {recipients}: tagged from {tag}, quarantined from {quarantine}, refused from {reject}.',
  },
  spamOutbound: {
    ja: '迷惑メールの点数は {score} 点です（外へ送るメールは {reject} 点から隔離し、拒否はしません）。',
    en: 'Its spam score is {score} (outgoing mail is quarantined from {reject}, and never refused for it).',
  },
  symbols: { ja: '点数の主な理由: {symbols}', en: 'What counted most: {symbols}' },
  virus: { ja: 'ウイルス「{name}」が見つかりました（{engine}）。', en: 'The virus "{name}" was found ({engine}).' },
  attachment: { ja: '添付ファイル「{name}」: {traits}。', en: 'Attachment "{name}": {traits}.' },
  attachmentInside: {
    ja: '添付ファイル「{name}」（{inside} の中）: {traits}。',
    en: 'Attachment "{name}" (inside {inside}): {traits}.',
  },
  trueType: { ja: '実際の種類は {type}', en: 'its true type is {type}' },
  moreAttachments: {
    ja: 'ほかに問題のある添付ファイルが {count} 件あります。',
    en: '{count} more attachment(s) are not harmless.',
  },
  unnamed: { ja: '（名前なし）', en: '(no name)' },
  tooComplex: { ja: '構造が複雑すぎます: {detail}', en: 'It is built in too complex a way: {detail}' },
  notAuthenticated: {
    ja: 'ヘッダーが検査の上限を超えているため、送信元の確認（SPF・DKIM・DMARC）は行っていません。',
    en: 'Its header is beyond the limits of checking, so where it comes from (SPF, DKIM, DMARC) was not looked at.',
  },
  notScanned: {
    ja: 'そのため、ウイルス検査と迷惑メール判定は行っていません。',
    en: 'It was therefore not checked for viruses and spam.',
  },
  malformed: { ja: '構造が壊れています: {detail}', en: 'Its structure is damaged: {detail}' },
  poison: {
    ja: '検査プログラムが二度止まりました: {detail}',
    en: 'The checking program stopped twice on it: {detail}',
  },
  missing: {
    ja: '{inspector}はできませんでした（{why}）。',
    en: 'It was not possible to make {inspector} ({why}).',
  },
  notInspected: { ja: 'まだ検査していません。', en: 'It has not been inspected yet.' },
  noDecision: { ja: '扱いはまだ決まっていません。', en: 'What happens to it is not decided yet.' },
  rule: { ja: '【{recipients}】{reason}', en: '[{recipients}] {reason}' },
  outboundSpam: {
    ja: '外へ送るメールなので拒否せず隔離しました。社内のアカウントか機器が悪用されているおそれがあります。',
    en: 'Being outgoing mail it was quarantined, not refused. An account or a machine in your office may be misused.',
  },
  tagged: { ja: '件名の前に「{tag}」を付けます。', en: '"{tag}" is put before its subject.' },
  rejectedShare: {
    ja: 'ほかの受信者の分は受け取ったため、この受信者の分は拒否せず隔離しました。',
    en: 'Because it was taken for other recipients, it could not be refused for this one and went to quarantine.',
  },
  more: { ja: '{list} ほか {count} 件', en: '{list} and {count} more' },
  separator: { ja: '、', en: ', ' },
} as const satisfies Record<string, Text>;

export const MISSING_WORDS = {
  starting: { ja: '検査プログラムの起動中', en: 'the engine is still starting' },
  timeout: { ja: '時間切れ', en: 'it took too long' },
  down: { ja: '検査プログラムの停止中', en: 'the engine is down' },
  error: { ja: '検査プログラムのエラー', en: 'the engine reported an error' },
} as const satisfies Record<string, Text>;

/** What one can do about it. */
export const ADVICE: Readonly<Record<Action, Text>> = {
  deliver: {
    ja: 'できること: 届いたかどうかは「sekisho trace {id}」で確認できます。',
    en: 'What you can do: "sekisho trace {id}" tells whether it has arrived.',
  },
  quarantine: {
    ja: 'できること: 必要なメールなら解放すると届きます（画面のボタンか「sekisho quarantine release {id}」）。不要なら何もしなくても期限が来れば消えます。',
    en: 'What you can do: if it is wanted, release it (the button on its page, or "sekisho quarantine release {id}"). If not, do nothing: it expires.',
  },
  hold: {
    ja: 'できること: 内容を確かめ、届けるか削除するかを決めてください。',
    en: 'What you can do: look at it, then let it go on or delete it.',
  },
  reject: {
    ja: 'できること: 必要なメールだった場合は、送信者に別の方法で連絡するか、設定を見直してから送り直してもらってください。',
    en: 'What you can do: if it was wanted, reach the sender another way, or review the settings and ask for it to be sent again.',
  },
  defer: {
    ja: 'できること: 検査プログラムと DNS の状態を「sekisho status」で確認してください。直れば自動的に進みます。',
    en: 'What you can do: look at the engines and DNS with "sekisho status". Once they are well it goes on by itself.',
  },
  discard: {
    ja: 'できること: 破棄されたくない場合は、規則を見直してください。',
    en: 'What you can do: review the rule if such mail is not to be thrown away.',
  },
};

export const VIRUS_ADVICE: Text = {
  ja: 'できること: ウイルスなので届けないでください。どうしても必要な場合だけ「sekisho quarantine release --force {id}」を使います。',
  en: 'What you can do: leave it where it is. Only "sekisho quarantine release --force {id}" would deliver a virus.',
};

export const OUTBOUND_SPAM_ADVICE: Text = {
  ja: 'できること: 送信したアカウントと機器を調べ、パスワードを変えてください。問題がなければ解放すると送られます（画面のボタンか「sekisho quarantine release {id}」）。',
  en: 'What you can do: look into the account and machine that sent it and change the password. If all is well, release it (the button on its page, or "sekisho quarantine release {id}").',
};

export const RELEASED_ADVICE: Text = {
  ja: 'その後、担当者が解放しました。今どこにあるかは「sekisho trace {id}」で分かります。',
  en: 'Since then somebody has released it; "sekisho trace {id}" tells where it is now.',
};
