/**
 * The end of a form whose entries are tried before they are saved: the try, what came of it, and then saving; whoever knows
 * better saves in spite of a try that failed.
 */
import type { Answer } from '../api/client.ts';
import type { useAction } from '../api/use.ts';
import { Notice, Trouble } from '../components/basics.tsx';
import { FormFoot } from '../components/form.tsx';
import { Steps } from '../components/steps.tsx';
import { t } from '../i18n/language.ts';
import { DOMAINS } from '../i18n/words-domains.ts';

type Action = ReturnType<typeof useAction>;
type Probe = Pick<Answer<'domains.probe'>, 'ok' | 'steps' | 'hints'>;

export function ProbeFoot(props: {
  probe: Probe | undefined;
  probing: Action;
  saving: Action;
  label: string;
  test: () => void;
  save: () => void;
}) {
  const { probe, probing, saving, label, test, save } = props;
  const passed = probe?.ok === true;
  return (
    <>
      {probing.error === undefined ? null : <Trouble error={probing.error} />}
      <p class="row">
        <button
          type={passed ? 'button' : 'submit'}
          class={passed ? '' : 'main'}
          disabled={probing.busy}
          aria-busy={probing.busy}
          onClick={passed ? test : undefined}
        >
          {t(probing.busy ? DOMAINS.probing : DOMAINS.probe)}
        </button>
      </p>
      {probe === undefined ? null : <ProbeResult probe={probe} />}
      {passed ? (
        <FormFoot busy={saving.busy} label={label} problem={saving.error} />
      ) : (
        <>
          {saving.error === undefined ? null : <Trouble error={saving.error} />}
          {probe === undefined ? null : (
            <button type="button" class="link" disabled={saving.busy} onClick={save}>
              {t(DOMAINS.saveAnyway)}
            </button>
          )}
        </>
      )}
    </>
  );
}

function ProbeResult({ probe }: { probe: Probe }) {
  return (
    <>
      <Steps steps={probe.steps} />
      {probe.hints.length === 0 ? null : (
        <Notice tone="idle" title={t(DOMAINS.hints)}>
          <ul>
            {probe.hints.map((hint) => (
              <li key={hint.en}>{t(hint)}</li>
            ))}
          </ul>
        </Notice>
      )}
    </>
  );
}
