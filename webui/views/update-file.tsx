/** An update from a file: sent in parts that can be seen and stopped, then installed; what it is and who signed it the host checks. */
import { useRef, useState } from 'preact/hooks';
import { base64Of } from '../api/base64.ts';
import { call } from '../api/client.ts';
import { useAction } from '../api/use.ts';
import { Card, Trouble } from '../components/basics.tsx';
import { FileField, FormFoot, submitted, useDirtyGuard } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { formatPercent, formatSize } from '../i18n/format.ts';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { UPDATE } from '../i18n/words-update.ts';

/** As much as the API takes at once. */
const PART_OCTETS = 4 * 1024 * 1024;

export function UpdateFile({ busy, begun }: { busy: boolean; begun: () => void }) {
  const [file, setFile] = useState<File | undefined>(undefined);
  const [sent, setSent] = useState<number | undefined>(undefined);
  const stopped = useRef(false);
  const action = useAction();
  useDirtyGuard(sent !== undefined);
  const send = (chosen: File): void => {
    stopped.current = false;
    void action
      .run(async () => {
        const name = plainName(chosen.name);
        await sendFile(chosen, { name, progress: setSent, stopped: () => stopped.current });
        setSent(undefined);
        if (stopped.current) return;
        await call('update.install', { body: { from: 'upload', file: name } });
        setFile(undefined);
        toast(t(UPDATE.begun));
        begun();
      })
      .finally(() => setSent(undefined));
  };
  return (
    <Card title={t(UPDATE.file)}>
      <p class="soft">{t(UPDATE.fileText)}</p>
      <form
        onSubmit={submitted(() => {
          if (file !== undefined) send(file);
        })}
      >
        <FileField
          label={t(UPDATE.choose)}
          accept=".raucb"
          disabled={sent !== undefined}
          change={([first]) => setFile(first)}
        />
        {file === undefined ? null : <p class="soft small">{formatSize(file.size)}</p>}
        {sent === undefined || file === undefined ? null : (
          <p class="row" aria-live="polite">
            <progress value={sent} max={file.size} aria-label={t(UPDATE.sending)} /> {t(UPDATE.sending)}{' '}
            {formatPercent(sent / file.size)}
            <button type="button" class="link" onClick={() => (stopped.current = true)}>
              {t(COMMON.cancel)}
            </button>
          </p>
        )}
        <FormFoot busy={action.busy || busy} dirty={file !== undefined} label={t(UPDATE.sendInstall)} />
        {action.error === undefined ? null : <Trouble error={action.error} />}
      </form>
    </Card>
  );
}

/** In parts, into the folder from which the host takes what it was told to take. */
export async function sendFile(
  file: Blob,
  options: { name: string; progress: (octets: number) => void; stopped: () => boolean },
): Promise<void> {
  for (let offset = 0; offset < file.size && !options.stopped(); ) {
    options.progress(offset);
    const data = await base64Of(file.slice(offset, offset + PART_OCTETS));
    ({ octets: offset } = await call('update.upload', { body: { file: options.name, offset, data } }));
  }
}

/** One component of plain letters, as the box takes it. */
function plainName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9._-]/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return plain === '' ? 'update.raucb' : plain.slice(-100);
}
