/**
 * What is done with messages, from every page that shows one: says what it did, offers to take it back where that is possible,
 * asks first where it is not. The API answers for each message by itself; those that failed are named.
 */
import { h } from 'preact';
import { type Answer, call } from '../api/client.ts';
import { ApiProblem } from '../api/problem.ts';
import { ask } from '../components/dialog.tsx';
import { attempt, progress, toast, toastProblem } from '../components/toast.tsx';
import { language, t } from '../i18n/language.ts';
import { MESSAGE, QUEUE } from '../i18n/words-messages.ts';

type Bulk = Answer<'quarantine.release'>;
type Ids = readonly string[];

/** As many as one call takes without anybody waiting long for an answer; a thousand are ten calls. */
const A_CALL = 100;

/** One part after the other; says how far it is where there are many. What fails in the middle leaves the rest undone. */
async function inParts(ids: Ids, work: (part: string[]) => Promise<Bulk>): Promise<Bulk> {
  const sum: Bulk = { done: 0, failed: 0, results: [] };
  const told = ids.length > A_CALL ? progress() : undefined;
  try {
    for (let at = 0; at < ids.length; at += A_CALL) {
      told?.tell(t(MESSAGE.progress, { done: at, n: ids.length }));
      const answer = await work(ids.slice(at, at + A_CALL));
      sum.done += answer.done;
      sum.failed += answer.failed;
      sum.results.push(...answer.results);
    }
  } finally {
    told?.end();
  }
  return sum;
}

/** `needsForce`: a virus, or nobody could look; a word has to be typed. */
export async function releaseMessages(ids: Ids, options: { needsForce: boolean; done: () => void }): Promise<void> {
  let force = options.needsForce;
  if (force && !(await askForce())) return;
  try {
    const release = (part: string[]): Promise<Bulk> => call('quarantine.release', { body: { ids: part, force } });
    let answer = await inParts(ids, release);
    const refused = answer.results.filter((one) => one.code === 'FORCE_NEEDED');
    if (!force && refused.length > 0 && (await askForce())) {
      force = true;
      answer = await inParts(
        refused.map((one) => one.id),
        release,
      );
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
    const answer = await inParts(ids, (part) =>
      call(from === 'queue' ? 'queue.delete' : 'quarantine.delete', { body: { ids: part } }),
    );
    const gone = answer.results.filter((one) => one.ok).map((one) => one.id);
    if (gone.length > 0)
      toast(t(gone.length === 1 ? MESSAGE.deleted : MESSAGE.deletedMany, { n: gone.length }), {
        undo: async () => {
          tellFailures(await bringBack(gone, from));
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
    tellFailures(await bringBack(ids, options.from));
    options.done();
  });
}

function bringBack(ids: Ids, from: 'quarantine' | 'queue'): Promise<Bulk> {
  return inParts(ids, (part) =>
    call(from === 'queue' ? 'queue.undelete' : 'quarantine.undelete', { body: { ids: part } }),
  );
}

export async function retryMessages(ids: Ids, done: () => void): Promise<void> {
  await attempt(async () => {
    const { done: count } = await inParts(ids, async (part) => {
      const answer = await call('queue.retry', { body: { ids: part } });
      return { done: answer.count, failed: 0, results: [] };
    });
    toast(t(MESSAGE.retried, { n: count }));
    done();
  });
}

export async function holdMessages(ids: Ids, done: () => void): Promise<void> {
  await attempt(async () => {
    const answer = await inParts(ids, (part) => call('queue.hold', { body: { ids: part } }));
    const held = answer.results.filter((one) => one.ok).map((one) => one.id);
    if (held.length > 0)
      toast(t(MESSAGE.held, { n: held.length }), {
        undo: async () => {
          tellFailures(await inParts(held, (part) => call('queue.unhold', { body: { ids: part } })));
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
    const force = options.needsForce;
    const answer = await inParts(ids, (part) => call('queue.unhold', { body: { ids: part, force } }));
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
