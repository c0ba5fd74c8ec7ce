/**
 * The gateway process: composition only. Boot order from top to bottom, stop in reverse.
 *
 *   node src/gateway.ts --config FILE --data DIR
 *     --sockets: listen only on what systemd handed over · --host-socket FILE: the machine's host · --degraded: say 421 and why,
 *     nothing else (--degraded-if FILE: when that file exists) · --inspect-socket FILE: the inspect workers' own unit ·
 *     --portal-socket FILE: where the portal asks (run/portal/sock in the data folder)
 *
 * SIGTERM, SIGINT: a clean stop (sessions end, attempts end or are cut, the spool closes with its marker). SIGHUP: reload the
 * configuration. Exit codes: 0 clean stop · 64 usage · 70 a bug · 75 the spool is not trusted any more or a step of the boot
 * failed: start again · 78 no valid configuration.
 */
import { mkdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { systemClock } from './base/clock.ts';
import { describeError, errorCode, SekishoError } from './base/errors.ts';
import { createSecureResolver } from './base/secure-dns.ts';
import { createServiceNotifier } from './base/service-notify.ts';
import { sourceStack } from './base/source-stack.ts';
import { followTimeZone } from './base/time-zone.ts';
import { openConfigStore } from './config/store.ts';
import { createHostClient } from './control/host-client.ts';
import { createControlServer } from './control/server.ts';
import { createDelivery } from './deliver/delivery.ts';
import { StsPolicies } from './deliver/mta-sts.ts';
import { createStsFetch } from './deliver/mta-sts-fetch.ts';
import { createRecipientDirectory } from './accept/directory.ts';
import { KnownPeers } from './accept/known-peers.ts';
import { createAlertRun } from './gateway/alert-mail.ts';
import { createHandlers } from './gateway/handlers.ts';
import { closedDoor } from './gateway/closed-door.ts';
import { degradedReason, runDegraded } from './gateway/degraded.ts';
import { followed, followedResolver } from './gateway/followed-resolver.ts';
import { createDoors, type Doors } from './gateway/doors.ts';
import { createKnownTime } from './gateway/known-time.ts';
import { reload } from './gateway/reload.ts';
import { linkToHost } from './gateway/host-link.ts';
import { watchLife } from './gateway/life.ts';
import { takeInheritedFds } from './gateway/sockets.ts';
import { openProbeMail } from './gateway/probe-mail.ts';
import { watchSignatures } from './gateway/signature-age.ts';
import { openQuarantine } from './gateway/own-quarantine.ts';
import { openSpoolPatiently } from './gateway/spool-identity.ts';
import { waitingHandlers } from './gateway/waiting-handlers.ts';
import { sweepWorkerFolders } from './gateway/worker-folders.ts';
import { mailJobs } from './jobs/mail-jobs.ts';
import { startJobs } from './jobs/scheduler.ts';
import { createInspectors } from './inspect/inspectors.ts';
import { createHistory } from './observe/history.ts';
import { createLog } from './observe/log.ts';
import { createMetrics } from './observe/metrics.ts';
import { MetricsDoor } from './gateway/metrics-door.ts';
import { createObserver } from './observe/observer.ts';
import { createPipeline } from './pipeline.ts';
import { createIncomingWork } from './pipeline-incoming.ts';

const USAGE =
  'Usage: gateway --config FILE --data DIR [--journald] [--sockets] [--host-socket FILE] [--degraded] [--degraded-if FILE]';
const STOP_GRACE_MS = 15_000;
/** What was due while the gateway was down runs this long after its start. */
const CATCH_UP_MS = 60_000;

interface Arguments {
  config: string;
  data: string;
  journald: boolean;
  /** Sockets handed over, by name; undefined: the ports are opened here. */
  fds: ReadonlyMap<string, number> | undefined;
  hostSocket: string | undefined;
  inspectSocket: string | undefined;
  portalSocket: string;
  /** Why nothing but 421 is said. */
  degraded: string | undefined;
}

/** `--degraded`: the doors say 421, control says why, and nothing else runs that could crash again. */
async function degradedMain(given: Arguments, reason: string): Promise<void> {
  const log = createLog({ level: 'info', journald: given.journald });
  const notify = createServiceNotifier({
    socket: process.env['NOTIFY_SOCKET'],
    onTrouble: (detail) => log.write('warn', 'The service manager cannot be told', { detail }),
  });
  const end = exitWith((deadlineMs) => log.flush(deadlineMs));
  const { config: configFile, data, fds } = given;
  const running = await runDegraded({ configFile, data, reason, fds, clock: systemClock(), log, notify });
  const stop = (): void => {
    notify.close();
    running.close().then(
      () => end(0),
      () => end(75),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

async function main(given: Arguments): Promise<void> {
  const { config: configFile, data, journald, fds, hostSocket, inspectSocket, portalSocket } = given;
  const stack = new AsyncDisposableStack();
  const hostClient = hostSocket === undefined ? undefined : createHostClient({ socket: hostSocket });
  const time = createKnownTime({ host: hostClient, wall: () => Date.now() });
  stack.defer(() => time.stop());
  const clock = systemClock({ synchronised: () => time.synchronised() });

  // 1 · what tells
  mkdirSync(path.join(data, 'run'), { recursive: true, mode: 0o700 });
  mkdirSync(path.join(data, 'history'), { recursive: true, mode: 0o700 });
  const log = createLog({ level: 'info', journald });
  const metrics = createMetrics();
  stack.defer(() => metrics.close());
  stack.defer(() => log.flush());
  const history = createHistory({
    file: path.join(data, 'history', 'history.sqlite'),
    days: 400,
    subjects: true,
    clock,
    onFault: (detail) =>
      detail === undefined
        ? observe.clear('history-fault', 'history')
        : observe.raise('history-fault', 'history', detail),
  });
  stack.use(history);
  const observe = createObserver({ log, metrics, history, clock });
  const end = exitWith((deadlineMs) => log.flush(deadlineMs));
  process.on('uncaughtException', (error) => {
    observe.log('error', 'Gateway ends because of a bug', { error: describeError(error), stack: sourceStack(error) });
    end(70);
  });

  const notify = createServiceNotifier({
    socket: process.env['NOTIFY_SOCKET'],
    onTrouble: (detail) => observe.log('warn', 'The service manager cannot be told', { detail }),
  });
  stack.defer(() => notify.close());

  // 2 · configuration
  const store = await openConfigStore({
    file: configFile,
    clock,
    fallBack: true,
    localAddresses: Object.values(networkInterfaces()).flatMap((known) => (known ?? []).map(({ address }) => address)),
    onTrouble: (detail) => observe.log('warn', 'Configuration generations cannot be kept', { detail }),
    onRefused: (problems) =>
      observe.raise(
        'config-refused',
        'config',
        problems.map((problem) => `${problem.path}: ${problem.message.en}`).join('; '),
      ),
    onAccepted: () => observe.clear('config-refused', 'config'),
  });
  const probes = stack.use(await openProbeMail({ observe, clock }));
  const config = () => probes.extend(store.current());
  observe.setLogLevel(config().log.level);
  history.configure(config().history);
  const resolver = followedResolver(config);

  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    observe.log('info', 'Gateway stops', { signal });
    stack.disposeAsync().then(
      () => end(0),
      (error: unknown) => {
        observe.log('error', 'Gateway did not stop cleanly', { error: describeError(error) });
        end(75);
      },
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  const reloading: { renew: () => Promise<void> } = { renew: () => Promise.resolve() };
  process.on('SIGHUP', () => void reload(store, observe, reloading));

  // 3 · the spool, before any listener opens; while it is not there, the doors say 421 and control says why
  /** A socket a caller: owner and mode of each say who may use it. */
  const sockets = [
    { caller: 'cli', socket: path.join(data, 'run', 'control.sock') },
    { caller: 'admin', socket: path.join(data, 'run', 'admin.sock'), mode: 0o660 },
    // in a folder of its own: who faces the outside must not come near the others'
    { caller: 'portal', socket: portalSocket, mode: 0o660 },
    { caller: 'console', socket: path.join(data, 'run', 'console.sock'), mode: 0o660 },
  ] as const;
  const startedAt = clock.wall();
  const waiting = waitingHandlers({ store, observe, clock, startedAt });
  const early = await Promise.all(sockets.map((one) => createControlServer({ ...one, handlers: waiting, observe })));
  const door = await closedDoor(config(), { observe, ...(fds === undefined ? {} : { fds }) });
  notify.ready(); // the doors speak and control tells why: who waits for mail to flow asks `status`
  const gate: { session: () => ReturnType<Doors['probe']> } = { session: () => undefined };
  const life = await watchLife({
    clock,
    folder: path.join(data, 'run'),
    session: () => gate.session(),
    ping: () => notify.watchdog(),
    tell: (message, facts) => observe.log('warn', message, facts),
  });
  stack.defer(() => life.stop());
  const spool = await openSpoolPatiently({
    root: path.join(data, 'spool'),
    record: path.join(store.directory, 'spool-identity.json'),
    clock,
    observe,
    limits: () => config().spool,
    onFault: (error) => {
      observe.log('error', 'Gateway ends, the spool must be verified by a new process', {
        error: describeError(error),
      });
      end(75);
    },
  });
  stack.use(spool);

  // 4 · the stages
  await sweepWorkerFolders(path.join(data, 'run'));
  const inspectors = createInspectors({
    config,
    resolver,
    observe,
    clock,
    runDir: path.join(data, 'run'),
    workerEntry: path.join(import.meta.dirname, 'inspect.ts'),
    workerSocket: inspectSocket,
  });
  stack.use(inspectors);
  const signatures = watchSignatures({ health: () => inspectors.health(), observe, clock });
  stack.defer(() => signatures.stop());
  const sts = await StsPolicies.open({
    resolver,
    fetch: createStsFetch({ resolver }),
    clock,
    observe,
    file: path.join(data, 'mta-sts.json'),
  });
  stack.use(sts);
  const policies = { secure: followed(config, createSecureResolver), sts, clock };
  const delivery = createDelivery({ config, spool, resolver, policies, observe, clock });
  stack.defer(() => delivery.stop({ graceMs: STOP_GRACE_MS }));
  const parts = { config, spool, inspectors, observe, clock };
  const pipeline = createPipeline(parts);
  const incoming = createIncomingWork(parts);
  stack.defer(() => incoming.stop());
  const { quarantine, own, runDigest } = await openQuarantine({ data, spool, observe, clock, config });
  const tell = (message: string, facts: Record<string, unknown>): void => observe.log('info', message, facts);
  const runAlerts = createAlertRun({ data, spool, observe, clock, config, host: hostClient });
  const jobs = startJobs(mailJobs({ quarantine, history, runDigest, runAlerts, tell }), {
    timeZone: followTimeZone(process.env),
    catchUpMs: CATCH_UP_MS,
    record: path.join(data, 'jobs.json'),
    now: () => clock.wall(),
    onTrouble: (job, detail) => observe.log('error', 'Job failed', { job, detail }),
  });
  stack.defer(() => jobs.stop());

  // 5 · the doors
  const directory = await createRecipientDirectory({
    config,
    callAhead: (address) => delivery.checkRecipient(address),
    clock,
    cacheFile: path.join(data, 'recipients.json'),
    observe,
    baseDirectory: store.directory,
  });
  stack.use(directory);
  const known = await KnownPeers.open({ clock, observe, file: path.join(data, 'known-peers.json') });
  stack.use(known);
  const doors = createDoors({
    known,
    config,
    data,
    configDirectory: store.directory,
    pipeline,
    directory: probes.guard(directory),
    observe,
    clock,
    resolver,
    ...(fds === undefined ? {} : { inherited: door.inherited }),
  });
  stack.defer(() => doors.close({ graceMs: STOP_GRACE_MS }));

  // 6 · control
  const handlers = createHandlers({
    store,
    spool,
    inspectors,
    delivery,
    quarantine,
    own,
    history,
    observe,
    metrics,
    clock,
    doors,
    probes,
    startedAt,
    data,
    log,
    jobs,
  });
  await Promise.all(early.map((server) => server.close()));
  for (const one of sockets) stack.use(await createControlServer({ ...one, handlers, observe }));
  const metricsDoor = stack.use(await MetricsDoor.open(config(), { metrics, observe }));

  // 7 · mail flows
  delivery.start();
  incoming.start();
  await door.close();
  const listening = await doors.open();
  gate.session = () => doors.probe();
  const host =
    hostClient === undefined
      ? undefined
      : linkToHost({
          host: hostClient,
          config,
          tell: (message, facts) => observe.log('info', message, facts),
          onPower: (power, detail) => {
            const closing = power === 'drain' || power === 'shutdown';
            doors.refuse(closing);
            if (closing) delivery.retryNow({});
            observe.log('warn', 'Power changed', { power, detail });
          },
        });
  stack.defer(() => host?.stop());
  reloading.renew = () => doors.renew();
  store.onChange(async (next, previous) => {
    observe.setLogLevel(next.log.level);
    history.configure(next.history);
    await metricsDoor.follow(next, previous);
    await doors.follow(next, previous);
    host?.listenersChanged();
  });
  // what waits for another way out, or for another login there, goes now
  store.onStanding(({ outbound }, previous) => {
    if (!isDeepStrictEqual(outbound.smarthost, previous.outbound.smarthost)) delivery.retryNow({ hop: 'smarthost' });
  });
  notify.status('Mail flows');
  observe.log('info', 'Gateway is ready', { listening, spool: spool.status().recovery, config: store.file });
}

/** Ends the process once the log is out; the second call does nothing. */
function exitWith(flush: (deadlineMs?: number) => Promise<void>): (code: number) => void {
  let ending = false;
  return (code) => {
    if (ending) return;
    ending = true;
    flush(1_000).then(
      () => process.exit(code),
      () => process.exit(code),
    );
  };
}

function readArguments(): Arguments | undefined {
  try {
    const { values } = parseArgs({
      options: {
        config: { type: 'string' },
        data: { type: 'string' },
        journald: { type: 'boolean', default: false },
        sockets: { type: 'boolean', default: false },
        'host-socket': { type: 'string' },
        'inspect-socket': { type: 'string' },
        'portal-socket': { type: 'string' },
        degraded: { type: 'boolean', default: false },
        'degraded-if': { type: 'string' },
      },
    });
    if (values.config === undefined || values.data === undefined) return undefined;
    const fds = takeInheritedFds(process.env, process.pid);
    return {
      config: path.resolve(values.config),
      data: path.resolve(values.data),
      journald: values.journald,
      fds: values.sockets ? fds : undefined,
      hostSocket: values['host-socket'],
      inspectSocket: values['inspect-socket'],
      portalSocket: path.resolve(values['portal-socket'] ?? path.join(values.data, 'run', 'portal', 'sock')),
      degraded: values.degraded ? 'The gateway was started so' : degradedReason(values['degraded-if']),
    };
  } catch {
    return undefined;
  }
}

const given = readArguments();
if (given === undefined) {
  process.stderr.write(`${USAGE}\n`);
  process.exit(64);
}
const running = given.degraded === undefined ? main(given) : degradedMain(given, given.degraded);
running.catch((error: unknown) => {
  const remedy = error instanceof SekishoError && error.remedy !== undefined ? `\n${error.remedy}` : '';
  process.stderr.write(`${describeError(error)}${remedy}\n`);
  process.exit(errorCode(error) === 'CONFIG_INVALID' ? 78 : 75);
});
