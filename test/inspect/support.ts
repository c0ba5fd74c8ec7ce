/** What the tests of this folder share: requests, settings, a fake DNS, keys and signatures. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { dkimSign } from 'mailauth';
import { systemClock } from '../../src/base/clock.ts';
import { SekishoError } from '../../src/base/errors.ts';
import type { Resolver } from '../../src/base/resolver.ts';
import type { EngineState, Inspectors, InspectRequest } from '../../src/inspect/api.ts';
import { createInspectors, type InspectorsOptions } from '../../src/inspect/inspectors.ts';
import type { InspectSettings } from '../../src/inspect/settings.ts';
import { inspectStructure } from '../../src/inspect/structure.ts';
import type { ForwardPath, ReversePath } from '../../src/mail/address.ts';
import type { Finding, FindingKind, Inspection } from '../../src/mail/finding.ts';
import { newQueueId } from '../../src/mail/queue-id.ts';
import { type Observe, silentObserve } from '../../src/observe/events.ts';
import { until } from '../support/process.ts';

export const WORKER_ENTRY = path.resolve(import.meta.dirname, '../../src/inspect.ts');

export function settings(change: (draft: InspectSettings) => void = () => undefined): InspectSettings {
  const draft: InspectSettings = {
    hostname: 'mx.office.example',
    limits: {
      headerOctets: 262_144,
      headerFields: 1_000,
      mimeParts: 1_000,
      mimeDepth: 20,
      archiveDepth: 5,
      archiveFiles: 1_000,
      archiveOctets: 268_435_456,
      archiveRatio: 100,
    },
    engines: {
      clamd: { enabled: false, socket: '/nonexistent/clamd.sock', timeoutMs: 20_000, concurrency: 4 },
      rspamd: { enabled: false, url: '/nonexistent/rspamd.sock', timeoutMs: 15_000, concurrency: 4 },
      inspect: { workers: 1, timeoutMs: 30_000, memoryMiB: 256 },
      startingMs: 60_000,
    },
  };
  change(draft);
  return draft;
}

/** Names to records; a name with 'trouble' cannot be asked; a name that is missing does not exist. */
export type Zone = Readonly<Record<string, Partial<Record<string, unknown[]>> | 'trouble'>>;

export function fakeResolver(zone: Zone): Resolver & { asked: string[] } {
  const asked: string[] = [];
  const query: Resolver['query'] = (name, type) => {
    asked.push(`${type} ${name.toLowerCase()}`);
    const entry = zone[name.toLowerCase()];
    if (entry === 'trouble') return Promise.reject(new SekishoError('DNS_TEMPORARY', 'SERVFAIL', { retryable: true }));
    return Promise.resolve({ exists: entry !== undefined, records: entry?.[type] ?? [] });
  };
  const all = async <T>(name: string, type: 'A' | 'AAAA' | 'TXT' | 'PTR'): Promise<T[]> =>
    (await query(name, type)).records as T[];
  return {
    asked,
    query,
    a: (name) => all(name, 'A'),
    aaaa: (name) => all(name, 'AAAA'),
    txt: (name) => all(name, 'TXT'),
    ptr: (name) => all(name, 'PTR'),
    mx: async (name) => (await query(name, 'MX')) as Awaited<ReturnType<Resolver['mx']>>,
  };
}

export function requestFor(
  message: Buffer | string,
  change: { listener?: 'mx' | 'relay'; reversePath?: string; ip?: string; helo?: string; deadlineMs?: number } = {},
): InspectRequest {
  const bytes = Buffer.isBuffer(message) ? message : Buffer.from(message, 'latin1');
  const listener = change.listener ?? 'mx';
  return {
    id: newQueueId(1),
    transaction: {
      origin: {
        direction: listener === 'mx' ? 'inbound' : 'outbound',
        listener,
        sessionId: 'test',
        clientAddress: change.ip ?? '192.0.2.10',
        helo: change.helo ?? 'mail.example.com',
        protocol: 'ESMTP',
      },
      envelope: {
        reversePath: (change.reversePath ?? 'taro@example.com') as ReversePath,
        recipients: [{ address: 'hanako@office.example' as ForwardPath }],
        smtpUtf8: false,
        eightBit: false,
      },
      arrival: { wall: 0, mono: 0, boot: 'test', synchronised: true },
    },
    size: bytes.length,
    stream: () => Readable.from(slices(bytes)),
    pieces: [...slices(bytes)],
    deadlineMs: change.deadlineMs ?? 60_000,
  };
}

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/**
 * Inspectors in a temporary run folder; both are gone afterwards. `atOnce`: not only when the worker is up: a message that comes
 * before does not wait for it long, and then lacks what it would have found.
 */
export async function withInspectors<T>(
  options: Partial<Omit<InspectorsOptions, 'config'>> & { settings?: InspectSettings; zone?: Zone; atOnce?: boolean },
  work: (inspectors: Inspectors) => Promise<T>,
): Promise<T> {
  const runDir = mkdtempSync(path.join(tmpdir(), 'sekisho-test-inspect-'));
  const inspectors = createInspectors({
    config: () => options.settings ?? settings(),
    resolver: options.resolver ?? fakeResolver(options.zone ?? {}),
    observe: options.observe ?? silentObserve,
    clock: options.clock ?? systemClock(),
    runDir,
    workerEntry: options.workerEntry ?? WORKER_ENTRY,
    execPath: options.execPath ?? process.execPath,
    workerSocket: options.workerSocket,
  });
  try {
    if (options.atOnce !== true)
      await until('the worker', { ms: 60_000 }, () => stateOf(inspectors, 'structure') === 'up' || undefined);
    return await work(inspectors);
  } finally {
    await inspectors[Symbol.asyncDispose]();
    rmSync(runDir, { recursive: true, force: true });
  }
}

export function stateOf(inspectors: Inspectors, inspector: string): EngineState | undefined {
  return inspectors.health().find((engine) => engine.inspector === inspector)?.state;
}

export function of<Kind extends FindingKind>(
  inspection: Inspection | readonly Finding[],
  kind: Kind,
): Array<Extract<Finding, { kind: Kind }>> {
  const findings = 'findings' in inspection ? inspection.findings : inspection;
  return findings.filter((finding): finding is Extract<Finding, { kind: Kind }> => finding.kind === kind);
}

export function recordingObserve(): Observe & { alarms: string[] } {
  const alarms: string[] = [];
  return {
    ...silentObserve,
    alarms,
    raise: (alarm, key) => void alarms.push(`raise ${alarm} ${key}`),
    clear: (alarm, key) => void alarms.push(`clear ${alarm} ${key}`),
  };
}

export interface TestKey {
  privateKey: string;
  /** The TXT record of the selector. */
  record: string[][];
}

export function newKey(): TestKey {
  const pair = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const der = pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privateKey, record: [[`v=DKIM1; k=rsa; p=${der}`]] };
}

/** The message with a DKIM-Signature on top. */
export async function signed(
  message: string,
  options: { key: TestKey; domain: string; selector?: string; maxBodyLength?: number; algorithm?: string },
): Promise<string> {
  const how = {
    canonicalization: 'relaxed/relaxed',
    signTime: new Date(),
    signingDomain: options.domain,
    selector: options.selector ?? 'test',
    privateKey: options.key.privateKey,
    algorithm: options.algorithm ?? 'rsa-sha256',
    ...(options.maxBodyLength === undefined ? {} : { maxBodyLength: options.maxBodyLength }),
  };
  // 7.1.0 declares the fields at the top and reads them from `signatureData`
  const { signatures, errors } = await dkimSign(message, { ...how, signatureData: [how] });
  if (errors.length > 0 || signatures === '') throw new Error(`Could not sign: ${JSON.stringify(errors)}`);
  return signatures + message;
}

export const PLAIN = [
  'From: Taro <taro@example.com>',
  'To: hanako@office.example',
  'Subject: =?ISO-2022-JP?B?GyRCMnE1RBsoQg==?=',
  'Message-ID: <1@example.com>',
  'Date: Sat, 21 Nov 2026 10:00:00 +0900',
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=us-ascii',
  '',
  'Good morning.',
  '',
].join('\r\n');

/** What is found in a mail with this attached: of the file, and of those within it. */
export async function attachmentsIn(
  file: { name: string; bytes: Buffer },
  limits: Partial<InspectSettings['limits']> = {},
): Promise<Array<Extract<Finding, { kind: 'attachment' }>>> {
  const body = (file.bytes.toString('base64').match(/.{1,76}/g) ?? []).join('\r\n');
  const header = `Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="${file.name}"`;
  const mail = `MIME-Version: 1.0\r\n${header}\r\nContent-Transfer-Encoding: base64\r\n\r\n${body}\r\n`;
  const options = { limits: { ...settings().limits, ...limits }, signal: new AbortController().signal };
  return of(await inspectStructure(Readable.from([Buffer.from(mail)]), options), 'attachment');
}
