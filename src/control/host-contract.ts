/**
 * The contract of the host's control sockets: what may be asked of the machine, and by whom. One socket a caller, in the
 * host's run folder: `admin.sock`, `console.sock`, `gateway.sock`; owner and mode of the file are the access control, so what
 * only somebody standing before the box may do (setup code, reset of access, factory reset) exists on the console's alone.
 * On a trial machine the host runs unprivileged: it answers what it can see, and changes say `READ_ONLY`.
 */
import { z } from 'zod';
import { advisories } from './advisory-shapes.ts';
import * as shape from './host-shapes.ts';
import { mapSettings, spamMaps } from './map-shapes.ts';
import { signatures, signatureSettings } from './signature-shapes.ts';
import { count, job, time } from './shapes.ts';
import { type HandlersOf, verb } from './verb.ts';

export const HOST_CALLERS = ['admin', 'console', 'gateway'] as const;
export type HostCaller = (typeof HOST_CALLERS)[number];

const ALL = HOST_CALLERS;
const PEOPLE = ['admin', 'console'] as const;
const CONSOLE = ['console'] as const;
const ADMIN = ['admin'] as const;

const nothing = z.strictObject({});
const done = z.object({ ok: z.literal(true) });
const number = z.union([
  z.number(),
  z
    .string()
    .regex(/^\d{1,15}$/, 'Give a whole number')
    .transform(Number),
]);
/** What a person typed as an address or name to test; host checks it again where it is used. */
const target = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[A-Za-z0-9._:-]+$/, 'Give a host name or an IP address')
  .refine((text) => !text.startsWith('-'), 'Give a host name or an IP address');
/** A name without a path; dots only inside. */
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'Give a file name without a folder');
const passphrase = z.string().min(12, 'Give at least 12 characters').max(500);

/** What has to be typed, in full, before everything is wiped. */
export const FACTORY_RESET_WORDS = 'ERASE EVERYTHING';

/** Ports a gateway may ask for: its own kinds, and what no service of ours has. */
const mailPort = z
  .number()
  .int()
  .refine((port) => [25, 465, 587].includes(port) || (port >= 1_024 && port <= 65_535), 'Not a port for mail');

export const HOST_VERBS = {
  'host.status': verb('GET', '/v1/status', { callers: ALL, request: nothing, response: shape.hostStatus }),
  facts: verb('GET', '/v1/facts', { callers: PEOPLE, request: nothing, response: shape.facts }),

  // ---- network and name
  'network.show': verb('GET', '/v1/network', { callers: PEOPLE, request: nothing, response: shape.network }),
  /** Takes effect at once, and takes itself back at `revertsAt` unless confirmed; also after a power cut in between. */
  'network.set': verb('POST', '/v1/network/set', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: z.strictObject({ settings: shape.networkSettings }),
    response: shape.pendingChange,
  }),
  'network.confirm': verb('POST', '/v1/network/confirm', {
    callers: PEOPLE,
    request: z.strictObject({ id: z.string().max(64) }),
    response: done,
  }),
  'network.revert': verb('POST', '/v1/network/revert', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: nothing,
    response: done,
  }),

  // ---- time
  'time.show': verb('GET', '/v1/time', { callers: PEOPLE, request: nothing, response: shape.clock }),
  'time.set': verb('POST', '/v1/time/set', {
    callers: PEOPLE,
    request: z.strictObject({
      timeZone: z
        .string()
        .regex(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/)
        .exactOptional(),
      /** Only forward, and only while nobody on the network tells the time. */
      now: z.iso.datetime({ offset: true }).exactOptional(),
    }),
    response: shape.clock,
  }),

  // ---- services, logs, power
  'services.list': verb('GET', '/v1/services', {
    callers: PEOPLE,
    request: nothing,
    response: z.object({ services: z.array(shape.service) }),
  }),
  'services.restart': verb('POST', '/v1/services/restart', {
    callers: PEOPLE,
    deadlineMs: 120_000,
    request: z.strictObject({ name: z.enum(shape.SERVICES) }),
    response: done,
  }),
  'logs.read': verb('GET', '/v1/logs', {
    callers: PEOPLE,
    request: z.strictObject({
      service: z.enum(shape.SERVICES).exactOptional(),
      /** This grave or graver: 3 errors, 4 warnings, 6 everything usual. */
      priority: number.pipe(z.number().int().min(0).max(7)).exactOptional(),
      lines: number.pipe(z.number().int().min(1).max(2_000)).default(200),
      /** From the answer before: what came after it. */
      cursor: z.string().min(1).max(500).exactOptional(),
    }),
    response: z.object({ lines: z.array(shape.logLine), cursor: z.string().optional() }),
  }),
  'power.reboot': verb('POST', '/v1/power/reboot', {
    callers: PEOPLE,
    /** otherSlot: starts the system in the other slot, once proven there it stays. */
    request: z.strictObject({ otherSlot: z.boolean().exactOptional() }),
    response: done,
  }),
  'power.off': verb('POST', '/v1/power/off', { callers: PEOPLE, request: nothing, response: done }),

  // ---- claim and access
  /** The code on the screen, until the box is claimed. Never on the network. */
  'setup-code.show': verb('GET', '/v1/setup-code', {
    callers: CONSOLE,
    request: nothing,
    response: z.object({ claimed: z.boolean(), code: z.string().optional(), madeAt: time.optional() }),
  }),
  'setup-code.renew': verb('POST', '/v1/setup-code/renew', {
    callers: CONSOLE,
    request: nothing,
    response: z.object({ code: z.string() }),
  }),
  /** Wrong codes cost a growing wait for everybody: 30 bits are not to be guessed. Right: it stays valid until `claim.done`. */
  'setup-code.check': verb('POST', '/v1/setup-code/check', {
    callers: ADMIN,
    request: z.strictObject({ code: z.string().min(1).max(64) }),
    response: z.object({ ok: z.boolean(), waitMs: count.optional(), expired: z.boolean().optional() }),
  }),
  /** The box has an owner now: the code ends, and the mail ports open. */
  'claim.done': verb('POST', '/v1/claim/done', {
    callers: ADMIN,
    deadlineMs: 60_000,
    request: nothing,
    response: done,
  }),
  /** Asks admin to let whoever holds the new setup code set a new password. Works while admin is dead: it is on record. */
  'access.reset': verb('POST', '/v1/access/reset', {
    callers: CONSOLE,
    request: nothing,
    response: z.object({ id: z.string(), code: z.string() }),
  }),
  /** Admin carried it out; the code ends. */
  'access.reset-done': verb('POST', '/v1/access/reset-done', {
    callers: ADMIN,
    request: z.strictObject({ id: z.string().max(64) }),
    response: done,
  }),
  'factory-reset': verb('POST', '/v1/factory-reset', {
    callers: CONSOLE,
    request: z.strictObject({ confirmation: z.literal(FACTORY_RESET_WORDS) }),
    response: done,
  }),
  /** Erases all, as a factory reset does, and makes the data partition anew, encrypted. */
  'disk.encrypt': verb('POST', '/v1/disk/encrypt', {
    callers: CONSOLE,
    deadlineMs: 120_000,
    request: z.strictObject({
      confirmation: z.literal(FACTORY_RESET_WORDS),
      key: z.enum(shape.DISK_KEYS),
      /** The stick of `usb.list` that gets the key. */
      usb: z.string().max(64).exactOptional(),
    }),
    response: done,
  }),
  /** Until somebody noted it; after that nobody can read it, only have another made at a restart. */
  'recovery-key.show': verb('GET', '/v1/recovery-key', {
    callers: CONSOLE,
    request: nothing,
    response: z.object({ key: z.string().optional() }),
  }),
  'recovery-key.noted': verb('POST', '/v1/recovery-key/noted', {
    callers: CONSOLE,
    deadlineMs: 60_000,
    /** Its last five signs, as written down. */
    request: z.strictObject({ last: z.string().max(64) }),
    response: done,
  }),
  'recovery-key.renew': verb('POST', '/v1/recovery-key/renew', {
    callers: CONSOLE,
    deadlineMs: 60_000,
    request: nothing,
    response: done,
  }),

  // ---- help
  'diagnostics.run': verb('POST', '/v1/diagnostics', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: z.strictObject({
      test: z.enum(shape.DIAGNOSTICS),
      target: target.exactOptional(),
      port: z.number().int().min(1).max(65_535).exactOptional(),
    }),
    response: shape.diagnostic,
  }),
  'bundle.preview': verb('GET', '/v1/bundle/preview', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: nothing,
    /** Everything that would be in it, in full. */
    response: z.object({ files: z.array(z.object({ name: z.string(), octets: count, text: z.string() })) }),
  }),
  /** Encrypted to the passphrase. Without `usb` it is kept an hour for `bundle.read`. */
  'bundle.create': verb('POST', '/v1/bundle/create', {
    callers: PEOPLE,
    deadlineMs: 120_000,
    request: z.strictObject({ passphrase, usb: z.string().max(64).exactOptional() }),
    response: z.object({ id: z.string(), name: z.string(), octets: count, sha256: z.string() }),
  }),
  'bundle.read': verb('GET', '/v1/bundle/read', {
    callers: ADMIN,
    request: z.strictObject({ id: z.string().max(64), offset: number.default(0) }),
    response: z.object({ base64: z.string(), next: count.optional() }),
  }),
  'usb.list': verb('GET', '/v1/usb', {
    callers: PEOPLE,
    request: nothing,
    response: z.object({ sticks: z.array(shape.usbStick) }),
  }),

  // ---- certificates
  /** For ten minutes at most an issuer may look at port 80 from outside, and admin may ask it by HTTPS. */
  'challenge.open': verb('POST', '/v1/challenge/open', { callers: ADMIN, request: nothing, response: done }),
  'challenge.close': verb('POST', '/v1/challenge/close', { callers: ADMIN, request: nothing, response: done }),

  // ---- watchdog, UPS
  /** Ends the degraded mode: the gateway is started in full, and its past crashes do not count any more. */
  'degraded.end': verb('POST', '/v1/degraded/end', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: nothing,
    response: done,
  }),
  'ups.show': verb('GET', '/v1/ups', { callers: PEOPLE, request: nothing, response: shape.ups }),
  'ups.set': verb('POST', '/v1/ups/set', {
    callers: PEOPLE,
    // a driver tries its UPS three times
    deadlineMs: 90_000,
    request: z.strictObject({
      /** auto: what is found on USB. network: a NUT server elsewhere. off: none is looked for. */
      mode: z.enum(['auto', 'network', 'off']),
      host: target.exactOptional(),
      name: z
        .string()
        .regex(/^[A-Za-z0-9._-]{1,40}$/)
        .exactOptional(),
      /** auto: instead of what NUT's own list names for what is plugged in. */
      driver: z.enum(shape.UPS_DRIVERS).exactOptional(),
      /** network: with a login (and `name`) that server counts us among those it shuts down; without, it is only read. */
      user: z
        .string()
        .regex(/^[\x21-\x7e]{1,64}$/)
        .exactOptional(),
      password: z
        .string()
        .regex(/^[\x20-\x7e]{1,128}$/)
        .exactOptional(),
    }),
    response: done,
  }),

  // ---- updates
  'update.show': verb('GET', '/v1/update', { callers: PEOPLE, request: nothing, response: shape.update }),
  'update.check': verb('POST', '/v1/update/check', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: nothing,
    response: shape.update,
  }),
  /** Begins in the background; `update.show` tells how far it is. upload: a file admin laid into the inbox folder. */
  'update.install': verb('POST', '/v1/update/install', {
    callers: PEOPLE,
    request: z.discriminatedUnion('from', [
      z.strictObject({ from: z.literal('source') }),
      z.strictObject({ from: z.literal('url'), url: z.url({ protocol: /^https$/ }).max(2_000) }),
      z.strictObject({ from: z.literal('usb'), device: z.string().max(64), file: fileName }),
      z.strictObject({ from: z.literal('upload'), file: fileName }),
    ]),
    response: done,
  }),
  'update.set': verb('POST', '/v1/update/set', {
    callers: ADMIN,
    request: z.strictObject({
      source: z.union([z.literal(''), z.url({ protocol: /^https$/ }).max(2_000)]).exactOptional(),
      automatic: z.boolean().exactOptional(),
      window: z
        .strictObject({ from: z.number().int().min(0).max(23), to: z.number().int().min(0).max(23) })
        .exactOptional(),
      trialMs: z.number().int().min(60_000).max(3_600_000).exactOptional(),
    }),
    response: done,
  }),

  /** What is known against the parts this system carries. */
  'advisories.show': verb('GET', '/v1/advisories', { callers: PEOPLE, request: nothing, response: advisories }),

  /** The owner's lists for the spam filter, from a server of his own. */
  'maps.show': verb('GET', '/v1/maps', { callers: PEOPLE, request: nothing, response: spamMaps }),
  'maps.set': verb('POST', '/v1/maps/set', { callers: ADMIN, request: mapSettings, response: done }),

  // ---- virus signatures
  'signatures.show': verb('GET', '/v1/signatures', { callers: PEOPLE, request: nothing, response: signatures }),
  'signatures.set': verb('POST', '/v1/signatures/set', {
    callers: ADMIN,
    deadlineMs: 90_000,
    request: signatureSettings,
    response: done,
  }),
  /** Files of ClamAV's that admin laid into the inbox folder: proven and used as fetched ones. Begins in the background. */
  'signatures.install': verb('POST', '/v1/signatures/install', {
    callers: ADMIN,
    request: z.strictObject({
      files: z
        .array(z.enum(['main.cvd', 'daily.cvd', 'bytecode.cvd']))
        .min(1)
        .max(3),
    }),
    response: done,
  }),

  // ---- jobs by the clock
  'jobs.list': verb('GET', '/v1/jobs', {
    callers: PEOPLE,
    request: nothing,
    response: z.object({ jobs: z.array(job) }),
  }),
  /** Answers when the run has ended, or after 20 s with `running`. */
  'jobs.run': verb('POST', '/v1/jobs/run', {
    callers: PEOPLE,
    deadlineMs: 40_000,
    request: z.strictObject({ name: z.string().regex(/^[a-z][a-z-]{0,63}$/) }),
    response: job,
  }),

  // ---- the gateway's own
  /** Where the configuration wants mail to come in. The host opens them once the box is claimed; `restart`: it will restart
   * the gateway to hand the new sockets over. */
  'listeners.apply': verb('POST', '/v1/listeners', {
    callers: ['gateway'],
    request: z.strictObject({
      listeners: z
        .array(
          z.strictObject({
            name: z.enum(['mx', 'relay', 'submission', 'submissions']),
            address: z.string().max(64),
            port: mailPort,
          }),
        )
        .max(8),
      /** The recipients' own page: who may reach it; off: it does not run. */
      portal: z.enum(shape.PORTAL_REACH).default('off'),
      /** elsewhere: another machine's, or none: this one's need not run. */
      antivirus: z.enum(['local', 'elsewhere']).exactOptional(),
    }),
    response: z.object({ open: z.boolean(), restart: z.boolean() }),
  }),
  /** Asked every few seconds: is there power, and may mail come in? */
  'power.state': verb('GET', '/v1/power/state', {
    callers: ['gateway'],
    deadlineMs: 5_000,
    request: nothing,
    response: z.object({ power: z.enum(shape.POWER_STATES), since: time.optional(), detail: z.string().optional() }),
  }),
} as const;

export type HostVerbName = keyof typeof HOST_VERBS;
export const HOST_VERB_NAMES = Object.keys(HOST_VERBS) as HostVerbName[];
export type HostVerbInput<V extends HostVerbName> = z.input<(typeof HOST_VERBS)[V]['request']>;
export type HostVerbAnswer<V extends HostVerbName> = z.output<(typeof HOST_VERBS)[V]['response']>;
export type HostHandlers = HandlersOf<typeof HOST_VERBS>;
