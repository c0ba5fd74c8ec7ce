/**
 * Tries the way out: directly, whether port 25 of somebody's mail servers can be reached (many access lines block it: OP25B);
 * through a smarthost, whether it greets, encrypts and takes the login. Nothing is sent.
 */
import type { Milliseconds } from '../../base/brand.ts';
import { describeError } from '../../base/errors.ts';
import type { Resolver } from '../../base/resolver.ts';
import type { Answer } from '../contract/client.ts';
import { greet, secure } from './mail-server.ts';
import { SmtpProbe } from './smtp.ts';
import { Steps } from './steps.ts';

type Probe = Answer<'outgoing.probe'>;

const MOST_SERVERS = 3;

export async function probeDirect(asked: {
  domain: string;
  hostname: string;
  resolver: Resolver;
  now: () => Milliseconds;
}): Promise<Probe> {
  const { domain, hostname, resolver, now } = asked;
  const steps = new Steps(now);
  let servers: string[] = [];
  try {
    const { records } = await resolver.mx(domain);
    servers = records
      .filter(({ exchange }) => exchange !== '')
      .toSorted((a, b) => a.priority - b.priority)
      .map(({ exchange }) => exchange);
  } catch (error) {
    steps.add(
      'dns',
      'failed',
      { ja: 'DNS に問い合わせできません', en: 'DNS cannot be asked' },
      { detail: describeError(error) },
    );
    return { ok: false, steps: steps.all, hints: [] };
  }
  if (servers.length === 0) {
    steps.add('dns', 'failed', { ja: `${domain} はメールを受け取りません`, en: `${domain} takes no mail` });
    return { ok: false, steps: steps.all, hints: [] };
  }
  steps.add(
    'dns',
    'ok',
    { ja: `${domain} のメールサーバーがわかりました`, en: `Found the mail servers of ${domain}` },
    { detail: servers.slice(0, MOST_SERVERS).join(', ') },
  );
  for (const host of servers.slice(0, MOST_SERVERS)) {
    try {
      const { probe, greeting } = await SmtpProbe.open({ host, port: 25 });
      const ehlo = await greet(probe, hostname, steps);
      if (ehlo.code === 250) await secure(probe, ehlo, { tls: 'opportunistic', hostname, steps });
      probe.close();
      steps.add(
        'port-25',
        'ok',
        { ja: 'ポート 25 で外へ送れます', en: 'Port 25 is open to the outside' },
        { detail: `${host}: ${greeting.code} ${greeting.text}` },
      );
      return { ok: steps.ok, steps: steps.all, hints: [] };
    } catch (error) {
      steps.add(
        'connect',
        'warning',
        { ja: `${host} につながりません`, en: `No connection to ${host}` },
        { detail: describeError(error) },
      );
    }
  }
  steps.add(
    'port-25',
    'failed',
    { ja: 'ポート 25 で外へ出られません', en: 'Port 25 is closed to the outside' },
    { remedy: OP25B },
  );
  return { ok: false, steps: steps.all, hints: [OP25B] };
}

const OP25B = {
  ja: '回線の事業者が 25 番ポートを止めています（OP25B）。事業者の送信サーバー（587 番か 465 番、ユーザー名とパスワードが必要）をスマートホストに指定するか、固定 IP アドレスの契約にしてください',
  en: 'The access provider blocks port 25 (OP25B): name its submission server (587 or 465, with login) as smarthost, or get a line with a fixed address',
};

export async function probeSmarthost(asked: {
  smarthost: {
    host: string;
    port: number;
    tls: 'opportunistic' | 'required' | 'off';
    user?: string;
    password?: string;
  };
  hostname: string;
  now: () => Milliseconds;
}): Promise<Probe> {
  const { smarthost, hostname, now } = asked;
  const { host, port, user, password } = smarthost;
  const steps = new Steps(now);
  let smtp: SmtpProbe | undefined;
  try {
    const opened = await SmtpProbe.open({ host, port, implicitTls: port === 465 });
    smtp = opened.probe;
    steps.add(
      'connect',
      'ok',
      { ja: `${host} の ${port} 番につながりました`, en: `Connected to ${host}, port ${port}` },
      { detail: `${opened.greeting.code} ${opened.greeting.text}` },
    );
    let ehlo = await greet(smtp, hostname, steps);
    // a password never goes in clear: where TLS cannot be had the login is not tried
    const wanted = user === undefined ? smarthost.tls : ('required' as const);
    if (port !== 465) ehlo = await secure(smtp, ehlo, { tls: wanted, hostname, steps });
    if (user !== undefined && password !== undefined && steps.ok) await login(smtp, { user, password, steps });
    else if (ehlo.lines.some((line) => /^AUTH\b/i.test(line)) && user === undefined)
      steps.add('login', 'warning', {
        ja: 'このサーバーはログインを求めるかもしれません',
        en: 'This server may want a login',
      });
  } catch (error) {
    steps.add(
      'connect',
      'failed',
      { ja: `${host} の ${port} 番と話せません`, en: `Cannot talk to ${host}, port ${port}` },
      {
        detail: describeError(error),
        remedy: { ja: '名前とポート（587 か 465）を確かめてください', en: 'Check the name and the port (587 or 465)' },
      },
    );
  } finally {
    smtp?.close();
  }
  return { ok: steps.ok, steps: steps.all, hints: [] };
}

/** RFC 4954 §4, RFC 4616: one line, over TLS only. */
async function login(
  smtp: SmtpProbe,
  { user, password, steps }: { user: string; password: string; steps: Steps },
): Promise<void> {
  const reply = await smtp.command(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`);
  const ok = reply.code === 235;
  steps.add(
    'login',
    ok ? 'ok' : 'failed',
    ok
      ? { ja: 'ログインできました', en: 'The login works' }
      : { ja: 'ログインできません', en: 'The login was refused' },
    {
      detail: `${reply.code} ${reply.text}`,
      ...(ok ? {} : { remedy: { ja: 'ユーザー名とパスワードを確かめてください', en: 'Check user name and password' } }),
    },
  );
}
