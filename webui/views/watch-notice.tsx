/** The first page while the owner only watches: what would have been stopped, why, day by day, and after a week one click. */
import { type Answer, call } from '../api/client.ts';
import { may } from '../app/session.ts';
import { Notice } from '../components/basics.tsx';
import { attempt, toast } from '../components/toast.tsx';
import { formatAgo } from '../i18n/format.ts';
import { t, word } from '../i18n/language.ts';
import { REASON_NAMES } from '../i18n/words-mail.ts';
import { OVERVIEW } from '../i18n/words-overview.ts';
import { needOk } from './message-actions.ts';

type Watched = NonNullable<Extract<Answer<'overview.show'>['watch'], { ok: true }>['value']>;

export function WatchNotice({ watch, changed }: { watch: Watched; changed: () => void }) {
  const switchOn = (): Promise<void> =>
    attempt(async () => {
      needOk(await call('policy.level', { body: { level: 'normal' } }));
      changed();
      toast(t(OVERVIEW.watchSwitched), {
        undo: async () => {
          needOk(await call('policy.level', { body: { level: 'watch' } }));
          changed();
        },
      });
    });
  return (
    <Notice tone={watch.offerSwitch ? 'warn' : 'idle'} title={t(OVERVIEW.watch)}>
      {t(OVERVIEW.since, { when: formatAgo(watch.since) })}:{' '}
      {t(OVERVIEW.watchText, { reject: watch.wouldReject, quarantine: watch.wouldQuarantine })}
      {watch.byReason.length === 0 ? null : (
        <ul>
          {watch.byReason.slice(0, 5).map(({ reason, messages }) => (
            <li key={reason}>
              {word(REASON_NAMES, reason)}: {messages}
            </li>
          ))}
        </ul>
      )}
      {watch.offerSwitch ? <p>{t(OVERVIEW.watchOffer)}</p> : null}
      <span class="row">
        {watch.offerSwitch && may('config.change') ? (
          <button type="button" class="main" onClick={() => void switchOn()}>
            {t(OVERVIEW.watchOn)}
          </button>
        ) : null}
        <a href="/policy">{t(OVERVIEW.watchSwitch)}</a>
      </span>
    </Notice>
  );
}
