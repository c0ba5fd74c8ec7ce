import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Finding } from '../../src/mail/finding.ts';
import { pipelineRig } from '../pipeline/rig.ts';
import { of, PLAIN, requestFor, withInspectors } from './support.ts';

function manyParts(count: number): string {
  const parts = Array.from({ length: count }, () => '--b\r\nContent-Type: text/plain\r\n\r\nx\r\n').join('');
  const type = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b';
  return `From: a@friend.example\r\nSubject: parts\r\n${type}\r\n\r\n${parts}--b--\r\n`;
}

/** `depth` multiparts around a text. */
function deep(depth: number): string {
  let inner = 'Content-Type: text/plain\r\n\r\nx\r\n';
  for (let i = 0; i < depth; i += 1) {
    inner = `Content-Type: multipart/mixed; boundary=t${i}.\r\n\r\n--t${i}.\r\n${inner}\r\n--t${i}.--\r\n`;
  }
  return `From: a@friend.example\r\nSubject: deep\r\nMIME-Version: 1.0\r\n${inner}`;
}

/** As the worker process finds it, with the limits that ship: 1,000 parts, depth 20. */
async function found(message: string): Promise<Finding[]> {
  return await withInspectors({}, async (inspectors) => (await inspectors.inspect(requestFor(message))).findings);
}

describe('a message built in too complex a way', () => {
  for (const [name, message, complex] of [
    ['1,000 parts, the whole among them', manyParts(999), false],
    ['1,001 parts, the whole among them', manyParts(1_000), true],
    ['depth 20', deep(20), false],
    ['depth 21', deep(21), true],
    ['depth 25', deep(25), true],
    ['1,001 header fields', `${'X-A: b\r\n'.repeat(1_001)}${PLAIN}`, true],
  ] as const) {
    it(`${name}: ${complex ? 'taken with a 250 and quarantined as too complex' : 'delivered'}`, async () => {
      const findings = await found(message);
      assert.equal(
        of(findings, 'structure').some(({ problem }) => problem === 'too-complex'),
        complex,
        JSON.stringify(of(findings, 'structure')),
      );
      const made = await pipelineRig();
      made.inspectors.findings = findings.filter(({ kind }) => kind === 'structure');
      const reply = await made.send(Buffer.from(message, 'latin1'));
      assert.equal(reply.code, 250);
      const received = made.events.find((event) => event.event === 'received');
      assert.deepEqual(
        received?.decisions.map(({ action, reason }) => `${action} ${reason}`),
        [complex ? 'quarantine too-complex' : 'deliver clean'],
      );
      assert.equal(received.state, complex ? 'quarantine' : 'queue');
    });
  }
});
