/**
 * Tries the office's mail server as the gateway will use it: reachable, STARTTLS, takes a known mailbox, refuses one that is
 * none. Nothing is sent: the transaction ends before DATA. What product it is shows in its greeting; each has its hint.
 */
import { randomBytes } from 'node:crypto';
import type { Milliseconds } from '../../base/brand.ts';
import { describeError } from '../../base/errors.ts';
import type { Answer } from '../contract/client.ts';
import { hintsFor, productOf } from './products.ts';
import { type Reply, SmtpProbe } from './smtp.ts';
import { Steps } from './steps.ts';

type Probe = Answer<'domains.probe'>;

export async function probeMailServer(asked: {
  server: { host: string; port: number; tls: 'opportunistic' | 'required' | 'off' };
  domain: string;
  known: string | undefined;
  hostname: string;
  now: () => Milliseconds;
}): Promise<Probe> {
  const { server, domain, known, hostname, now } = asked;
  const steps = new Steps(now);
  let smtp: SmtpProbe | undefined;
  let product: Probe['product'];
  try {
    const opened = await SmtpProbe.open(server);
    smtp = opened.probe;
    steps.add('connect', 'ok', {
      ja: `${server.host} の ${server.port} 番につながりました`,
      en: `Connected to ${server.host}, port ${server.port}`,
    });
    product = productOf(opened.greeting);
    if (!told(steps, 'greeting', opened.greeting, { ja: 'あいさつを受け取りました', en: 'It greeted us' }))
      return done(steps, product);
    const ehlo = await greet(smtp, hostname, steps);
    product = productOf(ehlo) ?? product;
    await secure(smtp, ehlo, { tls: server.tls, hostname, steps });
    await recipients(smtp, { domain, known, steps });
  } catch (error) {
    steps.add(
      smtp === undefined ? 'connect' : 'talk',
      'failed',
      smtp === undefined
        ? {
            ja: `${server.host} の ${server.port} 番につながりません`,
            en: `No connection to ${server.host}, port ${server.port}`,
          }
        : { ja: '途中で会話が切れました', en: 'The conversation broke off' },
      { detail: describeError(error), remedy: UNREACHABLE },
    );
  } finally {
    smtp?.close();
  }
  return done(steps, product);
}

const UNREACHABLE = {
  ja: '名前とポート、メールサーバー側の受信許可（この機器の IP アドレスからの 25 番）、間のファイアウォールを確かめてください',
  en: 'Check name and port, that the mail server takes connections from this box on port 25, and any firewall between',
};

function done(steps: Steps, product: Probe['product']): Probe {
  return { ok: steps.ok, steps: steps.all, ...(product === undefined ? {} : { product }), hints: hintsFor(product) };
}

function told(steps: Steps, name: string, reply: Reply, good: { ja: string; en: string }): boolean {
  const ok = reply.code >= 200 && reply.code < 400;
  const bad = { ja: 'サーバーが断りました', en: 'The server refused' };
  steps.add(name, ok ? 'ok' : 'failed', ok ? good : bad, { detail: `${reply.code} ${reply.text}` });
  return ok;
}

export async function greet(smtp: SmtpProbe, hostname: string, steps: Steps): Promise<Reply> {
  const ehlo = await smtp.command(`EHLO ${hostname}`);
  if (ehlo.code !== 250) told(steps, 'ehlo', ehlo, { ja: '', en: '' });
  return ehlo;
}

export async function secure(
  smtp: SmtpProbe,
  ehlo: Reply,
  options: { tls: 'opportunistic' | 'required' | 'off'; hostname: string; steps: Steps },
): Promise<Reply> {
  const { tls, hostname, steps } = options;
  if (tls === 'off') return ehlo;
  const offered = ehlo.lines.some((line) => /^STARTTLS\b/i.test(line));
  if (!offered) {
    steps.add(
      'starttls',
      tls === 'required' ? 'failed' : 'warning',
      { ja: 'STARTTLS に対応していません（暗号化されません）', en: 'It offers no STARTTLS: mail goes unencrypted' },
      {
        remedy: {
          ja: 'メールサーバーに証明書を入れて STARTTLS を有効にすると暗号化されます。社内の配線だけを通るなら、このままでも使えます',
          en: 'Install a certificate there and switch STARTTLS on; on your own cables it may stay so',
        },
      },
    );
    return ehlo;
  }
  const go = await smtp.command('STARTTLS');
  if (go.code !== 220) {
    told(steps, 'starttls', go, { ja: '', en: '' });
    return ehlo;
  }
  const trouble = await smtp.startTls();
  const invalid = trouble !== undefined && tls === 'required';
  steps.add(
    'starttls',
    invalid ? 'failed' : 'ok',
    trouble === undefined
      ? { ja: 'STARTTLS で暗号化できます。証明書も正しいものです', en: 'STARTTLS works, with a valid certificate' }
      : {
          ja: 'STARTTLS で暗号化できます（証明書は検証できません）',
          en: 'STARTTLS works; its certificate cannot be verified',
        },
    trouble === undefined ? {} : { detail: trouble },
  );
  return smtp.command(`EHLO ${hostname}`);
}

async function recipients(
  smtp: SmtpProbe,
  { domain, known, steps }: { domain: string; known: string | undefined; steps: Steps },
): Promise<void> {
  const mail = await smtp.command('MAIL FROM:<>');
  if (mail.code !== 250) return void told(steps, 'mail', mail, { ja: '', en: '' });
  if (known !== undefined) {
    const reply = await smtp.command(`RCPT TO:<${known}>`);
    const taken = reply.code === 250 || reply.code === 251;
    steps.add(
      'known',
      taken ? 'ok' : 'failed',
      taken
        ? { ja: `${known} を受け付けます`, en: `It takes mail for ${known}` }
        : { ja: `${known} を受け付けません`, en: `It does not take mail for ${known}` },
      {
        detail: `${reply.code} ${reply.text}`,
        ...(taken
          ? {}
          : {
              remedy: {
                ja: 'アドレスが正しいか、このドメインを受け取る設定になっているか確かめてください',
                en: 'Check the address, and that the server takes mail for this domain',
              },
            }),
      },
    );
  }
  const nobody = `sekisho-probe-${randomBytes(6).toString('hex')}@${domain}`;
  const reply = await smtp.command(`RCPT TO:<${nobody}>`);
  if (reply.code >= 500)
    return steps.add(
      'unknown',
      'ok',
      {
        ja: '存在しない宛先を断ります（宛先の確認に使えます）',
        en: 'It refuses a mailbox that does not exist: recipients can be checked by asking it',
      },
      { detail: `${reply.code} ${reply.text}` },
    );
  steps.add(
    'unknown',
    'warning',
    reply.code >= 400
      ? { ja: '存在しない宛先かどうか答えませんでした', en: 'It would not say whether a mailbox exists' }
      : { ja: '存在しない宛先も受け付けます', en: 'It takes mail for mailboxes that do not exist' },
    {
      detail: `${reply.code} ${reply.text}`,
      remedy: {
        ja: 'このままだと、存在しない宛先へのメールもいったん受け取ってしまいます。サーバーで宛先の確認（受信者フィルター）を有効にするか、宛先の一覧を使ってください',
        en: 'Mail to nobody would be taken first and returned later: switch recipient filtering on there, or use a list of recipients',
      },
    },
  );
}
