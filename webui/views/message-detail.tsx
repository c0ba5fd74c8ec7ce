/**
 * One message: why it was decided so, what happened step by step, each recipient with the other server's reply, what was
 * found; and what can be done from here. The content is opened on request only, because reading it is put on record.
 */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLive, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Empty, Notice, Skeleton, Time, Trouble } from '../components/basics.tsx';
import { Modal } from '../components/dialog.tsx';
import { AreaField, FormFoot, submitted } from '../components/form.tsx';
import { MailState } from '../components/mail-state.tsx';
import { Address, MailText, Subject } from '../components/mail-text.tsx';
import { DataTable } from '../components/table.tsx';
import { toast } from '../components/toast.tsx';
import { Findings, Score, Trail } from '../components/trail.tsx';
import { formatAgo, formatSize } from '../i18n/format.ts';
import { language, t, word } from '../i18n/language.ts';
import { COMMON, TROUBLE } from '../i18n/words-common.ts';
import { DIRECTION_NAMES, FIELD, REASON_NAMES } from '../i18n/words-mail.ts';
import { MESSAGE, QUARANTINE } from '../i18n/words-messages.ts';
import * as act from './message-actions.ts';
import { Content } from './message-content.tsx';

type Shown = Answer<'messages.show'>;

export function MessageDetail({ id, changed }: { id: string; changed?: () => void }) {
  const shown = useLoad(`message ${id} ${language.value}`, (signal) =>
    call('messages.show', { params: { id }, query: { language: language.value } }, signal),
  );
  useLive(['message'], shown.again);
  const done = (): void => {
    shown.again();
    changed?.();
  };
  if (shown.value === undefined)
    return shown.error === undefined ? <Skeleton lines={12} /> : <Trouble error={shown.error} again={shown.again} />;
  const { trace, explanation, stored } = shown.value;
  const findings = trace?.findings ?? stored?.findings ?? [];
  if (trace === undefined && stored === undefined)
    return <Empty title={t(TROUBLE.notFound)}>{t(TROUBLE.notFoundRemedy)}</Empty>;
  return (
    <>
      <Summary shown={shown.value} />
      <Buttons key={id} shown={shown.value} done={done} />
      <Asked by={shown.value.askedBy} />
      {stored?.deletedUntil === undefined ? null : (
        <Notice tone="warn">{t(MESSAGE.deletedUntil, { when: formatAgo(stored.deletedUntil) })}</Notice>
      )}
      <Card title={t(MESSAGE.why)}>
        {(explanation?.lines ?? []).map((line) => (
          <p key={line}>
            <MailText text={line} />
          </p>
        ))}
        <Findings findings={findings} />
        <Score findings={findings} />
        {stored === undefined || stored.missing.length === 0 ? null : (
          <Notice tone="warn" title={t(MESSAGE.missing)}>
            <MailText text={stored.missing.map((one) => `${one.inspector}: ${one.detail}`).join('; ')} />
          </Notice>
        )}
      </Card>
      {trace === undefined ? null : <Recipients trace={trace} />}
      {trace === undefined ? null : (
        <Card title={t(MESSAGE.trail)}>
          <Trail steps={trace.steps} />
        </Card>
      )}
      {may('mail.content') ? (
        stored === undefined ? (
          <p class="soft small no-print">{t(MESSAGE.notStored)}</p>
        ) : (
          <Content key={id} id={id} />
        )
      ) : null}
    </>
  );
}

function Asked({ by }: { by: readonly string[] }) {
  if (by.length === 0) return null;
  return (
    <Notice tone="warn" title={`${t(QUARANTINE.askedBy)}: ${by.join(', ')}`}>
      {t(QUARANTINE.askedText)}
    </Notice>
  );
}

function Summary({ shown }: { shown: Shown }) {
  const { trace, stored } = shown;
  return (
    <Card title={t(MESSAGE.facts)} side={trace === undefined ? null : <MailState state={trace.state} />}>
      <dl class="facts">
        <dt>{t(FIELD.subject)}</dt>
        <dd>
          <strong>
            <Subject text={trace?.subject ?? ''} />
          </strong>
        </dd>
        <dt>{t(FIELD.from)}</dt>
        <dd>
          <MailText text={trace?.from ?? ''} />
        </dd>
        <dt>{t(FIELD.reversePath)}</dt>
        <dd>
          <Address address={trace?.reversePath ?? stored?.reversePath ?? ''} />
        </dd>
        <dt>{t(FIELD.time)}</dt>
        <dd>
          <Time at={trace?.arrivedAt ?? stored?.arrivedAt} style="full" />{' '}
          <span class="soft">{word(DIRECTION_NAMES, trace?.direction ?? stored?.direction ?? '')}</span>
        </dd>
        <dt>{t(FIELD.client)}</dt>
        <dd>
          <MailText
            text={
              stored === undefined ? (trace?.client ?? '') : `${stored.client.name ?? ''} [${stored.client.address}]`
            }
          />
        </dd>
        <dt>{t(FIELD.size)}</dt>
        <dd>{formatSize(trace?.size ?? stored?.size ?? 0)}</dd>
        <dt>{t(FIELD.id)}</dt>
        <dd class="mono">{shown.id}</dd>
        {trace === undefined || trace.messageId === '' ? null : (
          <>
            <dt>{t(FIELD.messageId)}</dt>
            <dd class="mono small">
              <MailText text={trace.messageId} />
            </dd>
          </>
        )}
        {trace === undefined || trace.related.length === 0 ? null : (
          <>
            <dt>{t(MESSAGE.related)}</dt>
            <dd>
              {trace.related.map((one) => (
                <div key={one.id}>
                  <a class="mono" href={`/messages/${one.id}`}>
                    {one.id}
                  </a>{' '}
                  <span class="soft">{one.relation}</span> <MailState state={one.state} />
                </div>
              ))}
            </dd>
          </>
        )}
      </dl>
    </Card>
  );
}

function Recipients({ trace }: { trace: NonNullable<Shown['trace']> }) {
  return (
    <Card title={t(MESSAGE.recipients)}>
      <DataTable
        caption={t(MESSAGE.recipients)}
        rows={trace.recipients}
        keyOf={(row) => `${row.id} ${row.address}`}
        columns={[
          { key: 'address', label: t(FIELD.to), head: true, render: (row) => <Address address={row.address} /> },
          { key: 'state', label: t(FIELD.state), class: 'fit', render: (row) => <MailState state={row.state} /> },
          {
            key: 'reply',
            label: t(MESSAGE.reply),
            render: (row) => (
              <>
                {row.reason === '' || row.reason === 'clean' ? null : <div>{word(REASON_NAMES, row.reason)}</div>}
                {row.reply === '' ? null : (
                  <div class="mono small">
                    <MailText text={row.reply} />
                  </div>
                )}
                {row.nextHop === '' ? null : (
                  <div class="soft small">
                    <MailText text={row.nextHop} />
                  </div>
                )}
              </>
            ),
          },
        ]}
      />
    </Card>
  );
}

function Buttons({ shown, done }: { shown: Shown; done: () => void }) {
  const [resending, setResending] = useState(false);
  const { actions, id, trace, stored } = shown;
  const ids = [id];
  const from = trace?.state === 'quarantined' || stored?.state === 'quarantined' ? 'quarantine' : 'queue';
  const sender = trace?.reversePath ?? stored?.reversePath ?? '';
  const has = (name: Shown['actions'][number]): boolean => actions.includes(name);
  const button = (label: string, work: () => Promise<void>, look?: 'main' | 'danger') => (
    <button key={label} type="button" class={look ?? ''} onClick={() => void work()}>
      {label}
    </button>
  );
  const spam = trace?.findings.some((finding) => finding.kind === 'spam') === true;
  return (
    <div class="row no-print" style={{ marginBottom: '1rem' }}>
      {has('release')
        ? button(t(MESSAGE.release), () => act.releaseMessages(ids, { needsForce: shown.needsForce, done }), 'main')
        : null}
      {has('retry') ? button(t(MESSAGE.retry), () => act.retryMessages(ids, done), 'main') : null}
      {has('hold') ? button(t(MESSAGE.hold), () => act.holdMessages(ids, done)) : null}
      {has('unhold')
        ? button(t(MESSAGE.unhold), () => act.unholdMessages(ids, { needsForce: shown.needsForce, done }))
        : null}
      {has('undelete') ? button(t(MESSAGE.undelete), () => act.undeleteMessages(ids, { from, done })) : null}
      {has('resend') ? (
        <button type="button" onClick={() => setResending(true)}>
          {t(MESSAGE.resend)}
        </button>
      ) : null}
      {has('report') && from === 'quarantine' ? button(t(MESSAGE.reportHam), () => act.reportMessage(id, 'ham')) : null}
      {has('report') && from !== 'quarantine' && spam
        ? button(t(MESSAGE.reportSpam), () => act.reportMessage(id, 'spam'))
        : null}
      {may('lists.change') && sender.includes('@') ? <SenderButtons sender={sender} /> : null}
      {has('delete') ? button(t(MESSAGE.delete), () => act.deleteMessages(ids, { from, done }), 'danger') : null}
      {resending ? <Resend id={id} needsForce={shown.needsForce} close={() => setResending(false)} /> : null}
    </div>
  );
}

function SenderButtons({ sender }: { sender: string }) {
  return (
    <>
      <button type="button" onClick={() => void act.listSender(sender, 'allow')}>
        {t(MESSAGE.allow)}
      </button>
      <button type="button" onClick={() => void act.listSender(sender, 'block')}>
        {t(MESSAGE.block)}
      </button>
    </>
  );
}

function Resend({ id, needsForce, close }: { id: string; needsForce: boolean; close: () => void }) {
  const [text, setText] = useState('');
  const action = useAction();
  const recipients = text
    .split(/[\s,;]+/)
    .map((one) => one.trim())
    .filter((one) => one !== '');
  const send = (): void =>
    void action.run(async () => {
      if (needsForce && !(await act.askForce())) return;
      await call('messages.resend', { params: { id }, body: { recipients, ...(needsForce ? { force: true } : {}) } });
      toast(t(MESSAGE.resent));
      close();
    });
  return (
    <Modal title={t(MESSAGE.resendTitle)} onClose={close}>
      <form onSubmit={submitted(send)}>
        <AreaField label={t(MESSAGE.resendTo)} value={text} change={setText} />
        <FormFoot busy={action.busy} dirty={recipients.length > 0} label={t(MESSAGE.resendGo)} problem={action.error} />
        <button type="button" class="link" onClick={close}>
          {t(COMMON.cancel)}
        </button>
      </form>
    </Modal>
  );
}
