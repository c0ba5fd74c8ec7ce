/** The time servers of the office's DHCP server reach chrony, as networkd notes them; nothing else gets into its file. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createOfficeTime } from '../../src/host/office-time.ts';
import { openRecord } from '../../src/host/record.ts';

test('time servers of a lease are told to chrony once, and taken back with it', async (context) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-office-time-'));
  context.after(() => rm(dir, { recursive: true, force: true }));
  const links = path.join(dir, 'links');
  const sources = path.join(dir, 'chrony/dhcp.sources');
  const record = openRecord(path.join(dir, 'data'));
  await record.change((state) => ({
    ...state,
    network: {
      hostname: 'mail',
      interfaces: [{ name: 'eth0', ipv4: { method: 'dhcp' }, ipv6: { method: 'auto' } }],
      dns: [],
      ntp: ['192.0.2.99'],
      inside: [],
    },
  }));
  const calls: string[] = [];
  const time = createOfficeTime({
    record,
    links,
    chrony: path.dirname(sources),
    run: async (program, args) => {
      calls.push([program, ...args].join(' '));
      return { code: 0, stdout: '', stderr: '', missing: false, late: false };
    },
  });
  await time.look();
  assert.deepEqual(calls, [], 'no lease, nothing to tell');
  await mkdir(links);
  const link = (ntp: string): string =>
    `# This is private data. Do not parse.\nOPER_STATE=routable\nNTP=${ntp}\nDNS=192.0.2.53\n`;
  await writeFile(path.join(links, '2'), link('192.0.2.99 192.0.2.7 2001:db8::7 ntp.example $(reboot) 192.0.2.7'));
  await writeFile(path.join(links, '3'), 'OPER_STATE=off\n');
  await time.look();
  await time.look();
  assert.equal(await readFile(sources, 'utf8'), 'server 192.0.2.7 iburst\nserver 2001:db8::7 iburst\n');
  assert.deepEqual(calls, ['chronyc reload sources']);
  await writeFile(path.join(links, '2'), link(''));
  await time.look();
  assert.equal(await readFile(sources, 'utf8'), '');
  assert.equal(calls.length, 2);
});
