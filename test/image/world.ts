/**
 * What the image tests stand on: one image built once (or named by SEKISHO_TEST_IMAGE), a copy of its disk with a configuration
 * laid on its boot partition, and a mail server for the box behind QEMU's address of the host.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import path from 'node:path';
import { cacheFolder } from '../support/peers.ts';
import { runCommand } from '../../scripts/test.d/command.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { smtpConnect } from '../support/smtp-client.ts';
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts';
import { until } from '../support/process.ts';
import { TEST_ARCH, Vm } from '../support/vm.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** With the base of another CPU, whose programs are emulated while it is made. */
const BUILD_MS = (TEST_ARCH === 'amd64' ? 15 : 90) * 60_000;

/** What the tests' image calls itself, so that there are older and newer ones. */
export const VERSION = '1.0.0';

/** Where the office's mail server listens: the test's network is its own, and a kept box has this in its configuration. */
export const OFFICE_PORT = 2_525;

/** A second domain of the office, whose mail server has a name in a signed zone. */
export const NAMED = { domain: 'named.example', zone: 'signed.example', host: 'mail.signed.example' };

export interface BuiltImage {
  /** Private to this test file, gone with it. */
  folder: string;
  /** Where the build's results lie, shared. */
  out: string;
  disk: string;
  bundle: string;
  name: string;
}

/**
 * Where the development image of this checkout lies: built by the first that asks, as long as no source changes. Call it before
 * the test enters a network of its own: the build fetches packages.
 */
export async function imageFolder(): Promise<string> {
  const base = path.join(cacheFolder(), 'image');
  mkdirSync(base, { recursive: true });
  const kind = TEST_ARCH === 'amd64' ? 'built-' : `${TEST_ARCH}-`;
  const out = process.env['SEKISHO_TEST_IMAGE'] ?? path.join(base, `${kind}${sourcesDigest()}`);
  if (!existsSync(out)) {
    for (const old of readdirSync(base).filter((name) => name.startsWith(kind)))
      rmSync(path.join(base, old), { recursive: true, force: true });
    const what = ['--dev', '--arch', TEST_ARCH, '--version', VERSION];
    const build = (): ReturnType<typeof runCommand> =>
      runCommand(path.join(ROOT, 'build-image.sh'), [...what, '--out', `${out}.part`], {
        cwd: ROOT,
        ms: BUILD_MS,
        env: { ...process.env, LC_ALL: 'C.UTF-8' },
      });
    let built = await build();
    // its first step; seen once in a day of builds
    if (/archive cannot be reached/.test(built.output)) built = await build();
    if (built.code !== 0) throw new Error(`build-image.sh ended with ${built.code}\n${built.output.slice(-4_000)}`);
    renameSync(`${out}.part`, out);
  }
  return out;
}

/** A private copy of the image's disk. */
export async function builtImage(): Promise<BuiltImage> {
  const out = await imageFolder();
  const packed = readdirSync(out).find((name) => name.endsWith('-dev.img.zst'));
  if (packed === undefined) throw new Error(`No development image in ${out}`);
  const name = packed.replace(/\.img\.zst$/, '');
  const folder = privateFolder();
  const disk = path.join(folder, 'disk.img');
  execFileSync('zstd', ['-dqf', '--sparse', '--long=27', path.join(out, packed), '-o', disk]);
  return { folder, out, disk, bundle: path.join(out, `${name}.raucb`), name };
}

function sourcesDigest(): string {
  const hash = createHash('sha256');
  for (const place of ['build-image.sh', 'package.json', 'package-lock.json', 'rootfs', 'scripts', 'src', 'webui']) {
    const full = path.join(ROOT, place);
    if (!existsSync(full)) continue;
    const files = statSync(full).isDirectory() ? readdirSync(full, { recursive: true, encoding: 'utf8' }) : [''];
    for (const file of files.toSorted()) {
      const one = path.join(full, file);
      if (/^dist(?:\/|$)|node_modules/.test(file) || !statSync(one).isFile()) continue;
      hash.update(`${one}\0`).update(readFileSync(one));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

/** Lays a file on the boot partition (it begins at 2 MiB) of a raw disk image. */
export function layOnBootPartition(disk: string, file: { name: string; content: string }): void {
  const local = `${disk}.file`;
  writeFileSync(local, file.content);
  execFileSync('mcopy', ['-o', '-i', `${disk}@@2M`, local, `::/${file.name}`]);
}

/** A box that takes mail for office.example and hands it to `port` of the host. */
export function officeConfig(port = OFFICE_PORT): ConfigInput {
  return {
    version: 1,
    language: 'en',
    hostname: 'mx.office.example',
    listeners: { mx: { address: '0.0.0.0', port: 25 }, relay: { enabled: false } },
    // the test's disk is small
    spool: { floorOctets: 134_217_728, floorPercent: 2 },
    domains: [
      { name: 'office.example', servers: [{ host: '10.0.2.2', port, tls: 'off' }], recipients: { check: 'any' } },
      { name: NAMED.domain, servers: [{ host: NAMED.host, port, tls: 'off' }], recipients: { check: 'any' } },
    ],
    engines: {
      clamd: { socket: '/run/sekisho-engines/clamd/clamd.sock' },
      rspamd: { url: '/run/sekisho-engines/rspamd/rspamd.sock' },
    },
    dns: { servers: ['127.0.0.1:53'] },
  };
}

/**
 * A box that is claimed and whose engines run, as it stood at that moment: made once for an image, then a copy for each who asks
 * (some seconds instead of a start). Nothing of what one does to it reaches another.
 */
export async function claimedBox(): Promise<{ vm: Vm; out: string; folder: string }> {
  const out = await imageFolder();
  const kept = path.join(out, 'claimed');
  if (!existsSync(kept)) {
    const image = await builtImage();
    layOnBootPartition(image.disk, { name: 'sekisho/config.json', content: JSON.stringify(officeConfig()) });
    await using vm = new Vm({ folder: `${image.folder}/box`, image: image.disk });
    await vm.start();
    await claimBox(vm);
    await untilBanner(vm);
    await untilEngines(vm);
    await keepClaimed(vm, image);
  }
  const folder = privateFolder();
  const box = path.join(folder, 'box');
  mkdirSync(box);
  copyFileSync(path.join(kept, 'disk.qcow2'), path.join(box, 'disk.qcow2'));
  const vm = new Vm({ folder: box, image: path.join(kept, 'disk.img') });
  await vm.start({ from: 'claimed' });
  return { vm, out, folder };
}

export interface Office extends AsyncDisposable {
  /** Put another machine in its place to start the same disk otherwise. */
  vm: Vm;
  readonly sink: SmtpSink;
  readonly out: string;
  readonly folder: string;
  /** The office has this mail. */
  has(id: string): boolean;
  /** What the box's host tells of the machine. */
  status(): Promise<HostShown>;
}

/** What most files begin with: a claimed box that takes mail, and the mail server of its office. */
export async function openOffice(): Promise<Office> {
  const sink = await startSmtpSink({ port: OFFICE_PORT });
  const { vm, out, folder } = await claimedBox().catch(async (error: unknown) => {
    await sink[Symbol.asyncDispose](); // else the test process would never end
    throw error;
  });
  const office: Office = {
    vm,
    sink,
    out,
    folder,
    has: (id) => sink.messages.some((one) => one.bytes.includes(`Message-ID: <${id}>`)),
    status: () => askHost<HostShown>(office.vm, { path: 'status' }),
    [Symbol.asyncDispose]: async () => {
      await office.vm[Symbol.asyncDispose]();
      await sink[Symbol.asyncDispose]();
    },
  };
  try {
    await untilBanner(vm);
  } catch (error) {
    await office[Symbol.asyncDispose]();
    throw error;
  }
  return office;
}

/** The same disk in a machine with another firmware or clock, which takes the place of the one before. */
export function otherMachine(office: Office, more: { clock?: string; firmware?: 'uefi' } = {}): Vm {
  const { folder } = office;
  office.vm = new Vm({ folder: `${folder}/box`, image: `${folder}/none`, ...more });
  return office.vm;
}

/** Since a moment of `performance.now()`, for people. */
export function seconds(since: number): string {
  return `${((performance.now() - since) / 1_000).toFixed(1)} s`;
}

/** For `claimedBox`: this box as it stands now. The machine is off after that. */
export async function keepClaimed(vm: Vm, { out, disk }: BuiltImage): Promise<void> {
  const kept = path.join(out, 'claimed');
  await vm.keep('claimed');
  await vm.powerCut();
  if (existsSync(kept)) return;
  const part = `${kept}.${process.pid}`;
  mkdirSync(part);
  renameSync(disk, path.join(part, 'disk.img'));
  renameSync(vm.file('disk.qcow2'), path.join(part, 'disk.qcow2'));
  const below = ['-u', '-F', 'raw', '-b', path.join(kept, 'disk.img'), path.join(part, 'disk.qcow2')];
  execFileSync('qemu-img', ['rebase', '-q', '-f', 'qcow2', ...below]);
  renameSync(part, kept);
}

function privateFolder(): string {
  const folder = mkdtempSync(path.join(cacheFolder(), 'image', 'run-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Until the engines are up mail is taken as incoming and inspected later; these want the verdict in the session. */
export async function untilEngines(vm: Vm): Promise<void> {
  await until('clamd and rspamd in the box', { ms: 600_000, every: 1_000 }, async () => {
    const ask = 'test -S /run/sekisho-engines/clamd/clamd.sock && test -S /run/sekisho-engines/rspamd/rspamd.sock';
    return (await vm.shell(ask)).code === 0 ? true : undefined;
  });
}

/** Claims the box as its owner does: the code that the console shows, typed into the page. Port 25 opens after that. */
export async function claimBox(vm: Vm): Promise<void> {
  await until('the pages', { ms: 900_000, every: 1_000 }, async () =>
    (await askPages(vm, { path: '/setup' })).status === 200 ? true : undefined,
  );
  const code = await until('the code of the console', { ms: 120_000, every: 1_000 }, async () => {
    const { output } = await vm.shell(asking('console', { path: 'setup-code' }), { ms: 120_000 });
    return (answered(output) as { code?: string } | undefined)?.code;
  });
  const body = { code, user: 'owner', password: 'a long enough password 9', language: 'en' };
  const claimed = await askPages(vm, { path: '/setup/claim', body });
  // 504, and nothing: it took longer than the page, or the question, waits, which is no refusal
  if (claimed.status === 504 || claimed.status === 0)
    await until('the claim to take effect', { ms: 300_000, every: 1_000 }, async () =>
      /"claimed":true/.test((await askPages(vm, { path: '/setup' })).text) ? true : undefined,
    );
  else if (claimed.status !== 200) throw new Error(`The claim was answered ${claimed.status}: ${claimed.text}`);
}

/** One question to the API; status 0 when nobody answered. */
export function askPages(vm: Vm, asked: { path: string; body?: unknown }): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const call = request(
      {
        host: '127.0.0.1',
        port: vm.httpsPort,
        path: `/api/v1${asked.path}`,
        method: asked.body === undefined ? 'GET' : 'POST',
        // as a browser says of a form of its own page
        headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
        rejectUnauthorized: false,
        timeout: 60_000,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.once('close', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    call.once('timeout', () => call.destroy());
    call.once('error', () => resolve({ status: 0, text: '' }));
    call.end(asked.body === undefined ? undefined : JSON.stringify(asked.body));
  });
}

/** Perl starts in a tenth of Node's time; HTTP/1.0, so that the answer comes in one piece. */
const PERL = String.raw`socket(S,PF_UNIX,SOCK_STREAM,0);connect(S,sockaddr_un($ARGV[0]))||exit 1;$b=$ARGV[3];syswrite S,"$ARGV[1] /v1/$ARGV[2] HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ".length($b)."\r\n\r\n$b";local $/;$_=<S>;s/^HTTP\S+ (\d+).*?\r\n\r\n/$1 /s;print`;

/** The command in the guest that asks `host` as that caller does. */
function asking(caller: 'admin' | 'console', { path: verb, body }: { path: string; body?: unknown }): string {
  const said = body === undefined ? '' : JSON.stringify(body).replaceAll("'", String.raw`'\''`);
  const method = body === undefined ? 'GET' : 'POST';
  return `perl -MSocket -e '${PERL}' /run/sekisho-host/${caller}.sock ${method} ${verb} '${said}'`;
}

/** `error`: one of the host's own is an answer, too. */
function answered(said: string, { error = false }: { error?: boolean } = {}): unknown {
  const [, code, body = ''] = /^(\d{3}) (\{[^]*)$/.exec(said) ?? [];
  return code === '200' || (error && code !== undefined) ? (JSON.parse(body) as unknown) : undefined;
}

/** One question to `host`, as the page's process asks it. */
export async function askHost<T>(vm: Vm, asked: { path: string; body?: unknown }): Promise<T> {
  let said = '';
  return until(`the host's answer to ${asked.path}`, { ms: 180_000, every: 1_000 }, async () => {
    said = (await vm.shell(asking('admin', asked), { ms: 300_000 })).output;
    // it may be starting just now, or a slow machine's host may not have come to it; what was to be done may have been begun
    return answered(said, { error: asked.body !== undefined }) as T | undefined;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${said}`);
  });
}

/** Has `host` take the machine down. Nobody waits for its answer: the asker may go down before it has told it. */
export async function goDown(vm: Vm, how: 'reboot' | 'off'): Promise<void> {
  await askHost(vm, { path: 'status' });
  await vm.shell(`${asking('admin', { path: `power/${how}`, body: {} })} </dev/null >/dev/null 2>&1 &`);
}

/** What `host` tells of the machine, as far as these tests look at it. */
export interface HostShown {
  bootId: string;
  degraded?: { cause: string; detail: string };
  watchdog: { kind: string; lastReset: { reason: string }; crashes: number; resets: number };
  alarms: Array<{ name: string }>;
}

/** Types into the console on the serial line; all it said until `expected` was there. */
export async function consoleSays(vm: Vm, typed: string, { expected }: { expected: RegExp }): Promise<string> {
  const from = vm.serial().length;
  await vm.type(typed);
  await until(`"${String(expected)}" on the serial line`, { ms: 120_000 }, () =>
    expected.test(vm.serial().slice(from)) ? true : undefined,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${vm.serial().slice(from)}`);
  });
  return vm.serial().slice(from);
}

/** The first line of whoever answers on port 25; empty when nobody does. */
export function greeting(vm: Vm): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', port: vm.smtpPort });
    const done = (): void => {
      socket.destroy();
      resolve(text.split('\r\n')[0] ?? '');
    };
    socket.setTimeout(20_000, done);
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) done();
    });
    socket.once('error', done);
    socket.once('close', done);
  });
}

/** Waits for the banner on port 25; seconds since power on. */
export async function untilBanner(vm: Vm, { ms = 600_000 }: { ms?: number } = {}): Promise<number> {
  await until('220 from the box', { ms, every: 250 }, async () => {
    if (!vm.running) throw new Error(`The machine is off\n${vm.serial().slice(-2_000)}`);
    try {
      const client = await smtpConnect({ port: vm.smtpPort, ms: 3_000 });
      const said = client.greeting.code;
      client.cut();
      return said === 220 ? true : undefined;
    } catch {
      return undefined; // QEMU takes the connection before the guest listens
    }
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${vm.serial().slice(-3_000)}`);
  });
  return (performance.now() - vm.poweredAt) / 1_000;
}
