/** The pipeline between a real spool on memory layers and inspectors that say what the test wants. */
import type { Intake } from '../../src/accept/api.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import type { EngineHealth, EngineState, Inspectors, InspectRequest } from '../../src/inspect/api.ts';
import type { ForwardPath } from '../../src/mail/address.ts';
import type { Finding, Inspection, MissingInspection } from '../../src/mail/finding.ts';
import type { Reply } from '../../src/mail/reply.ts';
import { type AlarmName, type MailEvent, type Observe, silentObserve } from '../../src/observe/events.ts';
import { createPipeline } from '../../src/pipeline.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { ALICE, transaction } from '../contracts/spool.ts';
import { type MemoryRig, memoryRig } from '../support/spool-rigs.ts';

export class ScriptedInspectors implements Inspectors {
  findings: Finding[] = [];
  missing: MissingInspection[] = [];
  state: EngineState = 'up';
  /** Instead of answering. */
  throws: Error | undefined;
  readonly seen: InspectRequest[] = [];

  async inspect(request: InspectRequest): Promise<Inspection> {
    this.seen.push(request);
    if (this.throws !== undefined) throw this.throws;
    return { findings: this.findings, missing: this.missing, elapsed: {} };
  }

  health(): EngineHealth[] {
    return [{ inspector: 'antivirus', engine: 'clamd', state: this.state, version: 'test', misses: 0 }];
  }

  holdAntivirus(ms: number): void {
    this.state = ms > 0 ? 'starting' : 'up';
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

export interface PipelineRig {
  rig: MemoryRig;
  spool: SpoolStore;
  inspectors: ScriptedInspectors;
  events: MailEvent[];
  alarms: AlarmName[];
  config: Config;
  parts: Parameters<typeof createPipeline>[0];
  /** A whole message through the pipeline. */
  send(body?: Buffer, to?: readonly ForwardPath[]): Promise<Reply>;
}

export const MAIL = Buffer.from(
  'From: a@friend.example\r\nAuthentication-Results: mx.office.example; spf=pass\r\nSubject: hi\r\n\r\nHello\r\n',
);

export async function pipelineRig(): Promise<PipelineRig> {
  const inspectors = new ScriptedInspectors();
  const events: MailEvent[] = [];
  const alarms: AlarmName[] = [];
  const observe: Observe = {
    ...silentObserve,
    emit: (event) => void events.push(event),
    raise: (alarm) => void alarms.push(alarm),
  };
  const rig = await memoryRig({ observe });
  const spool = await rig.open();
  const config = configSchema.parse({
    hostname: 'mx.office.example',
    domains: [{ name: 'office.example', servers: [{ host: '127.0.0.1' }] }],
  });
  const parts = { config: () => config, spool, inspectors, observe, clock: rig.clock };
  const pipeline = createPipeline(parts);
  const send = async (body = MAIL, to: readonly ForwardPath[] = [ALICE]): Promise<Reply> => {
    const begun = await pipeline.begin(transaction(rig.clock, to));
    if ('code' in begun) return begun;
    const intake: Intake = begun;
    await intake.write(body);
    return intake.finish();
  };
  return { rig, spool, inspectors, events, alarms, config, parts, send };
}
