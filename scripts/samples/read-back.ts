/**
 * What really became of a sample: from `sekisho trace --json`, and from the trial mail server's store, compared octet by
 * octet. Nothing is concluded from the reply alone.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { SekishoError } from '../../src/base/errors.ts';
import { trace, type TraceAnswer } from '../../src/control/shapes.ts';
import { listStoredMail, type StoredMail } from '../lab/mail-server.ts';
import type { Layout } from '../lib/layout.ts';
import { type LiveConfig, liveConfigSchema, type SampleOutcome } from './expect.ts';
import type { Sample } from './messages.ts';
import type { SendResult } from './send.ts';

const run = promisify(execFile);
const CLI_MS = 30_000;
/** Delivery to the trial server, and inspection after the 250 while an engine is still loading. */
const SETTLE_MS = 60_000;
const POLL_MS = 250;
const QUEUE_ID = /\b[0-9A-HJKMNP-TV-Z]{7}-[0-9A-HJKMNP-TV-Z]{13}\b/;
/** States in which a message does not stay: inspection or delivery goes on. */
const PASSING_STATES: ReadonlySet<TraceAnswer['state']> = new Set(['incoming', 'queued', 'deferred', 'moved']);

export interface Observed {
  outcome: SampleOutcome | 'lost' | 'altered' | 'deferred' | 'held' | 'refused' | 'unfinished';
  /** The trace, when the message got a queue id. */
  trace?: TraceAnswer;
  id?: string;
}

/** One command of the gateway's own command line, as JSON. */
export async function sekisho(layout: Layout, args: string[]): Promise<unknown> {
  const command = [path.join(layout.app, 'src/cli.ts'), '--socket', layout.controlSocket, ...args, '--json'];
  const { stdout } = await run(process.execPath, command, { timeout: CLI_MS, maxBuffer: 16 * 1024 * 1024 });
  return JSON.parse(stdout);
}

export async function liveConfig(layout: Layout): Promise<LiveConfig> {
  const answer = z.object({ value: z.unknown() }).parse(await sekisho(layout, ['config', 'show']));
  return liveConfigSchema.parse(answer.value);
}

export async function observe(sample: Sample, sent: SendResult, layout: Layout): Promise<Observed> {
  const id = QUEUE_ID.exec(sent.reply)?.[0];
  const stored = async (): Promise<StoredMail | undefined> => findStored(sample, layout);
  if (id === undefined) {
    if ((await stored()) !== undefined) return { outcome: 'altered' }; // refused, and yet it arrived
    if (sent.stage === 'rcpt' && sent.code === 550 && sent.reply.includes('5.1.1'))
      return { outcome: 'unknown-recipient' };
    if (sent.code === 552) return { outcome: 'too-large' };
    return { outcome: sent.code >= 500 ? 'refused' : sent.code >= 400 ? 'deferred' : 'lost' };
  }
  const trail = await settledTrace(layout, id);
  if (trail === undefined) return { outcome: 'unfinished', id };
  const delivered = await stored();
  return { outcome: await outcomeOf({ sample, sent, trail, delivered, layout }), trace: trail, id };
}

async function outcomeOf(options: {
  sample: Sample;
  sent: SendResult;
  trail: TraceAnswer;
  delivered: StoredMail | undefined;
  layout: Layout;
}): Promise<Observed['outcome']> {
  const { sample, sent, trail, delivered, layout } = options;
  const taken = sent.code === 250;
  switch (trail.state) {
    case 'rejected':
      return !taken && sent.code >= 500 && delivered === undefined ? 'rejected' : 'altered';
    case 'quarantined':
      return taken && delivered === undefined ? 'quarantined' : 'altered';
    case 'delivered':
      break;
    case 'held':
      return 'held';
    default:
      return delivered === undefined ? 'unfinished' : 'altered';
  }
  if (delivered === undefined) return 'lost';
  const content = await readFile(path.join(layout.trialMail, `${delivered.id}.eml`));
  const envelope = delivered.reversePath === sample.reversePath && delivered.recipients.includes(sample.recipient);
  if (!envelope) return 'altered';
  // Header fields are only ever added in front: the message stands at the end as it was sent.
  if (endsWith(content, sample.message)) return 'delivered';
  // A tag rewrites the subject; the body must stand.
  const body = sample.message.subarray(sample.message.indexOf('\r\n\r\n'));
  const tagged = trail.decisions.some((decision) => decision.reason === 'spam-tag');
  return tagged && endsWith(content, body) ? 'tagged' : 'altered';
}

/** Polls until the message stays where it is. */
async function settledTrace(layout: Layout, id: string): Promise<TraceAnswer | undefined> {
  const end = Date.now() + SETTLE_MS;
  while (Date.now() < end) {
    const answer = await sekisho(layout, ['trace', id]).catch((error: unknown) => notYet(error));
    const trail = answer === undefined ? undefined : trace.parse(answer);
    if (trail !== undefined && !PASSING_STATES.has(trail.state)) return trail;
    await sleep(POLL_MS);
  }
  return undefined;
}

/** The history writes a moment after the reply: an id it does not know yet is asked again. Anything else is trouble. */
function notYet(error: unknown): undefined {
  const output = typeof error === 'object' && error !== null && 'stderr' in error ? String(error.stderr) : '';
  const printed = typeof error === 'object' && error !== null && 'stdout' in error ? String(error.stdout) : '';
  if (/NOT_FOUND/.test(output + printed)) return undefined;
  throw new SekishoError('TRACE', `"sekisho trace" failed: ${output.trim().slice(0, 300)}`, { cause: error });
}

async function findStored(sample: Sample, layout: Layout): Promise<StoredMail | undefined> {
  for (const mail of await listStoredMail(layout.trialMail)) {
    const content = await readFile(path.join(layout.trialMail, `${mail.id}.eml`));
    if (content.includes(`Message-ID: <${sample.token}@`)) return mail;
  }
  return undefined;
}

function endsWith(content: Buffer, end: Buffer): boolean {
  return content.length >= end.length && content.subarray(content.length - end.length).equals(end);
}
