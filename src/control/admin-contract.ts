/**
 * Verbs of the pages' process for whoever sits at the machine: its certificates, by the `sekisho` command. The socket is that
 * process's own file (0600): only its user and root may call. Each verb is an operation of the API (src/api/contract), done and
 * put on record as by the pages.
 */
import { z } from 'zod';
import { text, time } from './shapes.ts';
import { verb } from './verb.ts';

const CLI = ['cli'] as const;
const nothing = z.strictObject({});
export const CERTIFICATE_USES = ['page', 'mail', 'portal'] as const;
const use = z.enum(CERTIFICATE_USES);
const pem = z.string().min(50).max(200_000);

const certificate = z.object({
  use,
  source: z.string(),
  subject: z.string(),
  issuer: z.string(),
  names: z.array(z.string()),
  validFrom: time,
  validTo: time,
  daysLeft: z.number().int(),
  renewsAt: time.optional(),
  fingerprint: z.string(),
  problem: text.optional(),
});
export type CertificateAnswer = z.output<typeof certificate>;

const acme = z.object({
  directory: z.string(),
  names: z.array(z.string()),
  uses: z.array(use),
  last: z.object({ at: time, ok: z.boolean(), detail: z.string().optional() }).optional(),
});
export type AcmeAnswer = z.output<typeof acme>;

export const ADMIN_VERBS = {
  'certificates.list': verb('GET', '/v1/certificates', {
    callers: CLI,
    request: nothing,
    response: z.object({ certificates: z.array(certificate) }),
  }),
  'certificates.upload': verb('POST', '/v1/certificates/upload', {
    callers: CLI,
    request: z.strictObject({ use, certificate: pem, key: pem }),
    response: certificate,
  }),
  'certificates.pkcs12': verb('POST', '/v1/certificates/pkcs12', {
    callers: CLI,
    /** Base64. */
    request: z.strictObject({ use, file: z.string().min(100).max(270_000), passphrase: z.string().max(500) }),
    response: certificate,
  }),
  'certificates.own': verb('POST', '/v1/certificates/own', {
    callers: CLI,
    request: z.strictObject({ use }),
    response: certificate,
  }),
  'certificates.issue': verb('POST', '/v1/certificates/issue', {
    callers: CLI,
    request: z.strictObject({ use }),
    response: certificate,
  }),
  'certificates.request': verb('POST', '/v1/certificates/request', {
    callers: CLI,
    request: z.strictObject({
      use,
      names: z.array(z.string()).min(1).max(50),
      key: z.enum(['ec', 'rsa']).default('ec'),
      organisation: z.string().min(1).max(64).exactOptional(),
    }),
    response: z.object({ request: z.string() }),
  }),
  'certificates.signed': verb('POST', '/v1/certificates/signed', {
    callers: CLI,
    request: z.strictObject({ use, certificate: pem }),
    response: certificate,
  }),
  'acme.show': verb('GET', '/v1/acme', {
    callers: CLI,
    request: nothing,
    response: z.object({ acme: acme.optional() }),
  }),
  'acme.update': verb('POST', '/v1/acme/update', {
    callers: CLI,
    request: z.strictObject({
      directory: z.string().max(500),
      email: z.string().max(254).exactOptional(),
      names: z.array(z.string()).min(1).max(20),
      uses: z.array(use).min(1).max(3),
      agree: z.literal(true),
    }),
    response: z.object({ acme }),
  }),
  'acme.run': verb('POST', '/v1/acme/run', {
    callers: CLI,
    deadlineMs: 300_000,
    request: nothing,
    response: z.object({ acme }),
  }),
  'acme.delete': verb('POST', '/v1/acme/delete', {
    callers: CLI,
    request: nothing,
    response: z.object({ ok: z.boolean() }),
  }),
} as const;
