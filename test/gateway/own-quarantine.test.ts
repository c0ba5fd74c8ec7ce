/** The quarantine as the gateway puts it together: what one hand does is known to the others. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { openQuarantine } from '../../src/gateway/own-quarantine.ts';
import { silentObserve } from '../../src/observe/events.ts';
import { signTicket } from '../../src/quarantine/ticket.ts';
import { ALICE, put } from '../contracts/spool.ts';
import { memoryRig } from '../support/spool-rigs.ts';

test('who asked for a message whose deletion is undone is told of again', async () => {
  await using stack = new AsyncDisposableStack();
  const data = await mkdtemp(path.join(tmpdir(), 'sekisho-asked-'));
  stack.defer(() => rm(data, { recursive: true, force: true }));
  const standing = new Set<string>();
  const observe = {
    ...silentObserve,
    raise: (alarm: string, key: string) => void standing.add(`${alarm} ${key}`),
    clear: (alarm: string, key: string) => void standing.delete(`${alarm} ${key}`),
  };
  const rig = await memoryRig({ observe });
  const spool = stack.use(await rig.open());
  const config = configSchema.parse({
    hostname: 'mx.office.example',
    portal: { enabled: true, url: 'https://mail.office.example:8443' },
  });
  const { clock } = rig;
  const { quarantine, own } = await openQuarantine({ data, spool, observe, clock, config: () => config });
  const [id, other] = [
    await put(spool, clock, { folder: 'quarantine' }),
    await put(spool, clock, { folder: 'quarantine' }),
  ];
  const key = await readFile(path.join(data, 'portal.key'));
  await own.ask(signTicket({ recipient: ALICE, expires: clock.wall() + 1_000 }, key), id);
  assert.deepEqual([...standing], [`release-requested ${id}`]);
  for (const each of [id, other]) await quarantine.delete(each, { by: 'admin' });
  assert.deepEqual([...standing], []);
  for (const each of [id, other]) assert.equal((await quarantine.undelete(each, { by: 'admin' })).already, false);
  assert.deepEqual([...standing], [`release-requested ${id}`]);
});
