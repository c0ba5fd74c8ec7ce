/** Logs of the box, tests of what it can reach, and the support bundle whose whole content is shown before it is made. */
import { useState } from 'preact/hooks';
import { type Answer, call, hrefOf } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Empty, Notice, Skeleton, Time, Trouble } from '../components/basics.tsx';
import { FormFoot, SelectField, submitted, TextField } from '../components/form.tsx';
import { MailText, writtenOut } from '../components/mail-text.tsx';
import { formatSize } from '../i18n/format.ts';
import { t, word } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { DIAGNOSTIC_NAMES, SYSTEM } from '../i18n/words-system.ts';

const SERVICES = [
  'gateway',
  'admin',
  'portal',
  'clamd',
  'freshclam',
  'rspamd',
  'unbound',
  'chrony',
  'nut',
  'nftables',
  'host',
] as const;
const TESTS = Object.keys(DIAGNOSTIC_NAMES) as Array<keyof typeof DIAGNOSTIC_NAMES>;

export function LogsTab() {
  return (
    <>
      <Logs />
      <div class="cards">
        <Diagnostics />
        {may('system.change') ? <Bundle /> : null}
      </div>
    </>
  );
}

function Logs() {
  const [service, setService] = useState<(typeof SERVICES)[number]>('gateway');
  const [priority, setPriority] = useState<'3' | '4' | '6'>('6');
  const logs = useLoad(`logs ${service} ${priority}`, (signal) =>
    call('logs.read', { query: { service, priority: Number(priority), lines: 200 } }, signal),
  );
  return (
    <Card
      title={t(SYSTEM.noLogsTitle)}
      side={
        <button type="button" class="tiny" onClick={logs.again}>
          {t(SYSTEM.newer)}
        </button>
      }
    >
      <div class="filters">
        <SelectField
          label={t(SYSTEM.service)}
          value={service}
          change={setService}
          options={SERVICES.map((value) => ({ value, label: value }))}
        />
        <SelectField
          label={t(SYSTEM.priority)}
          value={priority}
          change={setPriority}
          options={[
            { value: '6', label: t(SYSTEM.usual) },
            { value: '4', label: t(SYSTEM.warnings) },
            { value: '3', label: t(SYSTEM.errors) },
          ]}
        />
      </div>
      {logs.error === undefined ? null : <Trouble error={logs.error} again={logs.again} />}
      {logs.value === undefined ? (
        logs.error === undefined ? (
          <Skeleton lines={8} />
        ) : null
      ) : logs.value.lines.length === 0 ? (
        <Empty title={t(SYSTEM.noLogs)} />
      ) : (
        <div class="quote" tabIndex={0}>
          {logs.value.lines.map((line, index) => (
            <div key={index}>
              <Time at={line.at} style="full" /> <MailText text={line.message} />
            </div>
          ))}
        </div>
      )}
    </Card>
  );
}

function Diagnostics() {
  const [test, setTest] = useState<(typeof TESTS)[number]>('ping');
  const [target, setTarget] = useState('');
  const [result, setResult] = useState<Answer<'diagnostics.run'> | undefined>(undefined);
  const action = useAction();
  const needsTarget = test === 'ping' || test === 'dns' || test === 'route' || test === 'smtp';
  const run = (): void =>
    void action.run(async () => {
      setResult(undefined);
      setResult(await call('diagnostics.run', { body: { test, ...(needsTarget ? { target: target.trim() } : {}) } }));
    });
  return (
    <Card title={t(SYSTEM.diagnostics)}>
      <p class="soft">{t(SYSTEM.diagnosticsText)}</p>
      <form onSubmit={submitted(run)}>
        <div class="row end">
          <SelectField
            label={t(SYSTEM.test)}
            value={test}
            change={setTest}
            options={TESTS.map((value) => ({ value, label: word(DIAGNOSTIC_NAMES, value) }))}
          />
          {needsTarget ? (
            <TextField label={t(SYSTEM.target)} value={target} change={setTarget} required spellcheck={false} />
          ) : null}
        </div>
        <br />
        <FormFoot busy={action.busy} label={t(SYSTEM.run)} problem={action.error} />
      </form>
      {result === undefined ? null : (
        <>
          <br />
          <Notice tone={result.ok ? 'ok' : 'bad'}>{t(result.summary)}</Notice>
          <pre tabIndex={0}>{plain(result.lines)}</pre>
        </>
      )}
    </Card>
  );
}

function Bundle() {
  const [preview, setPreview] = useState<Answer<'bundle.preview'> | undefined>(undefined);
  const [made, setMade] = useState<Answer<'bundle.create'> | undefined>(undefined);
  const [passphrase, setPassphrase] = useState('');
  const action = useAction();
  const look = (): void => void action.run(async () => setPreview(await call('bundle.preview', {})));
  const make = (): void => void action.run(async () => setMade(await call('bundle.create', { body: { passphrase } })));
  return (
    <Card title={t(SYSTEM.bundle)}>
      <p class="soft">{t(SYSTEM.bundleText)}</p>
      <button type="button" onClick={look} disabled={action.busy} aria-busy={action.busy}>
        {t(SYSTEM.bundlePreview)}
      </button>
      {preview?.files.map((file) => (
        <details key={file.name}>
          <summary>
            {file.name} <span class="soft small">{formatSize(file.octets)}</span>
          </summary>
          <pre tabIndex={0}>{plain(file.text.split('\n'))}</pre>
        </details>
      ))}
      <br />
      <br />
      <form onSubmit={submitted(make)}>
        <TextField
          label={t(SYSTEM.passphrase)}
          type="password"
          autocomplete="new-password"
          value={passphrase}
          change={setPassphrase}
          required
        />
        <FormFoot busy={action.busy} label={t(SYSTEM.bundleMake)} problem={action.error} />
      </form>
      {made === undefined ? null : (
        <Notice tone="ok" title={t(SYSTEM.bundleReady)}>
          <a href={hrefOf('bundle.download', { params: { id: made.id } })} download={made.name}>
            {made.name}
          </a>{' '}
          {formatSize(made.octets)} <span class="sr">{t(COMMON.details)}</span>
        </Notice>
      )}
    </Card>
  );
}

/** Lines of programs, hidden characters written out. */
function plain(lines: readonly string[]): string {
  return lines.map((line) => writtenOut(line).text).join('\n');
}
