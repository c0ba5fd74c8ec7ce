/**
 * What every key of the configuration is for, when to change it and what follows from it, in both languages: the text of
 * docs/config.md, and of any page that shows a setting. `[]` stands for any element of a list. test/config/reference.test.ts
 * holds this against the schema: a key without words fails there, and so do words without a key.
 */
import type { Text } from '../base/i18n.ts';
import { INNER_WORDS } from './key-words-inner.ts';
import { POLICY_WORDS } from './key-words-policy.ts';

const FRONT_WORDS: Readonly<Record<string, Text>> = {
  version: {
    en: 'The form of this file, so that a later release can carry an old file over. Leave it out, or leave it at 1.',
    ja: 'このファイルの書式の版です。将来の版が古いファイルを引き継ぐために使います。省略するか、1 のままにしてください。',
  },
  language: {
    en: 'Language of the notices the gateway itself writes: non-delivery, delay and delivery notices. With "ja" they are in Japanese and in English below it, with "en" in English only, unless the message shows that its sender reads Japanese (its language fields, or kana in subject or name). Commands take their language from --lang or the environment.',
    ja: 'ゲートウェイが自分で書くお知らせ（不達、遅延、配送済み）の言語です。"ja" では日本語と英語を併記し、"en" では英語だけですが、送信者が日本語を読むとメールからわかるとき（言語ヘッダー、件名や名前のかな）は併記します。コマンドの言語は --lang か環境変数で決まります。',
  },
  hostname: {
    en: 'The name under which the gateway shows itself: in the greeting, in EHLO, in Received and in Authentication-Results. Set it to the name your MX record points at, with a matching PTR record: many servers refuse mail from a client whose name does not resolve.',
    ja: 'ゲートウェイが名乗る名前です。接続時のあいさつ、EHLO、Received、Authentication-Results に使います。MX レコードが指す名前にし、逆引き（PTR）も合わせてください。名前が引けない相手からのメールを断るサーバーは多くあります。',
  },

  listeners: {
    en: 'Where the gateway listens for mail. A changed address or port is taken over by a reload: the new place is opened, and open sessions at the old one may end in peace.',
    ja: 'メールを待ち受ける場所です。アドレスやポートの変更は再読み込みで反映されます。新しい場所を開き、古い場所で続いている通信は最後まで待ちます。',
  },
  'listeners.mx': {
    en: 'The listener for the Internet. It takes mail for the domains in "domains" and for nobody else.',
    ja: 'インターネット側の待ち受けです。「domains」に書いたドメインあてのメールだけを受け取ります。',
  },
  'listeners.mx.enabled': {
    en: 'Whether the listener is open. Set it to false on a gateway that only sends the mail of the office outward.',
    ja: 'この待ち受けを開くかどうかです。社内から外へ送るだけのゲートウェイでは false にします。',
  },
  'listeners.mx.address': {
    en: 'The address to listen on. "0.0.0.0" is every IPv4 address of the machine, "::" every address, IPv6 included. Name one address if the machine has several and only one faces the Internet.',
    ja: '待ち受けるアドレスです。"0.0.0.0" はこの機械のすべての IPv4 アドレス、"::" は IPv6 も含めたすべてです。アドレスが複数あり、外に面しているのがその 1 つだけなら、それを書きます。',
  },
  'listeners.mx.port': {
    en: 'The port to listen on. The Internet delivers to port 25 only; choose another one for a trial, or where a firewall redirects 25 to it.',
    ja: '待ち受けるポートです。外からのメールは必ずポート 25 に来ます。別の番号にするのは、試用のときや、ファイアウォールが 25 から転送するときです。',
  },
  'listeners.mx.bareLineFeed': {
    en: 'What happens to a message with a line feed that has no carriage return before it. "reject" refuses it with 554: two servers that read such a line differently can be made to see two messages where one was sent (SMTP smuggling). "mend" turns it into a proper line end; choose it only if a sender you need cannot be repaired. A command that ends so is refused with 500, or taken, likewise. A lone carriage return or a NUL octet is refused in any case.',
    ja: 'CR のない LF だけの改行を含むメールの扱いです。"reject" は 554 で断ります。改行の読み方がサーバーごとに違うと、1 通が 2 通に化ける攻撃（SMTP スマグリング）に使われるためです。"mend" は正しい改行に直して受け取ります。どうしても直せない送り手があるときだけ選んでください。LF だけで終わるコマンドも同じ扱いで、"reject" なら 500 で断ります。単独の CR と NUL は、どちらの設定でも断ります。',
  },
  'listeners.mx.maxSessions': {
    en: 'Connections open at the same time. Beyond it a client hears 421 and comes back later; the last tenth is kept for clients whose mail was taken before, so that a flood of strangers does not shut out your partners. Lower it on a machine with little memory.',
    ja: '同時に開ける接続の数です。超えた相手には 421 を返し、後で来てもらいます。最後の 1 割は、これまでにメールを受け取ったことのある相手のために空けておくので、知らない相手が押し寄せても取引先は締め出されません。メモリーの少ない機械では下げてください。',
  },
  'listeners.mx.maxSessionsPerAddress': {
    en: 'Connections open at the same time from one address; beyond it: 421. Raise it if one big sender, or a filter in front that is not listed under "xclientPeers" or "proxyPeers", brings most of your mail.',
    ja: '1 つのアドレスから同時に開ける接続の数です。超えると 421 を返します。大量に送ってくる相手がいるときや、「xclientPeers」「proxyPeers」に書いていないフィルターが前にあるときは上げてください。',
  },
  'listeners.mx.maxSessionsPerNetwork': {
    en: 'The same for a whole network: the /24 of an IPv4 address, the /64 of an IPv6 address. It keeps one provider with many addresses from taking every place.',
    ja: '同じ制限を、ネットワーク単位（IPv4 は /24、IPv6 は /64）で数えたものです。多くのアドレスを持つ相手に、接続をすべて占められるのを防ぎます。',
  },
  'listeners.mx.greetingDelayMs': {
    en: 'How long a client waits for the greeting. Who talks before it is a program that does not listen, usually a spam engine, and is sent away with 421. A few seconds catch more of them and delay every connection by as much; 0 greets at once and tests nobody.',
    ja: '接続してきた相手に、あいさつを返すまで待たせる時間です。待てずに話しはじめるのは、応答を聞かない迷惑メール送信プログラムがほとんどなので、421 で切ります。数秒にすると多く見つかりますが、すべての接続がその分遅れます。0 ではすぐにあいさつし、この検査をしません。',
  },
  'listeners.mx.proxyPeers': {
    en: 'Load balancers in front of the gateway. Each of their connections must begin with a PROXY header (version 1 or 2), and the client named in it counts for limits, SPF, blocklists and history. List only your own machines: whoever is listed can claim to be anybody.',
    ja: 'ゲートウェイの前にあるロードバランサーです。ここに書いた相手からの接続は PROXY ヘッダー（バージョン 1 か 2）で始まらなければならず、そこに書かれた相手を、制限・SPF・ブロックリスト・履歴で送り手として扱います。だれにでもなりすませる立場なので、自社の機械だけを書いてください。',
  },
  'listeners.mx.xclientPeers': {
    en: 'Filters or relays in front of the gateway that may name their client by the XCLIENT command, as Postfix does. Without it all mail seems to come from the filter, and SPF and the limits judge the wrong machine. List only your own machines.',
    ja: 'ゲートウェイの前にあり、XCLIENT コマンド（Postfix などが対応）で本当の送り手を伝えてよいフィルターや中継サーバーです。書かないと、すべてのメールがそのフィルターから来たように見え、SPF や制限の判断を誤ります。自社の機械だけを書いてください。',
  },
  'listeners.relay': {
    en: 'The listener for the mail servers of the office: they hand their outgoing mail to it, as to a smarthost.',
    ja: '社内のメールサーバー用の待ち受けです。外へ送るメールを、スマートホストとしてここに渡してもらいます。',
  },
  'listeners.relay.enabled': {
    en: 'Whether the listener is open. Set it to false if the office sends its mail by another way.',
    ja: 'この待ち受けを開くかどうかです。社内から外へのメールが別の道を通るなら false にします。',
  },
  'listeners.relay.address': {
    en: 'The address to listen on. As shipped only this machine reaches it; give the address that faces the office before you name its mail server under "networks".',
    ja: '待ち受けるアドレスです。既定ではこの機械からしか届きません。「networks」に社内のメールサーバーを書くときは、ここを社内側のアドレスにしてください。',
  },
  'listeners.relay.port': {
    en: 'The port that the mail server of the office has to name as its smarthost, together with the address. It must differ from the port of "listeners.mx" unless the addresses differ.',
    ja: '社内のメールサーバーで、スマートホストとしてアドレスと一緒に指定するポートです。アドレスが違う場合を除き、「listeners.mx」と同じポートは使えません。',
  },
  'listeners.relay.networks': {
    en: 'The only clients that may send outward through the gateway; anybody else is refused when connecting. Name the mail servers of the office one by one rather than its whole network, so that an infected computer cannot send by itself. What would open the relay to the Internet is refused by the check.',
    ja: 'このゲートウェイから外へ送ってよい相手です。ほかの相手は接続した時点で断ります。社内ネットワーク全体ではなく、メールサーバーを 1 台ずつ書いてください。感染したパソコンが勝手に送るのを防げます。インターネットのだれでも送れるような指定は、設定の検査で断ります。',
  },
  'listeners.relay.bareLineFeed': {
    en: 'As for "listeners.mx", for mail from the office. "mend" is the default here because scanners, printers and old programs often send bare line feeds, and whoever sends is known.',
    ja: '「listeners.mx」と同じ設定の、社内からのメール用です。複合機や古いプログラムは LF だけの改行をよく送ってくるうえ、送り手がわかっているので、既定は "mend" です。',
  },
  'listeners.relay.maxSessions': {
    en: 'Connections of the office open at the same time; beyond it: 421. They are counted apart from those of "listeners.mx", so a flood from outside never stops outgoing mail.',
    ja: '社内から同時に開ける接続の数です。超えると 421 を返します。「listeners.mx」とは別に数えるので、外から接続が押し寄せても送信は止まりません。',
  },
  'listeners.relay.greetingDelayMs': {
    en: 'As for "listeners.mx". Leave it at 0: the clients are known, and a delay only slows outgoing mail.',
    ja: '「listeners.mx」と同じ設定です。相手はわかっており、待たせても送信が遅くなるだけなので、0 のままにしてください。',
  },

  tls: {
    en: 'The certificate shown to clients that use STARTTLS. Without one the gateway makes and keeps its own, which is enough for the encryption most senders use.',
    ja: 'STARTTLS を使う相手に示す証明書です。指定しなければゲートウェイが自分で作って使い続けます。多くの送り手の暗号化はそれで足ります。',
  },
  'tls.certificate': {
    en: 'The path of a PEM file with the certificate and the chain behind it; a relative path starts at the folder of this file. Set it together with "tls.key" if your partners check certificates. A file renewed in the same place is read by "config reload".',
    ja: '証明書と中間証明書を入れた PEM ファイルのパスです。相対パスは、この設定ファイルのあるフォルダーから数えます。取引先が証明書を確かめる場合に、「tls.key」と一緒に指定します。同じ場所でファイルを更新したときは、「config reload」で読み込まれます。',
  },
  'tls.key': {
    en: 'The path of the PEM file with the private key of "tls.certificate". The gateway must be able to read it, and nobody else should.',
    ja: '「tls.certificate」の秘密鍵を入れた PEM ファイルのパスです。ゲートウェイだけが読めるようにしてください。',
  },

  accept: {
    en: 'What is asked about a client before its mail is taken.',
    ja: 'メールを受け取る前に、送り手について調べることです。',
  },
  'accept.dnsbl': {
    en: 'Blocklists in the DNS. None is asked unless you choose one: asking tells the list whose mail you get, and many lists want an agreement.',
    ja: 'DNS のブロックリストです。選ばないかぎり、どこにも問い合わせません。問い合わせれば、だれからメールが来たかがリストの運営者に伝わります。契約が必要なリストも多くあります。',
  },
  'accept.dnsbl.zones': {
    en: 'The lists to ask about each client of "listeners.mx". A list that does not answer counts nothing: a broken list never stops mail.',
    ja: '「listeners.mx」に接続してきた相手について問い合わせるリストです。答えないリストは数えません。リストの不調でメールが止まることはありません。',
  },
  'accept.dnsbl.zones[].zone': {
    en: 'The zone of the list, as its operator names it. Read its terms first; the free service of some lists refuses questions from large public resolvers.',
    ja: 'リストのゾーン名です。運営者の案内にあるとおりに書きます。先に利用条件を確かめてください。大手の公開リゾルバー経由の問い合わせには答えないリストもあります。',
  },
  'accept.dnsbl.zones[].weight': {
    en: 'How much a listing there counts. Weights add up; a negative one speaks for the client, which is how a list of good senders is used.',
    ja: 'そのリストに載っていたときの重みです。重みは足し合わせます。負の値は送り手に有利に働くので、良い送り手のリスト（許可リスト）に使います。',
  },
  'accept.dnsbl.threshold': {
    en: 'From this sum of weights on the recipients are refused with 554; postmaster and abuse still hear from the client, so that it can complain. With two lists of weight 1, a threshold of 2 refuses only who stands on both.',
    ja: '重みの合計がこの値以上なら、宛先を 554 で断ります。苦情を受けられるよう、postmaster と abuse あては通します。重み 1 のリストが 2 つなら、2 にすると両方に載った相手だけを断ります。',
  },
  'accept.dnsbl.allow': {
    en: 'Clients that no list is asked about. Add a partner that was listed by mistake, rather than taking the list out.',
    ja: 'リストに問い合わせない相手です。誤って載せられた取引先があるときは、リストを外すよりも、ここに書いてください。',
  },
};

/** Where there is one server only, nothing is tried before it. */
const PRIORITY_OF_ONE: Text = {
  en: 'Without effect here, as there is only one server; it belongs to every server of this file.',
  ja: 'サーバーは 1 つだけなので、ここでは効きません。サーバーの項目に共通のものです。',
};

const SMARTHOST_PORT: Text = {
  en: 'The port of the server. Providers take mail with a login on 587 (encrypted by STARTTLS) or 465 (TLS from the first octet); a server of your own usually on 25.',
  ja: 'サーバーのポートです。プロバイダーの送信サーバーはログインつきで 587 番（STARTTLS で暗号化）か 465 番（最初から TLS）、自社のサーバーならふつう 25 番です。',
};

/** The keys of one next hop: a mail server of a domain, the smarthost, an override. */
function serverWords(prefix: string, { only = false } = {}): Record<string, Text> {
  return {
    [`${prefix}.host`]: {
      en: 'Name or address of the server. A name is looked up for each connection, so a server that moves is found again; an address works also while DNS does not.',
      ja: 'サーバーの名前かアドレスです。名前は接続のたびに引くので、サーバーのアドレスが変わっても届きます。アドレスで書けば、DNS が止まっていても届きます。',
    },
    [`${prefix}.port`]: {
      en: 'The port of the server: 25 for SMTP, often 24 for LMTP. It must not lead back to the gateway itself; the check refuses that.',
      ja: 'サーバーのポートです。SMTP は 25、LMTP は 24 がよく使われます。ゲートウェイ自身に戻る指定は、メールがループするので設定の検査で断ります。',
    },
    [`${prefix}.priority`]: only
      ? PRIORITY_OF_ONE
      : {
          en: 'Lower numbers are tried first; servers with the same number share the mail. Give a standby server a higher number.',
          ja: '小さい数のサーバーから順に試し、同じ数のサーバーには振り分けます。予備のサーバーには大きい数を付けてください。',
        },
    [`${prefix}.tls`]: {
      en: '"opportunistic" encrypts when the server offers STARTTLS, whatever its certificate, and goes on in clear when that fails. "required" wants a certificate that is valid for the name, and otherwise lets the mail wait. "off" never encrypts; take it only for a server whose STARTTLS is broken, on a network you trust.',
      ja: '"opportunistic" は、相手が STARTTLS に対応していれば証明書を問わず暗号化し、できなければ平文で送ります。"required" は、名前の合う正しい証明書がなければ送らずに待ちます。"off" は暗号化しません。STARTTLS が壊れたサーバーに、信頼できるネットワークの中で送るときだけにしてください。',
    },
    [`${prefix}.protocol`]: {
      en: '"smtp" for a mail server, "lmtp" for a mail store such as Dovecot that takes mail without a queue of its own and answers for each recipient (RFC 2033).',
      ja: 'メールサーバーには "smtp"、Dovecot のように自分の待ち行列を持たず、宛先ごとに答えるメールストアには "lmtp" を使います（RFC 2033）。',
    },
  };
}

/** By path, as `configKeys()` gives it. */
export const KEY_WORDS: Readonly<Record<string, Text>> = {
  ...FRONT_WORDS,
  ...INNER_WORDS,
  ...POLICY_WORDS,
  ...serverWords('domains[].servers[]'),
  ...serverWords('outbound.smarthost', { only: true }),
  'outbound.smarthost.port': SMARTHOST_PORT,
  ...serverWords('delivery.overrides[]', { only: true }),
};
