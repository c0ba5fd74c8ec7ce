/** The quarantine by control socket: list with filters, show, release (once is once), delete with undo. */
import type { GatewayHandlers } from '../control/contract.ts';
import { parseForwardPath, type ForwardPath } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { SekishoError } from '../base/errors.ts';
import type { QuarantineEntry } from '../quarantine/api.ts';
import type { HandlerParts } from './handlers.ts';
import { asQueueId, clientOf, deletedUntil, iso, mustRead, quarantineRow, stateOf } from './views.ts';

const MOST_LOOKED_AT = 5_000;
const PAGE = 100;
const UNDO_MS = 600_000;

type QuarantineVerbs =
  | 'quarantine.list'
  | 'quarantine.show'
  | 'quarantine.release'
  | 'quarantine.delete'
  | 'quarantine.undelete';

export function quarantineHandlers(parts: HandlerParts): Pick<GatewayHandlers, QuarantineVerbs> {
  const { spool, quarantine, own, store, clock } = parts;
  const asked = (id: QueueId): { askedBy?: string[] } => {
    const askedBy = own.askedFor(id);
    return askedBy.length === 0 ? {} : { askedBy };
  };
  const days = (): number => store.current().quarantine.days;
  return {
    'quarantine.list': async ({ limit, cursor, text, sender, recipient }) => {
      const contains = (value: string, part: string | undefined): boolean =>
        part === undefined || value.normalize('NFKC').toLowerCase().includes(part.normalize('NFKC').toLowerCase());
      const wanted = (entry: QuarantineEntry): boolean =>
        contains(`${entry.subject}\n${entry.from}\n${entry.reversePath}\n${entry.recipients.join('\n')}`, text) &&
        (contains(entry.reversePath, sender) || contains(entry.from, sender)) &&
        (recipient === undefined || entry.recipients.some((address) => contains(address, recipient)));
      const entries = [];
      let after = cursor as QueueId | undefined;
      let looked = 0;
      let more = true;
      while (entries.length < limit && looked < MOST_LOOKED_AT && more) {
        const page = await quarantine.list({
          limit: PAGE,
          newestFirst: true,
          ...(after === undefined ? {} : { after }),
        });
        more = page.next !== undefined;
        for (const entry of page.entries) {
          after = entry.id;
          looked += 1;
          if (wanted(entry)) entries.push({ ...quarantineRow(entry, days()), ...asked(entry.id) });
          if (entries.length < limit) continue;
          more = true;
          break;
        }
        if (page.entries.length === 0) after = page.next ?? after;
      }
      return { entries, total: spool.count('quarantine'), ...(more && after !== undefined ? { cursor: after } : {}) };
    },
    'quarantine.show': async ({ id }) => {
      const detail = await quarantine.show(asQueueId(id));
      const { preamble } = await mustRead(spool, asQueueId(id));
      const summary = detail.inspection?.findings.find((finding) => finding.kind === 'summary');
      return {
        ...quarantineRow(detail, days()),
        ...asked(detail.id),
        client: clientOf(preamble.origin),
        messageId: summary?.messageId ?? '',
        headers: detail.preview?.fields ?? [],
        preview: { text: detail.preview?.text ?? detail.previewProblem ?? '', cut: detail.preview?.truncated ?? false },
        decisions: detail.decisions.map(({ recipient, action, reason }) => ({ recipient, action, reason })),
        findings: detail.inspection?.findings ?? [],
      };
    },
    'quarantine.release': async ({ id, recipients, force }, { by }) => {
      const before = await spool.read(asQueueId(id));
      const released = await quarantine.release(asQueueId(id), {
        by,
        force: force === true,
        ...(recipients === undefined ? {} : { recipients: recipients.map(mustParse) }),
      });
      const open = (before?.progress.recipients ?? []).filter(({ outcome }) => outcome === undefined);
      return {
        id,
        queuedAs: released.id,
        already: released.already,
        released: released.recipients,
        remaining: open
          .map(({ address }) => address)
          .filter((address) => !released.already && !released.recipients.includes(address)),
      };
    },
    'quarantine.delete': async ({ id }, { by }) => {
      await quarantine.delete(asQueueId(id), { by });
      const { progress } = await mustRead(spool, asQueueId(id));
      return { id, deletedUntil: deletedUntil(progress.deleted).deletedUntil ?? iso(clock.wall() + UNDO_MS) };
    },
    'quarantine.undelete': async ({ id }, { by }) => {
      await quarantine.undelete(asQueueId(id), { by });
      return { id, state: stateOf(await mustRead(spool, asQueueId(id)), clock) };
    },
  };
}

function mustParse(text: string): ForwardPath {
  const address = parseForwardPath(text);
  if (address !== undefined) return address;
  throw new SekishoError('INVALID', `"${text}" is not a mail address`, {
    remedy: 'Give it like "taro@office.example"',
  });
}
