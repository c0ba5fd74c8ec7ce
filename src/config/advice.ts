/** What a kind of value may be, in words with an example: said by the schema, by problems, and by the reference. */
import type { Text } from '../base/i18n.ts';

export const ADVICE = {
  port: { en: 'a port number from 1 to 65535', ja: '1 から 65535 までのポート番号' },
  address: {
    en: 'an IP address like "0.0.0.0" or "::"',
    ja: '"0.0.0.0" や "::" のような IP アドレス',
  },
  network: {
    en: 'a network like "192.168.1.0/24", or an address like "192.168.1.5"',
    ja: '"192.168.1.0/24" のようなネットワーク、または "192.168.1.5" のようなアドレス',
  },
  hostName: {
    en: 'a full host name like "mx.example.com"',
    ja: '"mx.example.com" のような完全なホスト名',
  },
  hostOrAddress: {
    en: 'a host name like "mail.office.example", or an IP address like "192.0.2.25"',
    ja: '"mail.office.example" のようなホスト名、または "192.0.2.25" のような IP アドレス',
  },
  loginWord: {
    en: 'the login as your provider gave it: up to 500 characters, no control characters',
    ja: 'プロバイダーから渡されたとおりのログイン情報（500 文字まで、制御文字は不可）',
  },
  domainName: {
    en: 'a mail domain like "office.example" or "会社.example"',
    ja: '"office.example" や "会社.example" のようなメールドメイン',
  },
  mailAddress: {
    en: 'a mail address like "hanako@office.example"',
    ja: '"hanako@office.example" のようなメールアドレス',
  },
  zone: {
    en: 'the zone of a blocklist like "zen.spamhaus.org"',
    ja: '"zen.spamhaus.org" のようなブロックリストのゾーン名',
  },
  forwarder: {
    en: 'a forwarder you trust: the network of its servers like "192.0.2.0/24", or the domain its mail passes SPF for, like "forward.example"',
    ja: '信頼する転送サービス: "192.0.2.0/24" のような送信サーバーのネットワーク、または "forward.example" のような SPF に合格するドメイン',
  },
  listMatch: {
    en: 'an address like "info@shop.example", a domain with all below it like "@shop.example", or a network like "192.0.2.0/24"',
    ja: '"info@shop.example" のようなアドレス、"@shop.example" のようなドメイン（サブドメインも含む）、または "192.0.2.0/24" のようなネットワーク',
  },
  recipientMatch: {
    en: 'an address like "sales@office.example", or a domain with all below it like "@office.example"',
    ja: '"sales@office.example" のようなアドレス、または "@office.example" のようなドメイン（サブドメインも含む）',
  },
  sealer: {
    en: 'a mail domain that seals with ARC and whose checks you trust, like "lists.example"',
    ja: '"lists.example" のように、ARC の署名を付け、その確認結果を信頼できるメールドメイン',
  },
  thresholds: {
    en: 'rising thresholds: tag ≤ quarantine ≤ reject',
    ja: '順に大きくなるしきい値: tag ≤ quarantine ≤ reject',
  },
  resolver: {
    en: 'a DNS server like "127.0.0.1", "127.0.0.1:5353" or "[::1]:53"',
    ja: '"127.0.0.1"、"127.0.0.1:5353"、"[::1]:53" のような DNS サーバー',
  },
  hour: { en: 'a time of day like "08:30"', ja: '"08:30" のような時刻' },
  portalUrl: {
    en: 'an address like "https://mail.office.example:8443", without a path',
    ja: '"https://mail.office.example:8443" のような URL（パスなし）',
  },
  rspamdUrl: {
    en: 'a URL like "http://127.0.0.1:11333", or the path of a Unix socket like "/run/rspamd/worker.sock"',
    ja: '"http://127.0.0.1:11333" のような URL、または "/run/rspamd/worker.sock" のような Unix ソケットのパス',
  },
} as const satisfies Record<string, Text>;
