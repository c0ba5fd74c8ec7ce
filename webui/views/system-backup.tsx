/** Settings, users and keys as one encrypted file, and the way back; the wizard offers the way back at its start. */
import { useState } from 'preact/hooks';
import { base64Of } from '../api/base64.ts';
import { type Answer, call, download } from '../api/client.ts';
import { useAction } from '../api/use.ts';
import { session } from '../app/session.ts';
import { Card, Notice, Trouble } from '../components/basics.tsx';
import { Check, FileField, FormFoot, submitted, TextField } from '../components/form.tsx';
import { MailText } from '../components/mail-text.tsx';
import { toast } from '../components/toast.tsx';
import { formatTime, now } from '../i18n/format.ts';
import { t } from '../i18n/language.ts';
import { SYSTEM } from '../i18n/words-system.ts';
import { USES } from './certificate-pieces.tsx';
import { needOk } from './message-actions.ts';

const PARTS = ['config', 'users', 'certificates'] as const;
type Part = (typeof PARTS)[number];
const SHORTEST = 12;

export function BackupTab() {
  return (
    <div class="cards">
      <Card title={t(SYSTEM.backupMake)}>
        <Make />
      </Card>
      <Card title={t(SYSTEM.restore)}>
        <Restore done={() => undefined} />
      </Card>
    </div>
  );
}

function Make() {
  const [passphrase, setPassphrase] = useState('');
  const action = useAction();
  const make = (): void =>
    void action.run(async () => {
      const day = formatTime(now(), 'day').replaceAll(/\D+/g, '-').replace(/-$/, '');
      await download(
        'backup.create',
        { body: { passphrase } },
        `sekisho-${session.value?.hostname ?? 'box'}-${day}.backup`,
      );
      setPassphrase('');
    });
  return (
    <form onSubmit={submitted(make)}>
      <p class="soft">{t(SYSTEM.backupText)}</p>
      <TextField
        label={t(SYSTEM.passphrase)}
        type="password"
        autocomplete="new-password"
        value={passphrase}
        change={setPassphrase}
        required
      />
      <FormFoot
        busy={action.busy}
        dirty={passphrase.length >= SHORTEST}
        label={t(SYSTEM.backupMake)}
        problem={action.error}
      />
    </form>
  );
}

export function Restore({ done }: { done: () => void }) {
  const [file, setFile] = useState('');
  const [passphrase, setPassphrase] = useState('');
  const [inside, setInside] = useState<Answer<'backup.inspect'> | undefined>(undefined);
  const [parts, setParts] = useState<ReadonlySet<Part>>(new Set(PARTS));
  const action = useAction();
  const look = (): void =>
    void action.run(async () => setInside(await call('backup.inspect', { body: { passphrase, file } })));
  const restore = (): void =>
    void action.run(async () => {
      const chosen = [...parts].filter((part) => inside?.parts.includes(part));
      const answer = await call('backup.restore', { body: { passphrase, file, parts: chosen } });
      needOk(answer);
      toast(t(SYSTEM.restored));
      if (answer.expired.length > 0)
        toast(t(SYSTEM.restoredExpired, { uses: usesOf(answer.expired) }), { tone: 'bad' });
      done();
    });
  return (
    <form onSubmit={submitted(inside === undefined ? look : restore)}>
      <FileField
        label={t(SYSTEM.restoreFile)}
        required
        change={([first]) => {
          setInside(undefined);
          void action.run(async () => setFile(first === undefined ? '' : await base64Of(first)));
        }}
      />
      <TextField
        label={t(SYSTEM.passphrase)}
        type="password"
        autocomplete="off"
        value={passphrase}
        change={setPassphrase}
        required
      />
      {inside === undefined ? null : (
        <Notice
          tone="warn"
          title={t(SYSTEM.restoreOf, {
            hostname: inside.hostname,
            version: inside.version,
            when: formatTime(inside.madeAt),
          })}
        >
          <p>{t(SYSTEM.restoreText)}</p>
          {PARTS.filter((part) => inside.parts.includes(part)).map((part) => (
            <Check
              key={part}
              label={t(SYSTEM[part])}
              checked={parts.has(part)}
              change={(on) => setParts(new Set(on ? [...parts, part] : [...parts].filter((one) => one !== part)))}
            />
          ))}
          <Holds of={inside.holds} />
        </Notice>
      )}
      {action.error === undefined ? null : <Trouble error={action.error} />}
      <button
        type="submit"
        class={inside === undefined ? '' : 'danger'}
        disabled={action.busy || file === ''}
        aria-busy={action.busy}
      >
        {t(inside === undefined ? SYSTEM.restoreLook : SYSTEM.restoreGo)}
      </button>
    </form>
  );
}

const usesOf = (uses: ReadonlyArray<keyof typeof USES>): string => uses.map((use) => t(USES[use])).join(' · ');

/** What is inside besides the obvious: so that nobody looks for it after the old box is gone. */
function Holds({ of }: { of: Answer<'backup.inspect'>['holds'] }) {
  const lines = [
    ...(of.smarthostPassword ? [t(SYSTEM.holdsPassword)] : []),
    ...(of.lists.length > 0 ? [t(SYSTEM.holdsLists, { names: of.lists.map(({ file }) => file).join(', ') })] : []),
    ...(of.certificates.length > 0 ? [usesOf(of.certificates)] : []),
    ...(of.authority ? [t(SYSTEM.holdsAuthority)] : []),
    ...(of.acme === undefined ? [] : [t(SYSTEM.holdsAcme, { at: of.acme })]),
  ];
  return (
    <>
      <ul class="small">
        {lines.map((line) => (
          <li key={line}>
            <MailText text={line} />
          </li>
        ))}
      </ul>
      {of.left.length === 0 ? null : <p>{t(SYSTEM.holdsLeft, { names: of.left.join(', ') })}</p>}
    </>
  );
}
