/**
 * The mails of W4: an HTML page and an attachment, 64 KB together. Every number gives another mail of the same size, and
 * the same number always the same mail, so that both systems and every run are given the like. Pure.
 */

const TOTAL_OCTETS = 65_536;
const PAGE_OCTETS = 8_192;
const LINE = 76;
const WORDS =
  'report office meeting invoice schedule project delivery customer contract quantity monthly figures attached please ' +
  'confirm reply before Friday regards number order warehouse summary review budget approval branch Osaka Sendai';

/** About 64 KB, LF ends (smtp-source adds the CR). */
export function htmlMail(seed: number): string {
  const random = generator(seed);
  const boundary = `=_bench_${seed.toString(36)}_${Math.floor(random() * 2 ** 32).toString(36)}`;
  const head = [
    'From: Yamada Hanako <hanako@office.example>',
    'To: Sato Taro <taro@partner.example>',
    `Subject: Report ${seed}`,
    'Date: Mon, 02 Nov 2026 09:00:00 +0900',
    `Message-ID: <bench-${seed}-${Math.floor(random() * 2 ** 32)}@office.example>`,
    'MIME-Version: 1.0',
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/html; charset=utf-8',
    'Content-Transfer-Encoding: 7bit',
    '',
    page(random),
    `--${boundary}`,
    `Content-Type: application/octet-stream; name="report-${seed}.bin"`,
    'Content-Transfer-Encoding: base64',
    `Content-Disposition: attachment; filename="report-${seed}.bin"`,
    '',
  ].join('\n');
  const tail = `\n--${boundary}--\n`;
  const room = TOTAL_OCTETS - head.length - tail.length;
  return `${head}\n${attachment(random, room)}${tail}`;
}

function page(random: () => number): string {
  const words = WORDS.split(' ');
  const lines = ['<!DOCTYPE html>', '<html><head><title>Report</title></head><body>'];
  let length = 0;
  while (length < PAGE_OCTETS) {
    const text = Array.from({ length: 9 }, () => words[Math.floor(random() * words.length)]).join(' ');
    const line = `<p class="text" style="margin:0">${text}</p>`;
    lines.push(line);
    length += line.length + 1;
  }
  return [...lines, '</body></html>'].join('\n');
}

function attachment(random: () => number, room: number): string {
  const lines = Math.floor(room / (LINE + 1));
  const octets = Buffer.alloc((lines * LINE * 3) / 4);
  // a beginning of no known kind of file: chance would make one in some thousands a program, and quarantine is not measured
  octets.write('BENCH');
  for (let at = 5; at < octets.length; at += 1) octets[at] = Math.floor(random() * 256);
  return (octets.toString('base64').match(/.{1,76}/g) ?? []).join('\n');
}

/** mulberry32: small, and the same everywhere. */
function generator(seed: number): () => number {
  let state = (seed + 0x9e37_79b9) >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
