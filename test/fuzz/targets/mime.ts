/** MIME trees: whatever stands in the first part, the program in the last one is seen, or the message is said to be unreadable. */
import { Readable } from 'node:stream';
import { inspectStructure } from '../../../src/inspect/structure.ts';
import { parseConfiguredLimits } from '../support.ts';
import { check, compose, mutate, type Planted, type Random, sample, type Target } from '../engine.ts';

const BOUNDARY = '=_sekisho-fuzz-outer';
const TOKENS = [
  'Content-Type: ',
  'multipart/mixed; boundary=',
  '"x"',
  'x',
  '\r\n--x\r\n',
  '\r\n--x--\r\n',
  '--',
  '\r\n',
  '\r\n\r\n',
  'Content-Transfer-Encoding: base64\r\n',
  'quoted-printable',
  '=\r\n',
  '=3D',
  'UEsDBA',
  'Content-Disposition: attachment; filename="a.pdf"\r\n',
  'message/rfc822',
  'text/html',
  "filename*0*=utf-8''a%2E",
  'filename*1=exe',
  'TVqQAAMAAAAEAAAA',
  'begin 644 a.exe\r\n',
  '\u0000',
  'Content-Type: message/partial\r\n',
  'a: b\r\n',
];
const SAMPLES = [
  'nested-rfc822.eml',
  'boundary-missing.eml',
  'boundary-twice.eml',
  'boundary-empty.eml',
  'broken-base64.eml',
  'preamble-epilogue.eml',
  'winmail-dat.eml',
  'message-partial.eml',
  'unknown-encoding.eml',
  'content-type-garbage.eml',
].map(sample);
const LAST = [
  'Content-Type: application/octet-stream',
  'Content-Transfer-Encoding: base64',
  'Content-Disposition: attachment; filename="tool.exe"',
  '',
  Buffer.from('MZ\u0090\u0000 this program', 'latin1').toString('base64'),
  '',
].join('\r\n');

export const planted: Planted = {
  file: 'src/inspect/file-kinds.ts',
  find: "if (seen.nature === 'program' || EXECUTABLE_EXTENSIONS.has(extension)) traits.push('executable');",
  replace:
    "if (seen.nature === 'program' && EXECUTABLE_EXTENSIONS.has(extension) && file.head.length > 20) traits.push('executable');",
};

export const target: Target = {
  name: 'mime',
  make: (random: Random) =>
    random.chance(2)
      ? compose(random, TOKENS, 40)
      : mutate(random, random.pick(SAMPLES), { tokens: TOKENS, max: 16_384 }),
  async run(input) {
    const inner = Buffer.from(input.toString('latin1').replaceAll(BOUNDARY, 'none'), 'latin1');
    const message = Buffer.concat([
      Buffer.from(
        `From: a@b.example\r\nContent-Type: multipart/mixed; boundary="${BOUNDARY}"\r\n\r\n--${BOUNDARY}\r\n`,
      ),
      inner,
      Buffer.from(`\r\n--${BOUNDARY}\r\n${LAST}\r\n--${BOUNDARY}--\r\n`),
    ]);
    const chunks = [message.subarray(0, message.length >> 1), message.subarray(message.length >> 1)];
    const findings = await inspectStructure(Readable.from(chunks), {
      limits: parseConfiguredLimits(),
      signal: AbortSignal.timeout(30_000),
    });
    const unreadable = findings.some(({ kind }) => kind === 'structure');
    const seen = findings.some((finding) => finding.kind === 'attachment' && finding.traits.includes('executable'));
    check(seen || unreadable, `The program in the last part is seen: ${JSON.stringify(findings).slice(0, 400)}`);
    // The inner text as a message of its own must be readable, or be said to be unreadable, too.
    await inspectStructure(Readable.from([inner]), {
      limits: parseConfiguredLimits(),
      signal: AbortSignal.timeout(30_000),
    });
  },
};
