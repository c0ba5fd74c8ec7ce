/**
 * The wizard: eight steps, back and forward, each tested before it is saved, gone on with after a reload or in another
 * browser because the box keeps where it stands. Before the claim only the first step exists.
 */
import { type Answer, call } from '../api/client.ts';
import { useLoad } from '../api/use.ts';
import { go } from '../app/router.ts';
import { may, me } from '../app/session.ts';
import { Skeleton, Trouble } from '../components/basics.tsx';
import { toastProblem } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { SETUP, STEP_NAMES } from '../i18n/words-setup.ts';
import { Claim } from './setup-claim.tsx';
import { STEP_VIEWS } from './setup-steps.tsx';

type Wizard = Answer<'wizard.show'>;
export type StepName = keyof typeof STEP_NAMES;
const STEPS = Object.keys(STEP_NAMES) as StepName[];

export interface StepProperties {
  /** Saved: on to the next. */
  next: () => void;
  finish: () => void;
  label: string;
}

export function Setup() {
  if (me.value === undefined)
    return (
      <>
        <Progress current="account" done={[]} />
        <Claim claimed={() => void go('/setup')} />
      </>
    );
  if (!may('config.change')) {
    void go('/', { replace: true });
    return null;
  }
  return <Steps />;
}

function Steps() {
  const wizard = useLoad('wizard', (signal) => call('wizard.show', {}, signal));
  if (wizard.error !== undefined) return <Trouble error={wizard.error} again={wizard.again} />;
  if (wizard.value === undefined) return <Skeleton lines={12} />;
  const state = wizard.value;
  const current = STEPS.find((one) => one === state.step) ?? 'account';
  const at = STEPS.indexOf(current);

  async function save(change: Partial<Wizard>): Promise<boolean> {
    try {
      wizard.set(await call('wizard.save', { body: { ...state, ...change } }));
      window.scrollTo(0, 0);
      requestAnimationFrame(() => document.querySelector<HTMLElement>('main h1')?.focus());
      return true;
    } catch (error) {
      toastProblem(error);
      return false;
    }
  }
  const without = (names: readonly Wizard['step'][]): Wizard['step'][] => names.filter((one) => one !== current);
  const leave = (how: 'done' | 'skipped'): void => {
    const step = STEPS[at + 1] ?? current;
    void save({
      step,
      done: how === 'done' ? [...without(state.done), current] : without(state.done),
      skipped: how === 'skipped' ? [...without(state.skipped), current] : without(state.skipped),
    });
  };
  const finish = (): void => {
    void save({ finished: true, done: [...without(state.done), current] }).then((ok) => (ok ? go('/') : undefined));
  };
  const back = STEPS[at - 1];
  const last = at === STEPS.length - 1;
  const View = STEP_VIEWS[current];
  return (
    <>
      <Progress current={current} done={state.done} />
      <View key={current} next={() => leave('done')} finish={finish} label={t(SETUP.saveNext)} />
      <div class="row spread">
        {back === undefined ? (
          <span />
        ) : (
          <button type="button" onClick={() => void save({ step: back })}>
            {t(COMMON.back)}
          </button>
        )}
        <span class="row">
          <a href="/">{t(SETUP.later)}</a>
          {last ? (
            <button type="button" onClick={finish}>
              {t(SETUP.finish)}
            </button>
          ) : state.done.includes(current) ? (
            <button type="button" onClick={() => leave('done')}>
              {t(COMMON.next)}
            </button>
          ) : current === 'account' ? null : (
            <button type="button" onClick={() => leave('skipped')}>
              {t(SETUP.skip)}
            </button>
          )}
        </span>
      </div>
    </>
  );
}

function Progress({ current, done }: { current: StepName; done: readonly Wizard['step'][] }) {
  const at = STEPS.indexOf(current);
  return (
    <>
      <p class="soft small">{t(SETUP.stepOf, { n: at + 1, all: STEPS.length })}</p>
      <ol class="steps">
        {STEPS.map((name) => (
          <li key={name} class={done.includes(name) ? 'done' : ''} aria-current={name === current ? 'step' : undefined}>
            <span>{t(STEP_NAMES[name])}</span>
          </li>
        ))}
      </ol>
    </>
  );
}
