/** Lines of our own programs read as sentences; everything else as it came. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sentenceOf } from '../../src/host/log-line.ts';
import { createLog } from '../../src/observe/log.ts';

test('a line of ours begins with its sentence, its facts follow, and no fact is lost', () => {
  let line = '';
  const sink = { write: (text: string) => (line += text), dropped: () => 0, flush: () => Promise.resolve() };
  const log = createLog({ level: 'info', name: 'host', sink: sink as never });
  log.write('warn', 'Job failed', { job: 'signatures', detail: 'No way out', tries: 3, where: { port: 443 } });
  assert.equal(sentenceOf(line.trim()), 'Job failed  job=signatures  detail=No way out  tries=3  where={"port":443}');
});

test('what is not ours, is cut off, or has no sentence stays as it came', () => {
  for (const message of [
    'Started x.service',
    '{"level":"warn","msg":"cut',
    '{"a":1}',
    '{"msg":7}',
    '{}',
    '',
    '{ no JSON',
  ])
    assert.equal(sentenceOf(message), message);
});
