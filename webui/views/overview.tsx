/**
 * The first page: is mail flowing, what needs somebody, today's picture. Each card stands or fails by itself, and keeps what
 * it showed while newer numbers are on their way.
 */
import type { ComponentChildren } from 'preact';
import { type Answer, call } from '../api/client.ts';
import { useLive, useLoad } from '../api/use.ts';
import { ApiProblem } from '../api/problem.ts';
import { may } from '../app/session.ts';
import { Card, Empty, Notice, PageHead, Skeleton, State, Time, type Tone, Trouble } from '../components/basics.tsx';
import { Chart } from '../components/chart.tsx';
import { EngineState } from '../components/mail-state.tsx';
import { MailText } from '../components/mail-text.tsx';
import { formatSize, formatSpan } from '../i18n/format.ts';
import { formatNumber, language, t, word } from '../i18n/language.ts';
import { PAGES } from '../i18n/words-frame.ts';
import { INSPECTOR_NAMES } from '../i18n/words-mail.ts';
import { OVERVIEW } from '../i18n/words-overview.ts';
import { WatchNotice } from './watch-notice.tsx';

type Picture = Answer<'overview.show'>;
type Maybe<T> = { ok: true; value: T } | { ok: false; code: string; message: Said; remedy?: Said | undefined };
interface Said {
  ja: string;
  en: string;
}

const FLOW_TONES = { flowing: 'ok', degraded: 'warn', stopped: 'bad', starting: 'busy' } as const;
const LEVEL_TONES: Record<'urgent' | 'soon' | 'hint', Tone> = { urgent: 'bad', soon: 'warn', hint: 'idle' };

export function Overview() {
  const picture = useLoad('overview', (signal) => call('overview.show', {}, signal));
  useLive(['counts', 'alarms', 'message'], picture.again);
  const { value } = picture;
  return (
    <>
      <PageHead title={t(PAGES.overview)} chapter="daily" />
      {picture.error === undefined ? null : <Trouble error={picture.error} again={picture.again} />}
      <UnfinishedSetup />
      {value === undefined ? (
        <Waiting failed={picture.error !== undefined} />
      ) : (
        <Cards picture={value} again={picture.again} />
      )}
    </>
  );
}

function Waiting({ failed }: { failed: boolean }) {
  if (failed) return null;
  return (
    <div class="cards">
      {[OVERVIEW.needs, OVERVIEW.today, OVERVIEW.queue, OVERVIEW.engines].map((title) => (
        <Card key={title.en} title={t(title)}>
          <Skeleton lines={5} />
        </Card>
      ))}
    </div>
  );
}

function Cards({ picture, again }: { picture: Picture; again: () => void }) {
  return (
    <>
      <FlowLine flow={picture.flow} />
      <div class="cards">
        <Needs picture={picture} again={again} />
        <Part title={t(OVERVIEW.today)} card={picture.today} class="wide">
          {(today) => <Today today={today} />}
        </Part>
        <Part title={t(OVERVIEW.queue)} card={picture.queue}>
          {(queue) => <QueueCard queue={queue} />}
        </Part>
        <Part title={t(OVERVIEW.engines)} card={picture.engines}>
          {(engines) => (
            <dl class="facts">
              {engines.map((engine) => (
                <div key={engine.inspector} style={{ display: 'contents' }}>
                  <dt>{word(INSPECTOR_NAMES, engine.inspector)}</dt>
                  <dd>
                    <EngineState state={engine.state} />{' '}
                    <span class="soft small">
                      {engine.engine} {engine.version}
                      {engine.misses > 0 ? ` · ${t(OVERVIEW.misses, { n: engine.misses })}` : ''}
                    </span>
                    {engine.lastError === undefined ? null : (
                      <div class="small">
                        <MailText text={engine.lastError} />
                      </div>
                    )}
                  </dd>
                </div>
              ))}
            </dl>
          )}
        </Part>
        <Part title={t(OVERVIEW.disk)} card={picture.disk}>
          {(disk) => (
            <dl class="figures">
              <Figure name={t(OVERVIEW.free)}>{formatSize(disk.freeOctets)}</Figure>
              <Figure name={t(OVERVIEW.mailStore)}>{formatSize(disk.spoolOctets)}</Figure>
            </dl>
          )}
        </Part>
      </div>
    </>
  );
}

function FlowLine({ flow }: { flow: Picture['flow'] }) {
  if (!flow.ok) return <CardTrouble card={flow} />;
  const { state, text, since, lastDelivered } = flow.value;
  return (
    <Notice tone={FLOW_TONES[state]} title={t(OVERVIEW[state])}>
      {state === 'degraded' ? <p>{t(text)}</p> : null}
      <span class="soft small">
        {lastDelivered === undefined ? (
          t(OVERVIEW.noneDelivered)
        ) : (
          <>
            {t(OVERVIEW.lastDelivered)} <Time at={lastDelivered} style="ago" />
          </>
        )}
        {since === undefined ? null : (
          <>
            {' · '}
            {t(OVERVIEW.runningSince)} <Time at={since} style="ago" />
          </>
        )}
      </span>
    </Notice>
  );
}

function Needs({ picture, again }: { picture: Picture; again: () => void }) {
  const watch = picture.watch.ok ? picture.watch.value : undefined;
  const empty = picture.needs.length === 0 && watch === undefined;
  return (
    <Card title={t(OVERVIEW.needs)} class="wide">
      {watch === undefined ? null : <WatchNotice watch={watch} changed={again} />}
      {picture.needs.map((need) => (
        <Notice
          key={need.kind + need.title.en}
          tone={LEVEL_TONES[need.level]}
          title={`${t(OVERVIEW[need.level])}: ${t(need.title)}`}
        >
          {t(need.remedy)} <a href={need.page}>{t(OVERVIEW.goThere)}</a>
        </Notice>
      ))}
      {empty ? (
        <p>
          <State tone="ok">{t(OVERVIEW.nothing)}</State>
          <br />
          <span class="soft small">{t(OVERVIEW.nothingText)}</span>
        </p>
      ) : null}
    </Card>
  );
}

type TodayValue = Extract<Picture['today'], { ok: true }>['value'];
const FIGURES = ['received', 'delivered', 'spam', 'virus', 'rejected', 'quarantined'] as const;

function Today({ today }: { today: TodayValue }) {
  const { totals, yesterday, hours } = today;
  return (
    <>
      <dl class="figures">
        {FIGURES.map((name) => (
          <Figure key={name} name={t(OVERVIEW[name])}>
            {formatNumber(totals[name])}
            <span class="soft small nowrap" style={{ display: 'block', fontWeight: 400, fontSize: '0.85rem' }}>
              {t(OVERVIEW.yesterday, { n: yesterday[name] })}
            </span>
          </Figure>
        ))}
      </dl>
      <br />
      {totals.received === 0 && totals.rejected === 0 ? (
        <Empty title={t(OVERVIEW.noMail)}>{t(OVERVIEW.noMailText)}</Empty>
      ) : (
        <Chart
          title={t(OVERVIEW.byHour)}
          at={hours.map((hour) => hour.at)}
          unit="hour"
          series={[
            { label: t(OVERVIEW.delivered), tone: 'accent', values: hours.map((hour) => hour.delivered) },
            { label: t(OVERVIEW.spam), tone: 'warn', values: hours.map((hour) => hour.spam) },
            { label: t(OVERVIEW.virus), tone: 'bad', values: hours.map((hour) => hour.virus) },
          ]}
        />
      )}
    </>
  );
}

function QueueCard({ queue }: { queue: Extract<Picture['queue'], { ok: true }>['value'] }) {
  return (
    <>
      <dl class="figures">
        <Figure name={t(OVERVIEW.waiting)}>
          <a href="/queue">{formatNumber(queue.incoming + queue.active + queue.deferred)}</a>
        </Figure>
        <Figure name={t(OVERVIEW.held)}>
          <a href="/queue?state=held">{formatNumber(queue.held)}</a>
        </Figure>
        <Figure name={t(OVERVIEW.inQuarantine)}>
          <a href="/quarantine">{formatNumber(queue.quarantine)}</a>
        </Figure>
        <Figure name={t(OVERVIEW.oldest)}>{queue.oldestMs === undefined ? '–' : formatSpan(queue.oldestMs)}</Figure>
      </dl>
      {queue.hopsDown.map((hop) => (
        <Notice key={hop.hop} tone="bad" title={t(OVERVIEW.hopDown, { hop: hop.hop, n: hop.waiting })}>
          {t(OVERVIEW.hopDownText)}
          {hop.detail === undefined ? null : (
            <div class="small">
              <MailText text={hop.detail} />
            </div>
          )}
        </Notice>
      ))}
    </>
  );
}

export function Figure({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Part<T>(props: { title: string; card: Maybe<T>; class?: string; children: (value: T) => ComponentChildren }) {
  return (
    <Card title={props.title} {...(props.class === undefined ? {} : { class: props.class })}>
      {props.card.ok ? props.children(props.card.value) : <CardTrouble card={props.card} />}
    </Card>
  );
}

function CardTrouble({ card }: { card: Extract<Maybe<unknown>, { ok: false }> }) {
  const remedy = card.remedy?.[language.value];
  return <Trouble error={new ApiProblem(card.message[language.value], { status: 500, code: card.code, remedy })} />;
}

/** The wizard was left in the middle. */
function UnfinishedSetup() {
  const wizard = useLoad(`wizard ${may('config.change')}`, async (signal) =>
    may('config.change') ? call('wizard.show', {}, signal) : undefined,
  );
  if (wizard.value === undefined || wizard.value.finished) return null;
  return (
    <Notice tone="warn" title={t(OVERVIEW.finishSetup)}>
      {t(OVERVIEW.finishText)} <a href="/setup">{t(OVERVIEW.continueSetup)}</a>
    </Notice>
  );
}
