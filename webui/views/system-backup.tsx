/** Settings, users and keys as one encrypted file, and the way back; the wizard offers the way back at its start. */
import { useState } from 'preact/hooks';
import { type Answer, call, download } from '../api/client.ts';
import { useAction } from '../api/use.ts';
import { session } from '../app/session.ts';
import { Card, Notice, Trouble } from '../components/basics.tsx';
import { Check, FormFoot, submitted, TextField } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { formatTime, now } from '../i18n/format.ts';
import { t } from '../i18n/language.ts';
import { SYSTEM } from '../i18n/words-system.ts';
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
      needOk(
        await call('backup.restore', {
          body: { passphrase, file, parts: [...parts].filter((part) => inside?.parts.includes(part)) },
        }),
      );
      toast(t(SYSTEM.restored));
      done();
    });
  return (
    <form onSubmit={submitted(inside === undefined ? look : restore)}>
      <div class="field">
        <label for="backup-file">{t(SYSTEM.restoreFile)}</label>
        <input
          id="backup-file"
          type="file"
          required
          onChange={(event) => {
            setInside(undefined);
            void readBase64(event.currentTarget.files?.[0]).then(setFile);
          }}
        />
      </div>
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

/** In steps, because the arguments of one call are limited. */
async function readBase64(file: File | undefined): Promise<string> {
  if (file === undefined) return '';
  const octets = new Uint8Array(await file.arrayBuffer());
  let text = '';
  for (let at = 0; at < octets.length; at += 32_768) text += String.fromCharCode(...octets.subarray(at, at + 32_768));
  return btoa(text);
}
