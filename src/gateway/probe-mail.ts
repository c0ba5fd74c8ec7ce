/**
 * The probe mail: enters by the MX listener's own port with an envelope of its own, is inspected by every engine that is
 * configured, leaves through delivery to a sink of ours. The trail and the history show it, statistics leave it out. It is
 * judged by the policy as it ships, so that an owner's rules cannot stop it. Strangers cannot use its domain: only the one
 * recipient that a running probe made up is known. What a stop leaves in the queue goes to the sink after the next start.
 * Never throws: a step that fails is the answer.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { RecipientDirectory } from '../accept/api.ts';
import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { PROBE_DOMAIN, PROBE_SENDER_DOMAIN } from '../mail/probe.ts';
import type { Observer } from '../observe/observer.ts';
import { openProbeSink } from './probe-sink.ts';

export interface ProbeStep {
  name: 'entered' | 'inspected' | 'left';
  ok: boolean;
  detail: string;
}

export interface ProbeAnswer {
  ok: boolean;
  id?: string;
  elapsedMs: number;
  steps: ProbeStep[];
}

export interface ProbeMail {
  /** The configuration with the probe's domain in it. */
  extend(config: Config): Config;
  /** The directory that knows the running probe's recipient, and otherwise asks the real one. */
  guard(directory: RecipientDirectory): RecipientDirectory;
  run(mx: { address: string; port: number } | undefined): Promise<ProbeAnswer>;
  [Symbol.asyncDispose](): Promise<void>;
}

const ENTER_MS = 75_000;
const LEAVE_MS = 30_000;

export async function openProbeMail(options: { observe: Observer; clock: Clock }): Promise<ProbeMail> {
  const { observe, clock } = options;
  const waiting = new Map<string, () => void>();
  const sink = await openProbeSink((message) => {
    const token = /^X-Sekisho-Probe: ([0-9a-f]{32})\r$/m.exec(message)?.[1];
    if (token !== undefined) waiting.get(token)?.();
  });
  const extended = new WeakMap<Config, Config>();

  return {
    extend: (config) => {
      const known = extended.get(config) ?? withProbeDomain(config, sink.port);
      extended.set(config, known);
      return known;
    },
    guard: (directory) => ({
      ...directory,
      check: (recipient) => {
        if (!recipient.endsWith(`@${PROBE_DOMAIN}`)) return directory.check(recipient);
        const running = waiting.has(recipient.slice(0, recipient.indexOf('@')));
        return Promise.resolve(
          running ? { known: 'yes', detail: 'A probe is under way' } : { known: 'no', detail: 'No probe is under way' },
        );
      },
    }),
    run: async (mx) => {
      const begun = clock.monotonic();
      const token = randomBytes(16).toString('hex');
      const steps: ProbeStep[] = [];
      const told = watch(observe, `${token}@${PROBE_DOMAIN}`);
      const { promise: left, resolve } = Promise.withResolvers<void>();
      waiting.set(token, resolve);
      let id: string | undefined;
      try {
        if (mx === undefined) steps.push({ name: 'entered', ok: false, detail: 'Port 25 is not open' });
        else id = await send({ mx, token, at: clock.wall() }, steps);
        if (steps.every(({ ok }) => ok)) {
          const gone = await withDeadline('The way out', { ms: LEAVE_MS }, () => left).then(
            () => ({ ok: true, detail: 'Arrived at the sink' }),
            (error: unknown) => ({ ok: false, detail: describeError(error) }),
          );
          const { state, why } = told.seen();
          const inspected = state === 'queue';
          steps.push({ name: 'inspected', ok: inspected, detail: inspected ? 'By every engine' : `${state}: ${why}` });
          steps.push({ name: 'left', ...gone });
        }
      } finally {
        waiting.delete(token);
        told.stop();
      }
      const ok = steps.length === 3 && steps.every((step) => step.ok);
      return { ok, ...(id === undefined ? {} : { id }), elapsedMs: Math.round(clock.monotonic() - begun), steps };
    },
    [Symbol.asyncDispose]: () => sink.close(),
  };
}

function withProbeDomain(config: Config, port: number): Config {
  const server = { host: '127.0.0.1', port, priority: 10, tls: 'none', protocol: 'smtp' } as const;
  const recipients = { check: 'list' } as const;
  const { domains } = config;
  return { ...config, domains: [...domains, { name: PROBE_DOMAIN, servers: [server], recipients }] } as Config;
}

/** What became of it, as the events tell. Only a message that every configured engine has seen comes into the queue. */
function watch(observe: Observer, recipient: string): { seen: () => { state: string; why: string }; stop: () => void } {
  let id: string | undefined;
  let seen = { state: 'unknown', why: 'Nothing was heard of it' };
  const stop = observe.subscribe(({ event }) => {
    if (event.event === 'received' && event.recipients.some((one) => one === recipient)) ({ id } = event);
    if ((event.event === 'received' || event.event === 'decided') && event.id === id)
      seen = { state: event.state, why: event.decisions.map(({ reason }) => reason).join(', ') };
  });
  return { seen: () => seen, stop };
}

/** The session from outside; the id of the message, once it was taken. */
async function send(
  probe: { mx: { address: string; port: number }; token: string; at: number },
  steps: ProbeStep[],
): Promise<string | undefined> {
  const { address, port } = probe.mx;
  const host = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address;
  const socket = connect({ host, port });
  try {
    const said = await withDeadline('The session', { ms: ENTER_MS }, () => converse(socket, probe));
    const taken = said.startsWith('250');
    steps.push({ name: 'entered', ok: taken, detail: said });
    return taken ? / as (\S+)$/.exec(said)?.[1] : undefined;
  } catch (error) {
    steps.push({ name: 'entered', ok: false, detail: describeError(error) });
    return undefined;
  } finally {
    socket.destroy();
  }
}

/** The last reply: that to the final dot, or the first that was no yes. */
async function converse(socket: Socket, probe: { token: string; at: number }): Promise<string> {
  const replies = repliesOf(socket);
  const lines = [
    `EHLO ${PROBE_SENDER_DOMAIN}`,
    `MAIL FROM:<probe@${PROBE_SENDER_DOMAIN}>`,
    `RCPT TO:<${probe.token}@${PROBE_DOMAIN}>`,
    'DATA',
    `${compose(probe)}\r\n.`,
  ];
  let said = await replies();
  for (const line of lines) {
    if (!/^[23]/.test(said)) return said;
    socket.write(`${line}\r\n`);
    said = await replies();
  }
  socket.write('QUIT\r\n');
  return said;
}

/** RFC 5321 §4.2: the last line of a reply has a space behind its code. */
function repliesOf(socket: Socket): () => Promise<string> {
  const lines = socket.setEncoding('latin1').iterator() as AsyncIterator<string>;
  let buffered = '';
  return async () => {
    for (;;) {
      const match = /^(?:\d{3}-.*\r\n)*(\d{3}(?: .*)?)\r\n/.exec(buffered);
      if (match !== null) {
        buffered = buffered.slice(match[0].length);
        return (match[1] ?? '').slice(0, 500);
      }
      const next = await lines.next();
      if (next.done === true) throw new Error('The connection was closed');
      buffered += next.value;
    }
  };
}

function compose({ token, at }: { token: string; at: number }): string {
  return [
    `From: Sekisho <probe@${PROBE_SENDER_DOMAIN}>`,
    `To: <${token}@${PROBE_DOMAIN}>`,
    'Subject: Probe of the way through this box',
    `Date: ${new Date(at).toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${token}@${PROBE_SENDER_DOMAIN}>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    `X-Sekisho-Probe: ${token}`,
    '',
    'This message was sent by the box to itself. It proves that mail is taken, inspected and delivered.',
  ].join('\r\n');
}
