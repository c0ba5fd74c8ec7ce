/**
 * Messages: search, the trail in plain words, what is in it, and what can be done from there. Whoever reads the content is
 * on record with the id. The HTML of a mail is only for an `iframe sandbox=""`: it comes with a policy that loads nothing.
 */
import { z } from 'zod';
import { explanation, historyEntry, messageDetails, trace } from '../../control/shapes.ts';
import { DIRECTIONS } from '../../mail/envelope.ts';
import { HISTORY_STATES } from '../../control/contract.ts';
import { operation } from './operation.ts';
import { byQueueId, count, cursor, inLanguage, instant, limit, mailAddress, queueId, text, word } from './shapes.ts';

/** What may be done with a message as it is now, for buttons; the server checks again. */
export const MESSAGE_ACTIONS = [
  'release',
  'delete',
  'undelete',
  'retry',
  'hold',
  'unhold',
  'resend',
  'report',
] as const;

export const attachment = z.object({
  index: count,
  /** As decoded, hidden characters written out. */
  name: z.string(),
  type: z.string(),
  size: count,
});

export const MESSAGE_OPERATIONS = {
  'messages.search': operation('GET', '/messages', {
    summary: { ja: 'メールを探す', en: 'Search the history' },
    access: 'mail.search',
    query: z.strictObject({
      /** Words, each anywhere in subject, header From or addresses; two characters are enough. */
      text: word.exactOptional(),
      sender: word.exactOptional(),
      recipient: word.exactOptional(),
      id: queueId.exactOptional(),
      messageId: word.exactOptional(),
      client: word.exactOptional(),
      from: instant.exactOptional(),
      to: instant.exactOptional(),
      state: z.enum(HISTORY_STATES).exactOptional(),
      direction: z.enum(DIRECTIONS).exactOptional(),
      limit,
      cursor,
    }),
    response: z.object({ entries: z.array(historyEntry), cursor: z.string().optional() }),
  }),
  'messages.show': operation('GET', '/messages/{id}', {
    summary: { ja: 'メールの経過と理由', en: 'A message’s trail, why it was decided so, where it is' },
    access: 'mail.search',
    params: byQueueId,
    query: inLanguage,
    response: z.object({
      id: z.string(),
      /** Absent: the history knows nothing of it. */
      trace: trace.optional(),
      explanation: explanation.optional(),
      /** While the spool has it. */
      stored: messageDetails.optional(),
      actions: z.array(z.enum(MESSAGE_ACTIONS)),
      /** Release asks for `force`: a virus, or nobody could look. */
      needsForce: z.boolean(),
      /** Recipients who asked for it by their own page, while it is quarantined. */
      askedBy: z.array(z.string()),
    }),
  }),
  'messages.content': operation('GET', '/messages/{id}/content', {
    summary: { ja: '本文を安全に表示する', en: 'What is written in a message (on record)' },
    access: 'mail.content',
    content: true,
    params: byQueueId,
    response: z.object({
      id: z.string(),
      size: count,
      /** In their order, decoded, hidden characters written out. */
      headers: z.array(z.object({ name: z.string(), value: z.string() })),
      /** Plain text; of the HTML part when there is no other. */
      text: z.object({ value: z.string(), cut: z.boolean(), source: z.enum(['text', 'html', 'none']) }),
      /** GET /messages/{id}/html shows it. */
      hasHtml: z.boolean(),
      attachments: z.array(attachment),
      /** Larger than what is looked into: only the beginning was. */
      partial: z.boolean(),
    }),
  }),
  'messages.html': operation('GET', '/messages/{id}/html', {
    summary: {
      ja: 'HTML 本文（無害化、画像なし）',
      en: 'The HTML part, cleaned, without images, for a sandboxed frame',
    },
    access: 'mail.content',
    content: true,
    params: byQueueId,
    media: 'text/html',
    response: z.string(),
  }),
  'messages.download': operation('GET', '/messages/{id}/eml', {
    summary: { ja: '原本 (.eml) をダウンロードする', en: 'Download the message as it came (on record)' },
    access: 'mail.content',
    content: true,
    params: byQueueId,
    media: 'message/rfc822',
    deadlineMs: 120_000,
    response: z.string(),
  }),
  'messages.report': operation('POST', '/messages/{id}/report', {
    summary: { ja: '判定の誤りを報告する', en: 'Say that a verdict was wrong: the spam engine learns from it' },
    access: 'mail.release',
    params: byQueueId,
    body: z.strictObject({ as: z.enum(['spam', 'ham']) }),
    /** learned false: it was noted, but the engine did not learn it, and why. `samples`: kept of this kind, on this box. */
    response: z.object({ learned: z.boolean(), samples: count, text }),
  }),
  'messages.resend': operation('POST', '/messages/{id}/resend', {
    summary: { ja: '別の宛先へ送る、または送り直す', en: 'Send a stored message to these recipients (again)' },
    access: 'mail.release',
    params: byQueueId,
    /** Recipients it had, or any address of an own domain. `force`: needed as for a release. */
    body: z.strictObject({
      recipients: z.array(mailAddress).min(1).max(100),
      force: z.boolean().exactOptional(),
    }),
    response: z.object({ queuedAs: z.string(), recipients: z.array(z.string()) }),
  }),
} as const;
