/**
 * The process that runs test files: one JSON line on stdout for each test that ended, `{"told": …}`. Suites and the tests
 * that only hold others are not counted. Exit code 0 whatever the tests said; the lines are the result.
 */
import path from 'node:path';
import { run } from 'node:test';
import { inspect, parseArgs } from 'node:util';

export interface Told {
  result: 'passed' | 'failed';
  name: string;
  file: string;
  line: number;
  /** What went wrong, for people. */
  detail: string;
  ms: number;
}

const { values, positionals } = parseArgs({
  options: { concurrency: { type: 'string', default: '2' } },
  allowPositionals: true,
});

const controller = new AbortController();
process.once('SIGTERM', () => controller.abort());

const stream = run({
  files: positionals,
  concurrency: Number(values.concurrency),
  isolation: 'process',
  signal: controller.signal,
});

/** What each file wrote to stderr: the only cause there is when it broke before its first test. */
const stderr = new Map<string, string>();

stream.on('test:pass', (data) => {
  if (data.details.type === 'suite') return;
  // a file that ended well and held no test is told of as a test of its own name
  if (path.resolve(data.name) === path.resolve(data.file ?? ''))
    return tell({ ...data, result: 'failed', detail: 'holds no test, so nothing is proved' });
  const unproved = data.skip !== undefined || data.todo !== undefined;
  const why = String(data.skip ?? data.todo ?? '');
  tell({
    ...data,
    result: unproved ? 'failed' : 'passed',
    detail: unproved ? `skipped, so nothing is proved: ${why}` : '',
  });
});
stream.on('test:fail', (data) => {
  // a suite that failed only because a test in it failed has been told by that test
  const { error } = data.details;
  if (data.details.type === 'suite' && 'failureType' in error && error.failureType === 'subtestsFailed') return;
  const cause = error.cause instanceof Error ? error.cause : error;
  const wholeFile = 'exitCode' in error && data.file !== undefined;
  const detail = wholeFile ? (stderr.get(path.resolve(data.file ?? '')) ?? '') : '';
  tell({ ...data, result: 'failed', detail: cleanStack(`${inspect(cause, { depth: 4 })}\n${detail}`) });
});
stream.on('test:stderr', ({ file, message }) => {
  const key = path.resolve(file);
  stderr.set(key, ((stderr.get(key) ?? '') + message).slice(-4_000));
});
for await (const event of stream) void event;

function tell(data: {
  result: Told['result'];
  name: string;
  file?: string;
  line?: number;
  detail: string;
  details: { duration_ms: number };
}): void {
  const told: Told = {
    result: data.result,
    name: data.name,
    file: data.file ?? '',
    line: data.line ?? 0,
    detail: data.detail,
    ms: data.details.duration_ms,
  };
  process.stdout.write(`${JSON.stringify({ told })}\n`);
}

function cleanStack(text: string): string {
  return text
    .split('\n')
    .filter((row) => !/^\s+at .*\(?node:internal/.test(row))
    .slice(0, 40)
    .join('\n');
}
