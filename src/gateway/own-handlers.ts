/** The portal's verbs: a recipient's own quarantine by his ticket, in the contract's shapes. */
import type { ConfigStore } from '../config/store.ts';
import type { GatewayHandlers } from '../control/contract.ts';
import type { OwnEntry } from '../control/shapes.ts';
import { REASON_WORDS } from '../decide/reasons.ts';
import type { OwnEntry as Own, OwnQuarantine } from '../quarantine/own.ts';
import { asQueueId, iso, quarantineRow } from './views.ts';

type OwnVerbs = 'own.list' | 'own.show' | 'own.release' | 'own.ask';

export function ownHandlers(parts: { own: OwnQuarantine; store: ConfigStore }): Pick<GatewayHandlers, OwnVerbs> {
  const { own, store } = parts;
  const shown = ({ entry, right }: Own): OwnEntry => {
    const row = quarantineRow(entry, store.current().quarantine.days);
    return {
      id: row.id,
      arrivedAt: row.arrivedAt,
      size: row.size,
      from: row.from || row.reversePath,
      subject: row.subject,
      reason: { ...REASON_WORDS[entry.reason].label },
      right,
      ...(row.expiresAt === undefined ? {} : { expiresAt: row.expiresAt }),
    };
  };
  const language = (): 'ja' | 'en' => store.current().language;
  return {
    'own.list': async ({ ticket }) => {
      const { recipient, expires, entries, more } = await own.list(ticket);
      return { recipient, expiresAt: iso(expires), language: language(), entries: entries.map(shown), more };
    },
    'own.show': async ({ ticket, id }) => {
      const { recipient, detail, right } = await own.show(ticket, asQueueId(id));
      const { preview, previewProblem } = detail;
      return {
        recipient,
        language: language(),
        entry: shown({ entry: detail, right }),
        preview: { text: preview?.text ?? previewProblem ?? '', cut: preview?.truncated ?? false },
      };
    },
    'own.release': async ({ ticket, id }) => {
      const { already } = await own.release(ticket, asQueueId(id));
      return { already };
    },
    'own.ask': ({ ticket, id }) => own.ask(ticket, asQueueId(id)),
  };
}
