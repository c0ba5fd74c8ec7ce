/** API tokens: each with a purpose, only the rights it needs, and an end. The secret is shown once. */
import { useState } from 'preact/hooks';
import type { Permission } from '../../src/api/contract/client.ts';
import { call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { me } from '../app/session.ts';
import { Card, Copy, Notice, Skeleton, Time, Trouble } from '../components/basics.tsx';
import { Check, FormFoot, SelectField, submitted, TextField } from '../components/form.tsx';
import { DataTable } from '../components/table.tsx';
import { toast, toastProblem } from '../components/toast.tsx';
import { now } from '../i18n/format.ts';
import { t, word } from '../i18n/language.ts';
import { ACCOUNT, PERMISSION_NAMES } from '../i18n/words-account.ts';

const DAY_MS = 86_400_000;

export function Tokens() {
  const list = useLoad('tokens', (signal) => call('tokens.list', {}, signal));
  const [secret, setSecret] = useState<string | undefined>(undefined);
  const revoke = (id: string): void => {
    call('tokens.delete', { params: { id } }).then(() => {
      toast(t(ACCOUNT.tokenRevoked));
      list.again();
    }, toastProblem);
  };
  return (
    <Card
      title={t(ACCOUNT.tokens)}
      side={
        <a href="/api/docs" target="_blank" rel="noreferrer">
          {t(ACCOUNT.apiDocs)}
        </a>
      }
    >
      <p class="soft">{t(ACCOUNT.tokensText)}</p>
      {list.error === undefined ? null : <Trouble error={list.error} again={list.again} />}
      {list.value === undefined && list.error === undefined ? <Skeleton lines={2} /> : null}
      {list.value?.tokens.length === 0 ? <p class="soft">{t(ACCOUNT.tokensNone)}</p> : null}
      {list.value === undefined || list.value.tokens.length === 0 ? null : (
        <DataTable
          caption={t(ACCOUNT.tokens)}
          rows={list.value.tokens}
          keyOf={(row) => row.id}
          columns={[
            { key: 'name', label: t(ACCOUNT.tokenName), head: true, render: (row) => row.name },
            { key: 'owner', label: t(ACCOUNT.owner), render: (row) => row.owner },
            {
              key: 'scopes',
              label: t(ACCOUNT.tokenScopes),
              render: (row) => (
                <span class="small">{row.scopes.map((one) => word(PERMISSION_NAMES, one)).join(', ')}</span>
              ),
            },
            { key: 'used', label: t(ACCOUNT.tokenUsed), render: (row) => <Time at={row.lastUsedAt} style="ago" /> },
            { key: 'ends', label: t(ACCOUNT.tokenExpires), render: (row) => <Time at={row.expiresAt} style="day" /> },
            {
              key: 'revoke',
              label: '',
              render: (row) => (
                <button type="button" class="tiny danger" onClick={() => revoke(row.id)}>
                  {t(ACCOUNT.tokenRevoke)}
                </button>
              ),
            },
          ]}
        />
      )}
      {secret === undefined ? null : (
        <Notice tone="warn" title={t(ACCOUNT.tokenSecret)}>
          <pre>{secret}</pre>
          <Copy text={secret} />
        </Notice>
      )}
      <NewToken
        made={(next) => {
          setSecret(next);
          list.again();
        }}
      />
    </Card>
  );
}

function NewToken({ made }: { made: (secret: string) => void }) {
  const [name, setName] = useState('');
  const [days, setDays] = useState<'30' | '90' | '365'>('90');
  const [scopes, setScopes] = useState<ReadonlySet<Permission>>(new Set());
  const action = useAction();
  const own = me.value?.permissions ?? [];
  const make = (): void =>
    void action.run(async () => {
      const expiresAt = new Date(now() + Number(days) * DAY_MS).toISOString();
      const token = await call('tokens.create', { body: { name, scopes: [...scopes], expiresAt } });
      made(token.secret);
      setName('');
      setScopes(new Set());
    });
  return (
    <details>
      <summary>{t(ACCOUNT.tokenMake)}</summary>
      <form onSubmit={submitted(make)}>
        <div class="row end">
          <TextField label={t(ACCOUNT.tokenName)} value={name} change={setName} required maxLength={100} />
          <SelectField
            label={t(ACCOUNT.tokenExpires)}
            value={days}
            change={setDays}
            options={[
              { value: '30', label: t(ACCOUNT.days30) },
              { value: '90', label: t(ACCOUNT.days90) },
              { value: '365', label: t(ACCOUNT.days365) },
            ]}
          />
        </div>
        <fieldset>
          <legend>{t(ACCOUNT.tokenScopes)}</legend>
          {own.map((permission) => (
            <Check
              key={permission}
              label={word(PERMISSION_NAMES, permission)}
              checked={scopes.has(permission)}
              change={(on) => {
                const next = new Set(scopes);
                if (on) next.add(permission);
                else next.delete(permission);
                setScopes(next);
              }}
            />
          ))}
        </fieldset>
        <FormFoot
          busy={action.busy}
          dirty={scopes.size > 0 && name !== ''}
          label={t(ACCOUNT.tokenMake)}
          problem={action.error}
        />
      </form>
    </details>
  );
}
