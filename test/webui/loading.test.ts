/** What pages show while answers overtake one another: the hooks that load, with the real preact; the box's answers come when the test says. */
import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { before, test } from 'node:test';
import { until } from '../support/process.ts';

interface List {
  rows: readonly number[] | undefined;
  more: (() => void) | undefined;
  again: () => void;
}
interface Loaded {
  value: string | undefined;
  again: () => void;
  set: (value: string) => void;
}
interface Page {
  entries: number[];
  cursor?: string;
}
type Load = (span: { cursor?: string; limit: number }) => Promise<Page>;
interface Hooks {
  useList: (key: string, load: Load) => List;
  useLoad: (key: string, load: () => Promise<string>) => Loaded;
}

/** What the hooks ask of the window around them. */
const AROUND: Readonly<Record<string, string>> = {
  router: 'export const isGuarded = () => false;',
  client: 'export const connection = { value: "up", subscribe: () => () => {} };',
  live: 'export const listen = () => () => {};',
};
let hooks: Hooks;
let show: (component: () => null) => void;

before(async () => {
  registerHooks({
    resolve: (name, context, next) => {
      const stub = AROUND[/(router|client|live)\.ts$/.exec(name)?.[1] ?? ''];
      if (stub === undefined || context.parentURL?.includes('/webui/api/') !== true) return next(name, context);
      return { url: `data:text/javascript,${encodeURIComponent(stub)}`, shortCircuit: true };
    },
  });
  Object.assign(globalThis, { document: { addEventListener: () => undefined, removeEventListener: () => undefined } });
  const from = async (name: string): Promise<unknown> =>
    import(new URL(`../../webui/api/${name}`, import.meta.url).href);
  hooks = { ...((await from('use.ts')) as object), ...((await from('use-list.ts')) as object) } as Hooks;
  const name = 'preact';
  const { h, render } = (await import(name)) as {
    h: (component: () => null) => unknown;
    render: (what: unknown, where: unknown) => void;
  };
  show = (component) => render(h(component), { nodeType: 1, childNodes: [], insertBefore: () => undefined });
});

/** Questions that wait for their answer, oldest first. */
function box<T>() {
  const waiting: Array<() => void> = [];
  return {
    ask: (answer: T): Promise<T> => new Promise((resolve) => waiting.push(() => resolve(answer))),
    /** The next question, once it is asked. */
    asked: () => until('a question', { ms: 10_000, every: 5 }, () => waiting.shift()),
  };
}

test('a row that came while more were loading stays', async () => {
  let all = Array.from({ length: 400 }, (_, at) => 1_000 - at);
  const { ask, asked } = box<Page>();
  let list: List | undefined;
  show(() => {
    list = hooks.useList('rows', ({ cursor, limit }) => {
      const from = cursor === undefined ? 0 : all.indexOf(Number(cursor)) + 1;
      const entries = all.slice(from, from + limit);
      return ask({ entries, cursor: String(entries.at(-1)) });
    });
    return null;
  });
  (await asked())();
  await until('the first rows', { ms: 10_000, every: 5 }, () => list?.rows?.length === 50 || undefined);
  list?.more?.();
  const more = await asked();
  all = [1_001, ...all];
  list?.again();
  (await asked())();
  await until('the new row', { ms: 10_000, every: 5 }, () => list?.rows?.[0] === 1_001 || undefined);
  more();
  for (let questions = 0; questions < 2; questions += 1) (await asked())();
  await until('all rows', { ms: 10_000, every: 5 }, () => list?.rows?.length === 150 || undefined);
  assert.deepEqual(list?.rows, all.slice(0, 150));
});

test('what an action answered is not overwritten by an answer to an older question', async () => {
  const { ask, asked } = box<string>();
  let stands = 'old';
  let loaded: Loaded | undefined;
  const seen: Array<string | undefined> = [];
  show(() => {
    loaded = hooks.useLoad('one', () => ask(stands));
    seen.push(loaded.value);
    return null;
  });
  (await asked())();
  await until('the first answer', { ms: 10_000, every: 5 }, () => loaded?.value === 'old' || undefined);
  loaded?.again();
  const older = await asked();
  stands = 'new';
  loaded?.set('new');
  older();
  (await asked())(); // it asks once more
  await until('the new one', { ms: 10_000, every: 5 }, () => loaded?.value === 'new' || undefined);
  assert.equal(seen.slice(seen.indexOf('new')).includes('old'), false, JSON.stringify(seen));
});
