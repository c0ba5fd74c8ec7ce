/**
 * SMTP replies of ours (RFC 5321 §4.2) with enhanced status codes (RFC 3463) in the text. A peer hears what is quotable
 * and carries the queue id; the full cause goes to the log. Own trouble is always `ownTrouble`: 451 4.3.0.
 */
export interface Reply {
  /** 200…599 */
  code: number;
  /** `5.7.1` */
  enhanced: string;
  /** One line, ASCII, without codes. */
  text: string;
}

export function reply(code: number, enhanced: string, text: string): Reply {
  return { code, enhanced, text: text.replaceAll(/[^\u0020-\u007e]/g, '?') };
}

/** The text after the code: `5.7.1 …` (smtp-server cannot set enhanced codes itself; see docs in accept/). */
export function replyText(value: Reply): string {
  return `${value.enhanced} ${value.text}`;
}

export function isPermanent(value: Reply): boolean {
  return value.code >= 500;
}

/** Anything that is our fault: try again later (promise 3). */
export function ownTrouble(text = 'Local trouble, please try again later'): Reply {
  return reply(451, '4.3.0', text);
}

export const REPLY_FULL: Reply = reply(452, '4.3.1', 'Insufficient system storage, please try again later');
export const REPLY_STOPPING: Reply = reply(421, '4.3.2', 'Service closing, please try again later');
