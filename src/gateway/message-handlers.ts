/**
 * One stored message sent again, or reported as wrongly judged. A copy is committed like any message before it is answered:
 * the octets that came in, the header fields its first recipients got, decided by the operator. The hash of the original is
 * checked while it is read: a damaged one is never sent. What goes to somebody who was no recipient has the null
 * reverse-path: its failure is the operator's to hear (held, with an alarm), not the sender's, who never wrote there.
 */
import { stampOf } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import type { GatewayHandlers } from '../control/contract.ts';
import type { MESSAGE_VERBS } from '../control/message-verbs.ts';
import { RspamdClient } from '../inspect/rspamd.ts';
import { domainOf, type ForwardPath, parseDomain, parseForwardPath, type ReversePath } from '../mail/address.ts';
import type { Transaction } from '../mail/envelope.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { needsForce } from '../quarantine/view.ts';
import type { StoredMessage, Variant } from '../spool/api.ts';
import type { HandlerParts } from './handlers.ts';
import { asQueueId, mustRead } from './views.ts';

const LEARN_MS = 20_000;

export function messageHandlers(parts: HandlerParts): Pick<GatewayHandlers, keyof typeof MESSAGE_VERBS> {
  const { spool, observe, samples } = parts;
  return {
    'message.resend': async ({ id, recipients, force }, { by, signal }) => {
      const message = await mustRead(spool, asQueueId(id));
      mustBeSendable(message, force === true);
      const to = [...new Set(recipients.map((text) => mustBeAllowed(parts, message, text)))];
      const queuedAs = await sendCopy(parts, { message, to, by, signal });
      return { id, queuedAs, recipients: to };
    },
    'message.report': async ({ id, as }, { by, signal }) => {
      const message = await mustRead(spool, asQueueId(id));
      const kept = await samples.keep(message.id, as, () => spool.openBody(message));
      const taught = await teach(parts, { message, as, signal });
      observe.emit({ event: 'reported', id: message.id, as, learned: taught.learned, by });
      return { id, samples: kept, ...taught };
    },
  };
}

/** Promise 3: nothing leaves that was not inspected and decided. */
function mustBeSendable(message: StoredMessage, force: boolean): void {
  if (message.progress.deleted !== undefined)
    throw new SekishoError('WRONG_STATE', `Message "${message.id}" is marked for deletion`, {
      remedy: 'Undelete it first',
    });
  if (message.trailer.variants.length === 0 || message.folder === 'corrupt' || message.folder === 'incoming')
    throw new SekishoError('RELEASE_INCOMPLETE', `Message "${message.id}" was never decided`, {
      remedy: 'Start the engines and let it be inspected again, or delete it',
    });
  const danger = force ? undefined : needsForce(message);
  if (danger !== undefined)
    throw new SekishoError('RELEASE_NEEDS_FORCE', `Message "${message.id}" is dangerous: ${danger}`, {
      remedy: 'Leave it where it is, or give "--force" if you are sure',
    });
}

/** Whoever it was for, and any address of the office: a box must not send a stranger's mail to strangers. */
function mustBeAllowed({ store }: HandlerParts, message: StoredMessage, text: string): ForwardPath {
  const address = parseForwardPath(text);
  if (address === undefined)
    throw new SekishoError('INVALID', `"${text}" is not a mail address`, {
      remedy: 'Give it like "taro@office.example"',
    });
  if (message.preamble.envelope.recipients.some((one) => one.address === address)) return address;
  const domain = domainOf(address);
  if (store.current().domains.some(({ name }) => parseDomain(name) === domain)) return address;
  throw new SekishoError('UNKNOWN_RECIPIENT', `"${text}" is neither one of its recipients nor of an own domain`, {
    remedy: 'Give one of its recipients, or an address of your own domains',
  });
}

async function sendCopy(
  { spool, observe, clock }: HandlerParts,
  copy: { message: StoredMessage; to: readonly ForwardPath[]; by: string; signal: AbortSignal },
): Promise<QueueId> {
  const { message, to, by } = copy;
  const { preamble, trailer } = message;
  const had = new Set(preamble.envelope.recipients.map(({ address }) => address));
  const strangers = to.some((address) => !had.has(address));
  const { envid: _envid, ret: _ret, ...envelope } = preamble.envelope;
  const transaction: Transaction = {
    origin: preamble.origin,
    envelope: {
      ...envelope,
      reversePath: strangers ? ('' as ReversePath) : envelope.reversePath,
      recipients: to.map((address) => ({ address })),
    },
    announcedSize: trailer.size,
    arrival: stampOf(clock),
  };
  const draft = await spool.begin(transaction);
  try {
    for await (const chunk of spool.openBody(message) as AsyncIterable<Buffer>) {
      copy.signal.throwIfAborted();
      await draft.write(chunk);
    }
    await draft.seal();
    await draft.commit('queue', {
      decidedAt: stampOf(clock),
      decisions: to.map((recipient) => ({ recipient, action: 'deliver', reason: 'operator' })),
      ...(trailer.inspection === undefined ? {} : { inspection: trailer.inspection }),
      variants: variantsFor(trailer.variants, to),
    });
  } catch (error) {
    await draft.abort().catch(() => undefined); // committed, or gone with its own trouble
    throw error;
  }
  observe.emit({ event: 'resent', id: message.id, as: draft.id, recipients: [...to], by });
  observe.emit({ event: 'derived', id: draft.id, parent: message.id, why: 'resend', recipients: [...to] });
  return draft.id;
}

/** Each gets what was made for him; who was none of its recipients gets what the first one gets. */
function variantsFor(variants: readonly Variant[], to: readonly ForwardPath[]): Variant[] {
  const groups = Map.groupBy(to, (address) =>
    Math.max(
      0,
      variants.findIndex(({ recipients }) => recipients.includes(address)),
    ),
  );
  return [...groups].flatMap(([at, recipients]) => {
    const variant = variants[at];
    return variant === undefined ? [] : [{ ...variant, recipients }];
  });
}

const LEARNED = {
  ja: '迷惑メール検査が学習しました。見本も本機に残しました',
  en: 'The spam engine learned it; a sample was kept on this box',
};
const KNOWN = {
  ja: '学習済みのメールです。見本を本機に残しました',
  en: 'The spam engine knew it already; a sample was kept on this box',
};
const ONLY_KEPT = {
  ja: '見本として本機に残しました。学習は設定 engines.rspamd.learnUrl がないため行いません',
  en: 'Kept as a sample on this box; nothing learns while engines.rspamd.learnUrl is not set',
};

async function teach(
  { store, spool, observe }: HandlerParts,
  lesson: { message: StoredMessage; as: 'spam' | 'ham'; signal: AbortSignal },
): Promise<{ learned: boolean; text: { ja: string; en: string } }> {
  const { learnUrl } = store.current().engines.rspamd;
  if (learnUrl === undefined) return { learned: false, text: ONLY_KEPT };
  const { message, as, signal } = lesson;
  using client = new RspamdClient({ concurrency: () => 1 });
  try {
    const { already } = await withDeadline('Teaching rspamd', { ms: LEARN_MS, signal }, (until) =>
      client.learn(learnUrl, { as, size: message.trailer.size, stream: () => spool.openBody(message) }, until),
    );
    return { learned: !already, text: already ? KNOWN : LEARNED };
  } catch (error) {
    const detail = describeError(error);
    observe.log('warn', 'The spam engine did not learn a reported message', { id: message.id, as, error: detail });
    return {
      learned: false,
      text: {
        ja: `見本として本機に残しましたが、学習できませんでした（${detail}）`,
        en: `Kept as a sample on this box, but the spam engine did not learn it (${detail})`,
      },
    };
  }
}
