/** Telling the recipients: the digest of quarantined mail, the page it links to, and what may be done there. */
import { useState } from 'preact/hooks';
import { call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Notice, Skeleton, Trouble } from '../components/basics.tsx';
import { Check, errorAt, FormFoot, SelectField, submitted, TextField, useDirtyGuard } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { NOTIFY } from '../i18n/words-notify.ts';
import { needOk } from './message-actions.ts';

/** As `quarantine.digest` and `portal` stand in the configuration. */
interface Digest {
  enabled: boolean;
  at: string[];
}
interface Portal {
  enabled: boolean;
  reach: 'inside' | 'everywhere';
  url?: string;
  selfRelease: 'spam' | 'none';
  linkDays: number;
}

export function Notify() {
  const settings = useLoad('notify', async (signal) => {
    const [digest, portal] = await Promise.all([
      call('config.show', { query: { path: 'quarantine.digest' } }, signal),
      call('config.show', { query: { path: 'portal' } }, signal),
    ]);
    return { digest: digest.value as Digest, portal: portal.value as Portal };
  });
  const { value } = settings;
  return (
    <Card title={t(NOTIFY.title)}>
      <p class="soft">{t(NOTIFY.intro)}</p>
      {settings.error === undefined ? null : <Trouble error={settings.error} again={settings.again} />}
      {value === undefined ? (
        settings.error === undefined ? (
          <Skeleton />
        ) : null
      ) : (
        <NotifyForm key={JSON.stringify(value)} {...value} done={settings.again} />
      )}
    </Card>
  );
}

function NotifyForm(props: { digest: Digest; portal: Portal; done: () => void }) {
  const [sending, setSending] = useState(props.digest.enabled);
  const [at, setAt] = useState(props.digest.at.join(', '));
  const [offered, setOffered] = useState(props.portal.enabled);
  const [url, setUrl] = useState(props.portal.url ?? '');
  const [reach, setReach] = useState(props.portal.reach);
  const [selfRelease, setSelfRelease] = useState(props.portal.selfRelease);
  const action = useAction();
  const { url: urlBefore = '', linkDays } = props.portal;
  const digest: Digest = { enabled: sending, at: at.split(/[\s,、]+/).filter((time) => time !== '') };
  const portal = {
    enabled: offered,
    reach,
    selfRelease,
    linkDays,
    ...(url.trim() === '' ? {} : { url: url.trim() }),
  };
  const digestChanged = JSON.stringify(digest) !== JSON.stringify(props.digest);
  const portalChanged =
    offered !== props.portal.enabled ||
    reach !== props.portal.reach ||
    url.trim() !== urlBefore ||
    selfRelease !== props.portal.selfRelease;
  useDirtyGuard(digestChanged || portalChanged);
  const badTime = ['', ...digest.at.map((_, index) => `.${index}`)]
    .map((end) => errorAt(action.error, `quarantine.digest.at${end}`))
    .find((text) => text !== undefined);
  const save = (): void =>
    void action.run(async () => {
      // the page first: a digest never goes out with links to what is not there
      if (portalChanged) needOk(await call('config.set', { body: { path: 'portal', value: portal } }));
      if (digestChanged) needOk(await call('config.set', { body: { path: 'quarantine.digest', value: digest } }));
      toast(t(COMMON.saved));
      props.done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <fieldset disabled={!may('config.change')}>
        <Check label={t(NOTIFY.digest)} checked={sending} change={setSending} />
        <TextField
          label={t(NOTIFY.at)}
          hint={t(NOTIFY.atHint)}
          class="short"
          value={at}
          change={setAt}
          error={badTime}
        />
        <Check label={t(NOTIFY.portal)} checked={offered} change={setOffered} />
        <p class="soft small">{t(NOTIFY.portalText)}</p>
        <TextField
          label={t(NOTIFY.url)}
          hint={t(NOTIFY.urlHint)}
          type="url"
          value={url}
          change={setUrl}
          spellcheck={false}
          maxLength={200}
          error={errorAt(action.error, 'portal.url')}
        />
        {offered && url.trim() === '' ? <Notice tone="warn">{t(NOTIFY.urlNeeded)}</Notice> : null}
        <SelectField
          label={t(NOTIFY.reach)}
          hint={t(NOTIFY.reachHint)}
          value={reach}
          change={setReach}
          options={(['inside', 'everywhere'] as const).map((value) => ({ value, label: t(NOTIFY[value]) }))}
        />
        {sending && !offered ? <Notice tone="idle">{t(NOTIFY.noLinks)}</Notice> : null}
        <SelectField
          label={t(NOTIFY.selfRelease)}
          hint={t(NOTIFY.selfReleaseHint)}
          value={selfRelease}
          change={setSelfRelease}
          options={(['spam', 'none'] as const).map((value) => ({ value, label: t(NOTIFY[value]) }))}
        />
        <FormFoot busy={action.busy} dirty={digestChanged || portalChanged} problem={action.error} />
      </fieldset>
    </form>
  );
}
