/** What cross-check.ts says, in both languages. */
import { domainToUnicode } from 'node:url';
import type { Text } from '../base/i18n.ts';
import { ADVICE } from './advice.ts';

export type Words = { message: Text; allowed?: Text; remedy: Text };

export const LIST_WITHOUT_FILE: Words = {
  message: {
    en: 'Recipients are checked by a list, but no file is named',
    ja: '宛先を一覧で確認する設定ですが、一覧ファイルが指定されていません',
  },
  allowed: { en: 'the path of a text file, one address a line', ja: '1 行に 1 アドレスを書いたテキストファイルのパス' },
  remedy: {
    en: 'Name the file, or set "check" to "call-ahead"',
    ja: '「file」を指定するか、「check」を "call-ahead" にしてください',
  },
};
export const LIMITS_DO_NOT_RISE: Words = {
  message: {
    en: 'For these recipients the limits do not rise: what a row leaves out is as for everybody',
    ja: 'この宛先のしきい値が、順に大きくなっていません（書いていない値は全体の設定と同じです）',
  },
  allowed: ADVICE.thresholds,
  remedy: { en: 'Set the other limits of this row as well', ja: 'この行のほかのしきい値も書いてください' },
};
export const OPEN_RELAY: Words = {
  message: {
    en: 'With these networks the whole Internet could send mail through this gateway (open relay)',
    ja: 'このネットワーク指定では、インターネット上の誰でもこのゲートウェイからメールを送れてしまいます（オープンリレー）',
  },
  allowed: ADVICE.network,
  remedy: {
    en: "List only the addresses of the office's own mail servers",
    ja: '社内メールサーバーのアドレスだけを列挙してください',
  },
};
export const ANYBODY_BELIEVED: Words = {
  message: {
    en: 'Whoever is in this network could claim to be any client: limits, SPF and history would believe it',
    ja: 'このネットワークの誰もが任意のクライアントになりすませます。接続制限・SPF・履歴がそれを信じてしまいます',
  },
  allowed: ADVICE.network,
  remedy: {
    en: 'List only the addresses of your own load balancers and filters',
    ja: '自社のロードバランサーやフィルターのアドレスだけを列挙してください',
  },
};
export const NOT_A_NETWORK: Words = {
  message: { en: 'This is not a network', ja: 'ネットワークとして読めません' },
  allowed: ADVICE.network,
  remedy: { en: 'Correct it or remove it', ja: '訂正するか取り除いてください' },
};
export const HALF_TLS: Words = {
  message: {
    en: 'Certificate and key belong together, and one is missing',
    ja: '証明書と鍵は両方必要ですが、片方がありません',
  },
  allowed: { en: 'the path of a PEM file', ja: 'PEM ファイルのパス' },
  remedy: {
    en: 'Set both, or neither: then the gateway makes its own certificate',
    ja: '両方を指定してください。両方とも無ければゲートウェイが証明書を自分で作ります',
  },
};
export const HALF_LOGIN: Words = {
  message: {
    en: 'User and password belong together, and one is missing',
    ja: 'ユーザー名とパスワードは両方必要ですが、片方がありません',
  },
  remedy: {
    en: 'Set both as your provider gave them, or neither',
    ja: 'プロバイダーから渡されたものを両方書くか、両方とも省いてください',
  },
};
export const HIDDEN_PASSWORD: Words = {
  message: {
    en: 'This is what the settings show in place of a password, not a password',
    ja: 'これは設定の表示でパスワードの代わりに出る文字で、パスワードではありません',
  },
  remedy: {
    en: 'Write the password itself; one that is kept goes to no other server than the one it was given for',
    ja: 'パスワードそのものを書いてください。保存済みのパスワードは、登録したときのサーバー以外には送りません',
  },
};
export const LOGIN_IN_CLEAR: Words = {
  message: {
    en: 'Without TLS the password would cross the network in clear',
    ja: 'TLS なしでは、パスワードが平文で流れてしまいます',
  },
  allowed: { en: '"required"', ja: '"required"' },
  remedy: {
    en: 'Set it to "required": port 587 takes STARTTLS, port 465 is TLS from the start',
    ja: '"required" にしてください。ポート 587 は STARTTLS、465 は最初から TLS です',
  },
};
export const LMTP_LOGIN: Words = {
  message: { en: 'A login is given over SMTP only', ja: 'ログインできるのは SMTP だけです' },
  allowed: { en: '"smtp"', ja: '"smtp"' },
  remedy: { en: 'Leave "protocol" out', ja: '「protocol」を省いてください' },
};
export const NOT_A_RESOLVER: Words = {
  message: { en: 'This is not the address of a DNS server', ja: 'DNS サーバーのアドレスとして読めません' },
  allowed: ADVICE.resolver,
  remedy: { en: 'Give an IP address: a name could not be looked up', ja: 'IP アドレスで指定してください' },
};
export const NOT_A_URL: Words = {
  message: { en: 'This is neither a URL nor a path', ja: 'URL でもパスでもありません' },
  allowed: ADVICE.rspamdUrl,
  remedy: { en: 'Correct it', ja: '訂正してください' },
};

export function duplicateDomain(name: string, earlier: number): Words {
  const shown = domainToUnicode(name) || name;
  return {
    message: {
      en: `The domain "${shown}" is there twice; first as domains.${earlier}`,
      ja: `ドメイン「${shown}」が重複しています（最初は domains.${earlier}）`,
    },
    remedy: { en: 'Keep one of the two', ja: 'どちらか一方だけを残してください' },
  };
}

export function duplicateServer(earlier: number): Words {
  return {
    message: {
      en: `This mail server is already servers.${earlier}`,
      ja: `このメールサーバーは servers.${earlier} と同じです`,
    },
    remedy: { en: 'Remove one of the two', ja: 'どちらか一方を取り除いてください' },
  };
}

export function loop(listener: 'mx' | 'relay'): Words {
  return {
    message: {
      en: `This is the gateway's own address (listeners.${listener}): mail would go round in a loop`,
      ja: `これはゲートウェイ自身のアドレス（listeners.${listener}）です。メールがループします`,
    },
    allowed: ADVICE.hostOrAddress,
    remedy: {
      en: 'Give address and port of the mail server behind the gateway',
      ja: 'ゲートウェイの後ろにあるメールサーバーのアドレスとポートを指定してください',
    },
  };
}

export function portTaken(name: string): Words {
  return {
    message: { en: `${name} listens on this port already`, ja: `このポートは ${name} が使っています` },
    allowed: ADVICE.port,
    remedy: { en: 'Choose another port', ja: '別のポートを選んでください' },
  };
}
