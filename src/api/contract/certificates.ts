/** Certificates of the box: shown, installed, asked for, issued by the box's own authority or by ACME. */
import { z } from 'zod';
import { operation } from './operation.ts';
import { hostName, text, time } from './shapes.ts';

export const CERTIFICATE_USES = ['page', 'mail', 'portal'] as const;

export const certificate = z.object({
  /** page: of these pages. mail: of STARTTLS. portal: of the recipients' own page. */
  use: z.enum(CERTIFICATE_USES),
  /** own: vouches for itself. authority: signed by the box's own. configured: files that the settings name. */
  source: z.enum(['own', 'uploaded', 'configured', 'authority', 'acme']),
  subject: z.string(),
  issuer: z.string(),
  names: z.array(z.string()),
  validFrom: time,
  validTo: time,
  daysLeft: z.number().int(),
  /** When it is made anew by itself; absent: never, somebody has to. */
  renewsAt: time.optional(),
  /** SHA-256, in pairs with colons. */
  fingerprint: z.string(),
  problem: text.optional(),
});

const use = z.strictObject({ use: z.enum(CERTIFICATE_USES) });
const pem = z.string().min(50).max(200_000);
const directory = z.url({ protocol: /^https$/ }).max(500);
const acme = z.object({
  directory: z.string(),
  email: z.string().optional(),
  names: z.array(z.string()),
  uses: z.array(z.enum(CERTIFICATE_USES)),
  agreedAt: time,
  agreedBy: z.string(),
  last: z.object({ at: time, ok: z.boolean(), detail: z.string().optional() }).optional(),
});
const change = { access: 'system.change', confirm: true } as const;

export const CERTIFICATE_OPERATIONS = {
  'certificates.list': operation('GET', '/certificates', {
    summary: { ja: '証明書', en: 'Certificates' },
    access: 'config.read',
    response: z.object({ certificates: z.array(certificate) }),
  }),
  'certificates.upload': operation('PUT', '/certificates/{use}', {
    summary: { ja: '証明書を入れ替える', en: 'Install a certificate with its key' },
    ...change,
    params: use,
    bodyOctets: 512 * 1024,
    /** The chain, the server's own first. Checked: they belong together, names, validity. Takes effect at once. */
    body: z.strictObject({ certificate: pem, key: pem }),
    response: certificate,
  }),
  'certificates.pkcs12': operation('PUT', '/certificates/{use}/pkcs12', {
    summary: { ja: 'PKCS#12 ファイルの証明書を入れる', en: 'Install a certificate from a PKCS#12 file' },
    ...change,
    params: use,
    bodyOctets: 512 * 1024,
    /** `file`: .p12 or .pfx, in base64. */
    body: z.strictObject({ file: z.base64().min(100).max(270_000), passphrase: z.string().max(500) }),
    response: certificate,
  }),
  'certificates.own': operation('DELETE', '/certificates/{use}', {
    summary: { ja: '自己署名の証明書に戻す', en: 'Back to a certificate of our own' },
    ...change,
    params: use,
    response: certificate,
  }),
  'certificates.request': operation('POST', '/certificates/{use}/request', {
    summary: { ja: '署名要求 (CSR) を作る', en: 'Make a request for a certificate (CSR); its key stays here' },
    ...change,
    params: use,
    body: z.strictObject({
      names: z.array(hostName).min(1).max(50),
      key: z.enum(['ec', 'rsa']).default('ec'),
      organisation: z.string().min(1).max(64).exactOptional(),
    }),
    /** PKCS#10, PEM. A request made before is gone. */
    response: z.object({ request: z.string() }),
  }),
  'certificates.requested': operation('GET', '/certificates/{use}/request', {
    summary: { ja: '署名を待っている要求', en: 'The request that waits for its certificate' },
    access: 'config.read',
    params: use,
    response: z.object({ request: z.string().optional() }),
  }),
  'certificates.request-delete': operation('DELETE', '/certificates/{use}/request', {
    summary: { ja: '署名要求とその鍵を捨てる', en: 'Forget the request and its key' },
    ...change,
    params: use,
  }),
  'certificates.signed': operation('PUT', '/certificates/{use}/signed', {
    summary: { ja: '要求に対して発行された証明書を入れる', en: 'Install the certificate that answers the request' },
    ...change,
    params: use,
    bodyOctets: 512 * 1024,
    body: z.strictObject({ certificate: pem }),
    response: certificate,
  }),
  'certificates.issue': operation('POST', '/certificates/{use}/issue', {
    summary: { ja: '本機の認証局で発行する', en: "Issue one by the box's own authority, and renew it by itself" },
    ...change,
    params: use,
    response: certificate,
  }),
  'authority.show': operation('GET', '/certificate-authority', {
    summary: { ja: '本機の認証局', en: "The box's own certificate authority" },
    access: 'config.read',
    /** Empty until it has signed something. */
    response: z.object({
      authority: z
        .object({ subject: z.string(), validTo: time, fingerprint: z.string(), certificate: z.string() })
        .optional(),
    }),
  }),
  'authority.file': operation('GET', '/certificate-authority/file', {
    summary: { ja: '認証局の証明書ファイル', en: 'Its certificate as a file, for the computers of the office' },
    access: 'config.read',
    media: 'application/x-x509-ca-cert',
    response: z.string(),
  }),
  'acme.show': operation('GET', '/acme', {
    summary: { ja: '自動発行 (ACME)', en: 'Certificates by ACME' },
    access: 'config.read',
    response: z.object({ acme: acme.optional() }),
  }),
  'acme.terms': operation('POST', '/acme/terms', {
    summary: { ja: '発行者の利用規約を尋ねる', en: 'Ask an issuer for its terms of service' },
    ...change,
    change: false,
    body: z.strictObject({ directory }),
    response: z.object({ terms: z.string().optional() }),
  }),
  'acme.update': operation('PUT', '/acme', {
    summary: { ja: '自動発行を使う', en: 'Get certificates by ACME' },
    ...change,
    body: z.strictObject({
      directory,
      email: z.email().max(254).exactOptional(),
      names: z.array(hostName).min(1).max(20),
      uses: z.array(z.enum(CERTIFICATE_USES)).min(1).max(3),
      /** The terms of service of the issuer were read and agreed to. */
      agree: z.literal(true),
    }),
    response: z.object({ acme }),
  }),
  'acme.delete': operation('DELETE', '/acme', {
    summary: { ja: '自動発行をやめる', en: 'No more ACME; what is installed stays until it ends' },
    ...change,
  }),
  'acme.run': operation('POST', '/acme/run', {
    summary: { ja: '今すぐ発行してもらう', en: 'Order a certificate now' },
    ...change,
    deadlineMs: 300_000,
    response: z.object({ acme }),
  }),
} as const;
