/** One question to rspamd over its socket, for the proof of the owner's lists: which rules does this message hit? Mail never comes this way. */
import { request } from 'node:http';
import { z } from 'zod';
import type { Milliseconds } from '../base/brand.ts';
import { SekishoError } from '../base/errors.ts';

const MAX_REPLY = 1_048_576;
const reply = z.object({ symbols: z.record(z.string(), z.unknown()) });

export function askRspamd(
  socket: string,
  message: { sender: string; link: string },
  ms: Milliseconds,
): Promise<ReadonlySet<string>> {
  const recipient = 'probe@sekisho.invalid';
  const body = `From: <${message.sender}>\r\nTo: <${recipient}>\r\nSubject: lists\r\n\r\nhttp://${message.link}/\r\n`;
  return new Promise((resolve, reject) => {
    const fail = (why: string): void =>
      reject(new SekishoError('ENGINE_UNREACHABLE', `rspamd does not answer: ${why}`));
    const question = request({
      socketPath: socket,
      path: '/checkv2',
      method: 'POST',
      headers: { From: message.sender, Rcpt: recipient, 'Content-Length': Buffer.byteLength(body) },
      signal: AbortSignal.timeout(ms),
    });
    question.once('error', (error) => fail(error.message));
    question.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        if (text.length > MAX_REPLY) question.destroy();
      });
      response.once('error', (error) => fail(error.message));
      response.once('end', () => {
        try {
          resolve(new Set(Object.keys(reply.parse(JSON.parse(text)).symbols)));
        } catch {
          fail(`no verdict but "${text.slice(0, 120)}"`);
        }
      });
    });
    question.end(body);
  });
}
