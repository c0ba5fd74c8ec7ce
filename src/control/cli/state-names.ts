/** The states of a message, as a person reads them. */
import type { Text } from '../../base/i18n.ts';
import type { MessageState } from '../shapes.ts';

export const STATE_NAMES: Record<MessageState, Text> = {
  incoming: { en: 'incoming', ja: '検査待ち' },
  active: { en: 'active', ja: '配送中' },
  deferred: { en: 'deferred', ja: '再送待ち' },
  held: { en: 'held', ja: '保留' },
  quarantined: { en: 'quarantined', ja: '隔離' },
  corrupt: { en: 'corrupt', ja: '破損' },
  retired: { en: 'retired', ja: '完了' },
  rejected: { en: 'rejected', ja: '拒否' },
};
