/**
 * Runs the worker's authentication on one message as the worker does, with DNS questions answered from a zone as the gateway
 * answers them (worker-process.ts): a void answer is no-data or no-name, a resolver that throws is trouble.
 */
import type { Resolver } from '../../src/base/resolver.ts';
import { authenticateMessage } from '../../src/inspect/authentication.ts';
import { MessageStore } from '../../src/inspect/message-store.ts';
import type { WorkerJob } from '../../src/inspect/protocol.ts';
import type { InspectLimits } from '../../src/inspect/settings.ts';
import { headerProblem } from '../../src/inspect/summary.ts';
import { QuestionDesk } from '../../src/inspect/worker-dns.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { parseHeader } from '../../src/mail/header.ts';
import { settings } from './support.ts';

export interface AuthenticateOptions {
  resolver: Resolver;
  ip?: string;
  reversePath?: string;
  helo?: string;
  listener?: 'mx' | 'relay';
  limits?: Partial<InspectLimits>;
}

/** The finding about the header From first, then those of authentication. */
export async function authenticateBytes(message: Buffer, options: AuthenticateOptions): Promise<Finding[]> {
  const store = new MessageStore();
  await store.write(message);
  const limits = { ...settings().limits, ...options.limits };
  const facts: WorkerJob = {
    listener: options.listener ?? 'mx',
    clientAddress: options.ip ?? '192.0.2.10',
    helo: options.helo ?? 'mail.example.com',
    reversePath: options.reversePath ?? 'taro@example.com',
    hostname: 'mx.office.example',
    size: store.size,
    limits,
    budgetMs: 20_000,
  };
  const desk = answeredBy(options.resolver);
  const stop = new AbortController();
  try {
    const resolver = desk.resolverFor(1, { ms: 20_000, signal: stop.signal });
    const head = await store.head(limits.headerOctets + 4);
    const header = parseHeader(head);
    const tooComplex = headerProblem(head, { header, limits, size: store.size }) !== undefined;
    return await authenticateMessage({ facts, store, header, resolver, tooComplex });
  } finally {
    stop.abort();
    await store.dispose();
  }
}

function answeredBy(resolver: Resolver): QuestionDesk {
  const desk: QuestionDesk = new QuestionDesk((message) => {
    const ask = message as { question: number; name: string; recordType: 'TXT' };
    const answer = (outcome: 'found' | 'no-data' | 'no-name' | 'trouble', records: unknown[] = []): void =>
      desk.answered({ type: 'answer', question: ask.question, outcome, records });
    void resolver.query(ask.name, ask.recordType).then(
      ({ exists, records }) => answer(records.length > 0 ? 'found' : exists ? 'no-data' : 'no-name', records),
      () => answer('trouble'),
    );
  });
  return desk;
}
