/** What docs/config.md and docs/config.ja.md say besides the keys themselves: how to begin, to check, to apply and to go back. */
import type { Text } from '../../src/base/i18n.ts';
import type { KeyKind, Unit } from '../../src/config/reference.ts';

/** Whole files: what they leave out has its default. A test holds each against `checkConfig()`. */
export const EXAMPLES: Readonly<Record<string, unknown>> = {
  small: {
    hostname: 'mx.office.example',
    listeners: { relay: { address: '0.0.0.0', networks: ['192.168.1.10'] } },
    domains: [{ name: 'office.example', servers: [{ host: '192.168.1.10' }] }],
  },
  twoServers: {
    hostname: 'mx.office.example',
    domains: [
      {
        name: 'office.example',
        servers: [
          { host: 'mail1.office.example', tls: 'required' },
          { host: 'mail2.office.example', tls: 'required', priority: 20 },
        ],
        recipients: { check: 'list', file: 'recipients.txt' },
      },
    ],
  },
  provider: {
    hostname: 'mx.office.example',
    listeners: { relay: { address: '192.168.1.5', networks: ['192.168.1.10'] } },
    domains: [{ name: 'office.example', servers: [{ host: '192.168.1.10', port: 24, protocol: 'lmtp' }] }],
    outbound: {
      smarthost: {
        host: 'smtp.provider.example',
        port: 587,
        tls: 'required',
        user: 'office@provider.example',
        password: 'what the provider gave',
      },
    },
    delivery: { perMinutePerHop: 60 },
  },
  strict: {
    hostname: 'mx.office.example',
    domains: [{ name: 'office.example', servers: [{ host: '192.168.1.10' }] }],
    accept: {
      dnsbl: {
        zones: [{ zone: 'bl.example' }, { zone: 'dnsbl.example' }, { zone: 'good.example', weight: -2 }],
        threshold: 2,
        allow: ['198.51.100.7'],
      },
    },
    policy: {
      spam: { tag: 4, quarantine: 6, reject: 12 },
      disguisedExecutable: 'reject',
      encryptedArchive: 'quarantine',
      trustedForwarders: ['forward.example'],
      trustedSealers: ['lists.example'],
    },
  },
};

const START_EN = `
# Configuration

[日本語](config.ja.md)

One JSON file says everything. What it leaves out has its default, and a key that does not exist is an error, so that a slip of
the pen never goes unnoticed. Written from the schema in \`src/config/schema.ts\`; do not edit this page by hand.

## A complete small example

One domain, one mail server, and that server sends its own mail through the gateway:

{small}

Everything else is decided: recipients are checked by asking the mail server, viruses and plain spam are refused, doubtful mail
is quarantined for 14 days, and mail waits up to a week for a mail server that is down. On \`192.168.1.10\` name the gateway, port
10025, as the smarthost. The MX record of the domain points at \`mx.office.example\`.

## Check, apply, go back

From a checkout the command is \`./scripts/sekisho\`, once \`./scripts/start\` has run. Every problem is told at once, with the place, what was found, what is
allowed and what to do.

- \`sekisho config check FILE\` checks a file; it needs no running gateway and changes nothing.
- \`sekisho config reload\` takes the file over after you edited it; the signal HUP does the same. A file with a mistake is not
  taken: what ran before runs on, and an alarm says so until the file is mended. Even at a start a bad file does not stop the
  gateway: it runs the newest generation that is valid.
- \`sekisho config set PATH VALUE\` changes one key at once and writes the file; \`sekisho config unset PATH\` brings its default
  back. The value is JSON or else text: \`sekisho config set policy.spam.reject 12\`,
  \`sekisho config set hostname mx.office.example\`. They refuse while the file holds an edit that was not taken over, so that no
  edit of yours is lost.
- \`sekisho config show\` prints all settings with their defaults, \`sekisho config get PATH\` one of them.
- \`sekisho config generations\` lists every accepted change with time, author and the keys it changed. The generations are kept
  in the folder \`generations\` beside the file.
- \`sekisho config diff 3 5\` tells what differs between two generations; \`sekisho config rollback 3\` goes back to one of them,
  which is a new generation in turn.

A change is applied, recorded and written, in that order; if one of these fails, everything stays as it was. It holds from
the next session, message or attempt on; none waits for a restart.

A path names a place: \`policy.spam.tag\`, \`domains.0.servers.0.port\`, or by name
\`domains[office.example].servers[192.168.1.10].port\`. \`domains.+\` is a new last element:

\`\`\`
sekisho config set domains.+ '{"name": "branch.example", "servers": [{"host": "192.168.2.10"}]}'
\`\`\`

## More examples

Two mail servers, the second one for the time when the first is away, both only with a valid certificate; addresses in a file:

{twoServers}

A mail store spoken to by LMTP, and a provider that wants all outgoing mail, not more than 60 messages a minute:

{provider}

Stricter than as shipped: blocklists (who stands on two of them is refused), lower scores, locked archives kept back; with a
forwarding service and mailing lists whose checks are believed:

{strict}

## All {keys} keys

\`[]\` stands for any element of a list. Times are in milliseconds where the name ends in \`Ms\`, sizes in octets where it ends in
\`Octets\`.
`;

const START_JA = `
# 設定

[English](config.md)

設定は 1 つの JSON ファイルにまとまっています。書かなかった項目は既定値になり、存在しない項目を書くと誤りとして知らせるので、
書き間違いに気づかないままになることはありません。このページは \`src/config/schema.ts\` のスキーマから作られます。直接は編集しないで
ください。

## そのまま使える小さな例

ドメイン 1 つ、メールサーバー 1 台。そのサーバーから外へ送るメールもゲートウェイを通します。

{small}

ほかはすべて決まっています。宛先があるかはメールサーバーに尋ね、ウイルスと明らかな迷惑メールは断り、疑わしいものは 14 日間隔離し、
メールサーバーが止まっていれば 7 日まで預かります。\`192.168.1.10\` では、ゲートウェイのポート 10025 をスマートホストに指定します。
ドメインの MX レコードは \`mx.office.example\` に向けます。

## 確かめる、反映する、元に戻す

チェックアウトから使うときのコマンドは \`./scripts/sekisho\` です（一度 \`./scripts/start\` を実行したあとで使えます）。誤りがあれば、場所、書いてある値、書いてよい値、直し方を、
すべてまとめて知らせます。

- \`sekisho config check FILE\`：ファイルを検査します。ゲートウェイが動いていなくても使え、何も変更しません。
- \`sekisho config reload\`：編集したファイルを読み直して反映します（HUP シグナルでも同じです）。誤りのあるファイルは反映せず、
  それまでの設定で動き続け、直るまで警報を出します。起動のときに誤りがあっても止まらず、最後の正しい世代で動きます。
- \`sekisho config set PATH VALUE\`：1 項目をすぐに変え、ファイルにも書きます。\`sekisho config unset PATH\` は既定値に戻します。
  値は JSON か文字列です（例：\`sekisho config set policy.spam.reject 12\`、\`sekisho config set hostname mx.office.example\`）。
  編集したファイルをまだ反映していないあいだは、編集が消えないように断ります。
- \`sekisho config show\`：既定値も含めた全設定を表示します。\`sekisho config get PATH\` は 1 項目だけを表示します。
- \`sekisho config generations\`：これまでの変更を、日時・変更者・変更箇所とともに一覧にします。世代は、設定ファイルと同じ場所の
  \`generations\` フォルダーに残ります。
- \`sekisho config diff 3 5\`：2 つの世代の違いを表示します。\`sekisho config rollback 3\` はその世代の設定に戻します（戻したことも
  新しい世代になります）。

変更は、適用、記録、ファイルへの書き込みの順に行い、どれかに失敗すれば、すべてを元のままにします。次の接続、メール、配送から
効きます。再起動を待つ項目はありません。

場所は \`policy.spam.tag\`、\`domains.0.servers.0.port\` のように、または名前で
\`domains[office.example].servers[192.168.1.10].port\` のように書きます。\`domains.+\` は、最後に加える新しい要素です。

\`\`\`
sekisho config set domains.+ '{"name": "branch.example", "servers": [{"host": "192.168.2.10"}]}'
\`\`\`

## ほかの例

メールサーバーが 2 台（2 台目は 1 台目が止まったときだけ）。どちらも正しい証明書を求め、宛先はファイルで確かめます。

{twoServers}

LMTP で受け取るメールストアと、外あてのメールをすべて渡すプロバイダー。1 分に 60 通までにします。

{provider}

既定より厳しい設定。ブロックリスト（2 つに載った相手を断ります）を使い、点数を下げ、パスワード付きの圧縮ファイルを隔離します。
転送サービスとメーリングリストの確認結果は信じます。

{strict}

## 全 {keys} 項目

\`[]\` はリストの任意の要素を表します。名前が \`Ms\` で終わる項目の単位はミリ秒、\`Octets\` で終わる項目の単位はオクテット（バイト）です。
`;

interface Page {
  start: Text;
  required: Text;
  optional: Text;
  or: Text;
  default: Text;
  thatIs: Text;
  length: Text;
  between: Text;
  above: Text;
  atLeast: Text;
  elementsLeast: Text;
  elementsMost: Text;
  kinds: Readonly<Record<Exclude<KeyKind, 'choice'> | 'numbers', Text>>;
  units: Readonly<Record<Unit, Text>>;
}

export const PAGE: Page = {
  start: { en: START_EN, ja: START_JA },
  required: { en: '**required**', ja: '**必須**' },
  optional: { en: 'may be left out', ja: '省略可' },
  or: { en: ' or ', ja: ' か ' },
  default: { en: 'default ', ja: '既定値 ' },
  thatIs: { en: ' ({said})', ja: '（{said}）' },
  length: { en: 'up to {most} characters', ja: '{most} 文字まで' },
  between: { en: '{least} to {most}', ja: '{least}〜{most}' },
  above: { en: 'above {above}, up to {most}', ja: '{above} より大きく {most} 以下' },
  atLeast: { en: 'at least {least}', ja: '{least} 以上' },
  elementsLeast: { en: 'at least {least} of them', ja: '{least} 個以上' },
  elementsMost: { en: 'up to {most} of them', ja: '{most} 個まで' },
  kinds: {
    section: { en: 'object', ja: 'オブジェクト' },
    sections: { en: 'list of objects', ja: 'オブジェクトのリスト' },
    text: { en: 'text', ja: '文字列' },
    integer: { en: 'whole number', ja: '整数' },
    number: { en: 'number', ja: '数' },
    boolean: { en: '`true` or `false`', ja: '`true` か `false`' },
    list: { en: 'list of texts', ja: '文字列のリスト' },
    numbers: { en: 'list of whole numbers', ja: '整数のリスト' },
  },
  units: {
    ms: { en: 'milliseconds', ja: 'ミリ秒' },
    octets: { en: 'octets', ja: 'オクテット' },
    MiB: { en: 'MiB', ja: 'MiB' },
    percent: { en: 'percent', ja: 'パーセント' },
    days: { en: 'days', ja: '日' },
    perMinute: { en: 'messages a minute', ja: '1 分あたりの通数' },
  },
};
