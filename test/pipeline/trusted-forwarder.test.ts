import assert from 'node:assert/strict';
import { it } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { dmarc, from, spf } from '../decide/findings.ts';
import { pipelineRig } from './rig.ts';

const FORWARDED = [spf('fail', 'friend.example'), from('friend.example'), dmarc('fail', 'friend.example', 'reject')];

it('mail a stranger forwards is refused where DMARC asks for it', async () => {
  const made = await pipelineRig();
  made.inspectors.findings = FORWARDED;
  assert.equal((await made.send()).code, 550);
});

it('mail a trusted forwarder hands over is delivered, and its Authentication-Results say why', async () => {
  const made = await pipelineRig();
  made.inspectors.findings = FORWARDED;
  made.config.policy.trustedForwarders = ['192.0.2.0/24'];
  assert.equal((await made.send()).code, 250);
  const [row] = await made.spool.list('queue');
  assert.ok(row !== undefined);
  const message = await made.spool.read(row.id);
  assert.ok(message !== undefined);
  const text = (await buffer(made.spool.openVariant(message, 0))).toString('latin1').replaceAll(/\r\n[ \t]+/g, ' ');
  assert.match(
    text,
    /dmarc=fail \(p=reject\) reason="local policy: not acted on, trusted forwarder 192\.0\.2\.1" header\.from=friend\.example;?/,
  );
});
