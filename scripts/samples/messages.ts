/**
 * The sample messages, as bytes. Each carries a token of this run, so that what arrived is never taken for another run's.
 * Nothing in them can do harm: EICAR and GTUBE are agreed test texts, and the "program" is a header without code.
 */
import { randomBytes } from 'node:crypto';
import type { Text } from '../../src/base/i18n.ts';
import { eicarText, gtubeText } from '../engines/starter-signatures.ts';
import { OFFICE_DOMAIN, SAMPLE_CLIENTS } from '../lab/zones.ts';
import { zip } from './zip.ts';

/** What a sample is for: the fact that the gateway must find. */
export type SampleTrait = 'clean' | 'virus' | 'spam' | 'disguised' | 'spoofed' | 'unknown-recipient';

export interface Sample {
  name: string;
  title: Text;
  trait: SampleTrait;
  /** The loopback address it is sent from. */
  client: string;
  helo: string;
  reversePath: string;
  recipient: string;
  message: Buffer;
  token: string;
}

interface Part {
  headers: string[];
  content: string;
}

const ALICE = `alice@${OFFICE_DOMAIN}`;

export function makeSamples(options: { date: Date; token?: () => string }): Sample[] {
  const token = options.token ?? ((): string => randomBytes(8).toString('hex'));
  const make = (sample: Omit<Sample, 'token' | 'message'>, build: (token: string) => Message): Sample => {
    const own = token();
    return { ...sample, token: own, message: bytesOf(build(own), { sample, token: own, date: options.date }) };
  };
  const friend = {
    client: SAMPLE_CLIENTS.friend,
    helo: 'mail.friend.example',
    reversePath: 'hanako@friend.example',
    recipient: ALICE,
  };
  const stranger = {
    client: SAMPLE_CLIENTS.stranger,
    helo: 'mail.stranger.example',
    reversePath: 'news@stranger.example',
    recipient: ALICE,
  };
  return [
    make({ name: 'clean', title: { ja: 'ふつうのメール', en: 'clean mail' }, trait: 'clean', ...friend }, (own) => ({
      subject: 'Meeting on Friday',
      text: `Hello Alice,\r\n\r\nshall we meet on Friday at ten? The room is booked.\r\n\r\nHanako (${own})\r\n`,
    })),
    make({ name: 'eicar', title: { ja: 'EICAR', en: 'EICAR' }, trait: 'virus', ...stranger }, () => ({
      subject: 'A file for you',
      text: 'Please see the file.\r\n',
      attachments: [attachment('test.txt', 'application/octet-stream', Buffer.from(eicarText(), 'latin1'))],
    })),
    make(
      {
        name: 'eicar-zip-zip',
        title: { ja: 'EICAR（zip の中の zip）', en: 'EICAR in a zip in a zip' },
        trait: 'virus',
        ...stranger,
      },
      () => {
        const inner = zip([{ name: 'test.txt', content: Buffer.from(eicarText(), 'latin1') }]);
        return {
          subject: 'Archive',
          text: 'Please see the archive.\r\n',
          attachments: [attachment('archive.zip', 'application/zip', zip([{ name: 'inner.zip', content: inner }]))],
        };
      },
    ),
    make(
      {
        name: 'gtube',
        title: { ja: 'GTUBE（迷惑メールの試験文）', en: 'GTUBE (spam test text)' },
        trait: 'spam',
        ...stranger,
      },
      () => ({
        subject: 'An offer',
        text: `Hello,\r\n\r\n${gtubeText()}\r\n`,
      }),
    ),
    make(
      {
        name: 'exe-as-pdf',
        title: { ja: 'invoice.pdf（中身は .exe）', en: 'invoice.pdf that is an .exe' },
        trait: 'disguised',
        ...stranger,
      },
      () => ({
        subject: 'Invoice',
        text: 'Your invoice is attached.\r\n',
        attachments: [attachment('invoice.pdf', 'application/pdf', emptyProgram())],
      }),
    ),
    make(
      {
        name: 'exe-as-pdf-zip',
        title: { ja: '同じものを zip に入れて', en: 'the same inside a zip' },
        trait: 'disguised',
        ...stranger,
      },
      () => ({
        subject: 'Invoice (archive)',
        text: 'Your invoice is attached.\r\n',
        attachments: [
          attachment('invoice.zip', 'application/zip', zip([{ name: 'invoice.pdf', content: emptyProgram() }])),
        ],
      }),
    ),
    make(
      {
        name: 'spoofed',
        title: { ja: '自社を名乗る外からのメール', en: 'own domain, from outside' },
        trait: 'spoofed',
        ...stranger,
      },
      () => ({
        subject: 'Urgent payment',
        from: `Taro <taro@${OFFICE_DOMAIN}>`,
        text: 'Please call me about a payment.\r\n\r\nTaro\r\n',
      }),
    ),
    make(
      {
        name: 'japanese',
        title: { ja: 'ISO-2022-JP と日本語の添付名', en: 'ISO-2022-JP, Japanese file name' },
        trait: 'clean',
        ...friend,
        recipient: `taro@${OFFICE_DOMAIN}`,
      },
      japanese,
    ),
    make(
      { name: 'ten-megabytes', title: { ja: '10 MB のメール', en: '10 MB mail' }, trait: 'clean', ...friend },
      (own) => ({
        subject: 'Drawings',
        text: 'The drawings are attached.\r\n',
        attachments: [attachment('drawings.dat', 'application/octet-stream', noise(own, 7_600_000))],
      }),
    ),
    make(
      {
        name: 'docomo',
        title: { ja: 'a..b@docomo.ne.jp から', en: 'from a..b@docomo.ne.jp' },
        trait: 'clean',
        ...friend,
        helo: 'mail.docomo.ne.jp',
        reversePath: 'a..b@docomo.ne.jp',
      },
      () => ({ subject: 'Tomorrow', text: 'I will be there at nine.\r\n' }),
    ),
    make(
      {
        name: 'unknown-recipient',
        title: { ja: 'いない人あて', en: 'to an unknown recipient' },
        trait: 'unknown-recipient',
        ...friend,
        recipient: `nobody-${randomBytes(4).toString('hex')}@${OFFICE_DOMAIN}`,
      },
      () => ({ subject: 'Hello', text: 'Is anybody there?\r\n' }),
    ),
  ];
}

interface Message {
  subject: string;
  from?: string;
  text: string;
  charset?: string;
  attachments?: Part[];
}

function bytesOf(
  message: Message,
  options: { sample: Omit<Sample, 'token' | 'message'>; token: string; date: Date },
): Buffer {
  const { sample, token, date } = options;
  const domain = sample.reversePath.slice(sample.reversePath.lastIndexOf('@') + 1);
  const charset = message.charset ?? 'utf-8';
  const text: Part = {
    headers: [`Content-Type: text/plain; charset=${charset}`, 'Content-Transfer-Encoding: 7bit'],
    content: message.text,
  };
  const header = [
    `Date: ${date.toUTCString().replace('GMT', '+0000')}`,
    `From: ${message.from ?? `<${sample.reversePath}>`}`,
    `To: <${sample.recipient}>`,
    `Subject: ${message.subject}`,
    `Message-ID: <${token}@${domain}>`,
    'MIME-Version: 1.0',
  ];
  if (message.attachments === undefined)
    return Buffer.from(`${[...header, ...text.headers, '', text.content].join('\r\n')}`, 'latin1');
  const boundary = `=_${token}`;
  const parts = [text, ...message.attachments].map(
    (part) => `--${boundary}\r\n${[...part.headers, '', part.content].join('\r\n')}\r\n`,
  );
  const body = `${parts.join('')}--${boundary}--\r\n`;
  return Buffer.from(
    [...header, `Content-Type: multipart/mixed; boundary="${boundary}"`, '', body].join('\r\n'),
    'latin1',
  );
}

function attachment(name: string, type: string, content: Buffer): Part {
  return {
    headers: [
      `Content-Type: ${type}; name="${name}"`,
      'Content-Transfer-Encoding: base64',
      `Content-Disposition: attachment; filename="${name}"`,
    ],
    content: base64Lines(content),
  };
}

/** All in ISO-2022-JP, as Japanese offices still write it; the texts stand here in base64, because this file is UTF-8. */
function japanese(): Message {
  const jis = (base64: string): string => Buffer.from(base64, 'base64').toString('latin1');
  const word = (base64: string): string => `=?ISO-2022-JP?B?${base64}?=`;
  const fileName = 'GyRCNURCahsoQi50eHQ='; // 議題.txt
  return {
    subject: word('GyRCSzpHLzJxJE4ycTVEJE4kKkNOJGkkOxsoQg=='), // 忘年会の会議のお知らせ
    from: `${word('GyRCTSc/TT4mRTkbKEIgGyRCMlY7UhsoQg==')} <hanako@friend.example>`, // 友人商店 花子
    charset: 'ISO-2022-JP',
    // 太郎様 … 年末の会議の日程をお送りします …
    text: jis(
      'GyRCQkBPOk1NGyhCDQoNChskQiQqQCRPQyRLJEokQyRGJCokaiReJDkhI0cvS3YkTjJxNUQkTkZ8RHgkciQqQXckaiQ3JF4kOSEjGyhCDQob' +
        'JEI1REJqJE9FOklVJE4hVjVEQmobKEIudHh0GyRCIVckciQ0TXckLyRAJDUkJCEjGyhCDQoNChskQk0nP00+JkU5GyhCIBskQjJWO1IbKEINCg==',
    ),
    attachments: [
      {
        headers: [
          `Content-Type: text/plain; charset=ISO-2022-JP; name="${word(fileName)}"`,
          'Content-Transfer-Encoding: 7bit',
          `Content-Disposition: attachment; filename*=ISO-2022-JP''${percentEncoded(Buffer.from(fileName, 'base64'))}`, // RFC 2231
        ],
        content: jis('GyRCMGwhIk1oRy8kTjdXMmgbKEINChskQkZzISJLOkcvMnEkTkU5GyhCDQo='), // 一、来年の計画 …
      },
    ],
  };
}

/** The headers of a Windows program (PE/COFF) with no section and no code: it cannot run, and says what it claims to be. */
function emptyProgram(): Buffer {
  const program = Buffer.alloc(512);
  program.write('MZ', 0, 'latin1');
  program.writeUInt32LE(0x80, 0x3c); // where the PE header stands
  program.write('PE\0\0', 0x80, 'latin1');
  program.writeUInt16LE(0x014c, 0x84); // i386
  program.writeUInt16LE(0x0102, 0x96); // executable image, 32 bit
  return program;
}

/** Reproducible octets without a pattern (xorshift32). */
function noise(seed: string, size: number): Buffer {
  const octets = Buffer.alloc(size);
  let state = Number.parseInt(seed.slice(0, 8), 16) || 1;
  for (let i = 0; i < size; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    octets[i] = state & 0xff;
  }
  return octets;
}

function base64Lines(content: Buffer): string {
  const lines = content.toString('base64').match(/.{1,76}/g) ?? [];
  return lines.join('\r\n');
}

function percentEncoded(octets: Buffer): string {
  let text = '';
  for (const octet of octets) {
    const character = String.fromCharCode(octet);
    text += /[A-Za-z0-9.-]/.test(character) ? character : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}
