/**
 * The real console on a real pseudo-terminal (script(1)), the shell that waits for a key before it, against the real host; the
 * gateway is dead all the time.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtempDisposable, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { pause } from '../../src/base/deadline.ts';
import { displayWidth } from '../../src/base/terminal.ts';
import { createTerminal } from '../../src/console/terminal.ts';
import { type HostWorld, startHost } from '../host/world.ts';
import { hasNut, startDummyUps } from '../support/nut.ts';
import { until } from '../support/process.ts';

const SOURCES = path.resolve(import.meta.dirname, '../../src');
const ENTRY = path.join(SOURCES, 'console.ts');
const SHELL = path.resolve(SOURCES, '../rootfs/usr/libexec/sekisho/console');

interface Screen extends AsyncDisposable {
  type(text: string): void;
  /** Waits for it after what was seen before; gives everything since then. */
  see(what: RegExp, ms?: number): Promise<string>;
  all(): string;
}

/** A look at the banner each half second. `language`: the unit's. */
const openConsole = async (
  host: HostWorld,
  { language = 'en', flags = '' }: { language?: 'ja' | 'en'; flags?: string } = {},
): Promise<Screen> => {
  const licences = path.join(host.dir, 'licences.txt');
  await writeFile(licences, Array.from({ length: 60 }, (_, line) => `licence line ${line + 1}`).join('\n'));
  const sockets = `--host-socket ${host.dir}/run/console.sock --gateway-socket ${host.dir}/run/none.sock`;
  return openShell(
    `${host.dir}/run ${language} ${process.execPath} ${ENTRY} ${sockets} --licences ${licences} ${flags}`,
  );
};

function openShell(flags: string): Screen {
  const command = `stty cols 80 rows 24; SEKISHO_CONSOLE_LOOK=5 exec /bin/sh ${SHELL} ${flags}`;
  const child = spawn('script', ['-qfec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let text = '';
  let from = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return {
    type: (line) => void child.stdin.write(line),
    all: () => text,
    see: async (what, ms = 30_000) => {
      const found = await until(
        `"${what.source}" on the screen after: ${text.slice(from)}`,
        { ms },
        () => what.exec(text.slice(from)) ?? undefined,
      ).catch((error: unknown) => assert.fail(`${String(error)}\n${text.slice(from)}`));
      const seen = text.slice(from, from + found.index + found[0].length);
      from += found.index + found[0].length;
      return seen;
    },
    [Symbol.asyncDispose]: async () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      await ended;
    },
  };
}

test('a key opens the menu; state, diagnostics, a new setup code and licences come on 80 columns', async () => {
  await using host = await startHost();
  await using screen = await openConsole(host);
  const { code = '' } = await host.console.call('setup-code.show', {});
  await screen.see(new RegExp(`${code.slice(0, 5)}-${code.slice(5)}`));
  await screen.see(/Press a key/);
  screen.type(' ');
  await screen.see(/Number, then Enter: /);
  screen.type('1\n');
  await screen.see(/last start: first-boot/);
  await screen.see(/The gateway does not answer|gateway/);
  await screen.see(/Number, then Enter: /);
  screen.type('4\n');
  const renewed = await screen.see(/Setup code: [0-9A-Z]{5}-[0-9A-Z]{5}/);
  assert.ok(!renewed.includes(code.slice(0, 5)));
  // whoever is root sees the same by the command line
  const cli = [path.join(SOURCES, 'cli.ts'), 'admin', 'setup-code', '--host-socket', `${host.dir}/run/console.sock`];
  const { stdout } = await promisify(execFile)(process.execPath, cli, { timeout: 30_000 });
  assert.ok(stdout.startsWith(`${renewed.slice(-11)} (good until `), stdout);
  await screen.see(/Number, then Enter: /);
  screen.type('5\n');
  await screen.see(/6 {2}disk/);
  screen.type('6\n');
  await screen.see(/MiB free of/);
  await screen.see(/Number, then Enter: /);
  screen.type('14\n');
  await screen.see(/licence line 22\r?\n/);
  await screen.see(/more: Enter/);
  screen.type('\n');
  await screen.see(/licence line 44\r?\n/);
  screen.type('q\n');
  await screen.see(/Number, then Enter: /);
  screen.type('16\n');
  await screen.see(/番号を入れて Enter: /);
  screen.type('1\n');
  await screen.see(/前回の起動: 最初の起動 [\s\S]*時計: /);
  const widest = Math.max(
    ...screen
      .all()
      .split(/\r?\n/)
      .map((line) => line.length),
  );
  assert.ok(widest <= 80, `no line is wider than the screen: ${widest}`);
});

test('the state names the charge of the UPS and what happened to it last', { skip: !hasNut() }, async () => {
  await using nut = await startDummyUps();
  await using host = await startHost({ flags: ['--ups-port', String(nut.port)] });
  await until('the UPS', { ms: 20_000 }, async () =>
    (await host.console.call('host.status', {})).ups.state === 'online' ? true : undefined,
  );
  await using screen = await openConsole(host);
  await screen.see(/Press a key/);
  screen.type(' ');
  await screen.see(/Number, then Enter: /);
  screen.type('1\n');
  await screen.see(/UPS: online 100 % 60 min OL CHRG\s+20\S+Z online \(OL CHRG\)/);
  // in whole: a line is as long as the screen, this sentence is longer
  await screen.see(/The disk is not encrypted: a thief reads[\s\S]*reset\s+it\s+before\s+disposal\./);
  await screen.see(/Number, then Enter: /);
});

test('factory reset needs its words typed exactly; anything else does nothing', async () => {
  await using host = await startHost();
  await using screen = await openConsole(host);
  await screen.see(/Press a key/);
  screen.type(' ');
  await screen.see(/Number, then Enter: /);
  screen.type('11\n');
  await screen.see(/ERASE EVERYTHING/);
  screen.type('erase everything\n');
  await screen.see(/Nothing was done/);
  assert.ok(!(await host.calls('systemctl')).includes('reboot'));
  await screen.see(/Number, then Enter: /);
  screen.type('11\n');
  await screen.see(/ERASE EVERYTHING/);
  screen.type('ERASE EVERYTHING\n');
  await until(
    'the reboot',
    { ms: 10_000 },
    async () => (await host.calls('systemctl')).includes('reboot') || undefined,
  );
});

test('encryption of the disk tells what is lost and needs its words', async () => {
  await using host = await startHost();
  await using screen = await openConsole(host);
  await screen.see(/Press a key/);
  screen.type(' ');
  const encryption = async (): Promise<void> => {
    await screen.see(/15 {2}Disk encryption[\s\S]*?Number, then Enter: /);
    screen.type('15\n');
    await screen.see(/The disk is not encrypted/);
    await screen.see(/2 {2}Encrypt, key in the TPM/);
  };
  await encryption();
  screen.type('1\n');
  await screen.see(/There is no USB stick/);
  await encryption();
  screen.type('2\n');
  await screen.see(/are erased[\s\S]*ERASE EVERYTHING/);
  screen.type('yes\n');
  await screen.see(/Nothing was done/);
  assert.ok(!(await host.calls('systemctl')).includes('reboot'));
});

test('the network set at the console comes back unless it is kept', async () => {
  await using host = await startHost();
  await using screen = await openConsole(host);
  await screen.see(/Press a key/);
  screen.type(' ');
  await screen.see(/Number, then Enter: /);
  const set = async (answer: string): Promise<void> => {
    screen.type('2\n');
    await screen.see(/Number of the interface: /);
    screen.type('1\n');
    await screen.see(/IPv4 address/);
    screen.type('192.0.2.77/24\n');
    await screen.see(/Gateway: /);
    screen.type('192.0.2.1\n');
    await screen.see(/DNS servers/);
    screen.type('\n');
    await screen.see(/Type keep/);
    screen.type(`${answer}\n`);
    await screen.see(/Number, then Enter: /);
  };
  await set('no');
  assert.equal((await host.console.call('network.show', {})).pending, undefined);
  await set('keep');
  const { settings } = await host.console.call('network.show', {});
  assert.ok(
    settings.interfaces.some(({ ipv4 }) => ipv4.method === 'static' && ipv4.addresses.includes('192.0.2.77/24')),
  );
});

test('a dead host is a sentence, and the console lives on in both languages', async () => {
  await using host = await startHost();
  await host.cut();
  await using screen = await openConsole(host, { language: 'ja' });
  await screen.see(/host）が応答しません/);
  screen.type(' ');
  await screen.see(/番号を入れて Enter: /);
  screen.type('1\n');
  await screen.see(/応答しません/);
  await screen.see(/番号を入れて Enter: /);
  screen.type('16\n');
  await screen.see(/Number, then Enter: /);
  screen.type('0\n');
  await screen.see(/Press a key/);
  await host.start();
  await screen.see(/enter this setup code/, 40_000);
});

test('the banner is for the console’s group alone, and gone when the host is', async () => {
  await using host = await startHost();
  const files = ['banner.ja', 'banner.en'].map((name) => path.join(host.dir, 'run', name));
  const { code = '' } = await host.console.call('setup-code.show', {});
  for (const file of files) {
    assert.equal((await stat(file)).mode & 0o777, 0o640);
    const lines = (await readFile(file, 'utf8')).split('\n');
    assert.ok(lines.includes(`    ${code.slice(0, 5)}-${code.slice(5)}`));
    assert.ok(lines.every((line) => displayWidth(line) <= 79));
  }
  await host.admin.call('claim.done', {});
  await host.cut();
  await host.start();
  assert.match(await readFile(files[1] ?? '', 'utf8'), /^Claimed: yes$/m);
  assert.ok(!(await readFile(files[1] ?? '', 'utf8')).includes(code.slice(0, 5)));
  await host.stop();
  assert.deepEqual(
    files.map((file) => existsSync(file)),
    [false, false],
  );
});

test('where the host’s banner stands still, its code and address go; where it moves again, they come back', async () => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'sekisho-console-'));
  let count = 0;
  const write = async (): Promise<void> => {
    const file = path.join(folder.path, 'banner.en');
    await writeFile(`${file}.new`, `${(count += 1)}\nhttps://192.0.2.7/\n    12345-67890\n`);
    await rename(`${file}.new`, file);
  };
  await write();
  await using screen = openShell(`${folder.path} en ${process.execPath} -e 0`);
  await screen.see(/192\.0\.2\.7[^]*12345-67890/);
  const still = await screen.see(/host\) does not answer[^]*Press a key for the menu/);
  assert.ok(!/12345|192\.0\.2\.7/.test(still), still);
  const moving = setInterval(() => void write(), 200);
  try {
    await screen.see(/12345-67890/);
  } finally {
    clearInterval(moving);
  }
});

test('keys that end programs are keys like others; a menu that breaks is told, and one that nobody types into ends', async () => {
  await using host = await startHost();
  await using screen = await openConsole(host, { flags: '--idle 2' });
  await screen.see(/Press a key/);
  screen.type('\u0003');
  await screen.see(/One moment[^]*Number, then Enter: /);
  // nobody types
  await screen.see(/Press a key/);
  screen.type('\n');
  await screen.see(/Number, then Enter: /);
  screen.type('\u0003');
  await screen.see(/The menu ended \(130\)[^]*Press a key/);
  screen.type(' ');
  await screen.see(/Number, then Enter: /);
  screen.type('16\n');
  await screen.see(/番号を入れて Enter: /);
  screen.type('0\n');
  await screen.see(/キーを押すと/);
  screen.type(' ');
  await screen.see(/番号を入れて Enter: /);
});

test('a line that was stopped (Ctrl-S, or noise) goes on at any key', async () => {
  await using host = await startHost();
  await using screen = await openConsole(host);
  await screen.see(/Press a key/);
  screen.type('\u0013');
  await pause(1_500);
  screen.type(' ');
  await screen.see(/Number, then Enter: /);
  screen.type('\u0013');
  screen.type('99\n');
  await screen.see(/There is no such number/);
});

test('English comes in letters that every screen has, Japanese keeps its own', () => {
  let said = '';
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      said += chunk.toString('utf8');
      done();
    },
  });
  const terminal = createTerminal(new PassThrough(), output, { idleMs: 1_000 });
  terminal.line('choose “none” at System → Services…');
  terminal.line(`A line too long ${'x'.repeat(80)}`);
  terminal.line('「システム」→「サービス」');
  terminal.close();
  const [english = '', long = '', japanese] = said.split('\n');
  assert.equal(english, 'choose "none" at System > Services~');
  assert.match(long, /^[ -~]{79}$/);
  assert.equal(japanese, '「システム」→「サービス」');
});

test('an escape sequence in a log line does not reach the terminal', async () => {
  await using host = await startHost();
  const entry = JSON.stringify({
    __REALTIME_TIMESTAMP: '1',
    _SYSTEMD_UNIT: 'x.service',
    PRIORITY: '6',
    MESSAGE: 'evil \u001b]0;title\u0007 end',
  });
  const facts = { alarm: 'engine-starting', detail: `x ${'y'.repeat(60)}`.repeat(9) };
  const ours = JSON.stringify({
    __REALTIME_TIMESTAMP: '2000000',
    _SYSTEMD_UNIT: 'sekisho-gateway.service',
    PRIORITY: '4',
    MESSAGE: JSON.stringify({
      level: 'warn',
      time: '1970-01-01T00:00:02.000Z',
      ...facts,
      msg: 'An engine is starting',
    }),
  });
  await writeFile(path.join(host.dir, 'entry.json'), `${entry}\n${ours}`);
  await host.fake('journalctl', `cat ${path.join(host.dir, 'entry.json')}`);
  await using screen = await openConsole(host);
  await screen.see(/Press a key/);
  screen.type(' ');
  await screen.see(/Number, then Enter: /);
  screen.type('6\n');
  // the newest first, what happened before its facts, and no more of them than three lines
  await screen.see(
    /! 01-01T00:00:02Z sekisho-gateway: An engine is starting\r?\nalarm=engine-starting .*\r?\n.*y.*\r?\n {2}01-01T00:00:00Z x: /,
  );
  await screen.see(/evil \\x1b/);
  assert.ok(!screen.all().includes('\u001b]0;'));
});
