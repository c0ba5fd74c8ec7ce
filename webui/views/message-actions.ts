/**
 * What is done with messages, from every page that shows one: says what it did, offers to take it back where that is possible,
 * asks first where it is not. The API answers for each message by itself; those that failed are named.
 */
import { h } from 'preact';
import { type Answer, call } from '../api/client.ts';
import { ApiProblem } from '../api/problem.ts';
import { ask } from '../components/dialog.tsx';
import { attempt, toast, toastProblem } from '../components/toast.tsx';
import { language, t } from '../i18n/language.ts';
import { MESSAGE, QUEUE } from '../i18n/words-messages.ts';

type Bulk = Answer<'quarantine.release'>;
type Ids = readonly string[];

/** `needsForce`: a virus, or nobody could look; a word has to be typed. */
export async function releaseMessages(ids: Ids, options: { needsForce: boolean; done: () => void }): Promise<void> {
  let force = options.needsForce;
  if (force && !(await askForce())) return;
  try {
    let answer = await call('quarantine.release', { body: { ids: [...ids], force } });
    const refused = answer.results.filter((one) => one.code === 'FORCE_NEEDED');
    if (!force && refused.length > 0 && (await askForce())) {
      force = true;
      answer = await call('quarantine.release', { body: { ids: refused.map((one) => one.id), force } });
    }
    const already = answer.results.length === 1 && answer.results[0]?.already === true;
    if (answer.done > 0) {
      const text = already ? MESSAGE.releasedAlready : ids.length === 1 ? MESSAGE.released : MESSAGE.releasedMany;
      toast(t(text, { n: answer.done }));
    }
    tellFailures(answer);
    options.done();
  } catch (error) {
    toastProblem(error);
  }
}

export async function deleteMessages(
  ids: Ids,
  options: { from: 'quarantine' | 'queue'; done: () => void },
): Promise<void> {
  const { from, done } = options;
  if (from === 'queue') {
    const sure = await ask({
      title: t(QUEUE.deleteTitle, { n: ids.length }),
      body: h('p', {}, t(QUEUE.deleteText)),
      yes: t(MESSAGE.delete),
      danger: true,
    });
    if (!sure) return;
  }
  try {
    const body = { ids: [...ids] };
    const answer = await call(from === 'queue' ? 'queue.delete' : 'quarantine.delete', { body });
    const gone = answer.results.filter((one) => one.ok).map((one) => one.id);
    if (gone.length > 0)
      toast(t(gone.length === 1 ? MESSAGE.deleted : MESSAGE.deletedMany, { n: gone.length }), {
        undo: async () => {
          await call(from === 'queue' ? 'queue.undelete' : 'quarantine.undelete', { body: { ids: gone } });
          done();
        },
      });
    tellFailures(answer);
    done();
  } catch (error) {
    toastProblem(error);
  }
}

export async function undeleteMessages(
  ids: Ids,
  options: { from: 'quarantine' | 'queue'; done: () => void },
): Promise<void> {
  await attempt(async () => {
    const body = { ids: [...ids] };
    tellFailures(await call(options.from === 'queue' ? 'queue.undelete' : 'quarantine.undelete', { body }));
    options.done();
  });
}

export async function retryMessages(ids: Ids, done: () => void): Promise<void> {
  await attempt(async () => {
    const { count } = await call('queue.retry', { body: { ids: [...ids] } });
    toast(t(MESSAGE.retried, { n: count }));
    done();
  });
}

export async function holdMessages(ids: Ids, done: () => void): Promise<void> {
  await attempt(async () => {
    const answer = await call('queue.hold', { body: { ids: [...ids] } });
    const held = answer.results.filter((one) => one.ok).map((one) => one.id);
    if (held.length > 0)
      toast(t(MESSAGE.held, { n: held.length }), {
        undo: async () => {
          await call('queue.unhold', { body: { ids: held } });
          done();
        },
      });
    tellFailures(answer);
    done();
  });
}

export async function unholdMessages(ids: Ids, options: { needsForce: boolean; done: () => void }): Promise<void> {
  if (options.needsForce && !(await askForce())) return;
  await attempt(async () => {
    const answer = await call('queue.unhold', { body: { ids: [...ids], force: options.needsForce } });
    if (answer.done > 0) toast(t(MESSAGE.unheld, { n: answer.done }));
    tellFailures(answer);
    options.done();
  });
}

export async function reportMessage(id: string, as: 'spam' | 'ham'): Promise<void> {
  await attempt(async () => {
    const answer = await call('messages.report', { params: { id }, body: { as } });
    toast(answer.learned ? `${t(MESSAGE.reported)}: ${t(answer.text)}` : t(answer.text), {
      tone: answer.learned ? 'ok' : 'warn',
    });
  });
}

/** `allow` and `block` say first what it means; the entry can be taken back. */
export async function listSender(match: string, list: 'allow' | 'block'): Promise<void> {
  const sure = await ask({
    title: t(list === 'allow' ? MESSAGE.allowTitle : MESSAGE.blockTitle, { match }),
    body: h('p', {}, t(list === 'allow' ? MESSAGE.allowText : MESSAGE.blockText)),
    yes: t(list === 'allow' ? MESSAGE.allow : MESSAGE.block),
    danger: list === 'block',
  });
  if (!sure) return;
  await attempt(async () => {
    needOk(await call('lists.add', { params: { list }, body: { match } }));
    toast(t(MESSAGE.listed, { match }), {
      undo: async () => {
        const lists = await call('lists.show', {});
        const entry = lists[list].find((one) => one.match === match);
        if (entry !== undefined) await call('lists.remove', { params: { list, id: entry.id } });
      },
    });
  });
}

/** A change of the configuration that was refused is no HTTP error: the gateway says why. */
export function needOk(change: Answer<'config.set'>): void {
  if (change.ok) return;
  const fields = change.problems.map((problem) => ({
    path: problem.path,
    message: problem.message[language.value],
    remedy: problem.remedy[language.value],
  }));
  const [first] = fields;
  throw new ApiProblem(first === undefined ? 'Refused' : `${first.path}: ${first.message}`, {
    status: 422,
    code: 'CONFIG_REFUSED',
    remedy: first?.remedy,
    fields,
  });
}

function tellFailures(answer: Bulk): void {
  if (answer.failed === 0) return;
  const first = answer.results.find((one) => !one.ok);
  const why = first?.message === undefined ? '' : `: ${first.message[language.value]}`;
  toast(`${t(MESSAGE.failedMany, { n: answer.failed })}${why}`, { tone: 'bad' });
}

export function askForce(): Promise<boolean> {
  return ask({
    title: t(MESSAGE.forceTitle),
    body: h('p', {}, t(MESSAGE.forceText)),
    yes: t(MESSAGE.release),
    danger: true,
    typed: t(MESSAGE.forceWord),
  });
}
