/** Certificates by API: what each is and until when, and every way to another one. The desk does the work. */
import { X509Certificate } from 'node:crypto';
import { isDue } from '../../base/issue.ts';
import type { ControlClient } from '../../control/client.ts';
import { AcmeTrouble, termsOf } from '../certificates/acme-client.ts';
import type { CertificateDesk, Shown } from '../certificates/desk.ts';
import { Pkcs12Trouble, readPkcs12 } from '../certificates/pkcs12.ts';
import type { Answer } from '../contract/client.ts';
import { Content, type Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import { iso, mustBe, type RouteParts } from './parts.ts';
import { settingAt } from './settings.ts';

type Ids =
  | `certificates.${'list' | 'upload' | 'pkcs12' | 'own' | 'request' | 'requested' | 'request-delete' | 'signed' | 'issue'}`
  | `authority.${'show' | 'file'}`
  | `acme.${'show' | 'terms' | 'update' | 'delete' | 'run'}`;
type Certificate = Answer<'certificates.list'>['certificates'][number];

type Need = Answer<'overview.show'>['needs'][number];

const PROBLEM_DAYS = 21;

export function certificateHandlers(parts: RouteParts): Some<Ids> {
  const { desk, now } = parts;
  const row = (use: Certificate['use'], shown: Shown): Certificate => certificateRow(use, shown, now());
  return {
    'certificates.list': async ({ gateway }) => {
      const portal = await settingAt<{ enabled: boolean }>(gateway, 'portal').catch(() => undefined);
      // the page's own is shown also while the gateway is silent
      const mail = await desk.shown('mail').catch(() => undefined);
      return {
        certificates: [
          row('page', await desk.shown('page')),
          ...(mail === undefined ? [] : [row('mail', mail)]),
          ...(portal?.enabled === true ? [row('portal', await desk.shown('portal'))] : []),
        ],
      };
    },
    'certificates.upload': async ({ params, body, note }) => {
      note(params.use);
      return row(params.use, await desk.install(params.use, { cert: body.certificate, key: body.key }));
    },
    'certificates.pkcs12': async ({ params, body, note }) => {
      note(params.use);
      return row(params.use, await desk.install(params.use, pkcs12Of(body.file, body.passphrase)));
    },
    'certificates.own': async ({ params, note }) => {
      note(params.use);
      return row(params.use, await desk.useOwn(params.use));
    },
    'certificates.request': async ({ params, body, note }) => {
      note(params.use);
      const [first = '', ...others] = body.names;
      const { organisation } = body;
      const about = organisation === undefined ? {} : { organisation };
      return { request: await desk.request(params.use, { names: [first, ...others], kind: body.key, ...about }) };
    },
    'certificates.requested': async ({ params }) => {
      const request = await desk.requested(params.use);
      return request === undefined ? {} : { request };
    },
    'certificates.request-delete': async ({ params, note }) => {
      note(params.use);
      await desk.forgetRequest(params.use);
      return { ok: true };
    },
    'certificates.signed': async ({ params, body, note }) => {
      note(params.use);
      return row(params.use, await desk.signed(params.use, body.certificate));
    },
    'certificates.issue': async ({ params, note }) => {
      note(params.use);
      return row(params.use, await desk.issue(params.use));
    },
    'authority.show': async () => {
      const cert = await desk.authority();
      if (cert === undefined) return {};
      const { subject, validTo, fingerprint256 } = new X509Certificate(cert);
      const about = { subject: oneLine(subject), validTo: iso(Date.parse(validTo)), fingerprint: fingerprint256 };
      return { authority: { ...about, certificate: cert } };
    },
    'authority.file': async () => {
      const cert = await desk.authority();
      if (cert === undefined) throw new ApiProblem(404, 'NOT_FOUND');
      return new Content('application/x-x509-ca-cert', cert, { name: 'sekisho-ca.crt' });
    },
    ...acmeHandlers(desk),
  };
}

/** For the first page: what ends soon, and an issuer that refused. Mail's own end is an alarm of the gateway. */
export async function certificateNeeds({ desk, now }: RouteParts, gateway: ControlClient): Promise<Need[]> {
  const portal = await settingAt<{ enabled: boolean }>(gateway, 'portal');
  const rows = await Promise.all(
    (portal.enabled ? (['page', 'portal'] as const) : (['page'] as const)).map(async (use) =>
      certificateRow(use, await desk.shown(use), now()),
    ),
  );
  const needs = rows.flatMap(({ use, problem, daysLeft }): Need[] =>
    problem === undefined
      ? []
      : [
          {
            kind: `certificate:${use}`,
            level: daysLeft < 7 ? 'urgent' : 'soon',
            title: {
              ja: `${use === 'page' ? '画面' : '利用者ページ'}の証明書: ${problem.ja}`,
              en: `Certificate of ${use === 'page' ? 'these pages' : 'the recipients’ page'}: ${problem.en}`,
            },
            remedy: { ja: '新しい証明書を入れてください', en: 'Install another one' },
            page: '/system/certificates',
          },
        ],
  );
  const last = desk.acme()?.last;
  if (last?.ok === false)
    needs.push({
      kind: 'acme',
      level: 'soon',
      title: { ja: '証明書の自動発行が失敗しました', en: 'The issuer did not give a certificate' },
      remedy: { ja: '理由を確認してください', en: 'Look at the reason' },
      page: '/system/certificates',
    });
  return needs;
}

function acmeHandlers(desk: CertificateDesk): Some<`acme.${'show' | 'terms' | 'update' | 'delete' | 'run'}`> {
  const shown = (): Answer<'acme.show'>['acme'] => {
    const acme = desk.acme();
    if (acme === undefined) return undefined;
    const { last, agreedAt, email, ...rest } = acme;
    return {
      ...rest,
      agreedAt: iso(agreedAt),
      ...(email === undefined ? {} : { email }),
      ...(last === undefined
        ? {}
        : { last: { at: iso(last.at), ok: last.ok, ...(last.detail === undefined ? {} : { detail: last.detail }) } }),
    };
  };
  const mustBeOn = (): NonNullable<ReturnType<typeof shown>> => {
    const acme = shown();
    if (acme === undefined) throw new ApiProblem(409, 'WRONG_STATE');
    return acme;
  };
  return {
    'acme.show': () => {
      const acme = shown();
      return acme === undefined ? {} : { acme };
    },
    'acme.terms': async ({ body, signal }) => {
      const terms = await orProblem(termsOf(desk.acmeServer(body.directory), signal));
      return terms === undefined ? {} : { terms };
    },
    'acme.update': async ({ body, who, note }) => {
      const { directory, email, names, uses } = body;
      note(directory, { names, uses });
      const about = email === undefined ? {} : { email };
      await desk.setAcme({ directory, names, uses, agreedBy: mustBe(who).actor, ...about });
      return { acme: mustBeOn() };
    },
    'acme.delete': async () => {
      await desk.endAcme();
      return { ok: true };
    },
    'acme.run': async ({ signal, note }) => {
      note(mustBeOn().directory);
      await orProblem(desk.orderNow(signal));
      return { acme: mustBeOn() };
    },
  };
}

/** What the issuer said is the owner's to read: it names what has to change. */
async function orProblem<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof AcmeTrouble)
      throw new ApiProblem(502, 'ACME_FAILED', {
        message: {
          ja: `発行者から証明書を受け取れませんでした: ${error.message}`,
          en: `The issuer did not give a certificate: ${error.message}`,
        },
      });
    throw error;
  }
}

function pkcs12Of(file: string, passphrase: string): { cert: string; key: string } {
  try {
    return readPkcs12(Buffer.from(file, 'base64'), passphrase);
  } catch (error) {
    if (!(error instanceof Pkcs12Trouble)) throw error;
    const said = {
      passphrase: {
        path: 'body.passphrase',
        message: { ja: 'パスフレーズが違います', en: 'The passphrase is wrong' },
      },
      'no-file': {
        path: 'body.file',
        message: { ja: 'PKCS#12 (.p12, .pfx) のファイルではありません', en: 'This is not a PKCS#12 file (.p12, .pfx)' },
      },
      'no-pair': {
        path: 'body.file',
        message: {
          ja: '秘密鍵とその証明書の組が入っていません',
          en: 'It holds no private key with the certificate that belongs to it',
        },
      },
    }[error.kind];
    throw new ApiProblem(422, 'CERTIFICATE_BAD', { fields: [said] });
  }
}

function certificateRow(use: Certificate['use'], { cert, source }: Shown, now: number): Certificate {
  const parsed = new X509Certificate(cert);
  const [from, to] = [Date.parse(parsed.validFrom), Date.parse(parsed.validTo)];
  const daysLeft = Math.floor((to - now) / 86_400_000);
  const renewed = source === 'authority' || source === 'acme';
  const late = renewed && isDue(cert, now - 3 * 86_400_000);
  return {
    use,
    source,
    subject: oneLine(parsed.subject),
    issuer: oneLine(parsed.issuer),
    names: (parsed.subjectAltName ?? '').split(', ').map((name) => name.replace(/^(?:DNS|IP Address):/, '')),
    validFrom: iso(from),
    validTo: iso(to),
    daysLeft,
    ...(renewed ? { renewsAt: iso(from + ((to - from) * 2) / 3) } : {}),
    fingerprint: parsed.fingerprint256,
    ...(daysLeft < PROBLEM_DAYS || late
      ? {
          problem: {
            ja: `あと ${daysLeft} 日で切れます${late ? '。自動更新に失敗しています（「定期作業」に理由があります）' : ''}`,
            en: `It expires in ${daysLeft} days${late ? '; its renewal fails (the jobs say why)' : ''}`,
          },
        }
      : {}),
  };
}

function oneLine(name: string): string {
  return name.replaceAll('\n', ', ');
}
