import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { createMetrics, createMetricsServer, type Metrics } from '../../src/observe/metrics.ts';
import { origin, queueId, received, to } from './support.ts';

function metricsForTest(): Metrics & Disposable {
  const metrics = createMetrics();
  return { ...metrics, [Symbol.dispose]: () => metrics.close() };
}

describe('metrics', () => {
  it('count events, refusals, decisions, outcomes and octets', async () => {
    using metrics = metricsForTest();
    const id = queueId();
    const [one, two] = [to('one@office.example'), to('two@office.example')];
    metrics.event({ event: 'refused', stage: 'rcpt', origin, reply: '550 5.1.1 No such mailbox' });
    metrics.event({ event: 'refused', stage: 'connect', origin, reply: 'cut off' });
    metrics.event(received(id, { recipients: [one, two], size: 1_000 }));
    metrics.event({ event: 'delivered', id, recipients: [one, two], nextHop: 'h', reply: '250', delayMs: 700 });
    metrics.event({ event: 'deferred', id, recipients: [one], nextHop: 'h', reply: '450', waitMs: 1 });
    metrics.inspected('antivirus', 30, 'ok');
    metrics.inspected('spam', 15_000, 'missing');
    metrics.alarm('disk-low', 1);
    const text = await metrics.text();
    for (const line of [
      'sekisho_events_total{event="refused"} 2',
      'sekisho_refused_total{stage="rcpt",listener="mx",code="550"} 1',
      'sekisho_refused_total{stage="connect",listener="mx",code="none"} 1',
      'sekisho_received_total{direction="inbound",state="queue"} 1',
      'sekisho_received_octets_total{direction="inbound"} 1000',
      'sekisho_decisions_total{action="deliver",reason="clean"} 2',
      'sekisho_recipients_total{outcome="delivered"} 2',
      'sekisho_recipients_total{outcome="deferred"} 1',
      'sekisho_inspections_total{inspector="spam",result="missing"} 1',
      'sekisho_inspection_seconds_bucket{le="0.05",inspector="antivirus"} 1',
      'sekisho_inspection_seconds_bucket{le="0.025",inspector="antivirus"} 0',
      'sekisho_delivery_seconds_bucket{le="1"} 2',
      'sekisho_alarms{alarm="disk-low"} 1',
    ])
      assert.ok(text.split('\n').includes(line), `${line}\n---\n${text}`);
    assert.match(text, /^sekisho_resident_octets \d{7,}$/m);
    assert.match(text, /^sekisho_cpu_seconds_total [\d.]+$/m);
  });

  it('ask a gauge when somebody looks, and leave out one that cannot tell', async () => {
    using metrics = metricsForTest();
    let depth = 3;
    metrics.gauge('queue_depth', 'Messages queued', () => depth);
    metrics.gauge('broken', 'Never there', () => assert.fail('no figure'));
    metrics.gauges('spool_messages', 'By folder', { label: 'folder', read: () => ({ queue: depth, held: 0 }) });
    assert.match(await metrics.text(), /^sekisho_queue_depth 3$/m);
    depth = 4;
    const text = await metrics.text();
    assert.match(text, /^sekisho_queue_depth 4$/m);
    assert.match(text, /^sekisho_spool_messages\{folder="queue"\} 4$/m);
    assert.doesNotMatch(text, /^sekisho_broken \d/m);
    metrics.gauge('queue_depth', 'Messages queued', () => 9);
    assert.match(await metrics.text(), /^sekisho_queue_depth 9$/m);
  });

  it('show the event loop late when it is held up', async () => {
    using metrics = metricsForTest();
    await new Promise((resolve) => setTimeout(resolve, 60));
    const until = performance.now() + 150;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 40));
    const worst = /^sekisho_event_loop_delay_seconds\{quantile="1"\} ([\d.e-]+)$/m.exec(await metrics.text())?.[1];
    assert.ok(Number(worst) > 0.08 && Number(worst) < 5, String(worst));
  });
});

describe('the metrics server', () => {
  it('serves GET /metrics and nothing else', async () => {
    using metrics = metricsForTest();
    await using server = await createMetricsServer({ metrics, address: '127.0.0.1', port: 0 });
    const at = `http://127.0.0.1:${server.port}`;
    const page = await fetch(`${at}/metrics`);
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(await page.text(), /^sekisho_resident_octets/m);
    assert.equal((await fetch(`${at}/`)).status, 404);
    assert.equal((await fetch(`${at}/metrics`, { method: 'POST' })).status, 405);
  });

  it('closes at once though a client stays connected', async () => {
    using metrics = metricsForTest();
    const server = await createMetricsServer({ metrics, address: '127.0.0.1', port: 0 });
    const client = connect(server.port, '127.0.0.1');
    client.on('error', () => undefined);
    await new Promise((resolve) => client.once('connect', resolve));
    const closed = new Promise((resolve) => client.once('close', resolve));
    client.write('GET /metr');
    await server[Symbol.asyncDispose]();
    await closed;
    await assert.rejects(fetch(`http://127.0.0.1:${server.port}/metrics`));
  });

  it('says so when its port is taken', async () => {
    using metrics = metricsForTest();
    await using first = await createMetricsServer({ metrics, address: '127.0.0.1', port: 0 });
    await assert.rejects(createMetricsServer({ metrics, address: '127.0.0.1', port: first.port }), {
      code: 'METRICS_LISTEN',
    });
  });
});
