/**
 * The workloads and what is demanded of them: the floors decide the exit code, the aims are only shown. One entry a row
 * of the table; W1 has two, W5 one with two figures. Pure.
 */

export interface Demand {
  floor: number;
  aim: number;
}

export interface Workload {
  /** `W1-20`; the part before the dash is what --only names. */
  name: string;
  what: string;
  messages: number;
  sessions: number;
  /** Octets of one message as smtp-source makes it, or `mail`: files of 64 KB, each another one. */
  content: number | 'one mail' | 'many mails';
  /** Many messages a connection. */
  reuse: boolean;
  /** rspamd and clamd on both sides. */
  filters: boolean;
  /** The next hop is down while the mail comes in, then it starts. */
  down: boolean;
  /** Messages a second, ours by Postfix's; of W5: accepted, then drained. */
  rate: Demand;
  drain?: Demand;
  /** CPU a message, ours by Postfix's: at most this. */
  cpu: { limit: number; inclusive: boolean };
}

const BELOW = { limit: 1, inclusive: false };
const PLAIN = { reuse: false, filters: false, down: false, cpu: BELOW } as const;

export const WORKLOADS: readonly Workload[] = [
  {
    ...PLAIN,
    name: 'W1-20',
    what: '10 KB, one message a connection, 20 sessions',
    messages: 2_000,
    sessions: 20,
    content: 10_240,
    rate: { floor: 1.3, aim: 2 },
  },
  {
    ...PLAIN,
    name: 'W1-200',
    what: '10 KB, one message a connection, 200 sessions',
    messages: 2_000,
    sessions: 200,
    content: 10_240,
    rate: { floor: 1.3, aim: 2 },
  },
  {
    ...PLAIN,
    name: 'W2',
    what: '10 KB, connections reused, 20 sessions',
    messages: 3_000,
    sessions: 20,
    content: 10_240,
    reuse: true,
    rate: { floor: 1.6, aim: 2.5 },
  },
  {
    ...PLAIN,
    name: 'W3',
    what: '1 MB, one message a connection, 10 sessions',
    messages: 150,
    sessions: 10,
    content: 1_048_576,
    rate: { floor: 1, aim: 1.2 },
    cpu: { limit: 1, inclusive: true },
  },
  {
    ...PLAIN,
    name: 'W4',
    what: '64 KB HTML and attachment, 10 sessions',
    messages: 1_000,
    sessions: 10,
    content: 'one mail',
    rate: { floor: 1.2, aim: 1.5 },
  },
  {
    ...PLAIN,
    name: 'W4f',
    what: 'the same, every mail another, rspamd and clamd on both sides',
    messages: 400,
    sessions: 10,
    content: 'many mails',
    filters: true,
    rate: { floor: 1.1, aim: 1.3 },
  },
  {
    ...PLAIN,
    name: 'W5',
    what: '10 KB, next hop down, then up; 20 sessions',
    messages: 2_000,
    sessions: 20,
    content: 10_240,
    down: true,
    rate: { floor: 2, aim: 3.5 },
    drain: { floor: 2, aim: 3 },
  },
];

/** Of all our processes together, in MB of 10^6 octets. */
export const MEMORY_MB = { idle: 220, peak: 400 } as const;

/** `W1,W3` → the workloads; a name that is none gives undefined. */
export function chooseWorkloads(only: string | undefined): Workload[] | undefined {
  if (only === undefined) return [...WORKLOADS];
  const names = only.split(',').map((name) => name.trim().toLowerCase());
  const matches = (workload: Workload, name: string): boolean =>
    workload.name.toLowerCase() === name || workload.name.toLowerCase().split('-')[0] === name;
  if (!names.every((name) => WORKLOADS.some((workload) => matches(workload, name)))) return undefined;
  return WORKLOADS.filter((workload) => names.some((name) => matches(workload, name)));
}
