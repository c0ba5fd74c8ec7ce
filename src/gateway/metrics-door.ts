/**
 * Where the metrics are read: opened as the settings say, moved when they change. A port that somebody else has refuses the
 * change; at a start it is an alarm, for mail must not wait for figures.
 */
import { describeError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import type { Observe } from '../observe/events.ts';
import { createMetricsServer, type Metrics, type MetricsServer } from '../observe/metrics.ts';

export interface MetricsDoorOptions {
  metrics: Pick<Metrics, 'text' | 'contentType'>;
  observe: Observe;
}

export class MetricsDoor {
  readonly #metrics: Pick<Metrics, 'text' | 'contentType'>;
  readonly #observe: Observe;
  #server: MetricsServer | undefined;

  private constructor(options: MetricsDoorOptions) {
    this.#metrics = options.metrics;
    this.#observe = options.observe;
  }

  static async open(config: Config, options: MetricsDoorOptions): Promise<MetricsDoor> {
    const door = new MetricsDoor(options);
    await door.#listenOrTell(config);
    return door;
  }

  /** Throws when it cannot be had there; the old one stands then. */
  async follow(next: Config, previous: Config): Promise<void> {
    const { address, port } = next.metrics;
    if (address === previous.metrics.address && port === previous.metrics.port) return;
    // the old one first: the same port at another address (0.0.0.0, then 127.0.0.1) is taken otherwise
    await this[Symbol.asyncDispose]();
    try {
      await this.#listen(next.metrics);
    } catch (error) {
      await this.#listenOrTell(previous);
      throw error;
    }
    this.#observe.clear('config-refused', 'metrics');
  }

  async #listenOrTell(config: Config): Promise<void> {
    try {
      await this.#listen(config.metrics);
    } catch (error) {
      this.#observe.raise('config-refused', 'metrics', describeError(error));
    }
  }

  async #listen({ address, port }: Config['metrics']): Promise<void> {
    if (port !== undefined) this.#server = await createMetricsServer({ metrics: this.#metrics, address, port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }
}
