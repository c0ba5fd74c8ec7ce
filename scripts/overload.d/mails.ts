/** The mails of the overload test: clean ones of 64 KB as the benchmark has them, small ones, and dirty ones (EICAR). Pure. */
import { eicarText } from '../engines/starter-signatures.ts';
import { htmlMail } from '../bench.d/messages.ts';

/** In the head of what must never arrive. */
export const DIRTY = 'X-Overload: dirty';
export const OFFICE = 'taro@office.example';

/** 64 KB with an attachment; each number another mail. */
export function cleanMail(seed: number): Buffer {
  return crlf(htmlMail(seed).replace('<hanako@office.example>', '<hanako@nospf.example>'));
}

export function smallMail(seed: number, options: { dirty?: boolean; lines?: readonly string[] } = {}): Buffer {
  const { dirty = false, lines = [] } = options;
  const text = dirty ? eicarText() : `Number ${seed}: the figures of the week, as we said on the telephone.`;
  const head = ['From: Hanako <hanako@nospf.example>', 'To: taro@office.example', `Subject: Figures ${seed}`];
  const id = `Message-ID: <overload-${seed}@nospf.example>`;
  const body = lines.length === 0 ? [text] : lines;
  const more = ['Date: Mon, 02 Nov 2026 09:00:00 +0900', id, ...(dirty ? [DIRTY] : [])];
  return Buffer.from([...head, ...more, '', ...body, ''].join('\r\n'), 'latin1');
}

/** One attachment in base64. */
export function attached(file: { name: string; octets: Buffer }): Buffer {
  const lines = file.octets.toString('base64').match(/.{1,76}/g) ?? [];
  const head = [
    'From: Hanako <hanako@nospf.example>',
    'To: taro@office.example',
    `Subject: ${file.name}`,
    'Date: Mon, 02 Nov 2026 09:00:00 +0900',
    `Message-ID: <${file.name}@nospf.example>`,
    DIRTY,
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="=_o"',
    '',
    '--=_o',
    `Content-Type: application/octet-stream; name="${file.name}"`,
    'Content-Transfer-Encoding: base64',
    `Content-Disposition: attachment; filename="${file.name}"`,
    '',
  ];
  return Buffer.from([...head, ...lines, '--=_o--', ''].join('\r\n'), 'latin1');
}

function crlf(text: string): Buffer {
  return Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1');
}
