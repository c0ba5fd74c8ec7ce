/**
 * What a notice says to a person, in both languages: undelivered, late, or handed to a server that sends no notices. The
 * words for programs stand in dsn.ts. Placeholders: {hostname}, {queueId}.
 */
import type { Text } from '../base/i18n.ts';

/** RFC 3464 §2.3.3: the actions we report. */
export type NoticeKind = 'failed' | 'delayed' | 'relayed';

export const WORDS: Record<NoticeKind, { subject: Text; introduction: Text }> = {
  failed: {
    subject: {
      ja: 'メールを配達できませんでした (Undelivered mail)',
      en: 'Undelivered mail returned to sender',
    },
    introduction: {
      ja: `これはメールゲートウェイ {hostname} からの自動通知です。

お送りになったメールを、次の宛先に配達できませんでした。
このメールを配達する試みは終わりました。あらためてお送りになる場合は、
宛先と下記の理由をご確認ください。`,
      en: `This is an automatic notice from the mail gateway {hostname}.

Your message could not be delivered to the recipients below.
It will not be tried again. Before you send it once more, please check
the addresses and the reasons given here.`,
    },
  },
  delayed: {
    subject: {
      ja: 'メールの配達が遅れています (Delayed mail)',
      en: 'Delayed mail, still being tried',
    },
    introduction: {
      ja: `これはメールゲートウェイ {hostname} からの自動通知です。

お送りになったメールが、次の宛先にまだ届いていません。
引き続き配達を試みますので、送り直す必要はありません。
お急ぎの場合は、ほかの手段でご連絡ください。`,
      en: `This is an automatic notice from the mail gateway {hostname}.

Your message has not reached the recipients below yet.
It is still being tried; you need not send it again.
If it is urgent, please use another way to reach them.`,
    },
  },
  relayed: {
    subject: {
      ja: 'メールを相手のサーバーに渡しました (Relayed mail)',
      en: 'Mail relayed to its next server',
    },
    introduction: {
      ja: `これはメールゲートウェイ {hostname} からの自動通知です。

お送りになったメールを、次の宛先のサーバーに渡しました。
このサーバーは配達確認に対応していないため、この先の確認は届かないことがあります。`,
      en: `This is an automatic notice from the mail gateway {hostname}.

Your message was handed to the server of the recipients below.
That server does not send delivery notices, so you may hear no more of it.`,
    },
  },
};

/** Before the reply that a recipient got. */
export const OUTCOME: Record<'bounced' | 'expired' | 'delayed' | 'relayed', Text> = {
  bounced: {
    ja: '  相手のサーバーが受け取りを断りました:',
    en: '  The receiving side refused it:',
  },
  expired: {
    ja: '  期限までに配達できませんでした。最後の応答:',
    en: '  It could not be delivered in time. The last answer was:',
  },
  delayed: {
    ja: '  まだ届いていません。最後の応答:',
    en: '  Not delivered yet. The last answer was:',
  },
  relayed: {
    ja: '  相手のサーバーが受け取りました:',
    en: '  The receiving side took it:',
  },
};

export const CLOSING: Text = {
  ja: `お問い合わせの際は、この受付番号をお知らせください: {queueId}
元のメールの件名などは添付のヘッダーにあります (本文は返送しません)。`,
  en: `When you ask for help, please give this queue id: {queueId}
The header of your message is attached; its body is not returned.`,
};

export const CLOSING_WHOLE: Text = {
  ja: `お問い合わせの際は、この受付番号をお知らせください: {queueId}
ご指定 (RET=FULL) により、元のメールを添付します。`,
  en: `When you ask for help, please give this queue id: {queueId}
Your message is attached, as it asked for (RET=FULL).`,
};
