/** Verbs about the certificate that STARTTLS shows. Part of the gateway's table (contract.ts). The key is never shown. */
import { z } from 'zod';
import { verb } from './verb.ts';

const ADMIN = ['admin'] as const;
const nothing = z.strictObject({});
const shown = z.object({ source: z.enum(['own', 'uploaded', 'configured']), certificate: z.string() });

export const CERTIFICATE_VERBS = {
  'certificate.show': verb('GET', '/v1/certificate', { callers: ADMIN, request: nothing, response: shown }),
  /** PEM both. New sessions see it at once; the one that stood is kept. */
  'certificate.install': verb('POST', '/v1/certificate/install', {
    callers: ADMIN,
    request: z.strictObject({ certificate: z.string().min(50).max(200_000), key: z.string().min(50).max(200_000) }),
    response: shown,
  }),
  'certificate.own': verb('POST', '/v1/certificate/own', { callers: ADMIN, request: nothing, response: shown }),
} as const;
