/**
 * Probe mail: the box's proof to itself that mail passes from port 25 through both engines and out by delivery. Its recipient's
 * domain lies below `.invalid` (RFC 6761 §6.4), so that nobody's mail can ever be taken for one, nor one be sent away.
 */
export const PROBE_DOMAIN = 'probe.sekisho.invalid';
/** The reverse-path's: another one, else it would look like mail from inside. */
export const PROBE_SENDER_DOMAIN = 'box.sekisho.invalid';

/** All of them: a mail for somebody else is no probe. */
export function isProbe(recipients: readonly string[]): boolean {
  return recipients.length > 0 && recipients.every((address) => address.endsWith(`@${PROBE_DOMAIN}`));
}
