import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { openRecord } from '../../src/host/record.ts';

function folder(context: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'sekisho-record-'));
  context.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const NETWORK = {
  hostname: 'mx.office.example',
  interfaces: [
    {
      name: 'eth0',
      ipv4: { method: 'static', addresses: ['192.0.2.9/24'], gateway: '192.0.2.1' },
      ipv6: { method: 'off' },
    },
  ],
  dns: ['192.0.2.53'],
  ntp: [],
  inside: ['192.0.2.0/24'],
};

test('a word that a later release wrote costs its own setting, not the network', async (context) => {
  const dir = folder(context);
  const file = path.join(dir, 'state.json');
  const ups = { mode: 'by-telepathy' };
  writeFileSync(file, JSON.stringify({ network: NETWORK, ups, later: { unknown: true } }));
  for (const start of ['first', 'second']) {
    const record = openRecord(dir);
    assert.equal(record.current().network?.hostname, 'mx.office.example', start);
    assert.equal(record.current().ups.mode, 'auto');
    assert.match(record.damage ?? '', /mode/);
    assert.deepEqual((JSON.parse(readFileSync(`${file}.damaged`, 'utf8')) as { ups: unknown }).ups, ups);
  }
  await openRecord(dir).change((state) => ({ ...state, update: { ...state.update, automatic: true } }));
  const after = openRecord(dir);
  assert.equal(after.damage, undefined);
  assert.deepEqual([after.current().network?.hostname, after.current().update.automatic], ['mx.office.example', true]);
});

test('what is no JSON, or no object, is set aside; the box begins anew with its defaults', (context) => {
  for (const text of ['{"network": {"hostna', '', '[]', 'null', '"text"']) {
    const dir = folder(context);
    writeFileSync(path.join(dir, 'state.json'), text);
    const record = openRecord(dir);
    assert.ok(record.damage !== undefined, text);
    assert.equal(record.current().network, undefined);
    assert.equal(readFileSync(path.join(dir, 'state.json.damaged'), 'utf8'), text);
  }
});
