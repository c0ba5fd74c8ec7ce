/**
 * The commands as a newcomer types them, with the real engines and the real gateway: started in the background with a data
 * folder of its own, samples sent, started twice, stopped. Run as root it also proves that nothing keeps root's rights.
 */
import assert from 'node:assert/strict';
import { execFile, type ExecFileException } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { listStoredMail, startTrialMailServer } from '../../scripts/lab/mail-server.ts';
import { livingPid, startTicks } from '../../scripts/lib/process-identity.ts';
import { makeSamples } from '../../scripts/samples/messages.ts';
import { sendMessage } from '../../scripts/samples/send.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const COMMAND_MS = 240_000;

let folder: string;
let data: string;
let first: Result;

interface Result {
  status: number;
  output: string;
}

function command(name: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  return run(path.join(ROOT, 'scripts', name), args, env);
}

function run(program: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  return new Promise((resolve) => {
    const options = { cwd: ROOT, timeout: COMMAND_MS, env: { ...process.env, LANG: 'C.UTF-8', LC_ALL: '', ...env } };
    execFile(program, args, options, (error: ExecFileException | null, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 99;
      resolve({ status, output: stdout + stderr });
    });
  });
}

/** Every living process that was started for our data folder: by its environment, its command line or its parent. */
function ours(): Array<{ pid: number; uid: number; name: string }> {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        const text = readFileSync(`/proc/${name}/environ`, 'latin1') + readFileSync(`/proc/${name}/cmdline`, 'latin1');
        const field = (key: string): string => new RegExp(`^${key}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
        if (field('State') === 'Z') return [];
        const identity = { pid: Number(name), uid: Number(field('Uid')), name: field('Name') };
        return [{ ...identity, parent: Number(field('PPid')), mine: text.includes(data) }];
      } catch {
        return []; // gone meanwhile
      }
    });
  const start = Number(/^\d+/.exec(existsSync(pidFile()) ? readFileSync(pidFile(), 'utf8') : '')?.[0] ?? 0);
  const family = new Set(all.filter((one) => one.mine || one.pid === start).map((one) => one.pid));
  for (let grown = true; grown; ) {
    const more = all.filter((one) => family.has(one.parent) && !family.has(one.pid));
    grown = more.length > 0;
    for (const one of more) family.add(one.pid);
  }
  family.delete(process.pid);
  return all.filter((one) => family.has(one.pid)).map(({ pid, uid, name }) => ({ pid, uid, name }));
}

function pidFile(): string {
  return path.join(data, 'run', 'start.pid');
}

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skt-'));
  await chmod(folder, 0o755);
  data = path.join(folder, 'data');
  first = await command('start', ['--offline', '--detach', '--data', data]);
});

after(async () => {
  await command('stop', ['--data', data]);
  await rm(folder, { recursive: true, force: true });
});

test('start says what it does, where to send, what to try next and how to stop', () => {
  assert.equal(first.status, 0, first.output);
  for (const part of ['[1/3]', '[2/3]', '[3/3]', 'rspamd: ready', 'clamd: ready', 'unbound: ready', 'gateway: ready'])
    assert.ok(first.output.includes(part), `${part} is missing in:\n${first.output}`);
  assert.match(first.output, /starter signatures only/);
  assert.match(first.output, /Send mail to +127\.0\.0\.1 port \d+/);
  // Each hint works as it stands: with the data folder that is not the default.
  for (const hint of ['send-samples', 'sekisho status', 'trial-mail', 'stop'])
    assert.ok(first.output.includes(`./scripts/${hint} --data ${data}`), `${hint} in:\n${first.output}`);
});

/** proc(5), field 5. */
function groupOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
  } catch {
    return undefined;
  }
}

test('every process it leaves running has another uid than root', () => {
  const running = ours();
  const names = running.map((one) => one.name).join(' ');
  for (const engine of ['clamd', 'unbound', 'rspamd'])
    assert.ok(names.includes(engine), `${engine} is not among: ${names}`);
  assert.ok(running.length >= 6, names); // start, three engines, the gateway, its inspect worker
  assert.deepEqual(
    running.filter((one) => one.uid === 0),
    [],
  );
});

test('started twice it says so and changes nothing', async () => {
  const before = await readFile(pidFile(), 'utf8');
  const again = await command('start', ['--offline', '--detach', '--data', data]);
  assert.equal(again.status, 0, again.output);
  assert.equal(again.output.match(/[Aa]lready running/g)?.length, 1, again.output);
  assert.match(again.output, /^Already running \(pid \d+/);
  assert.ok(again.output.includes(`./scripts/stop --data ${data} `), again.output);
  const japanese = await command('start', ['--data', data], { LANG: 'ja_JP.UTF-8' });
  assert.equal(japanese.output.match(/もう動いています/g)?.length, 1, japanese.output);
  assert.equal(await readFile(pidFile(), 'utf8'), before);
});

test('send-samples finds every sample where it is expected, in both languages', async () => {
  const english = await command('send-samples', ['--data', data]);
  assert.equal(english.status, 0, english.output);
  assert.match(english.output, /All 11 as expected/);
  const japanese = await command('send-samples', ['--data', data, '--only', 'clean,eicar'], { LANG: 'ja_JP.UTF-8' });
  assert.equal(japanese.status, 0, japanese.output);
  assert.match(japanese.output, /2 通すべて期待どおり/);
});

test('trial-mail into a reader that leaves early ends without a word', async () => {
  const list = await command('trial-mail', ['--data', data, '--json']);
  const mails = JSON.parse(list.output) as Array<{ id: string; size: number }>;
  const big = mails.find((mail) => mail.size > 1_000_000);
  assert.ok(big, list.output);
  for (const [args, reader] of [
    [big.id, 'head -c 1 >/dev/null'],
    ['', 'true'],
  ] as const) {
    const line = `./scripts/trial-mail --data '${data}' ${args} | ${reader}; echo "\${PIPESTATUS[0]}"`;
    assert.deepEqual(await run('/bin/bash', ['-c', line]), { status: 0, output: '0\n' });
  }
});

test('a changed threshold changes the row, and the row is still right', async () => {
  const set = await command('sekisho', ['config', 'set', 'policy.spam.reject', '20', '--data', data]);
  assert.equal(set.status, 0, set.output);
  const answer = await command('send-samples', ['--data', data, '--only', 'gtube', '--json']);
  assert.equal(answer.status, 0, answer.output);
  const [row] = JSON.parse(
    answer.output.slice(answer.output.indexOf('['), answer.output.lastIndexOf(']') + 1),
  ) as Array<{
    outcome: string;
    expected: string;
  }>;
  assert.deepEqual([row?.outcome, row?.expected], ['quarantined', 'quarantined']);
});

test('an engine that is killed comes back by itself', async () => {
  const { pids } = JSON.parse(await readFile(path.join(data, 'run/ready.json'), 'utf8')) as {
    pids: Record<string, number>;
  };
  // rspamd's workers are processes of their own: they must neither stay behind nor keep the stop below waiting.
  for (const name of ['clamd', 'rspamd']) {
    const victim = pids[name];
    assert.ok(victim !== undefined);
    const family = ours()
      .filter((one) => one.pid === victim || groupOf(one.pid) === victim)
      .map(({ pid }) => ({ pid, born: startTicks(pid) }));
    assert.ok(name === 'clamd' || family.length > 1, JSON.stringify(family));
    process.kill(victim, 'SIGKILL');
    const back = (): boolean => ours().some((one) => one.name === name && groupOf(one.pid) !== victim);
    for (let i = 0; i < 600 && !back(); i += 1) await sleep(200);
    assert.ok(back(), `${name} did not come back`);
    const left = (): typeof family => family.filter(({ pid, born }) => born !== undefined && startTicks(pid) === born);
    for (let i = 0; i < 300 && left().length > 0; i += 1) await sleep(200); // a large process takes a moment to go
    assert.deepEqual(left(), []);
  }
});

test('stop ends everything; a second start takes seconds; a signal ends that one too', async () => {
  await rm(pidFile()); // the stop goes by what lives, not only by the file
  const stopped = await command('stop', ['--data', data]);
  assert.equal(stopped.status, 0, stopped.output);
  await nobodyLeft();
  assert.match((await command('stop', ['--data', data])).output, /Not running/);
  const samples = await command('send-samples', ['--data', data]);
  assert.equal(samples.status, 3);
  assert.ok(samples.output.includes(`./scripts/start --data ${data} first`), samples.output);

  const began = Date.now();
  const second = await command('start', ['--offline', '--detach', '--data', data]);
  assert.equal(second.status, 0, second.output);
  assert.ok(Date.now() - began < 150_000, `${Date.now() - began} ms`);
  process.kill(Number(/^\d+/.exec(await readFile(pidFile(), 'utf8'))?.[0]), 'SIGINT');
  await nobodyLeft();
});

/** Workers of an engine may need a moment more than the engine itself, and a start after a signal ends in its own time. */
async function nobodyLeft(): Promise<void> {
  for (let i = 0; i < 1_200 && ours().length > 0; i += 1) await sleep(100);
  assert.deepEqual(ours(), []);
}

/** A configuration of the owner's, in a folder of the user that the gateway runs as: it keeps its generations beside it. */
async function ownConfig(name: string, config: unknown): Promise<string> {
  const own = path.join(folder, 'own');
  await mkdir(own, { recursive: true });
  const { uid, gid } = await stat(data);
  await chown(own, uid, gid);
  const file = path.join(own, name);
  await writeFile(file, JSON.stringify(config));
  await chown(file, uid, gid);
  return file;
}

test('a configuration without the engines’ addresses, or on a taken port, is refused with what to do', async () => {
  const domains = [{ name: 'example.com', servers: [{ host: '192.0.2.10' }] }];
  const own = await ownConfig('incomplete.json', { domains });
  const incomplete = await command('start', ['--offline', '--detach', '--data', data, '--config', own]);
  assert.equal(incomplete.status, 2, incomplete.output);
  assert.match(incomplete.output, /engines\.clamd\.socket/);
  assert.ok(incomplete.output.includes(path.join(data, 'run/rspamd.sock')));
  assert.equal((await command('start', ['--data', data, '--config', '/no/such/file.json'])).status, 2);

  const trial = JSON.parse(await readFile(path.join(data, 'trial.json'), 'utf8')) as { mx: number };
  const blocker = createServer().listen(trial.mx, '127.0.0.1');
  await new Promise((resolve) => blocker.once('listening', resolve));
  const taken = await command('start', ['--offline', '--detach', '--data', data]);
  await new Promise((resolve) => blocker.close(resolve));
  assert.equal(taken.status, 2, taken.output);
  assert.match(taken.output, new RegExp(`Port ${trial.mx} is taken by another program. Change listeners\\.mx\\.port`));
  await nobodyLeft();
});

test('a configuration of one’s own runs with the private engines and its own mail server, without the trial’s', async () => {
  const store = await mkdtemp(path.join(tmpdir(), 'skt-own-'));
  const server = await startTrialMailServer({ folder: store, smtpPort: 0, pagePort: 0, language: 'en' });
  try {
    const trial = JSON.parse(await readFile(path.join(data, 'trial.json'), 'utf8')) as Record<string, number>;
    const config = JSON.parse(await readFile(path.join(data, 'config.json'), 'utf8')) as {
      domains: Array<{ servers: Array<{ port: number }> }>;
    };
    const [own] = config.domains[0]?.servers ?? [];
    assert.ok(own);
    own.port = server.smtpPort;
    const file = await ownConfig('own-server.json', config);
    const started = await command('start', ['--offline', '--detach', '--data', data, '--config', file]);
    assert.equal(started.status, 0, started.output);
    assert.ok(started.output.includes(`Configuration: ${file}`), started.output);
    for (const engine of ['clamd', 'rspamd', 'unbound']) assert.ok(started.output.includes(`${engine}: ready`));
    assert.doesNotMatch(started.output, /trial-mail|send-samples|not started here/);
    for (const port of [trial['mailServer'], trial['page']]) assert.equal(await answers(port ?? 0), false);
    assert.equal(await answers(trial['mx'] ?? 0), true);
    const clean = makeSamples({ date: new Date() }).find((sample) => sample.name === 'clean');
    assert.ok(clean);
    const sent = await sendMessage({ host: '127.0.0.1', port: trial['mx'] ?? 0 }, clean);
    assert.equal(sent.code, 250, sent.reply);
    for (let i = 0; i < 600 && (await listStoredMail(store)).length === 0; i += 1) await sleep(200);
    assert.equal((await listStoredMail(store)).length, 1);
    const stopped = await command('stop', ['--data', data]);
    assert.equal(stopped.status, 0, stopped.output);
  } finally {
    await server.close();
    await rm(store, { recursive: true, force: true });
  }
});

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.setTimeout(60_000, () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

test('a --config that is missing, closed or not JSON is told before anything is installed', async (t) => {
  const fresh = path.join(folder, 'fresh');
  const bad = await ownConfig('bad.json', {});
  await writeFile(bad, '{ "version": 1, }');
  const locked = path.join(folder, 'locked');
  await mkdir(locked);
  await writeFile(path.join(locked, 'config.json'), '{}');
  await chmod(path.join(locked, 'config.json'), 0o644);
  await chmod(locked, 0o555);
  t.after(() => chmod(locked, 0o755)); // so that it can be removed
  const closed = path.join(folder, 'closed.json');
  await writeFile(closed, '{}', { mode: 0o000 });
  for (const [file, expected] of [
    ['/no/such/file.json', /^No such configuration file: \/no\/such\/file\.json$/m],
    [folder, /^Not a file: /],
    [closed, /annot read/],
    [path.join(locked, 'config.json'), /^The gateway cannot write in the folder of .*locked/],
    [bad, /^The configuration file .*bad\.json is not JSON: /],
  ] as const) {
    const told = await command('start', ['--offline', '--detach', '--data', fresh, '--config', file]);
    assert.equal(told.status, 2, told.output);
    assert.match(told.output, expected);
    assert.doesNotMatch(told.output, /\[1\/3\]|\[2\/3\]/);
    assert.ok(!existsSync(fresh));
  }
});

test('without --data the commands say that nothing runs at the default folder, and name --data', async (t) => {
  const usual = process.getuid?.() === 0 ? '/var/lib/sekisho-trial' : path.join(ROOT, 'data');
  if (livingPid(path.join(usual, 'run/start.pid')) !== undefined) return t.skip('A trial runs there');
  for (const [env, words] of [
    [{}, /default data folder:? \S*(sekisho-trial|data)\b.*--data/],
    [{ LANG: 'ja_JP.UTF-8' }, /既定のデータフォルダー.*--data/],
  ] as const) {
    const samples = await command('send-samples', [], env);
    assert.equal(samples.status, 3, samples.output);
    assert.match(samples.output, words);
    const stop = await command('stop', [], env);
    assert.equal(stop.status, 0, stop.output);
    assert.match(stop.output, words);
    const status = await command('sekisho', ['status'], env);
    assert.ok(status.status === 3 || status.status === 4, status.output);
    assert.match(status.output, /--data/);
  }
});

test('--help of every command needs nothing installed, in both languages', async () => {
  const bare = path.join(folder, 'bare');
  await cp(path.join(ROOT, 'scripts'), path.join(bare, 'scripts'), { recursive: true });
  const nothing = path.join(folder, 'nothing-installed');
  for (const name of ['start', 'stop', 'sekisho', 'send-samples', 'trial-mail', 'lab-server'])
    for (const [language, words] of [
      ['C.UTF-8', /^Usage: \.\/scripts\//],
      ['ja_JP.UTF-8', /^使い方: \.\/scripts\//],
    ] as const) {
      const args = ['--data', nothing, '--help'];
      const help = await run(path.join(bare, 'scripts', name), args, { LANG: language });
      assert.equal(help.status, 0, `${name}: ${help.output}`);
      assert.match(help.output, words);
      assert.ok(help.output.includes(`./scripts/${name}`));
    }
  assert.ok(!existsSync(nothing));
});

test('wrong use is told with exit 2, and --help needs nothing', async () => {
  assert.equal((await command('start', ['--frobnicate'])).status, 2);
  assert.equal((await command('start', ['--data'])).status, 2);
  assert.equal((await command('stop', ['--data', data, '--frobnicate'])).status, 2);
  assert.equal((await command('trial-mail', ['--data', data, '--frobnicate'])).status, 2);
  assert.equal((await command('send-samples', ['--data', data, '--frobnicate'])).status, 2);
  const help = await command('start', ['--help'], { LANG: 'ja_JP.UTF-8' });
  assert.equal(help.status, 0);
  assert.match(help.output, /使い方/);
  assert.equal((await command('send-samples', ['--data', path.join(folder, 'nothing-here')])).status, 3);
});
