/**
 * What the verbs of the host's control sockets talk about: the machine, not the mail. Plain JSON with stable names, as in
 * shapes.ts: times ISO 8601 in UTC, spans in milliseconds, sizes in octets. What cannot be known here is absent, never 0.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { count, text, time } from './shapes.ts';

/** appliance: the box, as root. trial: a developer's machine, unprivileged, nothing is changed. */
export const HOST_MODES = ['appliance', 'trial'] as const;

const ADDRESS = z.string().refine((value) => isIP(value) !== 0, 'Give an IP address like "192.0.2.10"');
/** `192.0.2.10/24` */
const addressWithPrefix = z
  .string()
  .refine((value) => isPrefix(value), 'Give an address with its prefix length like "192.0.2.10/24"');
/** As the kernel allows them (IFNAMSIZ), without what could act in a file name or a unit file. */
export const interfaceName = z.string().regex(/^[a-zA-Z][a-zA-Z0-9._-]{0,14}$/, 'Give an interface name like "eth0"');
export const hostName = z
  .string()
  .regex(
    /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/,
    'Give a host name like "mail.example.jp"',
  );

export const hostAlarm = z.object({
  name: z.string(),
  key: z.string(),
  detail: z.string(),
  since: time,
  title: text,
  remedy: text,
});
export type HostAlarm = z.output<typeof hostAlarm>;

/** Why the machine started last time, as far as it can be known. */
export const RESET_REASONS = [
  'first-boot',
  'clean',
  'power-loss',
  'watchdog',
  'panic',
  'update',
  'disk-error',
  'unknown',
] as const;
export type ResetReason = (typeof RESET_REASONS)[number];

export const watchdog = z.object({
  /** none: nothing would notice a hung kernel. */
  kind: z.enum(['hardware', 'software', 'none']),
  identity: z.string().optional(),
  timeoutMs: count.optional(),
  lastReset: z.object({ reason: z.enum(RESET_REASONS), at: time, detail: z.string().optional() }),
  /** Gateway crashes in the last 10 minutes, watchdog resets in the last hour: what the brake counts. */
  crashes: count,
  resets: count,
});
export type WatchdogAnswer = z.output<typeof watchdog>;

/** Set: the gateway answers 421 only, so that a crash at each start does not become an endless reboot. */
export const degraded = z.object({
  since: time,
  /** no-data: the data partition could not be mounted; only a start that finds it ends that. */
  cause: z.enum(['crashes', 'watchdog-resets', 'operator', 'no-data']),
  detail: z.string(),
  /** When the gateway is tried again without anybody asking. */
  retryAt: time.optional(),
});
export type DegradedAnswer = z.output<typeof degraded>;

/** normal · on-battery: tell people · drain: 421 for new mail, flush · shutdown: the spool closes now. */
export const POWER_STATES = ['normal', 'on-battery', 'drain', 'shutdown'] as const;
export type PowerState = (typeof POWER_STATES)[number];

/** NUT's drivers for USB, for a UPS that says it is another maker's or that no list knows. */
export const UPS_DRIVERS = [
  'usbhid-ups',
  'nutdrv_qx',
  'blazer_usb',
  'bcmxcp_usb',
  'richcomm_usb',
  'riello_usb',
  'tripplite_usb',
] as const;

export const ups = z.object({
  /** none: no UPS is connected or configured, which is normal. unreachable: one was, and upsd does not answer for it. */
  state: z.enum(['none', 'unreachable', 'online', 'on-battery', 'low-battery', 'shutting-down']),
  power: z.enum(POWER_STATES),
  since: time.optional(),
  name: z.string().optional(),
  model: z.string().optional(),
  /** NUT's words: `OL CHRG`, `OB DISCHRG LB`. */
  status: z.string().optional(),
  chargePercent: z.number().optional(),
  runtimeMs: count.optional(),
  loadPercent: z.number().optional(),
  inputVolts: z.number().optional(),
  batteryVolts: z.number().optional(),
  detail: z.string().optional(),
  /** Where one is looked for; in `ups.show`. Never the password. */
  settings: z
    .object({
      mode: z.enum(['auto', 'network', 'off']),
      host: z.string().optional(),
      name: z.string().optional(),
      driver: z.enum(UPS_DRIVERS).optional(),
      user: z.string().optional(),
    })
    .optional(),
  /** Newest first, at most 50. */
  events: z.array(z.object({ at: time, event: z.string(), detail: z.string() })),
});
export type UpsAnswer = z.output<typeof ups>;

export const UPDATE_PHASES = [
  'idle',
  'checking',
  'downloading',
  'installing',
  'waiting-for-reboot',
  'on-trial',
  'failed',
] as const;
export const slot = z.object({
  /** `A`, `B` */
  name: z.string(),
  version: z.string().optional(),
  booted: z.boolean(),
  /** trial: booted from, not yet proven. */
  state: z.enum(['good', 'trial', 'bad', 'empty', 'unknown']),
  installedAt: time.optional(),
});
export const update = z.object({
  /** False on a trial machine, and where RAUC is missing. */
  possible: z.boolean(),
  phase: z.enum(UPDATE_PHASES),
  progressPercent: z.number().min(0).max(100).optional(),
  detail: z.string().optional(),
  version: z.string(),
  slots: z.array(slot),
  available: z
    .object({ version: z.string(), notes: text.optional(), octets: count.optional(), foundAt: time })
    .optional(),
  checkedAt: time.optional(),
  trial: z
    .object({
      since: time,
      endsAt: time,
      /** What must be true before the slot is marked good. */
      checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
    })
    .optional(),
  /** Why the box went back to the other slot by itself. */
  lastFallback: z.object({ at: time, from: z.string(), reason: z.string(), version: z.string().optional() }).optional(),
  settings: z.object({
    source: z.string(),
    automatic: z.boolean(),
    /** Local hours of day in which the box may restart: from, to. */
    window: z.object({ from: z.number().int().min(0).max(23), to: z.number().int().min(0).max(23) }),
    trialMs: count,
  }),
});
export type UpdateAnswer = z.output<typeof update>;

/** How one interface gets its addresses. */
export const interfaceSettings = z.strictObject({
  name: interfaceName,
  ipv4: z.discriminatedUnion('method', [
    z.strictObject({ method: z.literal('dhcp') }),
    z.strictObject({
      method: z.literal('static'),
      addresses: z.array(addressWithPrefix).min(1).max(16),
      gateway: ADDRESS.exactOptional(),
    }),
    z.strictObject({ method: z.literal('off') }),
  ]),
  ipv6: z.discriminatedUnion('method', [
    z.strictObject({ method: z.literal('auto') }),
    z.strictObject({
      method: z.literal('static'),
      addresses: z.array(addressWithPrefix).min(1).max(16),
      gateway: ADDRESS.exactOptional(),
    }),
    z.strictObject({ method: z.literal('off') }),
  ]),
  mtu: z.number().int().min(1_280).max(9_216).exactOptional(),
  vlan: z.number().int().min(1).max(4_094).exactOptional(),
});
export type InterfaceSettings = z.output<typeof interfaceSettings>;
/** What networkd calls it; no two settings are for the same. */
export function interfaceKey({ name, vlan }: Pick<InterfaceSettings, 'name' | 'vlan'>): string {
  return vlan === undefined ? name : `${name}.${vlan}`;
}
export const MOST_INTERFACES = 8;

export const networkSettings = z.strictObject({
  hostname: hostName,
  interfaces: z
    .array(interfaceSettings)
    .min(1)
    .max(MOST_INTERFACES)
    .refine((all) => new Set(all.map(interfaceKey)).size === all.length, 'Two settings for the same interface'),
  /** Upstream resolvers; empty: unbound asks the root servers itself. */
  dns: z.array(ADDRESS).max(8),
  /** Besides what DHCP names. */
  ntp: z.array(z.union([ADDRESS, hostName])).max(8),
  /** Prefixes from which pages are answered; empty: all that are private (RFC 1918, 4193, 3927). */
  inside: z.array(addressWithPrefix).max(64),
});
export type NetworkSettings = z.output<typeof networkSettings>;

/** A change that takes itself back unless confirmed. */
export const pendingChange = z.object({ id: z.string(), since: time, revertsAt: time });

export const network = z.object({
  settings: networkSettings,
  pending: pendingChange.optional(),
  interfaces: z.array(
    z.object({
      name: z.string(),
      mac: z.string(),
      up: z.boolean(),
      addresses: z.array(z.string()),
      mtu: count.optional(),
      speedMbit: count.optional(),
    }),
  ),
  gateways: z.array(z.string()),
  resolvers: z.array(z.string()),
});
export type NetworkAnswer = z.output<typeof network>;

export const clock = z.object({
  now: time,
  timeZone: z.string(),
  synchronised: z.boolean(),
  /** Whom the time comes from. */
  source: z.string().optional(),
  offsetMs: z.number().optional(),
  ntp: z.array(z.string()),
});

export const facts = z.object({
  at: time,
  /** Filled as far as each could be found out within the deadline. */
  model: z.string().optional(),
  serial: z.string().optional(),
  os: z.string(),
  kernel: z.string(),
  architecture: z.string(),
  uptimeMs: count,
  cpu: z.object({
    model: z.string(),
    cores: count,
    loadPercent: z.number().optional(),
    temperatureCelsius: z.number().optional(),
  }),
  memory: z.object({ total: count, available: count, swapTotal: count, swapUsed: count }),
  disks: z.array(
    z.object({ mount: z.string(), device: z.string(), type: z.string(), total: count, used: count, free: count }),
  ),
  /** Of the drive itself, where it tells. */
  drives: z.array(
    z.object({
      device: z.string(),
      model: z.string(),
      kind: z.enum(['ssd', 'hdd', 'nvme', 'emmc', 'virtual', 'unknown']),
      octets: count.optional(),
      healthy: z.boolean().optional(),
      /** How much of its life a flash drive has used: 100 is what its maker promised. */
      wornPercent: z.number().optional(),
      temperatureCelsius: z.number().optional(),
      powerOnHours: count.optional(),
      detail: z.string().optional(),
    }),
  ),
});
export type FactsAnswer = z.output<typeof facts>;

/** From where the recipients' own page is reached. */
export const PORTAL_REACH = ['off', 'inside', 'everywhere'] as const;
export type PortalReach = (typeof PORTAL_REACH)[number];

export const SERVICES = [
  'gateway',
  'admin',
  'portal',
  'clamd',
  'freshclam',
  'rspamd',
  'unbound',
  'chrony',
  'nut',
  'nftables',
  'host',
] as const;
export type ServiceName = (typeof SERVICES)[number];
export const service = z.object({
  name: z.enum(SERVICES),
  state: z.enum(['running', 'starting', 'stopped', 'failed', 'absent', 'unknown']),
  since: time.optional(),
  restarts: count.optional(),
  memoryOctets: count.optional(),
  detail: z.string().optional(),
});
export type ServiceAnswer = z.output<typeof service>;

export const DIAGNOSTICS = ['ping', 'dns', 'route', 'smtp', 'ports', 'disk', 'engines', 'time'] as const;
export type DiagnosticName = (typeof DIAGNOSTICS)[number];
export const diagnostic = z.object({
  test: z.enum(DIAGNOSTICS),
  ok: z.boolean(),
  /** What it means, for a person. */
  summary: text,
  /** What was seen, line by line. */
  lines: z.array(z.string()),
  elapsedMs: count,
});
export type DiagnosticAnswer = z.output<typeof diagnostic>;

/** A log line of the machine. */
export const logLine = z.object({
  at: time,
  unit: z.string(),
  /** syslog's: 0 emergency … 7 debug. */
  priority: z.number().int().min(0).max(7),
  message: z.string(),
});

export const usbStick = z.object({ device: z.string(), label: z.string(), octets: count, fileSystem: z.string() });

/** Where the key of an encrypted data partition lies; by what it was opened at this start. */
export const DISK_KEYS = ['usb', 'tpm2'] as const;
export type DiskKey = (typeof DISK_KEYS)[number];
export const DISK_OPENERS = [...DISK_KEYS, 'recovery'] as const;
export type DiskOpener = (typeof DISK_OPENERS)[number];

/** `encrypted` is absent where it cannot be known; `text`: what a thief could read, in one sentence. */
export const disk = z.object({
  encrypted: z.boolean().optional(),
  key: z.enum(DISK_KEYS).optional(),
  opened: z.enum(DISK_OPENERS).optional(),
  /** to-note: the screen of the box shows it until somebody has written it down. */
  recoveryKey: z.enum(['to-note', 'noted']).optional(),
  text: text.optional(),
});
export type DataDisk = z.output<typeof disk>;

export const hostStatus = z.object({
  version: z.string(),
  mode: z.enum(HOST_MODES),
  hostname: z.string(),
  bootId: z.string(),
  startedAt: time,
  /** Until when this version gets security updates, by the image it came in; absent on a trial machine. */
  supportedUntil: z.string().optional(),
  claimed: z.boolean(),
  degraded: degraded.optional(),
  watchdog,
  ups,
  update: z.object({ phase: z.enum(UPDATE_PHASES), available: z.string().optional() }),
  clock: z.object({ synchronised: z.boolean(), timeZone: z.string() }),
  disk,
  /** A reset of access the owner asked for at the console, which admin has not carried out yet. */
  accessReset: z.object({ id: z.string(), at: time }).optional(),
  alarms: z.array(hostAlarm),
});
export type HostStatus = z.output<typeof hostStatus>;

function isPrefix(value: string): boolean {
  const [address = '', bits = '', ...rest] = value.split('/');
  const family = isIP(address);
  return rest.length === 0 && family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}
