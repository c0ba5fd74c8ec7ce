/**
 * Calls to the API, typed by its contract (types only; the build puts method and path into the bundle). Each call has a
 * deadline. An ended session and a lost connection are states of the whole page, told once: what was asked waits for the new
 * login and is asked again; a change is never sent twice by itself.
 */
import { signal } from '@preact/signals';
import { operations } from 'virtual:operations';
import type { Answer, Input, OperationId, Problem } from '../../src/api/contract/client.ts';
import { language } from '../i18n/language.ts';
import { ApiProblem } from './problem.ts';

export type { Answer, Input, OperationId } from '../../src/api/contract/client.ts';

/** The session was over, or was ended elsewhere; the page asks for the password and goes on. */
export const sessionEnded = signal(false);
export const connection = signal<'up' | 'lost'>('up');
/** Set by the frame: asks for the password again; false: the person gave up. */
export const confirmation: { ask: () => Promise<boolean> } = { ask: async () => false };

/** Longer than most operations may take at the box; one that may take longer says so itself. */
const DEADLINE_MS = 130_000;
const MARGIN_MS = 10_000;
const PROBE_MS = 2_000;
const FREED_MS = 60_000;

let loggedInAgain: Array<() => void> = [];

export function sessionIsBack(): void {
  sessionEnded.value = false;
  const waiting = loggedInAgain;
  loggedInAgain = [];
  for (const go of waiting) go();
}

export async function call<K extends OperationId>(id: K, args: Input<K>, signalOf?: AbortSignal): Promise<Answer<K>> {
  return (await (await answered(id, args, signalOf)).json()) as Answer<K>;
}

/** An answer that is a file: handed to the browser's downloads under `name`. */
export async function download<K extends OperationId>(id: K, args: Input<K>, name: string): Promise<void> {
  const url = URL.createObjectURL(await (await answered(id, args)).blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), FREED_MS);
}

async function answered<K extends OperationId>(id: K, args: Input<K>, signalOf?: AbortSignal): Promise<Response> {
  const response = await request(id, args, signalOf);
  if (response.ok) return response;
  const problem = await readProblem(response);
  if (
    response.status === 401 &&
    problem.code !== 'LOGIN_FAILED' &&
    problem.code !== 'CODE_NEEDED' &&
    !id.startsWith('session.')
  ) {
    sessionEnded.value = true;
    await new Promise<void>((resolve) => loggedInAgain.push(resolve));
    return answered(id, args, signalOf);
  }
  if (problem.code === 'CONFIRM_NEEDED' && (await confirmation.ask())) return answered(id, args, signalOf);
  throw problem;
}

/** Of an answer that is no JSON, for a link, a download or a frame. */
export function hrefOf<K extends OperationId>(id: K, args: Input<K>): string {
  const { params, query } = args as { params?: Values; query?: Values };
  const [, path] = operations[id] ?? ['GET', '/'];
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params?.[name] ?? ''));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {}))
    if (value !== undefined && value !== '') search.set(name, `${value}`);
  const text = search.toString();
  return `/api/v1${filled}${text === '' ? '' : `?${text}`}`;
}

type Values = Readonly<Record<string, string | number | boolean>>;

async function request<K extends OperationId>(id: K, args: Input<K>, signalOf?: AbortSignal): Promise<Response> {
  const { body } = args as { body?: unknown };
  const [method, , longMs = 0] = operations[id] ?? ['GET', '/'];
  const deadline = AbortSignal.timeout(Math.max(DEADLINE_MS, longMs + MARGIN_MS));
  try {
    const response = await fetch(hrefOf(id, args), {
      method,
      credentials: 'same-origin',
      redirect: 'error',
      headers: {
        accept: 'application/json',
        'accept-language': language.value,
        // a form of another site cannot send this type without asking us first
        ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
      },
      ...(method === 'GET' || body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signalOf === undefined ? deadline : AbortSignal.any([deadline, signalOf]),
    });
    connection.value = 'up';
    return response;
  } catch (error) {
    if (signalOf?.aborted === true) throw error;
    lost();
    throw new ApiProblem('No connection', { status: 0, code: 'NO_CONNECTION' });
  }
}

let probing = false;

/** Asks every two seconds until the box answers; whoever shows something loads it again then. */
export function lost(): void {
  connection.value = 'lost';
  if (probing) return;
  probing = true;
  const timer = setInterval(() => {
    fetch('/api/v1/session', { signal: AbortSignal.timeout(PROBE_MS), headers: { accept: 'application/json' } }).then(
      () => {
        clearInterval(timer);
        probing = false;
        connection.value = 'up';
      },
      () => undefined,
    );
  }, PROBE_MS);
}

async function readProblem(response: Response): Promise<ApiProblem> {
  const fallback = new ApiProblem(response.statusText, { status: response.status, code: `HTTP_${response.status}` });
  const read = (await response.json().catch(() => undefined)) as Problem | undefined;
  if (read === undefined || typeof read.code !== 'string') return fallback;
  const say = language.value;
  return new ApiProblem(read.message[say], {
    status: response.status,
    code: read.code,
    remedy: read.remedy?.[say],
    fields: (read.fields ?? []).map((one) => ({ path: one.path, message: one.message[say] })),
  });
}
