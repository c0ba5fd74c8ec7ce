/** What the keys of limits, timeouts, engines, delivery and storage are for: a part of key-words.ts, which says how it is used. */
import type { Text } from '../base/i18n.ts';

export const INNER_WORDS: Readonly<Record<string, Text>> = {
  limits: {
    en: 'How much of anything is taken. The defaults are above what honest mail needs; a message that is too complex to be inspected is quarantined, never delivered unseen.',
    ja: '受け取る量の上限です。既定値は、ふつうのメールに必要な量より大きくしてあります。複雑すぎて検査できないメールは隔離し、調べないまま届けることはありません。',
  },
  'limits.messageOctets': {
    en: 'The largest message taken, in transfer form: attachments count about a third more than their files. Larger ones are refused with 552, at MAIL when the client announces the size. Raise the stream limit of clamd with it, or large mail cannot be checked.',
    ja: '受け取るメールの大きさの上限です。送信時の形で数えるので、添付ファイルは元の約 1.3 倍になります。超えると 552 で断ります（相手が大きさを先に伝えれば、本文を受け取る前に断ります）。上げるときは clamd の受け入れ上限（StreamMaxLength）も上げてください。上げないと大きなメールを検査できません。',
  },
  'limits.recipientsPerMessage': {
    en: 'Recipients of one message. The rest is answered with 452, and the sender sends them another copy by itself; nobody is lost.',
    ja: '1 通あたりの宛先の数です。超えた分には 452 を返すと、相手が自動で別のメールに分けて送り直すので、届かない人は出ません。',
  },
  'limits.messagesPerSession': {
    en: 'Messages in one connection; then 421, and the client connects anew. It shares the places fairly when many clients wait.',
    ja: '1 回の接続で送れるメールの数です。超えると 421 を返し、接続し直してもらいます。混んでいるときに、接続を公平に使うためです。',
  },
  'limits.receivedHops': {
    en: 'Received fields in a message; more means that it goes round in a loop, and it is refused with 554. Raise it only if honest mail passes very many servers.',
    ja: 'メールに付いた Received の数の上限です。超えるのは同じ所を回っている（ループ）ためなので、554 で断ります。正しいメールが非常に多くのサーバーを通る場合だけ上げてください。',
  },
  'limits.headerOctets': {
    en: 'The largest header; a message with more is too complex and quarantined.',
    ja: 'ヘッダー全体の大きさの上限です。超えるメールは「複雑すぎる」として隔離します。',
  },
  'limits.headerFields': {
    en: 'Fields in the header; a message with more is too complex and quarantined.',
    ja: 'ヘッダーの項目の数の上限です。超えるメールは「複雑すぎる」として隔離します。',
  },
  'limits.mimeParts': {
    en: 'Parts (texts and attachments) in a message; one with more is too complex and quarantined. More parts cost time of the inspection.',
    ja: '本文や添付など、メールを作る部分の数の上限です。超えるメールは「複雑すぎる」として隔離します。増やすと検査に時間がかかります。',
  },
  'limits.mimeDepth': {
    en: 'How deep parts may lie within parts, such as a mail attached to a mail; deeper is too complex and quarantined.',
    ja: 'メールに添付されたメールのような、入れ子の深さの上限です。超えるメールは「複雑すぎる」として隔離します。',
  },
  'limits.errorsPerSession': {
    en: 'Commands refused in one connection; then 421. A client that errs so often is broken or tries things out.',
    ja: '1 回の接続で断られたコマンドの数の上限です。超えると 421 で切ります。それほど誤るのは、壊れているか、何かを試している相手です。',
  },
  'limits.junkCommandsPerSession': {
    en: 'Commands such as NOOP, RSET or EHLO, and unknown ones, without a message taken in between; then 421.',
    ja: 'NOOP・RSET・EHLO や知らないコマンドなど、メールを渡さないまま続けてよいコマンドの数です。超えると 421 で切ります。',
  },
  'limits.unknownRecipientsPerSession': {
    en: 'Recipients that do not exist, asked for in one connection of "listeners.mx"; then 421. After the first few each answer also comes later than the one before, so that guessing addresses does not pay.',
    ja: '「listeners.mx」で、1 回の接続で尋ねられた「ない宛先」の上限です。超えると 421 で切ります。数回目からは答えをだんだん遅くするので、アドレスを探る行為は割に合わなくなります。',
  },
  'limits.archiveDepth': {
    en: 'How deep archives within archives are opened. Deeper ones are unscannable; "policy.unscannable" says what happens to them.',
    ja: '圧縮ファイルの中の圧縮ファイルを、何段まで開けるかです。それより深いものは検査できないものとし、「policy.unscannable」に従います。',
  },
  'limits.archiveFiles': {
    en: 'Files looked at in the archives of one message; beyond it they are unscannable.',
    ja: '1 通のメールの圧縮ファイルの中で調べるファイルの数です。超えると検査できないものとします。',
  },
  'limits.archiveOctets': {
    en: "What the archives of a message may unpack to; beyond it they are unscannable. This and the next key stop archive bombs. It cannot be more than clamd's MaxFileSize (300 MB as shipped): larger files in a zip clamd leaves out without a word. With a clamd of your own that has a lower one, keep it below that.",
    ja: '1 通のメールの圧縮ファイルを開いたときの大きさの上限です。超えると検査できないものとします。次の項目とともに、圧縮爆弾（アーカイブ爆弾）を防ぎます。clamd の MaxFileSize（出荷時 300 MB）を超える値にはできません。ZIP の中のそれより大きいファイルは、clamd が黙って飛ばすからです。自前の clamd の値がそれより小さいときは、それより小さくしてください。',
  },
  'limits.archiveRatio': {
    en: 'How many times larger than in the archive a file may become; beyond it the archive is unscannable. Raise it if your office exchanges logs or tables that compress very well.',
    ja: '開いたファイルが圧縮時の何倍まで大きくなってよいかです。超えると検査できないものとします。よく縮むログや表をやり取りする会社では上げてください。',
  },

  timeouts: {
    en: 'How long the gateway waits. The first four hold for clients that bring mail, the others for servers it delivers to; they follow RFC 5321, and shorter ones lose slow but honest peers.',
    ja: '待つ時間です。はじめの 4 つはメールを持ってくる相手、残りは届け先のサーバーに対するものです。RFC 5321 に沿った値で、短くすると、遅いだけの正しい相手を取りこぼします。',
  },
  'timeouts.sessionIdleMs': {
    en: 'A client that says nothing for this long is sent away. When more than four fifths of the sessions are taken, 10 seconds count instead.',
    ja: '相手が何も言わないまま、この時間が過ぎたら切ります。接続の 8 割以上が使われているあいだは 10 秒に縮めます。',
  },
  'timeouts.sessionTotalMs': {
    en: 'The longest a connection may last. Raise it if senders with very slow lines bring large mail.',
    ja: '1 回の接続の長さの上限です。回線のとても遅い相手が大きなメールを送ってくる場合は上げてください。',
  },
  'timeouts.tlsHandshakeMs': {
    en: 'How long a client may take for the TLS handshake after STARTTLS.',
    ja: 'STARTTLS の後、TLS の接続手続きを待つ時間です。',
  },
  'timeouts.inspectionMs': {
    en: 'How long all inspectors together may take, from the end of the message on, while the sender waits for its reply. Mail whose inspection comes too late is not delivered unseen: it is inspected afterwards or put off with 451. Stay well below the 10 minutes senders wait.',
    ja: 'メールを受け取り終えてから、すべての検査を終えるまでの時間です。そのあいだ送り手は返事を待っています。間に合わなくても、調べないまま届けることはなく、後で検査するか、451 で送り直してもらいます。送り手が待つ 10 分より十分に短くしてください。',
  },
  'timeouts.connectMs': {
    en: 'How long to wait for a connection to a server before the next one is tried. Lower means faster failover.',
    ja: '届け先のサーバーにつながるのを待つ時間です。過ぎると次のサーバーを試します。短くすると切り替えが早くなります。',
  },
  'timeouts.commandMs': {
    en: 'How long to wait for the greeting and for the reply to EHLO, MAIL and RCPT. Some servers make strangers wait on purpose.',
    ja: '届け先のあいさつや、EHLO・MAIL・RCPT の返事を待つ時間です。知らない相手をわざと待たせるサーバーもあります。',
  },
  'timeouts.dataMs': {
    en: 'How long to wait for the go-ahead (354) after DATA.',
    ja: 'DATA の後、本文を送ってよいという返事（354）を待つ時間です。',
  },
  'timeouts.dataBlockMs': {
    en: 'How long a server may take to accept each piece of the message.',
    ja: '本文を少しずつ送るとき、届け先がひと区切りを受け取るのを待つ時間です。',
  },
  'timeouts.finalDotMs': {
    en: 'How long to wait for the reply after the message was sent. Do not shorten it: a server that took the mail but had no time to say so gets it a second time.',
    ja: '本文を送り終えた後の返事を待つ時間です。短くしないでください。受け取ったのに返事が間に合わないと、同じメールが 2 度届きます。',
  },

  engines: {
    en: 'What inspects mail. When an enabled engine is down, mail is put off with 451 and never let through uninspected.',
    ja: 'メールを検査するエンジンです。使うことになっているエンジンが止まっているあいだは 451 で待ってもらい、検査せずに通すことはありません。',
  },
  'engines.clamd': { en: 'Antivirus by ClamAV.', ja: 'ClamAV によるウイルス検査です。' },
  'engines.clamd.enabled': {
    en: 'Whether mail is checked for viruses. With false nothing looks for them, and mail is delivered as if it had none.',
    ja: 'ウイルスを検査するかどうかです。false にすると調べず、ウイルスがないものとして届けます。',
  },
  'engines.clamd.socket': {
    en: 'Where clamd answers: the Unix socket its LocalSocket setting names, which the gateway must be allowed to use, or "host:port" of another machine. Mail goes to another machine unencrypted: only inside your own network.',
    ja: 'clamd の場所です。この機械では Unix ソケットのパス（clamd の設定の LocalSocket。ゲートウェイに使う権限が必要）、別の機械では「ホスト名:ポート」です。別の機械へは暗号化せずにメールを送るため、社内のネットワークだけで使ってください。',
  },
  'engines.clamd.timeoutMs': {
    en: 'How long clamd may take for a message. Raise it together with "limits.messageOctets" on a slow machine; "timeouts.inspectionMs" holds in any case.',
    ja: 'clamd の検査を待つ時間です。遅い機械では「limits.messageOctets」と一緒に上げてください。「timeouts.inspectionMs」を超えて待つことはありません。',
  },
  'engines.clamd.concurrency': {
    en: 'Messages clamd checks at the same time. Not more than its MaxThreads; more than the machine has cores only makes each slower.',
    ja: 'clamd が同時に検査するメールの数です。clamd の MaxThreads を超えないようにします。CPU のコア数より多くしても、1 通ずつが遅くなるだけです。',
  },
  'engines.rspamd': { en: 'Spam score by rspamd.', ja: 'rspamd による迷惑メールの採点です。' },
  'engines.rspamd.enabled': {
    en: 'Whether mail gets a spam score. With false there is none, and "policy.spam" does nothing.',
    ja: '迷惑メールの点数を付けるかどうかです。false にすると点数が付かず、「policy.spam」は働きません。',
  },
  'engines.rspamd.url': {
    en: 'Where the normal worker of rspamd listens.',
    ja: 'rspamd（normal ワーカー）が待ち受けている場所です。',
  },
  'engines.rspamd.learnUrl': {
    en: 'The controller of rspamd, a URL like http://127.0.0.1:11334 or the path of a socket: messages reported as spam or no spam are taught to it. Without it they are kept as samples on this box and nothing learns.',
    ja: 'rspamd のコントローラー（http://127.0.0.1:11334 のような URL、またはソケットのパス）です。迷惑メール、または迷惑メールではないと報告されたメールを学習させます。指定しなければ本機に見本として残すだけで、学習はしません。',
  },
  'engines.rspamd.timeoutMs': {
    en: 'How long rspamd may take for a message. It must be longer than the time rspamd gives its own tasks (task_timeout).',
    ja: 'rspamd の検査を待つ時間です。rspamd 自身の制限時間（task_timeout）より長くしてください。',
  },
  'engines.rspamd.concurrency': {
    en: 'Messages rspamd checks at the same time.',
    ja: 'rspamd が同時に検査するメールの数です。',
  },
  'engines.inspect': {
    en: 'The gateway’s own inspection of structure, attachments, SPF, DKIM, DMARC and ARC, in processes apart from it. It cannot be switched off.',
    ja: 'メールの構造、添付、SPF・DKIM・DMARC・ARC を調べる、ゲートウェイ自身の検査です。別のプロセスで動き、止めることはできません。',
  },
  'engines.inspect.workers': {
    en: 'Inspection processes. One is enough for an office; more help a machine with many cores and a lot of mail, and each takes memory of its own. A change holds from the next message on; a process that is no longer wanted finishes what it has.',
    ja: '検査用プロセスの数です。会社 1 つなら 1 で足ります。コアが多くメールも多い機械では増やせますが、その分メモリーを使います。変更は次のメールから有効で、不要になったプロセスは手元のメールを終えてから終了します。',
  },
  'engines.inspect.timeoutMs': {
    en: 'How long this inspection may take for a message, its DNS questions included.',
    ja: 'この検査を待つ時間です。DNS への問い合わせも含みます。',
  },
  'engines.inspect.memoryMiB': {
    en: 'The memory each process may use for JavaScript objects. One that needs more is ended, and the message that did it is tried once more by itself, then quarantined. A change holds from the next message on. On the appliance the system gives each process a fixed 512 MiB, whatever is set here.',
    ja: '検査用プロセス 1 つが JavaScript のために使えるメモリーです。超えたプロセスは終了し、原因のメールは単独でもう一度検査して、だめなら隔離します。変更は次のメールから有効です。アプライアンスでは、この設定に関わらず 1 プロセス 512 MiB に固定されています。',
  },
  'engines.startingMs': {
    en: 'How long engines may take to get ready after a start; clamd loads for a minute or more. Mail that comes meanwhile is taken, kept and inspected before delivery; after this time it is put off with 451.',
    ja: '起動後、エンジンの準備を待つ時間です（clamd は読み込みに 1 分以上かかります）。そのあいだのメールは預かっておき、検査してから届けます。過ぎると 451 で待ってもらいます。',
  },

  dns: { en: 'The DNS servers the gateway asks.', ja: 'ゲートウェイが問い合わせる DNS サーバーです。' },
  'dns.servers': {
    en: 'The resolvers, by address. Use one of your own that validates DNSSEC, such as unbound on this machine: SPF, DKIM, DMARC and blocklists are only as good as its answers.',
    ja: 'リゾルバーのアドレスです。DNSSEC を検証する自前のもの（この機械の unbound など）を使ってください。SPF・DKIM・DMARC・ブロックリストの確かさは、その答え次第です。',
  },
  'dns.timeoutMs': {
    en: 'How long to wait for an answer. A question without one is temporary trouble, never a fail.',
    ja: '答えを待つ時間です。答えがないのは一時的な不調とみなし、不合格とはしません。',
  },

  delivery: {
    en: 'How mail leaves, and what happens to mail that cannot.',
    ja: '配送と、届けられないときの再送です。',
  },
  'delivery.retryMs': {
    en: 'The pauses before the second, third and further attempts, each ±10 %; the last one repeats until the mail expires. Shorter pauses please nobody: servers that greylist or are full ask for time.',
    ja: '2 回目からの試行までの間隔です（それぞれ ±10 %）。最後の間隔を、期限まで繰り返します。一時拒否（グレーリスト）や混雑には時間が必要なので、短くしても早く届くとはかぎりません。',
  },
  'delivery.expireOutboundMs': {
    en: 'Outgoing mail that still cannot be delivered after this time goes back to its sender with a notice. Longer keeps people waiting for the bad news.',
    ja: '外あてのメールが届かないとき、この時間で再送をやめて差出人に不達を知らせます。長くすると、届いていないことを知るのが遅れます。',
  },
  'delivery.expireInboundMs': {
    en: 'How long mail for your own mail servers is kept while they are down. Set it longer than the longest repair you can think of, a long holiday included.',
    ja: '社内のメールサーバーが止まっているあいだ、届いたメールを預かる時間です。連休も含め、復旧にかかりうる最も長い時間より長くしてください。',
  },
  'delivery.expireBounceMs': {
    en: 'How long the notices written by the gateway itself are tried.',
    ja: 'ゲートウェイが出した不達などのお知らせを、いつまで再送するかです。',
  },
  'delivery.delayNoticeMs': {
    en: 'When outgoing mail is still on its way after this time, its sender is told once. 0 sends no such notice.',
    ja: '外あてのメールがこの時間を過ぎても届いていなければ、差出人に一度だけ知らせます。0 では知らせません。',
  },
  'delivery.concurrencyPerHop': {
    en: 'The most connections at the same time to one of your own mail servers or the smarthost. It begins with 5 and follows how the server does; lower it for a server that is easily overrun.',
    ja: '社内のメールサーバーやスマートホスト 1 つへの、同時接続の上限です。5 つから始め、相手の様子を見て増減します。負荷に弱いサーバーなら下げてください。',
  },
  'delivery.perMinutePerHop': {
    en: 'Messages a minute to one next hop, 0: as many as it bears. Set it if a provider limits your rate. A domain’s own "perMinute" comes first.',
    ja: '1 つの届け先へ 1 分間に送るメールの数です。0 は制限なしです。プロバイダーが送信数を制限しているときに決めてください。ドメインごとの「perMinute」があれば、そちらが優先します。',
  },
  'delivery.overrides': {
    en: 'Where the mail of a domain goes for now, whatever else is said of it: for a move or an emergency. Usually written by `sekisho queue route`; if a domain is there twice, the last entry counts.',
    ja: '移転や緊急時に、あるドメインのメールを一時的に別のサーバーへ送る指定です。ほかの設定より優先します。ふつうは `sekisho queue route` が書きます。同じドメインが 2 つあれば、後のものに従います。',
  },
  'delivery.overrides[].domain': {
    en: 'The domain of the recipients, your own or any other.',
    ja: '宛先のドメインです。自社のものでも外のものでもかまいません。',
  },
  'delivery.probeMs': {
    en: 'How soon a mail server that is down is asked whether it is back; the pause doubles up to a minute (or to this value, if it is longer). Its mail leaves as soon as it answers.',
    ja: '止まっているメールサーバーに、復旧したかを尋ねる最初の間隔です。1 分（この値がそれより長ければこの値）まで倍々に延ばします。応答があれば、すぐに配送を再開します。',
  },

  spool: { en: 'The disk on which mail waits.', ja: 'メールを預かるディスクです。' },
  'spool.floorOctets': {
    en: 'Space that stays free on the disk. Below it new mail is put off with 452, long before a write could fail; the larger of this and "floorPercent" counts.',
    ja: 'ディスクに必ず残す空きです。これを下回ると、書き込みに失敗するよりずっと前に、新しいメールを 452 で待ってもらいます。「floorPercent」と比べて大きいほうに従います。',
  },
  'spool.floorPercent': {
    en: 'The same as a share of the whole disk. Lower it on a very large disk, where a tenth is more than is needed.',
    ja: '同じ空きを、ディスク全体に対する割合で決めたものです。とても大きなディスクで 1 割も要らないときは下げてください。',
  },
  'spool.maxIncoming': {
    en: 'Messages that may wait for inspection while engines start or are slow; further mail is put off with 451.',
    ja: 'エンジンの起動中や遅れているあいだ、検査待ちで預かるメールの数の上限です。超えた分は 451 で待ってもらいます。',
  },
  quarantine: { en: 'Mail that is kept back.', ja: '隔離したメールです。' },
  'quarantine.days': {
    en: 'Days after which quarantined mail is deleted. Longer gives more time to find what was kept back by mistake, and takes more disk.',
    ja: '隔離したメールを消すまでの日数です。長くすると誤って隔離したものを取り出す余裕ができ、その分ディスクを使います。',
  },
  'quarantine.digest': {
    en: 'The mail that tells each recipient what was kept back for him. Sent only when something is new.',
    ja: '隔離されたメールを宛先の本人に知らせるメールです。新しいものがあるときだけ送ります。',
  },
  'quarantine.digest.enabled': {
    en: 'Send it. Without the portal it holds no links, and who needs a message has to ask the administrator.',
    ja: '送るかどうかです。利用者ページを使わない場合はリンクが付かず、必要なメールは管理者に頼むことになります。',
  },
  'quarantine.digest.at': {
    en: 'Times of day, in the zone of the box.',
    ja: '送る時刻です（機器のタイムゾーン）。',
  },
  alerts: {
    en: 'Trouble of the box itself (engines, disk, mail server, updates, UPS), told to its owner by mail.',
    ja: '本機の異常（検査エンジン、ディスク、メールサーバー、更新、UPS）を管理者にメールで知らせます。',
  },
  'alerts.to': {
    en: 'Who gets it; nobody when empty. Name an address outside of your own mail server too: it cannot take the mail that says it is down.',
    ja: '宛先です。空なら送りません。自社のメールサーバーが止まったときはそこには届かないので、社外のアドレスも加えてください。',
  },
  portal: {
    en: 'The page where a user sees his own quarantined mail, by the link in his digest.',
    ja: '利用者が、お知らせメールのリンクから自分宛の隔離メールを見るページです。',
  },
  'portal.enabled': {
    en: 'Offer it. The page then runs on port 8443, and the digest holds links to it; while it is off no link works.',
    ja: '使うかどうかです。使うとページがポート 8443 で動き、お知らせメールにリンクが入ります。使わない間は、どのリンクも働きません。',
  },
  'portal.reach': {
    en: 'Who gets through the packet filter of the box to that page: "inside" only the networks inside, "everywhere" everybody. It is the only page that may be reachable from outside.',
    ja: '本機のパケットフィルターがこのページへ通す範囲です。"inside" は内側のネットワークだけ、"everywhere" はどこからでも。外部から開けるようにしてよい唯一のページです。',
  },
  'portal.url': {
    en: 'The address under which users reach it; it stands in every digest.',
    ja: '利用者が開くときの URL です。お知らせメールに記載されます。',
  },
  'portal.selfRelease': {
    en: 'What a user may deliver to himself: "spam" for mail that only its score kept back, "none" for nothing. All else he can ask the administrator for.',
    ja: '利用者が自分で受け取れるメールです。"spam" は点数だけで隔離したもの、"none" はなし。ほかのものは管理者に頼めます。',
  },
  'portal.linkDays': {
    en: 'Days for which a link works.',
    ja: 'リンクの有効日数です。',
  },
  pages: {
    en: 'The administration pages.',
    ja: '管理画面です。',
  },
  'pages.names': {
    en: 'Names under which browsers may open the administration pages, besides the host name of the box and its addresses. All others are refused, because a name of somebody else’s may point at the box.',
    ja: '管理画面を開くときに使ってよい名前です。本機のホスト名と IP アドレスは書かなくても使えます。ほかの名前は、他人の名前が本機を指していることがあるため断ります。',
  },
  history: {
    en: 'What is remembered about each message, without its content.',
    ja: 'メールごとの記録です。本文は含みません。',
  },
  'history.days': {
    en: 'Days for which sender, recipients, findings and fate of each message can be looked up. Fit it to what your rules on personal data allow.',
    ja: '送り手、宛先、検査の結果、その後の扱いを調べられる日数です。社内の個人情報の決まりに合わせてください。',
  },
  'history.subjects': {
    en: 'Whether subjects are remembered. With false they are neither kept nor searched, which makes a message harder to find.',
    ja: '件名も記録するかどうかです。false にすると残さず、検索もできないので、メールを探しにくくなります。',
  },
  log: { en: 'The log of the process.', ja: 'プロセスのログです。' },
  'log.level': {
    en: 'How much is logged. "debug" tells every session and is for looking for a fault; "warn" and "error" leave out the way of each message.',
    ja: 'ログの詳しさです。"debug" は不具合を調べるときに使います。"warn" と "error" では、メールごとの経過が残りません。',
  },
  metrics: { en: 'Figures for Prometheus.', ja: 'Prometheus 用の数値です。' },
  'metrics.address': {
    en: 'The address at which the figures are served. They need no password; open it to your monitoring network only.',
    ja: '数値を公開するアドレスです。パスワードなしで読めるので、監視用のネットワークにだけ開いてください。',
  },
  'metrics.port': {
    en: 'The port for `GET /metrics`. Without it no port is opened; `sekisho metrics` prints the figures in any case.',
    ja: '`GET /metrics` に答えるポートです。省略するとポートを開きません。`sekisho metrics` でも同じ数値を見られます。',
  },
};
