/** What a mail server is, as far as its greeting tells, and what to set in it so that it works behind a gateway. Pure. */
import type { Text } from '../../base/i18n.ts';
import type { Answer } from '../contract/client.ts';
import type { Reply } from './smtp.ts';

type Product = NonNullable<Answer<'domains.probe'>['product']>;

const MARKS: ReadonlyArray<[RegExp, Product]> = [
  [/protection\.outlook\.com|mail\.protection/i, 'microsoft-365'],
  [/Microsoft ESMTP MAIL Service|\bX-EXPS\b|\bXEXCH50\b/i, 'exchange'],
  [/mx\.google\.com|gsmtp|aspmx/i, 'google'],
  [/cybozu/i, 'cybozu'],
  [/zimbra/i, 'zimbra'],
  [/dovecot/i, 'dovecot'],
  [/postfix/i, 'postfix'],
];

export function productOf(reply: Reply): Product | undefined {
  const text = reply.lines.join('\n');
  return MARKS.find(([mark]) => mark.test(text))?.[1];
}

const HINTS: Readonly<Partial<Record<Product, readonly Text[]>>> = {
  exchange: [
    {
      ja: '受信コネクタの「リモート ネットワーク」にこの機器の IP アドレスだけを入れ、匿名ユーザーを許可してください',
      en: 'In the receive connector list only this box’s address as remote network, and permit anonymous users',
    },
    {
      ja: '受信者フィルターを有効にしてください: Set-RecipientFilterConfig -RecipientValidationEnabled $true（ハブ サーバーでは Install-AntispamAgents.ps1 が先に必要です）',
      en: 'Switch recipient filtering on: Set-RecipientFilterConfig -RecipientValidationEnabled $true (first Install-AntispamAgents.ps1)',
    },
    {
      ja: '送信コネクタのスマート ホストにこの機器を指定してください',
      en: 'Name this box as smart host of the send connector',
    },
  ],
  'microsoft-365': [
    {
      ja: 'Exchange 管理センターで、この機器の IP アドレスからの「組織のメール サーバー」コネクタを作り、ほかからの受信を拒否してください',
      en: 'In the Exchange admin centre make a connector “from your organisation’s server” for this box’s address, and refuse others',
    },
    {
      ja: '「拡張フィルタリング」にこの機器の IP アドレスを加えてください',
      en: 'Add this box’s address to enhanced filtering for connectors',
    },
  ],
  google: [
    {
      ja: 'Google 管理コンソールの「受信ゲートウェイ」にこの機器の IP アドレスを加えてください',
      en: 'Add this box’s address under “Inbound gateway” in the Google admin console',
    },
  ],
  postfix: [
    {
      ja: 'mynetworks にこの機器の IP アドレスを加え、reject_unlisted_recipient が有効（既定）であることを確かめてください',
      en: 'Add this box’s address to mynetworks, and keep reject_unlisted_recipient on (the default)',
    },
  ],
  zimbra: [
    {
      ja: 'zimbraMtaMyNetworks にこの機器の IP アドレスを加えてください',
      en: 'Add this box’s address to zimbraMtaMyNetworks',
    },
  ],
  cybozu: [
    {
      ja: 'サイボウズの管理画面で、受信を許可する IP アドレスにこの機器を加えてください',
      en: 'Add this box to the addresses that may deliver, in Cybozu’s administration',
    },
  ],
};

export function hintsFor(product: Product | undefined): Text[] {
  return product === undefined ? [] : [...(HINTS[product] ?? [])];
}
