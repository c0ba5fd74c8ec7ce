/** Small messages that tests put together: CRLF ends, no dates or ids that change from run to run. */
import { EICAR } from './clamd.ts';
import { GTUBE } from './rspamd.ts';

export interface SampleOptions {
  from?: string;
  to?: string;
  subject?: string;
  /** In front of all other fields: CRLF-ended lines. */
  head?: string;
  messageId?: string;
  text?: string;
}

/** Header of an ordinary mail, without the empty line. */
export function header(options: SampleOptions = {}, more: readonly string[] = []): string {
  const fields = [
    `From: ${options.from ?? 'Hanako <hanako@example.com>'}`,
    `To: ${options.to ?? 'suzuki@office.example'}`,
    `Subject: ${options.subject ?? 'A plain greeting'}`,
    'Date: Sat, 21 Nov 2026 10:00:00 +0900',
    `Message-ID: <${options.messageId ?? 'sample.1@example.com'}>`,
    'MIME-Version: 1.0',
    ...more,
  ];
  return `${options.head ?? ''}${fields.join('\r\n')}\r\n`;
}

export function plainMail(options: SampleOptions = {}): Buffer {
  const text = options.text ?? 'Good morning,\r\n\r\nthe meeting is at ten.\r\n.\r\n..two dots begin this line\r\n';
  return Buffer.from(`${header(options, ['Content-Type: text/plain; charset=utf-8'])}\r\n${text}`);
}

/** A mail of about this many octets, text in lines of 76. */
export function bigMail(octets: number, options: SampleOptions = {}): Buffer {
  const line = `${'0123456789'.repeat(7)}abcd\r\n`;
  return plainMail({ ...options, text: line.repeat(Math.max(1, Math.ceil(octets / line.length))) });
}

export function attachmentMail(
  file: { name: string; type: string; bytes: Buffer },
  options: SampleOptions = {},
): Buffer {
  const boundary = 'sample-boundary-1';
  const lines = file.bytes.toString('base64').match(/.{1,76}/g) ?? [];
  return Buffer.from(
    `${header(options, [`Content-Type: multipart/mixed; boundary="${boundary}"`])}\r\n--${boundary}\r\n` +
      `Content-Type: text/plain; charset=utf-8\r\n\r\nSee the attachment.\r\n--${boundary}\r\n` +
      `Content-Type: ${file.type}; name="${file.name}"\r\nContent-Transfer-Encoding: base64\r\n` +
      `Content-Disposition: attachment; filename="${file.name}"\r\n\r\n${lines.join('\r\n')}\r\n--${boundary}--\r\n`,
  );
}

export function eicarMail(options: SampleOptions = {}): Buffer {
  const file = { name: 'eicar.com', type: 'application/octet-stream', bytes: Buffer.from(EICAR) };
  return attachmentMail(file, { subject: 'EICAR test file', ...options });
}

export function gtubeMail(options: SampleOptions = {}): Buffer {
  return plainMail({ subject: 'GTUBE', text: `${GTUBE}\r\n`, ...options });
}
