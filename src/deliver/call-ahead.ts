/**
 * Asks a domain's mail server whether a mailbox is there: MAIL FROM:<>, RCPT, QUIT; no data. `no` only when a server says
 * so in plain words; down, slow, greylisted or refused for another reason is `unknown`. Ends within CALL_AHEAD_MS over all
 * servers; never throws.
 */
import type { Milliseconds } from '../base/brand.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError } from '../base/errors.ts';
import type { Limiter } from '../base/limiter.ts';
import { type ForwardPath, needsSmtpUtf8 } from '../mail/address.ts';
import { readRecipientReply } from './classify.ts';
import { openSession, type Session } from './connect.ts';
import { findTargets, relayDomainOf, routeKey, routingDomain, type TargetOptions } from './route.ts';

export const CALL_AHEAD_MS = 15_000;

/** The same shape as accept's; stages do not import each other. */
export type RecipientAnswer = { known: 'yes' | 'no' | 'unknown'; detail: string };

export interface CallAheadOptions extends TargetOptions {
  limiter: Limiter;
  /** Why the hop is known to be down, or undefined. */
  downBecause: (key: string) => string | undefined;
  deadlineMs?: Milliseconds;
}

export async function callAhead(address: ForwardPath, options: CallAheadOptions): Promise<RecipientAnswer> {
  const domain = routingDomain(address, options.config);
  if (domain === undefined || relayDomainOf(domain, options.config) === undefined) {
    return { known: 'unknown', detail: 'No mail server is configured for this domain' };
  }
  const key = routeKey(domain, options.config);
  const down = options.downBecause(key);
  if (down !== undefined) return { known: 'unknown', detail: `The mail server is down: ${down}` };
  try {
    const limit = { ms: options.deadlineMs ?? CALL_AHEAD_MS };
    return await withDeadline('Asking for the recipient', limit, (signal) =>
      // Waiting for a free slot counts too: the client stands in RCPT.
      options.limiter.run(async () => (signal.aborted ? OVERDUE : askServers(key, address, { ...options, signal }))),
    );
  } catch (error) {
    return { known: 'unknown', detail: describeError(error) };
  }
}

const OVERDUE: RecipientAnswer = { known: 'unknown', detail: 'Too many questions at once' };

async function askServers(
  key: string,
  address: ForwardPath,
  options: CallAheadOptions & { signal: AbortSignal },
): Promise<RecipientAnswer> {
  const found = await findTargets(key, options);
  if ('failure' in found) return { known: 'unknown', detail: found.failure.reply };
  let last: RecipientAnswer = { known: 'unknown', detail: 'No server was asked' };
  for (const target of found.targets) {
    if (options.signal.aborted) break;
    const opened = await openSession(target, options);
    if ('trouble' in opened) {
      last = { known: 'unknown', detail: opened.reply?.text ?? opened.detail };
      continue;
    }
    last = await askOne(opened.session, address, options);
    if (last.known !== 'unknown') return last;
  }
  return last;
}

async function askOne(
  session: Session,
  address: ForwardPath,
  options: CallAheadOptions & { signal: AbortSignal },
): Promise<RecipientAnswer> {
  const cut = (): void => session.cut('Time for asking is up');
  options.signal.addEventListener('abort', cut, { once: true });
  try {
    const utf8 = needsSmtpUtf8(address);
    if (utf8 && !session.offers('SMTPUTF8'))
      return { known: 'unknown', detail: 'The mail server does not offer SMTPUTF8' };
    const limit = { ms: options.config.timeouts.commandMs };
    const [mail] = session.commands([`MAIL FROM:<>${utf8 ? ' SMTPUTF8' : ''}`], limit);
    const first = await mail;
    if (first === undefined || first.code !== 250) return { known: 'unknown', detail: first?.text ?? '' };
    const [rcpt] = session.commands([`RCPT TO:<${address}>`], limit);
    const reply = await rcpt;
    if (reply === undefined) return { known: 'unknown', detail: '' };
    return { known: readRecipientReply(reply), detail: reply.text };
  } catch (error) {
    return { known: 'unknown', detail: describeError(error) };
  } finally {
    options.signal.removeEventListener('abort', cut);
    void session.quit();
  }
}
