/**
 * The process `admin`: HTTPS for the pages and the API. Composition only; it owns users, sessions and the audit, and asks the
 * gateway and the host for everything else over their control sockets.
 *
 *   node src/admin.ts --data DIR --gateway-socket FILE [--host-socket FILE] [--address ADDR] [--port N] [--plain-port N]
 *                     [--pages DIR] [--names a,b] [--own-setup-code] [--journald]
 *
 * --own-setup-code: admin makes the code itself (a trial); without it the host keeps it, where there is one.
 *
 * SIGTERM, SIGINT: a clean stop. SIGHUP: a new setup code and a new hour, while the box is not claimed. Exit codes: 0 clean
 * stop · 64 usage · 70 a bug · 75 a step of the start failed: start again.
 */
import { mkdirSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openAdmin } from './api/admin.ts';
import { describeError, SekishoError } from './base/errors.ts';
import { sourceStack } from './base/source-stack.ts';
import { followTimeZone } from './base/time-zone.ts';
import { renewCertificates } from './jobs/renew-certificates.ts';
import { startJobs } from './jobs/scheduler.ts';
import { createLog } from './observe/log.ts';

const USAGE =
  'Usage: admin --data DIR --gateway-socket FILE [--host-socket FILE] [--address ADDR] [--port N] [--plain-port N]';

/** Gateway and network may need their time after a start of the machine. */
const CATCH_UP_MS = 120_000;

interface Arguments {
  data: string;
  gatewaySocket: string;
  hostSocket: string | undefined;
  ownSetupCode: boolean;
  address: string;
  port: number;
  plainPort: number | undefined;
  pages: string;
  names: string[];
  journald: boolean;
}

async function main(given: Arguments): Promise<void> {
  const log = createLog({ level: 'info', journald: given.journald });
  let ending = false;
  const end = (code: number): void => {
    if (ending) return;
    ending = true;
    log.flush(1_000).then(
      () => process.exit(code),
      () => process.exit(code),
    );
  };
  process.on('uncaughtException', (error) => {
    log.write('error', 'Admin ends because of a bug', { error: describeError(error), stack: sourceStack(error) });
    end(70);
  });
  mkdirSync(given.data, { recursive: true, mode: 0o700 });
  const admin = await openAdmin({
    ...given,
    now: () => Date.now(),
    machineNames: [hostname(), ...ownAddresses()],
    log: (level, message, facts) => log.write(level, message, facts),
  });
  const jobs = startJobs(
    [renewCertificates({ run: (signal) => admin.renewCertificates(signal), random: Math.random })],
    {
      timeZone: followTimeZone(process.env),
      catchUpMs: CATCH_UP_MS,
      record: path.join(given.data, 'jobs.json'),
      now: () => Date.now(),
      onTrouble: (job, detail) => log.write('warn', 'Job failed', { job, detail }),
    },
  );
  admin.showJobs(jobs);
  const stop = (signal: string): void => {
    log.write('info', 'Admin stops', { signal });
    const closed = (async () => {
      await jobs.stop();
      await admin.close();
    })();
    closed.then(
      () => end(0),
      (error: unknown) => {
        log.write('error', 'Admin did not stop cleanly', { error: describeError(error) });
        end(75);
      },
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('SIGHUP', () => {
    admin.renewSetupCode().then(
      (renewed) => log.write('info', renewed ? 'A new setup code was made' : 'No setup code is needed'),
      (error: unknown) => log.write('error', 'No setup code could be made', { error: describeError(error) }),
    );
  });
  // never the code itself: logs go further than consoles
  log.write('info', 'Admin is ready', {
    port: admin.port,
    plainPort: admin.plainPort,
    fingerprint: admin.fingerprint(),
    claimed: admin.claimed(),
  });
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((known) => known ?? [])
    .map(({ address }) => address)
    .filter((address) => !address.startsWith('fe80:'));
}

function readArguments(): Arguments | undefined {
  try {
    const { values } = parseArgs({
      options: {
        data: { type: 'string' },
        'gateway-socket': { type: 'string' },
        'host-socket': { type: 'string' },
        'own-setup-code': { type: 'boolean', default: false },
        address: { type: 'string', default: '0.0.0.0' },
        port: { type: 'string', default: '443' },
        'plain-port': { type: 'string' },
        pages: { type: 'string', default: path.join(import.meta.dirname, '../webui/dist') },
        names: { type: 'string', default: '' },
        journald: { type: 'boolean', default: false },
      },
    });
    const { data, 'gateway-socket': gatewaySocket, 'plain-port': plain } = values;
    const port = Number(values.port);
    const plainPort = plain === undefined ? undefined : Number(plain);
    const ports = [port, ...(plainPort === undefined ? [] : [plainPort])];
    if (data === undefined || gatewaySocket === undefined) return undefined;
    if (ports.some((one) => !Number.isInteger(one) || one < 0 || one > 65_535)) return undefined;
    return {
      data: path.resolve(data),
      gatewaySocket,
      hostSocket: values['host-socket'],
      ownSetupCode: values['own-setup-code'],
      address: values.address,
      port,
      plainPort,
      pages: path.resolve(values.pages),
      names: values.names.split(',').filter((name) => name !== ''),
      journald: values.journald,
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
main(given).catch((error: unknown) => {
  const remedy = error instanceof SekishoError && error.remedy !== undefined ? `\n${error.remedy}` : '';
  process.stderr.write(`${describeError(error)}${remedy}\n`);
  process.exit(75);
});
