/**
 * Figures for Prometheus, in a registry of our own. Labels come from closed lists only (events, actions, reasons, first
 * three digits of a reply): no peer can make the number of series grow. Counters live as long as the process. A gauge asks
 * its owner when somebody looks; one that throws is left out, the page still comes.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { SekishoError } from '../base/errors.ts';
import type { InspectorName } from '../mail/finding.ts';
import type { AlarmName, MailEvent } from './events.ts';

export interface Metrics {
  event(event: MailEvent): void;
  inspected(inspector: InspectorName, ms: number, result: 'ok' | 'missing'): void;
  alarm(name: AlarmName, standing: number): void;
  /** `read` is called when somebody looks. A second gauge of one name replaces the first. */
  gauge(name: string, help: string, read: () => number): void;
  /** As `gauge`, with one label: `read` returns a value for each of its values. */
  gauges(name: string, help: string, options: { label: string; read: () => Readonly<Record<string, number>> }): void;
  /** The page, in Prometheus text format 0.0.4. */
  text(): Promise<string>;
  readonly contentType: string;
  /** Stops the event-loop monitor. */
  close(): void;
}

const LOOP_SAMPLE_MS = 20;
const SECONDS_OF_INSPECTION = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const SECONDS_OF_DELIVERY = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]): Counter<T> =>
    new Counter({ name: `sekisho_${name}`, help, labelNames, registers });

  const events = counter('events_total', 'Events of mail by name', ['event']);
  const refusals = counter('refused_total', 'Refused before there was a message, by stage and reply code', [
    'stage',
    'listener',
    'code',
  ]);
  const received = counter('received_total', 'Messages received, by direction and where they went', [
    'direction',
    'state',
  ]);
  const octets = counter('received_octets_total', 'Octets of messages received, by direction', ['direction']);
  const decisions = counter('decisions_total', 'Decisions by action and reason, one a recipient', ['action', 'reason']);
  const recipients = counter('recipients_total', 'Outcomes of attempts, one a recipient', ['outcome']);
  const inspections = counter('inspections_total', 'Inspections by inspector and result', ['inspector', 'result']);
  const inspectionSeconds = new Histogram({
    name: 'sekisho_inspection_seconds',
    help: 'How long an inspector took',
    labelNames: ['inspector'],
    buckets: SECONDS_OF_INSPECTION,
    registers,
  });
  const deliverySeconds = new Histogram({
    name: 'sekisho_delivery_seconds',
    help: 'From arrival to delivery, one a recipient',
    buckets: SECONDS_OF_DELIVERY,
    registers,
  });
  const alarms = new Gauge({
    name: 'sekisho_alarms',
    help: 'Alarms standing, by name',
    labelNames: ['alarm'],
    registers,
  });
  const stopProcess = processGauges(registers);

  function define(name: string, help: string, options: { labelNames: string[]; set: (gauge: Gauge) => void }): void {
    const full = name.startsWith('sekisho_') ? name : `sekisho_${name}`;
    registry.removeSingleMetric(full);
    new Gauge({
      name: full,
      help,
      labelNames: options.labelNames,
      registers,
      collect() {
        this.reset(); // a label value of before must not stand
        if (options.labelNames.length === 0) this.remove();
        try {
          options.set(this);
        } catch {
          this.remove(); // its owner cannot tell: no value is better than an old one
        }
      },
    });
  }

  return {
    event: (event) => {
      events.inc({ event: event.event });
      if (event.event === 'refused') {
        const code = /^[245]\d\d/.exec(event.reply)?.[0] ?? 'none';
        refusals.inc({ stage: event.stage, listener: event.origin.listener, code });
      }
      if (event.event === 'received') {
        received.inc({ direction: event.direction, state: event.state });
        octets.inc({ direction: event.direction }, event.size);
      }
      if (event.event === 'received' || event.event === 'decided')
        for (const { action, reason } of event.decisions) decisions.inc({ action, reason });
      if (
        event.event === 'delivered' ||
        event.event === 'deferred' ||
        event.event === 'bounced' ||
        event.event === 'expired'
      )
        recipients.inc({ outcome: event.event }, event.recipients.length);
      if (event.event === 'delivered')
        for (const _ of event.recipients) deliverySeconds.observe(Math.max(0, event.delayMs) / 1_000);
    },
    inspected: (inspector, ms, result) => {
      inspections.inc({ inspector, result });
      inspectionSeconds.observe({ inspector }, Math.max(0, ms) / 1_000);
    },
    alarm: (name, standing) => alarms.set({ alarm: name }, standing),
    gauge: (name, help, read) => define(name, help, { labelNames: [], set: (gauge) => gauge.set(read()) }),
    gauges: (name, help, { label, read }) =>
      define(name, help, {
        labelNames: [label],
        set: (gauge) => {
          for (const [value, figure] of Object.entries(read())) gauge.set({ [label]: value }, figure);
        },
      }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
    close: stopProcess,
  };
}

/** What the process costs, and how late its event loop runs (worst and 99 % since somebody last looked). */
function processGauges(registers: Registry[]): () => void {
  const delay = monitorEventLoopDelay({ resolution: LOOP_SAMPLE_MS });
  // The histogram holds the time between two samples; what is beyond the pause asked for is the delay
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - LOOP_SAMPLE_MS / 1_000);
  delay.enable();
  new Gauge({
    name: 'sekisho_event_loop_delay_seconds',
    help: 'Event loop delay since the last reading',
    labelNames: ['quantile'],
    registers,
    collect() {
      if (delay.count === 0) return;
      this.set({ quantile: '0.5' }, late(delay.percentile(50)));
      this.set({ quantile: '0.99' }, late(delay.percentile(99)));
      this.set({ quantile: '1' }, late(delay.max));
      delay.reset();
    },
  });
  new Gauge({
    name: 'sekisho_resident_octets',
    help: 'Resident memory of the process',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Counter({
    name: 'sekisho_cpu_seconds_total',
    help: 'CPU time of the process, user and system',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const started = Date.now() / 1_000 - process.uptime();
  new Gauge({
    name: 'sekisho_start_time_seconds',
    help: 'Start of the process, seconds since 1970',
    registers,
    collect() {
      this.set(started);
    },
  });
  return () => void delay.disable();
}

export interface MetricsServer {
  readonly address: string;
  readonly port: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Plain HTTP, `GET /metrics` only. Resolves once it listens; throws METRICS_LISTEN when the port cannot be had. */
export async function createMetricsServer(options: {
  metrics: Pick<Metrics, 'text' | 'contentType'>;
  address: string;
  port: number;
}): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0];
    if (path !== '/metrics') return void response.writeHead(404).end('Not found\n');
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return void response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    options.metrics.text().then(
      (text) =>
        response.writeHead(200, { 'Content-Type': options.metrics.contentType, 'Cache-Control': 'no-store' }).end(text),
      () => response.writeHead(500).end('Metrics cannot be read\n'),
    );
  });
  server.maxConnections = 20;
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  server.keepAliveTimeout = 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new SekishoError('METRICS_LISTEN', `Metrics cannot listen on "${options.address}:${options.port}"`, {
          cause: error,
          remedy: 'Choose another metrics.port, or stop what uses it',
        }),
      ),
    );
    server.listen(options.port, options.address, resolve);
  });
  server.on('error', () => undefined); // one broken client is no trouble of ours
  const bound = server.address() as AddressInfo;
  return {
    address: bound.address,
    port: bound.port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
