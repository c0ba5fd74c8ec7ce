/**
 * The records the world must find for the office's mail to go in and out, and what it finds now: MX, A, SPF, DKIM, DMARC, MTA-STS,
 * TLS-RPT, the name of our address. Each with what to publish, letter by letter. "Could not ask" is unknown, never missing.
 */
import { domainToUnicode } from 'node:url';
import type { Resolver } from '../../base/resolver.ts';
import type { Answer } from '../contract/client.ts';

type DnsRecord = Answer<'domains.dns'>['records'][number];
type Found = { found: string[] } | { unknown: true };

/** `addresses`: of this box, as the world sees them; empty: not known. */
export async function checkDns(asked: {
  domain: string;
  hostname: string;
  addresses: readonly string[];
  direct: boolean;
  resolver: Resolver;
}): Promise<DnsRecord[]> {
  const { domain, hostname, addresses, direct, resolver } = asked;
  const [mx, a, aaaa, spf, dmarc, dkim, sts, stsHost, tlsRpt] = await Promise.all([
    look(async () => (await resolver.mx(domain)).records.map(({ priority, exchange }) => `${priority} ${exchange}`)),
    look(() => resolver.a(hostname)),
    look(() => resolver.aaaa(hostname)),
    look(async () => texts(await resolver.txt(domain), /^v=spf1(?: |$)/i)),
    look(async () => texts(await resolver.txt(`_dmarc.${domain}`), /^v=DMARC1/i)),
    look(() => dkimKeys(domain, resolver)),
    look(async () => texts(await resolver.txt(`_mta-sts.${domain}`), /^v=STSv1/i)),
    look(() => resolver.a(`mta-sts.${domain}`)),
    look(async () => texts(await resolver.txt(`_smtp._tls.${domain}`), /^v=TLSRPTv1/i)),
  ]);
  const seen = [...addresses, ...('found' in a ? a.found : []), ...('found' in aaaa ? aaaa.found : [])];
  const own = [...new Set(seen)].slice(0, 4);
  const names = await Promise.all(own.map((address) => look(() => resolver.ptr(address))));
  const records: DnsRecord[] = [
    record('mx', { name: domain, type: 'MX', wanted: `10 ${hostname}.` }, mx, {
      need: 'required',
      text: {
        ja: 'このドメインのメールが届く先です。ないと、メールはこの機器に来ません',
        en: 'Where mail for the domain goes; without it none comes to this box',
      },
      good: (found) => found.some((one) => same(one.split(' ')[1] ?? '', hostname)),
    }),
    record('a', { name: hostname, type: 'A', wanted: addresses.find((one) => !one.includes(':')) ?? '' }, a, {
      need: 'required',
      text: { ja: 'この機器の名前と IP アドレスを結びます', en: 'Ties this box’s name to its address' },
      good: (found) => found.length > 0 && (addresses.length === 0 || found.some((one) => addresses.includes(one))),
    }),
    record(
      'spf',
      {
        name: domain,
        type: 'TXT',
        wanted: direct ? 'v=spf1 mx -all' : 'v=spf1 mx include:(スマートホスト/smarthost) -all',
      },
      spf,
      {
        need: 'required',
        text: {
          ja: 'このドメインを名乗って送ってよいサーバーです。ないと、相手に迷惑メールと扱われやすくなります',
          en: 'Who may send for the domain; without it your mail is easily taken for spam',
        },
        good: (found) => found.length === 1 && /[\s?~+-](?:mx|a|ip4:|ip6:|include:)/i.test(` ${found[0] ?? ''}`),
      },
    ),
    record(
      'dmarc',
      { name: `_dmarc.${domain}`, type: 'TXT', wanted: `v=DMARC1; p=none; rua=mailto:postmaster@${domain}` },
      dmarc,
      {
        need: 'recommended',
        text: {
          ja: 'なりすましをどう扱ってほしいかを世界に伝えます。まず p=none で様子を見ます',
          en: 'Tells the world what to do with forgeries; begin with p=none',
        },
        good: (found) => found.length === 1,
      },
    ),
  ];
  return [
    ...records,
    dkimRecord(domain, dkim),
    ...stsRecords({ domain, hostname, sts, stsHost }),
    record(
      'tls-rpt',
      { name: `_smtp._tls.${domain}`, type: 'TXT', wanted: `v=TLSRPTv1; rua=mailto:postmaster@${domain}` },
      tlsRpt,
      {
        need: 'optional',
        text: {
          ja: '暗号化して届けられなかった相手から、1 日 1 回の報告が届くようになります（RFC 8460）',
          en: 'Senders that could not deliver encrypted report it once a day (RFC 8460)',
        },
        good: (found) => found.length === 1 && /;\s*rua=/i.test(found[0] ?? ''),
      },
    ),
    ...own.map((address, index) =>
      record('ptr', { name: address, type: 'PTR', wanted: `${hostname}.` }, names[index] ?? { unknown: true }, {
        need: direct ? 'required' : 'optional',
        text: {
          ja: 'IP アドレスから名前を引けるようにします。回線の事業者に頼んで設定します',
          en: 'Gives the address its name; ask the access provider to set it',
        },
        good: (found) => found.some((one) => same(one, hostname)),
      }),
    ),
  ];
}

/** What mail servers and services name their keys by; nobody can list the selectors of a domain. */
const SELECTORS = ['default', 'dkim', 'mail', 'selector1', 'selector2', 'google', 's1', 's2', 'k1', 'cybozu', 'zimbra'];

async function dkimKeys(domain: string, resolver: Resolver): Promise<string[]> {
  const found = await Promise.all(
    SELECTORS.map(async (selector) => {
      const keys = texts(await resolver.txt(`${selector}._domainkey.${domain}`), /(?:^|;)\s*p=[A-Za-z0-9+/]/);
      return keys.map((key) => `${selector}: ${key}`);
    }),
  );
  return found.flat();
}

/** This box does not sign: the key is of whoever does, so there is nothing of ours to publish. */
function dkimRecord(domain: string, seen: Found): DnsRecord {
  const made = record('dkim', { name: `(selector)._domainkey.${domain}`, type: 'TXT', wanted: '' }, seen, {
    need: 'recommended',
    text: {
      ja: '送信メールの署名（DKIM）の公開鍵です。本機は署名しません。署名するのは後ろのメールサーバーか中継サービスなので、その画面に出る値を登録してください。ここではよく使われる名前（セレクター）だけを調べています',
      en: 'The public key of the signature of your mail. This box does not sign: your mail server or smarthost does, and shows what to publish. Only the usual selectors are looked for here',
    },
    good: (found) => found.length > 0,
  });
  return made.state === 'missing'
    ? {
        ...made,
        // another selector may well be there
        state: 'unknown',
        remedy: {
          ja: 'メールサーバーまたは中継サービスで DKIM 署名を有効にし、表示された TXT レコードを登録してください',
          en: 'Turn DKIM on at the mail server or smarthost, and publish the TXT record it shows',
        },
      }
    : made;
}

/** RFC 8461: the record, and the host its policy is fetched from by HTTPS (which this box does not serve). */
function stsRecords(asked: { domain: string; hostname: string; sts: Found; stsHost: Found }): DnsRecord[] {
  const { domain, hostname, sts, stsHost } = asked;
  return [
    record('mta-sts', { name: `_mta-sts.${domain}`, type: 'TXT', wanted: 'v=STSv1; id=1' }, sts, {
      need: 'optional',
      text: {
        ja: `暗号化なしでは届けないよう世界に伝えます（RFC 8461）。証明機関の証明書が必要です。方針のファイル（version: STSv1 / mode: testing / mx: ${hostname} / max_age: 604800）を https://mta-sts.${domain}/.well-known/mta-sts.txt に置いてから登録してください`,
        en: `Tells the world never to deliver unencrypted (RFC 8461); needs a certificate of a public authority. First put the policy (version: STSv1 / mode: testing / mx: ${hostname} / max_age: 604800) at https://mta-sts.${domain}/.well-known/mta-sts.txt`,
      },
      good: (found) => found.length === 1 && /;\s*id=[A-Za-z0-9]{1,32}/.test(found[0] ?? ''),
    }),
    record('mta-sts', { name: `mta-sts.${domain}`, type: 'A', wanted: '' }, stsHost, {
      need: 'optional',
      text: {
        ja: 'MTA-STS の方針を置くウェブサーバーです。本機ではなく、会社のウェブサイトなどに置きます',
        en: 'The web server that shows the MTA-STS policy: the company’s web site, not this box',
      },
      good: (found) => found.length > 0,
    }),
  ];
}

function record(
  purpose: DnsRecord['purpose'],
  what: Pick<DnsRecord, 'name' | 'type' | 'wanted'>,
  seen: Found,
  rest: Pick<DnsRecord, 'need' | 'text'> & { good: (found: string[]) => boolean },
): DnsRecord {
  const { need, text, good } = rest;
  const base = { purpose, ...what, name: what.name, need, text };
  if ('unknown' in seen)
    return {
      ...base,
      found: [],
      state: 'unknown',
      remedy: {
        ja: 'DNS に問い合わせできませんでした。しばらくしてからやり直してください',
        en: 'DNS could not be asked; try again in a moment',
      },
    };
  if (good(seen.found)) return { ...base, found: seen.found, state: 'ok' };
  return {
    ...base,
    found: seen.found,
    state: seen.found.length === 0 ? 'missing' : 'differs',
    remedy: {
      ja: `DNS の管理画面で ${what.type} レコードを登録してください。反映には数分から 1 日かかります（${domainToUnicode(what.name) || what.name}）`,
      en: `Publish the ${what.type} record where the domain’s DNS is managed; it takes minutes to a day to be seen (${what.name})`,
    },
  };
}

async function look(ask: () => Promise<string[]>): Promise<Found> {
  try {
    return { found: (await ask()).slice(0, 20) };
  } catch {
    return { unknown: true };
  }
}

/** RFC 7208 §3.3: the strings of one record are joined without a space. */
function texts(records: string[][], wanted: RegExp): string[] {
  return records.map((parts) => parts.join('')).filter((text) => wanted.test(text));
}

function same(a: string, b: string): boolean {
  return a.replace(/\.$/, '').toLowerCase() === b.replace(/\.$/, '').toLowerCase();
}
