/** The parameters of one MAIL (RFC 5321 §4.1.1.11): those we offered, understood or refused. Pure. */
import { type Reply, reply } from '../mail/reply.ts';
import { type MailDsn, readMailDsn } from './dsn-parameters.ts';
import type { PathCommand } from './path-command.ts';

export interface MailParameters extends MailDsn {
  smtpUtf8: boolean;
  eightBit: boolean;
  announcedSize?: number;
}

const OFFERED = new Set(['SIZE', 'BODY', 'SMTPUTF8', 'RET', 'ENVID']);

export function readMailParameters(command: PathCommand, limits: { messageOctets: number }): MailParameters | Reply {
  // RFC 5321 §4.1.1.11; REQUIRETLS (RFC 8689) is among them: we could not keep its promise
  for (const keyword of command.parameters.keys())
    if (!OFFERED.has(keyword)) return reply(555, '5.5.4', `Parameter ${keyword} is not supported`);
  const smtpUtf8 = command.parameters.get('SMTPUTF8');
  if (typeof smtpUtf8 === 'string') return reply(501, '5.5.4', 'SMTPUTF8 takes no value');
  const body = command.parameters.get('BODY');
  // RFC 6152 §3; BINARYMIME needs BDAT, which is not offered
  if (body !== undefined && !(typeof body === 'string' && /^(?:7BIT|8BITMIME)$/i.test(body)))
    return reply(501, '5.5.4', 'BODY is 7BIT or 8BITMIME');
  const dsn = readMailDsn(command.parameters);
  if ('code' in dsn) return dsn;
  const flags = { smtpUtf8: smtpUtf8 === true, eightBit: typeof body === 'string' && body.startsWith('8'), ...dsn };
  const size = command.parameters.get('SIZE');
  if (size === undefined) return flags;
  // RFC 1870 §5
  if (typeof size !== 'string' || !/^\d{1,20}$/.test(size)) return reply(501, '5.5.4', 'SIZE is a number of octets');
  if (Number(size) > limits.messageOctets)
    return reply(552, '5.3.4', `Message exceeds the size limit of ${limits.messageOctets} octets`);
  return { ...flags, announcedSize: Number(size) };
}
