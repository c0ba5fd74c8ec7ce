/** What every foreign mail program is given to carry: the shapes in which mail is most often damaged on its way. */
import assert from 'node:assert/strict';
import { header } from '../support/mime-samples.ts';

export const SHAPES = ['plain', 'eight-bit', 'dot lines', 'long lines'] as const;
export type Shape = (typeof SHAPES)[number];

const BODIES: Readonly<Record<Shape, Buffer>> = {
  plain: Buffer.from('Good morning,\r\n\r\nthe meeting is at ten.\r\n'),
  // UTF-8, then every octet that is no US-ASCII
  'eight-bit': Buffer.concat([
    Buffer.from('おはようございます。会議は十時からです。\r\n'),
    Buffer.from(Array.from({ length: 128 }, (_, index) => 128 + index)),
    Buffer.from('\r\n'),
  ]),
  'dot lines': Buffer.from('.\r\n..\r\n...\r\n.first\r\n..second\r\nlast\r\n.\r\n.\r\n'),
  // 998 is what everybody must take (RFC 5322 §2.1.1); more is what HTML mail really has
  'long lines': Buffer.from(`${'x'.repeat(998)}\r\n${'0123456789'.repeat(500)}\r\n.${'y'.repeat(2_000)}\r\nend\r\n`),
};

export interface PeerSample {
  shape: Shape;
  /** Unlike any other: by it the message is found again. */
  id: string;
  bytes: Buffer;
}

export function peerSample(shape: Shape, who: { by: string; to: string }): PeerSample {
  const id = `${who.by}.${shape.replace(' ', '-')}@example.com`;
  const type =
    shape === 'eight-bit' ? ['Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit'] : [];
  const head = header({ to: who.to, messageId: id, subject: `By ${who.by}: ${shape}` }, type);
  return { shape, id, bytes: Buffer.concat([Buffer.from(`${head}\r\n`), BODIES[shape]]) };
}

/** Everything that was sent is at the end of what arrived; what stands before it is whole header fields. */
export function assertUnchanged(arrived: Buffer, sent: Buffer): void {
  const tail = arrived.subarray(Math.max(0, arrived.length - sent.length));
  if (!tail.equals(sent)) {
    let at = 0;
    while (at < sent.length && sent[at] === tail[at]) at += 1;
    const show = (bytes: Buffer): string => JSON.stringify(bytes.toString('latin1', Math.max(0, at - 40), at + 60));
    assert.fail(`altered at ${at} of ${sent.length}: sent ${show(sent)}, arrived ${show(tail)}`);
  }
  assert.match(
    arrived.toString('latin1', 0, arrived.length - sent.length),
    /^(?:[!-9;-~]+:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)+$/,
  );
}
