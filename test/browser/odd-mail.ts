/** Mail as strangers send it, for tests of the pages: markup, hidden characters and tricks where people look. */
import { header } from '../support/mime-samples.ts';

/** Would run if any page ever took text for markup. */
export const SCRIPT = '<img src=x onerror="window.__pwned=1"><script>window.__pwned=1</script>';

const base64 = (text: string): string => `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`;

export function japaneseMail(subject: string, messageId: string): Buffer {
  const text = 'お世話になっております。\r\n見積書をお送りします。\r\n';
  const fields = header({ from: `${base64('山田花子')} <hanako@example.com>`, subject: base64(subject), messageId }, [
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
  ]);
  return Buffer.from(`${fields}\r\n${Buffer.from(text).toString('base64')}\r\n`);
}

/**
 * In the name of our own domain, so that it is quarantined; markup in subject, From, HTML and file name; and a subject that
 * would read backwards.
 */
export function hostileMail(messageId: string): Buffer {
  const boundary = 'odd-boundary';
  const fields = header(
    {
      from: `${base64(`${SCRIPT} President`)} <president@office.example>`,
      subject: base64(`${SCRIPT} \u202egpj.exe`),
      messageId,
    },
    [`Content-Type: multipart/mixed; boundary="${boundary}"`],
  );
  const html = `<p onclick="window.__pwned=1">Hello ${SCRIPT}</p><script>parent.window.__pwned=1</script><a href="javascript:window.__pwned=1">x</a>`;
  const name = base64(`${SCRIPT}\u202efdp.txt`);
  return Buffer.from(
    [
      fields,
      `--${boundary}`,
      'Content-Type: text/html; charset=utf-8',
      '',
      html,
      `--${boundary}`,
      `Content-Type: text/plain; name="${name}"`,
      `Content-Disposition: attachment; filename="${name}"`,
      '',
      'attached',
      `--${boundary}--`,
      '',
    ].join('\r\n'),
  );
}
