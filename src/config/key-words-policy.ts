/** What the keys of domains, outbound, policy and engines are for: a part of key-words.ts, which says how it is used. */
import type { Text } from '../base/i18n.ts';

export const POLICY_WORDS: Readonly<Record<string, Text>> = {
  domains: {
    en: 'The domains the gateway takes mail for, and the mail servers behind it. Mail for any other domain is refused at "listeners.mx". As shipped there is none, so nothing is taken.',
    ja: 'メールを受け取るドメインと、その後ろのメールサーバーです。ほかのドメインあてのメールは「listeners.mx」で断ります。既定では空なので、何も受け取りません。',
  },
  'domains[].name': {
    en: 'The domain behind the @. Each subdomain that gets mail needs an entry of its own; Japanese names may be written as they are.',
    ja: 'アドレスの @ より後ろのドメインです。メールを受け取るサブドメインは、それぞれ別に書きます。日本語ドメインはそのまま書けます。',
  },
  'domains[].servers': {
    en: 'The mail servers of this domain. If none of them answers, mail is kept and their return is watched; then it is delivered oldest first.',
    ja: 'このドメインのメールサーバーです。どれも応答しないあいだはメールを預かり、復旧を見張って、戻ったら古いものから順に届けます。',
  },
  'domains[].recipients': {
    en: 'How the gateway knows which addresses of the domain exist. Unknown ones are refused while the sender is still connected, so that no notice has to be sent to forged senders later.',
    ja: 'このドメインにどのアドレスがあるかを知る方法です。ない宛先は送り手がつながっているうちに断るので、偽の差出人へ不達通知を送らずにすみます。',
  },
  'domains[].recipients.check': {
    en: '"call-ahead" asks the mail server and remembers its answer: a good one for 31 days, a bad one for 3. "list" reads a file. "any" takes every address; choose it only if the mail server cannot say no, for what it refuses later becomes a bounce.',
    ja: '"call-ahead" はメールサーバーに尋ね、答えを覚えます（ある宛先は 31 日、ない宛先は 3 日）。"list" はファイルを読みます。"any" はすべて受け取ります。メールサーバーが断った分は後で不達になるので、宛先を確かめられないサーバーのときだけ選んでください。',
  },
  'domains[].recipients.file': {
    en: 'For "list": the path of a text file with an address, a localpart or @domain (all of it) on each line; # begins a comment. A relative path starts at the folder of this file. A changed file is seen without a reload; one that is missing or empty refuses nobody and raises an alarm.',
    ja: '"list" のときに読むテキストファイルのパスです。1 行に 1 つ、アドレスか、@ より前の部分か、@ドメイン（そのドメインすべて）を書きます。# からはコメントです。相対パスは、この設定ファイルのあるフォルダーから数えます。変更は再読み込みしなくても反映されます。ファイルがない、または空のときは、だれも断らずに警報を出します。',
  },
  'domains[].recipients.whenUnknown': {
    en: 'What to do with an address nobody can tell about, because the mail server is down and has not been asked before. "defer" answers 450, and the sender tries again later; "accept" takes the mail at the risk of a bounce. It is never refused for good.',
    ja: 'メールサーバーが止まっていて、まだ尋ねたこともない宛先の扱いです。"defer" は 450 を返し、送り手に後で送り直してもらいます。"accept" は、後で不達になるかもしれないのを承知で受け取ります。どちらでも 5xx で断ることはありません。',
  },
  'domains[].perMinute': {
    en: 'Messages a minute to the servers of this domain, 0: as many as they bear. Set it for a server that is slowed down by a burst, for instance when much mail has waited. Without it "delivery.perMinutePerHop" counts.',
    ja: 'このドメインのサーバーへ 1 分間に送るメールの数です。0 は制限なしです。たまったメールを一度に送ると重くなるサーバーのときに決めてください。省略すると「delivery.perMinutePerHop」に従います。',
  },

  outbound: {
    en: 'How mail for the rest of the world leaves.',
    ja: '外あてのメールの送り方です。',
  },
  'outbound.smarthost': {
    en: 'A server that takes everything outward, instead of the MX of each recipient. Needed where the provider blocks port 25 or wants all mail to pass its own server. Leave it out to deliver directly.',
    ja: '宛先の MX に直接送る代わりに、外あてのメールをすべて渡すサーバーです。プロバイダーがポート 25 を止めているときや、自社のサーバーを通すよう求めているときに必要です。省略すると直接送ります。',
  },
  'outbound.smarthost.user': {
    en: 'The name your provider gave you for its submission server (port 587 with STARTTLS, or 465). Where the access line blocks port 25 (OP25B) this is the way out. With a login TLS and a certificate that is valid for the name are always demanded, whatever "tls" says.',
    ja: 'プロバイダーの送信サーバー（STARTTLS の 587 番か、465 番）にログインするときのユーザー名です。回線の 25 番ポートが止められている（OP25B）ときは、これで外へ送ります。ログインするときは「tls」の値にかかわらず、TLS と、名前の合う正しい証明書を必ず求めます。',
  },
  'outbound.smarthost.password': {
    en: 'The password that belongs to "user". It is never shown: `config show`, differences, logs, exports and support bundles say `[hidden]`; a `config set` with `[hidden]` keeps the one that is there. It stands in the configuration file and its generations, which only the gateway and root can read. If the provider refuses it, mail waits and an alarm says so.',
    ja: '「user」のパスワードです。画面や `config show`、設定の差分、ログ、書き出し、サポート用の資料には `[hidden]` としか出ません。`config set` で `[hidden]` と書くと、今のパスワードを残します。保存先は設定ファイルとその世代で、読めるのはゲートウェイと root だけです。プロバイダーに断られたときは、メールを預かったまま警報を出します。',
  },
  'outbound.dane': {
    en: 'Obeys DANE (RFC 7672): a domain outside that publishes under DNSSEC which certificate its mail servers have gets mail only over TLS with that very certificate; otherwise it waits. It counts only while every server in `dns.servers` is on this machine, as the built-in validating resolver is.',
    ja: 'DANE（RFC 7672）に従います。宛先のドメインがメールサーバーの証明書を DNSSEC で公開していれば、その証明書の TLS でだけ送り、合わなければ待たせます。`dns.servers` がすべてこの機器の中（付属の検証リゾルバーなど）にあるときだけ働きます。',
  },
  'outbound.mtaSts': {
    en: 'Obeys MTA-STS (RFC 8461): where a domain outside announces a policy in DNS, the box fetches it by HTTPS from `mta-sts.<domain>` and keeps it as long as it says. With the mode `enforce` mail goes only to the servers named there, over TLS with a valid certificate; otherwise it waits.',
    ja: 'MTA-STS（RFC 8461）に従います。宛先のドメインが DNS でポリシーを告知していれば、`mta-sts.<ドメイン>` から HTTPS で取得し、書かれた期間だけ保存します。`enforce` のときは、そこに書かれたサーバーへ、正しい証明書の TLS でだけ送り、合わなければ待たせます。',
  },
  'outbound.destinations': {
    en: 'Other words about encryption for single destinations, by recipient domain: for one whose DANE records or policy are broken and whose people are told, or for one that must never get mail in clear.',
    ja: '宛先ドメインごとの暗号化の例外です。DANE やポリシーが壊れたままの相手（先方に伝えた上で）や、平文では決して送りたくない相手に使います。',
  },
  'outbound.destinations[].domain': {
    en: 'The recipient domain; exactly this one, not what is below it.',
    ja: '宛先のドメイン。ちょうどこの名前だけで、その下のドメインは含みません。',
  },
  'outbound.destinations[].tls': {
    en: 'Instead of `outbound.tls`: "opportunistic" encrypts where it is offered, "required" sends only with a valid certificate, "off" never encrypts and leaves DANE and MTA-STS unasked.',
    ja: '`outbound.tls` の代わりの値です。"opportunistic" は相手が対応していれば暗号化し、"required" は正しい証明書があるときだけ送り、"off" は暗号化せず、DANE と MTA-STS も確認しません。',
  },
  'outbound.destinations[].dane': {
    en: 'Instead of `outbound.dane`.',
    ja: '`outbound.dane` の代わりの値です。',
  },
  'outbound.destinations[].mtaSts': {
    en: 'Instead of `outbound.mtaSts`.',
    ja: '`outbound.mtaSts` の代わりの値です。',
  },
  'outbound.tls': {
    en: 'Encryption towards the MX of recipients (the smarthost has a setting of its own). "opportunistic" encrypts wherever it is offered; "required" leaves all mail waiting whose server has no valid certificate, which is too strict for the open Internet; "off" never encrypts.',
    ja: '宛先の MX へ送るときの暗号化です（スマートホストには別の設定があります）。"opportunistic" は、相手が対応していれば暗号化します。"required" は、正しい証明書のないサーバーあてをすべて待たせるので、インターネット全体を相手にするには厳しすぎます。"off" は暗号化しません。',
  },

  policy: {
    en: 'What is done with what was found. Where several rules apply the strictest wins. An action is "reject" (5xx while the sender is connected; nothing is kept), "quarantine" (taken and kept back until somebody decides) or "deliver".',
    ja: '見つかったものをどう扱うかです。いくつもの規則に当たるときは、いちばん厳しいものに従います。"reject" は送り手がつながっているうちに 5xx で断り（何も残しません）、"quarantine" は受け取って隔離し、"deliver" は届けます。',
  },
  'policy.spam': {
    en: 'The score of rspamd from which something is done. The three must rise: tag, quarantine, reject. Mail from the office is never refused for its score; from "reject" on it is quarantined, for an account inside is probably misused.',
    ja: 'rspamd の点数がいくつから、どう扱うかです。tag ≤ quarantine ≤ reject の順にしてください。社内から外へのメールは、点数では断りません。「reject」以上なら、社内のアカウントの悪用が疑われるので隔離します。',
  },
  'policy.spam.tag': {
    en: 'From this score on mail is delivered with a mark: "subjectTag" before its subject and X-Spam-Flag: YES in its header, so that the mail server can sort it. Lower marks more spam and more honest mail.',
    ja: 'この点数以上なら、印を付けて届けます。件名の前に「subjectTag」を、ヘッダーに X-Spam-Flag: YES を付けるので、メールサーバーで振り分けられます。下げると迷惑メールも正しいメールも印が増えます。',
  },
  'policy.spam.quarantine': {
    en: 'From this score on mail is kept in the quarantine. Lower it if too much spam arrives, raise it if people miss mail.',
    ja: 'この点数以上なら隔離します。迷惑メールが多く届くなら下げ、必要なメールが届かないという声があれば上げてください。',
  },
  'policy.spam.reject': {
    en: 'From this score on mail is refused with 550, and its sender hears of it from their own server. Keep it high: what is refused cannot be released.',
    ja: 'この点数以上なら 550 で断り、送り手には相手側のサーバーから知らせが行きます。断ったメールは後から取り出せないので、高めにしておいてください。',
  },
  'policy.spam.subjectTag': {
    en: 'The word put before the subject of tagged mail. An empty text leaves the subject, and with it a DKIM signature over it, as it is; only the header fields tell then.',
    ja: '印を付けるメールの件名の前に入れる言葉です。空にすると件名はそのままで（件名にかかる DKIM 署名も壊れません）、ヘッダーだけで知らせます。',
  },
  'policy.spamFor': {
    en: 'Recipients for whom other limits hold, or another mark: a help desk that must see everything, a director who wants no risk, a branch with its own word before the subject. The first row that names a recipient counts; what it leaves out is as in "policy.spam". For mail from outside only, and not while the level is "watch only". Where recipients of one message part, each gets what holds for him; who would have been refused has it in the quarantine instead.',
    ja: '宛先ごとに、しきい値や件名の印を変えます。問い合わせ窓口にはすべて届ける、役員宛ては厳しくする、支店ごとに印を変える、といった使い方です。宛先に当てはまる最初の行が効き、書いていない値は「policy.spam」と同じです。外から来たメールだけが対象で、「見るだけ」の間は効きません。1 通の宛先の中で扱いが分かれるときは、それぞれの扱いになります（断るはずだった宛先の分は隔離します）。',
  },
  'policy.spamFor[].recipients': {
    en: 'Addresses, or domains with all below them ("@branch.office.example").',
    ja: 'アドレス、またはドメイン（"@branch.office.example"、サブドメインも含む）です。',
  },
  'policy.spamFor[].tag': { en: 'As "policy.spam.tag".', ja: '「policy.spam.tag」と同じです。' },
  'policy.spamFor[].quarantine': {
    en: 'As "policy.spam.quarantine".',
    ja: '「policy.spam.quarantine」と同じです。',
  },
  'policy.spamFor[].reject': { en: 'As "policy.spam.reject".', ja: '「policy.spam.reject」と同じです。' },
  'policy.spamFor[].subjectTag': {
    en: 'As "policy.spam.subjectTag"; an empty text: no mark for these.',
    ja: '「policy.spam.subjectTag」と同じです。空にすると、この宛先の件名には印を付けません。',
  },
  'policy.virus': {
    en: '"reject" refuses mail with a virus at once. "quarantine" keeps it for somebody to look at; then see to it that it cannot be released by mistake.',
    ja: '"reject" はウイルスの入ったメールをその場で断ります。"quarantine" は調べられるように隔離します。誤って取り出さないように気を付けてください。',
  },
  'policy.dmarc': {
    en: 'What a DMARC fail leads to. "honour" does what the domain of the author publishes: refuse, quarantine or nothing. "quarantine" never refuses for it. "ignore" only writes the result into the header. Before choosing less, list your forwarders and mailing lists under "trustedForwarders" and "trustedSealers".',
    ja: 'DMARC に不合格のときの扱いです。"honour" は差出人のドメインの公開方針（拒否、隔離、なし）に従います。"quarantine" は拒否せず隔離にとどめます。"ignore" は結果をヘッダーに書くだけです。緩める前に、転送サービスやメーリングリストを「trustedForwarders」「trustedSealers」に書くことを考えてください。',
  },
  'policy.ownDomainFromOutside': {
    en: 'Mail from outside that names one of your domains as its sender, and for which neither SPF, DKIM nor DMARC stands. It is the usual form of fraud in the name of a superior; but services that send for you do the same until your SPF record names them. Look into the quarantine for a while before choosing "reject".',
    ja: '外から来たのに自社のドメインを名乗り、SPF・DKIM・DMARC のどれにも裏付けがないメールの扱いです。上司をかたる詐欺の典型ですが、自社に代わって送るサービスも、SPF に登録するまでは同じに見えます。"reject" にする前に、しばらく隔離の中身を確かめてください。',
  },
  'policy.suspiciousFrom': {
    en: 'Mail from outside whose From field is missing, there several times, or malformed. Programs show such a sender differently, which is used to get past checks.',
    ja: '差出人（From）がない、複数ある、形が壊れている外からのメールの扱いです。ソフトによって差出人の見え方が変わるため、検査のすり抜けに使われます。',
  },
  'policy.trustedForwarders': {
    en: 'Services that forward mail to you and check it before: networks of their servers, or domains whose mail passes SPF. Forwarding breaks SPF, so honest mail fails DMARC; for these clients that is not acted on. Every other rule still holds.',
    ja: 'メールを検査してから転送してくるサービスです。送信サーバーのネットワークか、SPF に合格するドメインを書きます。転送すると SPF が通らなくなり、正しいメールも DMARC に不合格になりますが、ここに書いた相手ではそれを理由にしません。ほかの規則は変わりません。',
  },
  'policy.trustedSealers': {
    en: 'Domains that seal with ARC, mailing lists above all, and whose word you believe. If the chain is intact and such a sealer saw the author authenticated, a DMARC fail is not acted on, and mail of your own people that comes back from a list is not taken for a forgery. Subdomains are included.',
    ja: 'ARC の署名を付けるメーリングリストなどのうち、その確認結果を信じるドメインです（サブドメインも含みます）。ARC の連なりが正しく、差出人を確認したとの記録があれば、DMARC の不合格を理由にせず、メーリングリストから戻ってきた自社の人のメールもなりすましとは扱いません。',
  },
  'policy.lists': {
    en: 'Senders you name yourself, for mail from outside. They are kept on the policy page.',
    ja: '外からのメールについて、自分で名指しする差出人です。画面のポリシーのページで編集できます。',
  },
  'policy.lists.allow': {
    en: 'Their mail is not stopped or tagged for its spam score. It holds only where the sender is proved: the address or domain by SPF, by an aligned DKIM signature or by DMARC; a network by the address of the client. Viruses, forgeries and attachments are treated as ever.',
    ja: '迷惑メールの点数では止めず、印も付けません。効くのは差出人を確認できたときだけです（アドレスとドメインは SPF、差出人と一致する DKIM、または DMARC の合格、ネットワークは接続元のアドレス）。ウイルス、なりすまし、添付ファイルの扱いは変わりません。',
  },
  'policy.lists.allow[].match': {
    en: 'Who: an address, "@domain" with everything below it, or a network of clients.',
    ja: '相手です。アドレス、"@ドメイン"（サブドメインも含む）、または接続元のネットワークを書きます。',
  },
  'policy.lists.allow[].note': { en: 'Why, for whoever reads it next year.', ja: '理由などのメモです。' },
  'policy.lists.block': {
    en: 'Their mail is not wanted: by the address of the client, the envelope sender or the author in From, proved or not. It is stronger than the allow list.',
    ja: '受け取りたくない相手です。接続元のアドレス、封筒の差出人、From の差出人のどれかに当たれば、本物かどうかにかかわらず効きます。許可リストより優先します。',
  },
  'policy.lists.block[].match': {
    en: 'Who: an address, "@domain" with everything below it, or a network of clients.',
    ja: '相手です。アドレス、"@ドメイン"（サブドメインも含む）、または接続元のネットワークを書きます。',
  },
  'policy.lists.block[].note': { en: 'Why, for whoever reads it next year.', ja: '理由などのメモです。' },
  'policy.lists.blocked': {
    en: 'What the block list does: "reject" refuses with 550, "quarantine" keeps the mail until somebody decides.',
    ja: '拒否リストに当たったときの扱いです。"reject" は 550 で断り、"quarantine" は隔離します。',
  },
  'policy.disguisedExecutable': {
    en: 'Programs that pretend to be something else: an invoice.pdf that is an .exe inside, also within archives. Hardly anything honest looks like that; "reject" is a sound choice.',
    ja: 'ほかのものに見せかけたプログラムの扱いです。中身が .exe の invoice.pdf などで、圧縮ファイルの中も調べます。正当なものはまずないので、"reject" にしてもかまいません。',
  },
  'policy.executable': {
    en: 'Programs and scripts under their own name, also within zip, tar, gzip, RAR, LZH and CAB archives; the names in a 7z cannot be read. "quarantine" lets somebody release the few that are wanted.',
    ja: 'そのままの名前で添付されたプログラムやスクリプトの扱いです。圧縮ファイル（ZIP・tar・gzip・RAR・LZH・CAB）の中も調べます。7z の中の名前は読めません。"quarantine" なら、必要なものだけを取り出せます。',
  },
  'policy.encryptedArchive': {
    en: 'Archives locked with a password, whose content nobody can check. They are delivered as shipped because many Japanese offices still exchange files so; where yours does not, "quarantine" closes a favourite way of malware.',
    ja: 'パスワード付きの圧縮ファイルの扱いです。中身を検査できません。ファイルの受け渡しに使っている会社がまだ多いため、既定では届けます。使っていなければ "quarantine" にすると、マルウェアがよく使う入り口をふさげます。',
  },
  'policy.unscannable': {
    en: 'Attachments that cannot be opened: damaged, nested too deep, larger than the limits for archives, disk images, or MIME that cannot be read. "deliver" lets through what nobody has seen.',
    ja: '中を調べられない添付の扱いです。壊れている、入れ子が深すぎる、圧縮ファイルの制限を超える、ディスクイメージである、MIME として読めない、などです。"deliver" にすると、だれも調べていないものが届きます。',
  },
};
