import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataOption } from '../../scripts/lib/command.ts';
import { layoutOf, makeFolders } from '../../scripts/lib/layout.ts';
import { freePort } from '../../scripts/lib/ports.ts';
import {
  livingPid,
  livingStarts,
  removePidFile,
  startTicks,
  writePidFile,
} from '../../scripts/lib/process-identity.ts';
import { CappedLog, type Death, SupervisedChild } from '../../scripts/lib/supervise.ts';
import {
  enginesWanted,
  ensureConfig,
  missingEngineKeys,
  readConfig,
  trialConfig,
  trialPorts,
} from '../../scripts/lib/trial-config.ts';
import { programOf } from '../../scripts/engines/engines.ts';
import { unboundZones } from '../../scripts/lab/zones.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sekisho-start-'));
});
after(async () => rm(folder, { recursive: true, force: true }));

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1_200; i += 1) {
    if (condition()) return;
    await sleep(50);
  }
  assert.fail('It did not happen within a minute');
}

function childOf(script: string, options: { stopMs?: number; onDeath?: (death: Death) => void } = {}): SupervisedChild {
  const spec = {
    name: 'child',
    command: process.execPath,
    args: ['-e', script],
    logFile: path.join(folder, 'child.log'),
    stopMs: options.stopMs ?? 5_000,
  };
  return new SupervisedChild(spec, { onDeath: options.onDeath ?? (() => undefined) });
}

test('a child that dies is told of and started again; a stop ends it for good', async () => {
  const deaths: Death[] = [];
  const child = childOf('console.log("up " + process.pid); setInterval(() => 0, 1000)', {
    onDeath: (death) => deaths.push(death),
  });
  child.start();
  await until(() => child.lastLines.length === 1);
  const first = child.pid;
  assert.ok(first !== undefined);
  assert.equal(child.lastLines[0], `up ${first}`); // setpriv became the program: the pid is its own
  process.kill(first, 'SIGKILL');
  await until(() => child.lastLines.length === 2);
  assert.deepEqual(
    deaths.map(({ status, restartInMs }) => ({ status, restartInMs })),
    [{ status: 'signal SIGKILL', restartInMs: 1_000 }],
  );
  const second = child.pid;
  assert.ok(second !== undefined && second !== first);
  assert.equal(await child.stop(), 'stopped');
  assert.equal(startTicks(second), undefined);
  assert.equal(deaths.length, 1);
});

test('a child that ignores SIGTERM is killed when its time is up', async () => {
  const child = childOf('process.on("SIGTERM", () => 0); console.log("up"); setInterval(() => 0, 1000)', {
    stopMs: 200,
  });
  child.start();
  await until(() => child.lastLines.includes('up'));
  const { pid } = child;
  assert.ok(pid !== undefined);
  assert.equal(await child.stop(), 'killed');
  assert.equal(startTicks(pid), undefined);
});

/** A main process with a worker that has the same pipes; the worker says its pid and does not listen to SIGTERM. */
function mainWithWorker(options: { detached: boolean }): string {
  const worker = 'process.on("SIGTERM", () => 0); console.log("worker " + process.pid); setInterval(() => 0, 1000)';
  const flags = JSON.stringify({ stdio: 'inherit', detached: options.detached });
  return `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(worker)}], ${flags});
    setInterval(() => 0, 1000)`;
}

function workersOf(child: SupervisedChild): number[] {
  return child.lastLines.filter((line) => line.startsWith('worker ')).map((line) => Number(line.slice(7)));
}

test('workers that a killed main process leaves behind die with it, at its restart and at its stop', async (t) => {
  const child = childOf(mainWithWorker({ detached: false }));
  t.after(async () => {
    await child.stop();
    for (const pid of workersOf(child)) if (startTicks(pid) !== undefined) process.kill(pid, 'SIGKILL');
  });
  child.start();
  await until(() => workersOf(child).length === 1);
  assert.ok(child.pid !== undefined);
  process.kill(child.pid, 'SIGKILL');
  await until(() => workersOf(child).length === 2);
  const [first = 0, second = 0] = workersOf(child);
  assert.equal(startTicks(first), undefined);
  assert.notEqual(startTicks(second), undefined);
  assert.equal(await child.stop(), 'stopped'); // the main process obeys SIGTERM, its worker does not
  await until(() => startTicks(second) === undefined);
});

test('a worker that fled its group does not hold our pipes after the stop', async () => {
  const pipes = (): number => process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap').length;
  const child = childOf(mainWithWorker({ detached: true }));
  child.start();
  await until(() => workersOf(child).length === 1);
  const [fled = 0] = workersOf(child);
  try {
    // its stdout and its stderr; those of a child before may still be closing
    const during = pipes();
    assert.ok(during >= 2);
    assert.equal(await child.stop(), 'stopped');
    await until(() => pipes() <= during - 2);
    assert.notEqual(startTicks(fled), undefined);
  } finally {
    process.kill(fled, 'SIGKILL');
  }
});

test('a start is found by its command line, with its own data folder only', async () => {
  const script = path.join(folder, 'scripts/lib/start.ts');
  await mkdir(path.dirname(script), { recursive: true });
  await writeFile(script, 'setInterval(() => 0, 1_000);');
  const data = path.join(folder, 'found');
  const child = spawn(process.execPath, [script, '--offline', '--data', data], { stdio: 'ignore' });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  try {
    await until(() => livingStarts(data).length === 1);
    assert.deepEqual(livingStarts(data), [child.pid]);
    assert.deepEqual(livingStarts(`${data}2`), []);
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
  assert.deepEqual(livingStarts(data), []);
});

test('a start removes its own pid file, never that of another', async () => {
  const file = path.join(folder, 'own.pid');
  await writeFile(file, `1 ${startTicks(1) ?? ''}\n`);
  removePidFile(file);
  assert.ok(existsSync(file));
  await writePidFile(file);
  removePidFile(file);
  assert.ok(!existsSync(file));
});

test('a hint names a data folder that is not the default, quoted for a shell', () => {
  const named = { SEKISHO_DATA_NAMED: '1' };
  assert.equal(dataOption('/tmp/data', {}), '');
  assert.equal(dataOption('/tmp/data-1', named), ' --data /tmp/data-1');
  assert.equal(dataOption('/tmp/試用', named), ' --data /tmp/試用');
  assert.equal(dataOption("/tmp/it's $HOME", named), ` --data '/tmp/it'\\''s $HOME'`);
});

test('a log begins anew at its limit and keeps the one before', async () => {
  const file = path.join(folder, 'capped.log');
  const log = new CappedLog(file, 100);
  for (let i = 0; i < 25; i += 1) log.write(`line ${String(i).padStart(5, '0')}`);
  log.close();
  assert.ok((await stat(file)).size <= 111);
  const both = (await readFile(`${file}.1`, 'utf8')) + (await readFile(file, 'utf8'));
  assert.ok(both.endsWith('line 00023\nline 00024\n'));
  assert.ok((await stat(`${file}.1`)).size <= 111);
});

test('a pid file counts only while that very process lives', async () => {
  const file = path.join(folder, 'start.pid');
  assert.equal(livingPid(file), undefined);
  await writePidFile(file);
  assert.equal(livingPid(file), process.pid);
  await writeFile(file, `${process.pid} 1\n`); // the same pid, another process
  assert.equal(livingPid(file), undefined);
  await writeFile(file, 'nonsense\n');
  assert.equal(livingPid(file), undefined);
});

test('a data folder whose name is too long for a Unix socket is refused with the remedy', () => {
  assert.throws(() => layoutOf(`/${'x'.repeat(90)}`), { code: 'PATH_TOO_LONG' });
  assert.throws(() => layoutOf('/tmp/a"b'), { code: 'PATH_UNSAFE' });
  assert.equal(layoutOf(`/${'x'.repeat(80)}`).run.length, 85);
});

test('freePort() passes over a port that another program holds', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const port = await freePort(address.port, { udp: true });
  assert.ok(port > address.port);
  assert.ok((await freePort(port, { taken: new Set([port]) })) > port);
  await new Promise((resolve) => server.close(resolve));
});

test('the trial configuration is valid, is written once, and an owner’s edit stays', async () => {
  const layout = layoutOf(path.join(folder, 'data'));
  makeFolders(layout);
  const { ports } = await trialPorts(layout);
  assert.deepEqual((await trialPorts(layout)).ports, ports);
  assert.equal(await ensureConfig(layout, ports, { language: 'ja' }), true);
  const { config, written } = readConfig(layout.configFile);
  assert.deepEqual(missingEngineKeys(written), []);
  assert.deepEqual(enginesWanted(config, layout, ports), {
    unbound: true,
    clamd: true,
    rspamd: true,
    mailServer: true,
  });
  await writeFile(layout.configFile, JSON.stringify({ ...written, language: 'en' }));
  assert.equal(await ensureConfig(layout, ports, { language: 'ja' }), false);
  assert.equal(readConfig(layout.configFile).config.language, 'en');
});

test('an owner’s configuration decides which engines are started, and what it leaves out is named', () => {
  const layout = layoutOf('/tmp/some-data');
  const ports = { mx: 2525, relay: 2526, mailServer: 2527, page: 2580, dns: 2553, admin: 8443, portal: 8444 };
  assert.deepEqual(missingEngineKeys({}), ['engines.clamd.socket', 'engines.rspamd.url', 'dns.servers']);
  const own = trialConfig(layout, ports, { language: 'en' });
  own.domains = [{ name: 'example.com', servers: [{ host: '192.0.2.10' }] }];
  own.engines = { clamd: { socket: '/run/clamav/clamd.ctl' }, rspamd: { enabled: false } };
  own.dns = { servers: ['192.0.2.53'] };
  assert.deepEqual(missingEngineKeys(own), []);
  const file = path.join(folder, 'own.json');
  return writeFile(file, JSON.stringify(own)).then(() => {
    const wanted = enginesWanted(readConfig(file).config, layout, ports);
    assert.deepEqual(wanted, { unbound: false, clamd: false, rspamd: false, mailServer: false });
  });
});

test('a configuration with an error is refused with the key', async () => {
  const file = path.join(folder, 'bad.json');
  await writeFile(file, JSON.stringify({ listeners: { mx: { port: 99_999 } } }));
  assert.throws(() => readConfig(file), { code: 'CONFIG_BAD', message: /listeners\.mx\.port/ });
  await writeFile(file, '{');
  assert.throws(() => readConfig(file), { code: 'CONFIG_BAD' });
});

test('an engine that AppArmor confines runs from a copy in the data folder', () => {
  const layout = layoutOf(path.join(folder, 'apparmor'));
  makeFolders(layout);
  const env = { PATH: '/usr/bin:/bin' };
  assert.match(
    programOf('true', layout, env, () => false),
    /^\/(usr\/)?bin\/true$/,
  );
  const copy = programOf('true', layout, env, () => true);
  assert.equal(copy, path.join(layout.engines, 'programs', 'true'));
  assert.ok(existsSync(copy));
  assert.throws(() => programOf('no-such-engine', layout, env), { code: 'ENGINE_MISSING' });
});

test('--offline refuses every name but those of the trial', () => {
  const offline = unboundZones({ lab: true, offline: true });
  assert.match(offline, /local-zone: "\." refuse/);
  assert.match(offline, /local-zone: "example\." static/);
  const owner = unboundZones({ lab: false, offline: false });
  assert.ok(!owner.includes('docomo') && !owner.includes('refuse'));
});
